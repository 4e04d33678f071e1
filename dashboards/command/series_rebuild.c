// `postern series rebuild`: all files anew from the journal, beside the old ones and then in their place; or
// some of them alone.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/job.h"
#include "command/series_parts.h"
#include "command/series_swap.h"

enum { FOLDERS_OPEN = 16 };

static const char default_journal[] = "/var/lib/postern/journal";

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
        bool known = series_ends_in(e->d_name, ".new") || series_ends_in(e->d_name, ".trial");
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

// `until`: a folder whose cursor ends it; NULL: the journal's end.
static int build(const struct command_args *a, const char *fresh, const char *until)
{
    char program[PATH_MAX];
    const char *journal = series_value_or(a, "journal", default_journal);
    const char *argv[12];
    size_t n = 0;
    if (job_find_program("postern-series", program, sizeof program) != 0) {
        fprintf(stderr, "postern series: postern-series is not installed here\n");
        return EX_UNAVAILABLE;
    }
    argv[n++] = program;
    argv[n++] = "-j";
    argv[n++] = journal;
    argv[n++] = "-d";
    argv[n++] = fresh;
    if (until) {
        argv[n++] = "--until";
        argv[n++] = until;
    }
    if (command_has(a, "config")) {
        argv[n++] = "-c";
        argv[n++] = command_value(a, "config");
    }
    argv[n] = NULL;
    struct job job = {.label = "series", .argv = (char *const *)argv, .progress = true};
    struct job_result result;
    int rc = job_run(&job, &result);
    if (rc < 0 || result.signal != 0 || result.stopped != 0)
        return EX_OSERR;
    return result.status;
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
    char first[SERIES_PATH_MAX] = "";
    int64_t was = series_swap_begin(rrd), is = series_swap_begin(fresh);
    long outlived = access(rrd, F_OK) == 0 ? series_swap_outlived(rrd, fresh, first, sizeof first)
                                           : 0;
    bool earlier = was > 0 && (is == 0 || was < is), there = access(rrd, F_OK) == 0;
    if (outlived < 0)
        return (int)outlived;
    if (there && rename(rrd, old) != 0)
        return -errno;
    if (rename(fresh, rrd) != 0) {
        int rc = -errno;
        if (there && rename(old, rrd) != 0)
            fprintf(stderr, "postern series: the old files are now in %s\n", old);
        return rc;
    }
    if (!there || (!earlier && !damaged && outlived == 0))
        return remove_folder(old);
    if (damaged)
        printf("the journal is damaged\n");
    if (earlier)
        printf("the journal begins later than the old files\n");
    if (outlived > 0)
        printf("%ld series were there, or further, that the journal does not make: %s%s\n",
               outlived, first, outlived > 1 ? ", ..." : "");
    printf("so the old files are kept as %s\n", old);
    return 0;
}

// ---- Some series alone.

struct chosen {
    char (*relative)[SERIES_PATH_MAX]; // owned
    size_t count;
    bool failed;
};

static void choose(const char *relative, const char *text, void *ctx)
{
    (void)text;
    struct chosen *c = ctx;
    char path[SERIES_PATH_MAX];
    size_t n = strlen(relative);
    if (series_ends_in(relative, ".notes"))
        snprintf(path, sizeof path, "%.*srrd", (int)(n - strlen("notes")), relative);
    else if (series_ends_in(relative, ".rrd") && n < sizeof path)
        memcpy(path, relative, n + 1);
    else
        return;
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->relative[i], path) == 0)
            return;
    char(*more)[SERIES_PATH_MAX] = reallocarray(c->relative, c->count + 1, sizeof *more);
    if (!more) {
        c->failed = true;
        return;
    }
    c->relative = more;
    memcpy(more[c->count++], path, sizeof path);
}

static int choose_all(const struct command_args *a, const char *rrd, struct chosen *c)
{
    char path[SERIES_PATH_MAX];
    if (command_has(a, "faulty")) {
        long n = series_fsck(rrd, choose, c);
        return c->failed ? -ENOMEM : n < 0 ? (int)n : 0;
    }
    int kind = series_kind_of(a);
    if (kind < 0)
        return -EINVAL;
    choose(series_path((enum series_kind)kind, command_value(a, "key"), path), "", c);
    return c->failed ? -ENOMEM : 0;
}

