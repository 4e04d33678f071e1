// The messages of a TLS handshake in clear (RFC 8446 section 4, RFC 5246 section 7.4): both hellos and a TLS 1.2
// server's first certificate. A hello that lies whole in a record's part at hand is read where it lies; one in parts
// has its place in the dialogue's state. The certificate is hashed as it comes and never kept.
#include "proto/tls.h"

static void end_client_hello(const struct tls_at *at, const struct tls_hello *h)
{
    struct record_tls *r = tls_result(at->f);
    if (h->broken || r->ja4[0] != '\0')
        return;
    char ja4[37];
    tls_ja4(h, pool_ja4_memo(pool_of(at->s)), ja4);
    memcpy(r->ja4, ja4, sizeof ja4);
    memcpy(r->sni_domain, h->domain, sizeof r->sni_domain);
    memcpy(r->alpn, h->alpn, sizeof r->alpn);
}

static void end_server_hello(const struct tls_at *at, const struct tls_hello *h)
{
    if (h->broken)
        return;
    struct record_tls *r = tls_result(at->f);
    r->version = h->version;
    r->cipher = h->cipher;
    if (h->alpn_seen)
        memcpy(r->alpn, h->alpn, sizeof r->alpn);
}

// The first certificate of the list: list length, certificate length, certificate.
static void feed_certificate(const struct tls_at *at, uint32_t from, struct span data)
{
    struct tls *s = at->s;
    for (; from < 6 && data.len > 0; from++) {
        s->certificate_head[from] = data.data[0];
        data = span_cut(data, 1, data.len);
        if (from == 5) {
            const uint8_t *n = s->certificate_head + 3;
            s->certificate_left = (uint32_t)n[0] << 16 | (uint32_t)n[1] << 8 | n[2];
            s->certificate_read = true;
            sha256_init(&s->certificate);
        }
    }
    struct span part = span_cut(data, 0, s->certificate_left);
    if (part.len == 0)
        return;
    sha256_add(&s->certificate, part);
    s->certificate_left -= (uint32_t)part.len;
    if (s->certificate_left == 0) {
        s->certificate_done = true;
        sha256_end(&s->certificate, tls_result(at->f)->certificate_hash);
    }
}

static bool is_hello(uint8_t message)
{
    return message == TLS_CLIENT_HELLO || message == TLS_SERVER_HELLO;
}

static void end_hello(const struct tls_at *at, uint8_t type, const struct tls_hello *h)
{
    if (type == TLS_CLIENT_HELLO)
        end_client_hello(at, h);
    else
        end_server_hello(at, h);
}

static void feed_message(const struct tls_at *at, struct span data)
{
    struct tls_rest *d = &at->s->rest[at->side];
    uint8_t type = d->message[0];
    if (is_hello(type))
        tls_hello_feed(&at->s->hello[at->side], type == TLS_CLIENT_HELLO, data);
    else if (type == TLS_CERTIFICATE && at->side == PROTO_RESPONDER && !at->s->certificate_done)
        feed_certificate(at, d->message_at, data);
    d->message_at += (uint32_t)data.len;
    d->message_left -= (uint32_t)data.len;
    if (d->message_left > 0)
        return;
    d->message_len = 0;
    if (is_hello(type))
        end_hello(at, type, &at->s->hello[at->side]);
}

// A hello that lies here whole is read in the pool's, which is warm and not this dialogue's to keep.
static void read_hello(const struct tls_at *at, uint8_t type, struct span data)
{
    struct tls_hello *h = pool_hello(pool_of(at->s));
    tls_hello_feed(h, type == TLS_CLIENT_HELLO, data);
    end_hello(at, type, h);
    tls_hello_wipe(h);
}

// The header of a message, as much of it as is here.
static struct span begin_message(const struct tls_at *at, struct span data)
{
    struct tls_rest *d = &at->s->rest[at->side];
    while (d->message_len < 4 && data.len > 0) {
        d->message[d->message_len++] = data.data[0];
        data = span_cut(data, 1, data.len);
    }
    if (d->message_len < 4)
        return data;
    uint8_t type = d->message[0];
    d->message_at = 0;
    d->message_left = (uint32_t)d->message[1] << 16 | (uint32_t)d->message[2] << 8 | d->message[3];
    if (d->message_left == 0) {
        d->message_len = 0;
    } else if (is_hello(type) && data.len >= d->message_left) {
        d->message_len = 0;
        read_hello(at, type, span_cut(data, 0, d->message_left));
        return span_cut(data, d->message_left, data.len);
    } else if (is_hello(type)) {
        at->s->hello_read = true;
        tls_hello_wipe(&at->s->hello[at->side]);
    }
    return data;
}

void tls_feed_handshake(const struct tls_at *at, struct span data)
{
    const struct tls_rest *d = &at->s->rest[at->side];
    while (data.len > 0 && !(at->s->side[at->side].state & TLS_SIDE_ENCRYPTED)) {
        if (d->message_len < 4) {
            data = begin_message(at, data);
            continue;
        }
        struct span part = span_cut(data, 0, d->message_left);
        feed_message(at, part);
        data = span_cut(data, part.len, data.len);
    }
}
