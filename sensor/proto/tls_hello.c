// The reader behind tls_hello.h: a sequence of steps, each a number or a vector, taken whole where it lies
// whole and octet for octet where a segment cut it.
#include "proto/tls_hello.h"

enum step {
    STEP_VERSION, // zero value
    STEP_RANDOM,
    STEP_SESSION_LEN,
    STEP_SESSION,
    STEP_CIPHERS_LEN, // client
    STEP_CIPHERS,
    STEP_CIPHER, // server
    STEP_COMPRESSION_LEN,
    STEP_COMPRESSION,
    STEP_EXTENSIONS_LEN,
    STEP_EXTENSION_TYPE,
    STEP_EXTENSION_LEN,
    STEP_EXTENSION_BODY,
};

enum { EXT_SNI = 0, EXT_SIGALGS = 13, EXT_ALPN = 16, EXT_VERSIONS = 43 };

bool tls_is_grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

void tls_hello_wipe(struct tls_hello *h)
{
    size_t ciphers = h->cipher_count < TLS_CIPHERS_MAX ? h->cipher_count : TLS_CIPHERS_MAX;
    size_t extensions = h->extension_count < TLS_EXTENSIONS_MAX ? h->extension_count
                                                                : TLS_EXTENSIONS_MAX;
    if (h->step == STEP_VERSION && h->number_len == 0)
        return; // nothing was read
    memset(h->ciphers, 0, ciphers * sizeof *h->ciphers);
    memset(h->extensions, 0, extensions * sizeof *h->extensions);
    memset(h->sigalgs, 0, h->sigalg_count * sizeof *h->sigalgs);
    if (h->body_len > 0)
        explicit_bzero(h->body, h->body_len);
    explicit_bzero(h->domain, sizeof h->domain);
    memset(h->alpn, 0, offsetof(struct tls_hello, body) - offsetof(struct tls_hello, alpn));
    memset(h, 0, offsetof(struct tls_hello, ciphers));
}

// ---- Extension bodies, whole in `body` (or cut at TLS_BODY_MAX).

static uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void read_sni(struct tls_hello *h, const uint8_t *b, size_t len)
{
    h->sni_seen = true;
    // list length 2, type 1 (0: host name), name length 2, name
    if (len < 5 || b[2] != 0)
        return;
    size_t n = be16(b + 3);
    if (n > 0 && n <= len - 5)
        tls_registered_domain(span_of(b + 5, n), h->domain, sizeof h->domain);
}

static void read_alpn(struct tls_hello *h, const uint8_t *b, size_t len)
{
    if (len < 4 || b[2] == 0 || (size_t)b[2] > len - 3)
        return;
    size_t n = b[2];
    h->alpn_seen = true;
    h->alpn_first = b[3];
    h->alpn_last = b[3 + n - 1];
    size_t take = n < sizeof h->alpn ? n : sizeof h->alpn - 1;
    for (size_t i = 0; i < take; i++)
        h->alpn[i] = b[3 + i] > ' ' && b[3 + i] < 0x7f ? (char)b[3 + i] : '?';
    h->alpn[take] = '\0';
}

static void read_versions(struct tls_hello *h, bool from_client, const uint8_t *b, size_t len)
{
    if (!from_client) {
        if (len >= 2)
            h->version = be16(b);
        return;
    }
    uint16_t best = 0;
    for (size_t i = 1; i + 1 < len; i += 2) {
        uint16_t v = be16(b + i);
        if (v >= 0x0300 && v <= 0x0304 && v > best)
            best = v;
    }
    if (best != 0)
        h->version = best;
}

static void read_sigalgs(struct tls_hello *h, const uint8_t *b, size_t len)
{
    for (size_t i = 2; i + 1 < len; i += 2) {
        uint16_t v = be16(b + i);
        if (!tls_is_grease(v) && h->sigalg_count < TLS_SIGALGS_MAX)
            h->sigalgs[h->sigalg_count++] = v;
    }
}

// The body of the present extension, as much of it as is read.
static void read_body(struct tls_hello *h, bool from_client, const uint8_t *b, size_t len)
{
    switch (h->type) {
    case EXT_SNI:
        if (from_client)
            read_sni(h, b, len);
        break;
    case EXT_ALPN: read_alpn(h, b, len); break;
    case EXT_VERSIONS: read_versions(h, from_client, b, len); break;
    case EXT_SIGALGS:
        if (from_client)
            read_sigalgs(h, b, len);
        break;
    default: break;
    }
}

