// Mail logs from file to file. See mail_job.h.
#include "maillog/mail_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "maillog/mail_input.h"
#include "maillog/mail_lines.h"

#define CHUNK    (1 << 20)
#define AHEAD_MS 3600000 // of this machine's clock
#define BACK_MS  5000

struct job_of {
    struct mail_setup setup;
    struct mail_lines lines;
    struct mail_look *look; // a file each, in the order of reading
    size_t files;
    uint64_t ahead, behind, unknown, repeated; // files
    int64_t now_ms;
    uint8_t chunk[CHUNK];
};

static void on_line(void *ctx, struct span line)
{
    mail_log_line(ctx, line);
}

// What became of the file: "whole", or what is wrong with it in `text`.
static const char *judge(const struct mail_input *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->plain && ferror(o->plain)) {
        snprintf(text, size, "%s", strerror(EIO));
        return "broken";
    }
    enum gunzip_state state = o->packed ? gunzip_state(o->packed) : GUNZIP_WHOLE;
    if (state == GUNZIP_WHOLE)
        return "whole";
    snprintf(text, size, "%s at octet %llu of the compressed file",
             state == GUNZIP_BROKEN ? "is damaged" : "ends too soon",
             (unsigned long long)gunzip_offset(o->packed));
    return state == GUNZIP_BROKEN ? "broken" : "truncated";
}

// What the whole of a file is like, for which no line alone can be blamed.
static void judge_lines(struct job_of *j, const struct mail_look *look, int64_t before_ms,
                        const struct mail_log_stats *before)
{
    const struct mail_log_stats *s = mail_log_stats(j->setup.log);
    uint64_t lines = s->lines - before->lines, strange = s->lines_unknown - before->lines_unknown;
    int64_t here_ms = mail_log_latest_here(j->setup.log);
    if (lines > 0 && strange * 10 >= lines * 9) {
        j->unknown++;
        log_warning("%s: %s", look->path,
                    look->capture ? "is a capture of packets and no log; give it without --mail-log"
                                  : "hardly a line is of a form known here; give a mail server's "
                                    "log, or set sensor.mail_log.format");
    }
    if (look->first_ms > j->now_ms + AHEAD_MS) {
        j->ahead++;
        log_warning("%s: all of it is stamped ahead of this machine's clock; compare the clocks",
                    look->path);
    }
    if (here_ms > 0 && here_ms + BACK_MS < before_ms) {
        j->behind++;
        log_warning("%s: all of it lies behind what was read before it, and counts as of that "
                    "time; give the logs in their order, or each to a sensor of its own",
                    look->path);
    }
}

// 0, or EX_DATAERR for a file that could be read in part, EX_NOINPUT for one that could not.
static int read_file(struct job_of *j, const struct mail_look *look, struct control_status *status)
{
    struct mail_input in = {0};
    struct mail_log_stats before = *mail_log_stats(j->setup.log);
    int64_t before_ms = mail_log_latest(j->setup.log);
    char text[120];
    size_t n;
    int rc = mail_input_open(look->path, &in);
    if (rc < 0) {
        mail_input_close(&in);
        if (rc == -EISDIR)
            log_error("%s: is a folder; give the logs in it, each with -r", look->path);
        else
            log_error("%s: %s; give a log that can be read", look->path, strerror(-rc));
        return EX_NOINPUT;
    }
    mail_log_begin(j->setup.log, look->year ? look->first_ms : 0, look->ref_ms);
    while (mail_log_error(j->setup.log) == 0 && (n = mail_input_read(&in, j->chunk, CHUNK)) > 0)
        mail_lines_feed(&j->lines, span_of(j->chunk, n), on_line, j->setup.log);
    mail_lines_end(&j->lines, on_line, j->setup.log);
    const char *state = judge(&in, text, sizeof text);
    control_status_input(status, look->path, state, text);
    if (text[0])
        log_warning("%s: %s; what was readable was used", look->path, text);
    judge_lines(j, look, before_ms, &before);
    mail_input_close(&in);
    return text[0] ? EX_DATAERR : 0;
}

// Records are durable or handed over, or why not.
static int deliver(struct daemon *d, struct job_of *j)
{
    const struct sensor_conf *c = d->conf;
    struct job *job = &j->setup.job;
    const char *output = daemon_value(d->args, "output");
    int error = mail_log_error(j->setup.log), closed = sink_close(&job->sink);
    error = error ? error : closed;
    if (error == 0)
        return job->outlet ? outlet_drain(job->outlet) : 0;
    log_error("%s: %s", job->outlet ? c->spool : output, strerror(-error));
    return EX_IOERR;
}

