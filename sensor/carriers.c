// Watched flows by subscriber: buckets of four entries, each of one subscriber with up to four flows. Time is
// kept in ticks of 2^14 microseconds in 16 bits: they come round after 18 minutes, but the minute's end
// makes old ones older, and a flow without any packet in the last second is not asked.
#include "carriers.h"

#include <stdlib.h>

#include "flow.h"
#include "octets.h"
#include "table.h"

#define WAYS         4
#define SLOTS        4
#define PLACES_FLOWS 16 // flows in the table for each entry
#define AGE_US       60000000
#define RECENT_US    1000000
#define TRIAL_MS     1000 // at most one opened flow in so long counts
#define TICK_SHIFT   14
#define TICKS_OLD    0x4000u // older ones are set back, that they do not come round
#define TICKS_NEW    64      // of a flow not watched before: more than a second, less than a minute
#define MINUTE_TICKS 3662
#define DOWNLOAD     65536 // octets of a minute
#define TELL_BEHIND  3
#define TELL_OPENED  30
#define OPENED_MAX   60000

struct slot {
    uint64_t networks;
    uint32_t flow;     // its index, plus one; 0: free
    uint32_t covered;  // ticks
    uint32_t since_ms; // watched, or last told
    uint16_t opened, behind;
};

struct entry {
    uint8_t addr[16];
    uint32_t realm;
    uint32_t seen_s;   // a flow of it counted something in the minute before
    uint32_t trial_ms; // the last opened flow that counted
    uint32_t count;    // of flows; 0: free
    struct slot slot[SLOTS];
};

_Static_assert(sizeof(struct entry) == 128, "two cache lines");

struct carriers {
    struct entry *entry;
    uint64_t *any;    // a bit a bucket, few lines: most have no flows, and need not be fetched
    uint8_t *watched; // flows of each bucket
    size_t mask;      // of buckets
};

_Static_assert(WAYS *SLOTS <= UINT8_MAX, "a bucket's flows fit");

struct carriers *carriers_new(size_t flows)
{
    struct carriers *c = calloc(1, sizeof *c);
    size_t buckets = 16;
    if (!c)
        return NULL;
    while (buckets * WAYS * PLACES_FLOWS < flows)
        buckets *= 2;
    c->mask = buckets - 1;
    c->entry = table_new(buckets * WAYS, sizeof *c->entry, TABLE_SCATTERED);
    c->any = table_new((buckets + 63) / 64, sizeof *c->any, TABLE_SCATTERED);
    c->watched = table_new(buckets, sizeof *c->watched, TABLE_SCATTERED);
    if (c->entry && c->any && c->watched)
        return c;
    carriers_free(c);
    return NULL;
}

void carriers_free(struct carriers *c)
{
    if (!c)
        return;
    table_free(c->entry);
    table_free(c->any);
    table_free(c->watched);
    free(c);
}

static uint32_t ms_of(int64_t t_us)
{
    return (uint32_t)(t_us / 1000);
}

static uint16_t tick_of(int64_t t_us)
{
    return (uint16_t)(t_us >> TICK_SHIFT);
}

static uint16_t ticks_since(const struct flow *f, int64_t t_us)
{
    return (uint16_t)(tick_of(t_us) - f->down.tick);
}

static bool is_v4(const uint8_t *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(addr, mapped, sizeof mapped) == 0;
}

// Whose flow it is: the initiator, a /64 of IPv6 as one.
static void whose(const struct flow *f, uint8_t addr[static 16])
{
    memcpy(addr, f->key.addr[flow_end(f, 0)], 16);
    if (!is_v4(addr))
        memset(addr + 8, 0, 8);
}

static size_t bucket_of(const struct flow_table *t, const struct flow *f, const uint8_t *addr)
{
    uint64_t h = octets_mix(octets_word(addr) ^ t->hash_key[0],
                            octets_word(addr + 8) ^ t->hash_key[1]) ^
                 (uint64_t)(f->key.realm_and_proto >> 8);
    h = octets_mix(h, t->hash_key[2] | 1);
    return h & t->carriers->mask;
}

static struct entry *find(const struct flow_table *t, const struct flow *f)
{
    uint8_t addr[16];
    whose(f, addr);
    size_t bucket = bucket_of(t, f, addr);
    if (!(t->carriers->any[bucket / 64] >> bucket % 64 & 1))
        return NULL;
    struct entry *e = &t->carriers->entry[bucket * WAYS];
    for (size_t i = 0; i < WAYS; i++, e++)
        if (e->count > 0 && e->realm == f->key.realm_and_proto >> 8 &&
            memcmp(e->addr, addr, sizeof addr) == 0)
            return e;
    return NULL;
}

