// Runs of seconds that are ahead, and the least and greatest of a minute's.
#include "clock_watch.h"

// 2026-01-01: a machine whose own clock is before was never set.
#define SET_MS    INT64_C(1767225600000)
#define MINUTE_MS 60000

static void judge_minute(struct clock_watch *c)
{
    bool behind = c->most_ms < -CLOCK_WATCH_BEHIND_MS &&
                  c->most_ms - c->least_ms < CLOCK_WATCH_STEADY_MS;
    if (c->seconds >= CLOCK_WATCH_MIN && c->most_ms <= CLOCK_WATCH_AHEAD_MS) {
        c->differs = behind;
        c->off_ms = behind ? c->most_ms : 0;
    }
    c->seconds = 0;
}

bool clock_watch_take(struct clock_watch *c, int64_t t_ms, int64_t now_ms)
{
    int64_t off = t_ms - now_ms;
    if (c->seconds > 0 && (now_ms - c->from_ms >= MINUTE_MS || now_ms < c->from_ms))
        judge_minute(c);
    if (c->seconds++ == 0) {
        c->from_ms = now_ms;
        c->least_ms = c->most_ms = off;
    }
    c->least_ms = off < c->least_ms ? off : c->least_ms;
    c->most_ms = off > c->most_ms ? off : c->most_ms;
    c->ahead = off > CLOCK_WATCH_AHEAD_MS ? c->ahead + 1 : 0;
    if (c->ahead >= CLOCK_WATCH_RUNS) {
        c->differs = true;
        c->off_ms = off;
    }
    return c->differs;
}

bool clock_watch_is_absurd(int64_t t_ms, int64_t now_ms)
{
    return now_ms >= SET_MS && t_ms - now_ms > CLOCK_WATCH_DAY_MS;
}
