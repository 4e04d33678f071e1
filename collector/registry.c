// sensors.json is read at the start and written whole at each change (temporary file, fsync, rename). A token is kept as a
// digest only, so that who reads the file cannot redeem it.
#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/control.h"
#include "own_cert.h"
#include "permit.h"

#define TOKEN_MS        (INT64_C(24) * 3600 * 1000)
#define AUTHORITY_DAYS  3650
#define WARN_MS         (INT64_C(25) * 86400 * 1000) // sensors renew theirs 30 days before
#define PATH_MAX_OCTETS 512

struct registry {
    char dir[PATH_MAX_OCTETS - 16];
    char ca_key[PATH_MAX_OCTETS], ca[PATH_MAX_OCTETS], key[PATH_MAX_OCTETS], cert[PATH_MAX_OCTETS];
    char server_names[600];
    struct permit **permit;
    size_t count;
};

static struct permit *find(const struct registry *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->permit[i]->name, name) == 0)
            return r->permit[i];
    return NULL;
}

static struct permit *get(struct registry *r, const char *name)
{
    struct permit *p = find(r, name);
    if (p)
        return p;
    struct permit **more = realloc(r->permit, (r->count + 1) * sizeof(struct permit *));
    p = calloc(1, sizeof *p);
    if (more)
        r->permit = more;
    if (!more || !p) {
        free(p);
        return NULL;
    }
    snprintf(p->name, sizeof p->name, "%s", name);
    r->permit[r->count++] = p;
    return p;
}

// ---- Who

struct permit *registry_find(struct registry *r, const struct tls_identity *id)
{
    struct permit *p = find(r, id->name);
    if (!p || !permit_valid(p, id->serial))
        return NULL;
    if (strcmp(p->serial, id->serial) == 0)
        p->not_after_ms = id->not_after_ms;
    return p;
}

bool registry_knows_source(const struct registry *r, uint64_t source)
{
    for (size_t i = 0; i < r->count; i++)
        if (permit_came_from(r->permit[i], source))
            return true;
    return false;
}

size_t registry_count(const struct registry *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->permit[i]->serial[0] != '\0';
    return n;
}

// ---- The file

static json_t *to_json(const struct registry *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->count; i++) {
        const struct permit *p = r->permit[i];
        json_t *domains = json_array();
        for (size_t d = 0; d < p->domains; d++)
            json_array_append_new(domains, json_integer(p->domain[d]));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:O?}", "name", p->name,
                            "serial", p->serial, "before", p->before, "token", p->token,
                            "token_until_ms", (json_int_t)p->token_until_ms, "not_after_ms",
                            (json_int_t)p->not_after_ms, "allotted", (json_int_t)p->allotted,
                            "domains", domains, "prefixes", p->prefix_list));
    }
    return json_pack("{s:i, s:o}", "v", 1, "sensors", list);
}

static int save(const struct registry *r)
{
    char path[PATH_MAX_OCTETS], fresh[PATH_MAX_OCTETS + 4];
    snprintf(path, sizeof path, "%s/sensors.json", r->dir);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    json_t *doc = to_json(r);
    if (!doc)
        return -ENOMEM;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    int rc = f ? json_write_line(f, doc) : -errno;
    if (f) {
        if (rc == 0 && (fflush(f) != 0 || fsync(fd) != 0))
            rc = -errno;
        if (fclose(f) != 0 && rc == 0)
            rc = -errno;
    }
    if (rc == 0 && rename(fresh, path) < 0)
        rc = -errno;
    json_decref(doc);
    return rc;
}

static int read_permit(struct registry *r, const json_t *item)
{
    const char *name, *serial, *token, *before = "";
    json_int_t until, not_after, allotted = 0;
    json_t *domains, *prefixes;
    if (json_unpack((json_t *)item, "{s:s, s:s, s?:s, s:s, s:I, s:I, s?:I, s:o, s:o}", "name",
                    &name, "serial", &serial, "before", &before, "token", &token, "token_until_ms",
                    &until, "not_after_ms", &not_after, "allotted", &allotted, "domains", &domains,
                    "prefixes", &prefixes) != 0 ||
        strlen(name) >= TLS_NAME_MAX || allotted < 0 || allotted > PERMIT_ALLOTTED_TO)
        return -EINVAL;
    struct permit *p = get(r, name);
    if (!p)
        return -ENOMEM;
    snprintf(p->serial, sizeof p->serial, "%s", serial);
    snprintf(p->before, sizeof p->before, "%s", before);
    snprintf(p->token, sizeof p->token, "%s", token);
    p->token_until_ms = until;
    p->not_after_ms = not_after;
    int rc = permit_allow(p, domains, json_is_array(prefixes) ? prefixes : NULL);
    p->allotted = (uint32_t)allotted;
    return rc;
}