static struct slot *slot_of(const struct flow_table *t, const struct flow *f, struct entry **of)
{
    uint32_t number = flow_index(t, f) + 1;
    *of = find(t, f);
    for (size_t i = 0; *of && i < SLOTS; i++)
        if ((*of)->slot[i].flow == number)
            return &(*of)->slot[i];
    return NULL;
}

// ---- Packets and new flows.

void carriers_data(struct flow *f, int64_t t_us)
{
    uint16_t gap = ticks_since(f, t_us);
    uint32_t covered = f->down.covered +
                       (gap < CARRIERS_BEHIND_TICKS ? gap : (uint32_t)CARRIERS_BEHIND_TICKS);
    f->down.covered = covered > UINT16_MAX ? UINT16_MAX : (uint16_t)covered;
    f->down.tick = tick_of(t_us);
}

// Octets of a /24 or /48.
static size_t network_octets(const uint8_t *addr)
{
    return is_v4(addr) ? 15 : 6;
}

static const uint8_t *peer_of(const struct flow *f)
{
    return f->key.addr[flow_end(f, 1)];
}

static bool same_network(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, network_octets(a)) == 0;
}

// Several flows to one network are one carrier: proxies open a few side by side and spread over them. The
// first of them tells for all.
static struct slot *leader(const struct flow_table *t, struct entry *e, const struct flow *f)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (e->slot[i].flow != 0 &&
            same_network(peer_of(&t->flow[e->slot[i].flow - 1]), peer_of(f)))
            return &e->slot[i];
    return NULL;
}

