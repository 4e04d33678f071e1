// The one way to read a series.
//
// RRD files hold what was written, which is sparse: nothing after the last activity, nothing before
// the first, and coarse rows only once they are over. What a reader wants is: the value where there
// is one, zero where one of its sensors watched and nothing came, unknown where none did. The coverage
// tells the last two apart, and how many minutes a mean stands for. Rows that librrd has not consolidated
// yet are made here from finer ones.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rrdfile.h"
#include "common/series.h"
#include "common/series_sight.h"

enum { POINTS_MAX = 1500, MINUTE_S = 60, PATH_OCTETS = 4096 };

// What a folder that was of layout 2 says of rows that were consolidated before it was brought up to date.
enum { NOT_ASKED = -1 };

struct request {
    const char *rrd_dir;
    char path[PATH_OCTETS];
    char error[RRDFILE_ERROR_MAX];
    int64_t last_s; // last update of the file
    enum series_kind kind;
    const char *name;
    struct series_notes notes; // owned
    int64_t halves_until_s; // NOT_ASKED, or until when rows are unknown that were watched by half
};

// Rows of one step, with the coverage of their minutes.
struct rows {
    struct series_range range;
    struct series_sample *sample; // owned
    size_t count;
    struct series_coverage_minute *coverage; // owned
};

static int64_t align_down(int64_t t, int64_t step)
{
    return t - ((t % step) + step) % step;
}

static int archive_of(int32_t step_s)
{
    for (int a = 0; a < SERIES_ARCHIVES; a++)
        if (series_archives[SERIES_FULL][a].step_s == step_s)
            return a;
    return -1;
}

// The finest archive that still holds the start and gives no more than POINTS_MAX rows.
static int32_t choose_step(const struct request *q, const struct series_range *r)
{
    for (unsigned a = 0; a < SERIES_ARCHIVES; a++) {
        int32_t step_s = series_archives[SERIES_FULL][a].step_s;
        int64_t reach_s;
        if ((r->end_s - r->start_s) / step_s > POINTS_MAX)
            continue;
        if (r->start_s >= q->last_s ||
            (rrdfile_reach(q->path, a, &reach_s) == 0 && r->start_s >= reach_s))
            return step_s;
    }
    return series_archives[SERIES_FULL][SERIES_ARCHIVES - 1].step_s;
}

// Copies rows of the file that fall on samples; others stay as they are (unknown).
static int read_rows(struct request *q, bool maximum, struct rows *rows)
{
    const struct series_range *r = &rows->range;
    // A minute is its own maximum: the finest archive has no MAX.
    bool use_maximum = maximum && r->step_s > MINUTE_S;
    struct rrdfile_rows got;
    enum rrdfile_cf cf = use_maximum ? RRDFILE_MAXIMUM : RRDFILE_AVERAGE;
    int rc = rrdfile_fetch(q->path, cf, r->start_s, r->end_s, r->step_s, &got, q->error);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < got.count && got.step_s == r->step_s; i++) {
        int64_t t = got.first_s + (int64_t)i * got.step_s;
        if (t <= r->start_s || t > r->end_s)
            continue;
        size_t at = (size_t)((t - r->start_s) / r->step_s) - 1;
        if (at >= rows->count)
            continue;
        const double *v = got.value + i * SERIES_SOURCES;
        memcpy(maximum ? rows->sample[at].maximum : rows->sample[at].average, v,
               SERIES_SOURCES * sizeof(double));
    }
    free(got.value);
    return 0;
}

