// postern-analysis: reads the minute journal and says of whom what, as JSON lines.
//
// As a service it follows the journal live (live.h). As a file job (-j and -o) it reads the journal in
// order to its present end and keeps nothing: the same journal and configuration give the same octets;
// the output is written beside its place and moved there when it is whole. --why explains one party,
// --compare holds another configuration against this one; neither touches anything.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/control.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/timefmt.h"
#include "compare.h"
#include "explain.h"
#include "follow.h"
#include "live.h"
#include "overrides.h"

// One run over a journal.
struct job {
    struct engine *engine;
    struct overrides *overrides; // of the desk, where the job judges the past; NULL: none
    struct follow follow;
    FILE *out;
    char *temporary; // NULL: written to as it is, standard output or what is no file
    int error;       // first failed write, negative errno
};

static void write_verdict(const struct verdict *v, void *ctx)
{
    struct job *job = ctx;
    if (!job->out || job->error != 0)
        return;
    errno = 0;
    json_t *j = verdict_to_json(v);
    int rc = j ? json_write_line(job->out, j) : -ENOMEM;
    json_decref(j);
    // The reason is the system's where it gives one: no space is not a broken disk.
    if (rc == -EIO && errno != 0)
        rc = -errno;
    job->error = rc;
}

static int open_output(struct job *job, const char *path)
{
    if (strcmp(path, "-") == 0) {
        job->out = stdout;
        return 0;
    }
    // A pipe or a device cannot be replaced.
    struct stat st;
    bool replace = stat(path, &st) != 0 || S_ISREG(st.st_mode);
    if (replace && asprintf(&job->temporary, "%s.new", path) < 0) {
        job->temporary = NULL;
        log_error("out of memory");
        return EX_OSERR;
    }
    const char *name = replace ? job->temporary : path;
    job->out = fopen(name, "w");
    if (job->out)
        return 0;
    log_error("%s: %s; name a file that can be written with -o", name, strerror(errno));
    return EX_CANTCREAT;
}

static int say_output(const char *path, int rc)
{
    log_error("%s: %s%s", strcmp(path, "-") == 0 ? "standard output" : path, strerror(-rc),
              rc == -ENOSPC ? "; make room, or name another place with -o" : "");
    return rc == -ENOMEM ? EX_OSERR : EX_IOERR;
}

