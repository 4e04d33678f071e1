// Four times a second: the intake is synced, then every session says what is durable. When the disk refuses, nobody is read from
// until it takes again.
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "enroll.h"
#include "file_watch.h"
#include "session.h"

#define TICK_MS      250
#define RETRY_TICKS  4
#define ACCEPT_MAX   16 // at a time
#define CERT_TICKS   4  // between looks at the own certificate
#define RENEW_LOG_MS 3600000

struct listener {
    struct listen *listen;
    int fd, kind; // enum transport_kind
    char text[TRANSPORT_HOST_MAX];
};

struct listen {
    struct loop *loop;
    struct intake *intake;
    struct registry *registry;
    struct tls_context *tls;
    struct file_watch cert;
    int64_t renew_logged_ms;
    struct prefix_set *exporters;
    struct listener *listener;
    size_t listeners;
    int enroll_fd, timer, days;
    struct enroll *enroll;
    struct session **session;
    size_t count, max;
    struct session_room room;
    int64_t silent_after_ms;
    bool silent_told, was_stalled;
    unsigned ticks;
};

// ---- Opening

static int open_address(const char *text, int *fd, int *kind)
{
    struct transport_address a;
    struct transport_peer p;
    int rc = transport_address_parse(text, &a);
    if (rc < 0) {
        log_error("%s is no address; write HOST:PORT, tcp:HOST:PORT or unix:/PATH", text);
        return EX_CONFIG;
    }
    rc = transport_resolve(&a, true, &p);
    if (rc == 0)
        rc = transport_listen(&p, fd);
    if (rc < 0) {
        log_error("cannot listen at %s: %s", text, strerror(-rc));
        return rc == -EACCES ? EX_NOPERM : EX_UNAVAILABLE;
    }
    *kind = a.kind;
    return 0;
}

static int open_listeners(struct listen *n, const struct conf_strings *list)
{
    n->listener = calloc(list->count, sizeof *n->listener);
    if (!n->listener)
        return EX_OSERR;
    for (size_t i = 0; i < list->count; i++) {
        struct listener *l = &n->listener[i];
        int rc = open_address(list->item[i], &l->fd, &l->kind);
        if (rc != 0)
            return rc;
        n->listeners++;
        l->listen = n;
        snprintf(l->text, sizeof l->text, "%s", list->item[i]);
        if (l->kind == TRANSPORT_TLS && !n->registry) {
            log_error("collector.listen %s needs collector.ca, or write tcp: or unix:", l->text);
            return EX_CONFIG;
        }
    }
    return 0;
}

static int open_authority(struct listen *n, const struct collector_conf *conf,
                          const struct conf_site *site, int64_t now_ms)
{
    char error[300], names[600] = "";
    if (!conf->ca)
        return 0;
    for (size_t i = 0, at = 0; i < conf->server_names.count && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? "," : "",
                               conf->server_names.item[i]);
    int rc = registry_open(conf->ca, site->name, names[0] ? names : "localhost,127.0.0.1", now_ms,
                           &n->registry, error);
    if (rc < 0)
        log_error("%s", error);
    return rc < 0 ? EX_CONFIG : 0;
}

static int load_certificate(struct listen *n)
{
    char error[TLS_TEXT_MAX];
    struct tls_context *fresh;
    if (!n->registry)
        return 0;
    struct tls_files files = registry_files(n->registry);
    struct file_version version = file_version_now(
        files.cert); // if it changes meanwhile, it is read again
    int rc = tls_context_new(TLS_SERVER, &files, &fresh, error);
    if (rc < 0) {
        log_error("%s", error);
        return EX_CONFIG;
    }
    tls_context_free(n->tls);
    n->tls = fresh;
    file_watch_took(&n->cert, &version);
    return 0;
}

static int open_exporters(struct listen *n, const struct conf_prefixes *list)
{
    struct ip_prefix local[2];
    const struct ip_prefix *item = list->count > 0 ? list->item : local;
    size_t count = list->count > 0 ? list->count : 2;
    prefix_parse("127.0.0.0/8", &local[0]);
    prefix_parse("::1/128", &local[1]);
    n->exporters = prefix_set_new();
    int rc = n->exporters ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = prefix_set_add(n->exporters, &item[i], 0);
    if (rc < 0)
        return EX_OSERR;
    prefix_set_freeze(n->exporters);
    return 0;
}

int listen_open(const struct collector_conf *conf, const struct conf_site *site, int64_t now_ms,
                struct listen **out)
{
    struct listen *n = calloc(1, sizeof *n);
    int kind;
    if (!n)
        return EX_OSERR;
    n->enroll_fd = -1;
    n->max = (size_t)conf->sessions;
    n->days = (int)conf->certificate_days;
    n->room.rate = conf->session_rate;
    n->session = calloc(n->max, sizeof(struct session *));
    int rc = n->session ? open_exporters(n, &conf->exporters) : EX_OSERR;
    if (rc == 0)
        rc = open_authority(n, conf, site, now_ms);
    if (rc == 0)
        rc = load_certificate(n);
    if (rc == 0)
        rc = open_listeners(n, &conf->listen);
    if (rc == 0 && conf->enroll && !n->registry) {
        log_error("collector.enroll needs collector.ca");
        rc = EX_CONFIG;
    }
    if (rc == 0 && conf->enroll)
        rc = open_address(conf->enroll, &n->enroll_fd, &kind);
    if (rc != 0) {
        listen_close(n);
        return rc;
    }
    *out = n;
    return 0;
}

