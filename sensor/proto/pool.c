// The pools behind pool.h: three slabs. What is free stands in a stack of its own, so that to take a place does not
// wait for what the place itself holds, and the place behind it is fetched meanwhile.
#include "proto/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "ident_ndpi.h"
#include "proto/tls_hello.h"
#include "table.h"

enum { POOL_CLASSES = 3 };

#define FETCH_LINES 3 // that a new state or result touches first

// With its header each fills cache lines of its own.
static const size_t pool_size[POOL_CLASSES] = {416, 1504, POOL_STATE_MAX};

// Objects a flow may need at once of each class: a SOCKS or log-in tracker; an SMTP tracker (or, before
// it, a peek buffer) and a result; a TLS tracker.
static const size_t pool_share[POOL_CLASSES] = {1, 2, 1};

// In front of each object.
struct pool_header {
    struct proto_pool *pool; // the owner
    uint32_t place;
    uint32_t size; // octets asked for: no more was ever written
    uint8_t class;
    bool in_use;
    max_align_t state[];
};

_Static_assert((sizeof(struct pool_header) + POOL_STATE_MAX) % TABLE_LINE == 0, "lines are whole");

_Static_assert(sizeof(struct pool_header) == POOL_HEADER, "as states reckon with it");

struct pool_slab {
    uint8_t *memory; // owned
    size_t stride, cap;
    size_t fresh;   // places from here on were never used
    uint32_t *free; // owned: those given back, the latest last
    size_t free_count;
};

struct proto_pool {
    struct pool_slab slab[POOL_CLASSES];
    size_t in_use;
    struct ident_ndpi *ndpi; // owned
    bool ndpi_tried;
    struct tls_ja4_memo *ja4_memo; // owned
    struct tls_hello hello;
    struct proto_result dummy;
};

struct proto_pool *proto_pool_new(size_t flows)
{
    struct proto_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->ja4_memo = tls_ja4_memo_new();
    for (size_t i = 0; i < POOL_CLASSES; i++) {
        struct pool_slab *slab = &p->slab[i];
        slab->stride = sizeof(struct pool_header) + pool_size[i];
        slab->cap = flows * pool_share[i];
        slab->memory = table_new(slab->cap, slab->stride, TABLE_FROM_THE_FRONT);
        slab->free = table_new(slab->cap, sizeof *slab->free, TABLE_FROM_THE_FRONT);
        if (!slab->memory || !slab->free) {
            proto_pool_free(p);
            return NULL;
        }
    }
    return p;
}

void proto_pool_free(struct proto_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < POOL_CLASSES; i++) {
        table_free(p->slab[i].memory);
        table_free(p->slab[i].free);
    }
    ident_ndpi_free(p->ndpi);
    tls_ja4_memo_free(p->ja4_memo);
    free(p);
}

size_t proto_pool_in_use(const struct proto_pool *p)
{
    return p->in_use;
}

static struct pool_header *header_of(void *state)
{
    return (struct pool_header *)(void *)((uint8_t *)state - offsetof(struct pool_header, state));
}

static struct pool_header *place_of(const struct pool_slab *slab, size_t place)
{
    return (struct pool_header *)(void *)(slab->memory + slab->stride * place);
}

void *pool_take(struct proto_pool *p, size_t size)
{
    assert(size <= POOL_STATE_MAX);
    uint8_t class = 0;
    while (pool_size[class] < size)
        class ++;
    struct pool_slab *slab = &p->slab[class];
    uint32_t place;
    if (slab->free_count > 0)
        place = slab->free[--slab->free_count];
    else if (slab->fresh < slab->cap)
        place = (uint32_t)slab->fresh++;
    else
        return NULL;
    // Who is served next is not far behind.
    size_t behind = slab->free_count > 0 ? slab->free[slab->free_count - 1] : slab->fresh;
    if (behind < slab->cap) {
        const char *next = (const char *)place_of(slab, behind);
        for (size_t line = 0; line < FETCH_LINES; line++)
            __builtin_prefetch(next + line * TABLE_LINE, 1);
    }
    struct pool_header *h = place_of(slab, place);
    h->pool = p;
    h->place = place;
    h->class = class;
    h->size = (uint32_t)size;
    h->in_use = true;
    p->in_use++;
    return h->state;
}

void pool_give(void *state)
{
    if (!state)
        return;
    explicit_bzero(state, header_of(state)->size);
    pool_give_wiped(state);
}

static inline bool is_zero(const uint8_t *octets, size_t n)
{
    return n == 0 || (octets[0] == 0 && memcmp(octets, octets + 1, n - 1) == 0);
}

void pool_give_wiped(void *state)
{
    struct pool_header *h = header_of(state);
    assert(h->in_use && is_zero(state, h->size));
    struct proto_pool *p = h->pool;
    h->in_use = false;
    struct pool_slab *slab = &p->slab[h->class];
    slab->free[slab->free_count++] = h->place;
    p->in_use--;
}

struct proto_pool *pool_of(void *state)
{
    return header_of(state)->pool;
}

struct proto_result *pool_dummy_result(struct proto_pool *p)
{
    explicit_bzero(&p->dummy, sizeof p->dummy);
    return &p->dummy;
}

struct ident_ndpi *pool_ndpi(struct proto_pool *p)
{
    if (!p->ndpi_tried) {
        p->ndpi_tried = true;
        p->ndpi = ident_ndpi_new();
    }
    return p->ndpi;
}

struct tls_ja4_memo *pool_ja4_memo(struct proto_pool *p)
{
    return p->ja4_memo;
}

struct tls_hello *pool_hello(struct proto_pool *p)
{
    return &p->hello;
}
