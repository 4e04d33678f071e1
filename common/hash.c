// FNV-1a over tag and octets, then splitmix64's finisher, so that every bit of the input reaches the bits
// that pick a register of a sketch.
#include "common/hash.h"

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64_t finish(uint64_t h)
{
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

uint64_t hash_octets(enum hash_tag tag, struct span s)
{
    uint64_t h = (FNV_START ^ (uint64_t)tag) * FNV_PRIME;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ s.data[i]) * FNV_PRIME;
    return finish(h);
}

uint64_t hash_number(enum hash_tag tag, uint64_t n)
{
    uint8_t octet[8];
    for (unsigned i = 0; i < 8; i++)
        octet[i] = (uint8_t)(n >> (56 - 8 * i));
    return hash_octets(tag, span_of(octet, sizeof octet));
}

uint64_t hash_address(const struct ip_addr *a)
{
    return hash_octets(HASH_ADDRESS, span_of(a->octet, ip_size(a->family)));
}

uint64_t hash_network(const struct ip_addr *a)
{
    return hash_octets(HASH_NETWORK, span_of(a->octet, a->family == IP_V4 ? 3 : 6));
}