static int say(struct daemon *d, struct job_of *j, struct control_status *status)
{
    const struct mail_log_stats *s = mail_log_stats(j->setup.log);
    const char *path = daemon_value(d->args, "status");
    mail_log_status(j->setup.log, status);
    if (j->setup.job.outlet)
        outlet_status(j->setup.job.outlet, status, loop_clock_ms());
    control_status_conf_hash(status, d->conf_hash);
    log_info("%llu lines, %llu of no known form, %llu events", (unsigned long long)s->lines,
             (unsigned long long)(s->lines_unknown + s->lines_broken),
             (unsigned long long)mail_join_told(mail_log_join_stats(j->setup.log)));
    if (s->lines_broken > 0)
        log_warning("%llu lines are no events, the last because: %s",
                    (unsigned long long)s->lines_broken, mail_log_last_error(j->setup.log));
    int rc = path ? control_status_write(status, path) : 0;
    if (rc < 0)
        log_error("%s: %s; choose another status file", path, strerror(-rc));
    return rc < 0 ? EX_CANTCREAT : s->lines_broken > 0 ? EX_DATAERR : 0;
}

// Logs as the shell names them begin with the newest: mail.log, mail.log.1, mail.log.2.gz.
static int look_at_all(struct daemon *d, struct job_of *j)
{
    j->files = daemon_count(d->args, "read");
    j->look = calloc(j->files + 1, sizeof *j->look);
    if (!j->look)
        return setup_out_of_memory();
    j->now_ms = loop_clock_ms();
    for (size_t i = 0; i < j->files; i++)
        mail_look(daemon_nth(d->args, "read", i), j->now_ms, &j->look[i]);
    if (mail_look_order(j->look, j->files))
        log_info("the logs are read in the order of their first stamps, from %s to %s",
                 j->look[0].path, j->look[j->files - 1].path);
    return 0;
}

static void say_files(const struct job_of *j, struct control_status *s)
{
    control_status_counter(s, "logs_ahead", j->ahead);
    control_status_counter(s, "logs_behind", j->behind);
    control_status_counter(s, "logs_unknown", j->unknown);
    control_status_counter(s, "logs_repeated", j->repeated);
    if (j->ahead > 0)
        control_status_problem(s, 1, "log-ahead",
                               "a whole log is stamped ahead of this machine's clock",
                               "compare the clocks, and the zones");
    if (j->behind > 0)
        control_status_problem(s, 1, "log-behind",
                               "a whole log lies behind what was read before it, and counts as of "
                               "that time",
                               "give the logs in their order, or each to a sensor of its own");
    if (j->unknown > 0)
        control_status_problem(s, 1, "unknown-log", "of a log hardly a line is of a known form",
                               "give a mail server's log, or set sensor.mail_log.format");
    if (j->repeated > 0)
        control_status_problem(s, 1, "same-log", "a log was named twice, and read once",
                               "name it once");
}

static int read_all(struct daemon *d, struct job_of *j)
{
    struct control_status *status = control_status_new(d->spec->name);
    int rc = status ? look_at_all(d, j) : EX_OSERR;
    for (size_t i = 0; status && i < j->files && mail_log_error(j->setup.log) == 0; i++) {
        if (mail_look_repeats(j->look, i)) {
            j->repeated++;
            log_warning("%s: is a log that was read already under another name; it counts once",
                        j->look[i].path);
            continue;
        }
        int one = read_file(j, &j->look[i], status);
        rc = rc ? rc : one;
    }
    if (!status)
        return rc;
    mail_log_finish(j->setup.log);
    say_files(j, status);
    int delivered = deliver(d, j), said = say(d, j, status);
    control_status_free(status);
    free(j->look);
    return delivered ? delivered : rc ? rc : said;
}

int mail_job(struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    uint8_t profile = (uint8_t)(c->legal_profile > 0 ? c->legal_profile - 1
                                                     : COVERAGE_FULL_ENVELOPE);
    if (daemon_has(d->args, "print")) {
        log_error("--print shows flows of captures, not mail logs; see postern-sensor --help");
        return EX_USAGE;
    }
    if (!daemon_has(d->args, "output") && !daemon_has(d->args, "status") && !c->spool) {
        log_error("there is nothing to write; give -o RECORDS, or set sensor.spool");
        return EX_USAGE;
    }
    struct job_of *j = calloc(1, sizeof *j);
    int rc = j ? mail_setup_open(d, profile, true, loop_clock_ms(), &j->setup)
               : setup_out_of_memory();
    if (rc == 0)
        rc = read_all(d, j);
    if (j && j->setup.map_error != 0) {
        log_error("sensor.mail_log.mailbox_map: %s; names of mailboxes are missing in it",
                  strerror(-j->setup.map_error));
        rc = rc ? rc : EX_IOERR;
    }
    if (j)
        mail_setup_close(&j->setup);
    free(j);
    return rc;
}