static int swap_all(const char *rrd, const char *fresh, const char *old, const struct chosen *c)
{
    struct series_swap s = {.rrd = rrd, .fresh = fresh, .kept = old};
    int64_t was = series_swap_begin(rrd), is = series_swap_begin(fresh);
    size_t made = 0;
    if (was > 0 && is > was)
        s.lost_before = is;
    for (size_t i = 0; i < c->count; i++) {
        int rc = series_swap_one(&s, c->relative[i]);
        if (rc < 0)
            return rc;
        made += rc > 0;
        if (rc == 0)
            printf("%s: the journal has nothing of it\n", c->relative[i]);
    }
    printf("%zu of %zu series are made anew", made, c->count);
    if (s.lost_before > 0)
        printf("; what they had before the journal begins is unknown now");
    printf(access(old, F_OK) == 0 ? "; the old files are in %s\n" : "\n", old);
    return remove_folder(fresh);
}

// ---- The command.

struct places {
    char rrd[PATH_MAX - 8], fresh[PATH_MAX], old[PATH_MAX];
};

static int rebuild(const struct command_args *a, const struct places *p, struct chosen *c)
{
    bool some = command_has(a, "key") || command_has(a, "faulty");
    int rc = some ? choose_all(a, p->rrd, c) : 0;
    if (rc == -EINVAL)
        return EX_USAGE;
    if (rc == 0 && some && c->count == 0) {
        printf("no series with faults\n");
        return 0;
    }
    if (rc == 0)
        rc = remove_folder(p->fresh);
    int code = rc == 0 ? build(a, p->fresh, some ? p->rrd : NULL) : EX_OSERR;
    // A damaged journal gives what it has: the files are as good as they will be.
    bool built = rc == 0 && (code == 0 || code == EX_DATAERR);
    if (built)
        rc = keep_owner(p->rrd, p->fresh);
    if (built && rc == 0)
        rc = some ? swap_all(p->rrd, p->fresh, p->old, c)
                  : put_in_place(p->rrd, p->fresh, p->old, code == EX_DATAERR);
    if (rc != 0) {
        fprintf(stderr, "postern series: %s: %s\n", p->rrd, strerror(-rc));
        return EX_CANTCREAT;
    }
    if (code == 0 && !some)
        printf("%s is built anew\n", p->rrd);
    return code;
}

static void name_places(const struct command_args *a, struct places *p)
{
    char *real = realpath(series_value_or(a, "rrd", series_default_rrd),
                          NULL); // a link stays, what it leads to is replaced
    snprintf(p->rrd, sizeof p->rrd, "%s",
             real ? real : series_value_or(a, "rrd", series_default_rrd));
    free(real);
    for (size_t n = strlen(p->rrd); n > 1 && p->rrd[n - 1] == '/'; n--)
        p->rrd[n - 1] = '\0';
    snprintf(p->fresh, sizeof p->fresh, "%s.new", p->rrd);
    snprintf(p->old, sizeof p->old, "%s.old", p->rrd);
}

int series_rebuild_run(const struct command_args *a)
{
    struct places p;
    char other[NAME_MAX + 1];
    struct chosen c = {0};
    name_places(a, &p);
    if (command_has(a, "key") && command_has(a, "faulty"))
        return series_wrong("key", command_value(a, "key"), "or --faulty, one of both");
    if (command_has(a, "kind") && !command_has(a, "key"))
        return series_wrong("kind", command_value(a, "kind"), "goes with --key NAME");
    if (!holds_series(p.rrd, other)) {
        fprintf(stderr,
                "postern series: %s holds %s, which no series is, and would be lost; name the "
                "folder of the RRD files with --rrd\n",
                p.rrd, other);
        return EX_USAGE;
    }
    int lock = lock_folder(p.rrd);
    if (lock == -EBUSY) {
        fprintf(stderr, "postern series: %s: postern-series is at work on it; stop it first\n",
                p.rrd);
        return EX_UNAVAILABLE;
    }
    int code = EX_CANTCREAT;
    if (access(p.old, F_OK) == 0)
        fprintf(stderr, "postern series: %s is there from an earlier rebuild; remove it first\n",
                p.old);
    else if (lock < 0 && lock != -ENOENT)
        fprintf(stderr, "postern series: %s: %s\n", p.rrd, strerror(-lock));
    else
        code = rebuild(a, &p, &c);
    free(c.relative);
    if (lock >= 0)
        close(lock);
    return code;
}