// ---- Steps.

// One octet of a number of `len` octets; true when it is complete, with the value in `number`.
static bool number(struct tls_hello *h, uint8_t o, uint8_t len)
{
    h->number = h->number << 8 | o;
    if (++h->number_len < len)
        return false;
    h->number_len = 0;
    return true;
}

static uint16_t take_number(struct tls_hello *h)
{
    uint16_t v = (uint16_t)h->number;
    h->number = 0;
    return v;
}

static void note_cipher(struct tls_hello *h, uint16_t v)
{
    if (tls_is_grease(v))
        return;
    if (h->cipher_count < TLS_CIPHERS_MAX)
        h->ciphers[h->cipher_count] = v;
    h->cipher_count++;
}

static void note_extension(struct tls_hello *h, uint16_t v)
{
    h->type = v;
    if (tls_is_grease(v))
        return;
    if (h->extension_count < TLS_EXTENSIONS_MAX)
        h->extensions[h->extension_count] = v;
    h->extension_count++;
}

static bool is_read(uint16_t type)
{
    return type == EXT_SNI || type == EXT_ALPN || type == EXT_VERSIONS || type == EXT_SIGALGS;
}

// Goes to a vector of `len` octets, or past it when it is empty.
static void enter_vector(struct tls_hello *h, uint16_t len, enum step vector, enum step behind)
{
    h->field_left = len;
    h->step = (uint8_t)(len ? vector : behind);
}

static void step_number(struct tls_hello *h, bool from_client, uint16_t v)
{
    switch (h->step) {
    case STEP_VERSION:
        h->version = v;
        h->broken = v >> 8 != 3;
        enter_vector(h, 32, STEP_RANDOM, STEP_SESSION_LEN);
        break;
    case STEP_SESSION_LEN:
        h->broken = v > 32;
        enter_vector(h, v, STEP_SESSION, from_client ? STEP_CIPHERS_LEN : STEP_CIPHER);
        break;
    case STEP_CIPHERS_LEN:
        h->broken = v % 2 != 0;
        enter_vector(h, v, STEP_CIPHERS, STEP_COMPRESSION_LEN);
        break;
    case STEP_CIPHER:
        h->cipher = v;
        enter_vector(h, 1, STEP_COMPRESSION, STEP_EXTENSIONS_LEN);
        break;
    case STEP_COMPRESSION_LEN: enter_vector(h, v, STEP_COMPRESSION, STEP_EXTENSIONS_LEN); break;
    case STEP_EXTENSIONS_LEN: h->step = STEP_EXTENSION_TYPE; break;
    case STEP_EXTENSION_TYPE:
        note_extension(h, v);
        h->step = STEP_EXTENSION_LEN;
        break;
    default: // STEP_EXTENSION_LEN
        enter_vector(h, v, STEP_EXTENSION_BODY, STEP_EXTENSION_TYPE);
        if (v == 0)
            read_body(h, from_client, h->body, 0);
        break;
    }
}

// What follows the present vector.
static enum step behind(const struct tls_hello *h, bool from_client)
{
    switch (h->step) {
    case STEP_RANDOM: return STEP_SESSION_LEN;
    case STEP_SESSION: return from_client ? STEP_CIPHERS_LEN : STEP_CIPHER;
    case STEP_CIPHERS: return STEP_COMPRESSION_LEN;
    case STEP_COMPRESSION: return STEP_EXTENSIONS_LEN;
    default: return STEP_EXTENSION_TYPE;
    }
}

// Octets of the present vector: `data` is not empty and lies in it.
static size_t feed_vector(struct tls_hello *h, bool from_client, struct span data)
{
    size_t used = data.len;
    bool last = used == h->field_left;
    if (h->step == STEP_CIPHERS) {
        if (h->number_len > 0 || used == 1) {
            used = 1;
            if (number(h, data.data[0], 2))
                note_cipher(h, take_number(h));
        } else {
            used &= ~(size_t)1;
            for (size_t i = 0; i < used; i += 2)
                note_cipher(h, be16(data.data + i));
        }
        last = used == h->field_left;
    } else if (h->step == STEP_EXTENSION_BODY && is_read(h->type)) {
        if (last && h->body_len == 0) { // whole, where it lies
            read_body(h, from_client, data.data, used < TLS_BODY_MAX ? used : TLS_BODY_MAX);
        } else {
            size_t room = TLS_BODY_MAX - (size_t)h->body_len, take = used < room ? used : room;
            memcpy(h->body + h->body_len, data.data, take);
            h->body_len = (uint16_t)(h->body_len + take);
            if (last) {
                read_body(h, from_client, h->body, h->body_len);
                explicit_bzero(h->body, h->body_len);
                h->body_len = 0;
            }
        }
    }
    h->field_left = (uint16_t)(h->field_left - used);
    if (last)
        h->step = (uint8_t)behind(h, from_client);
    return used;
}

