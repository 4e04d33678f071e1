// What a live sensor opens before its rights are gone: what the law and the operator must have said,
// interfaces, the fan-out, the processes that share it.
#pragma once

#include "intake.h"
#include "setup.h"
#include "workers.h"

struct live {
    struct daemon *d;
    struct intake intake;
    struct job job;
    struct keyed_hash_key key;
    uint16_t process;
    struct board *board;     // NULL: the only process
    struct workers *workers; // of the first of several, which has no interface
    int64_t offset_ms;       // wall clock less monotonic clock
    int64_t clock_until_ms;  // until then a jump of the clock is told
    int64_t looked_ms;       // at the links, and the page written
    bool paused;             // no interface is up
    bool unwatched;          // descriptors, while frames wait for those of another interface
    enum ring_link told[SENSOR_INTERFACES_MAX];
};

int live_setup(struct daemon *d, struct live *l);
