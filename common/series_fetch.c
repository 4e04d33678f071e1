// The one way to read a series.
//
// RRD files hold what was written, which is sparse: nothing after the last activity, nothing before
// the first, and coarse rows only once they are over. What a reader wants is: the value where there
// is one, zero where one of its sensors watched and nothing came, unknown where none did. The coverage
// tells the last two apart. Rows that librrd has not consolidated yet are made here from minutes.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rrdfile.h"
#include "common/series.h"
#include "common/series_sight.h"

enum { POINTS_MAX = 1500, MINUTE_S = 60, PATH_OCTETS = 4096 };

struct request {
    const char *rrd_dir;
    char path[PATH_OCTETS];
    char error[RRDFILE_ERROR_MAX];
    int64_t last_s; // last update of the file
    enum series_kind kind;
    const char *name;
    struct series_notes notes; // owned
};

static int64_t align_down(int64_t t, int64_t step)
{
    return t - ((t % step) + step) % step;
}

// The finest archive that still holds the start and gives no more than POINTS_MAX rows.
static int32_t choose_step(const struct request *q, const struct series_range *r)
{
    for (unsigned a = 0; a < SERIES_ARCHIVES; a++) {
        int32_t step_s = series_archives[SERIES_FULL][a].step_s;
        if ((r->end_s - r->start_s) / step_s > POINTS_MAX)
            continue;
        if (r->start_s >= q->last_s || rrdfile_reaches(q->path, a, r->start_s))
            return step_s;
    }
    return series_archives[SERIES_FULL][SERIES_ARCHIVES - 1].step_s;
}

static bool is_archive_step(int32_t step_s)
{
    for (int a = 0; a < SERIES_ARCHIVES; a++)
        if (series_archives[SERIES_FULL][a].step_s == step_s)
            return true;
    return false;
}

// Copies rows of the file that fall on samples; others stay as they are (unknown).
static int read_rows(struct request *q, bool maximum, const struct series_range *r,
                     struct series_sample *samples, size_t count)
{
    // A minute is its own maximum: the finest archive has no MAX.
    bool use_maximum = maximum && r->step_s > MINUTE_S;
    struct rrdfile_rows rows;
    enum rrdfile_cf cf = use_maximum ? RRDFILE_MAXIMUM : RRDFILE_AVERAGE;
    int rc = rrdfile_fetch(q->path, cf, r->start_s, r->end_s, r->step_s, &rows, q->error);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < rows.count && rows.step_s == r->step_s; i++) {
        int64_t t = rows.first_s + (int64_t)i * rows.step_s;
        if (t <= r->start_s || t > r->end_s)
            continue;
        size_t at = (size_t)((t - r->start_s) / r->step_s) - 1;
        if (at >= count)
            continue;
        const double *v = rows.value + i * SERIES_SOURCES;
        memcpy(maximum ? samples[at].maximum : samples[at].average, v,
               SERIES_SOURCES * sizeof(double));
    }
    free(rows.value);
    return 0;
}

static void fill_unknown(struct series_sample *s, double v)
{
    for (unsigned i = 0; i < SERIES_SOURCES; i++) {
        if (isnan(s->average[i]))
            s->average[i] = v;
        if (isnan(s->maximum[i]))
            s->maximum[i] = v;
    }
}

// Seconds watched and worst loss of the sample's interval.
static void apply_coverage(struct series_sample *s, int32_t step_s,
                           const struct series_coverage_minute *m)
{
    uint32_t watched = 0, minutes = (uint32_t)step_s / MINUTE_S;
    for (uint32_t i = 0; i < minutes; i++) {
        watched += m[i].seconds > 0;
        if (m[i].loss_ppm > s->loss_ppm)
            s->loss_ppm = m[i].loss_ppm;
    }
    s->observed = watched * 2 >= minutes && watched > 0;
    if (s->observed)
        fill_unknown(s, 0.0);
}

// A coarse row that ends after the last update is not in the file yet: consolidate its minutes.
static void consolidate(struct series_sample *s, const struct series_sample *minute, size_t minutes)
{
    for (unsigned v = 0; v < SERIES_SOURCES; v++) {
        double sum = 0, max = NAN;
        size_t known = 0;
        for (size_t i = 0; i < minutes; i++) {
            double x = minute[i].average[v];
            if (isnan(x))
                continue;
            sum += x;
            known++;
            max = isnan(max) || x > max ? x : max;
        }
        s->average[v] = known * 2 >= minutes && known > 0 ? sum / (double)known : NAN;
        s->maximum[v] = max;
    }
}

static int fetch_step(struct request *q, struct series_range *r, struct series_sample **out,
                      size_t *count);

static int fill_tail(struct request *q, const struct series_range *r, struct series_sample *samples,
                     size_t count)
{
    if (r->step_s == MINUTE_S || r->end_s <= q->last_s - q->last_s % r->step_s)
        return 0;
    int64_t first = align_down(q->last_s, r->step_s);
    if (first < r->start_s)
        first = r->start_s;
    // Only the row in progress has minutes worth reading; what lies behind is all silence.
    int64_t end = first + r->step_s;
    if (end > r->end_s || end <= q->last_s)
        return 0;
    struct series_range minutes = {.start_s = first, .end_s = end, .step_s = MINUTE_S};
    struct series_sample *fine;
    size_t n;
    int rc = fetch_step(q, &minutes, &fine, &n);
    if (rc != 0)
        return rc;
    size_t at = (size_t)((first - r->start_s) / r->step_s);
    if (at < count)
        consolidate(&samples[at], fine, n);
    free(fine);
    return 0;
}

