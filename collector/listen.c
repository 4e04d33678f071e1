// Four times a second: the intake is synced, then every session says what is durable. When the disk refuses, nobody is read from
// until it takes again.
#include "listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "door.h"
#include "enroll.h"
#include "file_watch.h"
#include "sensor_command.h"
#include "sessions.h"

#define TICK_MS      250
#define RETRY_TICKS  4
#define ACCEPT_MAX   16 // at a time
#define CERT_TICKS   4  // between looks at the own certificate
#define CLOCK_TICKS  40 // and at whether the own clock is synchronised
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
    struct door *door; // NULL: no TLS
    struct sessions *sessions;
    struct sources *sources;
    struct clocks clocks;
    size_t max;
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
    n->room.ahead_max_ms = conf->ahead_max;
    n->room.clocks = &n->clocks;
    n->clocks.synchronised = clocks_system_is_synchronised();
    n->room.sources = n->sources = sources_new(NULL, NULL);
    n->sessions = sessions_new(&n->room, n->max);
    int rc = n->sessions && n->sources ? open_exporters(n, &conf->exporters) : EX_OSERR;
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

static void take_plain(struct listen *n, int fd, const char *peer, uint64_t source, int64_t now_ms)
{
    struct session_who who = {.peer = peer, .source = source};
    struct tls_peer *plain = tls_peer_new(NULL, fd);
    if (plain)
        sessions_take(n->sessions, fd, plain, &who, now_ms);
    else
        close(fd);
}

// By what it listens: a certificate is asked for, an address looked at, or whoever may open the socket taken.
static void admit(const struct listener *from, int fd, const struct sockaddr_storage *a,
                  int64_t now_ms)
{
    struct listen *n = from->listen;
    struct ip_addr ip;
    char peer[IP_TEXT_MAX], source_text[SOURCE_TEXT_MAX];
    if (from->kind == TRANSPORT_UNIX) {
        take_plain(n, fd, "unix", 0, now_ms);
        return;
    }
    if (!transport_address_of(a, &ip)) {
        close(fd);
        return;
    }
    ip_format(&ip, peer);
    uint64_t source = source_of(&ip, source_text);
    if (from->kind == TRANSPORT_TLS) {
        door_admit(n->door, fd, n->tls, source, source_text, now_ms);
    } else if (prefix_set_find(n->exporters, &ip, NULL)) {
        take_plain(n, fd, peer, source, now_ms);
    } else {
        sources_refuse(n->sources, source_text, SOURCE_exporter, 1, NULL, now_ms);
        close(fd);
    }
}

static void on_connection(struct loop *l, int listening, unsigned events, int64_t now_ms, void *ctx)
{
    const struct listener *from = ctx;
    (void)l;
    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof a;
        int fd = accept4(listening, (struct sockaddr *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        admit(from, fd, &a, now_ms);
    }
}

static void on_sensor(void *ctx, int fd, struct tls_peer *tls, const struct door_guest *guest,
                      int64_t now_ms)
{
    struct listen *n = ctx;
    struct session_who who = {.peer = guest->identity.name,
                              .source = guest->source,
                              .permit = guest->permit,
                              .identity = guest->identity};
    log_info("%s: connected", guest->identity.name);
    sessions_take(n->sessions, fd, tls, &who, now_ms);
}

static void acknowledge(struct listen *n, int64_t now_ms)
{
    sessions_acknowledge(n->sessions, now_ms);
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

// While others talk, routers: what a sensor said last would hold their clocks back for good.
static void watch_sensors(struct listen *n, int64_t now_ms)
{
    if (n->room.last_sensor_ms == 0)
        n->room.last_sensor_ms = now_ms; // the start
    if (n->silent_told || now_ms - n->room.last_sensor_ms < n->silent_after_ms)
        return;
    if (intake_mute(n->intake, now_ms) > 0)
        log_warning("no sensor has said anything for %lld s; nobody waits for them",
                    (long long)n->silent_after_ms / 1000);
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
    if (n->ticks % CLOCK_TICKS == 0)
        n->clocks.synchronised = clocks_system_is_synchronised();
    sessions_tick(n->sessions, now_ms);
    if (n->door)
        door_tick(n->door, now_ms);
    sources_tick(n->sources, now_ms);
    if (!intake_stalled(n->intake) && !intake_replaying(n->intake)) {
        watch_silence(n, now_ms);
        watch_sensors(n, now_ms);
    }
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
    struct door_options door = {.loop = l,
                                .registry = n->registry,
                                .sources = n->sources,
                                .known = n->max,
                                .fn = on_sensor,
                                .ctx = n};
    int rc = n->registry && !(n->door = door_new(&door)) ? -ENOMEM : 0;
    for (size_t i = 0; rc == 0 && i < n->listeners; i++)
        rc = loop_watch(l, n->listener[i].fd, LOOP_READ, on_connection, &n->listener[i]);
    if (rc == 0 && n->enroll_fd >= 0) {
        n->enroll = enroll_new(l, n->enroll_fd, n->registry, n->sources, n->days);
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
    sessions_free(n->sessions);
    door_free(n->door);
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
    sources_free(n->sources);
    free(n);
}

void listen_reload(struct listen *n, const struct collector_conf *conf)
{
    n->room.rate = conf->session_rate;
    n->room.ahead_max_ms = conf->ahead_max;
    n->silent_after_ms = conf->silent_after;
    n->days = (int)conf->certificate_days;
    load_certificate(n); // when it cannot be read the old one stays, and the log says so
}

// ---- Commands

json_t *listen_control(struct listen *n, const char *command, const json_t *request, int64_t now_ms,
                       struct control_error *error)
{
    return sensor_command(n->registry, n->sessions, command, request, now_ms, error);
}

void listen_status(const struct listen *n, struct control_status *s, int64_t now_ms)
{
    const struct session_totals *t = &n->room.totals;
    uint64_t late = sources_total(n->sources, SOURCE_late), refused = 0;
#define X(name, counter, text) refused += sources_total(n->sources, SOURCE_##name);
    SOURCE_CONNECTIONS(X)
#undef X
    control_status_counter(s, "sessions", sessions_count(n->sessions));
    control_status_counter(s, "sessions_refused", refused - late);
#define X(name, counter, text) control_status_counter(s, counter, t->name);
    SESSION_COUNTERS(X)
#undef X
    if (n->door)
        control_status_counter(s, "strangers", door_waiting(n->door));
    if (n->enroll)
        control_status_counter(s, "enrolments_refused", enroll_refused(n->enroll));
    if (n->registry)
        registry_status(n->registry, s, n->days, now_ms);
    sources_status(n->sources, s);
    sessions_status(n->sessions, s);
    if (t->no_identity > 0)
        control_status_not_visible(
            s, "exactly-once",
            "an exporter sends records without identity: what is lost on its way is not seen, and "
            "it names no handshakes and no content");
}
