// A file job's loop runs only while it has to wait; signals end the waiting and leave the spool for the next run.
#include "outlet.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "common/coverage.h"
#include "common/log.h"
#include "lost.h"

#define LOOK_MS 50

// A process that was killed has its spool until the kernel has taken it down, and until its own children have ended.
#define HELD_MS      5000
#define HELD_STEP_MS 50

// What is wrong with the spool, and what helps.
struct trouble {
    const char *what, *fix;
};

struct outlet {
    char *collector, *tls; // owned: the configuration may be another by the next connection
    struct sensor_spool *spool;
    struct sink inner;
    struct sender *sender;
    struct loop *own; // of a file job
    bool first;       // of the processes of a port
    bool for_room;    // what the own loop waits for: room, or the end
    struct lost lost;
    struct trouble trouble; // the last one
    char dir[512];
};

static int spool_error(const char *dir, int rc)
{
    log_error("%s: %s", dir,
              rc == -EBUSY ? "another sensor process has it; give each its own sensor.spool"
                           : strerror(-rc));
    return rc == -EACCES ? EX_NOPERM : EX_CANTCREAT;
}

static int open_spool(struct outlet *o, const struct sensor_conf *c, uint32_t domain)
{
    const struct timespec step = {.tv_nsec = HELD_STEP_MS * 1000000L};
    int rc = -EBUSY;
    for (int waited_ms = 0; waited_ms <= HELD_MS; waited_ms += HELD_STEP_MS) {
        rc = sensor_spool_open(o->dir, (uint64_t)c->spool_max, domain, &o->spool);
        if (rc != -EBUSY)
            break;
        if (waited_ms == 0)
            log_info("%s: another process still has it; waiting for its end, up to %d s", o->dir,
                     HELD_MS / 1000);
        nanosleep(&step, NULL);
    }
    return rc;
}

int outlet_open(const struct sensor_conf *c, uint16_t process, struct outlet **out)
{
    struct outlet *o = calloc(1, sizeof *o);
    if (!o)
        return EX_OSERR;
    o->collector = c->collector ? strdup(c->collector) : NULL;
    o->tls = c->tls ? strdup(c->tls) : NULL;
    int n = snprintf(o->dir, sizeof o->dir, process > 0 ? "%s/%u" : "%s", c->spool, process);
    int rc = n < 0 || (size_t)n >= sizeof o->dir ? -ENAMETOOLONG : 0;
    if (rc == 0 && process > 0 && mkdir(c->spool, 0750) < 0 && errno != EEXIST)
        rc = -errno;
    if (rc == 0)
        rc = open_spool(o, c, (uint32_t)c->domain + process);
    if (rc < 0) {
        rc = spool_error(o->dir, rc);
        outlet_close(o);
        return rc;
    }
    o->first = process == 0;
    o->inner = sensor_spool_sink(o->spool);
    *out = o;
    return 0;
}

void outlet_close(struct outlet *o)
{
    if (!o)
        return;
    sender_close(o->sender);
    loop_free(o->own);
    sensor_spool_close(o->spool);
    free(o->collector);
    free(o->tls);
    free(o);
}

int outlet_start(struct outlet *o, struct loop *l)
{
    char error[200];
    struct sender_options options = {.collector = o->collector, .tls = o->tls, .renews = o->first};
    if (!o->collector)
        return 0;
    int rc = sender_open(l, &options, sensor_spool_log(o->spool), &o->sender, error);
    if (rc == 0)
        return 0;
    log_error("sensor.collector: %s", error);
    return rc == -ENOMEM ? EX_OSERR : rc == -EHOSTUNREACH ? EX_NOHOST : EX_CONFIG;
}

// ---- The own loop of a file job

static void on_signal(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    (void)signo;
    (void)now_ms;
    (void)ctx;
    loop_stop(l, -EINTR);
}

static void on_look(struct loop *l, int64_t now_ms, void *ctx)
{
    struct outlet *o = ctx;
    sender_wake(o->sender, now_ms);
    if (o->for_room ? sensor_spool_write(o->spool) == 0 : sender_drained(o->sender))
        loop_stop(l, 0);
}

