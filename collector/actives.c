// A chained hash table that grows with its entries, and a list by age.
#include "actives.h"

#include <assert.h>
#include <stdlib.h>

#define HASH_SEED 0x706f737465726e00u

struct actives {
    struct chunks chunks; // of the entries
    struct active *free;  // dropped ones, by `chain`
    struct active **bucket;
    size_t mask, count, max;
    struct active *newest, *oldest;
    uint64_t evicted, refused;
};

struct actives *actives_new(size_t max)
{
    struct actives *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->mask = 1023;
    t->max = max;
    t->bucket = calloc(t->mask + 1, sizeof(struct active *));
    if (t->bucket)
        return t;
    free(t);
    return NULL;
}

// Two answers for one key are two entries when another party stands behind them.
static uint32_t party_of(const struct lease_answer *l)
{
    return l->confidence == IDENTITY_AMBIGUOUS ? 0 : l->lease;
}

// By words: a key is looked up with every record.
static uint64_t hash_of(const struct subscriber_key *key, const struct lease_answer *lease)
{
    uint64_t word[sizeof *key / sizeof(uint64_t)];
    uint64_t h = HASH_SEED + party_of(lease);
    memcpy(word, key, sizeof word);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        h = (h ^ word[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return h;
}

static void age_link(struct actives *t, struct active *a)
{
    a->newer = NULL;
    a->older = t->newest;
    if (t->newest)
        t->newest->newer = a;
    else
        t->oldest = a;
    t->newest = a;
}

static void age_unlink(struct actives *t, struct active *a)
{
    if (a->newer)
        a->newer->older = a->older;
    else
        t->newest = a->older;
    if (a->older)
        a->older->newer = a->newer;
    else
        t->oldest = a->newer;
}

static bool is_idle(const struct active *a)
{
    return !a->acc && a->flows == 0 && a->due_ms == INT64_MAX;
}

static void drop(struct actives *t, struct active *a)
{
    assert(is_idle(a));
    struct active **link = &t->bucket[a->hash & t->mask];
    while (*link != a)
        link = &(*link)->chain;
    *link = a->chain;
    age_unlink(t, a);
    destinations_clear(&a->destinations);
    a->chain = t->free;
    t->free = a;
    t->count--;
}

void actives_free(struct actives *t, struct acc_limits *limits)
{
    if (!t)
        return;
    while (t->oldest) {
        struct active *a = t->oldest;
        while (a->acc) {
            struct acc *next = a->acc->of_key;
            acc_free(a->acc, limits);
            a->acc = next;
        }
        a->flows = 0;
        a->due_ms = INT64_MAX;
        drop(t, a);
    }
    free(t->bucket);
    chunks_fini(&t->chunks);
    free(t);
}

static struct active *new_entry(struct actives *t)
{
    struct active *a = t->free;
    if (a)
        t->free = a->chain;
    else
        a = chunks_get(&t->chunks, sizeof *a);
    return a ? memset(a, 0, sizeof *a) : NULL;
}

// How many of the oldest are looked at for one that can go, before a newcomer is refused.
#define EVICT_TRIES 64

static bool make_room(struct actives *t)
{
    struct active *a = t->oldest;
    for (unsigned i = 0; a && i < EVICT_TRIES; i++, a = a->newer) {
        if (is_idle(a)) {
            drop(t, a);
            t->evicted++;
            return true;
        }
    }
    return false;
}

// When memory is short the table stays as it is: slower, not wrong.
static void grow(struct actives *t)
{
    size_t mask = 2 * t->mask + 1;
    struct active **bucket = calloc(mask + 1, sizeof(struct active *));
    if (!bucket)
        return;
    for (struct active *a = t->oldest; a; a = a->newer) {
        struct active **link = &bucket[a->hash & mask];
        a->chain = *link;
        *link = a;
    }
    free(t->bucket);
    t->bucket = bucket;
    t->mask = mask;
}

static struct active *find(struct actives *t, const struct subscriber_key *key,
                           const struct lease_answer *lease, uint64_t hash)
{
    struct active *a = t->bucket[hash & t->mask];
    while (a && (party_of(&a->lease) != party_of(lease) || memcmp(&a->key, key, sizeof *key) != 0))
        a = a->chain;
    return a;
}

struct active *actives_get(struct actives *t, const struct subscriber_key *key,
                           const struct lease_answer *lease, int64_t t_ms, bool *is_new)
{
    uint64_t hash = hash_of(key, lease);
    struct active *a = find(t, key, lease, hash);
    *is_new = !a;
    if (a) {
        // The list by age is kept to the minute: moving an entry touches three others.
        bool moves = t_ms / 60000 > a->last_ms / 60000 && t->newest != a;
        if (t_ms > a->last_ms)
            a->last_ms = t_ms;
        if (moves) {
            age_unlink(t, a);
            age_link(t, a);
        }
        return a;
    }
    if (t->count >= t->max && !make_room(t)) {
        t->refused++;
        return NULL;
    }
    if (t->count > t->mask)
        grow(t);
    a = new_entry(t);
    if (!a) {
        t->refused++;
        return NULL;
    }
    a->hash = hash;
    a->key = *key;
    a->lease = *lease;
    a->last_ms = t_ms;
    a->due_ms = INT64_MAX;
    struct active **link = &t->bucket[hash & t->mask];
    a->chain = *link;
    *link = a;
    age_link(t, a);
    t->count++;
    return a;
}

static void fetch(const void *from, size_t size)
{
    const char *at = from;
    for (size_t i = 0; at && i < size; i += 64)
        __builtin_prefetch(at + i, 1);
}

void actives_fetch(const struct actives *t, const struct subscriber_key *key,
                   const struct lease_answer *lease, struct actives_hint *hint)
{
    hint->hash = hash_of(key, lease);
    __builtin_prefetch(&t->bucket[hint->hash & t->mask]);
}

void actives_fetch_on(const struct actives *t, struct actives_hint *hint, unsigned step)
{
    if (step == 1) {
        hint->at = t->bucket[hint->hash & t->mask];
        fetch(hint->at, sizeof *hint->at);
        return;
    }
    if (step == 2)
        while (hint->at && hint->at->hash != hint->hash)
            hint->at = hint->at->chain;
    if (!hint->at || !hint->at->acc)
        return;
    if (step == 3) {
        acc_fetch(hint->at->acc);
        return;
    }
    if (step == 4) {
        acc_fetch_sets(hint->at->acc);
        return;
    }
    fetch(hint->at->acc, sizeof *hint->at->acc);
    fetch(hint->at->destinations.slot, 64);
}

void actives_fetch_row(const struct acc *acc)
{
    const struct acc *next = acc->of_minute;
    acc_fetch_sets(acc);
    if (!next)
        return;
    acc_fetch(next);
    fetch(next->active, sizeof *next->active);
    fetch(next->of_minute, sizeof *next);
}

void actives_expire(struct actives *t, int64_t before_ms)
{
    struct active *next;
    for (struct active *a = t->oldest; a && a->last_ms < before_ms; a = next) {
        next = a->newer;
        if (is_idle(a))
            drop(t, a);
    }
}

size_t actives_count(const struct actives *t)
{
    return t->count;
}

uint64_t actives_evicted(const struct actives *t)
{
    return t->evicted;
}

uint64_t actives_refused(const struct actives *t)
{
    return t->refused;
}
