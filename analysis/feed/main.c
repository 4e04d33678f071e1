// postern-feed: verdicts become tickets, and every change of a ticket a line that a walled garden can
// act on. The only program that writes tickets.
//
// Reads verdicts from where it stopped, batch by batch; each batch is one transaction with the place in
// the file. As a file job (-r, -d, -o) to their present end; as a service it goes on as they come.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/daemon.h"
#include "common/log.h"
#include "feed/feed.h"
#include "feed/output.h"
#include "feed/source.h"

struct feed_conf {
    struct feed_rule rule;
    int64_t batch;
    char *case_key_file;
    char *verdicts, *database, *output;
    int64_t poll_ms;
};

#define FIELD(m) offsetof(struct feed_conf, m)

static const struct conf_key keys[] = {
    {.name = "confirm_score",
     .type = CONF_REAL,
     .offset = FIELD(rule.remedy.confirm_score),
     .min = 0.5,
     .max = 1,
     .def = "0.999",
     .unit = "probability",
     .help = "Score from which a verdict of two families is confirmed at once."},
    {.name = "confirm_after",
     .type = CONF_DURATION,
     .offset = FIELD(rule.remedy.confirm_after_ms),
     .max = 2592000000.0,
     .def = "30m",
     .help =
         "Time after which a verdict that is said again is confirmed; of a mailbox: that stands."},
    {.name = "actions_ttl",
     .type = CONF_DURATION,
     .offset = FIELD(rule.remedy.ttl_ms),
     .min = 60000,
     .max = 604800000,
     .def = "24h",
     .help = "Desired actions that nothing renews end after this."},
    {.name = "offence_window",
     .type = CONF_DURATION,
     .offset = FIELD(rule.offence_ms),
     .min = 86400000,
     .max = 63072000000.0,
     .def = "90d",
     .help = "A further ticket of the class within this is a further offence."},
    {.name = "batch",
     .type = CONF_INT,
     .offset = FIELD(batch),
     .min = 1,
     .max = 100000,
     .def = "256",
     .unit = "verdicts",
     .help = "Verdicts in one transaction."},
    {.name = "case_key_file",
     .type = CONF_PATH,
     .offset = FIELD(case_key_file),
     .opens = CONF_OPENS_KEY,
     .optional = true,
     .help = "Key of the case codes (one line, ID HEX64); without it they can be guessed."},
    {.name = "verdicts",
     .type = CONF_PATH,
     .offset = FIELD(verdicts),
     .def = "/var/lib/postern/verdicts.jsonl",
     .help = "File of verdicts that is followed."},
    {.name = "database",
     .type = CONF_PATH,
     .offset = FIELD(database),
     .def = "/var/lib/postern/tickets.db",
     .help = "Ticket store (SQLite)."},
    {.name = "output",
     .type = CONF_PATH,
     .offset = FIELD(output),
     .def = "/var/lib/postern/tickets.jsonl",
     .help = "File that changes of tickets are appended to."},
    {.name = "poll",
     .type = CONF_DURATION,
     .offset = FIELD(poll_ms),
     .min = 100,
     .max = 60000,
     .def = "1s",
     .help = "How often the verdicts are looked at."},
    {.name = NULL},
};

struct job {
    const char *verdicts, *store_path, *output_path; // borrowed
    bool store_new, output_new;                      // made by this run
    bool waiting;                                    // the verdicts are not there yet (service)
    struct ticket_store *store;
    struct source source;
    struct output output;
    struct feed feed;
};

#define BAD_LINES_SAID 5 // enough to find the cause; the rest is counted

static void say_bad_line(const struct job *job, const char *error)
{
    if (job->source.bad_lines <= BAD_LINES_SAID)
        log_error("%s: line %" PRIu64 " of this run is no verdict and was passed over: %s",
                  job->verdicts, job->source.lines, error);
}

// Says what failed, by the file it failed at. The same code.
static int failed(const char *path, const char *doing, int rc)
{
    log_error("%s: %s: %s%s", path, doing, strerror(-rc), rc == -ENOSPC ? "; make room there" : "");
    return rc;
}