static void set_values(struct series_sample *s, double v)
{
    for (unsigned i = 0; i < SERIES_SOURCES; i++)
        s->average[i] = s->maximum[i] = v;
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

static bool has_value(const struct series_sample *s)
{
    for (unsigned i = 0; i < SERIES_SOURCES; i++)
        if (s->average[i] > 0)
            return true;
    return false;
}

static bool is_unknown(const struct series_sample *s)
{
    for (unsigned i = 0; i < SERIES_SOURCES; i++)
        if (!isnan(s->average[i]))
            return false;
    return true;
}

// Third word of the folder's `layout`, if any.
static int64_t halves_until(struct request *q)
{
    char path[PATH_OCTETS], line[64] = "";
    if (q->halves_until_s != NOT_ASKED)
        return q->halves_until_s;
    q->halves_until_s = 0;
    if (snprintf(path, sizeof path, "%s/layout", q->rrd_dir) >= (int)sizeof path)
        return 0;
    FILE *in = fopen(path, "re");
    char *word = in && fgets(line, sizeof line, in) ? strrchr(line, ' ') : NULL;
    if (word && word != strchr(line, ' '))
        q->halves_until_s = strtoll(word + 1, NULL, 10);
    if (in)
        fclose(in);
    return q->halves_until_s;
}

// Seconds watched and worst loss of the sample's interval. `held`: its row is in the archive still, or has
// not come to it yet.
static void apply_coverage(struct request *q, struct series_sample *s, int32_t step_s,
                           const struct series_coverage_minute *m, bool held)
{
    uint32_t minutes = (uint32_t)step_s / MINUTE_S;
    for (uint32_t i = 0; i < minutes; i++) {
        s->minutes += m[i].seconds > 0;
        s->watched_s += m[i].seconds < MINUTE_S ? m[i].seconds : MINUTE_S;
        if (m[i].loss_ppm > s->loss_ppm)
            s->loss_ppm = m[i].loss_ppm;
    }
    bool lost = is_unknown(s) && s->minutes > 0 &&
                (!held || (s->minutes * 2 < minutes && s->t_s <= halves_until(q)));
    if (lost)
        s->minutes = s->watched_s = 0;
    s->observed = s->minutes > 0;
    if (s->observed)
        fill_unknown(s, 0.0);
    else if (has_value(s)) // nobody said that it was watched: a minute of it was, at least
        s->minutes = 1;
}

// A row in progress from finer ones.
static void consolidate(struct series_sample *s, const struct rows *fine)
{
    for (unsigned v = 0; v < SERIES_SOURCES; v++) {
        double sum = 0, max = NAN;
        uint32_t minutes = 0;
        for (size_t i = 0; i < fine->count; i++) {
            const struct series_sample *f = &fine->sample[i];
            if (isnan(f->average[v]) || f->minutes == 0)
                continue;
            sum += f->average[v] * f->minutes;
            minutes += f->minutes;
            max = isnan(max) || f->maximum[v] > max ? f->maximum[v] : max;
        }
        s->average[v] = minutes > 0 ? sum / minutes : NAN;
        s->maximum[v] = max;
    }
}

static void free_rows(struct rows *r)
{
    free(r->sample);
    free(r->coverage);
}

static int fetch_rows(struct request *q, const struct series_range *range, struct rows *out);

// A coarse row that ends after the last update is not in the file yet: it is made from the next finer
// step, whose own row in progress is made likewise. What lies behind is all silence.
static int fill_tail(struct request *q, struct rows *rows)
{
    const struct series_range *r = &rows->range;
    int64_t first = align_down(q->last_s, r->step_s), end = first + r->step_s;
    if (r->step_s == MINUTE_S || first == q->last_s || first < r->start_s || end > r->end_s)
        return 0;
    struct series_range finer = {
        .start_s = first,
        .end_s = end,
        .step_s = series_archives[SERIES_FULL][archive_of(r->step_s) - 1].step_s,
    };
    struct rows fine;
    int rc = fetch_rows(q, &finer, &fine);
    if (rc != 0)
        return rc;
    consolidate(&rows->sample[(first - r->start_s) / r->step_s], &fine);
    free_rows(&fine);
    return 0;
}

static int fill_rows(struct request *q, struct rows *rows)
{
    const struct series_range *r = &rows->range;
    size_t minutes = (size_t)r->step_s / MINUTE_S;
    int64_t reach_s = 0;
    int rc = read_rows(q, false, rows);
    if (rc == 0)
        rc = read_rows(q, true, rows);
    if (rc == 0)
        rc = fill_tail(q, rows);
    if (rc == 0)
        rc = series_sight_coverage(q->rrd_dir, q->kind, q->name, &q->notes, r->start_s / MINUTE_S,
                                   rows->count * minutes, rows->coverage);
    if (rc == 0)
        rc = rrdfile_reach(q->path, (unsigned)archive_of(r->step_s), &reach_s);
    for (size_t i = 0; rc == 0 && i < rows->count; i++) {
        struct series_sample *s = &rows->sample[i];
        apply_coverage(q, s, r->step_s, rows->coverage + i * minutes,
                       s->t_s - r->step_s >= reach_s);
    }
    return rc;
}

static int fetch_rows(struct request *q, const struct series_range *range, struct rows *out)
{
    struct rows rows = {.range = *range};
    struct series_range *r = &rows.range;
    r->start_s = align_down(r->start_s, r->step_s);
    r->end_s = align_down(r->end_s + r->step_s - 1, r->step_s);
    rows.count = (size_t)((r->end_s - r->start_s) / r->step_s);
    rows.sample = calloc(rows.count, sizeof *rows.sample);
    rows.coverage = calloc((size_t)((r->end_s - r->start_s) / MINUTE_S), sizeof *rows.coverage);
    int rc = rows.sample && rows.coverage ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < rows.count; i++) {
        rows.sample[i].t_s = r->start_s + (int64_t)(i + 1) * r->step_s;
        set_values(&rows.sample[i], NAN);
    }
    if (rc == 0)
        rc = fill_rows(q, &rows);
    if (rc != 0) {
        free_rows(&rows);
        return rc;
    }
    *out = rows;
    return 0;
}

