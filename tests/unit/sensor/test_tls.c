// TLS on mail ports: hello messages and JA4, records, certificate, alerts, gaps; registered domains.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/buf.h"
#include "dialogue.h"
#include "proto/sha256.h"
#include "proto/tls_hello.h"

// ---- Builders.

static void extension(struct buf *b, uint16_t type, const void *body, size_t len)
{
    buf_be(b, type, 2);
    buf_be(b, len, 2);
    buf_bytes(b, body, len);
}

static void sni(struct buf *b, const char *name)
{
    struct buf body;
    buf_init(&body, 512);
    buf_be(&body, strlen(name) + 3, 2);
    buf_be(&body, 0, 1);
    buf_be(&body, strlen(name), 2);
    buf_text(&body, name);
    extension(b, 0, body.data, body.len);
    buf_fini(&body);
}

static void numbers(struct buf *b, const uint16_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_be(b, v[i], 2);
}

// The hello of JA4's public example, with GREASE and a name of ours.
static void client_hello_body(struct buf *b, const char *name)
{
    static const uint16_t ciphers[] = {0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
                                       0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
                                       0x009c, 0x009d, 0x002f, 0x0035};
    static const uint16_t sigalgs[] = {0x0403, 0x0804, 0x0401, 0x0503,
                                       0x0805, 0x0501, 0x0806, 0x0601};
    static const uint16_t others[] = {0xff01, 0x000a, 0x000b, 0x0023, 0x0005, 0x0012,
                                      0x0017, 0x001b, 0x002d, 0x4469, 0x0015};
    static const uint8_t versions[] = {6, 0x2a, 0x2a, 3, 4, 3, 3};
    static const uint8_t alpn[] = {0, 12, 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    static const uint8_t share[1300] = {0};
    struct buf ext;
    buf_init(&ext, 4096);
    extension(&ext, 0x5a5a, "", 0);
    sni(&ext, name);
    extension(&ext, 16, alpn, sizeof alpn);
    extension(&ext, 43, versions, sizeof versions);
    extension(&ext, 0x0033, share, sizeof share);
    buf_be(&ext, 13, 2);
    buf_be(&ext, sizeof sigalgs + 2, 2);
    buf_be(&ext, sizeof sigalgs, 2);
    numbers(&ext, sigalgs, 8);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        extension(&ext, others[i], "abc", i % 4);
    extension(&ext, 0x8a8a, "x", 1);

    buf_be(b, 0x0303, 2);
    for (int i = 0; i < 32; i++)
        buf_be(b, (uint64_t)i, 1);
    buf_be(b, 32, 1);
    buf_bytes(b, share, 32);
    buf_be(b, sizeof ciphers, 2);
    numbers(b, ciphers, sizeof ciphers / sizeof *ciphers);
    buf_be(b, 0x0100, 2); // one compression method: none
    buf_be(b, ext.len, 2);
    buf_bytes(b, ext.data, ext.len);
    buf_fini(&ext);
}

static void message(struct buf *b, uint8_t type, const struct buf *body)
{
    buf_be(b, type, 1);
    buf_be(b, body->len, 3);
    buf_bytes(b, body->data, body->len);
}

static void record(struct buf *b, uint8_t type, const void *data, size_t len)
{
    buf_be(b, type, 1);
    buf_be(b, 0x0303, 2);
    buf_be(b, len, 2);
    buf_bytes(b, data, len);
}

static void client_hello(struct buf *out, const char *name)
{
    struct buf body, msg;
    buf_init(&body, 8192);
    buf_init(&msg, 8192);
    client_hello_body(&body, name);
    message(&msg, 1, &body);
    record(out, 22, msg.data, msg.len);
    buf_fini(&body);
    buf_fini(&msg);
}

static void server_hello(struct buf *msg, uint16_t cipher, bool tls13)
{
    static const uint8_t version[] = {3, 4}, alpn[] = {0, 5, 4, 'i', 'm', 'a', 'p'};
    struct buf body, ext;
    buf_init(&body, 512);
    buf_init(&ext, 512);
    extension(&ext, 0xff01, "", 0);
    if (tls13)
        extension(&ext, 43, version, 2);
    else
        extension(&ext, 16, alpn, sizeof alpn);
    buf_be(&body, 0x0303, 2);
    for (int i = 0; i < 32; i++)
        buf_be(&body, 7, 1);
    buf_be(&body, 0, 1);
    buf_be(&body, cipher, 2);
    buf_be(&body, 0, 1);
    buf_be(&body, ext.len, 2);
    buf_bytes(&body, ext.data, ext.len);
    message(msg, 2, &body);
    buf_fini(&body);
    buf_fini(&ext);
}

static void certificate(struct buf *msg, const char *first, const char *second)
{
    struct buf body;
    buf_init(&body, 8192);
    buf_be(&body, strlen(first) + strlen(second) + 6, 3);
    buf_be(&body, strlen(first), 3);
    buf_text(&body, first);
    buf_be(&body, strlen(second), 3);
    buf_text(&body, second);
    message(msg, 11, &body);
    buf_fini(&body);
}

// ---- A session in any cut.

struct piece {
    enum proto_side side;
    size_t from, to;
};

struct session {
    struct buf octets;
    struct piece piece[32];
    size_t n;
};

static void add(struct session *s, enum proto_side side, uint8_t type, const void *data, size_t len)
{
    size_t from = s->octets.len;
    record(&s->octets, type, data, len);
    s->piece[s->n++] = (struct piece){side, from, s->octets.len};
}

static void run(const struct session *s, uint16_t port, size_t cut, struct record_flow *out)
{
    struct dialogue_flow d;
    dialogue_open(&d, &(struct dialogue){.port = port});
    for (size_t i = 0; i < s->n; i++)
        for (size_t at = s->piece[i].from; at < s->piece[i].to; at += cut) {
            size_t len = s->piece[i].to - at < cut ? s->piece[i].to - at : cut;
            d.t_us += 1000;
            proto_feed(&d.flow, d.pool, s->piece[i].side,
                       span_of(dialogue_guarded(s->octets.data + at, len), len), d.t_us);
        }
    dialogue_close(&d, out);
}

static void start(struct session *s, const char *name)
{
    memset(s, 0, sizeof *s);
    buf_init(&s->octets, 65536);
    client_hello(&s->octets, name);
    s->piece[s->n++] = (struct piece){PROTO_INITIATOR, 0, s->octets.len};
}

static const size_t cuts[] = {SIZE_MAX / 2, 1, 2, 3, 7, 100, 511, 513};
#define CUTS (sizeof cuts / sizeof *cuts)

static void test_tls12(void **state)
{
    (void)state;
    struct session s;
    struct buf msg;
    start(&s, "mail.imap.Example.co.uk");
    buf_init(&msg, 8192);
    server_hello(&msg, 0xc02f, false);
    certificate(&msg, "the first certificate", "its issuer");
    add(&s, PROTO_RESPONDER, 22, msg.data, msg.len);
    add(&s, PROTO_RESPONDER, 22, "\x0e\0\0\0", 4);
    add(&s, PROTO_INITIATOR, 22,
        "\x10\0\0\x03"
        "key",
        7);
    add(&s, PROTO_INITIATOR, 20, "\1", 1);
    add(&s, PROTO_INITIATOR, 22, "finished, encrypted", 19);
    add(&s, PROTO_RESPONDER, 20, "\1", 1);
    add(&s, PROTO_RESPONDER, 22, "finished, encrypted", 19);
    add(&s, PROTO_INITIATOR, 23, "a01 LOGIN", 9);
    add(&s, PROTO_RESPONDER, 23, "a01 OK", 6);
    add(&s, PROTO_INITIATOR, 21, "encrypted alert", 15);
    uint8_t want[32];
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, span_of_text("the first certificate"));
    sha256_end(&h, want);
    for (size_t i = 0; i < CUTS; i++) {
        struct record_flow r;
        run(&s, 993, cuts[i], &r);
        assert_int_equal(r.app, RECORD_APP_IMAPS);
        assert_int_equal(r.groups, RECORD_HAS_TLS);
        assert_int_equal(r.tls.version, 0x0303);
        assert_int_equal(r.tls.cipher, 0xc02f);
        assert_string_equal(r.tls.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_string_equal(r.tls.sni_domain, "example.co.uk");
        assert_string_equal(r.tls.alpn, "imap");
        assert_memory_equal(r.tls.certificate_hash, want, 32);
        assert_true(r.tls.handshake_done);
        assert_int_equal(r.tls.application_octets[0], 9);
        assert_int_equal(r.tls.application_octets[1], 6);
        assert_int_equal(r.tls.alert, 255);
        assert_int_equal(r.tls.record_lengths[1], -(int)msg.len);
        assert_int_equal(r.tls.record_lengths[10], 15);
        assert_int_equal(r.tls.record_lengths[11], 0);
        assert_true(r.tls.time_to_close_ms >= 1000);
        assert_int_equal(r.incomplete, 0);
    }
    buf_fini(&msg);
    buf_fini(&s.octets);
}

static void test_tls13(void **state)
{
    (void)state;
    struct session s;
    struct buf msg;
    start(&s, "smtp.example.com");
    buf_init(&msg, 8192);
    server_hello(&msg, 0x1302, true);
    add(&s, PROTO_RESPONDER, 22, msg.data, msg.len);
    add(&s, PROTO_RESPONDER, 20, "\1", 1);
    add(&s, PROTO_RESPONDER, 23, "certificate and finished", 24);
    size_t before = s.n;
    add(&s, PROTO_INITIATOR, 20, "\1", 1);
    add(&s, PROTO_INITIATOR, 23, "finished", 8);
    add(&s, PROTO_RESPONDER, 23, "220 mx", 6);
    for (size_t i = 0; i < CUTS; i++) {
        struct record_flow r;
        run(&s, 465, cuts[i], &r);
        assert_int_equal(r.app, RECORD_APP_SMTPS);
        assert_int_equal(r.tls.version, 0x0304);
        assert_int_equal(r.tls.cipher, 0x1302);
        assert_string_equal(r.tls.alpn, "h2");
        assert_true(r.tls.handshake_done);
        assert_int_equal(r.tls.application_octets[1], 30);
        for (size_t k = 0; k < 32; k++)
            assert_int_equal(r.tls.certificate_hash[k], 0);
    }
    s.n = before;
    struct record_flow r;
    run(&s, 995, SIZE_MAX / 2, &r);
    assert_int_equal(r.app, RECORD_APP_POP3S);
    assert_false(r.tls.handshake_done);
    assert_int_equal(r.tls.time_to_close_ms, 0);
    // On other ports it is named, and not followed.
    run(&s, 8443, 100, &r);
    assert_int_equal(r.app, RECORD_APP_TLS);
    assert_int_equal(r.groups, 0);
    buf_fini(&msg);
    buf_fini(&s.octets);
}

static void test_broken(void **state)
{
    (void)state;
    struct session s;
    start(&s, "x.example");
    add(&s, PROTO_RESPONDER, 21, "\2\x28", 2);
    struct record_flow r;
    run(&s, 465, 1, &r);
    assert_int_equal(r.tls.alert, 0x28);
    // Text where a record should be.
    size_t at = s.octets.len;
    buf_text(&s.octets, "HTTP/1.0 400 Bad Request\r\n");
    s.piece[s.n++] = (struct piece){PROTO_RESPONDER, at, s.octets.len};
    run(&s, 465, SIZE_MAX / 2, &r);
    assert_int_equal(r.incomplete, RECORD_PARSER_LOST);
    assert_int_equal(r.tls.alert, 0x28);
    // A record longer than any may be.
    buf_fini(&s.octets);
    start(&s, "y.example");
    at = s.octets.len;
    buf_bytes(&s.octets,
              "\x17\3\3\xff\xff"
              "abc",
              8);
    s.piece[s.n++] = (struct piece){PROTO_RESPONDER, at, s.octets.len};
    run(&s, 465, SIZE_MAX / 2, &r);
    assert_int_equal(r.incomplete, RECORD_PARSER_LOST);
    buf_fini(&s.octets);
}

// Behind a gap the record goes on, or a side waits for a record's beginning.
static void test_gaps(void **state)
{
    (void)state;
    struct record_flow r;
    for (uint64_t missing = 1; missing < 12; missing++) {
        struct dialogue_flow d;
        struct session s;
        start(&s, "x.example");
        dialogue_open(&d, &(struct dialogue){.port = 465});
        proto_feed(&d.flow, d.pool, PROTO_INITIATOR, buf_span(&s.octets), d.t_us);
        proto_feed(&d.flow, d.pool, PROTO_RESPONDER,
                   span_of("\x17\3\3\0\x0a"
                           "abc",
                           8),
                   d.t_us);
        proto_gap(&d.flow, d.pool, PROTO_RESPONDER, missing, d.t_us);
        if (missing < 7)
            proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of("1234567", 7 - missing), d.t_us);
        if (missing > 7)
            proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of("middle of one", 13), d.t_us);
        proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of("\x17\3\3\0\2xy", 7), d.t_us);
        dialogue_close(&d, &r);
        assert_int_equal(r.tls.application_octets[1], missing <= 7 ? 12 - missing : 5);
        assert_int_equal(r.incomplete, missing <= 7 ? 0 : RECORD_PARSER_LOST);
        buf_fini(&s.octets);
    }
}

