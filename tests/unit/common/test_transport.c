// Addresses, and acknowledgements in every cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "common/transport.h"

static void test_addresses(void **state)
{
    static const struct {
        const char *text, *host, *port;
        int kind;
    } good[] = {
        {"collector.example:4739", "collector.example", "4739", TRANSPORT_TLS},
        {"192.0.2.1:1", "192.0.2.1", "1", TRANSPORT_TLS},
        {"[2001:db8::1]:4739", "2001:db8::1", "4739", TRANSPORT_TLS},
        {"tcp:127.0.0.1:4739", "127.0.0.1", "4739", TRANSPORT_TCP},
        {"unix:/run/postern/in.sock", "/run/postern/in.sock", "", TRANSPORT_UNIX},
    };
    static const char *const bad[] = {"",
                                      "host",
                                      "host:",
                                      ":4739",
                                      "host:65536",
                                      "host:x",
                                      "host:123456",
                                      "2001:db8::1:4739",
                                      "[]:4739",
                                      "unix:",
                                      "unix:relative",
                                      "tcp:",
                                      "unix:/0123456789012345678901234567890123456789012345678901"
                                      "234567890123456789012345678901234567890123456789012345678"};
    (void)state;
    struct transport_address a;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(transport_address_parse(good[i].text, &a), 0);
        assert_string_equal(a.host, good[i].host);
        assert_string_equal(a.port, good[i].port);
        assert_int_equal(a.kind, good[i].kind);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(transport_address_parse(bad[i], &a), -EINVAL);
}

struct heard {
    struct transport_ack ack[8];
    size_t count;
};

static void hear(void *ctx, const struct transport_ack *a)
{
    struct heard *h = ctx;
    assert_true(h->count < 8);
    h->ack[h->count++] = *a;
}

static const struct transport_ack said[] = {
    {1, 1795326720000000, 1}, {UINT32_MAX, UINT64_MAX, UINT64_MAX}, {7, 2, 300}};

static void say(struct buf *out)
{
    struct transport_ack_writer w = {0};
    buf_init(out, 4096);
    for (size_t i = 0; i < 3; i++)
        transport_ack_put(&w, &said[i], 1795326720000, out);
    assert_false(out->failed);
}

static void test_acks(void **state)
{
    struct buf b;
    (void)state;
    say(&b);
    for (size_t cut = 0; cut <= b.len; cut++) {
        struct transport_ack_reader r = {0};
        struct heard h = {0};
        assert_int_equal(transport_ack_feed(&r, span_of(b.data, cut), hear, &h), 0);
        assert_int_equal(transport_ack_feed(&r, span_of(b.data + cut, b.len - cut), hear, &h), 0);
        assert_int_equal(h.count, 3);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(h.ack[i].domain, said[i].domain);
            assert_true(h.ack[i].epoch == said[i].epoch && h.ack[i].sequence == said[i].sequence);
        }
    }
    buf_fini(&b);
}

// The template is told once; sets of other numbers are passed over; what is no IPFIX ends it, for good.
static void test_others(void **state)
{
    struct buf b, other;
    struct transport_ack_reader r = {0};
    struct heard h = {0};
    (void)state;
    say(&b);
    assert_int_equal(b.len, 3 * (16 + 20) + 24);
    buf_init(&other, 256);
    buf_be(&other, 10, 2);
    buf_be(&other, 16 + 8, 2);
    buf_be(&other, 0, 8);
    buf_be(&other, 0, 4);
    buf_be(&other, 300, 2);
    buf_be(&other, 8, 2);
    buf_be(&other, 0x01020304, 4);
    assert_int_equal(transport_ack_feed(&r, buf_span(&other), hear, &h), 0);
    assert_int_equal(h.count, 0);
    assert_int_equal(transport_ack_feed(&r, buf_span(&b), hear, &h), 0);
    assert_int_equal(h.count, 3);
    static const char *const broken[] = {"\0\x09\0\x10", "\0\x0a\0\x0f", "\0\x0a\xff\xff",
                                         "\0\x0a\0\x14............\0\x00\0\x03",
                                         "\0\x0a\0\x18............\x05\x0a\0\x0c...."};
    static const size_t len[] = {4, 4, 4, 20, 24};
    for (size_t i = 0; i < 5; i++) {
        struct transport_ack_reader bad = {0};
        h.count = 0;
        assert_int_equal(transport_ack_feed(&bad, span_of(broken[i], len[i]), hear, &h), -EBADMSG);
        assert_int_equal(transport_ack_feed(&bad, buf_span(&b), hear, &h), -EBADMSG);
        assert_int_equal(h.count, 0);
    }
    buf_fini(&b);
    buf_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
