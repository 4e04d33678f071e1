// `postern series`: looks RRD files through (fsck), prints a series (export), builds all files anew
// from the journal (rebuild).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"
#include "command/job.h"
#include "common/json.h"
#include "common/rrdfile.h"
#include "common/series_coverage.h"
#include "common/timefmt.h"

enum { FOLDERS_OPEN = 16, MINUTES_AHEAD = 10 };

static const char default_rrd[] = "/var/lib/postern/rrd";
static const char default_journal[] = "/var/lib/postern/journal";

static const struct command_option options[] = {
    {'d', "rrd", "DIR", "folder of the RRD files (default: /var/lib/postern/rrd)"},
    {'j', "journal", "DIR", "rebuild: the journal (default: /var/lib/postern/journal)"},
    {'c', "config", "FILE", "rebuild: configuration for postern-series"},
    {0, "kind", "KIND", "export: subscriber (default), site, pop, class or sensor"},
    {0, "from", "TIME",
     "export: now-24h (default; now is the end of what was watched), an epoch or RFC 3339"},
    {0, "to", "TIME", "export: the same (default: now)"},
    {0, "step", "SECONDS", "export: 60, 600, 3600 or 86400 (default: the finest there is)"},
    {0, "json", NULL, "export: one JSON object an interval and line, not CSV"},
    {0},
};

static const char *value_or(const struct command_args *a, const char *name, const char *otherwise)
{
    return command_has(a, name) ? command_value(a, name) : otherwise;
}

// ---- fsck

static struct {
    size_t files, faults, leftovers;
    int64_t end_s; // of what was watched; 0: nothing was
} seen;            // nftw has no argument for its function; one walk a process

static void fault(const char *path, const char *text)
{
    size_t n = strlen(path); // librrd's words often begin with it
    if (strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0)
        text += n + 2;
    printf("%s: %s\n", path, text);
    seen.faults++;
}

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

static int look_at(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    char error[RRDFILE_ERROR_MAX];
    struct rrdfile_shape shape;
    int64_t last_s;
    if (type == FTW_SL || type == FTW_SLN || type == FTW_NS || type == FTW_DNR) {
        fault(path, type == FTW_SL || type == FTW_SLN ? "a link; series are plain files"
                                                      : "cannot be read; run as its owner or root");
        return 0;
    }
    if (type != FTW_F)
        return 0;
    if (ends_in(path, ".new") || ends_in(path, ".trial")) {
        printf("%s: left over from a write that did not end; it may be removed\n", path);
        seen.leftovers++;
        return 0;
    }
    if (!ends_in(path, ".rrd"))
        return 0;
    seen.files++;
    if (rrdfile_check(path, &shape, error) != 0 || rrdfile_last(path, &last_s, error) != 0)
        fault(path, error);
    else if (seen.end_s > 0 && last_s > seen.end_s + MINUTES_AHEAD * 60)
        fault(path, "last update lies after all that was watched; its clock had jumped");
    else if (!shape.forecast && (strstr(path, "/site/") || strstr(path, "/sensor/")))
        fault(path, "has no forecast; start postern-series once, it adds one");
    return 0;
}

static int run_fsck(const struct command_args *a)
{
    const char *rrd = value_or(a, "rrd", default_rrd);
    int rc = series_coverage_end(rrd, &seen.end_s);
    if (rc != 0 && rc != -ENOENT)
        fprintf(stderr, "postern series: %s/coverage: %s\n", rrd, strerror(-rc));
    if (nftw(rrd, look_at, FOLDERS_OPEN, FTW_PHYS) != 0) {
        fprintf(stderr, "postern series: %s: %s; name the folder with --rrd\n", rrd,
                strerror(errno));
        return EX_NOINPUT;
    }
    printf("%zu series looked at, %zu with faults\n", seen.files, seen.faults);
    if (seen.faults == 0)
        return 0;
    fprintf(stderr,
            "postern series: remove the faulty files, or all with postern series rebuild\n");
    return EX_DATAERR;
}

// ---- export

static void print_csv(enum series_kind kind, const struct series_sample *s, size_t count)
{
    fputs("end,observed,loss_ppm", stdout);
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        printf(",%s,%s_maximum", series_source_name_of(kind, v), series_source_name_of(kind, v));
    putchar('\n');
    for (size_t i = 0; i < count; i++) {
        char t[TIME_TEXT_MAX];
        printf("%s,%d,%u", time_format(s[i].t_s * 1000, t), s[i].observed, s[i].loss_ppm);
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
        json_t *o = json_pack("{s:s,s:b,s:I,s:o,s:o}", "end", time_format(s[i].t_s * 1000, t),
                              "observed", s[i].observed, "loss_ppm", (json_int_t)s[i].loss_ppm,
                              "average", average, "maximum", maximum);
        int rc = o ? json_write_line(stdout, o) : -ENOMEM;
        json_decref(o);
        if (rc != 0)
            return EX_IOERR;
    }
    return 0;
}