// Not keyed: two sensors that see one subscriber must agree.
static uint64_t network_bit(const uint8_t *addr)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0, n = network_octets(addr); i < n; i++)
        h = (h ^ addr[i]) *
            0x100000001b3u; // FNV-1a, whose last octets have not reached the top yet
    return UINT64_C(1) << ((h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

static bool is_name_port(uint16_t port)
{
    return port == 53 || port == 853;
}

void carriers_opened(struct flow_table *t, const struct flow *f)
{
    const uint8_t *to = peer_of(f);
    int64_t now_us = f->start_us;
    if (!(f->side & RECORD_SIDE_INITIATOR) || is_name_port(flow_port(f, 1)))
        return;
    struct entry *e = find(t, f);
    if (!e)
        return;
    bool counts = ms_of(now_us) - e->trial_ms >= TRIAL_MS;
    unsigned behind = 0; // bits of slots that lead
    for (unsigned i = 0; i < SLOTS; i++) {
        if (e->slot[i].flow == 0)
            continue;
        const struct flow *by = &t->flow[e->slot[i].flow - 1];
        if (ticks_since(by, now_us) <= CARRIERS_BEHIND_TICKS && now_us - by->last_us < RECENT_US)
            behind |= 1u << (leader(t, e, by) - e->slot);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &e->slot[i];
        if (s->flow == 0 || same_network(to, peer_of(&t->flow[s->flow - 1])) ||
            leader(t, e, &t->flow[s->flow - 1]) != s)
            continue;
        if (behind >> i & 1)
            s->networks |= network_bit(to);
        if (counts && s->opened < OPENED_MAX) {
            s->opened++;
            s->behind = (uint16_t)(s->behind + (behind >> i & 1));
        }
    }
    if (counts)
        e->trial_ms = ms_of(now_us);
}

// ---- Which flows are watched.

// One flow more or less in the bucket of `e`.
static void count_watched(struct carriers *c, const struct entry *e, int by)
{
    size_t bucket = (size_t)(e - c->entry) / WAYS;
    uint64_t bit = UINT64_C(1) << bucket % 64;
    c->watched[bucket] = (uint8_t)(c->watched[bucket] + by);
    if (c->watched[bucket] > 0)
        c->any[bucket / 64] |= bit;
    else
        c->any[bucket / 64] &= ~bit;
}

static void forget(struct flow_table *t, struct entry *e, struct slot *s)
{
    struct flow *f = &t->flow[s->flow - 1];
    f->watch &= (uint8_t)~FLOW_WATCHED;
    f->handshake_us = 0; // nobody asks for it so late
    *s = (struct slot){0};
    e->count--;
    count_watched(t->carriers, e, -1);
}

void carriers_drop(struct flow_table *t, struct flow *f)
{
    struct entry *e;
    struct slot *s = slot_of(t, f, &e);
    if (s)
        forget(t, e, s);
}

// Old enough, told of, answered, begun by a subscriber, and it does not merely fetch something.
static bool may_carry(const struct flow *f, int64_t t_us)
{
    const uint16_t both = FLOW_SEEN_INITIATOR | FLOW_SEEN_RESPONDER;
    bool open = f->state == FLOW_DATAGRAM ||
                (f->state == FLOW_OPEN &&
                 (f->handshake == RECORD_HANDSHAKE_MIDSTREAM ||
                  (f->handshake == RECORD_HANDSHAKE_ESTABLISHED && f->to_first_reply_ms != 0)));
    return open && t_us - f->start_us >= AGE_US && (f->side & RECORD_SIDE_INITIATOR) &&
           (f->flags & FLOW_TOLD) && (f->flags & both) == both && f->payload[1] > 0 &&
           f->octets[0] >= f->octets[1] / 2 && !(f->flags & FLOW_MAIL) &&
           !is_name_port(flow_port(f, 1));
}

static struct entry *entry_for(struct flow_table *t, const struct flow *f, uint32_t now_s)
{
    uint8_t addr[16];
    struct entry *e = find(t, f);
    if (e)
        return e;
    whose(f, addr);
    struct entry *bucket = &t->carriers->entry[bucket_of(t, f, addr) * WAYS];
    e = bucket;
    for (size_t i = 0; i < WAYS && e->count > 0; i++)
        if (bucket[i].count == 0 || bucket[i].seen_s < e->seen_s)
            e = &bucket[i];
    for (size_t i = 0; i < SLOTS; i++)
        if (e->slot[i].flow != 0) {
            forget(t, e, &e->slot[i]);
            t->stats->carriers_refused++;
        }
    *e = (struct entry){.realm = f->key.realm_and_proto >> 8, .seen_s = now_s};
    memcpy(e->addr, addr, sizeof addr);
    return e;
}

// A free slot, or that of the flow whose octets came down longest ago, a minute at least; NULL: none.
static struct slot *room(struct flow_table *t, struct entry *e, int64_t t_us)
{
    struct slot *oldest = NULL;
    uint16_t age = MINUTE_TICKS;
    for (size_t i = 0; i < SLOTS; i++) {
        if (e->slot[i].flow == 0)
            return &e->slot[i];
        uint16_t a = ticks_since(&t->flow[e->slot[i].flow - 1], t_us);
        if (a >= age) {
            age = a;
            oldest = &e->slot[i];
        }
    }
    t->stats->carriers_refused++;
    if (oldest)
        forget(t, e, oldest);
    return oldest;
}

void carriers_minute(struct flow_table *t, struct flow *f, int64_t t_us)
{
    struct entry *e;
    struct slot *s;
    uint32_t now_s = (uint32_t)(t_us / 1000000);
    if (!(f->watch & FLOW_WATCHED)) {
        if (!may_carry(f, t_us))
            return;
        e = entry_for(t, f, now_s);
        s = room(t, e, t_us);
        if (!s)
            return;
        *s = (struct slot){.flow = flow_index(t, f) + 1, .since_ms = ms_of(t_us)};
        e->count++;
        count_watched(t->carriers, e, 1);
        e->seen_s = now_s;
        f->watch |= FLOW_WATCHED;
        f->down.tick = (uint16_t)(tick_of(t_us) - TICKS_NEW);
        f->down.covered = 0;
        t->stats->carriers++;
        return;
    }
    s = slot_of(t, f, &e);
    if (!s)
        return;
    e->seen_s = now_s;
    leader(t, e, f)->covered += f->down.covered;
    f->down.covered = 0;
    if (ticks_since(f, t_us) > TICKS_OLD)
        f->down.tick = (uint16_t)(tick_of(t_us) - TICKS_OLD);
    if (f->octets[1] > DOWNLOAD && f->octets[1] / 4 > f->octets[0])
        forget(t, e, s);
}

bool carriers_take(struct flow_table *t, struct flow *f, bool end, int64_t t_us,
                   struct record_carrier *out)
{
    struct entry *e;
    struct slot *s = slot_of(t, f, &e);
    // Of one that uploads each order is told in its minute, since it may not last; what is left when it ends is told
    // even when nothing came behind: who hears of hits alone takes chance for more.
    bool uploads = f->octets[0] * 2 > f->octets[1] * 3;
    if (!s || (s->behind < TELL_BEHIND && s->opened < TELL_OPENED && !(end && s->opened > 0) &&
               !(uploads && s->behind > 0)))
        return false;
    uint64_t covered = ((uint64_t)s->covered + f->down.covered) << TICK_SHIFT;
    out->opened = s->opened;
    out->behind = s->behind;
    out->networks = s->networks;
    out->watched_ms = ms_of(t_us) - s->since_ms;
    out->covered_ms = covered / 1000 < out->watched_ms ? (uint32_t)(covered / 1000)
                                                       : out->watched_ms;
    f->down.covered = 0;
    *s = (struct slot){.flow = s->flow, .since_ms = ms_of(t_us)};
    return true;
}
