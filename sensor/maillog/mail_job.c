// Mail logs from file to file. See mail_job.h.
#include "maillog/mail_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "gunzip.h"
#include "maillog/mail_lines.h"

#define CHUNK (1 << 20)

struct job_of {
    struct mail_setup setup;
    struct mail_lines lines;
    uint8_t chunk[CHUNK];
};

static void on_line(void *ctx, struct span line)
{
    mail_log_line(ctx, line);
}

struct opened {
    FILE *plain; // NULL: compressed
    struct gunzip *packed;
};

// A gzip file begins with 0x1f, which no line of a log does.
static int open_log(const char *path, struct opened *out)
{
    FILE *f = strcmp(path, "-") == 0 ? fdopen(dup(0), "r") : fopen(path, "re");
    if (!f)
        return -errno;
    int first = getc(f);
    ungetc(first, f);
    *out = (struct opened){.plain = f};
    if (first != 0x1f)
        return ferror(f) ? -EIO : 0;
    *out = (struct opened){.packed = gunzip_new(f)};
    return out->packed ? 0 : -ENOMEM;
}

static void close_log(struct opened *o)
{
    if (o->plain)
        fclose(o->plain);
    gunzip_free(o->packed);
}

// What became of the file: "whole", or what is wrong with it in `text`.
static const char *judge(const struct opened *o, char *text, size_t size)
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

// 0, or EX_DATAERR for a file that could be read in part, EX_NOINPUT for one that could not.
static int read_file(struct job_of *j, const char *path, struct control_status *status)
{
    struct opened in = {0};
    char text[120];
    size_t n;
    int rc = open_log(path, &in);
    if (rc < 0) {
        close_log(&in);
        log_error("%s: %s; give a log that can be read", path, strerror(-rc));
        return EX_NOINPUT;
    }
    while (mail_log_error(j->setup.log) == 0 &&
           (n = in.packed ? gunzip_read(in.packed, j->chunk, CHUNK)
                          : fread(j->chunk, 1, CHUNK, in.plain)) > 0)
        mail_lines_feed(&j->lines, span_of(j->chunk, n), on_line, j->setup.log);
    mail_lines_end(&j->lines, on_line, j->setup.log);
    const char *state = judge(&in, text, sizeof text);
    control_status_input(status, path, state, text);
    if (text[0])
        log_warning("%s: %s; what was readable was used", path, text);
    close_log(&in);
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

static int read_all(struct daemon *d, struct job_of *j)
{
    struct control_status *status = control_status_new(d->spec->name);
    int rc = 0;
    if (!status)
        return EX_OSERR;
    for (size_t i = 0; i < daemon_count(d->args, "read") && mail_log_error(j->setup.log) == 0;
         i++) {
        int one = read_file(j, daemon_nth(d->args, "read", i), status);
        rc = rc ? rc : one;
    }
    mail_log_finish(j->setup.log);
    int delivered = deliver(d, j), said = say(d, j, status);
    control_status_free(status);
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
