// The prefix set against a plain search through all prefixes, nested and side by side, small and with
// a million.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/addr.h"

static void add(struct prefix_set *s, const char *text, uint32_t value)
{
    struct ip_prefix p;
    assert_int_equal(prefix_parse(text, &p), 0);
    assert_int_equal(prefix_set_add(s, &p, value), 0);
}

// The value found, or -1.
static int64_t find(const struct prefix_set *s, const char *text)
{
    struct ip_addr a;
    uint32_t value = 4711;
    assert_int_equal(ip_parse(text, &a), 0);
    bool found = prefix_set_find(s, &a, &value);
    assert_int_equal(prefix_set_find(s, &a, NULL), found);
    if (!found)
        assert_int_equal(value, 4711);
    return found ? (int64_t)value : -1;
}

static void longest_match(void **state)
{
    (void)state;
    struct prefix_set *s = prefix_set_new();
    add(s, "10.1.2.0/24", 24);
    add(s, "10.0.0.0/8", 8);
    add(s, "10.1.0.0/16", 16);
    add(s, "10.1.2.3", 32);
    add(s, "192.0.2.0/24", UINT32_MAX);
    add(s, "2001:db8::/32", 6);
    add(s, "2001:db8:0:1::/64", 64);
    prefix_set_freeze(s);
    assert_int_equal(prefix_set_count(s), 7);
    static const struct {
        const char *addr;
        int64_t value;
    } cases[] = {
        {"10.1.2.3", 32},          {"10.1.2.4", 24},
        {"10.1.2.255", 24},        {"10.1.3.0", 16},
        {"10.1.255.255", 16},      {"10.2.0.0", 8},
        {"10.255.255.255", 8},     {"10.0.0.0", 8},
        {"9.255.255.255", -1},     {"11.0.0.0", -1},
        {"192.0.2.1", UINT32_MAX}, {"192.0.3.0", -1},
        {"0.0.0.0", -1},           {"255.255.255.255", -1},
        {"2001:db8::1", 6},        {"2001:db8:0:1::9", 64},
        {"2001:db8:0:2::", 6},     {"2001:db7:ffff::", -1},
        {"2001:db9::", -1},        {"::", -1},
        {"::ffff:10.1.2.3", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(find(s, cases[i].addr), cases[i].value);
    assert_false(prefix_set_find(s, &(struct ip_addr){0}, NULL));
    prefix_set_free(s);
}

static void edges(void **state)
{
    (void)state;
    struct prefix_set *s = prefix_set_new();
    prefix_set_freeze(s);
    assert_int_equal(find(s, "192.0.2.1"), -1);
    assert_int_equal(find(s, "::1"), -1);
    prefix_set_free(s);

    s = prefix_set_new();
    add(s, "0.0.0.0/0", 1);
    add(s, "::/0", 2);
    add(s, "255.255.255.255", 3);
    add(s, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4);
    add(s, "8000::/1", 5);
    add(s, "::/64", 6);
    prefix_set_freeze(s);
    assert_int_equal(find(s, "0.0.0.0"), 1);
    assert_int_equal(find(s, "255.255.255.254"), 1);
    assert_int_equal(find(s, "255.255.255.255"), 3);
    assert_int_equal(find(s, "7fff::"), 2);
    assert_int_equal(find(s, "8000::"), 5);
    assert_int_equal(find(s, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 4);
    assert_int_equal(find(s, "::ffff"), 6);
    assert_int_equal(find(s, "0:0:0:1::"), 2);
    prefix_set_free(s);
    prefix_set_free(NULL);
}

static void same_prefix_twice(void **state)
{
    (void)state;
    struct prefix_set *s = prefix_set_new();
    add(s, "10.0.0.0/8", 1);
    add(s, "10.0.0.0/8", 2);
    add(s, "10.0.0.0/9", 3);
    add(s, "10.0.0.0/8", 4);
    prefix_set_freeze(s);
    assert_int_equal(prefix_set_count(s), 2);
    assert_int_equal(find(s, "10.128.0.0"), 4); // the later value
    assert_int_equal(find(s, "10.0.0.1"), 3);
    prefix_set_free(s);
}

static void private_ranges(void **state)
{
    (void)state;
    struct prefix_set *s = prefix_set_new();
    assert_int_equal(prefix_set_add_private(s, 7), 0);
    prefix_set_freeze(s);
    static const char *const in[] = {"10.0.0.1",    "172.16.0.1", "172.31.255.255",
                                     "192.168.1.1", "100.64.0.1", "100.127.255.255",
                                     "fd00::1",     "fc00::"};
    static const char *const out[] = {"172.32.0.0", "172.15.255.255", "192.169.0.0", "100.128.0.0",
                                      "8.8.8.8",    "2001:db8::1",    "fe00::1",     "fe80::1"};
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        assert_int_equal(find(s, in[i]), 7);
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        assert_int_equal(find(s, out[i]), -1);
    prefix_set_free(s);
}

// splitmix64: the same numbers in every run.
static uint64_t next_number(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

// Few distinct octets, so that prefixes nest and addresses hit.
static struct ip_addr crowded_address(uint64_t *seed, bool v6)
{
    struct ip_addr a = {.family = v6 ? IP_V6 : IP_V4};
    uint64_t r = next_number(seed);
    for (size_t i = 0; i < ip_size(a.family); i++) {
        a.octet[i] = (uint8_t)((r & 3) * 0x55);
        r = r >> 2 | r << 62;
    }
    return a;
}

static void against_plain_search(void **state)
{
    (void)state;
    enum { PREFIXES = 3000, LOOKUPS = 3000 };
    static struct ip_prefix plain[PREFIXES];
    uint64_t seed = 1;
    for (int round = 0; round < 2; round++) {
        struct prefix_set *s = prefix_set_new();
        for (uint32_t i = 0; i < PREFIXES; i++) {
            struct ip_addr a = crowded_address(&seed, i % 2 == 0);
            plain[i] = prefix_of(&a, (uint8_t)(next_number(&seed) % (i % 2 == 0 ? 129 : 33)));
            assert_int_equal(prefix_set_add(s, &plain[i], i), 0);
        }
        prefix_set_freeze(s);
        size_t hits = 0;
        for (int i = 0; i < LOOKUPS; i++) {
            struct ip_addr a = crowded_address(&seed, i % 2 == 0);
            int64_t expected = -1;
            for (uint32_t k = 0; k < PREFIXES; k++) {
                if (prefix_contains(&plain[k], &a) &&
                    (expected < 0 || plain[k].len >= plain[expected].len))
                    expected = k;
            }
            uint32_t value;
            bool found = prefix_set_find(s, &a, &value);
            assert_int_equal(found ? (int64_t)value : -1, expected);
            hits += found && plain[expected].len > 4;
        }
        assert_true(hits > LOOKUPS / 10); // the test looked at something
        prefix_set_free(s);
    }
}

static void a_million(void **state)
{
    (void)state;
    struct prefix_set *s = prefix_set_new();
    // Every /24 of 16 /8 networks (1,048,576 of them), in no order, each with its own number.
    for (uint32_t i = 0; i < 1u << 20; i++) {
        uint32_t n = (i * 2654435761u) & 0xfffff; // a permutation, as the factor is odd
        const uint8_t octet[4] = {(uint8_t)(16 + (n >> 16)), (uint8_t)(n >> 8), (uint8_t)n, 0};
        struct ip_prefix p = {.addr = ip_from_v4(octet), .len = 24};
        assert_int_equal(prefix_set_add(s, &p, n), 0);
    }
    prefix_set_freeze(s);
    assert_int_equal(prefix_set_count(s), 1u << 20);
    uint64_t seed = 9;
    for (int i = 0; i < 1000000; i++) {
        uint32_t n = (uint32_t)next_number(&seed);
        const uint8_t octet[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                                  (uint8_t)n};
        struct ip_addr a = ip_from_v4(octet);
        uint32_t value = 0;
        bool in = octet[0] >= 16 && octet[0] < 32;
        if (prefix_set_find(s, &a, &value) != in || (in && value != ((n >> 8) - (16u << 16))))
            fail_msg("address %08x: value %u", n, value);
    }
    prefix_set_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_match),        cmocka_unit_test(edges),
        cmocka_unit_test(same_prefix_twice),    cmocka_unit_test(private_ranges),
        cmocka_unit_test(against_plain_search), cmocka_unit_test(a_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
