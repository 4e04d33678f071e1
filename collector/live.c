// Listening sockets and certificates are opened with rights; then the tables are made. The intake is counted again in slices, while
// sensors are heard: what they say is logged behind it, and acknowledged.
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "intake.h"
#include "journal_watch.h"
#include "lease_conf.h"
#include "listen.h"
#include "lookup.h"
#include "retention.h"

#define REPLAY_RECORDS    4000 // a slice, some 20 ms
#define REPLAY_MS         1
#define REPLAY_STALLED_MS 250
#define REPLAY_AT_END_MS  10000

struct live {
    struct loop *loop;
    int replay_timer;
    int64_t replay_began_ms;
    struct listen *listen;
    struct collector *collector;
    struct intake *intake;
    struct retention *retention;
    struct journal_watch *watch;
};

bool live_wanted(const struct daemon *d)
{
    const struct collector_conf *conf = d->conf;
    return conf->listen.count > 0 && !daemon_has(d->args, "records") &&
           !daemon_has(d->args, "dump") && !daemon_has(d->args, "verify") &&
           !daemon_has(d->args, "stat") && !daemon_has(d->args, "lookup");
}

static const char *journal_of(const struct daemon *d)
{
    const struct collector_conf *conf = d->conf;
    const char *given = daemon_value(d->args, "journal");
    return given ? given : conf->journal;
}

int live_open(struct daemon *d)
{
    if (!live_wanted(d))
        return 0;
    if (!journal_of(d)) {
        log_error("where do minutes go? give -j DIR or collector.journal");
        return EX_USAGE;
    }
    struct live *v = calloc(1, sizeof *v);
    if (!v)
        return EX_OSERR;
    d->state = v;
    return listen_open(d->conf, d->site, loop_clock_ms(), &v->listen);
}

// Sensors and lease sources come in by sockets; nothing goes out but answers. A lease source's name is looked
// up, and its datagram socket made, behind this.
void live_sandbox(const struct daemon *d, struct sandbox *s)
{
    static const char *const names[] = {
        "/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf",  "/etc/host.conf",
        "/etc/gai.conf",    "/etc/services", "/etc/ssl/openssl.cnf"};
    const struct collector_conf *c = d->conf;
    const struct lease_source_conf *source = c->lease_sources.item;
    sandbox_allow(s, SANDBOX_WRITES);
    sandbox_make(s, journal_of(d));
    sandbox_make(s, c->intake);
    sandbox_make(s, c->journal_keys);
    sandbox_make(s, c->lease_history);
    sandbox_make(s, c->ca);
    sandbox_make(s, daemon_value(d->args, "status"));
    sandbox_follow(s, c->leases);
    sandbox_follow(s, daemon_value(d->args, "leases"));
    for (size_t i = 0; i < c->listen.count; i++)
        if (strncmp(c->listen.item[i], "unix:", 5) == 0)
            sandbox_make(s, c->listen.item[i] + 5);
    for (size_t i = 0; i < c->lease_sources.count; i++) {
        sandbox_follow(s, source[i].path);
        sandbox_follow(s, source[i].secret_file);
        if (!source[i].listen)
            continue;
        sandbox_allow(s, SANDBOX_NETWORK);
        sandbox_connect(s, 53);
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
            sandbox_read(s, names[n]);
    }
}

static void on_replay(struct loop *l, int64_t now_ms, void *ctx)
{
    struct live *v = ctx;
    int rc = intake_replay(v->intake, REPLAY_RECORDS);
    v->replay_timer = 0;
    if (rc == 0) {
        log_info("the intake is counted again, in %lld ms",
                 (long long)(now_ms - v->replay_began_ms));
        return;
    }
    int id = loop_after(l, rc > 0 ? REPLAY_MS : REPLAY_STALLED_MS, on_replay, v);
    if (id > 0)
        v->replay_timer = id;
    else
        loop_stop(l, EX_OSERR); // started anew it goes on
}

static int start_replay(struct live *v, struct loop *l)
{
    int id = loop_after(l, 0, on_replay, v);
    v->loop = l;
    v->replay_began_ms = loop_clock_ms();
    v->replay_timer = id > 0 ? id : 0;
    return id < 0 ? id : 0;
}

