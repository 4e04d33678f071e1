// Paths of keys, folders made on demand, and the choice between librrd and rrdcached.
#include "series/files.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/rrdcached.h"

enum { PATH_OCTETS = 4096, CACHED_TIMEOUT_MS = 10000 };

struct series_files {
    char *rrd_dir; // absolute
    enum series_layout layout;
    struct rrdcached *cached; // NULL: by librrd
    unsigned commits;
    bool may_lose;
    bool in_bulk;
};

int series_files_open(const char *rrd_dir, enum series_layout layout, const char *rrdcached,
                      bool in_bulk, struct series_files **out, char error[static RRDFILE_ERROR_MAX])
{
    struct series_files *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->layout = layout;
    f->in_bulk = in_bulk;
    f->rrd_dir = realpath(rrd_dir, NULL);
    int rc = f->rrd_dir ? 0 : -errno;
    if (rc != 0)
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", rrd_dir, strerror(-rc));
    if (rc == 0 && rrdcached) {
        rc = rrdcached_open(rrdcached, CACHED_TIMEOUT_MS, &f->cached);
        if (rc != 0)
            snprintf(error, RRDFILE_ERROR_MAX,
                     "%.100s: no socket of rrdcached; write unix:/run/rrdcached.sock", rrdcached);
    }
    if (rc != 0) {
        series_files_close(f);
        return rc;
    }
    *out = f;
    return 0;
}

void series_files_close(struct series_files *f)
{
    if (!f)
        return;
    rrdcached_close(f->cached);
    free(f->rrd_dir);
    free(f);
}

static const char *path_of(const struct series_files *f, const struct series_key *k,
                           char out[static PATH_OCTETS])
{
    char relative[SERIES_PATH_MAX];
    series_path(k->kind, k->name, relative);
    snprintf(out, PATH_OCTETS, "%s/%s", f->rrd_dir, relative);
    return out;
}

bool series_files_are_cached(const struct series_files *f, const struct series_key *k)
{
    return f->cached && k->kind == SERIES_SUBSCRIBER;
}

int series_files_look(struct series_files *f, struct series_key *k,
                      char error[static RRDFILE_ERROR_MAX])
{
    char path[PATH_OCTETS];
    path_of(f, k, path);
    series_files_flush(f, k);
    int rc = rrdfile_last(path, &k->last_s, error);
    if (rc == -ENOENT)
        k->file = SERIES_FILE_NONE;
    else if (rc == 0)
        k->file = SERIES_FILE_THERE;
    return rc == -ENOENT ? 0 : rc;
}

// The folders of a file, up to two levels below the kind's own.
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0750) != 0 && errno != EEXIST ? errno : 0;
        *slash = '/';
        if (failed)
            return -failed;
    }
    return 0;
}

// A file is made by large writes, whose pages the kernel keeps in large pieces: each later update would
// write such a piece instead of one page (measured: 32 kB instead of 12). Read again they are single.
static void forget_pages(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    sync_file_range(
        fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

int series_files_create(struct series_files *f, struct series_key *k, int64_t start_s,
                        char error[static RRDFILE_ERROR_MAX])
{
    char path[PATH_OCTETS];
    char relative[SERIES_PATH_MAX];
    int rc = make_folders((char *)path_of(f, k, path));
    struct rrdfile_shape shape = rrdfile_shape_of(k->kind, f->layout);
    shape.identity = series_identity(series_path(k->kind, k->name, relative));
    if (rc != 0)
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path, strerror(-rc));
    else
        rc = rrdfile_create(path, shape, start_s, error);
    if (rc == 0 && k->kind != SERIES_SUBSCRIBER && k->kind != SERIES_SITE)
        rc = series_names_add(f->rrd_dir, k->kind, k->name);
    if (rc != 0)
        return rc;
    if (!f->in_bulk)
        forget_pages(path);
    k->file = SERIES_FILE_THERE;
    k->last_s = start_s;
    return 0;
}

int series_files_update(struct series_files *f, const struct series_key *k,
                        const struct rrdfile_update *update, size_t count,
                        char error[static RRDFILE_ERROR_MAX])
{
    char path[PATH_OCTETS];
    path_of(f, k, path);
    if (!series_files_are_cached(f, k))
        return rrdfile_update(path, update, count, error);
    int rc = rrdcached_put(f->cached, path, update, count);
    if (rc != 0)
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path, strerror(-rc));
    return rc;
}

