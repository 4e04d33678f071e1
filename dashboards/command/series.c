// `postern series`: looks the folder of RRD files through (fsck, series_fsck.c), prints a series (export),
// builds files anew from the journal (rebuild, series_rebuild.c).
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"
#include "command/series_parts.h"
#include "common/daemon.h"
#include "common/json.h"
#include "common/rrdcached.h"
#include "common/series_conf.h"
#include "common/series_coverage.h"
#include "common/timefmt.h"

static const struct command_option options[] = {
    {'d', "rrd", "DIR", "folder of the RRD files (default: /var/lib/postern/rrd)"},
    {'j', "journal", "DIR", "rebuild: the journal (default: /var/lib/postern/journal)"},
    {'c', "config", "FILE",
     "export: where the files are, and rrdcached; rebuild: configuration for postern-series"},
    {0, "key", "NAME", "rebuild: this series alone"},
    {0, "faulty", NULL, "rebuild: those alone that fsck finds faults in"},
    {0, "kind", "KIND", "export, rebuild --key: subscriber (default), site, pop, class or sensor"},
    {0, "from", "TIME",
     "export: now-24h (default; now is the end of what was watched), an epoch or RFC 3339"},
    {0, "to", "TIME", "export: the same (default: now)"},
    {0, "step", "SECONDS", "export: 60, 600, 3600 or 86400 (default: the finest there is)"},
    {0, "json", NULL, "export: one JSON object an interval and line, not CSV"},
    {0},
};

const char *series_value_or(const struct command_args *a, const char *name, const char *otherwise)
{
    return command_has(a, name) ? command_value(a, name) : otherwise;
}

int series_wrong(const char *option, const char *text, const char *fix)
{
    fprintf(stderr, "postern series: --%s %s: %s\n", option, text, fix);
    return EX_USAGE;
}

int series_kind_of(const struct command_args *a)
{
    int kind = series_kind_parse(series_value_or(a, "kind", "subscriber"));
    if (kind < 0)
        series_wrong("kind", command_value(a, "kind"),
                     "use subscriber, site, pop, class or sensor");
    return kind;
}

static void print_csv(enum series_kind kind, const struct series_sample *s, size_t count)
{
    fputs("end,observed,watched_s,coverage_loss_ppm", stdout);
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        printf(",%s,%s_maximum", series_source_name_of(kind, v), series_source_name_of(kind, v));
    putchar('\n');
    for (size_t i = 0; i < count; i++) {
        char t[TIME_TEXT_MAX];
        printf("%s,%d,%u,%u", time_format(s[i].t_s * 1000, t), s[i].observed, s[i].watched_s,
               s[i].loss_ppm);
        for (unsigned v = 0; v < SERIES_SOURCES; v++) {
            double pair[] = {s[i].average[v], s[i].maximum[v]};
            for (int p = 0; p < 2; p++)
                isnan(pair[p]) ? putchar(',') : printf(",%.10g", pair[p]);
        }
        putchar('\n');
    }
}

static json_t *number(double v)
{
    return isnan(v) ? json_null() : json_number(v, 6);
}

static int print_json(enum series_kind kind, const struct series_sample *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char t[TIME_TEXT_MAX];
        json_t *average = json_object(), *maximum = json_object();
        for (unsigned v = 0; v < SERIES_SOURCES; v++) {
            json_object_set_new(average, series_source_name_of(kind, v), number(s[i].average[v]));
            json_object_set_new(maximum, series_source_name_of(kind, v), number(s[i].maximum[v]));
        }
        json_t *o = json_pack("{s:s,s:b,s:I,s:I,s:I,s:o,s:o}", "end",
                              time_format(s[i].t_s * 1000, t), "observed", s[i].observed, "minutes",
                              (json_int_t)s[i].minutes, "watched_s", (json_int_t)s[i].watched_s,
                              "loss_ppm", (json_int_t)s[i].loss_ppm, "average", average, "maximum",
                              maximum);
        int rc = o ? json_write_line(stdout, o) : -ENOMEM;
        json_decref(o);
        if (rc != 0)
            return EX_IOERR;
    }
    return 0;
}

static int parse_range(const struct command_args *a, const char *rrd, struct series_range *r)
{
    int64_t now_s;
    int rc = series_coverage_end(rrd, &now_s);
    if (rc != 0) {
        fprintf(stderr, "postern series: %s/coverage: %s; name the folder with --rrd\n", rrd,
                strerror(-rc));
        return EX_NOINPUT;
    }
    const char *from = series_value_or(a, "from", "now-24h"), *to = series_value_or(a, "to", "now");
    if (series_parse_time(from, now_s, &r->start_s) != 0)
        return series_wrong("from", from, "write now-24h, an epoch or an RFC 3339 time");
    if (series_parse_time(to, now_s, &r->end_s) != 0)
        return series_wrong("to", to, "write now, an epoch or an RFC 3339 time");
    if (r->end_s <= r->start_s)
        return series_wrong("to", to, "lies before --from");
    if (command_has(a, "step"))
        r->step_s = (int32_t)strtol(command_value(a, "step"), NULL, 10);
    return 0;
}

