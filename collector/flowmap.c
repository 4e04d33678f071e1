// A pool of flows with a chained hash table and a list by age; both link by index, 0 is none.
#include "flowmap.h"

#include <assert.h>
#include <stdlib.h>

struct flowmap {
    struct flow *pool; // [1..max]
    uint32_t *bucket;
    uint32_t mask;
    uint32_t max, count;
    uint32_t used; // highest index ever taken
    uint32_t free; // chain of dropped ones
    uint32_t newest, oldest;
    uint64_t evicted;
    flow_end_fn end;
    void *ctx;
};

struct flowmap *flowmap_new(size_t max, flow_end_fn end, void *ctx)
{
    assert(max > 0 && max < UINT32_MAX / 2);
    struct flowmap *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    uint32_t buckets = 16;
    while (buckets < max)
        buckets *= 2;
    // Pages are touched as flows come, so a generous pool costs nothing at a small site.
    m->pool = calloc(max + 1, sizeof *m->pool);
    m->bucket = calloc(buckets, sizeof *m->bucket);
    m->mask = buckets - 1;
    m->max = (uint32_t)max;
    m->end = end;
    m->ctx = ctx;
    if (m->pool && m->bucket)
        return m;
    flowmap_free(m);
    return NULL;
}

void flowmap_free(struct flowmap *m)
{
    if (!m)
        return;
    free(m->pool);
    free(m->bucket);
    free(m);
}

static uint32_t *bucket_of(struct flowmap *m, uint64_t hash)
{
    return &m->bucket[(uint32_t)(hash ^ hash >> 32) & m->mask];
}

struct flow *flowmap_find(struct flowmap *m, uint64_t hash)
{
    for (uint32_t i = *bucket_of(m, hash); i; i = m->pool[i].chain)
        if (m->pool[i].hash == hash)
            return &m->pool[i];
    return NULL;
}

static void age_link(struct flowmap *m, uint32_t i)
{
    m->pool[i].newer = 0;
    m->pool[i].older = m->newest;
    if (m->newest)
        m->pool[m->newest].newer = i;
    else
        m->oldest = i;
    m->newest = i;
}

static void age_unlink(struct flowmap *m, uint32_t i)
{
    struct flow *f = &m->pool[i];
    if (f->newer)
        m->pool[f->newer].older = f->older;
    else
        m->newest = f->older;
    if (f->older)
        m->pool[f->older].newer = f->newer;
    else
        m->oldest = f->newer;
}

void flowmap_drop(struct flowmap *m, struct flow *f)
{
    uint32_t i = (uint32_t)(f - m->pool);
    uint32_t *link = bucket_of(m, f->hash);
    while (*link != i)
        link = &m->pool[*link].chain;
    *link = f->chain;
    age_unlink(m, i);
    f->chain = m->free;
    m->free = i;
    m->count--;
}

static void end_oldest(struct flowmap *m)
{
    struct flow *f = &m->pool[m->oldest];
    m->end(f, m->ctx);
    flowmap_drop(m, f);
}

struct flow *flowmap_put(struct flowmap *m, const struct flow *f)
{
    assert(!flowmap_find(m, f->hash));
    if (m->count == m->max) {
        end_oldest(m);
        m->evicted++;
    }
    uint32_t i = m->free;
    if (i)
        m->free = m->pool[i].chain;
    else
        i = ++m->used;
    struct flow *kept = &m->pool[i];
    *kept = *f;
    uint32_t *link = bucket_of(m, f->hash);
    kept->chain = *link;
    *link = i;
    age_link(m, i);
    m->count++;
    return kept;
}

void flowmap_touch(struct flowmap *m, struct flow *f, int64_t t_ms)
{
    uint32_t i = (uint32_t)(f - m->pool);
    if (t_ms > f->last_ms)
        f->last_ms = t_ms;
    if (m->newest == i)
        return;
    age_unlink(m, i);
    age_link(m, i);
}

void flowmap_expire(struct flowmap *m, int64_t before_ms)
{
    while (m->oldest && m->pool[m->oldest].last_ms < before_ms)
        end_oldest(m);
}

size_t flowmap_count(const struct flowmap *m)
{
    return m->count;
}

uint64_t flowmap_evicted(const struct flowmap *m)
{
    return m->evicted;
}
