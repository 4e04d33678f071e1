// When things were last seen, in 16 bits each: units of four seconds from a base that moves on. Reaches back 36
// hours and more; what is older is forgotten. A list of hashes with times is half as large again with 32 bits.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RECENT_UNIT_S 4
#define RECENT_KEPT   32768 // units that stay when the base moves
#define RECENT_FIRST  10800 // units before the first time: rows come late

// Seconds since 1970 of one; 0: never, or forgotten.
static inline uint32_t recent_s(uint32_t base_s, uint16_t seen)
{
    return seen == 0 ? 0 : base_s + (seen - 1u) * RECENT_UNIT_S;
}

// Sets seen[at]; the others move with the base. Before the base is the base.
static inline void recent_set(uint32_t *base_s, uint16_t *seen, size_t count, size_t at,
                              uint32_t t_s)
{
    if (*base_s == 0 && t_s > RECENT_FIRST * RECENT_UNIT_S)
        *base_s = t_s - RECENT_FIRST * RECENT_UNIT_S;
    uint32_t unit = t_s > *base_s ? (t_s - *base_s) / RECENT_UNIT_S + 1 : 1;
    if (unit > UINT16_MAX) {
        uint32_t shift = unit - RECENT_KEPT;
        for (size_t k = 0; k < count; k++)
            seen[k] = seen[k] > shift ? (uint16_t)(seen[k] - shift) : 0;
        *base_s += shift * RECENT_UNIT_S;
        unit = RECENT_KEPT;
    }
    seen[at] = (uint16_t)unit;
}
