// A borrowed run of octets. It owns nothing and does not outlive the call it is passed to.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
    const uint8_t *data;
    size_t len;
};

static inline struct span span_of(const void *data, size_t len)
{
    return (struct span){.data = data, .len = len};
}

static inline struct span span_of_text(const char *text)
{
    return span_of(text, strlen(text));
}

// The part of `s` from `off` on, at most `len` octets; empty when `off` lies behind the end.
static inline struct span span_cut(struct span s, size_t off, size_t len)
{
    if (off > s.len)
        return (struct span){0};
    if (off > 0) // an empty span may have no data to count from
        s.data += off;
    s.len -= off;
    if (s.len > len)
        s.len = len;
    return s;
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

// ASCII case ignored.
static inline bool span_equal_text(struct span a, const char *text)
{
    return a.len == strlen(text) &&
           (a.len == 0 || strncasecmp((const char *)a.data, text, a.len) == 0);
}

// True when `s` begins with `text`, ASCII case ignored.
static inline bool span_begins(struct span s, const char *text)
{
    size_t n = strlen(text);
    return s.len >= n && (n == 0 || strncasecmp((const char *)s.data, text, n) == 0);
}
