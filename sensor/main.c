// postern-sensor: reads captures and writes records of who speaks SMTP and SOCKS, and how.
// postern-sensor(8). Options and the job from file to file; the packet path is sensor.c.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/control.h"
#include "common/daemon.h"
#include "common/log.h"
#include "maillog/mail_job.h"
#include "sensor.h"

static const struct daemon_option options[] = {
    {'r', "read", "CAPTURE", true, "Capture to read (pcap, pcapng, .gz); may be repeated."},
    {'o', "output", "RECORDS", false, "File of records to write, - for standard output."},
    {0, "mail-log", NULL, false, "Read logs of mail servers, not captures."},
    {0, "print", "flows", false, "Print a JSON object for every mail and SOCKS flow."},
    {0},
};

struct job {
    struct prefix_set *subscribers, *smarthosts;
    struct sink sink;
    struct source source;
    struct sensor *sensor;
};

static int usage(const char *text)
{
    log_error("%s; see postern-sensor --help", text);
    return EX_USAGE;
}

static int out_of_memory(void)
{
    log_error("out of memory; lower sensor.flows, sensor.dialogues or sensor.stream_memory");
    return EX_OSERR;
}

static int add_list(struct prefix_set *set, const struct conf_prefixes *list)
{
    for (size_t i = 0; i < list->count; i++) {
        int rc = prefix_set_add(set, &list->item[i], 0);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int make_sets(struct daemon *d, struct job *j)
{
    j->subscribers = prefix_set_new();
    j->smarthosts = prefix_set_new();
    if (!j->subscribers || !j->smarthosts || add_list(j->smarthosts, &d->site->smarthosts) != 0)
        return out_of_memory();
    int rc = 0;
    if (d->site->subscribers.count > 0)
        rc = add_list(j->subscribers, &d->site->subscribers) != 0 ? out_of_memory() : 0;
    else if (prefix_set_add_private(j->subscribers, 0) != 0)
        rc = out_of_memory();
    prefix_set_freeze(j->subscribers);
    prefix_set_freeze(j->smarthosts);
    return rc;
}

static int load_key(const struct sensor_conf *c, struct keyed_hash_key *out)
{
    if (!c->key_file) {
        *out = keyed_hash_key_replay();
        return 0;
    }
    int rc = keyed_hash_key_load(c->key_file, out);
    if (rc == 0)
        return 0;
    log_error("sensor.key_file: %s: %s", c->key_file,
              rc == -EPERM    ? "others may read it; chmod 600"
              : rc == -EINVAL ? "has no line \"ID HEX64\"; write one"
                              : strerror(-rc));
    return EX_CONFIG;
}

static int open_captures(struct daemon *d, struct job *j)
{
    size_t n = daemon_count(d->args, "read");
    const char **paths = calloc(n, sizeof *paths), *failed = NULL;
    if (!paths)
        return out_of_memory();
    for (size_t i = 0; i < n; i++)
        paths[i] = daemon_nth(d->args, "read", i);
    int rc = source_files_open(paths, n, &j->source, &failed);
    free(paths);
    if (rc == 0)
        return 0;
    if (!failed)
        return out_of_memory();
    log_error("%s: %s; give a capture that can be read", failed, strerror(-rc));
    return EX_NOINPUT;
}

// A capture must not be overwritten by its own records.
static bool is_an_input(const struct daemon *d, const char *output)
{
    struct stat out, in;
    if (stat(output, &out) != 0 || !S_ISREG(out.st_mode))
        return false;
    for (size_t i = 0; i < daemon_count(d->args, "read"); i++)
        if (stat(daemon_nth(d->args, "read", i), &in) == 0 && in.st_dev == out.st_dev &&
            in.st_ino == out.st_ino)
            return true;
    return false;
}

static int open_sensor(struct daemon *d, struct job *j)
{
    const struct sensor_conf *c = d->conf;
    const char *output = daemon_value(d->args, "output");
    struct sensor_setup setup = {.conf = c,
                                 .subscribers = j->subscribers,
                                 .smarthosts = j->smarthosts,
                                 .print = daemon_has(d->args, "print") ? stdout : NULL};
    setup.profile = (uint8_t)(c->legal_profile > 0 ? c->legal_profile - 1 : COVERAGE_FULL_ENVELOPE);
    if (c->legal_profile == 0)
        log_info("sensor.legal_profile is not chosen; a replay looks at full-envelope");
    int rc = load_key(c, &setup.key);
    if (rc != 0)
        return rc;
    if (output && is_an_input(d, output)) {
        log_error("%s: is the capture itself; choose another output", output);
        return EX_USAGE;
    }
    if (output) {
        rc = sink_file_open(output, (uint32_t)c->domain, &j->sink);
        if (rc != 0) {
            log_error("%s: %s; choose another output", output, strerror(-rc));
            return EX_CANTCREAT;
        }
    }
    setup.sink = j->sink.kind ? &j->sink : NULL;
    j->sensor = sensor_new(&setup);
    return j->sensor ? 0 : out_of_memory();
}

// Says which captures were not whole. 0 or EX_DATAERR.
static int judge_inputs(const struct job *j, struct control_status *status)
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

static int finish(struct daemon *d, struct job *j, struct control_status *status)
{
    const char *path = daemon_value(d->args, "status"), *output = daemon_value(d->args, "output");
    sensor_finish(j->sensor);
    int error = sensor_error(j->sensor), closed = sink_close(&j->sink);
    if (error == 0)
        error = closed;
    if (error == 0 && daemon_has(d->args, "print") && fflush(stdout) != 0)
        error = -errno;
    int rc = judge_inputs(j, status);
    if (error != 0) {
        log_error("%s: %s", output ? output : "standard output", strerror(-error));
        rc = EX_IOERR;
    }
    sensor_status(j->sensor, status);
    control_status_conf_hash(status, d->conf_hash);
    if (path && (error = control_status_write(status, path)) != 0) {
        log_error("%s: %s; choose another status file", path, strerror(-error));
        rc = rc ? rc : EX_CANTCREAT;
    }
    return rc;
}

static int read_mail_log(struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    struct keyed_hash_key key;
    uint8_t profile = (uint8_t)(c->legal_profile > 0 ? c->legal_profile - 1
                                                     : COVERAGE_FULL_ENVELOPE);
    if (daemon_has(d->args, "print"))
        return usage("--print shows flows of captures, not mail logs");
    int rc = load_key(c, &key);
    return rc == 0 ? mail_job_run(d, &key, profile) : rc;
}

static int run(struct daemon *d, bool *done)
{
    struct job j = {0};
    struct control_status *status = NULL;
    *done = true;
    if (daemon_operands(d->args) > 0)
        return usage("what stands behind the options is not understood");
    if (!daemon_has(d->args, "read"))
        return usage("there is nothing to read; give -r CAPTURE");
    const char *what = daemon_value(d->args, "print");
    if (what && strcmp(what, "flows") != 0)
        return usage("--print knows only flows");
    if (!what && !daemon_has(d->args, "output") && !daemon_has(d->args, "status"))
        return usage("there is nothing to write; give -o RECORDS or --print flows");
    if (daemon_has(d->args, "mail-log"))
        return read_mail_log(d);
    int rc = make_sets(d, &j);
    if (rc == 0)
        rc = open_captures(d, &j);
    if (rc == 0)
        rc = open_sensor(d, &j);
    if (rc != 0)
        goto out;
    struct source_frame frame;
    while (sensor_error(j.sensor) == 0 && source_next(&j.source, &frame) == SOURCE_FRAME)
        sensor_frame(j.sensor, &frame);
    status = control_status_new("postern-sensor");
    rc = status ? finish(d, &j, status) : out_of_memory();
out:
    control_status_free(status);
    sensor_free(j.sensor);
    sink_close(&j.sink);
    source_close(&j.source);
    prefix_set_free(j.subscribers);
    prefix_set_free(j.smarthosts);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "postern-sensor",
        .summary = "Sees from mirrored packets who speaks SMTP and SOCKS, and counts it.",
        .synopsis = "[-c FILE] -r CAPTURE ... [-o RECORDS] [--print flows] [--status FILE]",
        .options = options,
        .section = "sensor",
        .keys = sensor_conf_keys,
        .conf_size = sizeof(struct sensor_conf),
        .check = sensor_conf_check,
        .run = run,
    };
    return daemon_main(argc, argv, &spec);
}
