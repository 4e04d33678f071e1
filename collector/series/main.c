// postern-series: minute series of every subscriber that mails, as RRD files, from the journal.
//
// Follows the journal by cursor. What it writes is derived: wiped, it is built again from the oldest
// segment. The cursor it keeps beside the files never runs ahead of a minute not yet written, so a
// restart repeats rows (which the files refuse as old) and misses none.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/daemon.h"
#include "common/log.h"
#include "series/writer.h"

struct series_conf {
    char *journal;
    char *rrd;
    int64_t settle_ms;
    int64_t creations_a_minute;
    int64_t burst_connections;
    int64_t waiting_minutes;
    int64_t keys;
    int64_t poll_ms;
};

#define AT(member) offsetof(struct series_conf, member)
static const struct conf_key series_keys_table[] = {
    {.name = "journal",
     .type = CONF_PATH,
     .offset = AT(journal),
     .def = "/var/lib/postern/journal",
     .help = "folder of the minute journal"},
    {.name = "rrd",
     .type = CONF_PATH,
     .offset = AT(rrd),
     .def = "/var/lib/postern/rrd",
     .help = "folder of the RRD files"},
    {.name = "settle",
     .type = CONF_DURATION,
     .offset = AT(settle_ms),
     .max = 3600e3,
     .def = "2m",
     .help = "a minute is written this long after its end, so that late rows still count"},
    {.name = "creations",
     .type = CONF_INT,
     .offset = AT(creations_a_minute),
     .min = 1,
     .max = 100000,
     .def = "300",
     .unit = "files a minute",
     .help = "new files at most, so that a spoofed scan cannot fill a disk"},
    {.name = "burst",
     .type = CONF_INT,
     .offset = AT(burst_connections),
     .min = 1,
     .max = 100000,
     .def = "3",
     .unit = "connections a minute",
     .help = "attempts that earn a file without an established session"},
    {.name = "waiting_minutes",
     .type = CONF_INT,
     .offset = AT(waiting_minutes),
     .min = 1,
     .max = 1440,
     .def = "60",
     .unit = "minutes",
     .help = "minutes kept for a subscriber that has no file yet"},
    {.name = "keys",
     .type = CONF_INT,
     .offset = AT(keys),
     .min = 16,
     .max = 4e9,
     .def = "2000000",
     .unit = "subscribers",
     .help = "series known at most"},
    {.name = "poll",
     .type = CONF_DURATION,
     .offset = AT(poll_ms),
     .min = 100,
     .max = 60e3,
     .def = "1s",
     .help = "how often the journal is looked at"},
    {0},
};

enum { MARKS = 256, PATH_OCTETS = 4096 };

// A place in the journal and the mark it was reached at.
struct place {
    struct journal_cursor cursor;
    int64_t mark_ms;
};

struct follower {
    struct series_writer *writer;
    struct journal_reader *reader;
    char *cursor_path;
    struct place place[MARKS]; // ring, oldest first from `place_first`
    size_t place_first, places;
    int64_t last_mark_ms;
    bool stops_on_error; // a file job has nobody to wait for
};

static void note_place(struct follower *f, int64_t mark_ms)
{
    struct place *last = f->places ? &f->place[(f->place_first + f->places - 1) % MARKS] : NULL;
    // One a minute is enough: the cursor only moves by whole minutes.
    if (last && mark_ms / 60000 == last->mark_ms / 60000)
        return;
    if (f->places == MARKS) {
        f->place_first = (f->place_first + 1) % MARKS;
        f->places--;
    }
    f->place[(f->place_first + f->places++) % MARKS] = (struct place){
        journal_reader_cursor(f->reader), mark_ms};
}

static int save_cursor(const char *path, const struct journal_cursor *c)
{
    char text[JOURNAL_CURSOR_MAX], temporary[PATH_OCTETS];
    journal_cursor_format(c, text);
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return -ENAMETOOLONG;
    FILE *out = fopen(temporary, "w");
    if (!out)
        return -errno;
    int rc = fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(temporary, path) != 0)
        rc = -errno;
    return rc;
}

// Everything before minute `written_before` is in the files: the newest place not beyond it is safe.
static void advance_cursor(struct follower *f, int64_t written_before)
{
    const struct place *safe = NULL;
    while (f->places > 0 && f->place[f->place_first].mark_ms / 60000 < written_before) {
        safe = &f->place[f->place_first];
        f->place_first = (f->place_first + 1) % MARKS;
        f->places--;
    }
    if (!safe)
        return;
    int rc = save_cursor(f->cursor_path, &safe->cursor);
    if (rc != 0)
        log_error("%s: %s: after a restart older minutes are read again", f->cursor_path,
                  strerror(-rc));
}

static bool load_cursor(const char *path, struct journal_cursor *out)
{
    char text[JOURNAL_CURSOR_MAX] = "";
    FILE *in = fopen(path, "r");
    if (!in)
        return false;
    bool read = fgets(text, sizeof text, in) != NULL;
    fclose(in);
    text[strcspn(text, "\n")] = '\0';
    if (read && journal_cursor_parse(text, out) == 0)
        return true;
    log_warning("%s: no cursor in it; reading the journal from its start", path);
    return false;
}

// Reads what there is now. 0 at the journal's present end, or a negative errno.
static int follow(struct follower *f)
{
    const struct journal_entry *e;
    int rc;
    while ((rc = journal_next(f->reader, &e)) > 0) {
        int put = 0;
        if (e->kind == JOURNAL_ROW)
            put = series_writer_row(f->writer, &e->row);
        else if (e->kind == JOURNAL_COVERAGE)
            put = series_writer_coverage(f->writer, &e->coverage);
        if (put == -ENOMEM)
            return put;
        if (e->kind != JOURNAL_MARK)
            continue;
        f->last_mark_ms = e->mark_ms;
        note_place(f, e->mark_ms);
        uint64_t errors = series_writer_stats(f->writer)->errors;
        int64_t written = series_writer_mark(f->writer, e->mark_ms);
        if (series_writer_stats(f->writer)->errors > errors && f->stops_on_error)
            return -EIO;
        advance_cursor(f, written);
    }
    return rc;
}

