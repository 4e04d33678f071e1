// What the encodings of minutes and journal entries share: signed numbers, bounded numbers, texts, and the
// hashes of a row, which stand in a stream of their own. Used by minute_codec.c, minute_digest.c, minute_sets.c,
// minute_hashes.c and journal_entry.c only.
#pragma once

#include <assert.h>

#include "common/minute.h"

// Zigzag: small negative numbers stay short.
static inline uint64_t wire_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline void wire_put_signed(struct buf *out, int64_t v)
{
    buf_varint(out, wire_zigzag(v));
}

static inline int64_t wire_get_signed(struct cursor *c)
{
    uint64_t v = cursor_varint(c);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline uint64_t wire_get_at_most(struct cursor *c, uint64_t max)
{
    uint64_t v = cursor_varint(c);
    if (v > max)
        c->failed = true;
    return c->failed ? 0 : v;
}

// A length octet and the text.
static inline void wire_put_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    assert(len < 256);
    buf_be(out, len, 1);
    buf_bytes(out, text, len);
}

// Into `size` octets, rest zeroed; control characters and what does not fit fail.
static inline void wire_get_text(struct cursor *c, char *out, size_t size)
{
    struct span s = cursor_take(c, cursor_u8(c));
    if (s.len >= size)
        c->failed = true;
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < 0x20 || s.data[i] == 0x7f)
            c->failed = true;
    if (c->failed)
        return;
    memset(out, 0, size);
    if (s.len > 0)
        memcpy(out, s.data, s.len);
}

// A length in front of what is written behind it: begin, write, end.
static inline size_t wire_begin(struct buf *out)
{
    buf_be(out, 0, 1);
    return out->len;
}

// Most are short: one octet was kept for the length, and what is longer moves.
static inline void wire_end(struct buf *out, size_t body)
{
    uint64_t len = out->len - body;
    unsigned more = 0;
    for (uint64_t left = len >> 7; left > 0; left >>= 7)
        more++;
    buf_be(out, 0, more);
    if (out->failed)
        return;
    memmove(out->data + body + more, out->data + body, len);
    uint8_t *at = out->data + body - 1;
    for (unsigned i = 0; i < more; i++, len >>= 7)
        *at++ = (uint8_t)(len | 0x80);
    *at = (uint8_t)len;
}

// What such a length spans.
static inline struct cursor wire_get_span(struct cursor *c)
{
    uint64_t len = cursor_varint(c);
    if (len > cursor_left(c))
        c->failed = true;
    struct span s = cursor_take(c, c->failed ? 0 : len);
    return cursor_of(s);
}

// ---- Writing into room that was made before: a row is some hundred numbers

static inline uint8_t *wire_u8(uint8_t *at, unsigned v)
{
    *at = (uint8_t)v;
    return at + 1;
}

static inline uint8_t *wire_u16(uint8_t *at, unsigned v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
    return at + 2;
}

static inline uint8_t *wire_u32(uint8_t *at, uint32_t v)
{
    return wire_u16(wire_u16(at, v >> 16), v & 0xffff);
}

static inline uint8_t *wire_u64(uint8_t *at, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(at, &v, sizeof v);
    return at + sizeof v;
}

static inline uint8_t *wire_varint(uint8_t *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (uint8_t)(v | 0x80);
    *at++ = (uint8_t)v;
    return at;
}

static inline uint8_t *wire_signed(uint8_t *at, int64_t v)
{
    return wire_varint(at, wire_zigzag(v));
}

static inline uint8_t *wire_octets(uint8_t *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static inline uint8_t *wire_text(uint8_t *at, const char *text)
{
    size_t len = strlen(text);
    assert(len < 256);
    return wire_octets(wire_u8(at, (unsigned)len), text, len);
}

// The length of what stands from `body` to `at`, into the one octet kept in front of it, or more.
static inline uint8_t *wire_length(uint8_t *body, uint8_t *at)
{
    uint64_t len = (uint64_t)(at - body);
    if (len < 0x80) {
        body[-1] = (uint8_t)len;
        return at;
    }
    unsigned more = 0;
    for (uint64_t left = len >> 7; left > 0; left >>= 7)
        more++;
    memmove(body + more, body, len);
    wire_varint(body - 1, len);
    return at + more;
}

// ---- Hashes of rows (minute_hashes.c)

#define WIRE_HASH_MAX 10 // octets of one among the numbers

// A new row begins: what it says of its own values counts from here.
void minute_hashes_row(struct minute_hashes *h);
bool minute_hashes_failed(const struct minute_hashes *h); // since it was cleared
// A value that hardly ever comes again.
void minute_hashes_single(struct minute_hashes *h, uint64_t value);
// One that rows to come may say again, and none before has said.
void minute_hashes_first(struct minute_hashes *h, uint64_t value);
// One that may: writes at `at` where it stands, WIRE_HASH_MAX octets at most.
uint8_t *minute_hashes_put(struct minute_hashes *h, uint8_t *at, uint64_t value);
// One that the reader can tell from what was said.
void minute_hashes_imply(struct minute_hashes *h, uint64_t value);

#define HASHES_SAID 64 // of a row, grows

struct minute_source { // of one row that is read
    uint8_t version;
    struct span all;  // the stream
    size_t next, end; // values of it that are this row's
    uint64_t *said;   // owned
    size_t count, cap;
    bool no_memory;
};

uint64_t minute_source_single(struct minute_source *s, struct cursor *c);
uint64_t minute_source_get(struct minute_source *s, struct cursor *c);
void minute_source_imply(struct minute_source *s, struct cursor *c, uint64_t value);

// ---- Parts of a row

#define DIGEST_ROOM 192 // octets of one at most
uint8_t *minute_digests_put(const struct minute_row *r, uint8_t *at, struct minute_hashes *h);
int minute_digests_decode(struct cursor *c, struct minute_row *r,
                          struct minute_source *s); // -ENOMEM; broken: `c` fails

size_t minute_sets_room(const struct minute_row *r);
uint8_t *minute_sets_put(const struct minute_row *r, uint8_t *at, struct minute_hashes *h);
void minute_sets_decode(struct cursor *c, struct minute_row *r, struct minute_source *s,
                        struct distinct_budget *budget);
