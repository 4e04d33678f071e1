// The table is set-associative: a flow has eight places, and takes that of the one heard of longest ago.
#include "pairs.h"

#include <stdlib.h>

#include "chunks.h"

#define WAYS      8
#define IDLE_MS   (60 * 60 * 1000)
#define LOOSE_MS  (120 * 1000) // flows without a sequence number: the 5-tuple comes again
#define PROCESSES 1024
#define BUCKETS   16384 // of records that wait, by flow

enum { HALF_INITIATOR = 1, HALF_RESPONDER = 2, WHOLE = 3 };

struct known {
    uint64_t key; // 0: free
    int64_t last_ms, flow_start_ms;
    int16_t owner[2];  // who tells the initiator's, the responder's packets; -1: nobody yet
    uint8_t told;      // RECORD_START, _END, _OUTCOME that went on already, of halves
    uint8_t handshake; // of halves: the last that was decided
};

struct held {
    struct held *next; // in order of arrival
    struct held *chain;
    uint64_t key;
    int64_t due_ms, minute;
    int process;
    uint8_t halves; // that are in it
    struct record_flow flow;
};

struct clock { // of a process, against the one before it on the same flows
    uint8_t wrong, right;
    bool differs;
};

struct pairs {
    struct known *known;
    size_t mask; // of sets
    pairs_fn give;
    void *ctx;
    struct held *first, **last;
    struct held *bucket[BUCKETS];
    size_t held;
    struct clock clock[PROCESSES];
    struct pairs_stats stats;
};

static size_t known_octets(const struct pairs *p)
{
    return (p->mask + 1) * WAYS * sizeof *p->known;
}

struct pairs *pairs_new(size_t flows, pairs_fn give, void *ctx)
{
    struct pairs *p = calloc(1, sizeof *p);
    size_t sets = 16;
    if (!p)
        return NULL;
    while (sets * WAYS < flows)
        sets *= 2;
    p->mask = sets - 1;
    p->known = chunks_table(known_octets(p));
    p->give = give;
    p->ctx = ctx;
    p->last = &p->first;
    if (p->known)
        return p;
    free(p);
    return NULL;
}

void pairs_free(struct pairs *p)
{
    if (!p)
        return;
    while (p->first) {
        struct held *next = p->first->next;
        free(p->first);
        p->first = next;
    }
    chunks_table_free(p->known, known_octets(p));
    free(p);
}

// ---- Which flow

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t mix_octets(uint64_t h, const void *data, size_t words)
{
    const char *at = data;
    for (size_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, at + 8 * i, sizeof word);
        h = mix(h, word);
    }
    return h;
}

static uint64_t key_of(const struct record_flow *f)
{
    uint64_t h = mix_octets(1, f->realm.name, REALM_MAX / 8);
    h = mix_octets(h, f->initiator.octet, 2);
    h = mix_octets(h, f->responder.octet, 2);
    h = mix(h, (uint64_t)f->initiator_port << 48 | (uint64_t)f->responder_port << 32 |
                   (f->isn_seen & 1 ? f->initiator_isn : 0));
    h = mix(h, (uint64_t)f->ip_proto << 8 | (f->isn_seen & 1));
    return h ? h : 1;
}

static uint8_t halves_of(const struct record_flow *f)
{
    return f->incomplete & RECORD_ONLY_INITIATOR   ? HALF_INITIATOR
           : f->incomplete & RECORD_ONLY_RESPONDER ? HALF_RESPONDER
                                                   : WHOLE;
}

static struct known *set_of(const struct pairs *p, uint64_t key)
{
    return p->known + ((key >> 20) & p->mask) * WAYS;
}

void pairs_fetch(const struct pairs *p, const struct record_flow *f)
{
    const char *set = (const char *)set_of(p, key_of(f));
    for (size_t at = 0; at < WAYS * sizeof(struct known); at += 64)
        __builtin_prefetch(set + at);
}

