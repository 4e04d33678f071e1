// `postern series fsck`: is every file what its place says, whole, of our layout, and nothing more?
//
// A file says whose it is in its head, so that one copied over another is found. Notes are read line by
// line, coverage record by record.
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/series_parts.h"
#include "common/rrdfile.h"
#include "common/series_coverage.h"
#include "common/series_notes.h"

enum { FOLDERS_OPEN = 16, MINUTES_AHEAD = 10, DAY_MINUTES = 1440, RECORD_OCTETS = 12 };

static struct {
    size_t folder; // length of the folder's path and the slash behind it
    long files;
    int64_t end_s; // of what was watched; 0: nothing was
    series_fault_fn fault;
    void *ctx;
} walk; // nftw has no argument for its function; one walk a process

bool series_ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

static void fault(const char *path, const char *text)
{
    size_t n = strlen(path); // librrd's words often begin with it
    if (strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0)
        text += n + 2;
    walk.fault(path + walk.folder, text, walk.ctx);
}

static bool is_below(const char *relative, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(relative, folder, n) == 0 && relative[n] == '/';
}

static void look_at_series(const char *path)
{
    char error[RRDFILE_ERROR_MAX];
    const char *relative = path + walk.folder;
    struct rrdfile_shape shape;
    struct rrdfile_found found;
    int64_t last_s;
    bool is_subscriber = is_below(relative, "subscriber");
    walk.files++;
    if (rrdfile_check(path, &shape, &found, error) != 0 || rrdfile_last(path, &last_s, error) != 0)
        fault(path, error);
    else if (shape.sensor != is_below(relative, "sensor"))
        fault(path, "has the sources of another kind of series");
    else if (found.halves || shape.identity == 0 || (!is_subscriber && !shape.forecast))
        fault(path, "of an older layout; start postern-series once, it brings it up to date");
    else if (shape.identity != series_identity(relative))
        fault(path, "is another series' file, copied or moved here");
    else if (found.surplus != 0) {
        snprintf(error, sizeof error, "%lld octets follow its last row", (long long)found.surplus);
        fault(path, error);
    } else if (walk.end_s > 0 && last_s > walk.end_s + MINUTES_AHEAD * 60)
        fault(path, "last update lies after all that was watched; its clock had jumped");
}

// The whole of a small file, NUL-terminated; the caller frees. NULL: it cannot be read, or is too large.
static char *read_whole(const char *path, off_t octets, size_t most, size_t *out)
{
    char *text = octets >= 0 && (size_t)octets <= most ? malloc((size_t)octets + 1) : NULL;
    int fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? pread(fd, text, (size_t)octets, 0) : -1;
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *out = (size_t)n;
    return text;
}

static void look_at_notes(const char *path, const struct stat *st)
{
    char text[80], series[PATH_MAX];
    size_t len, bad;
    char *notes = read_whole(path, st->st_size, SERIES_NOTES_OCTETS_MAX, &len);
    snprintf(series, sizeof series, "%.*srrd", (int)(strlen(path) - strlen("notes")), path);
    if (!notes)
        fault(path, "cannot be read, or is longer than notes ever are");
    else if (memchr(notes, '\0', len))
        fault(path, "has octets that are no text");
    else if ((bad = series_notes_bad_line(notes)) > 0) {
        snprintf(text, sizeof text, "line %zu is no note", bad);
        fault(path, text);
    } else if (access(series, F_OK) != 0)
        fault(series, "is missing; its notes are there");
    free(notes);
}

static void look_at_coverage(const char *path, const struct stat *st)
{
    size_t len;
    char *raw = read_whole(path, st->st_size, DAY_MINUTES * RECORD_OCTETS, &len);
    bool right = raw && len % RECORD_OCTETS == 0;
    // Seconds watched: big-endian, 60 at most.
    for (size_t i = 0; right && i < len; i += RECORD_OCTETS)
        right = raw[i] == 0 && raw[i + 1] == 0 && raw[i + 2] == 0 && raw[i + 3] >= 0 &&
                raw[i + 3] <= 60;
    if (!right)
        fault(path, "no coverage of a day");
    free(raw);
}

