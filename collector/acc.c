// Accumulators of minutes: blocks of counters, sets and digests come into being with their first use.
#include "acc.h"

#include <stddef.h>

#include "log_merge.h"

static int wide_of(enum minute_counter counter)
{
    switch (counter) {
#define X(name) \
    case MINUTE_##name: return ACC_##name;
        ACC_WIDE(X)
#undef X
    default: return -1;
    }
}

static const size_t pool_size[ACC_POOLS] = {
    [ACC_POOL_ACC] = sizeof(struct acc),
    [ACC_POOL_BLOCK] = sizeof(struct acc_block),
    [ACC_POOL_SETS] = MINUTE_SET_N * sizeof(struct distinct),
    [ACC_POOL_SECONDS] = sizeof(struct acc_seconds),
};

// Minutes come and go with the same few sizes: what one gives back the next one takes. The link to the next
// free one stands in its first octets.
static void *pool_get(enum acc_pool pool, struct acc_limits *limits)
{
    void *p = limits->free[pool];
    if (p) {
        memcpy(&limits->free[pool], p, sizeof(void *));
        __builtin_prefetch(limits->free[pool], 1); // the next to be taken
    } else if (!(p = chunks_get(&limits->chunks, pool_size[pool]))) {
        limits->out_of_memory++;
        return NULL;
    }
    return memset(p, 0, pool_size[pool]);
}

static void pool_put(enum acc_pool pool, void *p, struct acc_limits *limits)
{
    if (!p)
        return;
    memcpy(p, &limits->free[pool], sizeof(void *));
    limits->free[pool] = p;
}

static void *more(void *ctx, size_t size)
{
    return chunks_get(ctx, size);
}

void acc_limits_init(struct acc_limits *limits, uint32_t digests_max, size_t sketches_max)
{
    *limits = (struct acc_limits){
        .digests_max = digests_max,
        .budget = {.sketches_max = sketches_max, .more = more, .ctx = &limits->chunks}};
}

void acc_limits_fini(struct acc_limits *limits)
{
    chunks_fini(&limits->chunks);
    *limits = (struct acc_limits){0};
}

// Arrays of digests: `cap` is a power of two.
static void **digest_pool(struct acc_limits *limits, unsigned cap)
{
    return &limits->free_digests[__builtin_ctz(cap) - 1];
}

static struct acc_digest *digests_new(unsigned cap, struct acc_limits *limits)
{
    void **pool = digest_pool(limits, cap);
    struct acc_digest *array = *pool;
    if (!array)
        return chunks_get(&limits->chunks, cap * sizeof *array);
    memcpy(pool, array, sizeof *pool);
    __builtin_prefetch(*pool, 1);
    return array;
}

static void digests_free(struct acc_digest *array, unsigned cap, struct acc_limits *limits)
{
    if (!array)
        return;
    void **pool = digest_pool(limits, cap);
    memcpy(array, pool, sizeof *pool);
    *pool = array;
}

struct acc *acc_new(struct acc_limits *limits)
{
    struct acc *a = pool_get(ACC_POOL_ACC, limits);
    if (a)
        a->confidence = IDENTITY_CERTAIN;
    return a;
}

// Gives back all that rows are cut from.
static void clear(struct acc *a, struct acc_limits *limits)
{
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++) {
            pool_put(ACC_POOL_BLOCK, a->block[role][d], limits);
            a->block[role][d] = NULL;
        }
    for (unsigned s = 0; a->set && s < MINUTE_SET_N; s++)
        distinct_clear(&a->set[s], &limits->budget);
    pool_put(ACC_POOL_SETS, a->set, limits);
    a->set = NULL;
    digests_free(a->digest, a->digest_cap, limits);
    a->digest = NULL;
    a->digest_count = 0;
    a->digest_cap = 0;
    a->digests_cut = 0;
    memset(a->gauge, 0, sizeof a->gauge);
    a->socks_octets = 0;
    a->dirty = false;
    a->early_outcomes = 0;
    a->early_connections = 0;
    a->early_socks = false;
}

