// The order of a file job: what is asked for, captures, packet path, packets, and what is to be said.
#include "file_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/control.h"
#include "common/log.h"
#include "domain.h"
#include "setup.h"

struct file_job {
    struct job job;
    struct source source;
};

static int usage(const char *text)
{
    log_error("%s; see postern-sensor --help", text);
    return EX_USAGE;
}

static int open_captures(struct daemon *d, struct file_job *j)
{
    size_t n = daemon_count(d->args, "read");
    const char **paths = calloc(n, sizeof *paths), *failed = NULL;
    if (!paths)
        return setup_out_of_memory();
    size_t standard = 0;
    for (size_t i = 0; i < n; i++) {
        paths[i] = daemon_nth(d->args, "read", i);
        standard += strcmp(paths[i], "-") == 0;
    }
    if (standard > 1) {
        free(paths);
        return usage("standard input is one capture; give -r - once");
    }
    int rc = source_files_open(paths, n, &j->source, &failed);
    free(paths);
    if (rc == 0)
        return 0;
    if (!failed)
        return setup_out_of_memory();
    log_error("%s: %s; give a capture that can be read", failed, strerror(-rc));
    return EX_NOINPUT;
}

// A capture must not be overwritten by its own records, whatever name it is read by.
static bool is_an_input(const struct daemon *d, const char *output)
{
    struct stat out, in;
    if (stat(output, &out) != 0 || !S_ISREG(out.st_mode))
        return false;
    for (size_t i = 0; i < daemon_count(d->args, "read"); i++) {
        const char *path = daemon_nth(d->args, "read", i);
        int rc = strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &in) : stat(path, &in);
        if (rc == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
            return true;
    }
    return false;
}

static int open_sensor(struct daemon *d, struct file_job *j)
{
    const struct sensor_conf *c = d->conf;
    const char *output = daemon_value(d->args, "output");
    struct sensor_setup setup = {.conf = c,
                                 .subscribers = j->job.subscribers,
                                 .smarthosts = j->job.smarthosts,
                                 .print = daemon_has(d->args, "print") ? stdout : NULL};
    setup.profile = (uint8_t)(c->legal_profile > 0 ? c->legal_profile - 1 : COVERAGE_FULL_ENVELOPE);
    if (c->legal_profile == 0)
        log_info("sensor.legal_profile is not chosen; a replay looks at full-envelope");
    int rc = setup_key(d, &setup.key);
    if (rc != 0)
        return rc;
    if (output && is_an_input(d, output)) {
        log_error("%s: is the capture itself; choose another output", output);
        return EX_USAGE;
    }
    rc = setup_sink(d, 0, &j->job.sink);
    if (rc == 0)
        rc = setup_outlet(d, 0, true, &j->job);
    if (rc != 0)
        return rc;
    setup.sink = j->job.sink.kind ? &j->job.sink : NULL;
    j->job.sensor = sensor_new(&setup);
    return j->job.sensor ? 0 : setup_out_of_memory();
}

// Says which captures were not whole. 0 or EX_DATAERR.
static int judge_inputs(const struct file_job *j, struct control_status *status)
{
    size_t n;
    const struct source_input *in = source_files_inputs(&j->source, &n);
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        if (in[i].state != SOURCE_WHOLE) {
            log_warning("%s: %s", in[i].path, in[i].text);
            rc = EX_DATAERR;
        }
        control_status_input(status, in[i].path, source_state_name(in[i].state), in[i].text);
    }
    return rc;
}

// A list of flows does not show what is missing in it; a status document does.
static void say_skipped(const struct daemon *d, const struct file_job *j)
{
    char text[160];
    if (daemon_has(d->args, "print") && !daemon_has(d->args, "status") &&
        sensor_skipped(j->job.sensor, text, sizeof text) > 0)
        log_warning("%s; --status FILE names them all", text);
}

static int finish(struct daemon *d, struct file_job *j, struct control_status *status)
{
    const char *path = daemon_value(d->args, "status"), *output = daemon_value(d->args, "output");
    sensor_finish(j->job.sensor);
    say_skipped(d, j);
    int error = sensor_error(j->job.sensor), closed = sink_close(&j->job.sink);
    if (error == 0)
        error = closed;
    if (error == 0 && daemon_has(d->args, "print") && fflush(stdout) != 0)
        error = -errno;
    const struct sensor_conf *c = d->conf;
    int rc = judge_inputs(j, status);
    if (error != 0) {
        log_error("%s: %s",
                  j->job.outlet ? c->spool
                  : output      ? output
                                : "standard output",
                  strerror(-error));
        control_status_problem(status, 2, "records-lost", strerror(-error),
                               "Make room for the records, or repair where they go, and run it "
                               "again: it ended there.");
        rc = EX_IOERR;
    } else if (j->job.outlet) {
        int sent = outlet_drain(j->job.outlet);
        rc = rc ? rc : sent;
    }
    uint32_t told = j->job.outlet ? outlet_status(j->job.outlet, status, loop_clock_ms()) : 0;
    sensor_status(j->job.sensor, told, status);
    control_status_conf_hash(status, d->conf_hash);
    if (path && (error = control_status_write(status, path)) != 0) {
        log_error("%s: %s; choose another status file", path, strerror(-error));
        rc = rc ? rc : EX_CANTCREAT;
    }
    return rc;
}

// What the command line lacks; 0 or EX_USAGE.
static int judge_options(const struct daemon *d)
{
    const char *what = daemon_value(d->args, "print");
    if (what && strcmp(what, "flows") != 0)
        return usage("--print knows only flows");
    const struct sensor_conf *c = d->conf;
    if (!what && !daemon_has(d->args, "output") && !daemon_has(d->args, "status") && !c->spool)
        return usage(
            "there is nothing to write; give -o RECORDS or --print flows, or set sensor.spool");
    return 0;
}

int file_job(struct daemon *d)
{
    struct file_job j = {0};
    struct control_status *status = NULL;
    const struct sensor_conf *c = d->conf;
    int rc = domain_settle(d, d->conf, daemon_has(d->args, "output") || !c->spool);
    if (rc == 0)
        rc = judge_options(d);
    if (rc == 0)
        rc = setup_sets(d->site, &j.job.subscribers, &j.job.smarthosts);
    if (rc == 0)
        rc = open_captures(d, &j);
    if (rc == 0)
        rc = open_sensor(d, &j);
    if (rc != 0)
        goto out;
    sensor_read(j.job.sensor, &j.source);
    status = control_status_new("postern-sensor");
    rc = status ? finish(d, &j, status) : setup_out_of_memory();
out:
    control_status_free(status);
    setup_free(&j.job);
    source_close(&j.source);
    return rc;
}