static void test_sslv2(void **state)
{
    (void)state;
    // An SSLv2 hello that offers TLS 1.0, answered by a TLS record.
    static const uint8_t hello[] = {0x80, 0x0f, 1, 3, 1, 0, 3, 0, 0, 0, 3, 0, 0, 4, 'a', 'b', 'c'};
    for (size_t cut = 1; cut <= sizeof hello; cut++) {
        struct dialogue_flow d;
        struct record_flow r;
        dialogue_open(&d, &(struct dialogue){.port = 465});
        for (size_t at = 0; at < sizeof hello; at += cut)
            proto_feed(&d.flow, d.pool, PROTO_INITIATOR,
                       span_of(hello + at, sizeof hello - at < cut ? sizeof hello - at : cut),
                       d.t_us);
        proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of("\x15\3\1\0\2\2\x46", 7), d.t_us);
        proto_feed(&d.flow, d.pool, PROTO_INITIATOR, span_of("\x17\3\1\0\1z", 6), d.t_us);
        dialogue_close(&d, &r);
        assert_int_equal(r.app, RECORD_APP_SMTPS);
        assert_int_equal(r.tls.alert, 70);
        assert_int_equal(r.tls.application_octets[0], 1);
        assert_string_equal(r.tls.ja4, "");
        assert_int_equal(r.incomplete, 0);
    }
}

