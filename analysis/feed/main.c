// postern-feed: verdicts become tickets, and every change of a ticket a line that a walled garden can
// act on. The only program that writes tickets.
//
// A file job: reads verdicts from where it stopped to their present end, batch by batch; each batch is
// one transaction with the place in the file.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
     .help = "Time after which any verdict that still holds is confirmed."},
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
     .optional = true,
     .help = "Key of the case codes (one line, ID HEX64); without it they can be guessed."},
    {.name = NULL},
};

struct job {
    struct ticket_store *store;
    struct source source;
    struct output output;
    struct feed feed;
};

static void say_bad_line(const struct job *job, const char *path, const char *error)
{
    // The first is enough to find the cause; the rest is counted.
    if (job->source.bad_lines == 1)
        log_warning("%s: line %" PRIu64 " of this run is no verdict and was passed over: %s", path,
                    job->source.lines, error);
}

// A batch of verdicts in one transaction. 1: go on; 0: nothing more; negative errno.
static int take_batch(struct job *job, const char *path, int64_t batch)
{
    struct verdict *v = malloc(sizeof *v);
    char error[160], cursor[SOURCE_CURSOR_MAX];
    if (!v)
        return -ENOMEM;
    int rc = ticket_store_begin(job->store);
    int got = 1;
    for (int64_t i = 0; rc == 0 && got != 0 && i < batch; i++) {
        got = source_next(&job->source, v, error);
        if (got == -EINVAL)
            say_bad_line(job, path, error);
        else if (got < 0)
            rc = got;
        else if (got > 0)
            rc = feed_take(&job->feed, v);
    }
    if (rc == 0)
        rc = ticket_store_commit(job->store, source_cursor(&job->source, cursor));
    if (rc != 0)
        ticket_store_rollback(job->store);
    else
        rc = output_follow(&job->output, job->store);
    free(v);
    return rc != 0 ? rc : got != 0;
}

static int write_status(const struct daemon *d, const struct job *job, const char *path)
{
    const struct feed_conf *c = d->conf;
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"verdicts", job->source.lines},           {"bad_lines", job->source.bad_lines},
        {"tickets_opened", job->feed.opened},      {"tickets_changed", job->feed.changed},
        {"tickets_ended", job->feed.ended},        {"actions_expired", job->feed.expired},
        {"verdicts_observed", job->feed.observed}, {"changes_written", job->output.written},
    };
    struct control_status *s = control_status_new("postern-feed");
    if (!s)
        return -ENOMEM;
    control_status_time(s, job->feed.now_ms);
    control_status_conf_hash(s, d->conf_hash);
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
    int rc = control_status_write(s, path);
    control_status_free(s);
    return rc;
}

static int open_store(struct job *job, const char *path)
{
    char error[160];
    int rc = ticket_store_open(path, true, &job->store, error);
    if (rc == 0)
        return 0;
    log_error("%s: %s; name a ticket store that can be written with -d", path, error);
    return rc == -EPROTO || rc == -EBADMSG ? EX_DATAERR : EX_CANTCREAT;
}

static int open_verdicts(struct job *job, const char *path)
{
    char cursor[SOURCE_CURSOR_MAX];
    int rc = ticket_store_cursor(job->store, cursor, sizeof cursor);
    if (rc == 0)
        rc = source_open(&job->source, path, cursor);
    if (rc == 0)
        return 0;
    if (rc == -ESTALE || rc == -EINVAL) {
        log_error("%s: is not the file that the ticket store was made from; give the right one "
                  "with -r, or a new store with -d",
                  path);
        return EX_DATAERR;
    }
    log_error("%s: %s; name the verdicts of postern-analysis with -r", path, strerror(-rc));
    return EX_NOINPUT;
}

static int open_feed(struct daemon *d, struct job *job, const char *path)
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
    if (rc != 0) {
        log_error("reading the open tickets: %s", strerror(-rc));
        return EX_DATAERR;
    }
    rc = output_open(&job->output, path, job->store);
    if (rc == -EPROTO) {
        log_error("%s: is not the feed of this ticket store; name another file with -o", path);
        return EX_DATAERR;
    }
    if (rc != 0) {
        log_error("%s: %s; name a file that can be written with -o", path, strerror(-rc));
        return EX_CANTCREAT;
    }
    return 0;
}

static int run_job(struct daemon *d, struct job *job, const char *verdicts, const char *store,
                   const char *output)
{
    const struct feed_conf *c = d->conf;
    int code = open_store(job, store);
    if (code == 0)
        code = open_verdicts(job, verdicts);
    if (code == 0)
        code = open_feed(d, job, output);
    if (code != 0)
        return code;
    int rc;
    while ((rc = take_batch(job, verdicts, c->batch)) > 0)
        continue;
    int closed = output_close(&job->output);
    if (rc == 0)
        rc = closed;
    if (rc != 0) {
        log_error("writing tickets: %s", strerror(-rc));
        return rc == -ENOMEM ? EX_OSERR : EX_IOERR;
    }
    const char *status = daemon_value(d->args, "status");
    if (status && (rc = write_status(d, job, status)) != 0) {
        log_error("%s: %s", status, strerror(-rc));
        return EX_CANTCREAT;
    }
    return 0;
}

static int feed_run(struct daemon *d, bool *done)
{
    const char *verdicts = daemon_value(d->args, "read");
    const char *store = daemon_value(d->args, "database");
    const char *output = daemon_value(d->args, "output");
    struct job job = {.output = {.fd = -1}};
    *done = true;
    if (!verdicts || !store || !output) {
        log_error("give the verdicts with -r, the ticket store with -d and the feed with -o");
        return EX_USAGE;
    }
    int code = run_job(d, &job, verdicts, store, output);
    output_close(&job.output);
    source_close(&job.source);
    ticket_store_close(job.store);
    return code;
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
        .synopsis = "[-c FILE] -r VERDICTS -d TICKETS.db -o TICKETS.jsonl [--status FILE]",
        .options = options,
        .section = "feed",
        .keys = keys,
        .conf_size = sizeof(struct feed_conf),
        .run = feed_run,
    };
    return daemon_main(argc, argv, &spec);
}
