// See sha256.h.
#include "proto/sha256.h"

#include <sodium.h>

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct sha256), "libsodium's state");

// The library's state is copied in and out, so that no cast breaks aliasing.
static crypto_hash_sha256_state load(const struct sha256 *h)
{
    crypto_hash_sha256_state s;
    memcpy(&s, h->opaque, sizeof s);
    return s;
}

static void store(struct sha256 *h, const crypto_hash_sha256_state *s)
{
    memcpy(h->opaque, s, sizeof *s);
}

void sha256_init(struct sha256 *h)
{
    crypto_hash_sha256_state s;
    crypto_hash_sha256_init(&s);
    store(h, &s);
}

void sha256_add(struct sha256 *h, struct span data)
{
    crypto_hash_sha256_state s = load(h);
    crypto_hash_sha256_update(&s, data.data, data.len);
    store(h, &s);
}

void sha256_end(struct sha256 *h, uint8_t out[static SHA256_SIZE])
{
    crypto_hash_sha256_state s = load(h);
    crypto_hash_sha256_final(&s, out);
    store(h, &s);
}
