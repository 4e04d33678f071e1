// Mail logs from file to file. See mail_job.h.
#include "mail_job.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "common/log.h"
#include "mail_lines.h"

#define CHUNK (1 << 20)

struct job {
    struct mail_setup setup;
    struct mail_lines lines;
    uint8_t chunk[CHUNK];
};

static void on_line(void *ctx, struct span line)
{
    mail_log_line(ctx, line);
}

// 0, or EX_DATAERR for a file that could be read in part, EX_NOINPUT for one that could not.
static int read_file(struct job *j, const char *path, struct control_status *status)
{
    const char *error = NULL;
    gzFile in = strcmp(path, "-") == 0 ? gzdopen(0, "rb") : gzopen(path, "rb");
    if (!in) {
        log_error("%s: %s; give a log that can be read", path, strerror(errno));
        return EX_NOINPUT;
    }
    gzbuffer(in, CHUNK);
    int n, code = 0;
    while ((n = gzread(in, j->chunk, CHUNK)) > 0 && mail_log_error(j->setup.log) == 0)
        mail_lines_feed(&j->lines, span_of(j->chunk, (size_t)n), on_line, j->setup.log);
    mail_lines_end(&j->lines, on_line, j->setup.log);
    const char *text = gzerror(in, &code);
    if (n < 0)
        error = code == Z_ERRNO ? strerror(errno) : text;
    else if (code == Z_BUF_ERROR)
        error = "the compressed file ends too soon";
    control_status_input(status, path, error ? n < 0 ? "broken" : "truncated" : "whole",
                         error ? error : "");
    if (error)
        log_warning("%s: %s; what was readable was used", path, error);
    gzclose_r(in);
    return error ? EX_DATAERR : 0;
}

static int say(struct daemon *d, struct job *j, struct control_status *status)
{
    const struct mail_log_stats *s = mail_log_stats(j->setup.log);
    const char *path = daemon_value(d->args, "status");
    mail_log_status(j->setup.log, status);
    control_status_conf_hash(status, d->conf_hash);
    log_info("%llu lines, %llu of no known form, %llu records", (unsigned long long)s->lines,
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

static int read_all(struct daemon *d, struct job *j)
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
    int said = say(d, j, status);
    control_status_free(status);
    return rc ? rc : said;
}

int mail_job_run(struct daemon *d, const struct keyed_hash_key *key, uint8_t profile)
{
    static struct job j;
    const char *output = daemon_value(d->args, "output");
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    int rc = mail_setup_open(d, key, profile, output, now_ms, &j.setup);
    if (rc == 0)
        rc = read_all(d, &j);
    int error = j.setup.log ? mail_log_error(j.setup.log) : 0, map = j.setup.map_error;
    int closed = mail_setup_close(&j.setup);
    error = error ? error : closed;
    if (error != 0) {
        log_error("%s: %s", output, strerror(-error));
        rc = EX_IOERR;
    }
    if (map != 0) {
        log_error("sensor.mail_log.mailbox_map: %s; names of mailboxes are missing in it",
                  strerror(-map));
        rc = rc ? rc : EX_IOERR;
    }
    return rc;
}
