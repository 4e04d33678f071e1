// The flights of a full handshake, TLS 1.2 (ECDHE, RSA certificates) and 1.3.
#include "tls.h"

#include <assert.h>

enum { RECORD_CCS = 20, RECORD_HANDSHAKE = 22, RECORD_DATA = 23, FLIGHT_MAX = 16384 };

static void record(struct buf *b, struct rng *r, uint8_t type, size_t random_len)
{
    uint8_t noise[4096];
    assert(random_len <= sizeof noise);
    rng_bytes(r, noise, random_len);
    buf_be(b, type, 1);
    buf_be(b, 0x0303, 2);
    buf_be(b, random_len, 2);
    buf_bytes(b, noise, random_len);
}

static void change_cipher_spec(struct buf *b)
{
    buf_be(b, 0x1403030001, 5);
    buf_be(b, 1, 1);
}

static size_t open_message(struct buf *b, uint8_t type)
{
    buf_be(b, 0x160303, 3);
    buf_be(b, 0, 2);
    buf_be(b, type, 1);
    buf_be(b, 0, 3);
    return b->len;
}

static void close_message(struct buf *b, size_t at)
{
    buf_patch_be(b, at - 3, b->len - at, 3);
    buf_patch_be(b, at - 6, b->len - at + 4, 2);
}

static void random_octets(struct buf *b, struct rng *r, size_t len)
{
    uint8_t noise[512];
    rng_bytes(r, noise, len);
    buf_bytes(b, noise, len);
}

void tls_server_hello(struct buf *b, struct rng *r, enum tls_server_form form, const char *alpn)
{
    bool tls13 = form != TLS_SERVER_12;
    size_t at = open_message(b, 2);
    buf_be(b, 0x0303, 2);
    random_octets(b, r, 32);
    buf_be(b, 32, 1);
    random_octets(b, r, 32);
    buf_be(b, tls13 ? 0x1302 : 0xc030, 2);
    buf_be(b, 0, 1);
    buf_be(b, 0, 2);
    size_t extensions = b->len;
    if (tls13) {
        buf_be(b, 0x002b00020304, 6);
        buf_be(b, 0x00330024, 4);
        buf_be(b, 0x001d0020, 4);
        random_octets(b, r, 32);
        if (form == TLS_SERVER_RESUMED)
            buf_be(b, 0x002900020000, 6); // the first key that was offered
    } else {
        buf_be(b, 0xff01000100, 5);
        buf_be(b, 0x00170000, 4);
        if (alpn) {
            buf_be(b, 16, 2);
            buf_be(b, strlen(alpn) + 3, 2);
            buf_be(b, strlen(alpn) + 1, 2);
            buf_be(b, strlen(alpn), 1);
            buf_text(b, alpn);
        }
    }
    buf_patch_be(b, extensions - 2, b->len - extensions, 2);
    close_message(b, at);
}

static void certificates(struct buf *b, uint64_t seed, const char *name)
{
    static const char *const chain[] = {NULL, "Invented Authority R3"};
    size_t at = open_message(b, 11);
    buf_be(b, 0, 3);
    for (int i = 0; i < 2; i++) {
        buf_be(b, 0, 3);
        size_t cert = b->len;
        tls_certificate(b, seed, chain[i] ? chain[i] : name);
        buf_patch_be(b, cert - 3, b->len - cert, 3);
    }
    buf_patch_be(b, at, b->len - at - 3, 3);
    close_message(b, at);
}

static void server_flight_12(struct buf *b, struct rng *r, uint64_t seed, const char *name,
                             const char *alpn)
{
    tls_server_hello(b, r, TLS_SERVER_12, alpn);
    certificates(b, seed, name);
    size_t at = open_message(b, 12); // ServerKeyExchange: P-256 point, RSA signature
    buf_be(b, 0x03001741, 4);
    buf_be(b, 4, 1);
    random_octets(b, r, 64);
    buf_be(b, 0x04010100, 4);
    random_octets(b, r, 256);
    close_message(b, at);
    at = open_message(b, 14);
    close_message(b, at);
}

static void client_flight_12(struct buf *b, struct rng *r)
{
    size_t at = open_message(b, 16);
    buf_be(b, 0x4104, 2);
    random_octets(b, r, 64);
    close_message(b, at);
    change_cipher_spec(b);
    record(b, r, RECORD_HANDSHAKE, 40);
}