static void test_midstream(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r;
    dialogue_open(&d, &(struct dialogue){.port = 993, .flags = DIALOGUE_MIDSTREAM});
    proto_feed(&d.flow, d.pool, PROTO_INITIATOR, span_of("\x17\3\3\0\4abcd", 9), d.t_us);
    proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of("rest of a record", 16), d.t_us);
    proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of("\x17\3\3\0\3xyz", 8), d.t_us);
    dialogue_close(&d, &r);
    assert_int_equal(r.app, RECORD_APP_IMAPS);
    assert_int_equal(r.tls.application_octets[0], 4);
    assert_int_equal(r.tls.application_octets[1], 3);
}

static void test_ja4_corners(void **state)
{
    (void)state;
    char ja4[37];
    struct tls_hello h = {.version = 0x0303};
    tls_ja4(&h, NULL, ja4);
    assert_string_equal(ja4, "t12i000000_000000000000_000000000000");
    // A first octet of ALPN that is no letter or digit: hexadecimal digits of both ends.
    h = (struct tls_hello){
        .version = 0x0002, .alpn_seen = true, .alpn_first = 0xab, .alpn_last = 0xcd};
    tls_ja4(&h, NULL, ja4);
    assert_memory_equal(ja4, "ts2i0000ad_", 11);
    static const uint16_t versions[][2] = {
        {0x0304, '3'}, {0x0302, '1'}, {0x0301, '0'}, {0x0300, '3'}, {0x7f17, '0'}};
    for (size_t i = 0; i < 5; i++) {
        h = (struct tls_hello){.version = versions[i][0]};
        tls_ja4(&h, NULL, ja4);
        assert_int_equal(ja4[2], versions[i][1]);
    }
    // The server's name and ALPN, which stand in the first part, are no extensions of the third.
    h = (struct tls_hello){
        .version = 0x0303, .sni_seen = true, .extension_count = 2, .extensions = {0x0000, 0x0010}};
    tls_ja4(&h, NULL, ja4);
    assert_string_equal(ja4, "t12d000200_000000000000_000000000000");
    // More than is kept counts, up to 99.
    h = (struct tls_hello){.version = 0x0303, .cipher_count = 300, .extension_count = 150};
    tls_ja4(&h, NULL, ja4);
    assert_memory_equal(ja4, "t12i999900_", 11);
}

