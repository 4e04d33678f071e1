// A connection, with or without TLS, and the certificates by which its ends know each other. The one file
// that speaks libssl is tls_peer.c; keys, requests and certificates are in tls_cert.c.
//
// TLS 1.3 only, both sides verified, no session tickets (an exporter that never reads would be reset) and no
// resumption. Sockets are the caller's and non-blocking.
#pragma once

#include <sys/types.h>

#include "common/span.h"

#define TLS_NAME_MAX 64
#define TLS_TEXT_MAX 300

struct tls_context;

enum tls_side {
    TLS_SERVER,    // asks for a certificate of the authority
    TLS_CLIENT,    // the server's must be of the authority
    TLS_ENROLLING, // server that takes clients without certificate too
    TLS_FIRST_TIME, // client without certificate: the server's authority is checked by its fingerprint
};

// What a side needs; what it does not is NULL. Files are PEM.
struct tls_files {
    const char *cert, *key, *authority;
    uint8_t fingerprint[32]; // TLS_FIRST_TIME: SHA-256 of the authority's certificate
};

// -ENOENT, -EACCES, -EINVAL, -EPERM (others may read the key): `error` says which file, why, and what mends it.
int tls_context_new(enum tls_side side, const struct tls_files *files, struct tls_context **out,
                    char error[static TLS_TEXT_MAX]);
void tls_context_free(struct tls_context *c);
// When its own certificate ends, ms since 1970; 0: it has none.
int64_t tls_context_expiry(const struct tls_context *c);
// When it should be renewed: 30 days before that, or a third of its life when that is shorter.
int64_t tls_context_renewal(const struct tls_context *c);

struct tls_peer;

// `c` NULL: without TLS. The context may be freed while peers live. NULL: out of memory.
struct tls_peer *tls_peer_new(struct tls_context *c, int fd);
void tls_peer_free(
    struct tls_peer *p); // sends close_notify when that is possible; the socket stays

// 0: done; -EAGAIN: call again when tls_peer_wants says; -EACCES: the other side was not believed, or did not
// believe us; else the connection's errno. tls_peer_error says why.
int tls_peer_handshake(struct tls_peer *p);
// Octets; 0: the other side ended; -EAGAIN; negative errno.
ssize_t tls_peer_read(struct tls_peer *p, void *out, size_t len);
ssize_t tls_peer_write(struct tls_peer *p, struct span s);
// What the last -EAGAIN waits for: LOOP_READ or LOOP_WRITE (loop.h).
unsigned tls_peer_wants(const struct tls_peer *p);
// True when octets are there that the socket no longer shows.
bool tls_peer_pending(const struct tls_peer *p);
const char *tls_peer_error(const struct tls_peer *p);
// What failed: no good certificate, or no TLS 1.3 at all.
enum tls_trouble { TLS_TROUBLE_NONE, TLS_TROUBLE_CERTIFICATE, TLS_TROUBLE_PROTOCOL };
enum tls_trouble tls_peer_trouble(const struct tls_peer *p);

// Of the other side's certificate, after the handshake. False: it showed none.
struct tls_identity {
    char name[TLS_NAME_MAX]; // common name
    char serial[41];         // hexadecimal
    int64_t not_after_ms;
};
bool tls_peer_identity(const struct tls_peer *p, struct tls_identity *out);

// ---- Keys and certificates (EC P-256, PEM)

// SHA-256 of the first certificate in the file. Negative errno.
int tls_cert_fingerprint(const char *path, uint8_t out[static 32]);
int64_t tls_cert_expiry(const char *path); // ms since 1970; negative errno
// A new authority: key (mode 0600) and certificate that signs itself, valid for `days`. Both files must not be there.
int tls_cert_make_authority(const char *key, const char *cert, const char *name, int days,
                            int64_t now_ms);
// A new key and a request for a certificate of `name`. `*pem` is the caller's.
int tls_cert_request(const char *key, const char *name, char **pem);
// The same with the key that is in the file.
int tls_cert_request_again(const char *key, const char *name, char **pem);
// Signs `request`, whatever name it asks for, as `name`. `server_names` NULL: a client's certificate; else a
// server's for these DNS names and addresses, separated by commas. -EINVAL: no request, or its signature is
// wrong. `*pem` is the caller's.
int tls_cert_sign(const char *authority_key, const char *authority_cert, struct span request,
                  const char *name, const char *server_names, int days, int64_t now_ms, char **pem,
                  char serial[static 41]);