void acc_free(struct acc *a, struct acc_limits *limits)
{
    if (!a)
        return;
    clear(a, limits);
    pool_put(ACC_POOL_SECONDS, a->seconds, limits);
    log_merge_free(a->log);
    pool_put(ACC_POOL_ACC, a, limits);
}

static void fetch(const void *from, size_t size)
{
    const char *at = from;
    for (size_t i = 0; at && i < size; i += 64)
        __builtin_prefetch(at + i, 1);
}

void acc_fetch(const struct acc *a)
{
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++)
            fetch(a->block[role][d], sizeof(struct acc_block));
    fetch(a->set, MINUTE_SET_N * sizeof *a->set);
    // Digests that are there are read when the row is cut; the next is written.
    unsigned upto = a->digest_count < a->digest_cap ? a->digest_count + 1u : a->digest_count;
    fetch(a->digest, upto * sizeof *a->digest);
}

void acc_fetch_sets(const struct acc *a)
{
    for (unsigned s = 0; a->set && s < MINUTE_SET_N; s++)
        if (a->set[s].store && !a->set[s].is_hll)
            __builtin_prefetch(a->set[s].store, 1);
}

// ---- Adding

static uint32_t saturated(uint32_t a, uint64_t b)
{
    return b > UINT32_MAX - a ? UINT32_MAX : a + (uint32_t)b;
}

void acc_add(struct acc *a, unsigned role, unsigned direction, enum minute_counter counter,
             uint64_t n, struct acc_limits *limits)
{
    if (n == 0)
        return;
    struct acc_block **b = &a->block[role][direction];
    if (!*b && !(*b = pool_get(ACC_POOL_BLOCK, limits)))
        return;
    a->dirty = true;
    int wide = wide_of(counter);
    if (wide < 0)
        (*b)->n[counter] = saturated((*b)->n[counter], n);
    else
        (*b)->wide[wide] = (*b)->wide[wide] > UINT64_MAX - n ? UINT64_MAX : (*b)->wide[wide] + n;
}

void acc_gauge(struct acc *a, enum minute_gauge gauge, uint64_t n)
{
    if (n == 0)
        return;
    a->dirty = true;
    if (gauge == MINUTE_socks_octets)
        a->socks_octets = a->socks_octets > UINT64_MAX - n ? UINT64_MAX : a->socks_octets + n;
    else
        a->gauge[gauge] = saturated(a->gauge[gauge], n);
}

void acc_set(struct acc *a, enum minute_set set, uint8_t key_id, uint64_t value,
             struct acc_limits *limits)
{
    if (!a->set && !(a->set = pool_get(ACC_POOL_SETS, limits)))
        return;
    a->dirty = true;
    if (!distinct_add(&a->set[set], key_id, value, &limits->budget))
        limits->mixed_keys++;
}

void acc_sweep(struct acc *a, enum acc_sweep sweep, bool end, int64_t t_ms,
               struct acc_limits *limits)
{
    if (!a->seconds && !(a->seconds = pool_get(ACC_POOL_SECONDS, limits)))
        return;
    int64_t s = (t_ms - a->minute * 60000) / 1000;
    s = s < 0 ? 0 : s > 59 ? 59 : s;
    uint16_t *at = end ? &a->seconds->end[sweep][s] : &a->seconds->start[sweep][s];
    if (*at < UINT16_MAX)
        ++*at;
}

uint32_t acc_peak(const struct acc *a, enum acc_sweep sweep, uint32_t *open)
{
    uint32_t peak = *open;
    for (unsigned s = 0; a->seconds && s < 60; s++) {
        *open += a->seconds->start[sweep][s];
        peak = *open > peak ? *open : peak;
        uint32_t ended = a->seconds->end[sweep][s];
        *open -= ended < *open ? ended : *open;
    }
    return peak;
}

// ---- Digests

struct minute_digest *acc_digest(struct acc *a, uint64_t flow_hash)
{
    for (unsigned i = a->digest_count; i > 0; i--)
        if (a->digest[i - 1].digest.flow_hash == flow_hash)
            return &a->digest[i - 1].digest;
    return NULL;
}

