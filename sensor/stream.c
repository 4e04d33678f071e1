// The order of delivery: within a direction by sequence number, across the two by acknowledgement.
// stream_hold.c keeps what cannot be delivered yet. RFC 9293; window scale RFC 7323.
#include "stream_next.h"

#include <assert.h>

// A wait ends after this many times `gap_us` at the latest.
#define GAP_TIMES 10
// A floating direction begins at most this far before its first segment.
#define FLOAT_MAX 65536u

void stream_begin(struct stream *s, unsigned dir, uint32_t seq, bool seen)
{
    struct stream_dir *d = &s->dir[dir];
    if ((d->flags & STREAM_DIR_BEGUN) && !(d->flags & STREAM_DIR_FLOATS))
        return;
    d->next = seq;
    d->flags &= (uint16_t)~STREAM_DIR_FLOATS;
    d->flags |= (uint16_t)(STREAM_DIR_BEGUN | (seen ? STREAM_DIR_SEEN : 0));
}

void stream_float(struct stream *s, unsigned dir, uint32_t seq, bool seen)
{
    stream_begin(s, dir, seq, seen);
    s->dir[dir].flags |= STREAM_DIR_FLOATS;
}

void stream_end(struct stream *s, unsigned dir, uint32_t fin)
{
    s->dir[dir].fin = fin;
    s->dir[dir].flags |= STREAM_DIR_FIN;
    stream_judge(s);
}

bool stream_spoke(const struct stream *s)
{
    return (s->dir[0].flags | s->dir[1].flags) & STREAM_DIR_SPOKE;
}

void stream_hush(struct stream *s)
{
    s->dir[0].flags &= (uint16_t)~STREAM_DIR_SPOKE;
    s->dir[1].flags &= (uint16_t)~STREAM_DIR_SPOKE;
}

bool stream_floats(const struct stream *s)
{
    return (s->dir[0].flags | s->dir[1].flags) & STREAM_DIR_FLOATS;
}

// The wait for earlier octets is over; what it was for is not what comes next.
static void settle(struct stream *s)
{
    if (stream_floats(s))
        s->gap_deadline_us = 0;
    s->dir[0].flags &= (uint16_t)~STREAM_DIR_FLOATS;
    s->dir[1].flags &= (uint16_t)~STREAM_DIR_FLOATS;
}

bool stream_finished(const struct stream *s, unsigned dir)
{
    return s->dir[dir].flags & STREAM_DIR_FINISHED;
}

// The other side has acknowledged octets of this direction that were not delivered.
static bool lags(const struct stream_dir *d)
{
    return (d->flags & (STREAM_DIR_BEGUN | STREAM_DIR_ACKED | STREAM_DIR_FLOATS)) ==
               (STREAM_DIR_BEGUN | STREAM_DIR_ACKED) &&
           seq_before(d->next, d->acked);
}

// May a segment with this acknowledgement be delivered before more of the other side is?
static bool follows(const struct stream_dir *other, bool has_ack, uint32_t ack)
{
    return !has_ack || !(other->flags & STREAM_DIR_BEGUN) || !seq_before(other->next, ack);
}

static void finish(struct stream_dir *d)
{
    if ((d->flags & STREAM_DIR_FIN) && !(d->flags & STREAM_DIR_FINISHED) && d->next == d->fin) {
        d->flags |= STREAM_DIR_FINISHED;
        d->next++;
    }
}

static void deliver(struct stream *s, unsigned dir, struct span data, uint32_t cut, int64_t t_us,
                    const struct stream_sink *sink)
{
    struct stream_dir *d = &s->dir[dir];
    d->next += (uint32_t)data.len + cut;
    if (data.len > 0)
        sink->data(sink->ctx, dir, data, t_us);
    if (cut > 0)
        sink->gap(sink->ctx, dir, cut, t_us);
    finish(d);
}

// The first block of a direction, whose first octet is due or was overtaken.
static void deliver_head(struct stream *s, struct stream_pool *pool, unsigned dir, int64_t t_us,
                         const struct stream_sink *sink)
{
    struct stream_dir *d = &s->dir[dir];
    struct stream_block *b = stream_unhold(s, pool, dir);
    uint32_t old = d->next - b->seq; // delivered meanwhile
    if (seq_before(d->next, block_end(b))) {
        struct span data = span_cut(span_of(b->octet, b->len), old, b->len);
        uint32_t cut = old > b->len ? block_end(b) - d->next : b->cut;
        deliver(s, dir, data, cut, t_us, sink);
    }
    stream_wipe(b);
}