static int fetch_step(struct request *q, struct series_range *r, struct series_sample **out,
                      size_t *count)
{
    r->start_s = align_down(r->start_s, r->step_s);
    r->end_s = align_down(r->end_s + r->step_s - 1, r->step_s);
    size_t n = (size_t)((r->end_s - r->start_s) / r->step_s);
    size_t minutes = (size_t)((r->end_s - r->start_s) / MINUTE_S);
    struct series_sample *samples = calloc(n ? n : 1, sizeof *samples);
    struct series_coverage_minute *coverage = calloc(minutes ? minutes : 1, sizeof *coverage);
    int rc = samples && coverage ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        samples[i].t_s = r->start_s + (int64_t)(i + 1) * r->step_s;
        for (unsigned v = 0; v < SERIES_SOURCES; v++)
            samples[i].average[v] = samples[i].maximum[v] = NAN;
    }
    if (rc == 0)
        rc = read_rows(q, false, r, samples, n);
    if (rc == 0)
        rc = read_rows(q, true, r, samples, n);
    if (rc == 0)
        rc = fill_tail(q, r, samples, n);
    if (rc == 0)
        rc = series_sight_coverage(q->rrd_dir, q->kind, q->name, &q->notes, r->start_s / MINUTE_S,
                                   minutes, coverage);
    for (size_t i = 0; rc == 0 && i < n; i++)
        apply_coverage(&samples[i], r->step_s, coverage + i * (size_t)(r->step_s / MINUTE_S));
    free(coverage);
    if (rc != 0) {
        free(samples);
        return rc;
    }
    *out = samples;
    *count = n;
    return 0;
}

// What came after its minute had been written: its share of the average, and its peak.
static void amend(struct series_sample *samples, size_t count, const struct series_range *r,
                  const struct series_notes *notes)
{
    for (size_t i = 0; i < notes->amendments; i++) {
        const struct series_amendment *a = &notes->amendment[i];
        int64_t t = a->minute * MINUTE_S;
        size_t at = t < r->start_s ? count : (size_t)((t - r->start_s) / r->step_s);
        if (at >= count)
            continue;
        struct series_sample *s = &samples[at];
        for (unsigned v = 0; v < SERIES_SOURCES; v++) {
            double before = isnan(s->average[v]) ? 0 : s->average[v];
            s->average[v] = before + a->delta[v] * MINUTE_S / r->step_s;
            if (isnan(s->maximum[v]) || a->total[v] > s->maximum[v])
                s->maximum[v] = a->total[v];
        }
    }
}

// Before its lease and after it the address was somebody else's.
static void hide_others(struct series_sample *samples, size_t count, const struct series_range *r)
{
    for (size_t i = 0; i < count; i++) {
        int64_t start_s = samples[i].t_s - r->step_s;
        bool before = r->own_start_s > 0 && start_s < align_down(r->own_start_s, MINUTE_S);
        if (!before && (r->own_end_s == 0 || samples[i].t_s <= r->own_end_s))
            continue;
        for (unsigned v = 0; v < SERIES_SOURCES; v++)
            samples[i].average[v] = samples[i].maximum[v] = NAN;
    }
}

static int open_request(struct request *q, const char *rrd_dir, enum series_kind kind,
                        const char *name)
{
    char relative[SERIES_PATH_MAX];
    series_path(kind, name, relative);
    q->rrd_dir = rrd_dir;
    q->kind = kind;
    q->name = name;
    if (snprintf(q->path, sizeof q->path, "%s/%s", rrd_dir, relative) >= (int)sizeof q->path)
        return -ENAMETOOLONG;
    return rrdfile_last(q->path, &q->last_s, q->error);
}

int series_fetch(const char *rrd_dir, enum series_kind kind, const char *name,
                 struct series_range *range, struct series_sample **out, size_t *count)
{
    struct request q = {0};
    if (range->start_s < 0 || range->end_s <= range->start_s ||
        (range->step_s != 0 && !is_archive_step(range->step_s)))
        return -EINVAL;
    int rc = open_request(&q, rrd_dir, kind, name);
    if (rc != 0)
        return rc;
    struct series_range r = *range;
    if (r.step_s == 0)
        r.step_s = choose_step(&q, &r);
    rc = series_notes_read(rrd_dir, kind, name, &q.notes);
    if (rc != 0)
        return rc;
    rc = fetch_step(&q, &r, out, count);
    if (rc == 0) {
        amend(*out, *count, &r, &q.notes);
        hide_others(*out, *count, &r);
        *range = r;
    }
    series_notes_free(&q.notes);
    return rc;
}

int series_last(const char *rrd_dir, enum series_kind kind, const char *name, int64_t *out_s)
{
    struct request q = {0};
    int rc = open_request(&q, rrd_dir, kind, name);
    if (rc == 0)
        *out_s = q.last_s;
    return rc;
}
