// postern-collector: records of sensors into minutes of subscribers. See postern-collector(8).
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collector.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/timefmt.h"
#include "conf_check.h"
#include "dump.h"
#include "inputs.h"
#include "live.h"
#include "lookup.h"

static const struct daemon_option options[] = {
    {'r', "records", "FILE", true,
     "Records to read, - for standard input; several files are merged by time."},
    {'j', "journal", "DIR", false, "The journal of minutes; made when it is not there."},
    {'l', "leases", "FILE", false, "Lease history (CSV), in the place of collector.leases."},
    {0, "dump", NULL, false, "Print the journal, a JSON object a line, end."},
    {0, "lookup", "ADDRESS@TIME", false,
     "Say whose the address (ADDRESS, ADDRESS:PORT) was then, by the lease files, end."},
    {0, "window", "DURATION", false, "Of a look-up: others that held it so long before or after."},
    {0, "purpose", "TEXT", false, "Of a look-up: what for; needed."},
    {0, "from", "TIME", false, "Dump: only minutes from this time on."},
    {0, "to", "TIME", false, "Dump: only minutes before this time."},
    {0, "key", "SUBSCRIBER", false, "Dump: only rows of this subscriber."},
    {0, "stat", NULL, false, "Say what the journal holds by day, and octets a row, end."},
    {0, "verify", NULL, false, "Read the whole journal, say whether it is sound, end."},
    {0},
};

static int code_of(int rc)
{
    switch (-rc) {
    case ENOENT:
    case ENODATA:
    case ENOTDIR: return EX_NOINPUT;
    case EACCES:
    case EPERM: return EX_NOPERM;
    case EINVAL:
    case EPROTONOSUPPORT: return EX_DATAERR;
    case ENOMEM: return EX_OSERR;
    default: return EX_IOERR;
    }
}

// An option that is a time. False: it is none, and that was said.
static bool read_time(const struct daemon_args *args, const char *name, int64_t *out)
{
    const char *text = daemon_value(args, name);
    if (!text || time_parse(text, out) == 0)
        return true;
    log_error("--%s %s: no time; write it as 2026-11-22T05:52:00Z", name, text);
    return false;
}

static int show(struct daemon *d, const char *journal)
{
    const struct collector_conf *conf = d->conf;
    struct dump_filter f = {.key = daemon_value(d->args, "key")};
    if (!read_time(d->args, "from", &f.from_ms) || !read_time(d->args, "to", &f.to_ms))
        return EX_USAGE;
    int rc = daemon_has(d->args, "dump")
                 ? dump_journal(journal, conf->journal_keys, &f, stdout, stderr)
             : daemon_has(d->args, "stat")
                 ? dump_stat(journal, conf->journal_keys, stdout, stderr)
                 : dump_verify(journal, conf->journal_keys, stdout, stderr);
    if (fflush(stdout) != 0 && rc == 0)
        rc = -EIO;
    return rc < 0 ? code_of(rc) : 0;
}

static int open_inputs(struct daemon *d, struct inputs *in)
{
    for (size_t i = 0; i < daemon_count(d->args, "records"); i++) {
        const char *path = daemon_nth(d->args, "records", i);
        int rc = inputs_add(in, path);
        if (rc < 0) {
            log_error("%s: %s", path, strerror(-rc));
            return code_of(rc);
        }
    }
    return 0;
}

static int take_all(struct collector *c, struct inputs *in)
{
    struct record r;
    uint32_t domain;
    int rc = 0;
    while (rc == 0 && inputs_next(in, &r) == 1) {
        rc = collector_take(c, &r);
        while (inputs_ended(in, &domain))
            collector_ended(c, domain);
    }
    return rc < 0 ? rc : collector_finish(c);
}