// Are these two the same folder?
static bool is_same(const char *one, const char *other)
{
    char *a = realpath(one, NULL), *b = realpath(other, NULL);
    bool same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

// What rrdcached holds of a series is in no file yet, and would read as zero. False after a line that says why it
// could not be asked.
static bool flush(const char *socket, const char *rrd, enum series_kind kind, const char *name)
{
    enum { PATIENCE_MS = 5000 };
    struct rrdcached *cached;
    int rc = rrdcached_open(socket, PATIENCE_MS, &cached);
    if (rc == 0) {
        rc = rrdcached_flush_series(cached, rrd, kind, name);
        rrdcached_close(cached);
    }
    if (rc != 0)
        fprintf(
            stderr,
            "postern series: rrdcached at %s: %s; the minutes it holds are missing, and read as "
            "zero: start it, or correct series.rrdcached\n",
            socket, strerror(-rc));
    return rc == 0;
}

static int print_series(const struct command_args *a, const char *rrd, const char *socket)
{
    int kind = series_kind_of(a);
    const char *name = kind == SERIES_SITE    ? SERIES_SITE_NAME
                       : a->operand_count > 1 ? a->operands[1]
                                              : NULL;
    struct series_range r = {0};
    struct series_sample *s;
    size_t count;
    if (kind < 0)
        return EX_USAGE;
    if (!name) {
        fprintf(stderr, "postern series: export whom? postern series export 192.0.2.7\n");
        return EX_USAGE;
    }
    int code = parse_range(a, rrd, &r);
    if (code != 0)
        return code;
    bool whole = !socket || flush(socket, rrd, (enum series_kind)kind, name);
    int rc = series_fetch(rrd, (enum series_kind)kind, name, &r, &s, &count);
    if (rc == -EINVAL)
        return series_wrong("step", series_value_or(a, "step", ""), "use 60, 600, 3600 or 86400");
    if (rc != 0) {
        char text[SERIES_EXPLAIN_MAX];
        fprintf(stderr, "postern series: %s of %s: %s\n", name, rrd,
                rc == -ENOENT ? "no such series"
                              : series_explain((enum series_kind)kind, name, rc, text));
        return rc == -ENOENT ? EX_NOINPUT : EX_IOERR;
    }
    if (command_has(a, "json"))
        code = print_json((enum series_kind)kind, s, count);
    else
        print_csv((enum series_kind)kind, s, count);
    free(s);
    return code == 0 && !whole ? EX_UNAVAILABLE : code;
}

// The folder and rrdcached's socket stand in the configuration. One that nobody named counts for its own folder
// alone.
static int run_export(const struct command_args *a)
{
    struct series_conf conf;
    const struct conf_section section = {.name = "series", .keys = series_conf_keys, .out = &conf};
    const char *file = command_value(a, "config");
    if (!file && access(DAEMON_CONFIG_DEFAULT, R_OK) == 0)
        file = DAEMON_CONFIG_DEFAULT;
    if (conf_load(file, &section, 1, stderr) != 0)
        return EX_CONFIG;
    const char *rrd = series_value_or(a, "rrd", conf.rrd);
    bool meant = command_has(a, "config") || is_same(rrd, conf.rrd);
    int code = print_series(a, rrd, meant ? conf.rrdcached : NULL);
    conf_free(series_conf_keys, &conf);
    return code;
}

// Words and options that the verb would pass over: better said than done something else.
static int refuse_surplus(const struct command_args *a, const char *verb, size_t words,
                          const char *known)
{
    if (a->operand_count > words) {
        fprintf(stderr, "postern series: %s takes no '%s'%s\n", verb, a->operands[words],
                strcmp(verb, "rebuild") == 0 ? "; one series: --key NAME"
                : strcmp(verb, "fsck") == 0  ? "; name the folder with --rrd"
                                             : "");
        return EX_USAGE;
    }
    for (const struct command_option *o = options; o->name; o++) {
        char word[32];
        snprintf(word, sizeof word, " %s ", o->name);
        if (!command_has(a, o->name) || strstr(known, word))
            continue;
        fprintf(stderr, "postern series: --%s means nothing to %s; it takes:%s\n", o->name, verb,
                known);
        return EX_USAGE;
    }
    return 0;
}

static int run(const struct command_args *a)
{
    static const struct verb {
        const char *name;
        size_t words;        // with itself
        const char *options; // that mean something to it
        int (*run)(const struct command_args *a);
    } verbs[] = {{"fsck", 1, " rrd ", series_fsck_run},
                 {"export", 2, " rrd config kind from to step json ", run_export},
                 {"rebuild", 1, " rrd journal config key faulty kind ", series_rebuild_run}};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(a->operands[0], verbs[i].name) != 0)
            continue;
        int code = refuse_surplus(a, verbs[i].name, verbs[i].words, verbs[i].options);
        return code == 0 ? verbs[i].run(a) : code;
    }
    fprintf(stderr, "postern series: '%s': use fsck, export or rebuild\n", a->operands[0]);
    return EX_USAGE;
}

const struct command command_series = {
    .name = "series",
    .synopsis = "fsck|export NAME|rebuild [--key NAME|--faulty] [--rrd DIR]",
    .summary = "checks, prints or rebuilds the RRD files",
    .options = options,
    .operands_min = 1,
    .operands_max = 2,
    .run = run,
};
