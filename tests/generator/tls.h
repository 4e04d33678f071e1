// TLS handshakes with real fields and random keys (RFC 8446, 5246, 6066, 7301): what an observer can
// read is right (SNI, ALPN, cipher suites, groups, certificate of TLS 1.2), what is encrypted has the
// right size.
#pragma once

#include "channel.h"
#include "common/buf.h"

// Habits of a TLS library, as its ClientHello shows them.
struct tls_client {
    const char *name;
    const uint16_t *ciphers, *groups, *schemes;
    uint8_t cipher_count, group_count, scheme_count;
    bool tls13;
    bool grease;
    bool tickets;
};
extern const struct tls_client tls_client_openssl, tls_client_apple, tls_client_android,
    tls_client_outlook, tls_client_firefox, tls_client_old;

enum { TLS_HELLO_MAX = 1024, TLS_CERT_MAX = 2048 };

// Runs a handshake on the channel and switches it to TLS. `server_name` is sent as SNI unless NULL;
// `cert_name` is the name in the certificate; `alpn` may be NULL. The server takes TLS 1.3 where both
// have it (`server13`).
void tls_handshake(struct channel *c, const struct tls_client *client, const char *server_name,
                   const char *cert_name, const char *alpn, bool server13);

// A TLS 1.3 handshake that resumes an earlier session: a key known to both, no certificate.
void tls_resume(struct channel *c, const struct tls_client *client, const char *server_name,
                const char *alpn);

// A handshake the client breaks off with a fatal alert (48: unknown authority) instead of a key.
void tls_handshake_refused(struct channel *c, const struct tls_client *client,
                           const char *server_name, const char *cert_name, uint8_t alert);

// Parts, exposed to one another.
void tls_client_hello(struct buf *out, struct rng *r, const struct tls_client *client,
                      const char *server_name, const char *alpn, bool resume);
enum tls_server_form { TLS_SERVER_12, TLS_SERVER_13, TLS_SERVER_RESUMED };
void tls_server_hello(struct buf *out, struct rng *r, enum tls_server_form form, const char *alpn);
// A certificate of RFC 5280's form for `name`: always the same octets for a name. Its key and its
// signature are random numbers.
void tls_certificate(struct buf *out, uint64_t seed, const char *name);
