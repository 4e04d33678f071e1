// A ring of the latest minutes as they are in the files, and a direct-mapped cache of days as bits; both
// of the site (sensor 0) and of each sensor (from 1 on).
#include "series/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING = 4096,
    DAYS = 2048,
    DAY_MINUTES = 1440,
    WORDS = (DAY_MINUTES + 63) / 64,
    SENSORS = 62,
    SPREAD = 257, // sensors side by side in ring and cache
};

struct latest {
    int64_t minute; // -1: none
    unsigned sensor;
    struct series_coverage_minute m;
};

struct day {
    int64_t day; // of the epoch; -1: none
    unsigned sensor;
    uint64_t bit[WORDS];
};

struct watched {
    char *rrd_dir;
    char sensor[SENSORS][SERIES_SENSOR_WORD_MAX];
    unsigned sensors;
    struct latest ring[RING];
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
        w->ring[i].minute = -1;
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

// From 1 on; 0: no room, or "*".
static unsigned number_of(struct watched *w, const char *name)
{
    char word[SERIES_SENSOR_WORD_MAX];
    if (strcmp(name, "*") == 0)
        return 0;
    series_sensor_word(name, word);
    for (unsigned i = 0; i < w->sensors; i++)
        if (strcmp(w->sensor[i], word) == 0)
            return i + 1;
    if (w->sensors == SENSORS)
        return 0;
    memcpy(w->sensor[w->sensors], word, sizeof word);
    return ++w->sensors;
}

static const char *name_of(const struct watched *w, unsigned sensor)
{
    return sensor == 0 ? NULL : w->sensor[sensor - 1];
}

// The site's bit is the last, so that it stays in a union.
static const watched_set whole_site = (watched_set)1 << 63;

watched_set watched_sensor(struct watched *w, const char *name)
{
    unsigned n = number_of(w, name);
    return n == 0 ? whole_site : (watched_set)1 << n;
}

void watched_name(const struct watched *w, watched_set set, struct series_sight *out)
{
    out->sensors = 0;
    for (unsigned n = 1; n <= w->sensors && !(set & whole_site); n++) {
        if (!(set >> n & 1))
            continue;
        if (out->sensors == SERIES_SIGHT_MAX) {
            out->sensors = 0;
            return;
        }
        memcpy(out->sensor[out->sensors++], w->sensor[n - 1], SERIES_SENSOR_WORD_MAX);
    }
}

static struct series_coverage_minute *latest(struct watched *w, unsigned sensor, int64_t minute)
{
    struct latest *l = &w->ring[(size_t)(minute + sensor * SPREAD) % RING];
    if (l->minute != minute || l->sensor != sensor) {
        if (series_coverage_get(w->rrd_dir, name_of(w, sensor), minute, 1, &l->m) != 0)
            l->m = (struct series_coverage_minute){0};
        l->minute = minute;
        l->sensor = sensor;
    }
    return &l->m;
}

static struct day *place(struct watched *w, unsigned sensor, int64_t day)
{
    return &w->day[(size_t)(day + sensor * SPREAD) % DAYS];
}

static void set_bit(struct watched *w, unsigned sensor, int64_t minute)
{
    struct day *d = place(w, sensor, minute / DAY_MINUTES);
    size_t at = (size_t)(minute % DAY_MINUTES);
    if (d->day == minute / DAY_MINUTES && d->sensor == sensor)
        d->bit[at / 64] |= UINT64_C(1) << at % 64;
}

static int put_one(struct watched *w, unsigned sensor, const struct coverage_minute *c)
{
    struct series_coverage_minute *m = latest(w, sensor, c->minute), before = *m;
    if (c->seconds > m->seconds)
        m->seconds = c->seconds;
    if (c->loss_ppm > m->loss_ppm)
        m->loss_ppm = c->loss_ppm;
    m->alarms |= c->alarms;
    if (m->seconds > 0)
        set_bit(w, sensor, c->minute);
    if (memcmp(m, &before, sizeof before) == 0)
        return 0;
    return series_coverage_put(w->rrd_dir, name_of(w, sensor), c->minute, m);
}

int watched_put(struct watched *w, const struct coverage_minute *c)
{
    if (c->minute < 0)
        return -EINVAL;
    unsigned sensor = c->sum.sensor[0] ? number_of(w, c->sum.sensor) : 0;
    int rc = put_one(w, 0, c);
    return rc == 0 && sensor != 0 ? put_one(w, sensor, c) : rc;
}

static int alarm_one(struct watched *w, unsigned sensor, int64_t minute, uint32_t alarm)
{
    struct series_coverage_minute *m = latest(w, sensor, minute);
    if (m->seconds == 0 || (m->alarms & alarm) == alarm)
        return 0;
    m->alarms |= alarm;
    return series_coverage_put(w->rrd_dir, name_of(w, sensor), minute, m);
}

int watched_alarm(struct watched *w, watched_set set, int64_t minute, uint32_t alarm)
{
    int rc = alarm_one(w, 0, minute, alarm);
    for (unsigned n = 1; rc == 0 && n <= w->sensors; n++)
        if (set >> n & 1)
            rc = alarm_one(w, n, minute, alarm);
    return rc;
}

static const struct day *load(struct watched *w, unsigned sensor, int64_t day)
{
    struct day *d = place(w, sensor, day);
    if (d->day == day && d->sensor == sensor)
        return d;
    struct series_coverage_minute m[DAY_MINUTES];
    *d = (struct day){.day = day, .sensor = sensor};
    if (series_coverage_get(w->rrd_dir, name_of(w, sensor), day * DAY_MINUTES, DAY_MINUTES, m) != 0)
        d->day = -1; // cannot be read now: unknown, and asked again
    for (size_t i = 0; d->day == day && i < DAY_MINUTES; i++)
        if (m[i].seconds > 0)
            d->bit[i / 64] |= UINT64_C(1) << i % 64;
    return d;
}

static bool one_at(struct watched *w, unsigned sensor, int64_t minute)
{
    const struct day *d = load(w, sensor, minute / DAY_MINUTES);
    size_t at = (size_t)(minute % DAY_MINUTES);
    return d->bit[at / 64] >> at % 64 & 1;
}

bool watched_at(struct watched *w, watched_set set, int64_t minute)
{
    if (minute < 0)
        return false;
    if (set == WATCHED_SITE || set & whole_site)
        return one_at(w, 0, minute);
    for (watched_set left = set; left; left &= left - 1)
        if (one_at(w, (unsigned)__builtin_ctzll(left), minute))
            return true;
    return false;
}

int64_t watched_stretch(struct watched *w, watched_set set, int64_t from, int64_t to,
                        bool *is_watched)
{
    bool first = watched_at(w, set, from);
    int64_t at = from + 1;
    while (at < to && watched_at(w, set, at) == first)
        at++;
    *is_watched = first;
    return at;
}