// ---- Connections

static void forget_ended(struct listen *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (session_ended(n->session[i]))
            session_free(n->session[i]);
        else
            n->session[kept++] = n->session[i];
    }
    n->count = kept;
}

static bool address_of(const struct sockaddr_storage *a, struct ip_addr *out, char *text,
                       size_t size)
{
    char host[64];
    if (a->ss_family == AF_UNIX || getnameinfo((const struct sockaddr *)a, sizeof *a, host,
                                               sizeof host, NULL, 0, NI_NUMERICHOST) != 0)
        return false;
    const char *plain = strncmp(host, "::ffff:", 7) == 0 ? host + 7 : host;
    snprintf(text, size, "%s", plain);
    return ip_parse(plain, out) == 0;
}

static void on_connection(struct loop *l, int listening, unsigned events, int64_t now_ms, void *ctx)
{
    struct listener *from = ctx;
    struct listen *n = from->listen;
    (void)l;
    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof a;
        struct ip_addr ip;
        char peer[SESSION_PEER_MAX] = "unix";
        int fd = accept4(listening, (struct sockaddr *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        forget_ended(n);
        bool known = from->kind == TRANSPORT_UNIX || address_of(&a, &ip, peer, sizeof peer);
        if (known && from->kind == TRANSPORT_TCP)
            known = prefix_set_find(n->exporters, &ip, NULL);
        if (!known || n->count == n->max) {
            n->room.totals.refused++;
            log_warning("%s: refused at %s: %s", peer, from->text,
                        known ? "collector.sessions are in use" : "not in collector.exporters");
            close(fd);
            continue;
        }
        struct tls_context *tls = from->kind == TRANSPORT_TLS ? n->tls : NULL;
        struct session *s = session_new(&n->room, fd, tls, peer, now_ms);
        if (s)
            n->session[n->count++] = s;
    }
}

static void acknowledge(struct listen *n, int64_t now_ms)
{
    for (size_t i = 0; i < n->count; i++)
        session_acknowledge(n->session[i], now_ms);
}

// ---- The own certificate

// Renewed in time, and read when somebody else put another there. Connections that are open go on with the old one.
static void watch_certificate(struct listen *n, int64_t now_ms)
{
    struct tls_files files = registry_files(n->registry);
    int rc = registry_renew_own(n->registry, now_ms);
    if (rc < 0 && now_ms - n->renew_logged_ms > RENEW_LOG_MS) {
        n->renew_logged_ms = now_ms;
        log_error("%s: the collector's certificate cannot be renewed: %s", files.cert,
                  strerror(-rc));
    }
    if (rc > 0)
        log_info("%s: the collector's certificate was renewed", files.cert);
    if (!file_watch_look(&n->cert, files.cert))
        return;
    if (load_certificate(n) != 0)
        file_watch_refused(&n->cert, -EINVAL);
    else
        log_info("%s: new connections get this certificate", files.cert);
}

// ---- The disk

static void say_stalled(struct listen *n)
{
    bool stalled = intake_stalled(n->intake);
    if (stalled && !n->was_stalled)
        log_error("the disk refuses records or minutes; nothing is read or acknowledged until it "
                  "takes them again");
    if (!stalled && n->was_stalled)
        log_info("the disk takes records again");
    n->was_stalled = stalled;
}

static void on_stalled(void *ctx)
{
    say_stalled(ctx);
}

static void on_full(void *ctx)
{
    struct listen *n = ctx;
    if (intake_sync(n->intake) == 0)
        acknowledge(n, n->room.last_record_ms);
}

static void watch_silence(struct listen *n, int64_t now_ms)
{
    if (now_ms - n->room.last_record_ms < n->silent_after_ms) {
        n->silent_told = false;
        return;
    }
    if (n->silent_told || n->room.last_record_ms == 0)
        return;
    log_warning("nothing came for %lld s; open minutes are closed",
                (long long)n->silent_after_ms / 1000);
    n->silent_told = intake_silent(n->intake, now_ms) == 0;
}

static void on_tick(struct loop *l, int64_t now_ms, void *ctx)
{
    struct listen *n = ctx;
    (void)l;
    n->ticks++;
    if (intake_stalled(n->intake) && n->ticks % RETRY_TICKS == 0)
        intake_retry(n->intake);
    if (intake_sync(n->intake) == 0)
        acknowledge(n, now_ms);
    say_stalled(n);
    if (n->registry && n->ticks % CERT_TICKS == 0)
        watch_certificate(n, now_ms);
    for (size_t i = 0; i < n->count; i++)
        session_tick(n->session[i], now_ms);
    forget_ended(n);
    if (!intake_stalled(n->intake) && !intake_replaying(n->intake))
        watch_silence(n, now_ms);
}

// ---- Whole

int listen_start(struct listen *n, struct loop *l, struct intake *in, int64_t silent_after_ms)
{
    n->loop = l;
    n->intake = in;
    n->silent_after_ms = silent_after_ms;
    n->room.loop = l;
    n->room.intake = in;
    n->room.registry = n->registry;
    n->room.stalled = on_stalled;
    n->room.full = on_full;
    n->room.ctx = n;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n->listeners; i++)
        rc = loop_watch(l, n->listener[i].fd, LOOP_READ, on_connection, &n->listener[i]);
    if (rc == 0 && n->enroll_fd >= 0) {
        n->enroll = enroll_new(l, n->enroll_fd, n->registry, n->days);
        rc = n->enroll ? 0 : -ENOMEM;
    }
    if (rc == 0)
        rc = n->timer = loop_every(l, TICK_MS, on_tick, n);
    return rc < 0 ? rc : 0;
}

