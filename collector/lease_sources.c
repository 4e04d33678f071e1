// Opens sources by kind, polls followed files each second, forgets and rewrites once a day.
#include "lease_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgnat_follow.h"
#include "common/log.h"
#include "common/utf8.h"
#include "dhcp_follow.h"
#include "lease_conf.h"
#include "lease_follow.h"
#include "radius_server.h"

#define POLL_MS     1000
#define SLICE_MS    5 // between slices of a file that is read
#define TIDY_MS     (60 * 60 * 1000)
#define DAY_MS      INT64_C(86400000)
#define LOG_EACH_MS 60000
#define LOG_LINES   5

struct lease_sources {
    const struct collector_conf *conf;
    char *history; // owned; NULL: none
    struct lease_store store;
    struct cgnat_follow *cgnat;
    struct dhcp_follow **follow;
    size_t follows;
    struct dhcp_counts dhcp;
    struct lease_follow **file; // CSV and prefix maps
    size_t files;
    struct radius_server **radius;
    size_t radiuses;
    struct radius_counts counts;
    struct loop *loop;
    int poll_timer, slice_timer, tidy_timer;
    int64_t logged_ms, tidied_ms;
    uint64_t failures;
};

static const struct lease_source_conf *source(const struct lease_sources *s, size_t i)
{
    return (const struct lease_source_conf *)s->conf->lease_sources.item + i;
}

static struct realm realm_of(const char *text)
{
    struct realm r = {0};
    realm_parse(text, &r); // checked with the configuration
    return r;
}

// ---- Opening

static enum dhcp_party dhcp_party(int party)
{
    switch (party) {
    case LEASE_PARTY_REMOTE_ID: return DHCP_PARTY_REMOTE_ID;
    case LEASE_PARTY_CIRCUIT_ID: return DHCP_PARTY_CIRCUIT_ID;
    case LEASE_PARTY_MAC: return DHCP_PARTY_MAC;
    case LEASE_PARTY_CLIENT_ID: return DHCP_PARTY_CLIENT_ID;
    default: return DHCP_PARTY_AUTO;
    }
}

static enum radius_party radius_party(int party)
{
    switch (party) {
    case LEASE_PARTY_REMOTE_ID: return RADIUS_PARTY_REMOTE_ID;
    case LEASE_PARTY_CIRCUIT_ID: return RADIUS_PARTY_CIRCUIT_ID;
    case LEASE_PARTY_MAC: return RADIUS_PARTY_CALLING_STATION;
    case LEASE_PARTY_CLASS: return RADIUS_PARTY_CLASS;
    case LEASE_PARTY_PORT: return RADIUS_PARTY_NAS_PORT;
    default: return RADIUS_PARTY_USER;
    }
}

// What look-ups name as the place: the file as configured, or when that is too long its name alone.
static const char *place_of(const char *path, const char *kind)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *place = strlen(path) < LEASE_NAME_MAX ? path : name;
    return strlen(place) < LEASE_NAME_MAX && utf8_is_clean(place) ? place : kind;
}

static int open_follow(struct lease_sources *s, const struct lease_source_conf *c, FILE *errors)
{
    bool kea = c->kind == LEASE_KIND_KEA;
    struct dhcp_naming naming = {.source = kea ? LEASE_DHCP_KEA : LEASE_DHCP_ISC,
                                 .party = dhcp_party(c->party),
                                 .realm = realm_of(c->realm),
                                 .pop = c->pop,
                                 .network_class = c->network_class,
                                 .server = place_of(c->path, kea ? "kea" : "isc")};
    struct dhcp_follow *f = dhcp_follow_new(c->path, kea ? DHCP_KEA : DHCP_ISC, &naming, &s->store,
                                            &s->dhcp);
    if (!f)
        return -ENOMEM;
    s->follow[s->follows++] = f;
    int rc = dhcp_follow_read_all(f, 0);
    if (rc < 0)
        fprintf(errors, "%s: %s; name the DHCP server's lease file, readable for the collector\n",
                c->path, strerror(-rc));
    return rc;
}

// Files of the lines of identity.h.
static int open_lines(struct lease_sources *s, const char *path, uint8_t source, FILE *errors)
{
    struct lease_follow *f = lease_follow_new(path, source, (uint8_t)(s->files + 1),
                                              s->store.leases);
    if (!f)
        return -ENOMEM;
    s->file[s->files++] = f;
    return lease_follow_load(f, errors);
}

static int open_file(struct lease_sources *s, const struct lease_source_conf *c, FILE *errors)
{
    switch (c->kind) {
    case LEASE_KIND_CSV: return open_lines(s, c->path, LEASE_CSV, errors);
    case LEASE_KIND_PREFIX_MAP: return open_lines(s, c->path, LEASE_PREFIX_MAP, errors);
    default: return 0;
    }
}