// The latest of the least priority below `priority`.
static struct acc_digest *least(struct acc *a, uint8_t priority)
{
    struct acc_digest *found = NULL;
    for (unsigned i = a->digest_count; i > 0; i--)
        if (a->digest[i - 1].priority < (found ? found->priority : priority))
            found = &a->digest[i - 1];
    return found;
}

static bool digest_room(struct acc *a, struct acc_limits *limits)
{
    if (a->digest_count < a->digest_cap)
        return true;
    unsigned cap = a->digest_cap ? 2u * a->digest_cap : 2;
    struct acc_digest *more = digests_new(cap, limits);
    if (!more) {
        limits->out_of_memory++;
        return false;
    }
    if (a->digest_count > 0)
        memcpy(more, a->digest, a->digest_count * sizeof *more);
    digests_free(a->digest, a->digest_cap, limits);
    a->digest = more;
    a->digest_cap = (uint16_t)cap;
    return true;
}

struct minute_digest *acc_digest_new(struct acc *a, uint64_t flow_hash, uint8_t priority,
                                     struct acc_limits *limits)
{
    struct acc_digest *d;
    a->dirty = true;
    if (a->digest_count < limits->digests_max && digest_room(a, limits)) {
        d = &a->digest[a->digest_count++];
    } else {
        a->digests_cut += a->digests_cut < UINT32_MAX;
        d = least(a, priority);
        if (!d)
            return NULL;
    }
    *d = (struct acc_digest){.digest = {.flow_hash = flow_hash}, .priority = priority};
    return &d->digest;
}

// ---- Cutting

static void cut_counters(const struct acc *a, struct minute_row *r)
{
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++) {
            const struct acc_block *b = a->block[role][d];
            if (!b) {
                r->unused |= (uint16_t)(1u << (role * MINUTE_DIRECTIONS + d));
                continue;
            }
            for (unsigned c = 0; c < MINUTE_COUNTER_N; c++)
                r->counter[role][d][c] = b->n[c];
#define X(name) r->counter[role][d][MINUTE_##name] = b->wide[ACC_##name];
            ACC_WIDE(X)
#undef X
        }
    for (unsigned g = 0; g < MINUTE_GAUGE_N; g++)
        r->gauge[g] = a->gauge[g];
    r->gauge[MINUTE_socks_octets] = a->socks_octets;
}

// In order of start; those that start together stay in order of arrival. Few are out of order.
static void cut_digests(struct acc *a, struct minute_row *r, struct acc_limits *limits)
{
    r->digests_cut = a->digests_cut;
    if (a->digest_count == 0)
        return;
    if (!limits->cut)
        limits->cut = chunks_get(&limits->chunks, limits->digests_max * sizeof *limits->cut);
    if (!limits->cut) {
        limits->out_of_memory++;
        r->digests_cut += a->digest_count;
        return;
    }
    r->digest = limits->cut;
    for (unsigned i = 0; i < a->digest_count; i++) {
        unsigned at = i;
        while (at > 0 && r->digest[at - 1].start_ms > a->digest[i].digest.start_ms) {
            r->digest[at] = r->digest[at - 1];
            at--;
        }
        r->digest[at] = a->digest[i].digest;
    }
    r->digest_count = a->digest_count;
}

void acc_cut(struct acc *a, struct minute_row *r, struct acc_limits *limits)
{
    cut_counters(a, r);
    cut_digests(a, r, limits);
    if (a->set) {
        memcpy(r->set, a->set, sizeof r->set);
        pool_put(ACC_POOL_SETS, a->set, limits);
        a->set = NULL;
    }
    clear(a, limits);
}

void acc_cut_clear(struct minute_row *r, struct acc_limits *limits)
{
    for (unsigned s = 0; s < MINUTE_SET_N; s++)
        if (r->set[s].store)
            distinct_clear(&r->set[s], &limits->budget);
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++)
            if (!(r->unused >> (role * MINUTE_DIRECTIONS + d) & 1))
                memset(r->counter[role][d], 0, sizeof r->counter[role][d]);
    memset(r, 0, offsetof(struct minute_row, counter));
    memset(r->gauge, 0, sizeof *r - offsetof(struct minute_row, gauge));
}
