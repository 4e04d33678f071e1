// postern-analysis: reads the minute journal and writes what it says of whom, as JSON lines.
//
// A file job: the journal is read in order to its present end. Nothing is kept between runs: the same
// journal and configuration give the same octets, so a restart is a replay. The output is written
// beside its place and moved there when it is whole.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/daemon.h"
#include "common/log.h"
#include "engine.h"

// One run over a journal.
struct job {
    struct engine *engine;
    struct journal_reader *journal;
    FILE *out;
    char *temporary; // NULL: standard output
    int64_t last_ms;
    int error; // first failed write, negative errno
};

static void write_verdict(const struct verdict *v, void *ctx)
{
    struct job *job = ctx;
    json_t *j = verdict_to_json(v);
    int rc = j ? json_write_line(job->out, j) : -ENOMEM;
    json_decref(j);
    if (rc != 0 && job->error == 0)
        job->error = rc;
}

// One entry into the engine. 0 or a negative errno.
static int take(struct job *job, const struct journal_entry *e, const struct journal_cursor *from,
                const struct journal_cursor *to)
{
    switch (e->kind) {
    case JOURNAL_ROW: return engine_row(job->engine, &e->row, from, to);
    case JOURNAL_COVERAGE: engine_coverage(job->engine, &e->coverage); return 0;
    case JOURNAL_SITE: engine_site(job->engine, &e->site); return 0;
    case JOURNAL_MARK:
        if (e->mark_ms > job->last_ms)
            job->last_ms = e->mark_ms;
        engine_mark(job->engine, e->mark_ms);
        return 0;
    default: return 0;
    }
}

static int follow(struct job *job)
{
    const struct journal_entry *e;
    struct journal_cursor from = journal_reader_cursor(job->journal);
    int rc;
    while ((rc = journal_next(job->journal, &e)) > 0) {
        struct journal_cursor to = journal_reader_cursor(job->journal);
        int taken = take(job, e, &from, &to);
        if (taken != 0)
            return taken;
        if (job->error != 0)
            return job->error;
        from = to;
    }
    return rc;
}

static int open_output(struct job *job, const char *path)
{
    if (strcmp(path, "-") == 0) {
        job->out = stdout;
        return 0;
    }
    if (asprintf(&job->temporary, "%s.new", path) < 0) {
        job->temporary = NULL;
        log_error("out of memory");
        return EX_OSERR;
    }
    job->out = fopen(job->temporary, "w");
    if (job->out)
        return 0;
    log_error("%s: %s; name a file that can be written with -o", job->temporary, strerror(errno));
    return EX_CANTCREAT;
}

// Moves a whole output into place; a half one is removed.
static int close_output(struct job *job, const char *path, bool whole)
{
    int code = 0;
    if (!job->out)
        return 0;
    bool failed = fflush(job->out) != 0;
    if (job->out != stdout)
        failed = fclose(job->out) != 0 || failed;
    job->out = NULL;
    if (failed) {
        log_error("%s: %s", path, strerror(errno));
        code = EX_IOERR;
    }
    if (job->temporary && whole && code == 0) {
        if (rename(job->temporary, path) != 0) {
            log_error("%s: %s", path, strerror(errno));
            code = EX_CANTCREAT;
        }
    } else if (job->temporary) {
        unlink(job->temporary);
    }
    return code;
}

static int write_status(const struct daemon *d, const struct job *job, const char *path)
{
    const struct journal_stats *j = journal_reader_stats(job->journal);
    struct control_status *status = control_status_new("postern-analysis");
    if (!status)
        return -ENOMEM;
    control_status_time(status, job->last_ms);
    control_status_conf_hash(status, d->conf_hash);
    control_status_counter(status, "journal_blocks", j->blocks);
    control_status_counter(status, "journal_bad_blocks", j->bad_blocks);
    engine_status(job->engine, status);
    if (j->bad_blocks > 0)
        control_status_problem(status, 1, "journal-damaged",
                               "blocks of the journal were passed over: their minutes are missing",
                               "restore the journal's segment from a copy, or accept the gap");
    int rc = control_status_write(status, path);
    control_status_free(status);
    return rc;
}

static int run_job(struct daemon *d, struct job *job, const char *journal, const char *output)
{
    const struct settings *settings = d->conf;
    struct engine_options options = {
        .settings = settings, .site = d->site, .conf_hash = d->conf_hash};
    job->engine = engine_new(&options, write_verdict, job);
    if (!job->engine) {
        log_error("out of memory; lower analysis.parties_max");
        return EX_OSERR;
    }
    int rc = journal_reader_open(journal, NULL, settings->journal_keys, &job->journal);
    if (rc != 0) {
        log_error("%s: %s; name the collector's journal with -j", journal, strerror(-rc));
        return EX_NOINPUT;
    }
    int code = open_output(job, output);
    if (code != 0)
        return code;
    rc = follow(job);
    if (rc != 0) {
        log_error("%s: %s", job->error ? output : journal, strerror(-rc));
        code = rc == -ENOMEM ? EX_OSERR : EX_IOERR;
    }
    int closed = close_output(job, output, code == 0);
    if (code == 0)
        code = closed;
    const char *status = daemon_value(d->args, "status");
    if (status && (rc = write_status(d, job, status)) != 0) {
        log_error("%s: %s", status, strerror(-rc));
        code = EX_CANTCREAT;
    }
    return code;
}

static int analysis_run(struct daemon *d, bool *done)
{
    const char *journal = daemon_value(d->args, "journal");
    const char *output = daemon_value(d->args, "output");
    struct job job = {0};
    *done = true;
    if (!journal || !output) {
        log_error("give the journal with -j and the file for verdicts with -o");
        return EX_USAGE;
    }
    int code = run_job(d, &job, journal, output);
    if (job.out)
        close_output(&job, output, false);
    journal_reader_close(job.journal);
    engine_free(job.engine);
    free(job.temporary);
    return code;
}

static int analysis_check(struct daemon *d)
{
    char error[200];
    if (settings_check(d->conf, error) == 0)
        return 0;
    log_error("%s", error);
    return EX_CONFIG;
}

static const struct daemon_option options[] = {
    {.letter = 'j', .name = "journal", .argument = "DIR", .help = "read this journal to its end"},
    {.letter = 'o',
     .name = "output",
     .argument = "FILE",
     .help = "write verdicts here, JSON lines (- for standard output)"},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    const struct daemon_spec spec = {
        .name = "postern-analysis",
        .summary = "who is a spam bot or a relay, how sure, and why",
        .synopsis = "[-c FILE] -j JOURNAL-DIR -o VERDICTS [--status FILE]",
        .options = options,
        .section = "analysis",
        .keys = settings_keys(),
        .conf_size = settings_size(),
        .check = analysis_check,
        .run = analysis_run,
    };
    return daemon_main(argc, argv, &spec);
}
