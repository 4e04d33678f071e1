// Local hours and days. See calendar.h.
#include "calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_MS    3600000LL
#define DAY_MS     86400000LL
#define QUARTER_MS 900000LL

void calendar_init(struct calendar *c, const char *zone)
{
    *c = (struct calendar){.quarter = INT64_MIN};
    snprintf(c->zone, sizeof c->zone, "%s", zone && *zone ? zone : "UTC");
}

static int64_t floor_to(int64_t t, int64_t step)
{
    int64_t rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

int64_t calendar_offset_ms(struct calendar *c, int64_t t_ms)
{
    int64_t quarter = floor_to(t_ms, QUARTER_MS);
    if (quarter == c->quarter)
        return c->offset_ms;
    const char *now = getenv("TZ");
    if (!now || strcmp(now, c->zone) != 0) {
        setenv("TZ", c->zone, 1);
        tzset();
    }
    time_t t = (time_t)(quarter / 1000);
    struct tm local = {0};
    c->offset_ms = localtime_r(&t, &local) ? (int64_t)local.tm_gmtoff * 1000 : 0;
    c->quarter = quarter;
    return c->offset_ms;
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
    int64_t midnight = floor_to(t_ms + calendar_offset_ms(c, t_ms), DAY_MS);
    // The offset at midnight may be another than now; the second look is at midnight itself.
    int64_t guess = midnight - calendar_offset_ms(c, t_ms);
    return midnight - calendar_offset_ms(c, guess);
}
