// The one place that calls librrd for data: create, update, fetch, last. Layouts as in series.h.
// librrd keeps its last error per thread; it comes back here as text in `error`.
#pragma once

#include "common/series.h"

#define RRDFILE_ERROR_MAX 200

// A row is unknown when more than this share of its minutes is: when all are.
#define RRDFILE_UNKNOWN_SHARE 0.9999

// Sixteen bits of an identity in the heartbeat of each of the first sources.
#define RRDFILE_IDENTITY_SOURCES 4
int64_t rrdfile_heartbeat_s(uint64_t identity, size_t source);

struct rrdfile_shape {
    bool reduced;  // fewer rows: series_archives[SERIES_REDUCED]
    bool sensor;   // sources of a sensor instead of a subscriber's
    bool forecast; // with Holt-Winters archives and their FAILURES
    // series_identity, kept in the heartbeats of the first sources (366 days and some hours); 0: none.
    uint64_t identity;
};

// What rrdfile_check finds beside the shape.
struct rrdfile_found {
    bool halves;     // as layout 2 made them: a row is unknown when half of its minutes are
    int64_t surplus; // octets behind the last row
};

// Subscribers plain, everybody together with a forecast.
struct rrdfile_shape rrdfile_shape_of(enum series_kind kind, enum series_layout layout);

// A new file whose first possible sample ends at `start_s` + SERIES_STEP_S. -EEXIST when there is one.
int rrdfile_create(const char *path, struct rrdfile_shape shape, int64_t start_s,
                   char error[static RRDFILE_ERROR_MAX]);

// Makes a file anew in another shape with what it holds, row for row; whole or not at all.
int rrdfile_convert(const char *path, struct rrdfile_shape shape,
                    char error[static RRDFILE_ERROR_MAX]);

// One update: the value of each source from the last update up to `t_s`. NaN is unknown.
struct rrdfile_update {
    int64_t t_s;
    double value[SERIES_SOURCES];
};

enum { RRDFILE_UPDATE_TEXT_MAX = 24 + SERIES_SOURCES * 26 };

// "1774137660:3:0:U:...", as librrd and rrdcached take it. Returns its length.
int rrdfile_update_text(const struct rrdfile_update *u, char out[static RRDFILE_UPDATE_TEXT_MAX]);

// In order of time, later than rrdfile_last. -EIO with librrd's words in `error`.
int rrdfile_update(const char *path, const struct rrdfile_update *update, size_t count,
                   char error[static RRDFILE_ERROR_MAX]);

// Rows (t - step, t] of one consolidation, as librrd chooses the archive for `step_s`.
struct rrdfile_rows {
    int64_t first_s; // end of the first row
    int64_t step_s;
    size_t count;
    double *value; // count x SERIES_SOURCES; owned
};

enum rrdfile_cf { RRDFILE_AVERAGE, RRDFILE_MAXIMUM, RRDFILE_FAILURES };

int rrdfile_fetch(const char *path, enum rrdfile_cf cf, int64_t start_s, int64_t end_s,
                  int64_t step_s, struct rrdfile_rows *out, char error[static RRDFILE_ERROR_MAX]);

// Time of the last update. -ENOENT, -EPROTO (not of our layout), -EIO.
int rrdfile_last(const char *path, int64_t *out_s, char error[static RRDFILE_ERROR_MAX]);

// Where the oldest row of the AVERAGE archive (index into series_archives) begins. Negative errno.
int rrdfile_reach(const char *path, unsigned archive, int64_t *out_s);

// What a file is: its shape. -EPROTO: step, sources or archives are not those of series.h. `found` may
// be NULL.
int rrdfile_check(const char *path, struct rrdfile_shape *out, struct rrdfile_found *found,
                  char error[static RRDFILE_ERROR_MAX]);
