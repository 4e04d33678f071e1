// postern-series: minute series of every subscriber that mails, as RRD files, from the journal.
//
// What it writes is derived: wiped, it is built again from the oldest segment. Long work is done in
// portions of some milliseconds, so that signals and status never wait for it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/daemon.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/rrdcached.h"
#include "common/series_conf.h"
#include "series/follower.h"

enum {
    TOGETHER = 32,         // a file job writes so many minutes of a file at once
    BEHIND_MS = 5 * 60000, // from here on it is said
    SAY_EVERY_MS = 60000,
};

struct state {
    struct series_writer *writer;
    struct follower *follower;
    char *journal;
    bool at_end;
    int64_t behind_ms; // the newest mark read lies so far back, and there is more to read
    int64_t said_ms;
    int again; // of the loop; 0: none
};

static void series_stop(struct daemon *d)
{
    struct state *s = d->state;
    if (!s)
        return;
    follower_close(s->follower);
    series_writer_close(s->writer);
    free(s->journal);
    free(s);
    d->state = NULL;
}

static int open_writer(const struct daemon *d, const char *rrd, bool is_job, struct state *s)
{
    const struct series_conf *c = d->conf;
    struct series_options o = {.rrd_dir = rrd,
                               .layout = (enum series_layout)c->layout,
                               .rrdcached = is_job ? NULL : c->rrdcached,
                               .settle_ms = c->settle_ms,
                               .creations_a_minute = (uint32_t)c->creations_a_minute,
                               .burst_connections = (uint32_t)c->burst_connections,
                               .waiting_minutes_max = (uint32_t)c->waiting_minutes,
                               .waiting_total_max = (size_t)c->waiting_total,
                               .together = is_job ? TOGETHER : 1,
                               .keys_max = (size_t)c->keys};
    char why[300];
    int rc = series_writer_open(&o, &s->writer, why);
    if (rc == 0)
        return 0;
    log_error("%s", why);
    return rc == -EBUSY ? EX_UNAVAILABLE : rc == -EPROTO ? EX_CONFIG : EX_CANTCREAT;
}

static bool is_file_job(const struct daemon *d)
{
    return daemon_has(d->args, "journal") || daemon_has(d->args, "rrd");
}

static int open_state(struct daemon *d)
{
    const struct series_conf *c = d->conf;
    const char *journal = daemon_value(d->args, "journal"), *rrd = daemon_value(d->args, "rrd");
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return EX_OSERR;
    d->state = s;
    rrd = rrd ? rrd : c->rrd;
    s->journal = strdup(journal ? journal : c->journal);
    if (!s->journal)
        return EX_OSERR;
    int rc = is_file_job(d) ? journal_check(s->journal) : 0;
    if (rc != 0) {
        log_error("%s: %s", s->journal, journal_check_text(rc));
        return EX_NOINPUT;
    }
    int code = open_writer(d, rrd, is_file_job(d), s);
    if (code != 0)
        return code;
    rc = follower_open(s->journal, rrd, s->writer, (uint32_t)c->waiting_minutes, &s->follower);
    if (rc != 0) {
        log_error("%s: %s; name the collector's journal with -j or series.journal", s->journal,
                  strerror(-rc));
        return EX_NOINPUT;
    }
    const char *until = daemon_value(d->args, "until");
    if (until && follower_until(s->follower, until) != 0) {
        log_error("%s: has no cursor; build all series anew with postern series rebuild", until);
        return EX_NOINPUT;
    }
    return 0;
}

static int series_check(struct daemon *d)
{
    const struct series_conf *c = d->conf;
    struct rrdcached *cached = NULL;
    char place[CONF_PLACE_MAX];
    if (!c->rrdcached || rrdcached_open(c->rrdcached, 0, &cached) == 0) {
        rrdcached_close(cached); // it connects when it is written to
        return 0;
    }
    conf_place(daemon_config_path(d->args), "series.rrdcached", place);
    log_error("%sseries.rrdcached: %s: no socket of rrdcached; write unix:/run/rrdcached.sock",
              place, c->rrdcached);
    return EX_CONFIG;
}

