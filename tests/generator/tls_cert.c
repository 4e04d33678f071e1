// X.509 certificates in DER with everything in its place and nothing true in it.
#include <stdio.h>

#include "tls.h"

// DER is written back to front: content first, then its head before it.
struct der {
    uint8_t octet[TLS_CERT_MAX];
    size_t at; // of the first octet written
};

static void before(struct der *d, const void *data, size_t len)
{
    if (len > d->at)
        return; // names are bounded far below
    d->at -= len;
    memcpy(d->octet + d->at, data, len);
}

static void head(struct der *d, uint8_t tag, size_t end)
{
    size_t len = end - d->at;
    uint8_t h[4] = {tag};
    size_t n = 2;
    if (len < 128) {
        h[1] = (uint8_t)len;
    } else if (len < 256) {
        h[1] = 0x81;
        h[n++] = (uint8_t)len;
    } else {
        h[1] = 0x82;
        h[n++] = (uint8_t)(len >> 8);
        h[n++] = (uint8_t)len;
    }
    before(d, h, n);
}

static void value(struct der *d, uint8_t tag, const void *data, size_t len)
{
    size_t end = d->at;
    before(d, data, len);
    head(d, tag, end);
}

static void random_bits(struct der *d, struct rng *r, size_t len, uint8_t first)
{
    uint8_t bits[300] = {0, first};
    rng_bytes(r, bits + 2, len - 1);
    value(d, 3, bits, len + 1);
}

static void algorithm(struct der *d) // sha256WithRSAEncryption
{
    static const uint8_t rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
    before(d, rsa, sizeof rsa);
}

static void common_name(struct der *d, const char *name)
{
    static const uint8_t oid[] = {0x06, 0x03, 0x55, 0x04, 0x03};
    size_t end = d->at;
    value(d, 12, name, strlen(name));
    before(d, oid, sizeof oid);
    head(d, 0x30, end);
    head(d, 0x31, end);
    head(d, 0x30, end);
}

static void subject_alt_name(struct der *d, const char *name)
{
    static const uint8_t oid[] = {0x06, 0x03, 0x55, 0x1d, 0x11};
    size_t end = d->at;
    value(d, 0x82, name, strlen(name));
    head(d, 0x30, end);
    head(d, 4, end);
    before(d, oid, sizeof oid);
    head(d, 0x30, end);
    head(d, 0x30, end);
    head(d, 0xa3, end);
}

static void public_key(struct der *d, struct rng *r) // P-256
{
    static const uint8_t kind[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                   0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    size_t end = d->at;
    random_bits(d, r, 65, 4);
    before(d, kind, sizeof kind);
    head(d, 0x30, end);
}

static void to_be_signed(struct der *d, struct rng *r, const char *name)
{
    size_t end = d->at;
    subject_alt_name(d, name);
    public_key(d, r);
    common_name(d, name);
    size_t validity = d->at;
    value(d, 23, "270601000000Z", 13);
    value(d, 23, "250601000000Z", 13);
    head(d, 0x30, validity);
    common_name(d, "Invented Authority R3");
    algorithm(d);
    uint8_t serial[16];
    rng_bytes(r, serial, sizeof serial);
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
    value(d, 2, serial, sizeof serial);
    static const uint8_t v3[] = {0xa0, 3, 2, 1, 2};
    before(d, v3, sizeof v3);
    head(d, 0x30, end);
}

void tls_certificate(struct buf *out, uint64_t seed, const char *name)
{
    struct rng r;
    char stream[WORLD_NAME_MAX + 16];
    snprintf(stream, sizeof stream, "cert/%s", name);
    rng_init(&r, seed, stream);
    static struct der d;
    d.at = sizeof d.octet;
    random_bits(&d, &r, 256, 0x5a);
    algorithm(&d);
    to_be_signed(&d, &r, name);
    head(&d, 0x30, sizeof d.octet);
    buf_bytes(out, d.octet + d.at, sizeof d.octet - d.at);
}