int live_start(struct daemon *d)
{
    struct live *v = d->state;
    const struct collector_conf *conf = d->conf;
    struct intake_options o = {.dir = conf->intake,
                               .journal = journal_of(d),
                               .journal_keys = conf->journal_keys,
                               .keep_ms = conf->intake_keep,
                               .octets_max = (uint64_t)conf->intake_max};
    int rc = collector_open(conf, d->site, o.journal, daemon_value(d->args, "leases"), stderr,
                            &v->collector);
    if (rc == 0)
        rc = lease_sources_listen(collector_leases(v->collector), stderr);
    if (rc == 0)
        rc = intake_open(&o, v->collector, stderr, &v->intake);
    if (rc == 0)
        rc = listen_start(v->listen, d->loop, v->intake, conf->silent_after);
    if (rc == 0)
        rc = start_replay(v, d->loop);
    if (rc == 0)
        rc = lease_sources_start(collector_leases(v->collector), d->loop);
    if (rc == 0 && !(v->retention = retention_new(d->loop, o.journal, conf, loop_clock_ms())))
        rc = -ENOMEM;
    if (rc == 0 &&
        !(v->watch = journal_watch_new(d->loop, collector_journal(v->collector), o.journal)))
        rc = -ENOMEM;
    if (rc == 0)
        return 0;
    log_error("cannot start: %s", strerror(-rc));
    live_stop(d);
    return rc == -EINVAL || rc == -ENOKEY ? EX_CONFIG : rc == -ENOMEM ? EX_OSERR : EX_IOERR;
}

int live_reload(struct daemon *d, void *new_conf)
{
    struct live *v = d->state;
    collector_reload(v->collector, new_conf);
    listen_reload(v->listen, new_conf);
    retention_reload(v->retention, new_conf);
    return 0;
}

void live_status_fill(struct daemon *d, struct control_status *s)
{
    const struct live *v = d->state;
    if (!v)
        return;
    collector_status(v->collector, false, s);
    intake_status(v->intake, s);
    listen_status(v->listen, s, loop_clock_ms());
    retention_status(v->retention, s);
    journal_watch_status(v->watch, s);
}

// For who has no control socket: the document goes to the file of --status.
void live_status(struct daemon *d)
{
    const char *path = daemon_value(d->args, "status");
    struct control_status *s = path ? control_status_new(d->spec->name) : NULL;
    if (!s)
        return;
    control_status_conf_hash(s, d->conf_hash);
    live_status_fill(d, s);
    int rc = control_status_write(s, path);
    if (rc < 0)
        log_warning("%s: %s", path, strerror(-rc));
    control_status_free(s);
}

json_t *live_command(struct daemon *d, const char *command, const json_t *request, int64_t now_ms,
                     struct control_error *error)
{
    struct live *v = d->state;
    if (strcmp(command, "enroll") == 0 || strcmp(command, "revoke") == 0)
        return listen_control(v->listen, command, request, now_ms, error);
    if (strcmp(command, "lookup") == 0)
        return lookup_control(lease_sources_leases(collector_leases(v->collector)), request, now_ms,
                              error);
    error->code = "unknown-command";
    return NULL;
}

void live_stop(struct daemon *d)
{
    struct live *v = d->state;
    if (!v)
        return;
    if (v->replay_timer > 0)
        loop_cancel(v->loop, v->replay_timer);
    // What is logged is counted again at the next start: minutes that are open stay open. What was acknowledged while the intake was
    // counted again goes into its minutes now, when that does not take long.
    if (v->intake) {
        int64_t until_ms = loop_monotonic_ms() + REPLAY_AT_END_MS;
        while (intake_replay(v->intake, REPLAY_RECORDS) > 0 && loop_monotonic_ms() < until_ms)
            ;
        if (intake_sync(v->intake) < 0)
            log_warning("the intake could not be synced; sensors will send the rest again");
        live_status(d);
    }
    journal_watch_free(v->watch);
    retention_free(v->retention);
    listen_close(v->listen);
    intake_close(v->intake);
    collector_close(v->collector);
    free(v);
    d->state = NULL;
}