static int open_all(struct lease_sources *s, const char *leases, FILE *errors)
{
    size_t count = s->conf->lease_sources.count;
    int rc = lease_conf_check(&s->conf->lease_sources, NULL, errors);
    s->store.leases = leases_new();
    s->cgnat = s->store.leases ? cgnat_follow_new(&s->conf->lease_sources, s->store.leases) : NULL;
    s->follow = calloc(count + 1, sizeof(struct dhcp_follow *));
    s->radius = calloc(count + 1, sizeof(struct radius_server *));
    s->file = calloc(count + 1, sizeof(struct lease_follow *));
    if (!s->store.leases || !s->cgnat || !s->follow || !s->radius || !s->file)
        return -ENOMEM;
    if (rc == 0)
        rc = cgnat_follow_load(s->cgnat, errors);
    if (rc == 0 && leases)
        rc = open_lines(s, leases, LEASE_CSV, errors);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = open_file(s, source(s, i), errors);
    // What sources said before is known first, so that a renewal finds what it renews.
    if (rc == 0 && s->conf->lease_history)
        rc = lease_history_open(s->conf->lease_history, s->store.leases, true, errors,
                                &s->store.history);
    lease_history_close(s->store.history);
    s->store.history = NULL;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (source(s, i)->kind == LEASE_KIND_KEA || source(s, i)->kind == LEASE_KIND_ISC)
            rc = open_follow(s, source(s, i), errors);
    return rc;
}

int lease_sources_open(const struct collector_conf *conf, const char *leases, FILE *errors,
                       struct lease_sources **out)
{
    struct lease_sources *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->conf = conf;
    s->history = conf->lease_history ? strdup(conf->lease_history) : NULL;
    int rc = open_all(s, leases ? leases : conf->leases, errors);
    if (rc < 0)
        lease_sources_close(s);
    else
        *out = s;
    return rc;
}

static int open_radius(struct lease_sources *s, const struct lease_source_conf *c, FILE *errors)
{
    struct radius_options o = {.listen = c->listen,
                               .secret_file = c->secret_file,
                               .clients = c->clients,
                               .naming = {.party = radius_party(c->party),
                                          .realm = realm_of(c->realm),
                                          .pop = c->pop,
                                          .network_class = c->network_class,
                                          .interim_ms = c->interim}};
    int rc = radius_server_open(&o, &s->store, &s->counts, errors, &s->radius[s->radiuses]);
    s->radiuses += rc == 0;
    return rc;
}

int lease_sources_listen(struct lease_sources *s, FILE *errors)
{
    size_t count = s->conf->lease_sources.count;
    int rc = 0;
    if (s->conf->lease_history)
        rc = lease_history_open(s->conf->lease_history, s->store.leases, false, errors,
                                &s->store.history);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (source(s, i)->kind == LEASE_KIND_RADIUS)
            rc = open_radius(s, source(s, i), errors);
    if (rc == 0 && s->radiuses > 0 && !s->store.history)
        fprintf(errors, "collector.lease_history is not set: after a restart nobody knows whose an "
                        "address was until the access routers' next interim packets\n");
    return rc;
}

void lease_sources_close(struct lease_sources *s)
{
    if (!s)
        return;
    if (s->loop && s->poll_timer > 0)
        loop_cancel(s->loop, s->poll_timer);
    if (s->loop && s->slice_timer > 0)
        loop_cancel(s->loop, s->slice_timer);
    if (s->loop && s->tidy_timer > 0)
        loop_cancel(s->loop, s->tidy_timer);
    for (size_t i = 0; i < s->follows; i++)
        dhcp_follow_free(s->follow[i]);
    for (size_t i = 0; i < s->radiuses; i++)
        radius_server_close(s->radius[i]);
    for (size_t i = 0; i < s->files; i++)
        lease_follow_free(s->file[i]);
    free(s->file);
    free(s->follow);
    free(s->radius);
    lease_history_close(s->store.history);
    leases_free(s->store.leases);
    cgnat_follow_free(s->cgnat);
    free(s->history);
    free(s);
}

// ---- Live

static void say(struct lease_sources *s, int64_t now_ms, const char *what, int rc)
{
    s->failures++;
    if (now_ms - s->logged_ms < LOG_EACH_MS)
        return;
    s->logged_ms = now_ms;
    log_error("%s: %s; tried again each second", what, strerror(-rc));
}

// What is wrong with a file may be a line for each of its own: the first ones say enough.
static void log_lines(char *text)
{
    unsigned told = 0;
    char *at = text;
    for (char *line; (line = strsep(&at, "\n")) && *line; told++)
        if (told < LOG_LINES)
            log_error("%s", line);
    if (told > LOG_LINES)
        log_error("and %u lines more", told - LOG_LINES);
}

static void say_polled(const char *path, int rc, char *text)
{
    if (rc > 0)
        log_info("%s: was read anew", path);
    if (rc >= 0)
        return;
    log_lines(text);
    log_error("%s: not used; what was read of it before still counts", path);
}

