// Is a text fit to be stored and shown: UTF-8 (RFC 3629) without control characters?
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Octets of the character at `s` (1-4), 0 when it is none: overlong, surrogate, cut, out of range.
static inline size_t utf8_character(const char *s)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *p = (const uint8_t *)s;
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
    if (n == 0 || p[0] > 0xf4)
        return 0;
    uint32_t v = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) { // a NUL is no continuation: never past the end
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3fu);
    }
    return v >= least[n] && v <= 0x10ffff && !(v >= 0xd800 && v <= 0xdfff) ? n : 0;
}

static inline bool utf8_is_clean(const char *s)
{
    while (*s) {
        size_t n = utf8_character(s);
        bool control = (uint8_t)*s < 0x20 || *s == 0x7f ||
                       (n == 2 && (uint8_t)s[0] == 0xc2 && (uint8_t)s[1] < 0xa0);
        if (n == 0 || control)
            return false;
        s += n;
    }
    return true;
}
