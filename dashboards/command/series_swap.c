// Renames within one file system, folders made as needed.
#include "command/series_swap.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command/series_parts.h"
#include "common/rrdfile.h"
#include "common/series_coverage.h"
#include "common/series_notes.h"

enum { FOLDERS_OPEN = 16, DAY_MINUTES = 1440 };

static struct {
    size_t folder;
    const char *fresh;
    char *first;
    size_t size;
    long outlived;
} walk; // nftw has no argument for its function; one walk a process

static int compare_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    char other[PATH_MAX], error[RRDFILE_ERROR_MAX];
    int64_t was_s, is_s;
    if (type != FTW_F || !series_ends_in(path, ".rrd") || rrdfile_last(path, &was_s, error) != 0)
        return 0;
    snprintf(other, sizeof other, "%.3000s/%.1000s", walk.fresh, path + walk.folder);
    if (rrdfile_last(other, &is_s, error) == 0 && is_s >= was_s)
        return 0;
    if (walk.outlived++ == 0)
        snprintf(walk.first, walk.size, "%s", path + walk.folder);
    return 0;
}

long series_swap_outlived(const char *old, const char *fresh, char *first, size_t size)
{
    walk.folder = strlen(old) + 1;
    walk.fresh = fresh;
    walk.first = first;
    walk.size = size;
    walk.outlived = 0;
    return nftw(old, compare_one, FOLDERS_OPEN, FTW_PHYS) == 0 ? walk.outlived : -errno;
}

static bool is_day(const char *name)
{
    return strlen(name) == 12 && strspn(name, "0123456789") == 8 && series_ends_in(name, ".cov");
}

// Days of a year are numbers like 20260322: the least is the first.
static long least_day(DIR *dir)
{
    long least = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        long day = is_day(e->d_name) ? strtol(e->d_name, NULL, 10) : 0;
        if (day > 0 && (least == 0 || day < least))
            least = day;
    }
    return least;
}

int64_t series_swap_begin(const char *rrd_dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/coverage", rrd_dir);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    long day = least_day(dir);
    closedir(dir);
    struct tm tm = {.tm_year = (int)(day / 10000) - 1900,
                    .tm_mon = (int)(day / 100 % 100) - 1,
                    .tm_mday = (int)(day % 100)};
    int64_t first = day > 0 ? timegm(&tm) / 60 : 0;
    struct series_coverage_minute m[DAY_MINUTES];
    if (first <= 0 || series_coverage_get(rrd_dir, NULL, first, DAY_MINUTES, m) != 0)
        return 0;
    int i = 0;
    while (i < DAY_MINUTES && m[i].seconds == 0)
        i++;
    return first + i;
}

// A file and the folders above it.
static int move(const char *from_dir, const char *to_dir, const char *relative)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct stat st;
    snprintf(from, sizeof from, "%.3000s/%.1000s", from_dir, relative);
    snprintf(to, sizeof to, "%.3000s/%.1000s", to_dir, relative);
    if (lstat(from, &st) != 0)
        return errno == ENOENT ? 0 : -errno;
    for (char *slash = to + strlen(to_dir); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(to, 0750) != 0 && errno != EEXIST ? errno : 0;
        *slash = '/';
        if (failed)
            return -failed;
    }
    return rename(from, to) == 0 ? 1 : -errno;
}

int series_swap_one(const struct series_swap *s, const char *relative)
{
    char notes[SERIES_PATH_MAX + 8], path[PATH_MAX];
    snprintf(notes, sizeof notes, "%.*snotes", (int)(strlen(relative) - strlen("rrd")), relative);
    int rc = move(s->rrd, s->kept, relative);
    if (rc >= 0)
        rc = move(s->rrd, s->kept, notes);
    if (rc >= 0)
        rc = move(s->fresh, s->rrd, notes);
    int made = rc >= 0 ? move(s->fresh, s->rrd, relative) : rc;
    if (made <= 0 || s->lost_before == 0)
        return made;
    snprintf(path, sizeof path, "%.3000s/%s", s->rrd, notes);
    rc = series_notes_put_lost(path, s->lost_before);
    return rc == 0 ? made : rc;
}
