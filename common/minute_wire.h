// What the encodings of minutes and journal entries share: signed numbers, bounded numbers, texts. Used
// by minute_codec.c, minute_digest.c and journal_entry.c only.
#pragma once

#include <assert.h>

#include "common/minute.h"

// Zigzag: small negative numbers stay short.
static inline void wire_put_signed(struct buf *out, int64_t v)
{
    buf_varint(out, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
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

void minute_digests_encode(const struct minute_row *r, struct buf *out);
int minute_digests_decode(struct cursor *c, struct minute_row *r); // -ENOMEM; broken: `c` fails