static struct known *place(struct pairs *p, const struct record_flow *f, uint64_t key)
{
    struct known *set = set_of(p, key), *oldest = set;
    int64_t idle_ms = f->isn_seen & 1 ? IDLE_MS : LOOSE_MS;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key && f->start_ms - set[i].last_ms < idle_ms)
            return &set[i];
        if (set[i].key == key) {
            oldest = &set[i];
            break;
        }
        if (oldest->key != 0 && (set[i].key == 0 || set[i].last_ms < oldest->last_ms))
            oldest = &set[i];
    }
    *oldest = (struct known){
        .key = key, .last_ms = f->end_ms, .flow_start_ms = f->flow_start_ms, .owner = {-1, -1}};
    return oldest;
}

// ---- Clocks

static void compare_clocks(struct pairs *p, int a, int b, int64_t off_ms)
{
    if (a < 0 || b < 0 || a >= PROCESSES || b >= PROCESSES || a == b)
        return;
    bool wrong = off_ms > PAIRS_CLOCK_MS || off_ms < -PAIRS_CLOCK_MS;
    const int pair[2] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        struct clock *c = &p->clock[pair[i]];
        c->wrong = wrong ? (uint8_t)(c->wrong + (c->wrong < PAIRS_CLOCK_RUNS)) : 0;
        c->right = wrong ? 0 : (uint8_t)(c->right + (c->right < PAIRS_CLOCK_RUNS));
        if (c->wrong == PAIRS_CLOCK_RUNS || c->right == PAIRS_CLOCK_RUNS)
            c->differs = c->wrong == PAIRS_CLOCK_RUNS;
    }
}

bool pairs_clock_differs(const struct pairs *p, int process)
{
    return process >= 0 && process < PROCESSES && p->clock[process].differs;
}

// ---- Halves

static bool is_decided(uint8_t handshake)
{
    return handshake != RECORD_HANDSHAKE_PENDING && handshake != RECORD_HANDSHAKE_MIDSTREAM;
}

// What was said of the flow once already is not said again by the other half.
static void give_half(struct pairs *p, struct known *k, struct held *h)
{
    struct record_flow *f = &h->flow;
    if (k->owner[0] >= 0 && k->owner[1] >= 0)
        f->incomplete &= ~(uint32_t)(RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER);
    if (k->told & RECORD_START & f->flags)
        f->flags = (uint8_t)((f->flags & ~RECORD_START) | RECORD_CONTINUE);
    f->flags = (uint8_t)(f->flags & ~(k->told & (RECORD_END | RECORD_OUTCOME)));
    if (!(f->flags & RECORD_OUTCOME)) {
        f->outcome_ms = 0;
        if (k->told & RECORD_OUTCOME)
            f->handshake = k->handshake;
    }
    k->told |= f->flags & (RECORD_START | RECORD_END | RECORD_OUTCOME);
    if (is_decided(f->handshake) && (f->flags & RECORD_OUTCOME))
        k->handshake = f->handshake;
    f->flow_hash = h->key; // one flow for both halves
    if (h->halves == WHOLE)
        p->stats.joined += 2;
    else
        p->stats.alone++;
    p->give(f, h->process, p->ctx);
}

static void release(struct pairs *p, struct held *h)
{
    give_half(p, place(p, &h->flow, h->key), h);
    free(h);
}

// A sensor tells a minute's records by its end at the latest: until then the other half may come.
static int64_t due_of(const struct record_flow *f)
{
    int64_t last_ms = f->outcome_ms > f->end_ms ? f->outcome_ms : f->end_ms;
    return (last_ms / 60000 + 1) * 60000;
}

static struct held **bucket_of(struct pairs *p, uint64_t key)
{
    return &p->bucket[key % BUCKETS];
}

// Takes it out of both lists; the caller goes on with it.
static void unhold(struct pairs *p, struct held **link)
{
    struct held *h = *link, **chain = bucket_of(p, h->key);
    *link = h->next;
    while (*chain != h)
        chain = &(*chain)->chain;
    *chain = h->chain;
    p->held--;
}

