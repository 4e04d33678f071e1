// Big-endian integers out of octets whose presence was checked before: one check a header, then
// loads without branches, which is what a packet path can afford. No alignment is assumed.
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint16_t be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

// A number as two octets of the wire hold it.
static inline uint16_t octets_wire16(uint16_t v)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (uint16_t)(v << 8 | v >> 8) : v;
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

// The latter eight of the 16 octets of ::ffff:a.b.c.d; the former are zero.
static inline uint64_t octets_mapped_v4(const uint8_t *v4)
{
    uint32_t a;
    memcpy(&a, v4, sizeof a);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (uint64_t)a << 32 | 0xffff0000u
                                                     : UINT64_C(0xffff00000000) | a;
}

// An IPv4 address in 16 octets, written in two words: that is how they are read.
static inline void octets_put_v4(uint8_t to[static 16], uint64_t mapped)
{
    uint64_t former = 0;
    memcpy(to, &former, sizeof former);
    memcpy(to + 8, &mapped, sizeof mapped);
}

static inline void octets_map_v4(uint8_t to[static 16], const uint8_t *v4)
{
    octets_put_v4(to, octets_mapped_v4(v4));
}

static inline uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | be24(p + 1);
}

static inline uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32(p) << 32 | be32(p + 4);
}

// Two numbers side by side in the wire's order, as a word that holds them side by side in the machine's.
static inline uint32_t octets_two16(const uint8_t *p)
{
    uint32_t v = be32(p);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v << 16 | v >> 16 : v;
}

static inline uint64_t octets_two32(const uint8_t *p)
{
    uint64_t v = be64(p);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v << 32 | v >> 32 : v;
}
