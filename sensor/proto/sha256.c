// See sha256.h. OpenSSL's, since it uses the processor's instructions for SHA-256 (libsodium's does not, and
// takes nearly seven times as long for a certificate). Its streams with a state of fixed size are called deprecated
// in favour of allocated ones, and stay in all of version 3.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "proto/sha256.h"

#include <assert.h>
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256), "the library's state");

// That state is copied in and out, so that no cast breaks aliasing.
static SHA256_CTX load(const struct sha256 *h)
{
    SHA256_CTX s;
    memcpy(&s, h->opaque, sizeof s);
    return s;
}

static void store(struct sha256 *h, const SHA256_CTX *s)
{
    memcpy(h->opaque, s, sizeof *s);
}

// None of the three can fail on a good state.
void sha256_init(struct sha256 *h)
{
    SHA256_CTX s;
    int done = SHA256_Init(&s);
    assert(done == 1);
    (void)done;
    store(h, &s);
}

void sha256_add(struct sha256 *h, struct span data)
{
    SHA256_CTX s = load(h);
    int done = SHA256_Update(&s, data.data, data.len);
    assert(done == 1);
    (void)done;
    store(h, &s);
}

void sha256_end(struct sha256 *h, uint8_t out[static SHA256_SIZE])
{
    SHA256_CTX s = load(h);
    int done = SHA256_Final(out, &s);
    assert(done == 1);
    (void)done;
    store(h, &s);
}
