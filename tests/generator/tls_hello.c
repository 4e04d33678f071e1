// ClientHello: extensions in the order their libraries send them, near enough to tell them apart.
#include "tls.h"

static const uint16_t modern_ciphers[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
                                          0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                                          0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
static const uint16_t openssl_ciphers[] = {
    0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f,
    0x009e, 0xc024, 0xc028, 0x006b, 0xc023, 0xc027, 0x0067, 0xc00a, 0xc014, 0x0039, 0xc009,
    0xc013, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x00ff};
static const uint16_t apple_ciphers[] = {0x1301, 0x1302, 0x1303, 0xc02c, 0xc02b, 0xcca9, 0xc030,
                                         0xc02f, 0xcca8, 0xc00a, 0xc009, 0xc014, 0xc013};
static const uint16_t outlook_ciphers[] = {
    0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028,
    0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f};
static const uint16_t old_ciphers[] = {0xc014, 0xc00a, 0x0039, 0x0038, 0xc013, 0xc009,
                                       0x0033, 0x0035, 0x002f, 0x000a, 0x0005, 0x0004};
static const uint16_t modern_groups[] = {0x001d, 0x0017, 0x0018};
static const uint16_t openssl_groups[] = {0x001d, 0x0017, 0x001e, 0x0019, 0x0018};
static const uint16_t old_groups[] = {0x0017, 0x0018, 0x0019};
static const uint16_t modern_schemes[] = {0x0403, 0x0804, 0x0401, 0x0503,
                                          0x0805, 0x0501, 0x0806, 0x0601};
static const uint16_t openssl_schemes[] = {0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a,
                                           0x080b, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601};
static const uint16_t old_schemes[] = {0x0401, 0x0403, 0x0201, 0x0203};

#define CLIENT(id, text, c, g, s, v13, gr, ti)                  \
    const struct tls_client id = {.name = text,                 \
                                  .ciphers = c,                 \
                                  .cipher_count = sizeof c / 2, \
                                  .groups = g,                  \
                                  .group_count = sizeof g / 2,  \
                                  .schemes = s,                 \
                                  .scheme_count = sizeof s / 2, \
                                  .tls13 = v13,                 \
                                  .grease = gr,                 \
                                  .tickets = ti}
CLIENT(tls_client_openssl, "openssl", openssl_ciphers, openssl_groups, openssl_schemes, true, false,
       true);
CLIENT(tls_client_apple, "apple", apple_ciphers, modern_groups, modern_schemes, true, true, false);
CLIENT(tls_client_android, "android", modern_ciphers, modern_groups, modern_schemes, true, true,
       true);
CLIENT(tls_client_outlook, "schannel", outlook_ciphers, modern_groups, modern_schemes, true, false,
       true);
CLIENT(tls_client_firefox, "nss", modern_ciphers, openssl_groups, modern_schemes, true, false,
       true);
CLIENT(tls_client_old, "old", old_ciphers, old_groups, old_schemes, false, false, false);

static void list16(struct buf *b, const uint16_t *v, size_t n, bool grease, uint16_t token)
{
    buf_be(b, (n + grease) * 2, 2);
    if (grease)
        buf_be(b, token, 2);
    for (size_t i = 0; i < n; i++)
        buf_be(b, v[i], 2);
}

// The head of an extension whose length is not known yet; `close_extension` writes it.
static size_t open_extension(struct buf *b, uint16_t type)
{
    buf_be(b, type, 2);
    buf_be(b, 0, 2);
    return b->len;
}

static void close_extension(struct buf *b, size_t at)
{
    buf_patch_be(b, at - 2, b->len - at, 2);
}

static void empty_extension(struct buf *b, uint16_t type)
{
    close_extension(b, open_extension(b, type));
}

static void names(struct buf *b, const char *server_name, const char *alpn)
{
    size_t at;
    if (server_name) {
        at = open_extension(b, 0);
        buf_be(b, strlen(server_name) + 3, 2);
        buf_be(b, 0, 1);
        buf_be(b, strlen(server_name), 2);
        buf_text(b, server_name);
        close_extension(b, at);
    }
    if (alpn) {
        at = open_extension(b, 16);
        buf_be(b, strlen(alpn) + 1, 2);
        buf_be(b, strlen(alpn), 1);
        buf_text(b, alpn);
        close_extension(b, at);
    }
}

static void key_share(struct buf *b, struct rng *r, bool grease, uint16_t token)
{
    uint8_t key[32];
    rng_bytes(r, key, sizeof key);
    size_t at = open_extension(b, 51);
    buf_be(b, 36u + (grease ? 5u : 0u), 2);
    if (grease) {
        buf_be(b, token, 2);
        buf_be(b, 1, 2);
        buf_be(b, 0, 1);
    }
    buf_be(b, 0x001d, 2);
    buf_be(b, sizeof key, 2);
    buf_bytes(b, key, sizeof key);
    close_extension(b, at);

    at = open_extension(b, 45); // psk_key_exchange_modes: psk_dhe_ke
    buf_be(b, 0x0101, 2);
    close_extension(b, at);
    at = open_extension(b, 43); // supported_versions
    buf_be(b, grease ? 6 : 4, 1);
    if (grease)
        buf_be(b, token, 2);
    buf_be(b, 0x03040303, 4);
    close_extension(b, at);
}

static void pre_shared_key(struct buf *b, struct rng *r)
{
    enum { TICKET = 192, BINDER = 48 };
    uint8_t octets[TICKET + 4 + BINDER];
    rng_bytes(r, octets, sizeof octets);
    size_t at = open_extension(b, 41);
    buf_be(b, 2 + TICKET + 4, 2);
    buf_be(b, TICKET, 2);
    buf_bytes(b, octets, TICKET + 4); // and the obfuscated age of the ticket
    buf_be(b, 1 + BINDER, 2);
    buf_be(b, BINDER, 1);
    buf_bytes(b, octets + TICKET + 4, BINDER);
    close_extension(b, at);
}

void tls_client_hello(struct buf *b, struct rng *r, const struct tls_client *c,
                      const char *server_name, const char *alpn, bool resume)
{
    uint8_t random[64];
    rng_bytes(r, random, sizeof random);
    uint16_t token = (uint16_t)((random[0] & 0xf0) << 8 | 0x0a00 | (random[0] & 0xf0) |
                                0x0a); // RFC 8701
    buf_be(b, 0x160301, 3);
    buf_be(b, 0, 2);
    size_t record = b->len;
    buf_be(b, 1, 1);
    buf_be(b, 0, 3);
    size_t message = b->len;
    buf_be(b, 0x0303, 2);
    buf_bytes(b, random, 32);
    buf_be(b, c->tls13 ? 32 : 0, 1);
    if (c->tls13)
        buf_bytes(b, random + 32, 32);
    list16(b, c->ciphers, c->cipher_count, c->grease, token);
    buf_be(b, 0x0100, 2); // one compression method: none

    buf_be(b, 0, 2);
    size_t extensions = b->len, at;
    if (c->grease)
        empty_extension(b, token);
    names(b, server_name, alpn);
    if (c->tls13)
        empty_extension(b, 23); // extended_master_secret
    at = open_extension(b, 0xff01);
    buf_be(b, 0, 1);
    close_extension(b, at);
    at = open_extension(b, 10);
    list16(b, c->groups, c->group_count, c->grease, token);
    close_extension(b, at);
    at = open_extension(b, 11);
    buf_be(b, 0x0100, 2);
    close_extension(b, at);
    if (c->tickets)
        empty_extension(b, 35);
    at = open_extension(b, 13);
    list16(b, c->schemes, c->scheme_count, false, 0);
    close_extension(b, at);
    if (c->tls13)
        key_share(b, r, c->grease, token);
    if (resume)
        pre_shared_key(b, r); // must be the last
    buf_patch_be(b, extensions - 2, b->len - extensions, 2);
    buf_patch_be(b, message - 3, b->len - message, 3);
    buf_patch_be(b, record - 2, b->len - record, 2);
}
