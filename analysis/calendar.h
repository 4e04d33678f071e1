// The site's clock: which local hour and day a time belongs to, both nights of the year included.
//
// The C library knows the zones (TZ and tzset, process-wide; set again when another engine of the same
// process has another zone). Storage and all other times are UTC.
#pragma once

#include <stdint.h>

#define CALENDAR_ZONE_MAX 64

#define CALENDAR_CACHE 256 // quarters of an hour: no zone changes within one

struct calendar {
    char zone[CALENDAR_ZONE_MAX + 1];
    struct {
        int64_t quarter;
        int64_t offset_ms;
        int64_t day_ms; // 0: not known yet
    } cache[CALENDAR_CACHE];
};

void calendar_init(struct calendar *c, const char *zone); // IANA name

// Local time less UTC, at that time.
int64_t calendar_offset_ms(struct calendar *c, int64_t t_ms);

// When the local hour began that `t_ms` lies in. In autumn the repeated hour is two.
int64_t calendar_hour_ms(struct calendar *c, int64_t t_ms);

// Hour of the week of the local clock: 0 is Sunday, midnight to one.
unsigned calendar_hour_of_week(struct calendar *c, int64_t t_ms);

// When the local day began: 23 to 25 hours before its end.
int64_t calendar_day_ms(struct calendar *c, int64_t t_ms);
