// The growing buffer of buf.h: doubles up to its maximum, then refuses and remembers that it did.
#include "common/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

// Room for `len` more octets. A write that does not fit whole is not begun.
static bool reserve(struct buf *b, size_t len)
{
    if (b->failed)
        return false;
    if (len > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + len;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < 32 ? 64 : b->cap > b->max / 2 ? b->max : b->cap * 2;
    if (cap > b->max)
        cap = b->max;
    if (cap < need)
        cap = need;
    uint8_t *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

uint8_t *buf_room(struct buf *b, size_t len)
{
    return reserve(b, len) ? b->data + b->len : NULL;
}

void buf_bytes(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || !reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buf_be(struct buf *b, uint64_t v, size_t len)
{
    assert(len <= 8);
    uint8_t octet[8];
    for (size_t i = len; i > 0; i--) {
        octet[i - 1] = (uint8_t)v;
        v >>= 8;
    }
    buf_bytes(b, octet, len);
}

void buf_varint(struct buf *b, uint64_t v)
{
    uint8_t octet[10];
    size_t n = 0;
    while (v >= 0x80) {
        octet[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    octet[n++] = (uint8_t)v;
    buf_bytes(b, octet, n);
}

void buf_text(struct buf *b, const char *text)
{
    buf_bytes(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (len < 0) {
        b->failed = true;
        return;
    }
    size_t n = (size_t)len;
    if (n < sizeof small) {
        buf_bytes(b, small, n);
        return;
    }
    char *big = b->failed || n > b->max - b->len ? NULL : malloc(n + 1);
    if (!big) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(big, n + 1, fmt, ap);
    va_end(ap);
    buf_bytes(b, big, n);
    free(big);
}

void buf_patch_be(struct buf *b, size_t off, uint64_t v, size_t len)
{
    // After a failed write the place to patch may never have been written.
    if (b->failed)
        return;
    assert(len <= 8 && off <= b->len && len <= b->len - off);
    for (size_t i = len; i > 0; i--) {
        b->data[off + i - 1] = (uint8_t)v;
        v >>= 8;
    }
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len -= len;
    if (b->len > 0)
        memmove(b->data, b->data + len, b->len);
}
