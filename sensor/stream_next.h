// The usual segment of a connection, which nearly every packet is: in a header, because every packet asks for
// it. stream.c has what is not usual.
#pragma once

#include "stream_pool.h"

// Without a known window a segment may lie this far ahead of what was delivered.
#define STREAM_AHEAD_MAX (1u << 24)
// Beyond the offered window: window updates overtake data in mirrors.
#define STREAM_WINDOW_SLACK 65535u

// What the other side acknowledges, and how far the window is open behind it.
static inline void stream_note_edge(struct stream_dir *other, uint32_t ack, uint32_t window)
{
    // An acknowledgement of what cannot have been sent is not believed.
    if (seq_before(other->next + STREAM_AHEAD_MAX, ack))
        return;
    const uint16_t known = STREAM_DIR_ACKED | STREAM_DIR_EDGE;
    uint32_t edge = ack + window;
    if ((other->flags & known) == known) {
        other->acked = seq_before(other->acked, ack) ? ack : other->acked;
        other->edge = seq_before(other->edge, edge) ? edge : other->edge;
        return;
    }
    if (!(other->flags & STREAM_DIR_ACKED) || seq_before(other->acked, ack))
        other->acked = ack;
    if (!(other->flags & STREAM_DIR_EDGE) || seq_before(other->edge, edge))
        other->edge = edge;
    other->flags |= known;
}

// Does what ends at `end` lie in the window? Old data (retransmissions) lies behind `next`.
static inline bool stream_inside(const struct stream_dir *d, uint32_t end)
{
    uint32_t limit = d->flags & STREAM_DIR_EDGE ? d->edge + STREAM_WINDOW_SLACK
                                                : d->next + STREAM_AHEAD_MAX;
    return (int32_t)(end - d->next) <= 0 || !seq_before(limit, end);
}

// Is it between the usual segments: both sides seen and known, nothing held, awaited or closed? Whatever is done to a
// connection in stream.c ends with this.
static inline void stream_judge(struct stream *s)
{
    const uint16_t odd = STREAM_DIR_FIN | STREAM_DIR_FINISHED | STREAM_DIR_FLOATS |
                         STREAM_DIR_BLIND,
                   known = STREAM_DIR_BEGUN | STREAM_DIR_SEEN | STREAM_DIR_ACKED | STREAM_DIR_EDGE;
    unsigned both = s->dir[0].flags & s->dir[1].flags, either = s->dir[0].flags | s->dir[1].flags;
    bool plain = (both & known) == known && !(either & odd) && s->blocks == 0 &&
                 s->gap_deadline_us == 0;
    for (unsigned dir = 0; dir < 2; dir++)
        s->dir[dir].flags = (uint16_t)((s->dir[dir].flags & ~(unsigned)STREAM_DIR_PLAIN) |
                                       (plain ? (unsigned)STREAM_DIR_PLAIN : 0));
}

// The same as stream_next where not all is known yet.
bool stream_next_first(struct stream *s, unsigned dir, uint32_t seq, uint32_t wire, uint32_t ack,
                       uint32_t window);

// A segment without FIN, captured whole, that acknowledges `ack` and offers `window`; nothing is held, floats, is
// awaited or closed, and it brings the next octets or none, behind all it acknowledges. True: it was
// dealt with as stream_feed would have, but that its octets are still to be handed out. False: nothing
// was changed.
static inline bool stream_next(struct stream *s, unsigned dir, uint32_t seq, uint32_t wire,
                               uint32_t ack, uint32_t window)
{
    struct stream_dir *d = &s->dir[dir], *other = &s->dir[!dir];
    uint32_t end = seq + wire, edge = ack + window;
    if (!(d->flags & STREAM_DIR_PLAIN))
        return stream_next_first(s, dir, seq, wire, ack, window);
    if (seq_before(other->next, ack))
        return false;
    if (wire > 0) {
        if (seq != d->next || seq_before(d->edge + STREAM_WINDOW_SLACK, end))
            return false;
        d->next = end;
        d->flags |= STREAM_DIR_SPOKE;
    }
    other->acked = seq_before(other->acked, ack) ? ack : other->acked;
    other->edge = seq_before(other->edge, edge) ? edge : other->edge;
    return true;
}
