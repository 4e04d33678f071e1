// See base64.h.
#include "proto/base64.h"

static int value_of(uint8_t o)
{
    if (o >= 'A' && o <= 'Z')
        return o - 'A';
    if (o >= 'a' && o <= 'z')
        return o - 'a' + 26;
    if (o >= '0' && o <= '9')
        return o - '0' + 52;
    return o == '+' ? 62 : o == '/' ? 63 : -1;
}

size_t base64_decode(struct span text, uint8_t *out, size_t max)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < max; i++) {
        int v = value_of(text.data[i]);
        if (v < 0)
            break;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (uint8_t)(bits >> have);
        }
    }
    return len;
}