// What came after its minute had been written: its share of the mean, and its peak. A minute that nobody
// had watched counts as watched from then on.
static void amend(struct rows *rows, const struct series_notes *notes)
{
    const struct series_range *r = &rows->range;
    for (size_t i = 0; i < notes->amendments; i++) {
        const struct series_amendment *a = &notes->amendment[i];
        int64_t t = a->minute * MINUTE_S;
        if (t < r->start_s || t >= r->end_s)
            continue;
        struct series_sample *s = &rows->sample[(t - r->start_s) / r->step_s];
        struct series_coverage_minute *m = &rows->coverage[(t - r->start_s) / MINUTE_S];
        uint32_t before = s->minutes;
        s->minutes += m->seconds == 0 && (r->step_s > MINUTE_S || before == 0);
        m->seconds = m->seconds ? m->seconds : 1;
        if (s->minutes == 0)
            s->minutes = 1;
        for (unsigned v = 0; v < SERIES_SOURCES; v++) {
            double sum = isnan(s->average[v]) ? 0 : s->average[v] * before;
            s->average[v] = (sum + a->delta[v]) / s->minutes;
            if (isnan(s->maximum[v]) || a->total[v] > s->maximum[v])
                s->maximum[v] = a->total[v];
        }
    }
}

// Before its lease and after it the address was somebody else's.
static void hide_others(struct rows *rows)
{
    const struct series_range *r = &rows->range;
    for (size_t i = 0; i < rows->count; i++) {
        struct series_sample *s = &rows->sample[i];
        int64_t start_s = s->t_s - r->step_s;
        bool before = r->own_start_s > 0 && start_s < align_down(r->own_start_s, MINUTE_S);
        if (!before && (r->own_end_s == 0 || s->t_s <= r->own_end_s))
            continue;
        set_values(s, NAN);
        s->minutes = s->watched_s = 0;
        s->others = true;
    }
}

// What is beside a series that there once was: notes of a subscriber, the name of a POP, class or sensor.
static bool was_there(const char *rrd_dir, enum series_kind kind, const char *name)
{
    struct series_notes notes;
    char **names;
    size_t count;
    bool was = false;
    if (kind == SERIES_SUBSCRIBER && series_notes_read(rrd_dir, kind, name, &notes) == 0) {
        was = notes.leases > 0 || notes.sights > 0 || notes.amendments > 0 || notes.lost_before > 0;
        series_notes_free(&notes);
    } else if (kind >= SERIES_POP && series_names(rrd_dir, kind, &names, &count) == 0) {
        for (size_t i = 0; i < count; i++)
            was = was || strcmp(names[i], name) == 0;
        free(names);
    }
    return was;
}

static int open_request(struct request *q, const char *rrd_dir, enum series_kind kind,
                        const char *name)
{
    char relative[SERIES_PATH_MAX];
    series_path(kind, name, relative);
    *q = (struct request){
        .rrd_dir = rrd_dir, .kind = kind, .name = name, .halves_until_s = NOT_ASKED};
    if (snprintf(q->path, sizeof q->path, "%s/%s", rrd_dir, relative) >= (int)sizeof q->path)
        return -ENAMETOOLONG;
    int rc = rrdfile_last(q->path, &q->last_s, q->error);
    return rc == -ENOENT && was_there(rrd_dir, kind, name) ? -ENODATA : rc;
}

const char *series_explain(enum series_kind kind, const char *name, int code,
                           char out[static SERIES_EXPLAIN_MAX])
{
    char path[SERIES_PATH_MAX];
    series_path(kind, name, path);
    if (code == -ENOENT)
        snprintf(out, SERIES_EXPLAIN_MAX, "no traffic of this name has been recorded");
    else if (code != -ENODATA && code != -EIO && code != -EPROTO)
        snprintf(out, SERIES_EXPLAIN_MAX, "%.100s: %s", path, strerror(-code));
    else
        snprintf(out, SERIES_EXPLAIN_MAX,
                 "%.100s is %s; postern series %srebuild %s%s%s--key %.48s", path,
                 code == -ENODATA ? "gone" : "damaged", code == -ENODATA ? "" : "fsck says how, ",
                 kind == SERIES_SUBSCRIBER ? "" : "--kind ",
                 kind == SERIES_SUBSCRIBER ? "" : series_kind_name(kind),
                 kind == SERIES_SUBSCRIBER ? "" : " ", name);
    return out;
}

int series_fetch(const char *rrd_dir, enum series_kind kind, const char *name,
                 struct series_range *range, struct series_sample **out, size_t *count)
{
    struct request q;
    struct rows rows;
    if (range->start_s < 0 || range->end_s <= range->start_s ||
        (range->step_s != 0 && archive_of(range->step_s) < 0))
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
    rc = fetch_rows(&q, &r, &rows);
    if (rc == 0) {
        amend(&rows, &q.notes);
        hide_others(&rows);
        *range = rows.range;
        *out = rows.sample;
        *count = rows.count;
        free(rows.coverage);
    }
    series_notes_free(&q.notes);
    return rc;
}

int series_last(const char *rrd_dir, enum series_kind kind, const char *name, int64_t *out_s)
{
    struct request q;
    int rc = open_request(&q, rrd_dir, kind, name);
    if (rc == 0)
        *out_s = q.last_s;
    return rc;
}