static void server_flight_13(struct buf *b, struct rng *r)
{
    tls_server_hello(b, r, TLS_SERVER_13, NULL);
    change_cipher_spec(b);
    record(b, r, RECORD_DATA, 27 + rng_below(r, 12));     // EncryptedExtensions
    record(b, r, RECORD_DATA, 2300 + rng_below(r, 1600)); // Certificate chain
    record(b, r, RECORD_DATA, 281);                       // CertificateVerify
    record(b, r, RECORD_DATA, 69);                        // Finished
}

static void hello(struct channel *c, struct buf *b, const struct tls_client *client,
                  const char *server_name, const char *alpn, bool resume)
{
    tls_client_hello(b, &channel_party(c)->rng, client, server_name, alpn, resume);
    channel_raw(c, TCP_CLIENT, buf_span(b));
    buf_clear(b);
}

void tls_handshake(struct channel *c, const struct tls_client *client, const char *server_name,
                   const char *cert_name, const char *alpn, bool server13)
{
    struct party *p = channel_party(c);
    struct rng *r = &p->rng;
    bool tls13 = client->tls13 && server13;
    struct buf b;
    buf_init(&b, FLIGHT_MAX);
    hello(c, &b, client, server_name, alpn, false);
    if (tls13)
        server_flight_13(&b, r);
    else
        server_flight_12(&b, r, p->run->seed, cert_name, alpn);
    channel_pause(c, rng_between(r, NS_PER_MS / 2, 4 * NS_PER_MS));
    channel_raw(c, TCP_SERVER, buf_span(&b));
    buf_clear(&b);

    channel_pause(c, rng_between(r, NS_PER_MS, 8 * NS_PER_MS));
    if (tls13) {
        change_cipher_spec(&b);
        record(&b, r, RECORD_DATA, 69);
    } else {
        client_flight_12(&b, r);
    }
    channel_raw(c, TCP_CLIENT, buf_span(&b));
    buf_clear(&b);
    if (tls13) { // two tickets, in one packet with nothing to answer
        record(&b, r, RECORD_DATA, 234);
        record(&b, r, RECORD_DATA, 234);
    } else {
        change_cipher_spec(&b);
        record(&b, r, RECORD_HANDSHAKE, 40);
    }
    channel_raw(c, TCP_SERVER, buf_span(&b));
    buf_fini(&b);
    c->tls = tls13 ? CHANNEL_TLS13 : CHANNEL_TLS12;
}

void tls_resume(struct channel *c, const struct tls_client *client, const char *server_name,
                const char *alpn)
{
    struct rng *r = &channel_party(c)->rng;
    assert(client->tls13);
    struct buf b;
    buf_init(&b, FLIGHT_MAX);
    hello(c, &b, client, server_name, alpn, true);
    tls_server_hello(&b, r, TLS_SERVER_RESUMED, NULL);
    change_cipher_spec(&b);
    record(&b, r, RECORD_DATA, 27 + rng_below(r, 12)); // EncryptedExtensions
    record(&b, r, RECORD_DATA, 69);                    // Finished
    channel_raw(c, TCP_SERVER, buf_span(&b));
    buf_clear(&b);
    change_cipher_spec(&b);
    record(&b, r, RECORD_DATA, 69);
    channel_raw(c, TCP_CLIENT, buf_span(&b));
    buf_clear(&b);
    record(&b, r, RECORD_DATA, 234); // a ticket for the next time
    channel_raw(c, TCP_SERVER, buf_span(&b));
    buf_fini(&b);
    c->tls = CHANNEL_TLS13;
}

void tls_handshake_refused(struct channel *c, const struct tls_client *client,
                           const char *server_name, const char *cert_name, uint8_t alert)
{
    struct party *p = channel_party(c);
    struct buf b;
    buf_init(&b, FLIGHT_MAX);
    hello(c, &b, client, server_name, NULL, false);
    server_flight_12(&b, &p->rng, p->run->seed, cert_name, NULL);
    channel_raw(c, TCP_SERVER, buf_span(&b));
    buf_fini(&b);
    const uint8_t record_alert[7] = {21, 3, 3, 0, 2, 2, alert};
    channel_raw(c, TCP_CLIENT, span_of(record_alert, sizeof record_alert));
}