static bool head_due(const struct stream *s, const struct stream_pool *pool, unsigned dir)
{
    const struct stream_dir *d = &s->dir[dir];
    return d->head && !seq_before(d->next, pool->block[d->head].seq);
}

static bool head_follows(const struct stream *s, const struct stream_pool *pool, unsigned dir)
{
    const struct stream_block *b = &pool->block[s->dir[dir].head];
    return follows(&s->dir[!dir], b->has_ack, b->ack);
}

// Deliver all that is due in both directions. Two heads that wait for each other (a retransmission
// carries a later acknowledgement than the original did): the initiator's goes first.
static void drain(struct stream *s, struct stream_pool *pool, int64_t t_us,
                  const struct stream_sink *sink)
{
    while (!stream_floats(s)) {
        bool due[2] = {head_due(s, pool, 0), head_due(s, pool, 1)};
        if (!due[0] && !due[1])
            return;
        if (due[0] && (head_follows(s, pool, 0) || (due[1] && !head_follows(s, pool, 1))))
            deliver_head(s, pool, 0, t_us, sink);
        else if (due[1] && head_follows(s, pool, 1))
            deliver_head(s, pool, 1, t_us, sink);
        else
            return;
    }
}

static void skip(struct stream *s, unsigned dir, uint32_t to, int64_t t_us,
                 const struct stream_sink *sink)
{
    struct stream_dir *d = &s->dir[dir];
    uint32_t missing = to - d->next;
    // A FIN that was seen stands inside what is skipped: its place is no octet.
    if ((d->flags & STREAM_DIR_FIN) && !seq_before(d->fin, d->next) && seq_before(d->fin, to))
        missing = d->fin - d->next;
    d->next += missing;
    if (missing > 0)
        sink->gap(sink->ctx, dir, missing, t_us);
    finish(d);
}

// A hole that was acknowledged below `to[dir]`; NO_HOLE: none. What waits only for the other side
// has no hole.
#define NO_HOLE 2

static unsigned hole(const struct stream *s, const struct stream_pool *pool,
                     const uint32_t to[static 2])
{
    unsigned dir = 0;
    while (dir < 2 && (!lags(&s->dir[dir]) || !seq_before(s->dir[dir].next, to[dir]) ||
                       head_due(s, pool, dir)))
        dir++;
    return dir;
}

// Give up what is missing below `to[dir]`, in both directions. What waited for it comes behind it.
static void give_up(struct stream *s, struct stream_pool *pool, const uint32_t to[static 2],
                    int64_t t_us, const struct stream_sink *sink)
{
    for (unsigned dir; (dir = hole(s, pool, to)) != NO_HOLE; drain(s, pool, t_us, sink)) {
        struct stream_dir *d = &s->dir[dir];
        uint32_t before = d->next, end = seq_before(d->acked, to[dir]) ? d->acked : to[dir];
        bool held = d->head && seq_before(pool->block[d->head].seq, end);
        skip(s, dir, held ? pool->block[d->head].seq : end, t_us, sink);
        if (d->next == before)
            d->acked = d->next; // more was acknowledged than there will ever be
    }
}

static void give_up_acked(struct stream *s, struct stream_pool *pool, int64_t t_us,
                          const struct stream_sink *sink)
{
    give_up(s, pool, (uint32_t[2]){s->dir[0].acked, s->dir[1].acked}, t_us, sink);
}

// Over its bound a connection gives up what was acknowledged at once, else the first hole in spite of
// all: true, octets are passed over that might have come.
static bool relieve(struct stream *s, struct stream_pool *pool, int64_t t_us,
                    const struct stream_sink *sink)
{
    settle(s);
    drain(s, pool, t_us, sink);
    if (hole(s, pool, (uint32_t[2]){s->dir[0].acked, s->dir[1].acked}) != NO_HOLE) {
        give_up_acked(s, pool, t_us, sink);
        return false;
    }
    unsigned dir = s->dir[0].head ? 0 : 1;
    struct stream_dir *d = &s->dir[dir];
    if (!d->head)
        return false;
    if (!head_due(s, pool, dir))
        skip(s, dir, pool->block[d->head].seq, t_us, sink);
    deliver_head(s, pool, dir, t_us, sink);
    drain(s, pool, t_us, sink);
    return true;
}

static void note_ack(struct stream *s, const struct stream_segment *seg)
{
    struct stream_dir *other = &s->dir[!seg->dir];
    if (!seg->has_ack)
        return;
    if (!(other->flags & STREAM_DIR_BEGUN))
        stream_float(s, !seg->dir, seg->ack, false);
    stream_note_edge(other, seg->ack, seg->window);
}

