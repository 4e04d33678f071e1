// postern-sensor: from captures or interfaces to records of who speaks SMTP and SOCKS, and how.
// postern-sensor(8). The options and which job they ask for; the packet path is sensor.c.
#include <string.h>

#include "check.h"
#include "common/log.h"
#include "enroll.h"
#include "file_job.h"
#include "live.h"
#include "sensor_conf.h"

static const struct daemon_option options[] = {
    {'i', "interface", "IFACE", true, "Interface to capture from; may be repeated."},
    {'r', "read", "CAPTURE", true, "Capture to read (pcap, pcapng, .gz); may be repeated."},
    {'o', "output", "RECORDS", false, "File of records to write, - for standard output."},
    {0, "print", "flows", false, "Print a JSON object for every mail and SOCKS flow."},
    {0, "seconds", "N", false, "check: how long to look (default 60)."},
    {0, "json", NULL, false, "check: say it as JSON."},
    {0, "enroll", "TOKEN@HOST:PORT", false,
     "Make this sensor's key in sensor.tls and get its certificate; end."},
    {0},
};

enum task { TASK_FILES, TASK_LIVE, TASK_CHECK, TASK_ENROLL, TASK_NONE };

static enum task task_of(const struct daemon *d)
{
    const char *word = daemon_operand(d->args, 0), *none[1];
    if (daemon_operands(d->args) == 2 && strcmp(word, "check") == 0)
        return TASK_CHECK;
    if (daemon_operands(d->args) > 0)
        return TASK_NONE;
    if (daemon_has(d->args, "enroll"))
        return TASK_ENROLL;
    if (daemon_has(d->args, "read"))
        return daemon_has(d->args, "interface") ? TASK_NONE : TASK_FILES;
    return live_interfaces(d, none, 0) > 0 ? TASK_LIVE : TASK_NONE;
}

static int usage(const struct daemon *d)
{
    if (daemon_operands(d->args) > 0)
        log_error("what stands behind the options is not understood; see postern-sensor --help");
    else if (daemon_has(d->args, "read"))
        log_error("captures or interfaces, not both; see postern-sensor --help");
    else
        log_error(
            "there is nothing to read; give -r CAPTURE or -i IFACE; see postern-sensor --help");
    return EX_USAGE;
}

static int open_job(struct daemon *d)
{
    switch (task_of(d)) {
    case TASK_LIVE: return live_open(d);
    case TASK_CHECK: return check_open(d);
    case TASK_ENROLL:
    case TASK_FILES: return 0;
    default: return usage(d);
    }
}

static int run(struct daemon *d, bool *done)
{
    enum task task = task_of(d);
    const struct sensor_conf *c = d->conf;
    *done = task != TASK_LIVE;
    if (task == TASK_ENROLL)
        return enroll_job(daemon_value(d->args, "enroll"), c->tls);
    return task == TASK_FILES ? file_job(d) : task == TASK_CHECK ? check_run(d) : 0;
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "postern-sensor",
        .summary = "Sees from mirrored packets who speaks SMTP and SOCKS, and counts it.",
        .synopsis = "[-c FILE] -i IFACE ... | -r CAPTURE ... [-o RECORDS] [--print flows] "
                    "[--status FILE] | check IFACE [--seconds N] [--json]",
        .options = options,
        .section = "sensor",
        .keys = sensor_conf_keys,
        .conf_size = sizeof(struct sensor_conf),
        .check = sensor_conf_check,
        .run = run,
        .open = open_job,
        .start = live_start,
        .reload = live_reload,
        .status_fill = live_status,
        .stop = live_stop,
    };
    return daemon_main(argc, argv, &spec);
}
