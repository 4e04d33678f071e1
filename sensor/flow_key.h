// Keys of flows: made of a packet, hashed, found. In a header, because every packet does it once.
#pragma once

#include <string.h>

#include "decap/usual.h"
#include "flow.h"
#include "octets.h"
#include "path.h"

// The four words of a key's addresses and the fifth of the rest, under words that nobody outside knows.
static inline uint64_t flow_hash_words(const struct flow_table *t, const uint64_t word[static 5])
{
    const uint64_t *secret = t->hash_key;
    uint64_t low = octets_mix(word[0] ^ secret[0], word[1] ^ secret[1]);
    uint64_t high = octets_mix(word[2] ^ secret[2], word[3] ^ secret[3]);
    return octets_mix((low + high) ^ word[4], (low ^ secret[4]) + (high << 1));
}

// Ports, realm and protocol of a key as they stand in it, read at once.
static inline uint64_t flow_last_word(const struct flow_key *k)
{
    uint64_t v;
    _Static_assert(offsetof(struct flow_key, realm_and_proto) ==
                       offsetof(struct flow_key, port) + 4,
                   "one word");
    memcpy(&v, (const uint8_t *)k + offsetof(struct flow_key, port), sizeof v);
    return v;
}

// The same of a packet whose source is end 1 when it is `turned`.
static inline uint64_t flow_last_in(uint32_t ports, uint8_t proto, uint32_t realm, bool turned)
{
    uint32_t last = realm << 8 | proto, turn = turned * 16u;
    ports = ports << turn | ports >> (-turn & 31);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (uint64_t)last << 32 | ports
                                                     : (uint64_t)ports << 32 | last;
}

static inline uint64_t flow_last_of(const struct packet *p, uint32_t realm, bool turned)
{
    uint32_t ports;
    memcpy(&ports, p->port, sizeof ports);
    return flow_last_in(ports, p->ip_proto, realm, turned);
}

// Is the packet's source end 1 of its key? Any order that both directions share will do; this one is that of
// the addresses as numbers in memory, and costs no branch but for equal addresses.
static inline bool flow_turned(const struct packet *p)
{
    unsigned __int128 x = (unsigned __int128)octets_word(p->addr[0] + 8) << 64 |
                          octets_word(p->addr[0]);
    unsigned __int128 y = (unsigned __int128)octets_word(p->addr[1] + 8) << 64 |
                          octets_word(p->addr[1]);
    if (__builtin_expect(x == y, 0))
        return p->port[0] > p->port[1];
    return x > y;
}

// flow_key_of for a packet whose realm is known.
static inline struct flow_key flow_key_in(uint32_t realm, const struct packet *p, bool turned)
{
    struct flow_key k = {.port = {p->port[turned], p->port[!turned]},
                         .realm_and_proto = realm << 8 | p->ip_proto};
    memcpy(k.addr[0], p->addr[turned], 16);
    memcpy(k.addr[1], p->addr[!turned], 16);
    return k;
}

// The hash of that key, with `last` of flow_last_of.
static inline uint64_t flow_hash_in(const struct flow_table *t, const struct packet *p,
                                    uint64_t last, bool turned)
{
    const uint8_t *low = turned ? p->addr[1] : p->addr[0];
    const uint8_t *high = turned ? p->addr[0] : p->addr[1];
    const uint64_t word[5] = {octets_word(low), octets_word(low + 8), octets_word(high),
                              octets_word(high + 8), last};
    return flow_hash_words(t, word);
}

static inline uint64_t flow_hash(const struct flow_table *t, const struct flow_key *key)
{
    const uint64_t word[5] = {octets_word(key->addr[0]), octets_word(key->addr[0] + 8),
                              octets_word(key->addr[1]), octets_word(key->addr[1] + 8),
                              flow_last_word(key)};
    return flow_hash_words(t, word);
}

// Is it the packet's?
static inline bool flow_is_of(const struct flow_key *k, const struct packet *p, uint64_t last,
                              bool turned)
{
    const uint8_t *low = p->addr[turned], *high = p->addr[!turned];
    uint64_t differ = (octets_word(k->addr[0] + 8) ^ octets_word(low + 8)) |
                      (octets_word(k->addr[1] + 8) ^ octets_word(high + 8)) |
                      (octets_word(k->addr[0]) ^ octets_word(low)) |
                      (octets_word(k->addr[1]) ^ octets_word(high)) | (flow_last_word(k) ^ last);
    return differ == 0;
}

// The flow of a packet that flow_locate has placed.
static inline struct flow *flow_find(struct flow_table *t, const struct packet *p,
                                     const struct flow_place *at)
{
    uint32_t i = t->head[at->hash & t->mask];
    while (i != FLOW_NONE && !flow_is_of(&t->flow[i].key, p, at->last, at->swapped))
        i = t->flow[i].hash_next;
    return i == FLOW_NONE ? NULL : &t->flow[i];
}

// Where a packet of this realm stands.
static inline struct flow_place flow_place_in(const struct flow_table *t, uint32_t realm,
                                              const struct packet *p)
{
    bool turned = flow_turned(p);
    uint64_t last = flow_last_of(p, realm, turned), hash = flow_hash_in(t, p, last, turned);
    return (struct flow_place){.hash = hash,
                               .number = mirror_number(p, hash, turned),
                               .last = last,
                               .realm = realm,
                               .first = FLOW_NONE,
                               .swapped = turned,
                               .known = p->ip_proto};
}

static inline void flow_fetch_place(const struct flow_table *t, const struct flow_place *place)
{
    mirror_prefetch(t->mirror, place->number);
    __builtin_prefetch(&t->head[place->hash & t->mask]);
}

// First for each packet of a batch, then flow_fetch for all, then flow_packet_at for each.
static inline void flow_locate(const struct flow_table *t, const struct packet *p,
                               struct flow_place *out)
{
    // To number a realm changes the table of realms: that waits until it is the packet's turn.
    out->known = 0;
    if ((p->ip_proto != 6 && p->ip_proto != 17) || path_has_realm(p, t->config.realm_layers))
        return;
    *out = flow_place_in(t, 0, p);
    flow_fetch_place(t, out);
}

// The same of a usual packet, whose realm is the default one.
static inline __attribute__((always_inline)) void flow_locate_usual(const struct flow_table *t,
                                                                    const struct packet *p,
                                                                    const struct usual *u,
                                                                    struct flow_place *out)
{
    bool turned = __builtin_expect(u->from == u->to, 0) ? p->port[0] > p->port[1] : u->from > u->to;
    // Which of the two directions comes cannot be foretold: no branch for it.
    uint64_t other = (u->from ^ u->to) & (0 - (uint64_t)turned);
    uint64_t last = flow_last_in(u->ports, 6, 0, turned);
    const uint64_t word[5] = {0, u->from ^ other, 0, u->to ^ other, last};
    uint64_t hash = flow_hash_words(t, word);
    out->hash = hash;
    out->number = mirror_number_of(u->marks, u->gate, hash, turned);
    out->last = last;
    out->realm = 0;
    out->swapped = turned;
    out->known = 6;
    flow_fetch_place(t, out);
}