static int follower_open(struct daemon *d, const char *journal, const char *rrd, int64_t settle_ms)
{
    const struct series_conf *c = d->conf;
    struct follower *f = calloc(1, sizeof *f);
    if (!f)
        return EX_OSERR;
    d->state = f;
    struct series_options o = {.rrd_dir = rrd,
                               .settle_ms = settle_ms,
                               .creations_a_minute = (uint32_t)c->creations_a_minute,
                               .burst_connections = (uint32_t)c->burst_connections,
                               .waiting_minutes_max = (uint32_t)c->waiting_minutes,
                               .keys_max = (size_t)c->keys};
    int rc = series_writer_open(&o, &f->writer);
    if (rc != 0) {
        log_error("%s: %s; name a folder that can be written with -d or series.rrd", rrd,
                  strerror(-rc));
        return EX_CANTCREAT;
    }
    if (asprintf(&f->cursor_path, "%s/cursor", rrd) < 0)
        return EX_OSERR;
    struct journal_cursor cursor;
    bool resumed = load_cursor(f->cursor_path, &cursor);
    rc = journal_reader_open(journal, resumed ? &cursor : NULL, NULL, &f->reader);
    if (rc != 0) {
        log_error("%s: %s; name the collector's journal with -j or series.journal", journal,
                  strerror(-rc));
        return EX_NOINPUT;
    }
    return 0;
}

static void follower_close(struct daemon *d)
{
    struct follower *f = d->state;
    if (!f)
        return;
    series_writer_close(f->writer);
    journal_reader_close(f->reader);
    free(f->cursor_path);
    free(f);
    d->state = NULL;
}

static void series_status_fill(struct daemon *d, struct control_status *status)
{
    const struct follower *f = d->state;
    const struct series_stats *s = series_writer_stats(f->writer);
    const struct journal_stats *j = journal_reader_stats(f->reader);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"rows", s->rows},
        {"minutes_written", s->minutes_written},
        {"updates", s->updates},
        {"files_created", s->files_created},
        {"files_waiting", s->files_waiting},
        {"late_rows", s->late_rows},
        {"dropped_minutes", s->dropped_minutes},
        {"series", s->keys},
        {"series_refused", s->keys_refused},
        {"errors", s->errors},
        {"journal_blocks", j->blocks},
        {"journal_bad_blocks", j->bad_blocks},
    };
    if (f->last_mark_ms > 0)
        control_status_time(status, f->last_mark_ms);
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        control_status_counter(status, counters[i].name, counters[i].value);
    if (s->errors > 0)
        control_status_problem(status, 1, "rrd-write", s->last_error,
                               "check space and rights of the RRD folder, then rebuild it");
    if (s->keys_refused > 0)
        control_status_problem(status, 1, "series-table-full", "more subscribers than series.keys",
                               "raise series.keys");
    if (j->bad_blocks > 0)
        control_status_problem(status, 1, "journal-damaged",
                               "blocks of the journal were passed over",
                               "postern-collector --verify names them");
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

static bool is_file_job(const struct daemon *d)
{
    return daemon_has(d->args, "journal") || daemon_has(d->args, "rrd");
}

static int series_open(struct daemon *d)
{
    const struct series_conf *c = d->conf;
    const char *journal = daemon_value(d->args, "journal"), *rrd = daemon_value(d->args, "rrd");
    int code = follower_open(d, journal ? journal : c->journal, rrd ? rrd : c->rrd,
                             is_file_job(d) ? 0 : c->settle_ms);
    if (code != 0)
        follower_close(d);
    return code;
}

// From the journal to its present end.
static int file_job(struct daemon *d, struct follower *f)
{
    f->stops_on_error = true;
    int rc = follow(f);
    if (rc == 0) {
        series_writer_finish(f->writer);
        advance_cursor(f, INT64_MAX);
    }
    const char *status = daemon_value(d->args, "status");
    int wrote = status ? write_status(d, status) : 0;
    const struct series_stats *s = series_writer_stats(f->writer);
    if (rc != 0 && s->errors == 0) {
        log_error("reading the journal: %s", strerror(-rc));
        return rc == -ENOMEM ? EX_OSERR : EX_IOERR;
    }
    if (s->errors > 0) {
        log_error("%llu series could not be written, last: %s", (unsigned long long)s->errors,
                  s->last_error);
        return EX_IOERR;
    }
    if (wrote != 0) {
        log_error("%s: %s", status, strerror(-wrote));
        return EX_CANTCREAT;
    }
    return 0;
}

static int series_run(struct daemon *d, bool *done)
{
    if (!is_file_job(d))
        return 0;
    *done = true;
    int code = file_job(d, d->state);
    follower_close(d);
    return code;
}

static void poll_journal(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)now_ms;
    int rc = follow(ctx);
    if (rc == 0)
        return;
    log_error("reading the journal: %s", strerror(-rc));
    loop_stop(l, rc == -ENOMEM ? EX_OSERR : EX_IOERR);
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
        follower_close(d);
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
        .keys = series_keys_table,
        .conf_size = sizeof(struct series_conf),
        .run = series_run,
        .open = series_open,
        .sandbox = series_sandbox,
        .start = series_start,
        .status_fill = series_status_fill,
        .stop = follower_close,
    };
    return daemon_main(argc, argv, &spec);
}
