// Bounded TCP reassembly of one connection: both directions, in order, each octet once, with gaps as
// explicit events, and across the two directions in an order that makes sense: what acknowledges
// the other side's octets comes after them.
//
// Held segments stand in blocks of a fixed pool shared by all connections. The first octets win
// where segments overlap; differing ones count as conflicts. A hole becomes a gap (the mirror lost it)
// when the other side has acknowledged it and it has not come within `gap_us` and STREAM_PATIENCE
// further packets, or within ten times that however few packets came; when a bound of memory is
// reached; or at the close. What the sender will send again is waited for.
#pragma once

#include "common/span.h"

#define STREAM_BLOCK    512 // octets in a block
#define STREAM_PATIENCE 16

// ---- The pool.

struct stream_pool;

struct stream_limits {
    size_t memory;        // octets of all blocks
    uint32_t flow_memory; // octets one connection may hold
    int64_t gap_us;       // how long acknowledged octets are waited for, see above
};

struct stream_pool *stream_pool_new(const struct stream_limits *limits); // NULL: out of memory
void stream_pool_free(struct stream_pool *p);
size_t stream_pool_in_use(const struct stream_pool *p); // blocks
size_t stream_pool_size(const struct stream_pool *p);

// ---- A connection.
//
// Joined in the middle, a direction floats: where it begins is not known, and the first segment seen
// need not be the first sent. It is held for a moment (`gap_us`), then begins at the lowest sequence
// number that came; a SYN that the mirror shows late settles it at once.

enum stream_dir_flags {
    STREAM_DIR_BEGUN = 1 << 0,    // `next` is known
    STREAM_DIR_SEEN = 1 << 1,     // a segment of this direction was seen
    STREAM_DIR_ACKED = 1 << 2,    // `acked` is known
    STREAM_DIR_EDGE = 1 << 3,     // `edge` is known
    STREAM_DIR_FIN = 1 << 4,      // `fin` is known
    STREAM_DIR_FINISHED = 1 << 5, // delivered up to and with the FIN
    STREAM_DIR_FLOATS = 1 << 6,   // `next` is the lowest number seen so far
    STREAM_DIR_BLIND =
        1 << 7, // was waited for once in vain: the mirror does not show this direction
    STREAM_DIR_SPOKE = 1 << 8, // brought octets since stream_hush
    STREAM_DIR_PLAIN = 1 << 9, // of both: all is as it usually is, see stream_next.h
};

struct stream_dir {
    uint32_t next;       // sequence number of the next octet to deliver
    uint32_t acked;      // highest acknowledgement of the other side
    uint32_t mark;       // `acked` when the wait for what is missing began
    uint32_t edge;       // right edge of the widest window the other side has offered
    uint32_t fin;        // sequence number of the FIN
    uint32_t head, tail; // held blocks, by sequence number; 0: none
    uint16_t flags;      // enum stream_dir_flags
};

struct stream {
    struct stream_dir dir[2]; // initiator, responder
    int64_t gap_deadline_us;  // 0: nothing is waited for
    uint32_t held;            // octets in blocks
    uint32_t blocks;
    uint32_t patience; // packets since the wait began
};

// One TCP segment (or a bare acknowledgement: `wire` 0).
struct stream_segment {
    unsigned dir; // of its sender: 0 initiator, 1 responder
    uint32_t seq;
    uint32_t ack;
    bool has_ack;
    bool fin;
    uint32_t window;  // offered, scaled; used when has_ack
    struct span data; // captured part
    uint32_t wire;    // octets it had; more than data.len: cut by the snap length
};

// Where the octets go. `data` is borrowed.
struct stream_sink {
    void (*data)(void *ctx, unsigned dir, struct span data, int64_t t_us);
    void (*gap)(void *ctx, unsigned dir, uint32_t missing, int64_t t_us);
    void *ctx;
};

enum stream_verdict {
    STREAM_NEW,     // brought octets not seen before
    STREAM_OLD,     // all of it was there: a retransmission
    STREAM_NOTHING, // no octets: acknowledgement, keep-alive
    STREAM_OUTSIDE, // outside the window: not used
};

struct stream_outcome {
    uint8_t verdict; // enum stream_verdict
    bool conflict;   // overlapped with different octets
    bool no_memory;  // octets were passed over
    uint32_t unheld; // octets of this segment that found no block
};

// Where a direction begins: the sequence number of its first octet. `seen`: the mirror shows packets
// of this side, so that what the other side acknowledges is worth waiting for. Without effect on a
// direction that has begun and does not float.
void stream_begin(struct stream *s, unsigned dir, uint32_t seq, bool seen);
// It begins somewhere about here.
void stream_float(struct stream *s, unsigned dir, uint32_t seq, bool seen);
// Its FIN was shown before its first octet was: the place of the FIN.
void stream_end(struct stream *s, unsigned dir, uint32_t fin);
// Has a segment with octets come since the last stream_hush?
bool stream_spoke(const struct stream *s);
void stream_hush(struct stream *s);
// Nothing has been delivered yet, since a direction floats.
bool stream_floats(const struct stream *s);

struct stream_outcome stream_feed(struct stream *s, struct stream_pool *pool,
                                  const struct stream_segment *seg, int64_t t_us,
                                  const struct stream_sink *sink);
// At or after gap_deadline_us: what is acknowledged and still missing is given up.
void stream_timeout(struct stream *s, struct stream_pool *pool, int64_t t_us,
                    const struct stream_sink *sink);
// At the close: all that is held is delivered, holes as gaps.
void stream_flush(struct stream *s, struct stream_pool *pool, int64_t t_us,
                  const struct stream_sink *sink);
// Gives the blocks back, delivers nothing.
void stream_drop(struct stream *s, struct stream_pool *pool);
// Everything up to this direction's FIN was delivered.
bool stream_finished(const struct stream *s, unsigned dir);