static int series_open(struct daemon *d)
{
    int code = open_state(d);
    if (code != 0)
        series_stop(d);
    return code;
}

static void put_problems(const struct state *s, struct control_status *status)
{
    const struct series_stats *w = series_writer_stats(s->writer);
    char text[160];
    if (w->errors > 0)
        control_status_problem(status, 1, "rrd-write", w->last_error,
                               "check space and rights of the RRD folder; postern series fsck "
                               "names broken files");
    if (w->may_lose)
        control_status_problem(status, 1, "rrdcached-without-journal",
                               "rrdcached keeps no journal: its crash loses the minutes it holds",
                               "start rrdcached with -j FOLDER; after such a crash postern series "
                               "rebuild brings them back");
    if (w->times_refused > 0)
        control_status_problem(status, 1, "times-refused",
                               "the journal has minutes before 1981 or after 2099",
                               "set the clock of the sensor, or correct the capture's times");
    if (follower_clock(s->follower)[0])
        control_status_problem(status, 1, "clock", follower_clock(s->follower), follower_clock_fix);
    if (w->keys_refused > 0)
        control_status_problem(status, 1, "series-table-full", "more subscribers than series.keys",
                               "raise series.keys");
    if (follower_journal(s->follower)->bad_blocks > 0)
        control_status_problem(status, 1, "journal-damaged",
                               "blocks of the journal were passed over",
                               "the log names them, and postern-collector --verify");
    if (s->behind_ms > BEHIND_MS) {
        snprintf(text, sizeof text, "%lld s behind, catching up", (long long)s->behind_ms / 1000);
        control_status_problem(
            status, 1, "behind", text,
            "a faster disk, or rrdcached (series.rrdcached) for many subscribers");
    }
}

static void series_status_fill(struct daemon *d, struct control_status *status)
{
    const struct state *s = d->state;
    const struct series_stats *w = series_writer_stats(s->writer);
    const struct journal_stats *j = follower_journal(s->follower);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"rows", w->rows},
        {"minutes_written", w->minutes_written},
        {"updates", w->updates},
        {"files_created", w->files_created},
        {"files_waiting", w->files_waiting},
        {"amendments", w->amendments},
        {"repeated", w->repeated},
        {"dropped_minutes", w->dropped_minutes},
        {"series", w->keys},
        {"series_refused", w->keys_refused},
        {"series_evicted", w->keys_evicted},
        {"times_refused", w->times_refused},
        {"anomalies", w->anomalies},
        {"errors", w->errors},
        {"behind_s", (uint64_t)(s->behind_ms / 1000)},
        {"journal_blocks", j->blocks},
        {"journal_bad_blocks", j->bad_blocks},
        {"journal_shredded", j->shredded},
    };
    if (follower_mark_ms(s->follower) > 0)
        control_status_time(status, follower_mark_ms(s->follower));
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        control_status_counter(status, counters[i].name, counters[i].value);
    put_problems(s, status);
}

static int write_status(struct daemon *d, const char *path)
{
    struct control_status *status = control_status_new("postern-series");
    if (!status)
        return -ENOMEM;
    control_status_conf_hash(status, d->conf_hash);
    series_status_fill(d, status);
    int rc = control_status_write(status, path);
    control_status_free(status);
    return rc;
}

static void say_damage(struct state *s)
{
    char text[JOURNAL_DAMAGE_TEXT_MAX];
    while (follower_damage(s->follower, text))
        log_error("%s/%s", s->journal, text);
}