// Octets of a number, which may be cut anywhere.
static size_t feed_number(struct tls_hello *h, bool from_client, struct span data)
{
    bool one = h->step == STEP_SESSION_LEN || h->step == STEP_COMPRESSION_LEN;
    if (!one && h->number_len == 0 && data.len >= 2) {
        step_number(h, from_client, be16(data.data));
        return 2;
    }
    if (number(h, data.data[0], one ? 1 : 2))
        step_number(h, from_client, take_number(h));
    return 1;
}

// A ClientHello up to its extensions where all of that lies here and is as it should be: what the steps would have
// done, in one go. Returns how many octets; 0: nothing was done, and the steps have to look at it.
static size_t read_front(struct tls_hello *h, struct span data)
{
    size_t at = 2 + 32;
    if (data.len < at + 1 || data.data[0] != 3 || data.data[at] > 32)
        return 0;
    at += 1 + (size_t)data.data[at];
    if (data.len < at + 2)
        return 0;
    size_t ciphers = be16(data.data + at), compression = at + 2 + ciphers;
    if (ciphers % 2 != 0 || data.len < compression + 1)
        return 0;
    size_t extensions = compression + 1 + data.data[compression];
    if (data.len < extensions + 2)
        return 0;
    h->version = be16(data.data);
    unsigned count = 0;
    for (at += 2; at < compression; at += 2) {
        // Written before it is known whether it counts; what is left of one that does not is taken back.
        uint16_t v = be16(data.data + at);
        if (count < TLS_CIPHERS_MAX)
            h->ciphers[count] = v;
        count += !tls_is_grease(v);
    }
    if (count < TLS_CIPHERS_MAX)
        h->ciphers[count] = 0;
    h->cipher_count = (uint16_t)count;
    h->step = STEP_EXTENSION_TYPE;
    return extensions + 2;
}

// The same of a ServerHello.
static size_t read_server_front(struct tls_hello *h, struct span data)
{
    size_t at = 2 + 32;
    if (data.len < at + 1 || data.data[0] != 3 || data.data[at] > 32)
        return 0;
    at += 1 + (size_t)data.data[at];
    if (data.len < at + 5)
        return 0;
    h->version = be16(data.data);
    h->cipher = be16(data.data + at);
    h->step = STEP_EXTENSION_TYPE;
    return at + 5;
}

// Extensions that lie here whole; returns how many octets.
static size_t read_extensions(struct tls_hello *h, bool from_client, struct span data)
{
    const uint8_t *at = data.data;
    for (size_t left = data.len; left >= 4;) {
        size_t len = be16(at + 2);
        if (left - 4 < len)
            break;
        note_extension(h, be16(at));
        if (is_read(h->type))
            read_body(h, from_client, at + 4, len < TLS_BODY_MAX ? len : TLS_BODY_MAX);
        at += 4 + len;
        left -= 4 + len;
    }
    return (size_t)(at - data.data);
}

void tls_hello_feed(struct tls_hello *h, bool from_client, struct span data)
{
    if (h->step == STEP_VERSION && h->number_len == 0) {
        size_t front = from_client ? read_front(h, data) : read_server_front(h, data);
        data = span_cut(data, front, data.len);
    }
    while (data.len > 0 && !h->broken) {
        if (h->step == STEP_EXTENSION_TYPE && h->number_len == 0) {
            data = span_cut(data, read_extensions(h, from_client, data), data.len);
            if (data.len == 0)
                break;
        }
        bool vector = h->step == STEP_RANDOM || h->step == STEP_SESSION ||
                      h->step == STEP_CIPHERS || h->step == STEP_COMPRESSION ||
                      h->step == STEP_EXTENSION_BODY;
        size_t used = vector ? feed_vector(h, from_client, span_cut(data, 0, h->field_left))
                             : feed_number(h, from_client, data);
        data = span_cut(data, used, data.len);
    }
}