static void test_broken_hello(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t len;
    } bad[] = {
        {"\x02\x00", 2},                                    // not version 3
        {"\3\3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x21", 35},   // a session id too long
        {"\3\3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\0\3", 37}, // ciphers of odd length
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tls_hello h = {0};
        tls_hello_feed(&h, true, span_of(bad[i].octets, bad[i].len));
        assert_true(h.broken);
    }
    // Bodies that do not hold what they say are left alone.
    static const uint16_t types[] = {0, 13, 16, 43};
    static const char *const body[] = {"",
                                       "\0",
                                       "\0\1\1",
                                       "\0\x09\0\0\x20"
                                       "ab",
                                       "\0\1\0",
                                       "\0\3\x09h2"};
    for (size_t t = 0; t < 4; t++)
        for (size_t k = 0; k < 6; k++) {
            static const size_t len[] = {0, 1, 3, 7, 3, 5};
            struct buf b;
            buf_init(&b, 256);
            buf_bytes(&b, "\3\3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\0\2\x13\1\1\0\xff\xff", 43);
            extension(&b, types[t], body[k], len[k]);
            struct tls_hello h = {0};
            tls_hello_feed(&h, true, buf_span(&b));
            assert_false(h.broken);
            assert_string_equal(h.domain, "");
            assert_int_equal(h.version, 0x0303);
            assert_false(h.alpn_seen && k != 2);
            buf_fini(&b);
        }
}

