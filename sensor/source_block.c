// Reads into a buffer that stays in a second-level cache; frames are handed out where they lie.
//
// What is read goes to where it stands in its page of the file: to copy a page to a place a few octets behind
// its own takes some processors four times as long (80 and 300 ns a packet were measured).
#include "source_block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE   (256u << 10)
#define RECORD_HEAD 16
// The longest frame that is taken: libpcap's own maximum for most links.
#define FRAME_MAX 262144u
#define PAGE      4096u
// Room for what is left of a block in front of the next; whole pages.
#define REST_MAX (FRAME_MAX + PAGE)

struct source_block {
    int fd;
    bool nanoseconds;
    uint32_t longest;
    int linktype;
    uint64_t offset; // in the file, of octet[at]
    size_t at, end;  // in `octet`: what is not handed out yet
    _Alignas(PAGE) uint8_t octet[REST_MAX + READ_SIZE];
};

_Static_assert(REST_MAX % PAGE == 0 && REST_MAX >= FRAME_MAX + RECORD_HEAD, "a rest fits");

static uint32_t word(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

bool source_block_fits(const uint8_t header[static 24], bool *nanoseconds)
{
    uint16_t version[2];
    memcpy(version, header + 4, sizeof version);
    *nanoseconds = word(header) == 0xa1b23c4d;
    return (word(header) == 0xa1b2c3d4 || *nanoseconds) && version[0] == 2 && version[1] == 4;
}

struct source_block *source_block_new(int fd, uint64_t offset, bool nanoseconds, uint32_t snaplen,
                                      int linktype)
{
    struct source_block *b = aligned_alloc(_Alignof(struct source_block), sizeof *b);
    if (!b)
        return NULL;
    b->fd = fd;
    b->nanoseconds = nanoseconds;
    b->longest = snaplen < FRAME_MAX ? snaplen : FRAME_MAX;
    b->linktype = linktype;
    b->offset = offset;
    b->at = b->end = REST_MAX;
    return b;
}

void source_block_free(struct source_block *b)
{
    free(b);
}

uint64_t source_block_offset(const struct source_block *b)
{
    return b->offset;
}

uint64_t source_block_seen(const struct source_block *b)
{
    return b->offset + (b->end - b->at);
}

// More octets behind what is left. False: there are none.
static bool fill(struct source_block *b)
{
    size_t rest = b->end - b->at;
    uint64_t offset = source_block_seen(b);
    size_t to = REST_MAX + offset % PAGE;
    memmove(b->octet + to - rest, b->octet + b->at, rest);
    b->at = to - rest;
    b->end = to;
    ssize_t n;
    do
        n = pread(b->fd, b->octet + to, sizeof b->octet - to, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    b->end += (size_t)n;
    return true;
}

// The record that begins at `p`, of which `left` octets are here, when it is whole: its length with its header.
// 0: not whole, or not plain.
static inline size_t record(const uint8_t *p, size_t left, uint32_t longest, bool nanoseconds,
                            struct source_frame *out)
{
    if (left < RECORD_HEAD)
        return 0;
    uint32_t seconds = word(p), part = word(p + 4), cap = word(p + 8), len = word(p + 12);
    if (cap > longest || left - RECORD_HEAD < cap || seconds > INT32_MAX ||
        part >= (nanoseconds ? 1000000000u : 1000000u))
        return 0;
    out->t_us = (int64_t)seconds * 1000000 + (nanoseconds ? part / 1000 : part);
    out->data = span_of(p + RECORD_HEAD, cap);
    out->wire = len < cap ? cap : len;
    return RECORD_HEAD + cap;
}

// Records from `at` on until one is not whole; returns where that begins.
static inline __attribute__((always_inline)) size_t records(const struct source_block *b,
                                                            bool nanoseconds,
                                                            struct source_frame *out, size_t max,
                                                            size_t *count)
{
    const uint8_t *p = b->octet + b->at, *end = b->octet + b->end;
    const uint32_t longest = b->longest;
    const int linktype = b->linktype;
    size_t n = 0, size;
    while (n < max && (size = record(p, (size_t)(end - p), longest, nanoseconds, &out[n])) != 0) {
        out[n++].linktype = linktype;
        p += size;
        // The next header is met again in a moment, and so are its frame's.
        __builtin_prefetch(p);
        __builtin_prefetch(p + 64);
    }
    *count = n;
    return (size_t)(p - b->octet);
}

size_t source_block_next(struct source_block *b, struct source_frame *out, size_t max)
{
    for (;;) {
        size_t n,
            at = b->nanoseconds ? records(b, true, out, max, &n) : records(b, false, out, max, &n);
        b->offset += at - b->at;
        b->at = at;
        // What was handed out already lies in the buffer: it must not move.
        if (n > 0 || max == 0 || b->end - b->at >= FRAME_MAX + RECORD_HEAD || !fill(b))
            return n;
    }
}