static bool is_leftover(const char *path)
{
    return series_ends_in(path, ".new") || series_ends_in(path, ".trial");
}

static int look_at(const char *path, const struct stat *st, int type, struct FTW *at)
{
    const char *relative = strlen(path) > walk.folder ? path + walk.folder : "";
    if (type == FTW_SL || type == FTW_SLN)
        fault(path, "a link; series are plain files");
    else if (type == FTW_NS || type == FTW_DNR)
        fault(path, "cannot be read; run as its owner or root");
    if (type != FTW_F)
        return 0;
    if (is_leftover(path))
        printf("%s: left over from a write that did not end; it may be removed\n", path);
    else if (series_ends_in(path, ".rrd"))
        look_at_series(path);
    else if (series_ends_in(path, ".notes"))
        look_at_notes(path, st);
    else if (is_below(relative, "coverage") && series_ends_in(path, ".cov"))
        look_at_coverage(path, st);
    else if (at->level > 2)
        printf("%s: no part of the series; it may be removed\n", path);
    return 0;
}

// POPs, classes and sensors are listed by name: each must have its file.
static void look_for_missing(const char *rrd_dir)
{
    for (enum series_kind kind = SERIES_POP; kind <= SERIES_SENSOR; kind++) {
        char **name, relative[SERIES_PATH_MAX], path[PATH_MAX];
        size_t count;
        if (series_names(rrd_dir, kind, &name, &count) != 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            snprintf(path, sizeof path, "%.3000s/%s", rrd_dir,
                     series_path(kind, name[i], relative));
            if (access(path, F_OK) != 0)
                fault(path, "is missing; its name is listed");
        }
        free(name);
    }
}

long series_fsck(const char *rrd_dir, series_fault_fn fn, void *ctx)
{
    walk.folder = strlen(rrd_dir) + 1;
    walk.files = 0;
    walk.fault = fn;
    walk.ctx = ctx;
    if (series_coverage_end(rrd_dir, &walk.end_s) != 0)
        walk.end_s = 0;
    if (nftw(rrd_dir, look_at, FOLDERS_OPEN, FTW_PHYS) != 0)
        return -errno;
    look_for_missing(rrd_dir);
    return walk.files;
}

struct told {
    const char *rrd_dir;
    size_t faults, older, coverage;
};

static void tell(const char *relative, const char *text, void *ctx)
{
    struct told *t = ctx;
    printf("%s/%s: %s\n", t->rrd_dir, relative, text);
    t->faults++;
    t->older += strstr(text, "older layout") != NULL;
    t->coverage += is_below(relative, "coverage");
}

int series_fsck_run(const struct command_args *a)
{
    char rrd[PATH_MAX];
    struct told t = {.rrd_dir = rrd};
    snprintf(rrd, sizeof rrd, "%s", series_value_or(a, "rrd", series_default_rrd));
    for (size_t n = strlen(rrd); n > 1 && rrd[n - 1] == '/'; n--)
        rrd[n - 1] = '\0';
    long files = series_fsck(rrd, tell, &t);
    if (files < 0) {
        fprintf(stderr, "postern series: %s: %s; name the folder with --rrd\n", rrd,
                strerror((int)-files));
        return EX_NOINPUT;
    }
    printf("%ld series looked at, %zu with faults\n", files, t.faults);
    if (t.faults == 0)
        return 0;
    if (t.coverage > 0)
        fprintf(stderr, "postern series: coverage comes back with postern series rebuild\n");
    if (t.faults > t.older + t.coverage)
        fprintf(stderr, "postern series: stop postern-series, then postern series rebuild --faulty "
                        "makes these anew from the journal\n");
    return EX_DATAERR;
}
