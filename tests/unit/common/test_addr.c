// Addresses and prefixes: text forms, strictness, RFC 5952 output, containment.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "common/addr.h"

static void address_text(void **state)
{
    (void)state;
    // What is read, and its canonical form (NULL: the same).
    static const struct {
        const char *text, *canonical;
        uint8_t family;
    } cases[] = {
        {"192.0.2.7", NULL, IP_V4},
        {"0.0.0.0", NULL, IP_V4},
        {"255.255.255.255", NULL, IP_V4},
        {"::", NULL, IP_V6},
        {"::1", NULL, IP_V6},
        {"1::", NULL, IP_V6},
        {"2001:db8::1", NULL, IP_V6},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", IP_V6},
        {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1", IP_V6}, // first of equals
        {"2001:db8:0:1:1:1:1:1", NULL, IP_V6},                                   // one zero stays
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", IP_V6},                          // the longer run
        {"0:0:0:0:0:ffff:c000:207", "::ffff:192.0.2.7", IP_V6},
        {"::ffff:192.0.2.7", NULL, IP_V6},
        {"::192.0.2.7", "::c000:207", IP_V6}, // no mixed notation outside of ::ffff:0:0/96
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", IP_V6},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", IP_V6},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, IP_V6},
        {"fe80::", NULL, IP_V6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ip_addr a, again;
        char text[IP_TEXT_MAX];
        assert_int_equal(ip_parse(cases[i].text, &a), 0);
        assert_int_equal(a.family, cases[i].family);
        assert_ptr_equal(ip_format(&a, text), text);
        assert_string_equal(text, cases[i].canonical ? cases[i].canonical : cases[i].text);
        assert_int_equal(ip_parse(text, &again), 0);
        assert_true(ip_equal(&a, &again));
    }
}

static void address_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",           " ",
                                        "192.0.2",    "192.0.2.256",
                                        "192.0.2.07", "192.0.2.7 ",
                                        " 192.0.2.7", "0x7f.1",
                                        "3221225991", "1.2.3.4.5",
                                        "192.0.2.-1", "::1%eth0",
                                        "fe80::1%1",  ":::",
                                        "1::2::3",    "12345::",
                                        "2001:db8",   "[::1]",
                                        "::1/128",    "::ffff:1.2.3",
                                        "g::",        "1:2:3:4:5:6:7:8:9",
                                        "192.0.2.7\n"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ip_addr a = {.family = 99};
        assert_int_equal(ip_parse(cases[i], &a), -EINVAL);
        assert_int_equal(a.family, 99);
    }
    char text[IP_TEXT_MAX];
    assert_string_equal(ip_format(&(struct ip_addr){0}, text), "-");
}

static void prefix_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical; // NULL: refused
        uint8_t len;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.0/24", 24},
        {"192.0.2.7", "192.0.2.7", 32},
        {"192.0.2.7/32", "192.0.2.7", 32},
        {"0.0.0.0/0", "0.0.0.0/0", 0},
        {"128.0.0.0/1", "128.0.0.0/1", 1},
        {"2001:db8::/32", "2001:db8::/32", 32},
        {"2001:db8::1/128", "2001:db8::1", 128},
        {"::/0", "::/0", 0},
        {"fc00::/7", "fc00::/7", 7},
        {"::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104", 104},
        {"192.0.2.1/24", NULL, 0},
        {"fe00::/7", "fe00::/7", 7},
        {"fd00::/7", NULL, 0},
        {"192.0.2.0/33", NULL, 0},
        {"2001:db8::/129", NULL, 0},
        {"192.0.2.0/", NULL, 0},
        {"192.0.2.0/024", NULL, 0},
        {"192.0.2.0/00", NULL, 0},
        {"192.0.2.0/+8", NULL, 0},
        {"192.0.2.0/8 ", NULL, 0},
        {"192.0.2.0/1000", NULL, 0},
        {"192.0.2/24", NULL, 0},
        {"/24", NULL, 0},
        {"", NULL, 0},
        {"192.0.2.0/24/24", NULL, 0},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ip_prefix p = {.len = 77};
        char text[PREFIX_TEXT_MAX];
        int rc = prefix_parse(cases[i].text, &p);
        assert_int_equal(rc, cases[i].canonical ? 0 : -EINVAL);
        assert_int_equal(p.len, cases[i].canonical ? cases[i].len : 77);
        if (rc == 0)
            assert_string_equal(prefix_format(&p, text), cases[i].canonical);
    }
}

static struct ip_addr addr(const char *text)
{
    struct ip_addr a;
    assert_int_equal(ip_parse(text, &a), 0);
    return a;
}

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix p;
    assert_int_equal(prefix_parse(text, &p), 0);
    return p;
}

static void containment(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *addr;
        bool in;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"100.64.0.0/10", "100.127.0.1", true},
        {"100.64.0.0/10", "100.128.0.1", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::", false},
        {"::/0", "0.0.0.0", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8::/127", "2001:db8::1", true},
        {"2001:db8::/127", "2001:db8::2", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ip_prefix p = prefix(cases[i].prefix);
        struct ip_addr a = addr(cases[i].addr);
        assert_int_equal(prefix_contains(&p, &a), cases[i].in);
    }
    struct ip_addr none = {0};
    assert_false(prefix_contains(&(struct ip_prefix){0}, &none));
}

static void prefix_of_address(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        uint8_t len;
        const char *prefix;
    } cases[] = {
        {"192.0.2.255", 24, "192.0.2.0/24"},
        {"192.0.2.255", 25, "192.0.2.128/25"},
        {"192.0.2.255", 0, "0.0.0.0/0"},
        {"192.0.2.255", 200, "192.0.2.255"},
        {"2001:db8:1:2ff::9", 56, "2001:db8:1:200::/56"},
        {"ffff::", 3, "e000::/3"},
        {"2001:db8::9", 128, "2001:db8::9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ip_addr a = addr(cases[i].addr);
        struct ip_prefix p = prefix_of(&a, cases[i].len);
        char text[PREFIX_TEXT_MAX];
        assert_string_equal(prefix_format(&p, text), cases[i].prefix);
        assert_true(prefix_contains(&p, &a));
    }
}

static void order(void **state)
{
    (void)state;
    static const char *const sorted[] = {"0.0.0.0/0",     "10.0.0.0/8",   "10.0.0.0/16",
                                         "10.0.1.0/24",   "10.0.1.0",     "::/0",
                                         "2001:db8::/32", "2001:db8::/48"};
    for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++) {
        for (size_t j = 0; j < sizeof sorted / sizeof sorted[0]; j++) {
            struct ip_prefix a = prefix(sorted[i]), b = prefix(sorted[j]);
            int c = prefix_compare(&a, &b);
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_text),      cmocka_unit_test(address_refused),
        cmocka_unit_test(prefix_text),       cmocka_unit_test(containment),
        cmocka_unit_test(prefix_of_address), cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