static int read_batch(struct job *job, int64_t batch, int *got)
{
    struct verdict *v = malloc(sizeof *v);
    char error[160];
    int rc = v ? 0 : failed(job->verdicts, "reading verdicts", -ENOMEM);
    *got = 1;
    for (int64_t i = 0; rc == 0 && *got != 0 && i < batch; i++) {
        *got = source_next(&job->source, v, error);
        if (*got == -EINVAL)
            say_bad_line(job, error);
        else if (*got < 0)
            rc = failed(job->verdicts, "reading verdicts", *got);
        else if (*got > 0 && (rc = feed_take(&job->feed, v)) != 0)
            failed(job->store_path, "writing tickets", rc);
    }
    free(v);
    return rc;
}

// A batch of verdicts in one transaction. 1: go on; 0: nothing more; negative errno, which was said.
static int take_batch(struct job *job, int64_t batch, int64_t now_ms)
{
    char cursor[SOURCE_CURSOR_MAX];
    int got = 0;
    int rc = ticket_store_begin(job->store);
    if (rc != 0)
        return failed(job->store_path, "writing tickets", rc);
    rc = read_batch(job, batch, &got);
    // What this machine's clock makes due waits until all that was said before is known.
    if (rc == 0 && got == 0 && now_ms != 0 && (rc = feed_advance(&job->feed, now_ms)) != 0)
        failed(job->store_path, "writing tickets", rc);
    if (rc == 0 && (rc = ticket_store_commit(job->store, source_cursor(&job->source, cursor))) != 0)
        failed(job->store_path, "writing tickets", rc);
    if (rc != 0) {
        ticket_store_rollback(job->store);
        return rc;
    }
    rc = output_follow(&job->output, job->store);
    return rc != 0 ? failed(job->output_path, "writing the feed", rc) : got != 0;
}

static void fill_status(const struct daemon *d, const struct job *job, struct control_status *s)
{
    const struct feed_conf *c = d->conf;
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"verdicts", job->source.lines},
        {"bad_lines", job->source.bad_lines},
        {"tickets_opened", job->feed.opened},
        {"tickets_changed", job->feed.changed},
        {"tickets_ended", job->feed.ended},
        {"actions_expired", job->feed.expired},
        {"verdicts_observed", job->feed.observed},
        {"changes_written", job->output.written},
        {"tickets_confirmed_by_time", job->feed.confirmed},
    };
    control_status_time(s, job->feed.now_ms);
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        control_status_counter(s, counters[i].name, counters[i].value);
    if (!c->case_key_file)
        control_status_problem(s, 0, "case-codes-guessable",
                               "case codes are made with the fixed key of replays",
                               "set feed.case_key_file before customers see a code");
    if (job->source.bad_lines > 0)
        control_status_problem(s, 1, "verdicts-damaged",
                               "lines that are no verdicts were passed over",
                               "write the verdicts again with postern-analysis");
}

static int write_status(const struct daemon *d, const struct job *job, const char *path)
{
    struct control_status *s = control_status_new("postern-feed");
    if (!s)
        return -ENOMEM;
    control_status_conf_hash(s, d->conf_hash);
    fill_status(d, job, s);
    int rc = control_status_write(s, path);
    control_status_free(s);
    return rc;
}

static int open_store(struct job *job)
{
    char error[160];
    job->store_new = access(job->store_path, F_OK) != 0;
    int rc = ticket_store_open(job->store_path, true, &job->store, error);
    if (rc == 0)
        return 0;
    log_error("%s: %s; name a ticket store that can be written with -d", job->store_path, error);
    return rc == -EPROTO || rc == -EBADMSG ? EX_DATAERR : EX_CANTCREAT;
}

static int say_damaged_store(const struct job *job, int rc)
{
    log_error("%s: %s; restore the ticket store from a copy, or name another with -d",
              job->store_path, rc == -EBADMSG || rc == -EIO ? "is damaged" : strerror(-rc));
    return EX_DATAERR;
}