static int load(struct registry *r, char error[static 300])
{
    char path[PATH_MAX_OCTETS], why[160];
    snprintf(path, sizeof path, "%s/sensors.json", r->dir);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? 0 : -errno;
    json_t *doc = NULL;
    int rc = json_read_line(f, 16 << 20, &doc, why) == 1 ? 0 : -EINVAL;
    fclose(f);
    json_t *list = json_object_get(doc, "sensors");
    if (rc == 0 && !json_is_array(list))
        rc = -EINVAL;
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = read_permit(r, json_array_get(list, i));
    json_decref(doc);
    if (rc == -EINVAL)
        snprintf(error, 300,
                 "%.200s: is damaged; take it from a backup, or enrol the sensors again", path);
    return rc;
}

// ---- Whole

int registry_renew_own(struct registry *r, int64_t now_ms)
{
    struct own_cert c = {
        .key = r->key, .cert = r->cert, .ca_key = r->ca_key, .ca = r->ca, .names = r->server_names};
    return own_cert_renew(&c, now_ms);
}

int registry_open(const char *dir, const char *site, const char *server_names, int64_t now_ms,
                  struct registry **out, char error[static 300])
{
    struct registry *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    error[0] = '\0';
    int rc = strlen(dir) < sizeof r->dir ? 0 : -ENAMETOOLONG;
    snprintf(r->dir, sizeof r->dir, "%s", rc == 0 ? dir : "");
    snprintf(r->ca_key, sizeof r->ca_key, "%s/ca.key", r->dir);
    snprintf(r->ca, sizeof r->ca, "%s/ca.pem", r->dir);
    snprintf(r->key, sizeof r->key, "%s/key.pem", r->dir);
    snprintf(r->cert, sizeof r->cert, "%s/cert.pem", r->dir);
    snprintf(r->server_names, sizeof r->server_names, "%s", server_names);
    if (rc == 0 && mkdir(dir, 0700) < 0 && errno != EEXIST)
        rc = -errno;
    if (rc == 0 && access(r->ca, F_OK) < 0) {
        char name[TLS_NAME_MAX];
        snprintf(name, sizeof name, "Postern %.40s", site ? site : "");
        unlink(r->ca_key); // without its certificate it signed nothing
        rc = tls_cert_make_authority(r->ca_key, r->ca, name, AUTHORITY_DAYS, now_ms);
    }
    if (rc == 0)
        rc = registry_renew_own(r, now_ms);
    if (rc >= 0)
        rc = load(r, error);
    if (rc < 0) {
        if (!error[0])
            snprintf(error, 300, "%.200s: %s", dir, strerror(-rc));
        registry_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        permit_free(r->permit[i]);
    }
    free(r->permit);
    free(r);
}

struct tls_files registry_files(const struct registry *r)
{
    return (struct tls_files){.cert = r->cert, .key = r->key, .authority = r->ca};
}

// ---- Invited, enrolled, revoked