void listen_close(struct listen *n)
{
    if (!n)
        return;
    if (n->timer > 0)
        loop_cancel(n->loop, n->timer);
    for (size_t i = 0; i < n->count; i++)
        session_free(n->session[i]);
    free(n->session);
    enroll_free(n->enroll);
    for (size_t i = 0; i < n->listeners; i++) {
        const struct listener *l = &n->listener[i];
        if (n->loop)
            loop_watch(n->loop, l->fd, 0, NULL, NULL);
        close(l->fd);
        if (l->kind == TRANSPORT_UNIX)
            unlink(l->text + strlen("unix:"));
    }
    free(n->listener);
    if (n->enroll_fd >= 0)
        close(n->enroll_fd);
    tls_context_free(n->tls);
    registry_close(n->registry);
    prefix_set_free(n->exporters);
    free(n);
}

void listen_reload(struct listen *n, const struct collector_conf *conf)
{
    n->room.rate = conf->session_rate;
    n->silent_after_ms = conf->silent_after;
    n->days = (int)conf->certificate_days;
    load_certificate(n); // when it cannot be read the old one stays, and the log says so
}

// ---- Commands

static json_t *fail(struct control_error *error, const char *code, const char *text,
                    const char *fix)
{
    error->code = code;
    snprintf(error->text, sizeof error->text, "%s", text);
    snprintf(error->fix, sizeof error->fix, "%s", fix);
    return NULL;
}

static json_t *enroll_command(struct listen *n, const json_t *request, int64_t now_ms,
                              struct control_error *error)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    char token[REGISTRY_TOKEN_MAX], why[160];
    if (!name)
        return fail(error, "bad-argument", "the sensor's name is missing", "give \"name\"");
    int rc = registry_invite(n->registry, name, json_object_get(request, "domains"),
                             json_object_get(request, "prefixes"), now_ms, token, why);
    if (rc < 0)
        return fail(error, rc == -EINVAL ? "bad-argument" : "failed", why,
                    rc == -EINVAL ? "correct it" : "see whether collector.ca can be written");
    log_info("sensor %s was invited", name);
    return json_pack("{s:s, s:s, s:i}", "name", name, "token", token, "valid_s", 86400);
}

static json_t *revoke_command(struct listen *n, const json_t *request, int64_t now_ms,
                              struct control_error *error)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    int rc = name ? registry_revoke(n->registry, name) : -EINVAL;
    if (rc == -EINVAL)
        return fail(error, "bad-argument", "the sensor's name is missing", "give \"name\"");
    if (rc == -ENOENT)
        return fail(error, "not-found", "no sensor of that name was enrolled",
                    "see `sensors.json`");
    if (rc < 0)
        return fail(error, "failed", "the list of sensors cannot be written",
                    "see whether collector.ca can be written");
    for (size_t i = 0; i < n->count; i++)
        session_tick(n->session[i], now_ms);
    forget_ended(n);
    log_info("sensor %s was revoked", name);
    return json_pack("{s:s, s:b}", "name", name, "revoked", 1);
}

json_t *listen_control(struct listen *n, const char *command, const json_t *request, int64_t now_ms,
                       struct control_error *error)
{
    if (!n->registry)
        return fail(error, "failed", "there is no certificate authority", "set collector.ca");
    if (strcmp(command, "enroll") == 0)
        return enroll_command(n, request, now_ms, error);
    return revoke_command(n, request, now_ms, error);
}

void listen_status(const struct listen *n, struct control_status *s, int64_t now_ms)
{
    const struct session_totals *t = &n->room.totals;
    control_status_counter(s, "sessions", n->count);
#define X(name, counter, text) control_status_counter(s, counter, t->name);
    SESSION_COUNTERS(X)
#undef X
    if (n->enroll)
        control_status_counter(s, "enrolments_refused", enroll_refused(n->enroll));
    if (n->registry)
        registry_status(n->registry, s, n->days, now_ms);
    for (size_t i = 0; i < n->count; i++)
        session_status(n->session[i], s);
    if (t->no_identity > 0)
        control_status_not_visible(
            s, "exactly-once",
            "an exporter sends records without identity: what is lost on its way is not seen, and "
            "it names no handshakes and no content");
}