static int open_verdicts(struct job *job)
{
    char cursor[SOURCE_CURSOR_MAX];
    int rc = ticket_store_cursor(job->store, cursor, sizeof cursor);
    if (rc != 0)
        return say_damaged_store(job, rc);
    rc = source_open(&job->source, job->verdicts, cursor);
    if (rc == 0)
        return 0;
    if (rc == -ESTALE || rc == -EINVAL) {
        log_error("%s: is not the file that the ticket store %s was made from; give the right one "
                  "with -r, or a new store with -d",
                  job->verdicts, job->store_path);
        return EX_DATAERR;
    }
    log_error("%s: %s; name the verdicts of postern-analysis with -r", job->verdicts,
              strerror(-rc));
    return EX_NOINPUT;
}

static int open_feed(const struct daemon *d, struct job *job)
{
    const struct feed_conf *c = d->conf;
    struct keyed_hash_key key = keyed_hash_key_replay();
    int rc = c->case_key_file ? keyed_hash_key_load(c->case_key_file, &key) : 0;
    if (rc != 0) {
        log_error("%s: %s; a key file has one line, ID HEX64, and is readable by its owner only",
                  c->case_key_file, strerror(-rc));
        return EX_CONFIG;
    }
    rc = feed_init(&job->feed, job->store, &c->rule, &key);
    int64_t newest;
    if (rc == 0)
        rc = ticket_store_last_change(job->store, &newest);
    if (rc != 0)
        return say_damaged_store(job, rc);
    job->output_new = access(job->output_path, F_OK) != 0;
    rc = output_open(&job->output, job->output_path, job->store);
    if (rc == 0)
        return 0;
    job->output_new = job->output_new && access(job->output_path, F_OK) == 0;
    if (rc == -EPROTO) {
        log_error("%s: is not the feed of the ticket store %s; name another file with -o",
                  job->output_path, job->store_path);
        return EX_DATAERR;
    }
    log_error("%s: %s; name a file that can be written with -o", job->output_path, strerror(-rc));
    return EX_CANTCREAT;
}

static int open_all(const struct daemon *d, struct job *job)
{
    int code = open_store(job);
    if (code == 0)
        code = open_verdicts(job);
    if (code == 0)
        code = open_feed(d, job);
    return code;
}

static void close_all(struct job *job)
{
    output_close(&job->output);
    source_close(&job->source);
    ticket_store_close(job->store);
    job->store = NULL;
}

// What this run has made and could put nothing into.
static void remove_new(const struct job *job)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; job->store_new && i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *path;
        if (asprintf(&path, "%s%s", job->store_path, suffixes[i]) < 0)
            return;
        unlink(path);
        free(path);
    }
    if (job->output_new)
        unlink(job->output_path);
}

static int run_job(const struct daemon *d, struct job *job)
{
    const struct feed_conf *c = d->conf;
    int code = open_all(d, job), rc;
    if (code != 0)
        return code;
    while ((rc = take_batch(job, c->batch, 0)) > 0)
        continue;
    int closed = output_close(&job->output);
    if (rc == 0 && closed != 0)
        rc = failed(job->output_path, "writing the feed", closed);
    if (rc != 0)
        return rc == -ENOMEM ? EX_OSERR : rc == -EBADMSG ? EX_DATAERR : EX_IOERR;
    const char *status = daemon_value(d->args, "status");
    if (status && (rc = write_status(d, job, status)) != 0) {
        log_error("%s: %s", status, strerror(-rc));
        return EX_CANTCREAT;
    }
    if (job->source.bad_lines > 0)
        log_error("%s: %" PRIu64 " of %" PRIu64 " lines are no verdicts; write them again with "
                  "postern-analysis",
                  job->verdicts, job->source.bad_lines, job->source.lines);
    return job->source.bad_lines > 0 ? EX_DATAERR : 0;
}

static bool is_file_job(const struct daemon *d)
{
    return daemon_has(d->args, "read") || daemon_has(d->args, "database") ||
           daemon_has(d->args, "output");
}

static int feed_run(struct daemon *d, bool *done)
{
    struct job job = {.verdicts = daemon_value(d->args, "read"),
                      .store_path = daemon_value(d->args, "database"),
                      .output_path = daemon_value(d->args, "output"),
                      .output = {.fd = -1}};
    if (!is_file_job(d))
        return 0;
    *done = true;
    if (!job.verdicts || !job.store_path || !job.output_path) {
        log_error("give the verdicts with -r, the ticket store with -d and the feed with -o");
        return EX_USAGE;
    }
    int code = run_job(d, &job);
    close_all(&job);
    if (code != 0 && job.source.lines == job.source.bad_lines)
        remove_new(&job);
    return code;
}

