// Offsets by source; a vote is counted only when somebody is ahead.
#include "clocks.h"

#include <sys/timex.h>

// 2026-01-01: a machine whose own clock is before was never set.
#define SET_MS INT64_C(1767225600000)

bool clocks_system_is_synchronised(void)
{
    struct timex t = {0};
    return adjtimex(&t) != TIME_ERROR && t.time.tv_sec > 0 && !(t.status & STA_UNSYNC);
}

// Its place, or that of the one silent longest.
static struct clock_voice *voice_of(struct clocks *c, uint64_t who)
{
    struct clock_voice *oldest = c->voice;
    for (unsigned i = 0; i < c->count; i++) {
        if (c->voice[i].who == who)
            return &c->voice[i];
        if (c->voice[i].heard_ms < oldest->heard_ms)
            oldest = &c->voice[i];
    }
    if (c->count < CLOCKS_MAX)
        oldest = &c->voice[c->count++];
    *oldest = (struct clock_voice){.who = who};
    return oldest;
}

// More say that it is earlier than say the same?
static bool outvoted(const struct clocks *c, uint64_t who, bool ours, int64_t off_ms,
                     int64_t now_ms, int64_t max_ms)
{
    unsigned same = 1, earlier = now_ms >= SET_MS;
    for (unsigned i = 0; i < c->count; i++) {
        const struct clock_voice *v = &c->voice[i];
        if (v->who == who || now_ms - v->heard_ms > CLOCKS_FRESH_MS || v->heard_ms > now_ms)
            continue;
        if (v->off_ms < off_ms - max_ms)
            earlier++;
        else
            same++;
    }
    return earlier > same || (earlier == same && !ours);
}

bool clocks_is_ahead(struct clocks *c, uint64_t who, bool ours, int64_t t_ms, int64_t now_ms,
                     int64_t max_ms)
{
    int64_t off_ms = t_ms - now_ms;
    struct clock_voice *v = voice_of(c, who);
    v->off_ms = off_ms;
    v->heard_ms = now_ms;
    if (off_ms <= max_ms)
        return false;
    return (c->synchronised && now_ms >= SET_MS) || outvoted(c, who, ours, off_ms, now_ms, max_ms);
}
