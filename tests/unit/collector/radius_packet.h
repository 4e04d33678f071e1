// Accounting packets for tests, made octet by octet and signed as a client signs.
#pragma once

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "radius.h"

struct radius_packet {
    uint8_t octet[RADIUS_PACKET_MAX];
    size_t len;
};

static inline void packet_put(struct radius_packet *p, uint8_t type, const void *value, size_t len)
{
    p->octet[p->len++] = type;
    p->octet[p->len++] = (uint8_t)(len + 2);
    memcpy(p->octet + p->len, value, len);
    p->len += len;
}

static inline void packet_text(struct radius_packet *p, uint8_t type, const char *text)
{
    packet_put(p, type, text, strlen(text));
}

static inline void packet_number(struct radius_packet *p, uint8_t type, uint32_t n)
{
    uint8_t v[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    packet_put(p, type, v, 4);
}

// Begins an Accounting-Request of this status (40), NAS-Identifier (32), session id (44).
static inline struct radius_packet packet_begin(uint8_t id, uint32_t status, const char *nas,
                                                const char *session)
{
    struct radius_packet p = {.octet = {4, id}, .len = RADIUS_HEADER};
    packet_number(&p, 40, status);
    packet_text(&p, 32, nas);
    if (session)
        packet_text(&p, 44, session);
    return p;
}

static inline struct span packet_sign(struct radius_packet *p, const char *secret)
{
    p->octet[2] = (uint8_t)(p->len >> 8);
    p->octet[3] = (uint8_t)p->len;
    memset(p->octet + 4, 0, 16);
    uint8_t sum[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md, EVP_md5(), NULL);
    EVP_DigestUpdate(md, p->octet, p->len);
    EVP_DigestUpdate(md, secret, strlen(secret));
    EVP_DigestFinal_ex(md, sum, NULL);
    EVP_MD_CTX_free(md);
    memcpy(p->octet + 4, sum, 16);
    return span_of(p->octet, p->len);
}
