// Keys of flows: made of a packet, hashed, found. In a header, because every packet does it once.
#pragma once

#include <string.h>

#include "flow.h"
#include "octets.h"

// The four words of a key's addresses and the fifth of the rest, under words that nobody outside knows.
static inline uint64_t flow_hash_words(const struct flow_table *t, const uint64_t word[static 5])
{
    const uint64_t *secret = t->hash_key;
    uint64_t low = octets_mix(word[0] ^ secret[0], word[1] ^ secret[1]);
    uint64_t high = octets_mix(word[2] ^ secret[2], word[3] ^ secret[3]);
    return octets_mix((low + high) ^ word[4], (low ^ secret[4]) + (high << 1));
}

static inline uint64_t flow_last_word(unsigned port0, unsigned port1, uint32_t realm_and_proto)
{
    return (uint64_t)port0 << 48 | (uint64_t)port1 << 32 | realm_and_proto;
}

// flow_key_of for a packet whose realm is known; returns the key's hash.
static inline uint64_t flow_key_in(const struct flow_table *t, uint32_t realm,
                                   const struct packet *p, struct flow_key *out, bool *swapped)
{
    // Which end is lower is as good as random: no branch. Any order that both directions share will do;
    // this one is that of the addresses' octets.
    uint64_t x[2] = {octets_word(p->addr[0]), octets_word(p->addr[0] + 8)};
    uint64_t y[2] = {octets_word(p->addr[1]), octets_word(p->addr[1] + 8)};
    uint64_t xh = __builtin_bswap64(x[0]), xl = __builtin_bswap64(x[1]);
    uint64_t yh = __builtin_bswap64(y[0]), yl = __builtin_bswap64(y[1]);
    unsigned px = p->port[0], py = p->port[1];
    unsigned high = (unsigned)(xh > yh) |
                    ((unsigned)(xh == yh) &
                     ((unsigned)(xl > yl) | ((unsigned)(xl == yl) & (unsigned)(px > py))));
    uint64_t turn = 0 - (uint64_t)high;
    uint64_t upper = (x[0] ^ y[0]) & turn, lower = (x[1] ^ y[1]) & turn;
    unsigned ports = (px ^ py) & (unsigned)turn;
    px ^= ports;
    py ^= ports;
    uint32_t last = realm << 8 | p->ip_proto;
    const uint64_t word[5] = {x[0] ^ upper, x[1] ^ lower, y[0] ^ upper, y[1] ^ lower,
                              flow_last_word(px, py, last)};
    memcpy(out->addr, word, sizeof out->addr);
    out->port[0] = (uint16_t)px;
    out->port[1] = (uint16_t)py;
    out->realm_and_proto = last;
    *swapped = high;
    return flow_hash_words(t, word);
}

static inline uint64_t flow_hash(const struct flow_table *t, const struct flow_key *key)
{
    const uint64_t word[5] = {octets_word(key->addr[0]), octets_word(key->addr[0] + 8),
                              octets_word(key->addr[1]), octets_word(key->addr[1] + 8),
                              flow_last_word(key->port[0], key->port[1], key->realm_and_proto)};
    return flow_hash_words(t, word);
}

static inline bool flow_same_key(const struct flow_key *x, const struct flow_key *y)
{
    uint64_t differ = (octets_word(x->addr[0]) ^ octets_word(y->addr[0])) |
                      (octets_word(x->addr[0] + 8) ^ octets_word(y->addr[0] + 8)) |
                      (octets_word(x->addr[1]) ^ octets_word(y->addr[1])) |
                      (octets_word(x->addr[1] + 8) ^ octets_word(y->addr[1] + 8)) |
                      (uint64_t)(x->port[0] ^ y->port[0]) | (uint64_t)(x->port[1] ^ y->port[1]) |
                      (x->realm_and_proto ^ y->realm_and_proto);
    return differ == 0;
}

static inline struct flow *flow_find(struct flow_table *t, const struct flow_key *key,
                                     uint64_t hash)
{
    uint32_t i = t->head[hash & t->mask];
    while (i != FLOW_NONE && !flow_same_key(&t->flow[i].key, key))
        i = t->flow[i].hash_next;
    return i == FLOW_NONE ? NULL : &t->flow[i];
}
