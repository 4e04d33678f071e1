// `layout` holds "VERSION full" or "VERSION reduced", and since when rows are known by any minute of
// theirs. Version 1 had no such file: its series of everybody together lack the forecast. Version 2 took
// a row as unknown from half of its minutes on, and its files did not say whose they are.
#include "series/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rrdhead.h"
#include "common/series_coverage.h"

enum { PATH_OCTETS = 4096, FOLDERS_OPEN = 8 };

static const char *const names[SERIES_LAYOUTS] = {"full", "reduced"};

static int failed(char why[static 300], const char *path, int code, const char *fix)
{
    snprintf(why, 300, "%.150s: %s; %s", path, strerror(-code), fix);
    return code;
}

static int take_lock(const char *rrd_dir, int *lock, char why[static 300])
{
    static const char fix[] = "name a folder that can be written with -d or series.rrd";
    char path[PATH_OCTETS];
    if (mkdir(rrd_dir, 0750) != 0 && errno != EEXIST)
        return failed(why, rrd_dir, -errno, fix);
    if (snprintf(path, sizeof path, "%s/lock", rrd_dir) >= (int)sizeof path)
        return failed(why, rrd_dir, -ENAMETOOLONG, fix);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return failed(why, path, -errno, fix);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        if (code != -EBUSY)
            return failed(why, path, code, fix);
        snprintf(why, 300, "%.150s: another postern-series writes here; stop it first", rrd_dir);
        return code;
    }
    *lock = fd;
    return 0;
}

static struct {
    size_t folder; // length of the folder's path and the slash behind it
    bool forecast; // series of this kind need one
    char error[RRDFILE_ERROR_MAX], last_broken[RRDFILE_ERROR_MAX];
    size_t renewed, broken;
    int code;
} walk; // nftw has no argument for its function; one writer a process

static int renew(const char *path)
{
    struct rrdfile_shape shape;
    uint64_t identity = series_identity(path + walk.folder);
    int rc = walk.forecast ? rrdfile_check(path, &shape, NULL, walk.error) : 0;
    if (rc == 0 && walk.forecast && !shape.forecast) {
        shape.forecast = true;
        rc = rrdfile_convert(path, shape, walk.error);
    }
    return rc == 0 ? rrdhead_renew(path, identity, walk.error) : rc;
}

static int renew_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    size_t n = strlen(path);
    if (type != FTW_F || n < 4 || strcmp(path + n - 4, ".rrd") != 0)
        return 0;
    int rc = renew(path);
    if (rc == -EPROTO) { // one broken file holds up nobody: fsck names it
        walk.broken++;
        memcpy(walk.last_broken, walk.error, sizeof walk.error);
        return 0;
    }
    walk.code = rc;
    walk.renewed += rc == 0;
    return rc;
}

// From version 1 or 2. What is done already is passed over, so that it may be interrupted.
static int bring_up_to_date(const char *rrd_dir, char why[static 300])
{
    walk.folder = strlen(rrd_dir) + 1;
    walk.renewed = walk.broken = 0;
    for (enum series_kind kind = SERIES_SUBSCRIBER; kind <= SERIES_SENSOR; kind++) {
        char path[PATH_OCTETS];
        snprintf(path, sizeof path, "%s/%s", rrd_dir, series_kind_name(kind));
        walk.code = 0;
        walk.error[0] = '\0';
        walk.forecast = kind != SERIES_SUBSCRIBER;
        if (nftw(path, renew_one, FOLDERS_OPEN, FTW_PHYS) != 0 && walk.code != 0) {
            snprintf(why, 300, "%s; check space and rights, or run postern series rebuild",
                     walk.error);
            return walk.code;
        }
    }
    if (walk.renewed > 0)
        log_info("%s: %zu series are now of layout %d", rrd_dir, walk.renewed,
                 SERIES_LAYOUT_VERSION);
    if (walk.broken > 0)
        log_warning("%s: %zu files are broken, last: %s; postern series fsck names them", rrd_dir,
                    walk.broken, walk.last_broken);
    return 0;
}

// `since_s`: rows before it were consolidated by an older version; 0: none were.
static int write_layout(const char *path, enum series_layout layout, int64_t since_s,
                        char why[static 300])
{
    char temporary[PATH_OCTETS];
    snprintf(temporary, sizeof temporary, "%.4000s.new", path);
    FILE *out = fopen(temporary, "we");
    int rc = out ? 0 : -errno;
    if (out &&
        (fprintf(out, "%d %s", SERIES_LAYOUT_VERSION, names[layout]) < 0 ||
         (since_s > 0 && fprintf(out, " %lld", (long long)since_s) < 0) || fputc('\n', out) == EOF))
        rc = -EIO;
    if (out && fclose(out) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(temporary, path) != 0)
        rc = -errno;
    return rc == 0 ? 0 : failed(why, path, rc, "check space and rights of the folder");
}

static bool read_layout(FILE *in, int *version, char *word, size_t size)
{
    char line[64] = "", *end;
    if (!fgets(line, sizeof line, in))
        return false;
    line[strcspn(line, "\n")] = '\0';
    long n = strtol(line, &end, 10);
    if (end == line || *end != ' ' || n < 1 || n > 1000)
        return false;
    *version = (int)n;
    end[1 + strcspn(end + 1, " ")] = '\0';
    snprintf(word, size, "%s", end + 1);
    return true;
}

static int check_layout(const char *rrd_dir, enum series_layout layout, char why[static 300])
{
    char path[PATH_OCTETS], word[16] = "";
    int version = 1;
    snprintf(path, sizeof path, "%.4000s/layout", rrd_dir);
    FILE *in = fopen(path, "re");
    if (!in && errno != ENOENT)
        return failed(why, path, -errno, "check the rights of the folder");
    char cursor[PATH_OCTETS];
    snprintf(cursor, sizeof cursor, "%.4000s/cursor", rrd_dir);
    if (!in && access(cursor, F_OK) == 0)
        snprintf(word, sizeof word, "%s", names[SERIES_FULL]); // version 1 knew no other
    if (in) {
        bool read = read_layout(in, &version, word, sizeof word);
        fclose(in);
        if (!read || version > SERIES_LAYOUT_VERSION) {
            snprintf(why, 300,
                     "%.150s: layout %d, this program writes %d; run postern series rebuild",
                     rrd_dir, read ? version : 0, SERIES_LAYOUT_VERSION);
            return -EPROTO;
        }
    }
    if (word[0] && strcmp(word, names[layout]) != 0) {
        snprintf(why, 300,
                 "%.150s: its files are %s, series.layout says %s; run postern series rebuild",
                 rrd_dir, word, names[layout]);
        return -EPROTO;
    }
    int64_t since_s = 0;
    if (in && version == SERIES_LAYOUT_VERSION)
        return 0;
    if (series_coverage_end(rrd_dir, &since_s) != 0)
        since_s = 0;
    int rc = bring_up_to_date(rrd_dir, why);
    return rc == 0 ? write_layout(path, layout, since_s, why) : rc;
}

int layout_open(const char *rrd_dir, enum series_layout layout, int *lock, char why[static 300])
{
    int fd;
    int rc = take_lock(rrd_dir, &fd, why);
    if (rc != 0)
        return rc;
    rc = check_layout(rrd_dir, layout, why);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    *lock = fd;
    return 0;
}