static bool name_is_good(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < COVERAGE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

static void hex(const uint8_t *octet, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", octet[i]);
}

static uint32_t free_domains(const struct registry *r)
{
    for (uint32_t first = PERMIT_ALLOTTED_FROM; first < PERMIT_ALLOTTED_TO;
         first += PERMIT_ALLOTTED) {
        size_t i = 0;
        while (i < r->count && !permit_overlaps(r->permit[i], first, PERMIT_ALLOTTED))
            i++;
        if (i == r->count)
            return first;
    }
    return 0;
}

// What it may say, from the invitation on. Who is enrolled for any domain keeps them until something else is said: its
// records are under way.
static int allow(const struct registry *r, struct permit *p, const json_t *domains,
                 const json_t *prefixes)
{
    const char *word = json_string_value(domains);
    struct permit was = *p;
    bool keeps = !domains && (p->allotted || p->domains > 0 || p->serial[0]);
    if (word && strcmp(word, "any") != 0 && strcmp(word, "auto") != 0)
        return -EINVAL;
    int rc = permit_allow(p, word ? NULL : domains, prefixes);
    if (rc < 0)
        return rc;
    if (keeps || (word && was.allotted && strcmp(word, "auto") == 0)) {
        memcpy(p->domain, was.domain, sizeof p->domain);
        p->domains = was.domains;
        p->allotted = was.allotted;
    } else if (!domains || (word && strcmp(word, "auto") == 0)) {
        p->allotted = free_domains(r);
        return p->allotted ? 0 : -ENOSPC;
    }
    return 0;
}

int registry_invite(struct registry *r, const char *name, const json_t *domains,
                    const json_t *prefixes, int64_t now_ms, char token[static REGISTRY_TOKEN_MAX],
                    char error[static 160])
{
    uint8_t secret[16], fingerprint[32];
    char secret_text[33], fingerprint_text[65];
    if (!name_is_good(name)) {
        snprintf(error, 160, "a sensor's name has letters, digits, - and _, at most %d",
                 COVERAGE_NAME_MAX - 1);
        return -EINVAL;
    }
    snprintf(error, 160, "cannot make a token");
    int rc = tls_cert_fingerprint(r->ca, fingerprint);
    if (rc == 0 && getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        rc = -EIO;
    struct permit *p = rc == 0 ? get(r, name) : NULL;
    if (rc < 0 || !p)
        return rc < 0 ? rc : -ENOMEM;
    rc = allow(r, p, domains, prefixes);
    if (rc < 0) {
        snprintf(error, 160,
                 "domains are numbers from 1, or any, or auto; prefixes are ADDRESS/LENGTH");
        return rc;
    }
    hex(secret, sizeof secret, secret_text);
    hex(fingerprint, sizeof fingerprint, fingerprint_text);
    snprintf(token, REGISTRY_TOKEN_MAX, "1.%s.%s.%s", name, secret_text, fingerprint_text);
    hash_text(span_of_text(token), p->token);
    p->token_until_ms = now_ms + TOKEN_MS;
    return save(r);
}

// The certificate counts when that is on disk; else all is as it `was`.
static int give(struct registry *r, struct permit *p, const struct permit *was, const char *serial,
                int days, int64_t now_ms)
{
    snprintf(p->serial, sizeof p->serial, "%s", serial);
    p->not_after_ms = now_ms + (int64_t)days * 86400000;
    int rc = save(r);
    if (rc < 0)
        *p = *was;
    return rc;
}

int registry_redeem(struct registry *r, const char *token, struct span request, int days,
                    int64_t now_ms, char **pem, const struct permit **who)
{
    char digest[33], serial[41], *text = NULL;
    struct permit *p = NULL;
    hash_text(span_of_text(token), digest);
    for (size_t i = 0; i < r->count; i++)
        if (r->permit[i]->token[0] && strcmp(r->permit[i]->token, digest) == 0)
            p = r->permit[i];
    if (!p)
        return -EACCES;
    if (now_ms > p->token_until_ms)
        return -ETIMEDOUT;
    int rc = tls_cert_sign(r->ca_key, r->ca, request, p->name, NULL, days, now_ms, &text, serial);
    if (rc < 0)
        return rc;
    struct permit was = *p;
    p->token[0] = p->before[0] = '\0';
    rc = give(r, p, &was, serial, days, now_ms);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *pem = text;
    *who = p;
    return 0;
}

int registry_renew(struct registry *r, const struct tls_identity *who, struct span request,
                   int days, int64_t now_ms, char **pem)
{
    char serial[41], *text = NULL;
    struct permit *p = registry_find(r, who);
    if (!p)
        return -EACCES;
    int rc = tls_cert_sign(r->ca_key, r->ca, request, p->name, NULL, days, now_ms, &text, serial);
    if (rc < 0)
        return rc;
    struct permit was = *p;
    memcpy(p->before, who->serial, sizeof p->before);
    rc = give(r, p, &was, serial, days, now_ms);
    if (rc < 0)
        free(text);
    else
        *pem = text;
    return rc;
}

bool registry_domains(const struct registry *r, const char *name,
                      char text[static PERMIT_DOMAINS_TEXT])
{
    const struct permit *p = find(r, name);
    text[0] = '\0';
    return p && permit_domains(p, text);
}

int registry_revoke(struct registry *r, const char *name)
{
    struct permit *p = find(r, name);
    if (!p)
        return -ENOENT;
    p->serial[0] = p->before[0] = p->token[0] = '\0';
    return save(r);
}

void registry_status(const struct registry *r, struct control_status *s, int days, int64_t now_ms)
{
    uint64_t domain = 0, prefix = 0;
    int64_t quarter_ms = days * INT64_C(21600000);
    int64_t warn_ms = quarter_ms < WARN_MS ? quarter_ms : WARN_MS;
    char text[200];
    int64_t until = tls_cert_expiry(r->cert);
    for (size_t i = 0; i < r->count; i++) {
        const struct permit *p = r->permit[i];
        domain += p->foreign_domain;
        prefix += p->foreign_prefix;
        if (p->foreign_domain + p->foreign_prefix > 0) {
            char last[40] = "";
            if (p->foreign_domain > 0)
                snprintf(last, sizeof last, " (the last was %u)", p->refused);
            snprintf(text, sizeof text,
                     "sensor %s sent %llu records of a domain%s and %llu of prefixes not its own",
                     p->name, (unsigned long long)p->foreign_domain, last,
                     (unsigned long long)p->foreign_prefix);
            control_status_problem(
                s, 1, "foreign-records", text,
                "enrol it with its domains and prefixes, or look who uses its key");
        }
        if (p->serial[0] && p->not_after_ms - now_ms < warn_ms) {
            snprintf(text, sizeof text,
                     "the certificate of sensor %s ends in %lld days, and was not renewed", p->name,
                     (long long)((p->not_after_ms - now_ms) / 86400000));
            control_status_problem(s, 1, "certificate", text,
                                   "see whether the sensor reaches collector.enroll, or enrol it "
                                   "again: postern sensor enroll NAME");
        }
    }
    if (until - now_ms < WARN_MS)
        control_status_problem(s, 1, "certificate",
                               "the collector's own certificate ends within 25 days",
                               "see the log for why it could not make itself a new one");
    control_status_counter(s, "foreign_domain", domain);
    control_status_counter(s, "foreign_prefix", prefix);
}
