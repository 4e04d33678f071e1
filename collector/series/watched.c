// A ring of the latest minutes as they are in the files, and a direct-mapped cache of days as bits.
#include "series/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 4096, DAYS = 512, DAY_MINUTES = 1440, WORDS = (DAY_MINUTES + 63) / 64 };

struct day {
    int64_t day; // of the epoch; -1: none
    uint64_t bit[WORDS];
};

struct watched {
    char *rrd_dir;
    struct series_coverage_minute ring[RING];
    int64_t ring_minute[RING];
    struct day day[DAYS];
};

int watched_open(const char *rrd_dir, struct watched **out)
{
    struct watched *w = calloc(1, sizeof *w);
    if (w)
        w->rrd_dir = strdup(rrd_dir);
    if (!w || !w->rrd_dir) {
        free(w);
        return -ENOMEM;
    }
    for (size_t i = 0; i < RING; i++)
        w->ring_minute[i] = -1;
    for (size_t i = 0; i < DAYS; i++)
        w->day[i].day = -1;
    *out = w;
    return 0;
}

void watched_close(struct watched *w)
{
    if (!w)
        return;
    free(w->rrd_dir);
    free(w);
}

static struct series_coverage_minute *latest(struct watched *w, int64_t minute)
{
    size_t at = (size_t)(minute % RING);
    if (w->ring_minute[at] != minute) {
        if (series_coverage_get(w->rrd_dir, minute, 1, &w->ring[at]) != 0)
            w->ring[at] = (struct series_coverage_minute){0};
        w->ring_minute[at] = minute;
    }
    return &w->ring[at];
}

static void set_bit(struct watched *w, int64_t minute)
{
    struct day *d = &w->day[minute / DAY_MINUTES % DAYS];
    size_t at = (size_t)(minute % DAY_MINUTES);
    if (d->day == minute / DAY_MINUTES)
        d->bit[at / 64] |= UINT64_C(1) << at % 64;
}

int watched_put(struct watched *w, const struct coverage_minute *c)
{
    if (c->minute < 0)
        return -EINVAL;
    struct series_coverage_minute *m = latest(w, c->minute), before = *m;
    if (c->seconds > m->seconds)
        m->seconds = c->seconds;
    if (c->loss_ppm > m->loss_ppm)
        m->loss_ppm = c->loss_ppm;
    m->alarms |= c->alarms;
    if (m->seconds > 0)
        set_bit(w, c->minute);
    if (memcmp(m, &before, sizeof before) == 0)
        return 0;
    return series_coverage_put(w->rrd_dir, c->minute, m);
}

int watched_alarm(struct watched *w, int64_t minute, uint32_t alarm)
{
    struct series_coverage_minute *m = latest(w, minute);
    if (m->seconds == 0 || (m->alarms & alarm) == alarm)
        return 0;
    m->alarms |= alarm;
    return series_coverage_put(w->rrd_dir, minute, m);
}

static const struct day *load(struct watched *w, int64_t day)
{
    struct day *d = &w->day[day % DAYS];
    if (d->day == day)
        return d;
    struct series_coverage_minute m[DAY_MINUTES];
    *d = (struct day){.day = day};
    if (series_coverage_get(w->rrd_dir, day * DAY_MINUTES, DAY_MINUTES, m) != 0)
        d->day = -1; // cannot be read now: unknown, and asked again
    for (size_t i = 0; d->day == day && i < DAY_MINUTES; i++)
        if (m[i].seconds > 0)
            d->bit[i / 64] |= UINT64_C(1) << i % 64;
    return d;
}

bool watched_at(struct watched *w, int64_t minute)
{
    if (minute < 0)
        return false;
    const struct day *d = load(w, minute / DAY_MINUTES);
    size_t at = (size_t)(minute % DAY_MINUTES);
    return d->bit[at / 64] >> at % 64 & 1;
}

int64_t watched_stretch(struct watched *w, int64_t from, int64_t to, bool *is_watched)
{
    bool first = watched_at(w, from);
    int64_t at = from + 1;
    while (at < to && watched_at(w, at) == first)
        at++;
    *is_watched = first;
    return at;
}