// From the journal to its present end.
static int file_job(struct daemon *d, struct state *s)
{
    int rc;
    while ((rc = follower_step(s->follower, true)) == FOLLOWER_MORE) {}
    if (rc == FOLLOWER_AT_END)
        follower_finish(s->follower);
    say_damage(s);
    const char *status = daemon_value(d->args, "status");
    int wrote = status ? write_status(d, status) : 0;
    const struct series_stats *w = series_writer_stats(s->writer);
    if (rc < 0 && w->errors == 0) {
        log_error("reading the journal: %s", strerror(-rc));
        return rc == -ENOMEM ? EX_OSERR : EX_IOERR;
    }
    if (w->errors > 0) {
        log_error("%llu series could not be written, last: %s", (unsigned long long)w->errors,
                  w->last_error);
        return EX_IOERR;
    }
    if (wrote != 0) {
        log_error("%s: %s", status, strerror(-wrote));
        return EX_CANTCREAT;
    }
    return follower_journal(s->follower)->bad_blocks > 0 ? EX_DATAERR : 0;
}

static int series_run(struct daemon *d, bool *done)
{
    if (!is_file_job(d))
        return 0;
    *done = true;
    int code = file_job(d, d->state);
    series_stop(d);
    return code;
}

// How far the journal's time lies back while there is more to read; said when it is much.
static void measure(struct state *s, int64_t now_ms)
{
    int64_t mark_ms = follower_mark_ms(s->follower);
    int64_t before_ms = s->behind_ms;
    s->behind_ms = s->at_end || mark_ms == 0 || now_ms < mark_ms ? 0 : now_ms - mark_ms;
    if (s->behind_ms > BEHIND_MS && now_ms - s->said_ms >= SAY_EVERY_MS) {
        log_warning("%lld s behind the journal, catching up", (long long)s->behind_ms / 1000);
        s->said_ms = now_ms;
    } else if (s->at_end && before_ms > BEHIND_MS) {
        log_info("caught up with the journal");
        s->said_ms = 0;
    }
}

static void on_portion(struct loop *l, int64_t now_ms, void *ctx)
{
    struct state *s = ctx;
    s->again = 0;
    int rc = follower_step(s->follower, false);
    say_damage(s);
    if (rc < 0) {
        log_error("reading the journal: %s", strerror(-rc));
        loop_stop(l, rc == -ENOMEM ? EX_OSERR : EX_IOERR);
        return;
    }
    s->at_end = rc == FOLLOWER_AT_END;
    measure(s, now_ms);
    if (s->at_end) // until the next look at the journal
        return;
    s->again = loop_after(l, 0, on_portion, s);
    if (s->again < 0) {
        log_error("timer: %s", strerror(-s->again));
        loop_stop(l, EX_OSERR);
    }
}

static void poll_journal(struct loop *l, int64_t now_ms, void *ctx)
{
    struct state *s = ctx;
    if (s->again == 0)
        on_portion(l, now_ms, s);
}

static void series_sandbox(const struct daemon *d, struct sandbox *s)
{
    const struct series_conf *c = d->conf;
    sandbox_allow(s, SANDBOX_WRITES);
    sandbox_read(s, c->journal);
    sandbox_write(s, c->rrd);
}

static int series_start(struct daemon *d)
{
    const struct series_conf *c = d->conf;
    int id = loop_every(d->loop, c->poll_ms, poll_journal, d->state);
    if (id < 0) {
        log_error("timer: %s", strerror(-id));
        series_stop(d);
        return EX_OSERR;
    }
    return 0;
}

static const struct daemon_option options[] = {
    {.letter = 'j',
     .name = "journal",
     .argument = "DIR",
     .help = "read this journal to its end, then stop"},
    {.letter = 'd', .name = "rrd", .argument = "DIR", .help = "write the RRD files here"},
    {.name = "until",
     .argument = "DIR",
     .help = "with -j: end where the series of this folder have come to"},
    {0},
};

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "postern-series",
        .summary = "minute series of every subscriber that mails, as RRD files",
        .synopsis = "[-c FILE] [-j JOURNAL-DIR -d RRD-DIR] [--status FILE]",
        .options = options,
        .section = "series",
        .keys = series_conf_keys,
        .conf_size = sizeof(struct series_conf),
        .run = series_run,
        .check = series_check,
        .open = series_open,
        .sandbox = series_sandbox,
        .start = series_start,
        .status_fill = series_status_fill,
        .stop = series_stop,
    };
    return daemon_main(argc, argv, &spec);
}
