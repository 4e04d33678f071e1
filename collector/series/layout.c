// `layout` holds "VERSION full" or "VERSION reduced". Version 1 had no such file: its series of
// everybody together lack the forecast.
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
#include "common/rrdfile.h"

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
    char error[RRDFILE_ERROR_MAX];
    size_t converted;
    int code;
} walk; // nftw has no argument for its function; one writer a process

static int convert_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    size_t n = strlen(path);
    struct rrdfile_shape shape;
    if (type != FTW_F || n < 4 || strcmp(path + n - 4, ".rrd") != 0)
        return 0;
    walk.code = rrdfile_check(path, &shape, walk.error);
    if (walk.code != 0 || shape.forecast)
        return walk.code;
    shape.forecast = true;
    walk.code = rrdfile_convert(path, shape, walk.error);
    walk.converted += walk.code == 0;
    return walk.code;
}

static int from_version_1(const char *rrd_dir, char why[static 300])
{
    static const enum series_kind kinds[] = {SERIES_SITE, SERIES_POP, SERIES_CLASS};
    walk.converted = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[PATH_OCTETS];
        snprintf(path, sizeof path, "%s/%s", rrd_dir, series_kind_name(kinds[i]));
        walk.code = 0;
        walk.error[0] = '\0';
        if (nftw(path, convert_one, FOLDERS_OPEN, FTW_PHYS) != 0 && walk.code != 0) {
            snprintf(why, 300, "%s; remove the folder, it is built again from the journal",
                     walk.error);
            return walk.code;
        }
    }
    if (walk.converted > 0)
        log_info("%s: %zu series now have a forecast", rrd_dir, walk.converted);
    return 0;
}

static int write_layout(const char *path, enum series_layout layout, char why[static 300])
{
    char temporary[PATH_OCTETS];
    snprintf(temporary, sizeof temporary, "%.4000s.new", path);
    FILE *out = fopen(temporary, "we");
    int rc = out ? 0 : -errno;
    if (out && fprintf(out, "%d %s\n", SERIES_LAYOUT_VERSION, names[layout]) < 0)
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
        if (!read || version != SERIES_LAYOUT_VERSION) {
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
    if (in)
        return 0;
    int rc = from_version_1(rrd_dir, why);
    return rc == 0 ? write_layout(path, layout, why) : rc;
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
