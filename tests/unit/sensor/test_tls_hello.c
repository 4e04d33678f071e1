// Hello messages read field by field come out as octet for octet, whatever they say and wherever they are
// cut: bodies made at random, then damaged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/tls_hello.h"

#define BODY_MAX 1500
#define BODIES   200

static uint64_t seed = 1;

static uint32_t rnd(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

struct body {
    size_t len;
    uint8_t octet[BODY_MAX];
};

static void put(struct body *b, uint32_t v, size_t octets)
{
    for (size_t i = octets; i > 0 && b->len < BODY_MAX; i--)
        b->octet[b->len++] = (uint8_t)(v >> (8 * (i - 1)));
}

static void put_any(struct body *b, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        put(b, rnd(256), 1);
}

static void put_name(struct body *b, size_t octets)
{
    static const char text[] = "mail.example.co.uk";
    for (size_t i = 0; i < octets; i++)
        put(b, (uint8_t)text[rnd(4) ? i % (sizeof text - 1) : rnd(sizeof text - 1)], 1);
}

static void put_extension(struct body *b)
{
    static const uint16_t type[] = {0, 13, 16, 43, 51, 21, 0x0a0a, 65281};
    uint16_t t = type[rnd(sizeof type / sizeof *type)];
    uint32_t len = rnd(8) == 0 ? 0 : rnd(10) == 0 ? rnd(500) : rnd(60);
    put(b, t, 2);
    if (t == 0 && len > 5) { // a server name
        put(b, len, 2);
        put(b, len - 2, 2);
        put(b, 0, 1);
        put(b, len - 5, 2);
        put_name(b, len - 5);
    } else if (t == 16 && len > 3) { // ALPN
        put(b, len, 2);
        put(b, len - 2, 2);
        put(b, len - 3, 1);
        put_any(b, len - 3);
    } else if (t == 43 && len > 2) { // versions
        put(b, len, 2);
        put(b, len - 1, 1);
        for (uint32_t i = 1; i < len; i++)
            put(b, i % 2 ? 3 : rnd(6), 1);
    } else {
        put(b, len, 2);
        put_any(b, len);
    }
}

static void make(struct body *b, bool from_client)
{
    b->len = 0;
    put(b, 0x0303, 2);
    put_any(b, 32);
    uint32_t session = rnd(3) ? 32 : rnd(33), ciphers = rnd(200) * 2;
    put(b, session, 1);
    put_any(b, session);
    put(b, from_client ? ciphers : 0x1301, 2);
    if (from_client) {
        put_any(b, ciphers);
        put(b, 0x0100, 2);
    } else {
        put(b, 0, 1);
    }
    put(b, rnd(65536), 2);
    for (uint32_t n = rnd(25); n > 0; n--)
        put_extension(b);
    for (uint32_t n = rnd(3) ? 0 : rnd(4) + 1; n > 0; n--)
        b->octet[rnd((uint32_t)b->len)] = (uint8_t)rnd(256);
    if (rnd(4) == 0)
        b->len = rnd((uint32_t)b->len);
}

static void test_any_cut(void **state)
{
    (void)state;
    unsigned whole = 0, named = 0;
    for (unsigned n = 0; n < BODIES; n++) {
        struct body b;
        bool from_client = rnd(4) != 0;
        make(&b, from_client);
        struct tls_hello slow = {0}, fast = {0}, parts = {0};
        for (size_t i = 0; i < b.len; i++)
            tls_hello_feed(&slow, from_client, span_of(b.octet + i, 1));
        tls_hello_feed(&fast, from_client, span_of(b.octet, b.len));
        assert_memory_equal(&slow, &fast, sizeof slow);
        whole += !fast.broken;
        named += fast.domain[0] != '\0';
        for (size_t cut = 0; cut <= b.len; cut++) {
            struct tls_hello h = {0};
            tls_hello_feed(&h, from_client, span_of(b.octet, cut));
            tls_hello_feed(&h, from_client, span_of(b.octet + cut, b.len - cut));
            assert_memory_equal(&slow, &h, sizeof slow);
        }
        for (size_t at = 0; at < b.len;) {
            size_t len = 1 + rnd(40);
            len = len < b.len - at ? len : b.len - at;
            tls_hello_feed(&parts, from_client, span_of(b.octet + at, len));
            at += len;
        }
        assert_memory_equal(&slow, &parts, sizeof slow);
    }
    assert_true(whole > BODIES / 2 && named > BODIES / 10);
}

// With the memo and without it the fingerprint is the same, also when lists come again in another order.
static void test_fingerprints(void **state)
{
    (void)state;
    struct tls_ja4_memo *memo = tls_ja4_memo_new();
    assert_non_null(memo);
    static struct body kept[16];
    for (unsigned n = 0; n < BODIES * 4; n++) {
        struct body *b = &kept[rnd(16)];
        if (n < 16 || rnd(8) == 0)
            make(b = &kept[n % 16], true);
        struct tls_hello h = {0};
        tls_hello_feed(&h, true, span_of(b->octet, b->len));
        size_t all = h.extension_count < TLS_EXTENSIONS_MAX ? h.extension_count
                                                            : TLS_EXTENSIONS_MAX;
        if (all > 1) { // as browsers shuffle them
            size_t one = rnd((uint32_t)all), other = rnd((uint32_t)all);
            uint16_t moved = h.extensions[one];
            h.extensions[one] = h.extensions[other];
            h.extensions[other] = moved;
        }
        char with[37], without[37];
        tls_ja4(&h, memo, with);
        tls_ja4(&h, NULL, without);
        assert_string_equal(with, without);
        assert_int_equal(strlen(with), 36);
    }
    tls_ja4_memo_free(memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_cut),
                                       cmocka_unit_test(test_fingerprints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