// Moves a whole output into place; a half one is removed.
static int close_output(struct job *job, const char *path, bool whole)
{
    int code = 0;
    if (!job->out)
        return 0;
    errno = 0;
    bool failed = fflush(job->out) != 0;
    int why = errno;
    if (job->out != stdout && fclose(job->out) != 0 && !failed) {
        failed = true;
        why = errno;
    }
    job->out = NULL;
    if (failed && whole)
        code = say_output(path, why ? -why : -EIO);
    if (job->temporary && whole && !failed) {
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
    const struct journal_stats *j = journal_reader_stats(job->follow.reader);
    struct control_status *status = control_status_new("postern-analysis");
    if (!status)
        return -ENOMEM;
    control_status_time(status, job->follow.last_ms);
    control_status_conf_hash(status, d->conf_hash);
    control_status_counter(status, "journal_blocks", j->blocks);
    control_status_counter(status, "journal_bad_blocks", j->bad_blocks);
    control_status_counter(status, "journal_shredded", j->shredded);
    engine_status(job->engine, status);
    if (j->bad_blocks > 0)
        control_status_problem(status, 1, "journal-damaged",
                               "blocks of the journal were passed over: their minutes are missing",
                               "restore the journal's segment from a copy, or accept the gap");
    int rc = control_status_write(status, path);
    control_status_free(status);
    return rc;
}

static int open_job(struct daemon *d, struct job *job, const char *journal)
{
    const struct settings *settings = d->conf;
    struct engine_options options = {.settings = settings,
                                     .site = d->site,
                                     .overrides = job->overrides,
                                     .conf_hash = d->conf_hash};
    job->engine = engine_new(&options, write_verdict, job);
    if (!job->engine) {
        log_error("out of memory; lower analysis.parties_max");
        return EX_OSERR;
    }
    job->follow.engine[0] = job->engine;
    return follow_open(&job->follow, journal, NULL, settings->journal_keys);
}

// The whole journal, as far as wanted. 0 or a sysexits code.
static int read_journal(struct job *job, const char *journal)
{
    int rc = follow_take(&job->follow, 0);
    if (rc == 0)
        return 0;
    log_error("%s: %s", journal, strerror(-rc));
    return rc == -ENOMEM ? EX_OSERR : EX_IOERR;
}

static int verdict_job(struct daemon *d, struct job *job, const char *journal, const char *output)
{
    int code = open_job(d, job, journal);
    if (code == 0)
        code = open_output(job, output);
    if (code != 0)
        return code;
    code = read_journal(job, journal);
    if (code == 0 && job->error != 0)
        code = say_output(output, job->error);
    int closed = close_output(job, output, code == 0);
    if (code == 0)
        code = closed;
    const char *status = daemon_value(d->args, "status");
    int rc;
    if (status && (rc = write_status(d, job, status)) != 0) {
        log_error("%s: %s", status, strerror(-rc));
        return EX_CANTCREAT;
    }
    // What could be read was used; that it was not all is told by the code.
    return code == 0 && job->follow.damaged > 0 ? EX_DATAERR : code;
}

static int print_json(json_t *j)
{
    int rc = j ? json_write_line(stdout, j) : -ENOMEM;
    if (rc == 0 && fflush(stdout) != 0)
        rc = -errno;
    json_decref(j);
    return rc == 0 ? 0 : say_output("-", rc);
}

static int why_job(struct daemon *d, struct job *job, const char *journal)
{
    const char *who = daemon_value(d->args, "why"), *at = daemon_value(d->args, "at");
    if (at && time_parse(at, &job->follow.until_ms) != 0) {
        log_error("--at %s is no time; give RFC 3339, as 2026-11-22T06:00:00Z", at);
        return EX_USAGE;
    }
    const struct settings *s = d->conf;
    job->overrides = overrides_of_state(s->state);
    int code = job->overrides ? open_job(d, job, journal) : EX_OSERR;
    if (code == 0)
        code = read_journal(job, journal);
    if (code != 0)
        return code;
    int64_t now_ms = at && job->follow.past ? job->follow.until_ms : job->follow.last_ms;
    json_t *why = explain(job->engine, who, now_ms);
    if (!why) {
        log_error(
            "%s is no party and no address; give one as line:4711, 192.0.2.7 or vlan:101/192.0.2.7",
            who);
        return EX_USAGE;
    }
    code = print_json(why);
    return code == 0 && job->follow.damaged > 0 ? EX_DATAERR : code;
}

static int compare_job(struct daemon *d, const char *journal)
{
    json_t *result = NULL;
    int code = compare_rules(d, journal, daemon_value(d->args, "from"),
                             daemon_value(d->args, "compare"), &result);
    if (!result)
        return code;
    int printed = print_json(result);
    return printed ? printed : code;
}

static bool is_file_job(const struct daemon *d)
{
    return daemon_has(d->args, "journal") || daemon_has(d->args, "output") ||
           daemon_has(d->args, "why") || daemon_has(d->args, "compare");
}

static int analysis_run(struct daemon *d, bool *done)
{
    const struct settings *s = d->conf;
    const char *journal = daemon_value(d->args, "journal");
    const char *output = daemon_value(d->args, "output");
    struct job job = {0};
    int code;
    if (!is_file_job(d))
        return 0;
    *done = true;
    if (daemon_has(d->args, "why")) {
        code = why_job(d, &job, journal ? journal : s->journal);
    } else if (daemon_has(d->args, "compare")) {
        code = compare_job(d, journal ? journal : s->journal);
    } else if (!journal || !output) {
        log_error("give the journal with -j and the file for verdicts with -o");
        code = EX_USAGE;
    } else {
        code = verdict_job(d, &job, journal, output);
    }
    if (job.out)
        close_output(&job, output, false);
    follow_close(&job.follow);
    engine_free(job.engine);
    overrides_free(job.overrides);
    free(job.temporary);
    return code;
}

static int analysis_check(struct daemon *d)
{
    char error[SETTINGS_ERROR];
    if (settings_check(d->conf, daemon_config_path(d->args), error) == 0) {
        settings_warn(d->conf, daemon_config_path(d->args), loop_clock_ms());
        return 0;
    }
    settings_say(error);
    return EX_CONFIG;
}

static int analysis_open(struct daemon *d)
{
    struct live *l = NULL;
    int code = is_file_job(d) ? 0 : live_open(d, &l);
    d->state = l;
    return code;
}

static void analysis_sandbox(const struct daemon *d, struct sandbox *s)
{
    const struct settings *c = d->conf;
    sandbox_allow(s, SANDBOX_WRITES);
    sandbox_follow(s, c->journal);
    sandbox_follow(s, c->journal_keys);
    sandbox_make(s, c->verdicts);
    sandbox_make(s, c->state);
}

static int analysis_start(struct daemon *d)
{
    return live_start(d->state);
}

static int analysis_reload(struct daemon *d, void *new_conf)
{
    char error[SETTINGS_ERROR];
    if (settings_check(new_conf, daemon_config_path(d->args), error) != 0) {
        settings_say(error);
        return -EINVAL;
    }
    return live_reload(d->state, new_conf);
}

static void analysis_status(struct daemon *d, struct control_status *s)
{
    live_status(d->state, s);
}

static json_t *analysis_command(struct daemon *d, const char *command, const json_t *request,
                                int64_t now_ms, struct control_error *error)
{
    (void)now_ms; // packet time alone counts here
    return live_command(d->state, command, request, error);
}

static void analysis_stop(struct daemon *d)
{
    live_close(d->state);
    d->state = NULL;
}

static const struct daemon_option options[] = {
    {.letter = 'j', .name = "journal", .argument = "DIR", .help = "read this journal to its end"},
    {.letter = 'o',
     .name = "output",
     .argument = "FILE",
     .help = "write verdicts here, JSON lines (- for standard output)"},
    {.name = "why",
     .argument = "WHO",
     .help = "explain a party (line:4711) or an address, as JSON"},
    {.name = "at", .argument = "TIME", .help = "with --why: as of this time, RFC 3339"},
    {.name = "compare",
     .argument = "CONFIG",
     .help = "say who this configuration would flag and the present one not, as JSON"},
    {.name = "from",
     .argument = "TIME",
     .help = "with --compare: begin there (RFC 3339, or -7d before the journal's end)"},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    const struct daemon_spec spec = {
        .name = "postern-analysis",
        .summary = "who is a spam bot or a relay, how sure, and why",
        .synopsis = "[-c FILE] [-j JOURNAL-DIR -o VERDICTS] [--status FILE]",
        .options = options,
        .section = "analysis",
        .keys = settings_keys(),
        .conf_size = settings_size(),
        .check = analysis_check,
        .run = analysis_run,
        .open = analysis_open,
        .sandbox = analysis_sandbox,
        .start = analysis_start,
        .reload = analysis_reload,
        .status_fill = analysis_status,
        .command = analysis_command,
        .stop = analysis_stop,
    };
    return daemon_main(argc, argv, &spec);
}
