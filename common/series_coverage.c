// The coverage file: pread and pwrite of small records, nothing kept open.
#include "common/series_coverage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/series.h"

enum { MINUTES_A_DAY = 1440, RECORD_OCTETS = 12, PATH_OCTETS = 4096 };

static bool folder_path(const char *rrd_dir, const char *sensor, char out[static PATH_OCTETS])
{
    char word[SERIES_SENSOR_WORD_MAX];
    int n = sensor ? snprintf(out, PATH_OCTETS, "%s/coverage/sensor/%s", rrd_dir,
                              series_sensor_word(sensor, word))
                   : snprintf(out, PATH_OCTETS, "%s/coverage", rrd_dir);
    return n < PATH_OCTETS;
}

static bool day_path(const char *rrd_dir, const char *sensor, int64_t day,
                     char out[static PATH_OCTETS])
{
    time_t t = (time_t)(day * 86400);
    struct tm tm;
    gmtime_r(&t, &tm);
    if (!folder_path(rrd_dir, sensor, out))
        return false;
    size_t n = strlen(out);
    return snprintf(out + n, PATH_OCTETS - n, "/%04d%02d%02d.cov", tm.tm_year + 1900, tm.tm_mon + 1,
                    tm.tm_mday) < (int)(PATH_OCTETS - n);
}

// Up to three folders below `rrd_dir`.
static int make_folder(const char *rrd_dir, const char *sensor)
{
    char path[PATH_OCTETS];
    if (!folder_path(rrd_dir, sensor, path))
        return -ENAMETOOLONG;
    for (char *slash = path + strlen(rrd_dir) + 1; slash;) {
        slash = strchr(slash, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0750) != 0 && errno != EEXIST)
            return -errno;
        if (slash)
            *slash++ = '/';
    }
    return 0;
}

static void put_u32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 8 | at[i];
    return v;
}

int series_coverage_put(const char *rrd_dir, const char *sensor, int64_t minute,
                        const struct series_coverage_minute *m)
{
    char path[PATH_OCTETS];
    if (minute < 0)
        return -EINVAL;
    if (!day_path(rrd_dir, sensor, minute / MINUTES_A_DAY, path))
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 && errno == ENOENT) {
        int rc = make_folder(rrd_dir, sensor);
        if (rc != 0)
            return rc;
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    }
    if (fd < 0)
        return -errno;
    uint8_t record[RECORD_OCTETS];
    put_u32(record, m->seconds);
    put_u32(record + 4, m->loss_ppm);
    put_u32(record + 8, m->alarms);
    ssize_t n = pwrite(fd, record, sizeof record, (off_t)(minute % MINUTES_A_DAY) * RECORD_OCTETS);
    int rc = n == (ssize_t)sizeof record ? 0 : n < 0 ? -errno : -ENOSPC;
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

static int get_day(const char *rrd_dir, const char *sensor, int64_t day, size_t from, size_t count,
                   struct series_coverage_minute *out)
{
    char path[PATH_OCTETS];
    if (!day_path(rrd_dir, sensor, day, path))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    uint8_t raw[MINUTES_A_DAY * RECORD_OCTETS];
    ssize_t n = pread(fd, raw, count * RECORD_OCTETS, (off_t)from * RECORD_OCTETS);
    int rc = n < 0 ? -errno : 0;
    close(fd);
    for (size_t i = 0; rc == 0 && i < (size_t)n / RECORD_OCTETS; i++) {
        const uint8_t *r = raw + i * RECORD_OCTETS;
        out[i] = (struct series_coverage_minute){get_u32(r), get_u32(r + 4), get_u32(r + 8)};
    }
    return rc;
}

int series_coverage_get(const char *rrd_dir, const char *sensor, int64_t first, size_t count,
                        struct series_coverage_minute *out)
{
    memset(out, 0, count * sizeof *out);
    if (first < 0)
        return -EINVAL;
    for (size_t done = 0; done < count;) {
        int64_t minute = first + (int64_t)done;
        size_t from = (size_t)(minute % MINUTES_A_DAY);
        size_t n = MINUTES_A_DAY - from;
        if (n > count - done)
            n = count - done;
        int rc = get_day(rrd_dir, sensor, minute / MINUTES_A_DAY, from, n, out + done);
        if (rc != 0)
            return rc;
        done += n;
    }
    return 0;
}

// "20260322.cov" as a day of the epoch, -1 for any other name.
static int64_t day_of_name(const char *name)
{
    int number[8];
    for (int i = 0; i < 8; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        number[i] = name[i] - '0';
    }
    if (strcmp(name + 8, ".cov") != 0)
        return -1;
    struct tm tm = {
        .tm_year = number[0] * 1000 + number[1] * 100 + number[2] * 10 + number[3] - 1900,
        .tm_mon = number[4] * 10 + number[5] - 1,
        .tm_mday = number[6] * 10 + number[7],
    };
    return (int64_t)timegm(&tm) / 86400;
}

int series_coverage_end(const char *rrd_dir, int64_t *out_s)
{
    char path[PATH_OCTETS];
    if (snprintf(path, sizeof path, "%s/coverage", rrd_dir) >= (int)sizeof path)
        return -ENAMETOOLONG;
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    int64_t newest = -1;
    for (struct dirent *e; (e = readdir(dir));) {
        int64_t day = day_of_name(e->d_name);
        if (day > newest)
            newest = day;
    }
    closedir(dir);
    if (newest < 0)
        return -ENOENT;
    struct series_coverage_minute m[MINUTES_A_DAY];
    int rc = series_coverage_get(rrd_dir, NULL, newest * MINUTES_A_DAY, MINUTES_A_DAY, m);
    if (rc != 0)
        return rc;
    for (int i = MINUTES_A_DAY; i > 0; i--) {
        if (m[i - 1].seconds == 0)
            continue;
        *out_s = (newest * MINUTES_A_DAY + i) * 60;
        return 0;
    }
    return -ENOENT;
}