static void wait(struct stream *s, const struct stream_pool *pool, int64_t t_us)
{
    s->gap_deadline_us = t_us + pool->limits.gap_us * GAP_TIMES;
    s->patience = 0;
}

// Enough time and enough packets have passed.
static bool out_of_patience(const struct stream *s, const struct stream_pool *pool, int64_t t_us)
{
    return s->gap_deadline_us != 0 && s->patience >= STREAM_PATIENCE &&
           t_us >= s->gap_deadline_us - pool->limits.gap_us * (GAP_TIMES - 1);
}

// The wait is for what was acknowledged when it began; once that came, a new wait begins for what is
// missing then. So a mirror that always shows one side late is never taken for one that loses.
static void watch(struct stream *s, const struct stream_pool *pool, int64_t t_us)
{
    if (stream_floats(s)) {
        if (s->gap_deadline_us == 0)
            wait(s, pool, t_us);
        return;
    }
    bool lag = lags(&s->dir[0]) || lags(&s->dir[1]);
    bool waiting = s->gap_deadline_us != 0 && (seq_before(s->dir[0].next, s->dir[0].mark) ||
                                               seq_before(s->dir[1].next, s->dir[1].mark));
    if (!lag) {
        s->gap_deadline_us = 0;
    } else if (!waiting) {
        wait(s, pool, t_us);
        for (unsigned dir = 0; dir < 2; dir++) {
            struct stream_dir *d = &s->dir[dir];
            d->mark = lags(d) ? d->acked : d->next;
        }
    }
}

static void accept(struct stream *s, struct stream_pool *pool, const struct stream_segment *seg,
                   int64_t t_us, const struct stream_sink *sink, struct stream_outcome *out)
{
    struct stream_dir *d = &s->dir[seg->dir];
    uint32_t end = seg->seq + seg->wire;
    if (!seq_before(d->next, end)) {
        // One octet before what is expected is a keep-alive (RFC 9293 section 3.8.4).
        out->verdict = seg->wire == 1 && seg->seq + 1 == d->next ? STREAM_NOTHING : STREAM_OLD;
        return;
    }
    uint32_t seq = seq_before(seg->seq, d->next) ? d->next : seg->seq;
    out->verdict = STREAM_NEW;
    if (seq == d->next && !d->head && !stream_floats(s) &&
        follows(&s->dir[!seg->dir], seg->has_ack, seg->ack)) {
        struct span data = span_cut(seg->data, seq - seg->seq, seg->data.len);
        deliver(s, seg->dir, data, end - seq - (uint32_t)data.len, t_us, sink);
        return;
    }
    uint32_t held = s->held, blocks = s->blocks;
    stream_hold(s, pool, seg, seq, out);
    if (s->held == held && s->blocks == blocks && !out->no_memory)
        out->verdict = STREAM_OLD;
}

bool stream_next_first(struct stream *s, unsigned dir, uint32_t seq, uint32_t wire, uint32_t ack,
                       uint32_t window)
{
    struct stream_dir *d = &s->dir[dir], *other = &s->dir[!dir];
    const uint16_t odd = STREAM_DIR_FIN | STREAM_DIR_FINISHED | STREAM_DIR_FLOATS |
                         STREAM_DIR_BLIND;
    unsigned either = d->flags | other->flags, both = d->flags & other->flags;
    if (!(both & STREAM_DIR_BEGUN) || (either & odd) || s->blocks != 0 || s->gap_deadline_us != 0 ||
        seq_before(other->next, ack))
        return false;
    if (wire > 0 && (seq != d->next || !stream_inside(d, seq + wire)))
        return false;
    d->flags |= (uint16_t)(STREAM_DIR_SEEN | (wire > 0 ? STREAM_DIR_SPOKE : 0));
    d->next += wire;
    stream_note_edge(other, ack, window);
    s->patience++;
    stream_judge(s);
    return true;
}

static void time_out(struct stream *s, struct stream_pool *pool, int64_t t_us,
                     const struct stream_sink *sink)
{
    for (unsigned dir = 0; dir < 2; dir++)
        if (!(s->dir[dir].flags & STREAM_DIR_SEEN))
            s->dir[dir].flags |= STREAM_DIR_BLIND;
    if (stream_floats(s)) {
        settle(s);
        drain(s, pool, t_us, sink);
    } else {
        give_up(s, pool, (uint32_t[2]){s->dir[0].mark, s->dir[1].mark}, t_us, sink);
    }
    s->gap_deadline_us = 0;
    watch(s, pool, t_us);
}

