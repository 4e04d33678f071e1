// The one place that calls librrd for data: create, update, fetch, last. Layout as in series.h.
// librrd keeps its last error per thread; it comes back here as text in `error`.
#pragma once

#include "common/series.h"

#define RRDFILE_ERROR_MAX 160

// A new file whose first possible sample ends at `start_s` + SERIES_STEP_S. -EEXIST when there is one.
int rrdfile_create(const char *path, int64_t start_s, char error[static RRDFILE_ERROR_MAX]);

// One update: the value of each source from the last update up to `t_s`. NaN is unknown.
struct rrdfile_update {
    int64_t t_s;
    double value[SERIES_SOURCES];
};

// In order of time, later than rrdfile_last. -EIO with librrd's words in `error`.
int rrdfile_update(const char *path, const struct rrdfile_update *update, size_t count,
                   char error[static RRDFILE_ERROR_MAX]);

// Rows (t - step, t] of one consolidation, as librrd chooses the archive for `*step_s`.
struct rrdfile_rows {
    int64_t first_s; // end of the first row
    int64_t step_s;
    size_t count;
    double *value; // count x SERIES_SOURCES; owned
};

int rrdfile_fetch(const char *path, bool maximum, int64_t start_s, int64_t end_s, int64_t step_s,
                  struct rrdfile_rows *out, char error[static RRDFILE_ERROR_MAX]);

// Time of the last update. -ENOENT, -EPROTO (not of our layout), -EIO.
int rrdfile_last(const char *path, int64_t *out_s, char error[static RRDFILE_ERROR_MAX]);

// 0 when step, sources and archives are those of series.h, else -EPROTO.
int rrdfile_check(const char *path, char error[static RRDFILE_ERROR_MAX]);