static int feed_open(struct daemon *d)
{
    const struct feed_conf *c = d->conf;
    if (is_file_job(d))
        return 0;
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return EX_OSERR;
    *job = (struct job){.verdicts = c->verdicts,
                        .store_path = c->database,
                        .output_path = c->output,
                        .output = {.fd = -1}};
    // Analysis makes the file when it first starts; that may be later.
    job->waiting = access(job->verdicts, F_OK) != 0;
    int code = job->waiting ? 0 : open_all(d, job);
    if (code != 0) {
        close_all(job);
        free(job);
        return code;
    }
    d->state = job;
    return 0;
}

// The store has files of its own beside it.
static void feed_sandbox(const struct daemon *d, struct sandbox *s)
{
    const struct feed_conf *c = d->conf;
    sandbox_allow(s, SANDBOX_WRITES);
    sandbox_follow(s, c->verdicts);
    sandbox_make(s, c->database);
    sandbox_make(s, c->output);
    sandbox_follow(s, c->case_key_file);
}

static void poll_verdicts(struct loop *l, int64_t now_ms, void *ctx)
{
    struct daemon *d = ctx;
    struct job *job = d->state;
    const struct feed_conf *c = d->conf;
    if (job->waiting) {
        if (access(job->verdicts, F_OK) != 0)
            return;
        int code = open_all(d, job);
        if (code != 0) {
            loop_stop(l, code);
            return;
        }
        job->waiting = false;
    }
    int rc = 1;
    for (int i = 0; rc > 0 && i < 16; i++) // then the loop is served
        rc = take_batch(job, c->batch, now_ms);
    if (rc < 0)
        loop_stop(l, rc == -ENOMEM ? EX_OSERR : EX_IOERR);
}

static int feed_start(struct daemon *d)
{
    const struct feed_conf *c = d->conf;
    int id = loop_every(d->loop, c->poll_ms, poll_verdicts, d);
    if (id > 0)
        return 0;
    log_error("timer: %s", strerror(-id));
    return EX_OSERR;
}

// Rules change at once; other files take a restart.
static int feed_reload(struct daemon *d, void *new_conf)
{
    const struct feed_conf *c = new_conf, *old = d->conf;
    struct job *job = d->state;
    if (strcmp(c->verdicts, old->verdicts) != 0 || strcmp(c->database, old->database) != 0 ||
        strcmp(c->output, old->output) != 0) {
        log_error("feed.verdicts, feed.database and feed.output change with a restart only");
        return -EINVAL;
    }
    job->verdicts = c->verdicts;
    job->store_path = c->database;
    job->output_path = c->output;
    int rc = job->waiting ? 0 : feed_set_rule(&job->feed, &c->rule);
    if (rc != 0)
        failed(job->store_path, "looking for what is due", rc);
    return rc;
}

static void feed_status(struct daemon *d, struct control_status *s)
{
    fill_status(d, d->state, s);
}

static void feed_stop(struct daemon *d)
{
    struct job *job = d->state;
    if (!job)
        return;
    close_all(job);
    free(job);
    d->state = NULL;
}

static const struct daemon_option options[] = {
    {.letter = 'r', .name = "read", .argument = "FILE", .help = "verdicts of postern-analysis"},
    {.letter = 'd', .name = "database", .argument = "FILE", .help = "ticket store (SQLite)"},
    {.letter = 'o',
     .name = "output",
     .argument = "FILE",
     .help = "append the changes of tickets here, JSON lines"},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "postern-feed",
        .summary = "tickets and their remedies from verdicts",
        .synopsis = "[-c FILE] [-r VERDICTS -d TICKETS.db -o TICKETS.jsonl] [--status FILE]",
        .options = options,
        .section = "feed",
        .keys = keys,
        .conf_size = sizeof(struct feed_conf),
        .run = feed_run,
        .open = feed_open,
        .sandbox = feed_sandbox,
        .start = feed_start,
        .reload = feed_reload,
        .status_fill = feed_status,
        .stop = feed_stop,
    };
    return daemon_main(argc, argv, &spec);
}
