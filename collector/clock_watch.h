// A live sensor's clock against the collector's own, by the seconds of coverage as they come in. Ahead is certain: nothing comes
// before it was. Behind may be a backlog, so only what stays behind by the same amount for a minute counts.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_WATCH_AHEAD_MS  2000  // practice: clocks that differ by more hold quarantine
#define CLOCK_WATCH_BEHIND_MS 10000 // a second ends, is spooled, sent: less is no sign
#define CLOCK_WATCH_STEADY_MS 2000
#define CLOCK_WATCH_RUNS      3
#define CLOCK_WATCH_MIN       20 // seconds in a minute, or nothing is said of it
#define CLOCK_WATCH_DAY_MS    INT64_C(86400000)

struct clock_watch { // zeroed: nothing known
    bool differs;
    int64_t off_ms; // when it differs: above 0 is ahead
    unsigned ahead, seconds;
    int64_t from_ms, least_ms, most_ms; // of the minute
};

// A second that ended at `t_ms` came at `now_ms`. True: the clock differs.
bool clock_watch_take(struct clock_watch *c, int64_t t_ms, int64_t now_ms);
// So far ahead that it is nobody's clock; never when our own was not set.
bool clock_watch_is_absurd(int64_t t_ms, int64_t now_ms);
