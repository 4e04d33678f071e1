// What a SPAN port does to packets on their way to us: some come twice, some never, one direction may
// be missing altogether, long ones are cut.
#pragma once

#include "rng.h"

enum mirror_direction { MIRROR_BOTH, MIRROR_OUT, MIRROR_IN };
extern const char *const mirror_direction_names[]; // NULL-terminated

struct mirror {
    double doubled;  // share of packets that come twice
    double loss;     // share of packets that never come
    int direction;   // enum mirror_direction
    int64_t snaplen; // octets kept of a frame
};

static inline bool mirror_sees(const struct mirror *m, bool outbound)
{
    return m->direction == MIRROR_BOTH || (m->direction == MIRROR_OUT) == outbound;
}

static inline size_t mirror_cut(const struct mirror *m, size_t len)
{
    return m->snaplen > 0 && (int64_t)len > m->snaplen ? (size_t)m->snaplen : len;
}

// Each draws only when its defect is switched on, so that a clean mirror costs nothing.
static inline bool mirror_loses(const struct mirror *m, struct rng *r)
{
    return m->loss > 0 && rng_chance(r, m->loss);
}

static inline bool mirror_doubles(const struct mirror *m, struct rng *r)
{
    return m->doubled > 0 && rng_chance(r, m->doubled);
}

// The second copy comes through the other port's queue.
static inline int64_t mirror_lag_ns(struct rng *r)
{
    return rng_between(r, 1000, 60000);
}
