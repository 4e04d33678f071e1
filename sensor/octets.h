// Big-endian integers out of octets whose presence was checked before: one check a header, then
// loads without branches, which is what a packet path can afford. No alignment is assumed.
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint16_t be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

// Two words mixed into one by a wide multiplication: keyed operands, or none that a sender chooses alone.
static inline uint64_t octets_mix(uint64_t x, uint64_t y)
{
    unsigned __int128 product = (unsigned __int128)x * y;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t octets_word(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

// An IPv4 address in 16 octets, ::ffff:a.b.c.d, written in two words: that is how they are read.
static inline void octets_map_v4(uint8_t to[static 16], const uint8_t *v4)
{
    uint32_t a;
    memcpy(&a, v4, sizeof a);
    uint64_t high = 0, low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                                 ? (uint64_t)a << 32 | 0xffff0000u
                                 : UINT64_C(0xffff00000000) | a;
    memcpy(to, &high, sizeof high);
    memcpy(to + 8, &low, sizeof low);
}

static inline uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | be24(p + 1);
}
