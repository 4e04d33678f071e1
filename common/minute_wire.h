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

void minute_digests_encode(const struct minute_row *r, struct buf *out);
int minute_digests_decode(struct cursor *c, struct minute_row *r); // -ENOMEM; broken: `c` fails