static void test_domain(void **state)
{
    (void)state;
    static const struct {
        const char *host, *domain;
    } rows[] = {
        {"mail.example.com", "example.com"},
        {"example.com", "example.com"},
        {"a.b.c.Example.CO.UK.", "example.co.uk"},
        {"co.uk", "co.uk"},
        {"imap.example.com.au", "example.com.au"},
        {"mx.example.uk", "example.uk"},
        {"mx.foo.de", "foo.de"},
        {"localhost", ""},
        {"192.0.2.7", ""},
        {"", ""},
        {".", ""},
        {"..com", ""},
        {"a..com", ""},
        {"mail.exa mple.com", ""},
        {"smtp_1.example-x.org", "example-x.org"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[64];
        tls_registered_domain(span_of_text(rows[i].host), out, sizeof out);
        assert_string_equal(out, rows[i].domain);
    }
    char small[8];
    tls_registered_domain(span_of_text("mail.averylongname.org"), small, sizeof small);
    assert_string_equal(small, "ame.org");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls12),       cmocka_unit_test(test_tls13),
        cmocka_unit_test(test_broken),      cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_sslv2),       cmocka_unit_test(test_midstream),
        cmocka_unit_test(test_ja4_corners), cmocka_unit_test(test_broken_hello),
        cmocka_unit_test(test_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
