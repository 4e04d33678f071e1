// Paths of keys, folders made on demand, and the choice between librrd and rrdcached.
#include "series/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/rrdcached.h"

enum { PATH_OCTETS = 4096, CACHED_TIMEOUT_MS = 10000 };

struct series_files {
    char *rrd_dir; // absolute
    enum series_layout layout;
    struct rrdcached *cached; // NULL: by librrd
};

int series_files_open(const char *rrd_dir, enum series_layout layout, const char *rrdcached,
                      struct series_files **out, char error[static RRDFILE_ERROR_MAX])
{
    struct series_files *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->layout = layout;
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

int series_files_create(struct series_files *f, struct series_key *k, int64_t start_s,
                        char error[static RRDFILE_ERROR_MAX])
{
    char path[PATH_OCTETS];
    int rc = make_folders((char *)path_of(f, k, path));
    if (rc != 0)
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path, strerror(-rc));
    else
        rc = rrdfile_create(path, rrdfile_shape_of(k->kind, f->layout), start_s, error);
    if (rc == 0 && k->kind != SERIES_SUBSCRIBER && k->kind != SERIES_SITE)
        rc = series_names_add(f->rrd_dir, k->kind, k->name);
    if (rc != 0)
        return rc;
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

int series_files_commit(struct series_files *f, size_t *refused,
                        char error[static RRDFILE_ERROR_MAX])
{
    *refused = 0;
    return f->cached ? rrdcached_commit(f->cached, refused, error) : 0;
}

void series_files_flush(struct series_files *f, const struct series_key *k)
{
    char path[PATH_OCTETS];
    if (series_files_are_cached(f, k))
        rrdcached_flush(f->cached, path_of(f, k, path)); // what it then says is in the file's age
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
    uint64_t failures = 0;
    for (size_t i = 0; i < rows.count; i++) {
        int64_t at = (rows.first_s + (int64_t)i * rows.step_s - start_s) / SERIES_STEP_S - 1;
        for (unsigned s = 0; s < SERIES_SOURCES && at >= 0 && at < 64; s++)
            if (rows.value[i * SERIES_SOURCES + s] > 0)
                failures |= UINT64_C(1) << at;
    }
    free(rows.value);
    *out = failures;
    return 0;
}
