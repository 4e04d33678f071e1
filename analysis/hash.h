// Hashing inside analysis: tables, filters, identifiers. Not keyed: what is hashed is already a keyed
// hash, or an address of our own site.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Bijective mixer of 64 bits (the finaliser of SplitMix64, Steele et al. 2014).
static inline uint64_t hash_mix(uint64_t v)
{
    v += 0x9e3779b97f4a7c15u;
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

// FNV-1a over octets, mixed; `seed` tells apart what is hashed.
static inline uint64_t hash_octets(const void *data, size_t len, uint64_t seed)
{
    const unsigned char *at = data;
    uint64_t h = 0xcbf29ce484222325u ^ hash_mix(seed);
    for (size_t i = 0; i < len; i++)
        h = (h ^ at[i]) * 0x100000001b3u;
    return hash_mix(h);
}

// 32 bits that are never zero: zero marks an empty place.
static inline uint32_t hash_short(uint64_t v)
{
    uint32_t h = (uint32_t)(hash_mix(v) >> 32);
    return h ? h : 1;
}
