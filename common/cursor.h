// A bounded reading cursor with a sticky error: read field after field, look at the error once.
//
// Every read past the end sets `failed` and yields zero (or an empty span); all later reads do too.
// Multi-octet integers are big-endian (network order) unless the name says `le`.
#pragma once

#include "common/span.h"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct cursor cursor_of(struct span s)
{
    // An empty span may have no address, and even zero is not to be added to that.
    return (struct cursor){.at = s.data, .end = s.len > 0 ? s.data + s.len : s.data};
}

static inline size_t cursor_left(const struct cursor *c)
{
    return c->failed ? 0 : (size_t)(c->end - c->at);
}

// Borrow `len` octets and step over them.
static inline struct span cursor_take(struct cursor *c, size_t len)
{
    if (cursor_left(c) < len || c->failed) {
        c->failed = true;
        return (struct span){0};
    }
    struct span s = span_of(c->at, len);
    c->at += len;
    return s;
}

static inline bool cursor_skip(struct cursor *c, size_t len)
{
    cursor_take(c, len);
    return !c->failed;
}

// What is left, without stepping.
static inline struct span cursor_rest(const struct cursor *c)
{
    if (c->failed)
        return (struct span){0};
    return span_of(c->at, (size_t)(c->end - c->at));
}

static inline uint64_t cursor_be(struct cursor *c, size_t len)
{
    struct span s = cursor_take(c, len);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++)
        v = v << 8 | s.data[i];
    return v;
}

static inline uint64_t cursor_le(struct cursor *c, size_t len)
{
    struct span s = cursor_take(c, len);
    uint64_t v = 0;
    for (size_t i = s.len; i > 0; i--)
        v = v << 8 | s.data[i - 1];
    return v;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)cursor_be(c, 1);
}

static inline uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)cursor_be(c, 2);
}

static inline uint32_t cursor_u24(struct cursor *c)
{
    return (uint32_t)cursor_be(c, 3);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)cursor_be(c, 4);
}

static inline uint64_t cursor_u64(struct cursor *c)
{
    return cursor_be(c, 8);
}

// Unsigned LEB128, at most ten octets; an overlong or overflowing one fails.
static inline uint64_t cursor_varint(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = cursor_u8(c);
        if (c->failed || (shift == 63 && b > 1))
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    c->failed = true;
    return 0;
}
