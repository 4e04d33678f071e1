// A growing output buffer that names its maximum. One sticky error, as in cursor.h: write field
// after field, look at `failed` once. Integers are big-endian unless the name says otherwise.
#pragma once

#include "common/span.h"

struct buf {
    uint8_t *data; // owned
    size_t len;
    size_t cap;
    size_t max;
    bool failed; // out of memory, or `max` reached; what was written before stays valid
};

// `max` octets at most will ever be held. Allocates nothing yet.
void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);

// Forget the content (and the error), keep the memory.
void buf_clear(struct buf *b);

void buf_bytes(struct buf *b, const void *data, size_t len);
void buf_be(struct buf *b, uint64_t v, size_t len);
void buf_varint(struct buf *b, uint64_t v);
void buf_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Where up to `len` more octets may be written; the caller adds to `len` of the buffer what it wrote. NULL: failed.
uint8_t *buf_room(struct buf *b, size_t len);

// Overwrite `len` octets at `off`, which must lie inside what was written (a length written late).
void buf_patch_be(struct buf *b, size_t off, uint64_t v, size_t len);

// Drop the first `len` octets.
void buf_consume(struct buf *b, size_t len);

static inline struct span buf_span(const struct buf *b)
{
    return span_of(b->data, b->len);
}