static int write_status(struct daemon *d, const struct collector *c, const struct inputs *in,
                        bool *whole)
{
    const char *path = daemon_value(d->args, "status");
    struct control_status *s = control_status_new(d->spec->name);
    if (!s)
        return -ENOMEM;
    control_status_conf_hash(s, d->conf_hash);
    collector_status(c, true, s);
    *whole = inputs_status(in, s);
    if (!*whole)
        control_status_problem(s, 1, "input", "not all of the input could be read",
                               "see `inputs`; what was readable was used");
    int rc = path ? control_status_write(s, path) : 0;
    control_status_free(s);
    if (rc < 0)
        log_error("%s: %s", path, strerror(-rc));
    return rc;
}

// Which file could not be written, why, and what to do.
static void say_journal(struct collector *c, const char *journal, int rc)
{
    char text[JOURNAL_DAMAGE_TEXT_MAX];
    log_error("%s: %s", journal, strerror(-rc));
    while (journal_writer_damage(collector_journal(c), text))
        log_error("%s/%s", journal, text);
}

static int collect(struct daemon *d, const char *journal, struct inputs *in)
{
    struct collector *c;
    bool whole = true;
    int rc = collector_open(d->conf, d->site, journal, daemon_value(d->args, "leases"), stderr, &c);
    if (rc < 0)
        return rc == -EINVAL || rc == -ENOKEY ? EX_CONFIG : code_of(rc);
    collector_of_files(c);
    rc = take_all(c, in);
    if (rc < 0)
        say_journal(c, journal, rc);
    int status = write_status(d, c, in, &whole);
    collector_close(c);
    if (rc < 0)
        return code_of(rc);
    if (status < 0)
        return EX_CANTCREAT;
    if (!whole)
        log_warning("not all of the input could be read; what was readable was used");
    return whole ? 0 : EX_DATAERR;
}

static int look_up(struct daemon *d)
{
    struct lease_sources *s;
    int rc = lease_sources_open(d->conf, daemon_value(d->args, "leases"), stderr, &s);
    if (rc < 0)
        return rc == -EINVAL ? EX_CONFIG : code_of(rc);
    int code = lookup_job(lease_sources_leases(s), daemon_value(d->args, "lookup"),
                          daemon_value(d->args, "window"), daemon_value(d->args, "purpose"));
    lease_sources_close(s);
    return code;
}

static int check(struct daemon *d)
{
    return conf_check_collector(d->conf, daemon_config_path(d->args), stderr) < 0 ? EX_CONFIG : 0;
}

static int run(struct daemon *d, bool *done)
{
    const char *journal = daemon_value(d->args, "journal");
    *done = true;
    if (daemon_has(d->args, "lookup"))
        return look_up(d);
    *done = !live_wanted(d);
    if (!*done && daemon_operands(d->args) == 0)
        return 0;
    if (!journal || daemon_operands(d->args) > 0) {
        log_error("-j DIR is needed, and no words behind the options; see --help");
        return EX_USAGE;
    }
    if (daemon_has(d->args, "dump") || daemon_has(d->args, "verify") || daemon_has(d->args, "stat"))
        return show(d, journal);
    if (daemon_count(d->args, "records") == 0) {
        log_error("nothing to read: give records with -r FILE, or set collector.listen");
        return EX_USAGE;
    }
    struct inputs *in = inputs_new();
    int rc = in ? open_inputs(d, in) : EX_OSERR;
    if (rc == 0)
        rc = collect(d, journal, in);
    inputs_free(in);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "postern-collector",
        .summary = "Counts what sensors saw into minutes of subscribers.",
        .synopsis = "[-c FILE] [-r RECORDS ...] -j DIR [-l LEASES]",
        .options = options,
        .section = "collector",
        .keys = collector_conf_keys,
        .conf_size = sizeof(struct collector_conf),
        .check = check,
        .run = run,
        .open = live_open,
        .sandbox = live_sandbox,
        .start = live_start,
        .reload = live_reload,
        .status = live_status,
        .status_fill = live_status_fill,
        .command = live_command,
        .stop = live_stop,
    };
    return daemon_main(argc, argv, &spec);
}
