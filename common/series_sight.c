// Which coverage decides about a series: its own sensor's, that of the sensors which its notes name, or
// the whole site's. Of several, a minute was watched when any watched it, and is as bad as the worst.
#include "common/series_sight.h"

#include <errno.h>
#include <stdlib.h>

enum { MINUTE_S = 60 };

static void merge(struct series_coverage_minute *into, const struct series_coverage_minute *m)
{
    if (m->seconds > into->seconds)
        into->seconds = m->seconds;
    if (m->loss_ppm > into->loss_ppm)
        into->loss_ppm = m->loss_ppm;
    into->alarms |= m->alarms;
}

// `count` minutes of which one note says who saw them; NULL: none does.
static int stretch(const char *rrd_dir, const struct series_sight *sight, int64_t first,
                   size_t count, struct series_coverage_minute *out)
{
    if (!sight || sight->sensors == 0)
        return series_coverage_get(rrd_dir, NULL, first, count, out);
    int rc = series_coverage_get(rrd_dir, sight->sensor[0], first, count, out);
    if (rc != 0 || sight->sensors == 1)
        return rc;
    struct series_coverage_minute *more = calloc(count ? count : 1, sizeof *more);
    rc = more ? 0 : -ENOMEM;
    for (size_t s = 1; rc == 0 && s < sight->sensors; s++) {
        rc = series_coverage_get(rrd_dir, sight->sensor[s], first, count, more);
        for (size_t i = 0; rc == 0 && i < count; i++)
            merge(&out[i], &more[i]);
    }
    free(more);
    return rc;
}

// Of what a file had lost nobody can say any more that there was nothing.
static void pass_over_lost(const struct series_notes *notes, int64_t first, size_t count,
                           struct series_coverage_minute *out)
{
    for (size_t i = 0; i < count && first + (int64_t)i < notes->lost_before; i++)
        out[i] = (struct series_coverage_minute){0};
}

int series_sight_coverage(const char *rrd_dir, enum series_kind kind, const char *name,
                          const struct series_notes *notes, int64_t first, size_t count,
                          struct series_coverage_minute *out)
{
    if (kind == SERIES_SENSOR) {
        int rc = series_coverage_get(rrd_dir, name, first, count, out);
        pass_over_lost(notes, first, count, out);
        return rc;
    }
    int64_t at = first, end = first + (int64_t)count;
    const struct series_sight *sight = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i <= notes->sights; i++) {
        const struct series_sight *next = i < notes->sights ? &notes->sight[i] : NULL;
        int64_t until = next && next->minute < end ? next->minute : end;
        if (until > at) {
            rc = stretch(rrd_dir, sight, at, (size_t)(until - at), out + (at - first));
            at = until;
        }
        sight = next;
    }
    pass_over_lost(notes, first, count, out);
    return rc;
}

static bool same_band(const struct series_coverage_minute *a,
                      const struct series_coverage_minute *b)
{
    return (a->seconds == 0) == (b->seconds == 0) && a->loss_ppm == b->loss_ppm &&
           a->alarms == b->alarms;
}

static size_t make_bands(const struct series_coverage_minute *m, size_t minutes, int64_t first,
                         struct series_band *bands)
{
    size_t n = 0;
    for (size_t i = 0; i < minutes; i++) {
        if (i == 0 || !same_band(&m[i], &m[i - 1]))
            bands[n++] = (struct series_band){.start_s = (first + (int64_t)i) * MINUTE_S,
                                              .observed = m[i].seconds > 0,
                                              .loss_ppm = m[i].loss_ppm,
                                              .alarms = m[i].alarms};
        bands[n - 1].end_s = (first + (int64_t)i + 1) * MINUTE_S;
    }
    return n;
}

int series_coverage(const char *rrd_dir, enum series_kind kind, const char *name, int64_t start_s,
                    int64_t end_s, struct series_band **out, size_t *count)
{
    int64_t first = start_s / MINUTE_S, last = (end_s + MINUTE_S - 1) / MINUTE_S;
    if (start_s < 0 || last <= first)
        return -EINVAL;
    struct series_notes notes;
    int rc = series_notes_read(rrd_dir, kind, name, &notes);
    if (rc != 0)
        return rc;
    size_t minutes = (size_t)(last - first);
    struct series_coverage_minute *m = calloc(minutes, sizeof *m);
    struct series_band *bands = calloc(minutes, sizeof *bands);
    rc = m && bands ? series_sight_coverage(rrd_dir, kind, name, &notes, first, minutes, m)
                    : -ENOMEM;
    if (rc == 0) {
        *count = make_bands(m, minutes, first, bands);
        *out = bands;
        bands = NULL;
    }
    free(bands);
    free(m);
    series_notes_free(&notes);
    return rc;
}