static int wrong(const char *option, const char *text, const char *fix)
{
    fprintf(stderr, "postern series: --%s %s: %s\n", option, text, fix);
    return EX_USAGE;
}

static int parse_range(const struct command_args *a, struct series_range *r)
{
    int64_t now_s;
    int rc = series_coverage_end(value_or(a, "rrd", default_rrd), &now_s);
    if (rc != 0) {
        fprintf(stderr, "postern series: %s/coverage: %s; name the folder with --rrd\n",
                value_or(a, "rrd", default_rrd), strerror(-rc));
        return EX_NOINPUT;
    }
    const char *from = value_or(a, "from", "now-24h"), *to = value_or(a, "to", "now");
    if (series_parse_time(from, now_s, &r->start_s) != 0)
        return wrong("from", from, "write now-24h, an epoch or an RFC 3339 time");
    if (series_parse_time(to, now_s, &r->end_s) != 0)
        return wrong("to", to, "write now, an epoch or an RFC 3339 time");
    if (r->end_s <= r->start_s)
        return wrong("to", to, "lies before --from");
    if (command_has(a, "step"))
        r->step_s = (int32_t)strtol(command_value(a, "step"), NULL, 10);
    return 0;
}

static int run_export(const struct command_args *a)
{
    const char *rrd = value_or(a, "rrd", default_rrd);
    int kind = series_kind_parse(value_or(a, "kind", "subscriber"));
    const char *name = kind == SERIES_SITE    ? SERIES_SITE_NAME
                       : a->operand_count > 1 ? a->operands[1]
                                              : NULL;
    struct series_range r = {0};
    struct series_sample *s;
    size_t count;
    if (kind < 0)
        return wrong("kind", command_value(a, "kind"),
                     "use subscriber, site, pop, class or sensor");
    if (!name) {
        fprintf(stderr, "postern series: export whom? postern series export 192.0.2.7\n");
        return EX_USAGE;
    }
    int code = parse_range(a, &r);
    if (code != 0)
        return code;
    int rc = series_fetch(rrd, (enum series_kind)kind, name, &r, &s, &count);
    if (rc == -EINVAL)
        return wrong("step", value_or(a, "step", ""), "use 60, 600, 3600 or 86400");
    if (rc != 0) {
        fprintf(stderr, "postern series: %s of %s: %s\n", name, rrd,
                rc == -ENOENT ? "no such series" : strerror(-rc));
        return rc == -ENOENT ? EX_NOINPUT : EX_IOERR;
    }
    if (command_has(a, "json"))
        code = print_json((enum series_kind)kind, s, count);
    else
        print_csv((enum series_kind)kind, s, count);
    free(s);
    return code;
}

// ---- rebuild

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int remove_folder(const char *path)
{
    return access(path, F_OK) != 0 ||
                   nftw(path, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS) == 0
               ? 0
               : -errno;
}

// Is this all that postern-series writes? Then it may be replaced. The first name that is not goes to `other`.
static bool holds_series(const char *rrd, char other[static NAME_MAX + 1])
{
    static const char *const ours[] = {"coverage", "cursor", "layout", "lock",
                                       "notes",    ".",      "..",     NULL};
    DIR *dir = opendir(rrd);
    other[0] = '\0';
    for (struct dirent *e; dir && !other[0] && (e = readdir(dir));) {
        bool known = ends_in(e->d_name, ".new") || ends_in(e->d_name, ".trial");
        for (size_t i = 0; !known && ours[i]; i++)
            known = strcmp(e->d_name, ours[i]) == 0;
        known |= series_kind_parse(e->d_name) >= 0;
        if (!known)
            snprintf(other, NAME_MAX + 1, "%s", e->d_name);
    }
    if (dir)
        closedir(dir);
    return !other[0];
}

// Nobody may write to the old files meanwhile. -ENOENT: there are none.
static int lock_folder(const char *rrd)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/lock", rrd);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -EBUSY;
}

static int build(const struct command_args *a, const char *fresh)
{
    char program[PATH_MAX];
    const char *journal = value_or(a, "journal", default_journal);
    const char *config = command_has(a, "config") ? command_value(a, "config") : NULL;
    if (job_find_program("postern-series", program, sizeof program) != 0) {
        fprintf(stderr, "postern series: postern-series is not installed here\n");
        return EX_UNAVAILABLE;
    }
    char *argv[] = {program,        "-j",          (char *)journal,
                    "-d",           (char *)fresh, config ? "-c" : NULL,
                    (char *)config, NULL};
    struct job job = {.label = "series", .argv = argv, .progress = true};
    struct job_result result;
    int rc = job_run(&job, &result);
    if (rc < 0 || result.signal != 0 || result.stopped != 0)
        return EX_OSERR;
    return result.status;
}