static void hold(struct pairs *p, const struct record_flow *f, int process, uint64_t key,
                 uint8_t half)
{
    int64_t minute = f->start_ms / 60000, due_ms = due_of(f);
    for (struct held *h = *bucket_of(p, key); h; h = h->chain) {
        if (h->key != key || h->minute != minute || (h->halves & half))
            continue;
        pairs_join(&h->flow, f);
        h->halves |= half;
        if (due_ms > h->due_ms)
            h->due_ms = due_ms;
        return;
    }
    struct held *h = p->held < PAIRS_HELD_MAX ? malloc(sizeof *h) : NULL;
    if (!h) { // goes on alone, and is no longer waited for
        struct held now = {.key = key, .process = process, .halves = half, .flow = *f};
        p->stats.held_cut++;
        give_half(p, place(p, f, key), &now);
        return;
    }
    *h = (struct held){.key = key,
                       .due_ms = due_ms,
                       .minute = minute,
                       .process = process,
                       .halves = half,
                       .flow = *f};
    h->chain = *bucket_of(p, key);
    *bucket_of(p, key) = h;
    *p->last = h;
    p->last = &h->next;
    p->held++;
}

void pairs_advance(struct pairs *p, int64_t watermark_ms)
{
    struct held **link = &p->first;
    while (*link) {
        struct held *h = *link;
        if (h->due_ms > watermark_ms) {
            link = &h->next;
            continue;
        }
        unhold(p, link);
        release(p, h);
    }
    p->last = link;
}

// ---- Records

// Somebody tells the whole flow from `minute` on: halves of it that another told of that time are not needed. What
// the same sensor told before goes on first (the SYN alone, when the minute ended behind it), and so does what is of
// an earlier minute.
static void settle_held(struct pairs *p, uint64_t key, int process, int64_t minute)
{
    struct held **link = &p->first;
    struct held *any = *bucket_of(p, key);
    while (any && any->key != key)
        any = any->chain;
    while (any && *link) {
        struct held *h = *link;
        if (h->key != key) {
            link = &h->next;
            continue;
        }
        unhold(p, link);
        if (h->process == process || h->minute < minute) {
            release(p, h);
            continue;
        }
        p->stats.twice++;
        free(h);
    }
    if (any)
        p->last = link;
}

// Has nobody but this one told of the flow?
static bool is_alone(const struct known *k, int process)
{
    return (k->owner[0] < 0 || k->owner[0] == process) &&
           (k->owner[1] < 0 || k->owner[1] == process);
}

// Of a flow whose beginning went on as a half, under the name that halves have.
static void give_rest(struct pairs *p, const struct known *k, const struct record_flow *f,
                      int process, uint64_t key)
{
    if (!k->told) {
        p->give(f, process, p->ctx);
        return;
    }
    struct record_flow named = *f;
    named.flow_hash = key;
    p->give(&named, process, p->ctx);
}

void pairs_take(struct pairs *p, const struct record_flow *f, int process, bool wait)
{
    uint64_t key = key_of(f);
    struct known *k = place(p, f, key);
    uint8_t half = halves_of(f);
    int before = k->owner[0] >= 0 ? k->owner[0] : k->owner[1];
    if (f->flags & RECORD_START)
        compare_clocks(p, before, process, f->flow_start_ms - k->flow_start_ms);
    if (f->end_ms > k->last_ms)
        k->last_ms = f->end_ms;
    bool free_now = k->owner[0] < 0 && k->owner[1] < 0;
    bool mine = k->owner[0] == process && k->owner[1] == process;
    if (half == WHOLE) {
        // Halves of others that were counted already keep the flow: it counts once.
        if (!is_alone(k, process) && (k->told || (k->owner[0] == k->owner[1]))) {
            p->stats.twice++;
            return;
        }
        if (!mine && !free_now)
            settle_held(p, key, process, f->start_ms / 60000);
        k->owner[0] = k->owner[1] = (int16_t)process;
        give_rest(p, k, f, process, key);
        return;
    }
    int d = half == HALF_INITIATOR ? 0 : 1;
    if (k->owner[d] >= 0 && k->owner[d] != process) {
        p->stats.twice++;
        return;
    }
    k->owner[d] = (int16_t)process;
    if (wait) {
        hold(p, f, process, key, half);
        return;
    }
    // One sensor alone: as it says.
    p->give(f, process, p->ctx);
}

const struct pairs_stats *pairs_stats(const struct pairs *p)
{
    return &p->stats;
}
