// Octets of the options; order and padding follow what Linux and Windows send.
#include "tcp_options.h"

enum { OPT_NOP = 1, OPT_MSS = 2, OPT_SCALE = 3, OPT_SACK_OK = 4, OPT_SACK = 5, OPT_TIME = 8 };

static size_t put(uint8_t *out, size_t at, const uint8_t *data, size_t len)
{
    memcpy(out + at, data, len);
    return at + len;
}

static size_t put32(uint8_t *out, size_t at, uint32_t v)
{
    return put(
        out, at,
        (const uint8_t[4]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v},
        4);
}

static size_t put_time(uint8_t *out, size_t at, const struct tcp_offer *o)
{
    at = put(out, at, (const uint8_t[2]){OPT_TIME, 10}, 2);
    at = put32(out, at, o->ts_now);
    return put32(out, at, o->ts_echo);
}

size_t tcp_options_syn(uint8_t out[static TCP_OPTIONS_MAX], const struct tcp_offer *o)
{
    size_t n = put(out, 0, (const uint8_t[4]){OPT_MSS, 4, (uint8_t)(o->mss >> 8), (uint8_t)o->mss},
                   4);
    if (o->timestamps) { // Linux: SACK permitted, timestamps, no-op, window scale
        const uint8_t filler = OPT_NOP;
        if (o->sack)
            n = put(out, n, (const uint8_t[2]){OPT_SACK_OK, 2}, 2);
        else
            n = put(out, n, (const uint8_t[2]){filler, filler}, 2);
        n = put_time(out, n, o);
        if (o->window_scale)
            n = put(out, n, (const uint8_t[4]){OPT_NOP, OPT_SCALE, 3, o->window_scale}, 4);
        return n;
    }
    if (o->window_scale)
        n = put(out, n, (const uint8_t[4]){OPT_NOP, OPT_SCALE, 3, o->window_scale}, 4);
    if (o->sack)
        n = put(out, n, (const uint8_t[4]){OPT_NOP, OPT_NOP, OPT_SACK_OK, 2}, 4);
    return n;
}

size_t tcp_options_segment(uint8_t out[static TCP_OPTIONS_MAX], const struct tcp_offer *o,
                           const struct tcp_sack *sack)
{
    size_t n = 0;
    if (o->timestamps) {
        n = put(out, n, (const uint8_t[2]){OPT_NOP, OPT_NOP}, 2);
        n = put_time(out, n, o);
    }
    if (sack && o->sack) {
        n = put(out, n, (const uint8_t[4]){OPT_NOP, OPT_NOP, OPT_SACK, 10}, 4);
        n = put32(out, n, sack->left);
        n = put32(out, n, sack->right);
    }
    return n;
}