void series_files_prefetch(const struct series_files *f, const struct series_key *k)
{
    enum { HEAD_OCTETS = 8192 }; // of eight sources and seven archives: 7,312
    char path[PATH_OCTETS];
    if (series_files_are_cached(f, k))
        return;
    int fd = open(path_of(f, k, path), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    posix_fadvise(fd, 0, HEAD_OCTETS, POSIX_FADV_WILLNEED);
    close(fd);
}

int series_files_commit(struct series_files *f, size_t *refused,
                        char error[static RRDFILE_ERROR_MAX])
{
    enum { ASK_EVERY = 64 };
    *refused = 0;
    if (!f->cached)
        return 0;
    int rc = rrdcached_commit(f->cached, refused, error);
    bool has_journal;
    if (rc == 0 && f->commits++ % ASK_EVERY == 0 &&
        rrdcached_has_journal(f->cached, &has_journal) == 0)
        f->may_lose = !has_journal;
    return rc;
}

bool series_files_may_lose(struct series_files *f)
{
    return f->may_lose;
}

void series_files_flush(struct series_files *f, const struct series_key *k)
{
    char path[PATH_OCTETS];
    if (series_files_are_cached(f, k))
        rrdcached_flush(f->cached, path_of(f, k, path)); // what it then says is in the file's age
}

// A forecast is one after some days: was there anything three days ago?
static bool is_grown(const char *path, int64_t now_s)
{
    enum { DAYS_S = 3 * 86400, HOUR_S = 3600 };
    char error[RRDFILE_ERROR_MAX];
    struct rrdfile_rows rows;
    int64_t t = now_s - DAYS_S - now_s % HOUR_S;
    if (rrdfile_fetch(path, RRDFILE_AVERAGE, t - HOUR_S, t, HOUR_S, &rows, error) != 0)
        return false;
    bool grown = false;
    for (size_t i = 0; i < rows.count * SERIES_SOURCES; i++)
        grown = grown || !isnan(rows.value[i]);
    free(rows.value);
    return grown;
}

int series_files_failures(struct series_files *f, const struct series_key *k, int64_t start_s,
                          int64_t end_s, uint64_t *out)
{
    char path[PATH_OCTETS], error[RRDFILE_ERROR_MAX];
    struct rrdfile_rows rows;
    int rc = rrdfile_fetch(path_of(f, k, path), RRDFILE_FAILURES, start_s, end_s, SERIES_STEP_S,
                           &rows, error);
    if (rc != 0)
        return rc;
    // Loss has alarms of its own, and comes back as its own echo a day later.
    unsigned sources = k->kind == SERIES_SENSOR ? SERIES_SENSOR_LOSS_PPM : SERIES_SOURCES;
    uint64_t failures = 0;
    for (size_t i = 0; i < rows.count; i++) {
        int64_t at = (rows.first_s + (int64_t)i * rows.step_s - start_s) / SERIES_STEP_S - 1;
        for (unsigned s = 0; s < sources && at >= 0 && at < 64; s++)
            if (!(k->kind == SERIES_SENSOR && s == SERIES_SENSOR_DROPPED) &&
                rows.value[i * SERIES_SOURCES + s] > 0)
                failures |= UINT64_C(1) << at;
    }
    free(rows.value);
    *out = failures && is_grown(path, end_s) ? failures : 0;
    return 0;
}