// The first day of which there is coverage, as its file is called; "": none.
static void first_day(const char *rrd, char out[static 16])
{
    char path[PATH_MAX];
    struct dirent **entry;
    out[0] = '\0';
    snprintf(path, sizeof path, "%.4000s/coverage", rrd);
    int n = scandir(path, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (!out[0] && strlen(entry[i]->d_name) == 12 && ends_in(entry[i]->d_name, ".cov"))
            snprintf(out, 16, "%.8s", entry[i]->d_name);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

static struct {
    uid_t user;
    gid_t group;
} owner; // of the old folder; nftw has no argument for its function

static int give_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return lchown(path, owner.user, owner.group);
}

// Built by root, written by the daemon's user: the files are whose the old ones were.
static int keep_owner(const char *rrd, const char *fresh)
{
    struct stat st;
    if (geteuid() != 0 || stat(rrd, &st) != 0)
        return 0;
    owner.user = st.st_uid;
    owner.group = st.st_gid;
    return nftw(fresh, give_one, FOLDERS_OPEN, FTW_PHYS) == 0 ? 0 : -errno;
}

// What the journal no longer reaches, or has lost, is in the old files alone: these are kept then.
static int put_in_place(const char *rrd, const char *fresh, const char *old, bool damaged)
{
    char was[16], is[16];
    first_day(rrd, was);
    first_day(fresh, is);
    bool keep = was[0] && (!is[0] || strcmp(was, is) < 0);
    bool there = access(rrd, F_OK) == 0;
    if (there && rename(rrd, old) != 0)
        return -errno;
    if (rename(fresh, rrd) != 0) {
        int rc = -errno;
        if (there && rename(old, rrd) != 0)
            fprintf(stderr, "postern series: the old files are now in %s\n", old);
        return rc;
    }
    if (!there || (!keep && !damaged))
        return remove_folder(old);
    if (damaged)
        printf("the journal is damaged, so the old files are kept as %s\n", old);
    else
        printf("the journal begins %s, the old files on %s: these are kept as %s\n",
               is[0] ? is : "nowhere", was, old);
    return 0;
}

static int run_rebuild(const struct command_args *a)
{
    char rrd[PATH_MAX - 8], fresh[PATH_MAX], old[PATH_MAX];
    char *real = realpath(value_or(a, "rrd", default_rrd),
                          NULL); // a link stays, what it leads to is replaced
    char other[NAME_MAX + 1];
    snprintf(rrd, sizeof rrd, "%s", real ? real : value_or(a, "rrd", default_rrd));
    free(real);
    for (size_t n = strlen(rrd); n > 1 && rrd[n - 1] == '/'; n--)
        rrd[n - 1] = '\0';
    if (!holds_series(rrd, other)) {
        fprintf(stderr,
                "postern series: %s holds %s, which no series is, and would be lost; name the "
                "folder of the RRD files with --rrd\n",
                rrd, other);
        return EX_USAGE;
    }
    snprintf(fresh, sizeof fresh, "%s.new", rrd);
    snprintf(old, sizeof old, "%s.old", rrd);
    int lock = lock_folder(rrd);
    if (lock == -EBUSY) {
        fprintf(stderr, "postern series: %s: postern-series is at work on it; stop it first\n",
                rrd);
        return EX_UNAVAILABLE;
    }
    if (access(old, F_OK) == 0) {
        fprintf(stderr, "postern series: %s is there from an earlier rebuild; remove it first\n",
                old);
        if (lock >= 0)
            close(lock);
        return EX_CANTCREAT;
    }
    int rc = lock < 0 && lock != -ENOENT ? lock : remove_folder(fresh);
    int code = rc == 0 ? build(a, fresh) : EX_OSERR;
    // A damaged journal gives what it has: the files are as good as they will be.
    if (rc == 0 && (code == 0 || code == EX_DATAERR))
        rc = keep_owner(rrd, fresh);
    if (rc == 0 && (code == 0 || code == EX_DATAERR))
        rc = put_in_place(rrd, fresh, old, code == EX_DATAERR);
    if (lock >= 0)
        close(lock);
    if (rc != 0) {
        fprintf(stderr, "postern series: %s: %s\n", rrd, strerror(-rc));
        return EX_CANTCREAT;
    }
    if (code == 0)
        printf("%s is built anew\n", rrd);
    return code;
}

static int run(const struct command_args *a)
{
    static const struct {
        const char *name;
        int (*run)(const struct command_args *a);
    } verbs[] = {{"fsck", run_fsck}, {"export", run_export}, {"rebuild", run_rebuild}};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(a->operands[0], verbs[i].name) == 0)
            return verbs[i].run(a);
    fprintf(stderr, "postern series: '%s': use fsck, export or rebuild\n", a->operands[0]);
    return EX_USAGE;
}

const struct command command_series = {
    .name = "series",
    .synopsis = "fsck|export|rebuild [NAME] [--rrd DIR]",
    .summary = "checks, prints or rebuilds the RRD files",
    .options = options,
    .operands_min = 1,
    .operands_max = 2,
    .run = run,
};