// What is not usual.
static struct stream_outcome feed(struct stream *s, struct stream_pool *pool,
                                  const struct stream_segment *seg, int64_t t_us,
                                  const struct stream_sink *sink)
{
    struct stream_outcome out = {.verdict = STREAM_NOTHING};
    struct stream_dir *d = &s->dir[seg->dir];
    if (seg->wire > 0)
        d->flags |= STREAM_DIR_SPOKE;
    if (!(d->flags & STREAM_DIR_BEGUN))
        stream_float(s, seg->dir, seg->seq, true);
    // Another one that was sent before the first seen; not a keep-alive.
    if ((d->flags & STREAM_DIR_FLOATS) && seg->wire > 1 && seq_before(seg->seq, d->next) &&
        d->next - seg->seq < FLOAT_MAX)
        d->next = seg->seq;
    if ((seg->wire > 0 || seg->fin) && !stream_inside(d, seg->seq + seg->wire)) {
        out.verdict = STREAM_OUTSIDE;
        return out;
    }
    d->flags |= STREAM_DIR_SEEN;
    note_ack(s, seg);
    struct stream_segment used = *seg;
    if (used.fin && !(d->flags & STREAM_DIR_FIN) && !seq_before(used.seq + used.wire, d->next)) {
        d->fin = used.seq + used.wire;
        d->flags |= STREAM_DIR_FIN;
    }
    // Nothing comes behind a FIN.
    if ((d->flags & STREAM_DIR_FIN) && seq_before(d->fin, used.seq + used.wire)) {
        used.wire = seq_before(used.seq, d->fin) ? d->fin - used.seq : 0;
        used.data = span_cut(used.data, 0, used.wire);
    }
    if (used.wire > 0)
        accept(s, pool, &used, t_us, sink, &out);
    finish(d);
    drain(s, pool, t_us, sink);
    const struct stream_dir *other = &s->dir[!seg->dir];
    if ((other->flags & (STREAM_DIR_BLIND | STREAM_DIR_SEEN)) == STREAM_DIR_BLIND && lags(other))
        give_up_acked(s, pool, t_us, sink);
    // When memory runs short nobody waits for what may have been before.
    if (stream_floats(s) && pool->free_count < pool->count / 2) {
        settle(s);
        drain(s, pool, t_us, sink);
    }
    while ((size_t)s->blocks * STREAM_BLOCK > pool->limits.flow_memory)
        out.no_memory |= relieve(s, pool, t_us, sink);
    s->patience++;
    watch(s, pool, t_us);
    if (out_of_patience(s, pool, t_us))
        time_out(s, pool, t_us, sink);
    return out;
}

struct stream_outcome stream_feed(struct stream *s, struct stream_pool *pool,
                                  const struct stream_segment *seg, int64_t t_us,
                                  const struct stream_sink *sink)
{
    assert(seg->dir < 2);
    if (seg->has_ack && !seg->fin && seg->data.len == seg->wire &&
        stream_next(s, seg->dir, seg->seq, seg->wire, seg->ack, seg->window)) {
        if (seg->wire > 0)
            sink->data(sink->ctx, seg->dir, seg->data, t_us);
        return (struct stream_outcome){.verdict = seg->wire > 0 ? STREAM_NEW : STREAM_NOTHING};
    }
    struct stream_outcome out = feed(s, pool, seg, t_us, sink);
    stream_judge(s);
    return out;
}

void stream_timeout(struct stream *s, struct stream_pool *pool, int64_t t_us,
                    const struct stream_sink *sink)
{
    time_out(s, pool, t_us, sink);
    stream_judge(s);
}

void stream_flush(struct stream *s, struct stream_pool *pool, int64_t t_us,
                  const struct stream_sink *sink)
{
    settle(s);
    if (s->blocks == 0 && !lags(&s->dir[0]) && !lags(&s->dir[1])) {
        s->gap_deadline_us = 0;
        stream_judge(s);
        return;
    }
    drain(s, pool, t_us, sink);
    give_up_acked(s, pool, t_us, sink);
    while (s->dir[0].head || s->dir[1].head) {
        // The direction whose head waits for nothing of the other's; else the initiator's.
        unsigned dir = s->dir[0].head && (!s->dir[1].head || head_follows(s, pool, 0) ||
                                          !head_follows(s, pool, 1))
                           ? 0
                           : 1;
        if (!head_due(s, pool, dir))
            skip(s, dir, pool->block[s->dir[dir].head].seq, t_us, sink);
        deliver_head(s, pool, dir, t_us, sink);
        drain(s, pool, t_us, sink);
        give_up_acked(s, pool, t_us, sink);
    }
    watch(s, pool, t_us);
    stream_judge(s);
}
