// Words are worked off from the last to the first: each is put before what is there.
#include "recipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *before(struct recipe *r, uint32_t n)
{
    assert((size_t)(r->at - r->room) >= n);
    r->at -= n;
    r->len += n;
    memset(r->at, 0, n);
    return r->at;
}

static void set16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void ip4(struct recipe *r, uint8_t protocol, const uint8_t addresses[static 8])
{
    uint8_t *h = before(r, 20);
    h[0] = 0x45;
    set16(h + 2, r->len);
    h[8] = 64;
    h[9] = protocol;
    memcpy(h + 12, addresses, 8);
}

static void ip6(struct recipe *r, uint8_t protocol, uint8_t last)
{
    static const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};
    uint32_t payload = r->len;
    uint8_t *h = before(r, 40);
    h[0] = 0x60;
    set16(h + 4, payload);
    h[6] = protocol;
    h[7] = 64;
    memcpy(h + 8, prefix, 4);
    memcpy(h + 24, prefix, 4);
    h[23] = last;
    h[39] = (uint8_t)(last + 1);
}

static void tcp(struct recipe *r)
{
    memcpy(before(r, 3), "abc", 3);
    uint8_t *h = before(r, 20);
    set16(h, 40000);
    set16(h + 2, 25);
    h[7] = 1;
    h[12] = 0x50;
    h[13] = 0x18;
    set16(h + 14, 1000);
}

static void hex(struct recipe *r, const char *digits)
{
    size_t n = strlen(digits) / 2;
    uint8_t *h = before(r, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1], 0};
        h[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static void word(struct recipe *r, const char *w)
{
    static const uint8_t inner[8] = {192, 0, 2, 1, 198, 51, 100, 2};
    static const uint8_t outer[8] = {203, 0, 113, 1, 203, 0, 113, 2};
    const char *colon = strchr(w, ':'), *arg = colon ? colon + 1 : "";
    uint32_t number = (uint32_t)strtoul(arg, NULL, 10), payload = r->len;
    if (strcmp(w, "v4") == 0) {
        tcp(r);
        ip4(r, 6, inner);
    } else if (strcmp(w, "v6") == 0) {
        tcp(r);
        ip6(r, 6, 1);
    } else if (strncmp(w, "eth:", 4) == 0) {
        uint8_t *h = before(r, 14);
        h[0] = h[6] = 2;
        h[5] = 1;
        h[11] = 2;
        set16(h + 12, (uint32_t)strtoul(arg, NULL, 16));
    } else if (strncmp(w, "ip4:", 4) == 0) {
        ip4(r, (uint8_t)number, outer);
    } else if (strncmp(w, "ip6:", 4) == 0) {
        ip6(r, (uint8_t)number, 9);
    } else if (strncmp(w, "udp:", 4) == 0) {
        uint8_t *h = before(r, 8);
        set16(h, 50000);
        set16(h + 2, number);
        set16(h + 4, payload + 8);
    } else if (strncmp(w, "pppoe:", 6) == 0) {
        uint8_t *h = before(r, 6);
        h[0] = 0x11;
        set16(h + 2, number);
        set16(h + 4, payload);
    } else if (strcmp(w, "gtp") == 0 || strncmp(w, "gtp:", 4) == 0) {
        uint8_t *h = before(r, 8);
        h[0] = 0x30;
        h[1] = 255;
        set16(h + 2, payload);
        h[7] = colon ? (uint8_t)number : 7;
    } else if (strcmp(w, "eoip") == 0) {
        uint8_t *h = before(r, 8);
        set16(h, 0x2001);
        set16(h + 2, 0x6400);
        set16(h + 4, payload);
    } else if (strcmp(w, "pptp") == 0) {
        uint8_t *h = before(r, 12);
        set16(h, 0x3001);
        set16(h + 2, 0x880b);
        set16(h + 4, payload);
        set16(h + 6, 77);
    } else {
        assert(strncmp(w, "x:", 2) == 0);
        hex(r, arg);
    }
}

void recipe_make(struct recipe *r, const char *words)
{
    char copy[512], *last;
    size_t len = strlen(words);
    assert(len < sizeof copy);
    memcpy(copy, words, len + 1);
    r->at = r->room + sizeof r->room;
    r->len = 0;
    while ((last = strrchr(copy, ' '))) {
        word(r, last + 1);
        *last = '\0';
    }
    word(r, copy);
}
