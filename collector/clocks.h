// Whose clock is believed when records say a time that is not yet. The collector's own, when it is synchronised; else what most
// clocks say, the own among them. Ahead is what is looked at: behind may be a backlog, and harms nobody.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLOCKS_MAX      1024   // sources that have a voice
#define CLOCKS_FRESH_MS 120000 // for so long after its last word

struct clocks {
    bool synchronised; // the own clock
    unsigned count;
    struct clock_voice {
        uint64_t who; // 0: free
        int64_t off_ms, heard_ms;
    } voice[CLOCKS_MAX];
};

// Asks the system.
bool clocks_system_is_synchronised(void);

// `who` says that it is `t_ms`; it came at `now_ms` of the own clock. True: it is ahead by more than `max_ms`, and is not
// believed. A source that nobody contradicts but an own clock that is not synchronised is believed when it is `ours`: a sensor
// tells its seconds, and is doubted by them (clock_watch.h).
bool clocks_is_ahead(struct clocks *c, uint64_t who, bool ours, int64_t t_ms, int64_t now_ms,
                     int64_t max_ms);
