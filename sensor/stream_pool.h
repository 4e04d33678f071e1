// The blocks of held segments: stream_pool.c owns them, stream.c and stream_hold.c link them.
#pragma once

#include <string.h>

#include "stream.h"

struct stream_block {
    uint32_t next; // 0: last
    uint32_t seq;
    uint32_t ack; // of the segment; causal order
    uint16_t len;
    uint8_t has_ack;
    uint8_t zero;
    uint32_t cut; // octets behind `len` that the snap length cut off
    uint8_t octet[STREAM_BLOCK];
};

struct stream_pool {
    struct stream_block *block; // [0] is not used
    uint32_t *free;
    size_t count, free_count;
    struct stream_limits limits;
};

// Sequence numbers compare modulo 2^32 (RFC 9293 section 3.4).
static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline uint32_t block_end(const struct stream_block *b)
{
    return b->seq + b->len + b->cut;
}

// Put the part of a segment from `seq` on that is not there yet into blocks. The segment lies at or
// behind the direction's `next`.
void stream_hold(struct stream *s, struct stream_pool *pool, const struct stream_segment *seg,
                 uint32_t seq, struct stream_outcome *out);
// Nothing of a dialogue stays in a free block.
static inline void stream_wipe(struct stream_block *b)
{
    memset(b->octet, 0, b->len);
}

// Take the first block out; it stays readable until the next stream_hold. The caller wipes it.
struct stream_block *stream_unhold(struct stream *s, struct stream_pool *pool, unsigned dir);
