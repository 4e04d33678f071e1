// postern-sensor: from captures or interfaces to records of who speaks SMTP and SOCKS, and how.
// postern-sensor(8). The options and which job they ask for; the packet path is sensor.c.
#include <string.h>

#include "check.h"
#include "common/log.h"
#include "enroll.h"
#include "file_job.h"
#include "live.h"
#include "maillog/mail_check.h"
#include "maillog/mail_job.h"
#include "maillog/mail_live.h"
#include "sensor_conf.h"

static const struct daemon_option options[] = {
    {'i', "interface", "IFACE", true, "Interface to capture from; may be repeated."},
    {'r', "read", "CAPTURE", true,
     "Capture to read (pcap, pcapng, .gz; -: standard input); may be repeated."},
    {'o', "output", "RECORDS", false, "File of records to write, - for standard output."},
    {0, "mail-log", NULL, false, "Read logs of mail servers: -r FILE, or sensor.mail_log live."},
    {0, "print", "flows", false, "Print a JSON object for every mail and SOCKS flow."},
    {0, "seconds", "N", false, "check: how long to look (default 60)."},
    {0, "json", NULL, false, "check: say it as JSON."},
    {0, "enroll", "TOKEN@HOST:PORT", false,
     "Make this sensor's key in sensor.tls and get its certificate; end."},
    {0},
};

enum task {
    TASK_FILES,
    TASK_LIVE,
    TASK_MAIL_FILES,
    TASK_MAIL_LIVE,
    TASK_CHECK,
    TASK_ENROLL,
    TASK_NONE,
};

static enum task task_of(const struct daemon *d)
{
    const char *word = daemon_operand(d->args, 0), *none[1];
    if (daemon_operands(d->args) == 2 && strcmp(word, "check") == 0)
        return TASK_CHECK;
    if (daemon_operands(d->args) > 0)
        return TASK_NONE;
    if (daemon_has(d->args, "enroll"))
        return TASK_ENROLL;
    if (daemon_has(d->args, "mail-log") && !daemon_has(d->args, "interface"))
        return daemon_has(d->args, "read") ? TASK_MAIL_FILES : TASK_MAIL_LIVE;
    if (daemon_has(d->args, "read"))
        return daemon_has(d->args, "interface") ? TASK_NONE : TASK_FILES;
    return live_interfaces(d, none, 0) > 0 ? TASK_LIVE : TASK_NONE;
}

static int usage(const struct daemon *d)
{
    if (daemon_operands(d->args) == 1 && strcmp(daemon_operand(d->args, 0), "check") == 0)
        return check_usage();
    if (daemon_operands(d->args) > 0)
        log_error("what stands behind the options is not understood; see postern-sensor --help");
    else if (daemon_has(d->args, "read"))
        log_error("captures or interfaces, not both; see postern-sensor --help");
    else
        log_error(
            "there is nothing to read; give -r CAPTURE or -i IFACE; see postern-sensor --help");
    return EX_USAGE;
}

static int check_conf(struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    bool asked = daemon_has(d->args, "check"), logs = daemon_has(d->args, "mail-log");
    bool follows = c->mail_log.files.count > 0 || c->mail_log.journal;
    int rc = sensor_conf_check(d), live = live_check(d), mail = asked || logs ? mail_check(d) : 0;
    // One configuration may name both; what both need is said once.
    if (asked && follows && c->interfaces.count == 0) {
        int needs = mail_check_live(d), spool = sensor_conf_check_spool(d);
        mail = mail ? mail : needs ? needs : spool;
    }
    int places = asked ? mail_check_places(d) : 0;
    return rc ? rc : live ? live : mail ? mail : places;
}

static int open_job(struct daemon *d)
{
    switch (task_of(d)) {
    case TASK_LIVE: return live_open(d);
    case TASK_MAIL_LIVE: return mail_live_open(d);
    case TASK_CHECK: return check_open(d);
    case TASK_ENROLL:
    case TASK_MAIL_FILES:
    case TASK_FILES: return 0;
    default: return usage(d);
    }
}

static int run(struct daemon *d, bool *done)
{
    enum task task = task_of(d);
    const struct sensor_conf *c = d->conf;
    *done = task != TASK_LIVE && task != TASK_MAIL_LIVE;
    if (task == TASK_ENROLL)
        return enroll_job(daemon_value(d->args, "enroll"), c->tls);
    if (task == TASK_MAIL_FILES)
        return mail_job(d);
    return task == TASK_FILES ? file_job(d) : task == TASK_CHECK ? check_run(d) : 0;
}

static void sandbox(const struct daemon *d, struct sandbox *s)
{
    enum task task = task_of(d);
    if (task == TASK_MAIL_LIVE)
        mail_live_sandbox(d, s);
    else if (task == TASK_LIVE)
        live_sandbox(d, s);
}

static int start(struct daemon *d)
{
    return task_of(d) == TASK_MAIL_LIVE ? mail_live_start(d) : live_start(d);
}

static int reload(struct daemon *d, void *new_conf)
{
    if (task_of(d) != TASK_MAIL_LIVE)
        return live_reload(d, new_conf);
    log_error("a sensor that reads mail logs takes a new configuration when it is restarted");
    return EX_CONFIG;
}

static void status(struct daemon *d, struct control_status *out)
{
    if (task_of(d) == TASK_MAIL_LIVE)
        mail_live_status(d, out);
    else
        live_status(d, out);
}

static void stop(struct daemon *d)
{
    if (task_of(d) == TASK_MAIL_LIVE)
        mail_live_stop(d);
    else
        live_stop(d);
}

static void abandon(struct daemon *d)
{
    switch (task_of(d)) {
    case TASK_LIVE: live_abandon(d); break;
    case TASK_MAIL_LIVE: mail_live_abandon(d); break;
    case TASK_CHECK: check_abandon(d); break;
    default: break;
    }
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "postern-sensor",
        .summary = "Sees from mirrored packets who speaks SMTP and SOCKS, and counts it.",
        .synopsis =
            "[-c FILE] -i IFACE ... | -r CAPTURE ... [-o RECORDS] [--print flows] "
            "[--status FILE] | --mail-log [-r LOG ...] | check IFACE [--seconds N] [--json]",
        .options = options,
        .section = "sensor",
        .keys = sensor_conf_keys,
        .conf_size = sizeof(struct sensor_conf),
        .check = check_conf,
        .run = run,
        .open = open_job,
        .sandbox = sandbox,
        .start = start,
        .reload = reload,
        .status_fill = status,
        .stop = stop,
        .abandon = abandon,
    };
    return daemon_main(argc, argv, &spec);
}
