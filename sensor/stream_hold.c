// The pool of blocks, and the sorted list of held segments of a direction: insertion with overlap,
// where the first octets win.
#include "stream_pool.h"

#include <assert.h>
#include <stdlib.h>

struct stream_pool *stream_pool_new(const struct stream_limits *limits)
{
    struct stream_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->count = limits->memory / sizeof *p->block;
    p->block = malloc((p->count + 1) * sizeof *p->block);
    p->free = malloc((p->count + 1) * sizeof *p->free);
    if (!p->block || !p->free) {
        stream_pool_free(p);
        return NULL;
    }
    p->limits = *limits;
    for (size_t i = 0; i < p->count; i++)
        p->free[i] = (uint32_t)(p->count - i);
    p->free_count = p->count;
    return p;
}

void stream_pool_free(struct stream_pool *p)
{
    if (!p)
        return;
    free(p->block);
    free(p->free);
    free(p);
}

size_t stream_pool_in_use(const struct stream_pool *p)
{
    return p->count - p->free_count;
}

size_t stream_pool_size(const struct stream_pool *p)
{
    return p->count;
}

// Octets of a segment: where they stand in the sequence and in the captured data.
struct piece {
    const struct stream_segment *seg;
    uint32_t seq, end;
};

static struct span captured(const struct piece *p, uint32_t seq, uint32_t len)
{
    return span_cut(p->seg->data, seq - p->seg->seq, len);
}

static bool differs(const struct stream_block *b, const struct piece *p, uint32_t len)
{
    uint32_t at = p->seq - b->seq;
    if (at >= b->len)
        return false;
    uint32_t n = b->len - at < len ? b->len - at : len;
    struct span s = captured(p, p->seq, n);
    return s.len > 0 && memcmp(b->octet + at, s.data, s.len) != 0;
}

// More octets for the block before a hole, when they continue it: one-octet segments would need a
// block each otherwise. Returns how many went in.
static uint32_t append(struct stream *s, struct stream_block *b, const struct piece *p,
                       uint32_t room)
{
    if (block_end(b) != p->seq || b->cut != 0 || b->has_ack != p->seg->has_ack ||
        (b->has_ack && b->ack != p->seg->ack))
        return 0;
    struct span data = captured(p, p->seq, room);
    uint32_t n = (uint32_t)data.len;
    if (n > STREAM_BLOCK - (uint32_t)b->len)
        n = STREAM_BLOCK - (uint32_t)b->len;
    if (n == 0)
        return 0;
    memcpy(b->octet + b->len, data.data, n);
    b->len = (uint16_t)(b->len + n);
    s->held += n;
    return n;
}

// A new block between `before` (0: at the head) and what follows it. Returns the octets it covers; 0:
// no memory.
static uint32_t insert(struct stream *s, struct stream_pool *pool, uint32_t before,
                       const struct piece *p, uint32_t room)
{
    struct stream_dir *d = &s->dir[p->seg->dir];
    if (pool->free_count == 0)
        return 0;
    uint32_t n = pool->free[--pool->free_count];
    struct stream_block *b = &pool->block[n];
    struct span data = captured(p, p->seq, room < STREAM_BLOCK ? room : STREAM_BLOCK);
    b->seq = p->seq;
    b->ack = p->seg->ack;
    b->has_ack = p->seg->has_ack;
    b->len = (uint16_t)data.len;
    // Behind the captured octets everything up to the hole's end was cut off.
    b->cut = data.len < STREAM_BLOCK ? room - b->len : 0;
    if (data.len > 0)
        memcpy(b->octet, data.data, data.len);
    uint32_t *link = before ? &pool->block[before].next : &d->head;
    b->next = *link;
    *link = n;
    if (b->next == 0)
        d->tail = n;
    s->held += b->len;
    s->blocks++;
    return b->len + b->cut;
}

void stream_hold(struct stream *s, struct stream_pool *pool, const struct stream_segment *seg,
                 uint32_t seq, struct stream_outcome *out)
{
    struct stream_dir *d = &s->dir[seg->dir];
    struct piece p = {.seg = seg, .seq = seq, .end = seg->seq + seg->wire};
    uint32_t before = 0, at = d->head;
    if (d->tail && !seq_before(p.seq, block_end(&pool->block[d->tail]))) {
        before = d->tail;
        at = 0;
    }
    while (seq_before(p.seq, p.end)) {
        while (at && !seq_before(p.seq, block_end(&pool->block[at]))) {
            before = at;
            at = pool->block[at].next;
        }
        uint32_t left = p.end - p.seq;
        if (at && !seq_before(p.seq, pool->block[at].seq)) {
            uint32_t n = block_end(&pool->block[at]) - p.seq;
            if (n > left)
                n = left;
            out->conflict |= differs(&pool->block[at], &p, n);
            p.seq += n;
            continue;
        }
        uint32_t room = at && pool->block[at].seq - p.seq < left ? pool->block[at].seq - p.seq
                                                                 : left;
        uint32_t n = before ? append(s, &pool->block[before], &p, room) : 0;
        if (n == 0) {
            n = insert(s, pool, before, &p, room);
            if (n == 0) {
                out->no_memory = true;
                out->unheld += room;
                n = room;
            } else {
                before = before ? pool->block[before].next : d->head;
            }
        }
        p.seq += n;
    }
}

struct stream_block *stream_unhold(struct stream *s, struct stream_pool *pool, unsigned dir)
{
    struct stream_dir *d = &s->dir[dir];
    uint32_t n = d->head;
    assert(n != 0);
    struct stream_block *b = &pool->block[n];
    d->head = b->next;
    if (d->head == 0)
        d->tail = 0;
    s->held -= b->len;
    s->blocks--;
    pool->free[pool->free_count++] = n;
    return b;
}

void stream_drop(struct stream *s, struct stream_pool *pool)
{
    for (unsigned dir = 0; dir < 2; dir++)
        while (s->dir[dir].head)
            stream_wipe(stream_unhold(s, pool, dir));
}
