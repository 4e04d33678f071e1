// The two hello messages of TLS (RFC 8446 section 4.1, RFC 5246), read field for field without
// keeping them: a ClientHello with post-quantum key shares is larger than a packet. Bodies of
// extensions nobody asks for are passed over.
#pragma once

#include "common/record.h"
#include "common/span.h"

#define TLS_CIPHERS_MAX    128
#define TLS_EXTENSIONS_MAX 64
#define TLS_SIGALGS_MAX    64
#define TLS_BODY_MAX       264 // of an extension that is read: a server name of 255 octets fits
#define TLS_ALPN_MAX       16

// Zeroed is valid: at the beginning of a message.
struct tls_hello {
    uint8_t step;
    uint16_t field_left; // octets left of the present vector
    uint16_t type;       // of the present extension
    uint32_t number;     // integer being read
    uint8_t number_len;
    bool broken;
    // What was read.
    bool sni_seen, alpn_seen;
    uint16_t version; // legacy, then the highest of supported_versions
    uint16_t cipher;  // ServerHello: the chosen one
    uint16_t cipher_count, extension_count, sigalg_count; // without GREASE; may exceed what is kept
    uint16_t ciphers[TLS_CIPHERS_MAX];
    uint16_t extensions[TLS_EXTENSIONS_MAX];
    uint16_t sigalgs[TLS_SIGALGS_MAX];
    char alpn[TLS_ALPN_MAX];       // first name, cut
    uint8_t alpn_first, alpn_last; // its first and last octet
    uint16_t body_len;
    uint8_t body[TLS_BODY_MAX];
    char domain[RECORD_NAME_MAX]; // of the server name; the name itself is not kept
};

// Zeroed again, at the price of what was used.
void tls_hello_wipe(struct tls_hello *h);

// Octets of the message's body (behind type and length).
void tls_hello_feed(struct tls_hello *h, bool from_client, struct span data);

// GREASE values (RFC 8701) mean nothing.
bool tls_is_grease(uint16_t v);

// The client's fingerprint by the public JA4 description (FoxIO): "t13d1516h2_8daaf6152771_...".
// `out` gets 36 characters and a NUL. The memo saves work and changes nothing; NULL: none.
struct tls_ja4_memo;
struct tls_ja4_memo *tls_ja4_memo_new(void); // NULL: out of memory
void tls_ja4_memo_free(struct tls_ja4_memo *m);
void tls_ja4(const struct tls_hello *h, struct tls_ja4_memo *memo, char out[static 37]);

// The registered domain of a host name: the label below the public suffix and that suffix. Knows the
// common second-level suffixes (co.uk, com.au, ...) and no private ones; others count as one label.
// Empty when there is none (a single label, an address). Cut from the left at `size`.
void tls_registered_domain(struct span host, char *out, size_t size);
