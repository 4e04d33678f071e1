// One request over one connection, with time limits; a job that may wait. The server is known by its authority's fingerprint in
// the token. docs/formats/transport.md.
#include "enroll.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "allotment.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/tls_peer.h"
#include "common/transport.h"
#include "renew.h"

#define WAIT_MS    10000
#define ANSWER_MAX 32768
#define DOMAINS    "Domains: "
#define CERT_END   "-----END CERTIFICATE-----\n"

struct enrolment {
    char token[192], name[TLS_NAME_MAX];
    uint8_t fingerprint[32];
    const char *folder;
    char key[512], key_new[520];
    struct transport_address address;
    const char *where; // the same as text
    char domains[800]; // "": any
    struct buf answer;
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "1.NAME.SECRET.FINGERPRINT@HOST:PORT". -EINVAL.
static int parse(const char *what, struct enrolment *e)
{
    const char *at = strchr(what, '@');
    size_t len = at ? (size_t)(at - what) : 0;
    if (!at || len >= sizeof e->token || len < 2 + 1 + 1 + 32 + 1 + 64 ||
        strncmp(what, "1.", 2) != 0 || transport_address_parse(at + 1, &e->address) < 0 ||
        e->address.kind != TRANSPORT_TLS)
        return -EINVAL;
    memcpy(e->token, what, len);
    e->where = at + 1;
    const char *name = e->token + 2;
    size_t name_len = strcspn(name, ".");
    const char *digits = e->token + len - 64;
    if (name_len == 0 || name_len >= sizeof e->name || digits[-1] != '.')
        return -EINVAL;
    memcpy(e->name, name, name_len);
    for (size_t i = 0; i < sizeof e->fingerprint; i++) {
        int high = hex_digit(digits[2 * i]), low = hex_digit(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        e->fingerprint[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

// ---- The connection

static int wait_for(int fd, unsigned wants)
{
    struct pollfd p = {.fd = fd, .events = wants & LOOP_WRITE ? POLLOUT : POLLIN};
    int n = poll(&p, 1, WAIT_MS);
    return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int shake_hands(struct tls_peer *tls, int fd)
{
    int rc = wait_for(fd, LOOP_WRITE); // connected, or not
    while (rc == 0 && (rc = tls_peer_handshake(tls)) == -EAGAIN)
        rc = wait_for(fd, tls_peer_wants(tls));
    return rc;
}

static int ask(struct tls_peer *tls, int fd, struct span request)
{
    while (request.len > 0) {
        ssize_t n = tls_peer_write(tls, request);
        int rc = n == -EAGAIN ? wait_for(fd, tls_peer_wants(tls)) : n < 0 ? (int)n : 0;
        if (rc < 0)
            return rc;
        if (n > 0)
            request = span_cut(request, (size_t)n, request.len);
    }
    return 0;
}

static int read_answer(struct tls_peer *tls, int fd, struct buf *out)
{
    uint8_t octet[4096];
    for (;;) {
        ssize_t n = tls_peer_read(tls, octet, sizeof octet);
        if (n == 0)
            return 0;
        if (n == -EAGAIN) {
            int rc = wait_for(fd, tls_peer_wants(tls));
            if (rc < 0)
                return rc;
        } else if (n < 0) {
            return out->len > 0 ? 0 : (int)n;
        } else {
            buf_bytes(out, octet, (size_t)n);
            if (out->failed)
                return -EMSGSIZE;
        }
    }
}

static int talk(struct enrolment *e, struct span request)
{
    struct tls_files files = {0};
    struct tls_context *context = NULL;
    struct tls_peer *tls = NULL;
    struct transport_peer peer;
    char error[TLS_TEXT_MAX] = "";
    int fd = -1;
    memcpy(files.fingerprint, e->fingerprint, sizeof files.fingerprint);
    int rc = tls_context_new(TLS_FIRST_TIME, &files, &context, error);
    if (rc == 0)
        rc = transport_resolve(&e->address, false, &peer);
    if (rc == 0)
        rc = transport_connect(&peer, &fd);
    if (rc == 0 && !(tls = tls_peer_new(context, fd)))
        rc = -ENOMEM;
    if (rc == 0)
        rc = shake_hands(tls, fd);
    if (rc == 0)
        rc = ask(tls, fd, request);
    if (rc == 0)
        rc = read_answer(tls, fd, &e->answer);
    const char *why = tls ? tls_peer_error(tls) : NULL;
    if (rc < 0)
        log_error("%s:%s: %s", e->address.host, e->address.port,
                  why        ? why
                  : error[0] ? error
                             : strerror(-rc));
    tls_peer_free(tls);
    if (fd >= 0)
        close(fd);
    tls_context_free(context);
    return rc;
}

// ---- Files

static int replace(const struct enrolment *e, const char *name, struct span content)
{
    char path[520], fresh[530];
    snprintf(path, sizeof path, "%s/%s", e->folder, name);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int rc = renew_write(fresh, content);
    return rc == 0 && rename(fresh, path) < 0 ? -errno : rc;
}

// A line "Domains: 7,16-20", when it was given some. What instances took of those before is theirs no longer.
static int keep_domains(struct enrolment *e, struct span *s)
{
    char path[530];
    struct allotment given;
    const uint8_t *end = memchr(s->data, '\n', s->len);
    bool told = end && s->len > strlen(DOMAINS) && memcmp(s->data, DOMAINS, strlen(DOMAINS)) == 0;
    snprintf(path, sizeof path, "%s/" ALLOTMENT_FILE, e->folder);
    if (!told)
        return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
    size_t len = (size_t)(end - s->data);
    snprintf(e->domains, sizeof e->domains, "%.*s", (int)(len - strlen(DOMAINS)),
             (const char *)s->data + strlen(DOMAINS));
    *s = span_cut(*s, len + 1, s->len);
    if (allotment_parse(e->domains, &given) < 0)
        return -EBADMSG;
    return replace(e, ALLOTMENT_FILE, span_of_text(e->domains));
}

// "OK\n", perhaps domains, this sensor's certificate, the authority's.
static int keep(struct enrolment *e)
{
    struct span s = span_cut(buf_span(&e->answer), 3, e->answer.len);
    const uint8_t *end = s.len > 0 ? memmem(s.data, s.len, CERT_END, strlen(CERT_END)) : NULL;
    if (!end)
        return -EBADMSG;
    int rc = keep_domains(e, &s);
    if (rc < 0)
        return rc;
    size_t len = (size_t)(end - s.data) + strlen(CERT_END);
    rc = replace(e, RENEW_ADDRESS_FILE, span_of_text(e->where));
    if (rc == 0)
        rc = replace(e, "ca.pem", span_cut(s, len, s.len));
    if (rc == 0)
        rc = replace(e, "cert.pem", span_cut(s, 0, len));
    if (rc == 0 && rename(e->key_new, e->key) < 0)
        rc = -errno;
    return rc;
}

// Root enrols, the sensor's user reads: the files are that user's who owns what the folder is in (/var/lib/postern).
static int hand_over(const struct enrolment *e)
{
    static const char *const names[] = {".",      "key.pem",          "cert.pem",
                                        "ca.pem", RENEW_ADDRESS_FILE, ALLOTMENT_FILE};
    char path[520];
    struct stat above;
    snprintf(path, sizeof path, "%s/..", e->folder);
    if (geteuid() != 0)
        return 0;
    int rc = stat(path, &above) == 0 ? 0 : -errno;
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", e->folder, names[i]);
        if (lchown(path, above.st_uid, above.st_gid) < 0 && errno != ENOENT)
            rc = -errno;
    }
    return rc;
}

static int judge(struct enrolment *e)
{
    const struct buf *a = &e->answer;
    if (a->len >= 3 && memcmp(a->data, "OK\n", 3) == 0) {
        int rc = keep(e);
        if (rc == 0)
            rc = hand_over(e);
        if (rc < 0) {
            log_error("%s: %s", e->folder, strerror(-rc));
            return EX_CANTCREAT;
        }
        log_info("sensor %s is enrolled%s%s; its key is in %s", e->name,
                 e->domains[0] ? " for domains " : "", e->domains, e->folder);
        return 0;
    }
    size_t len = a->len > 4 ? a->len - 4 : 0;
    log_error("the collector refused: %.*s", (int)len, len > 0 ? (const char *)a->data + 3 : "");
    return EX_NOPERM;
}

int enroll_job(const char *what, const char *folder)
{
    struct enrolment e = {.folder = folder};
    char *pem = NULL, *request = NULL;
    if (parse(what, &e) < 0) {
        log_error("--enroll wants TOKEN@HOST:PORT, as `postern sensor enroll NAME` gives it");
        return EX_USAGE;
    }
    if (!folder) {
        log_error("where does the key go? set sensor.tls");
        return EX_CONFIG;
    }
    snprintf(e.key, sizeof e.key, "%s/key.pem", folder);
    snprintf(e.key_new, sizeof e.key_new, "%s.new", e.key);
    buf_init(&e.answer, ANSWER_MAX);
    int rc = mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
    if (rc == 0) {
        unlink(e.key_new); // of a try that was cut off
        rc = tls_cert_request(e.key_new, e.name, &pem);
    }
    if (rc == 0 && asprintf(&request, "POSTERN-ENROLL 1\n%s\n%s", e.token, pem) < 0)
        rc = -ENOMEM;
    if (rc < 0) {
        log_error("%s: %s", folder, strerror(-rc));
        rc = EX_CANTCREAT;
    } else {
        rc = talk(&e, span_of_text(request)) < 0 ? EX_UNAVAILABLE : judge(&e);
    }
    if (rc != 0)
        unlink(e.key_new);
    free(request);
    free(pem);
    buf_fini(&e.answer);
    return rc;
}