static int begin_loop(struct outlet *o)
{
    if (o->own)
        return 0;
    o->own = loop_new();
    int rc = o->own ? loop_every(o->own, LOOK_MS, on_look, o) : -ENOMEM;
    if (rc > 0)
        rc = loop_signal(o->own, SIGTERM, on_signal, o);
    if (rc == 0)
        rc = loop_signal(o->own, SIGINT, on_signal, o);
    if (rc < 0) {
        log_error("cannot set up the event loop: %s", strerror(-rc));
        return EX_OSERR;
    }
    return outlet_start(o, o->own);
}

static int put_waiting(void *state, const struct record *r)
{
    struct outlet *o = state;
    int rc = sink_put(&o->inner, r);
    if (rc != -ENOSPC || !o->collector)
        return rc;
    o->for_room = true;
    if (begin_loop(o) != 0)
        return -EIO;
    rc = loop_run(o->own);
    return rc < 0 ? rc : sink_put(&o->inner, r);
}

int outlet_drain(struct outlet *o)
{
    if (!o->collector)
        return 0;
    o->for_room = false;
    int rc = begin_loop(o);
    if (rc != 0)
        return rc;
    if (loop_run(o->own) == 0)
        return 0;
    log_warning("ended before all was acknowledged; the rest waits in %s", o->dir);
    return EX_TEMPFAIL;
}

// ---- Sinks

static struct trouble trouble_of(const struct sensor_spool_stats *t)
{
    if (t->at_bound)
        return (struct trouble){
            "the spool is full",
            "restore the connection to the collector, or raise sensor.spool_max"};
    if (t->error == -ENOSPC || t->error == -EDQUOT)
        return (struct trouble){"the disk of the spool is full",
                                "make room on the disk of sensor.spool"};
    return (struct trouble){"the spool cannot be written",
                            "see whether the disk of sensor.spool is sound"};
}

static int flush_inner(void *state, int64_t now_ms)
{
    struct outlet *o = state;
    int rc = sink_flush(&o->inner, now_ms);
    if (rc < 0)
        o->trouble = trouble_of(sensor_spool_stats(o->spool));
    lost_look(&o->lost, o->dir, rc, o->trouble.what, o->trouble.fix, now_ms);
    if (o->sender)
        sender_wake(o->sender, now_ms);
    return rc;
}

static int put_inner(void *state, const struct record *r)
{
    struct outlet *o = state;
    int rc = sink_put(&o->inner, r);
    if (rc == -ENOSPC) { // whatever keeps it
        o->trouble = trouble_of(sensor_spool_stats(o->spool));
        lost_count(&o->lost, 1);
    }
    return rc;
}

static int close_inner(void *state)
{
    struct outlet *o = state;
    int rc = sink_close(&o->inner);
    if (rc < 0)
        lost_count(&o->lost, sensor_spool_waiting(o->spool));
    lost_end(&o->lost, o->dir);
    return rc;
}

struct sink outlet_sink(struct outlet *o, bool wait)
{
    static const struct sink_kind daemon = {
        .name = "spool", .put = put_inner, .flush = flush_inner, .close = close_inner};
    static const struct sink_kind job = {
        .name = "spool", .put = put_waiting, .flush = flush_inner, .close = close_inner};
    return (struct sink){.kind = wait ? &job : &daemon, .state = o};
}

uint32_t outlet_status(const struct outlet *o, struct control_status *s, int64_t now_ms)
{
    const struct sensor_spool_stats *t = sensor_spool_stats(o->spool);
    control_status_counter(s, "spooled", t->records);
    control_status_counter(s, "spool_refused", t->refused);
    struct trouble trouble = trouble_of(t);
    if (t->error == -ENOSPC || t->error == -EDQUOT) {
        char text[80];
        snprintf(text, sizeof text, "%s: records are lost", trouble.what);
        control_status_problem(s, 2, "spool-full", text, trouble.fix);
    } else if (t->error < 0) {
        control_status_problem(s, 2, "spool-write", trouble.what, trouble.fix);
    }
    if (o->sender)
        sender_status(o->sender, s, now_ms);
    return t->error == -ENOSPC || t->error == -EDQUOT ? COVERAGE_SPOOL_FULL : 0;
}
