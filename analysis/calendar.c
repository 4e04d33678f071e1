// Local hours and days. See calendar.h.
#include "calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_MS    3600000LL
#define DAY_MS     86400000LL
#define QUARTER_MS 900000LL

static int64_t floor_to(int64_t t, int64_t step)
{
    int64_t rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

void calendar_init(struct calendar *c, const char *zone)
{
    *c = (struct calendar){0};
    snprintf(c->zone, sizeof c->zone, "%s", zone && *zone ? zone : "UTC");
    for (size_t i = 0; i < CALENDAR_CACHE; i++)
        c->cache[i].quarter = INT64_MIN;
}

// The cache's entry of that time, with its offset.
static size_t look_up(struct calendar *c, int64_t t_ms)
{
    int64_t quarter = floor_to(t_ms, QUARTER_MS);
    size_t at = (size_t)((uint64_t)quarter / QUARTER_MS % CALENDAR_CACHE);
    if (c->cache[at].quarter == quarter)
        return at;
    const char *now = getenv("TZ");
    if (!now || strcmp(now, c->zone) != 0) {
        setenv("TZ", c->zone, 1);
        tzset();
    }
    time_t t = (time_t)(quarter / 1000);
    struct tm local = {0};
    c->cache[at].offset_ms = localtime_r(&t, &local) ? (int64_t)local.tm_gmtoff * 1000 : 0;
    c->cache[at].quarter = quarter;
    c->cache[at].day_ms = 0;
    return at;
}

int64_t calendar_offset_ms(struct calendar *c, int64_t t_ms)
{
    return c->cache[look_up(c, t_ms)].offset_ms;
}

int64_t calendar_hour_ms(struct calendar *c, int64_t t_ms)
{
    int64_t offset = calendar_offset_ms(c, t_ms);
    return floor_to(t_ms + offset, HOUR_MS) - offset;
}

unsigned calendar_hour_of_week(struct calendar *c, int64_t t_ms)
{
    int64_t hour = floor_to(t_ms + calendar_offset_ms(c, t_ms), HOUR_MS) / HOUR_MS;
    int64_t slot = (hour + 4 * 24) % 168; // 1970 began on a Thursday
    return (unsigned)(slot < 0 ? slot + 168 : slot);
}

int64_t calendar_day_ms(struct calendar *c, int64_t t_ms)
{
    size_t at = look_up(c, t_ms);
    if (c->cache[at].day_ms != 0)
        return c->cache[at].day_ms;
    int64_t offset = c->cache[at].offset_ms, quarter = c->cache[at].quarter;
    int64_t midnight = floor_to(t_ms + offset, DAY_MS);
    // The offset at midnight may be another than now; the second look is at midnight itself.
    int64_t day_ms = midnight - calendar_offset_ms(c, midnight - offset);
    if (c->cache[at].quarter == quarter)
        c->cache[at].day_ms = day_ms;
    return day_ms;
}