// A slice of one file, or of the CGNAT tables (`f` NULL). True: there is more to read, soon.
static bool poll_one(struct lease_sources *s, struct lease_follow *f, bool look)
{
    char *text = NULL;
    size_t len = 0;
    FILE *errors = open_memstream(&text, &len);
    if (!errors)
        return false;
    int rc = f ? lease_follow_poll(f, errors) : cgnat_follow_poll(s->cgnat, look, errors);
    fclose(errors);
    bool more = f ? rc == LEASE_FOLLOW_MORE : rc == 1;
    if (!more)
        say_polled(f ? lease_follow_path(f) : cgnat_follow_path(s->cgnat), rc, text);
    free(text);
    return more;
}

// A slice of each file that is read, and of what DHCP servers wrote; with `look` others are looked at, whether they
// changed. True: there is more.
static bool poll_slices(struct lease_sources *s, bool look, int64_t now_ms)
{
    bool more = (look || cgnat_follow_busy(s->cgnat)) && poll_one(s, NULL, look);
    for (size_t i = 0; i < s->files; i++)
        more |= (look || lease_follow_busy(s->file[i])) && poll_one(s, s->file[i], look);
    for (size_t i = 0; i < s->follows; i++) {
        int rc = dhcp_follow_poll(s->follow[i], now_ms);
        if (rc < 0)
            say(s, now_ms, dhcp_follow_path(s->follow[i]), rc);
        more |= rc > 0;
    }
    return more;
}

static void next_slice(struct loop *l, int64_t now_ms, void *ctx);

static void arm_slice(struct lease_sources *s)
{
    int id = loop_after(s->loop, SLICE_MS, next_slice, s);
    s->slice_timer = id > 0 ? id : 0; // else the next poll goes on
}

static void next_slice(struct loop *l, int64_t now_ms, void *ctx)
{
    struct lease_sources *s = ctx;
    (void)l;
    s->slice_timer = 0;
    if (poll_slices(s, false, now_ms))
        arm_slice(s);
}

static void poll_files(struct loop *l, int64_t now_ms, void *ctx)
{
    struct lease_sources *s = ctx;
    (void)l;
    if (poll_slices(s, true, now_ms) && s->slice_timer == 0)
        arm_slice(s);
    int rc = lease_store_sync(&s->store);
    if (rc < 0)
        say(s, now_ms, s->history, rc);
}

// What no answer can need any more goes, from memory each hour, from the history each day.
static void tidy(struct loop *l, int64_t now_ms, void *ctx)
{
    struct lease_sources *s = ctx;
    (void)l;
    int64_t keep_ms = s->conf->lease_days * DAY_MS, late_ms = s->conf->late_max + DAY_MS;
    int64_t before_ms = now_ms - (keep_ms > late_ms ? keep_ms : late_ms);
    leases_forget(s->store.leases, before_ms);
    if (!s->store.history || now_ms - s->tidied_ms < DAY_MS)
        return;
    int rc = lease_history_rewrite(s->store.history, s->store.leases, before_ms);
    if (rc < 0)
        say(s, now_ms, s->history, rc);
    else
        s->tidied_ms = now_ms;
}

int lease_sources_start(struct lease_sources *s, struct loop *l)
{
    int rc = 0;
    s->loop = l;
    for (size_t i = 0; i < s->radiuses && rc == 0; i++)
        rc = radius_server_start(s->radius[i], l);
    if (rc == 0)
        rc = s->poll_timer = loop_every(l, POLL_MS, poll_files, s);
    if (rc > 0)
        rc = s->tidy_timer = loop_every(l, TIDY_MS, tidy, s);
    return rc < 0 ? rc : 0;
}

void lease_sources_reload(struct lease_sources *s, const struct collector_conf *conf)
{
    if (conf->lease_sources.count != s->conf->lease_sources.count)
        log_warning("collector.lease_sources changed: restart the collector to use it");
    s->conf = conf;
}

// ---- Asking

struct leases *lease_sources_leases(struct lease_sources *s)
{
    return s->store.leases;
}

void lease_sources_status(const struct lease_sources *s, struct control_status *status)
{
    control_status_counter(status, "leases", leases_count(s->store.leases));
    control_status_counter(status, "leases_begun", s->store.begun);
    control_status_counter(status, "leases_renewed", s->store.renewed);
    control_status_counter(status, "leases_ended", s->store.ended);
    if (s->follows > 0) {
        control_status_counter(status, "dhcp_leases", s->dhcp.taken);
        control_status_counter(status, "dhcp_broken", s->dhcp.broken);
        control_status_counter(status, "dhcp_without_party", s->dhcp.no_party);
    }
    for (size_t i = 0; i < s->files; i++)
        lease_follow_status(s->file[i], status);
    cgnat_follow_status(s->cgnat, status);
    if (s->dhcp.broken > 0)
        control_status_problem(status, 1, "dhcp-lease-file", "lines of a lease file are no leases",
                               "see whether collector.lease_sources names the right kind of file");
    if (s->radiuses > 0)
        radius_counts_status(&s->counts, status);
    for (size_t i = 0; i < s->radiuses; i++)
        radius_server_status(s->radius[i], status);
    if (s->failures > 0)
        control_status_problem(status, 2, "lease-history", "leases could not be read or kept",
                               "see the log for the file; make room on its disk");
}
