// Realms, keys and parties: what is written reads back the same, and nothing else is taken.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/identity.h"
#include "record_random.h"

static void test_realms(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "vlan:101",
        "qinq:101.7/pppoe:4711",
        "mpls:1040",
        "vni:5001",
        "l2tp:12.4",
        "gtp:1234",
        "b4:2001:db8::1",
        "name:pop-1",
        "#00112233445566778899aabbccddeeff",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", // 47
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct realm r;
        memset(&r, 0xff, sizeof r);
        assert_int_equal(realm_parse(good[i], &r), 0);
        assert_string_equal(r.name, good[i]);
        assert_true(realm_is_valid(&r)); // NULs to the end included
    }
    static const char *const bad[] = {
        "VLAN:1",
        "vlan 1",
        "vlan_1",
        "/",
        "/vlan:1",
        "vlan:1/",
        "vlan:1//mpls:2",
        "vl\xc3\xa4n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", // 48
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct realm r = {"kept"};
        assert_int_equal(realm_parse(bad[i], &r), -EINVAL);
        assert_string_equal(r.name, "kept");
    }
}

// What a sensor can have named is taken, what it cannot is told with the way to write it.
static void test_realms_that_people_write(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wrong; // NULL: right
    } cases[] = {
        {"", NULL},
        {"vlan:0", NULL},
        {"vlan:4095", NULL},
        {"vlan:4096", "vlan:0 to vlan:4095"},
        {"vlan:", "vlan:0 to vlan:4095"},
        {"vlan:01", "vlan:0 to vlan:4095"},
        {"vlan:1x", "vlan:0 to vlan:4095"},
        {"vlan:1.2", "vlan:0 to vlan:4095"},
        {"vlan:99999999999999999999999", "vlan:0 to vlan:4095"},
        {"qinq:101.7", NULL},
        {"qinq:101", "as qinq:101.7"},
        {"qinq:101.", "as qinq:101.7"},
        {"qinq:101.4096", "as qinq:101.7"},
        {"pppoe:65535", NULL},
        {"pppoe:65536", "pppoe:65535"},
        {"mpls:1048575", NULL},
        {"mpls:1048576", "mpls:1048575"},
        {"vni:16777215", NULL},
        {"vni:16777216", "vni:16777215"},
        {"l2tp:4294967295.4294967295", NULL},
        {"l2tp:12", "as l2tp:12.4"},
        {"gtp:4294967296", "gtp:4294967295"},
        {"b4:2001:db8::1", NULL},
        {"b4:nowhere", "b4:2001:db8::1"},
        {"name:pop-1", NULL},
        {"name:", "name:pop-1"},
        {"qinq:101.7/pppoe:4711", NULL},
        {"qinq:101.7/pppoe:99999", "pppoe:65535"},
        {"foo:1", "a layer that there is not"},
        {"vlan", "a layer that there is not"},
        {"pop-1", "a layer that there is not"},
        {"VLAN:1", "is no realm"},
        {"vlan:1/", "is no realm"},
        {"#00112233445566778899aabbccddeeff", NULL},
        {"#0011", "32 hex digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *wrong = realm_check(cases[i].text);
        if (cases[i].wrong ? !wrong || !strstr(wrong, cases[i].wrong) : wrong != NULL)
            fail_msg("%s: %s", cases[i].text, wrong ? wrong : "taken");
    }
}

static void test_keys_in_their_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t kind;
        const char *realm, *prefix;
        uint16_t first, last;
        uint8_t key_id;
        uint64_t mailbox;
    } rows[] = {
        {"192.0.2.7", SUBSCRIBER_ADDRESS, "", "192.0.2.7", 0, 65535, 0, 0},
        {"192.0.2.0/24", SUBSCRIBER_ADDRESS, "", "192.0.2.0/24", 0, 65535, 0, 0},
        {"vlan:101/192.0.2.7", SUBSCRIBER_ADDRESS, "vlan:101", "192.0.2.7", 0, 65535, 0, 0},
        {"2001:db8:1::/56", SUBSCRIBER_ADDRESS, "", "2001:db8:1::/56", 0, 65535, 0, 0},
        {"qinq:101.7/pppoe:4711/2001:db8:1::/56", SUBSCRIBER_ADDRESS, "qinq:101.7/pppoe:4711",
         "2001:db8:1::/56", 0, 65535, 0, 0},
        {"192.0.2.7:1024-2047", SUBSCRIBER_ADDRESS, "", "192.0.2.7", 1024, 2047, 0, 0},
        {"192.0.2.0/30:0-65534", SUBSCRIBER_ADDRESS, "", "192.0.2.0/30", 0, 65534, 0, 0},
        {"[2001:db8::7]:1024-2047", SUBSCRIBER_ADDRESS, "", "2001:db8::7", 1024, 2047, 0, 0},
        {"name:pop-1/[2001:db8::/56]:7-7", SUBSCRIBER_ADDRESS, "name:pop-1", "2001:db8::/56", 7, 7,
         0, 0},
        // A realm that looks like an address, or like a port block.
        {"b4:2001:db8::1/2001:db8::7", SUBSCRIBER_ADDRESS, "b4:2001:db8::1", "2001:db8::7", 0,
         65535, 0, 0},
        {"b4:2001:db8::1/10.0.0.1", SUBSCRIBER_ADDRESS, "b4:2001:db8::1", "10.0.0.1", 0, 65535, 0,
         0},
        {"name:a:1-2/10.0.0.0/8", SUBSCRIBER_ADDRESS, "name:a:1-2", "10.0.0.0/8", 0, 65535, 0, 0},
        {"client:198.51.100.0/24", SUBSCRIBER_CLIENT, "", "198.51.100.0/24", 0, 65535, 0, 0},
        {"vni:9/client:2001:db8::/48", SUBSCRIBER_CLIENT, "vni:9", "2001:db8::/48", 0, 65535, 0, 0},
        {"client:[2001:db8::7]:80-81", SUBSCRIBER_CLIENT, "", "2001:db8::7", 80, 81, 0, 0},
        {"mailbox:1:00ff00ff00ff00ff", SUBSCRIBER_MAILBOX, "", NULL, 0, 0, 1,
         UINT64_C(0x00ff00ff00ff00ff)},
        {"name:x/mailbox:255:ffffffffffffffff", SUBSCRIBER_MAILBOX, "name:x", NULL, 0, 0, 255,
         UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct subscriber_key k, again;
        char text[SUBSCRIBER_TEXT_MAX];
        if (subscriber_key_parse(rows[i].text, &k) != 0)
            fail_msg("%s was not read", rows[i].text);
        assert_int_equal(k.kind, rows[i].kind);
        assert_string_equal(k.realm.name, rows[i].realm);
        assert_int_equal(k.port_first, rows[i].first);
        assert_int_equal(k.port_last, rows[i].last);
        assert_int_equal(k.mailbox_key_id, rows[i].key_id);
        assert_true(k.mailbox == rows[i].mailbox);
        if (rows[i].prefix) {
            struct ip_prefix p;
            assert_int_equal(prefix_parse(rows[i].prefix, &p), 0);
            assert_int_equal(prefix_compare(&p, &k.prefix), 0);
        }
        assert_string_equal(subscriber_key_format(&k, text), rows[i].text);
        assert_int_equal(subscriber_key_parse(text, &again), 0);
        assert_memory_equal(&k, &again, sizeof k);
    }
}

static void test_what_is_no_key(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/",
        "192.0.2.7/",
        "/192.0.2.7",
        "vlan:101",
        "vlan:101/",
        "vlan:101//192.0.2.7",
        "192.0.2.7/33",
        "192.0.2.7/24", // host bits
        "192.0.2.7:2047-1024",
        "192.0.2.7:1024-70000",
        "192.0.2.7:-5",
        "192.0.2.7:5-",
        "192.0.2.7:0-65535", // the whole address has one form, without ports
        "192.0.2.7:01-2",
        "[192.0.2.7]:1-2",
        "[192.0.2.7]",
        "[2001:db8::7]",
        "[2001:db8::7]:",
        "2001:db8::7:1-2",
        "x[2001:db8::7]:1-2",
        "VLAN:1/192.0.2.7",
        "client:",
        "client:x",
        "mailbox:",
        "mailbox:1",
        "mailbox:0:00ff00ff00ff00ff",
        "mailbox:256:00ff00ff00ff00ff",
        "mailbox:1:00ff00ff00ff00f",
        "mailbox:1:00ff00ff00ff00ff0",
        "mailbox:1:00FF00ff00ff00ff",
        "xmailbox:1:00ff00ff00ff00ff",
        "192.0.2.7 ",
        " 192.0.2.7",
        "]",
        "[]",
        "[]:1-2",
        "client:[]",
        "[client:[192.0.2.7]",
        "192.0.2.07",
        "-",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct subscriber_key k = {.kind = 77};
        if (subscriber_key_parse(bad[i], &k) != -EINVAL || k.kind != 77)
            fail_msg("'%s' was taken", bad[i]);
    }
    char long_text[400];
    memset(long_text, 'a', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    struct subscriber_key k;
    assert_int_equal(subscriber_key_parse(long_text, &k), -EINVAL);
}

static struct subscriber_key random_key(struct record_random *g)
{
    static const char *const realms[] = {"", "vlan:7", "b4:2001:db8::1", "name:a-b/vni:3",
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct realm realm;
    assert_int_equal(realm_parse(realms[record_random_next(g) % 5], &realm), 0);
    uint64_t pick = record_random_next(g);
    if (pick % 8 == 0)
        return subscriber_key_mailbox(&realm, (uint8_t)(1 + pick / 8 % 255), record_random_next(g));
    struct ip_addr a = {.family = pick % 2 ? IP_V4 : IP_V6};
    for (size_t i = 0; i < ip_size(a.family); i++)
        a.octet[i] = (uint8_t)record_random_next(g);
    struct ip_prefix p = prefix_of(
        &a, (uint8_t)(record_random_next(g) % (a.family == IP_V4 ? 33 : 129)));
    struct subscriber_key k = subscriber_key_of(&realm, &p);
    if (pick % 3 == 0)
        k.kind = SUBSCRIBER_CLIENT;
    if (pick % 5 == 0) {
        k.port_first = (uint16_t)record_random_next(g);
        k.port_last = (uint16_t)(k.port_first + record_random_next(g) % (65536u - k.port_first));
    }
    return k;
}

static void test_any_key_round_trips(void **state)
{
    (void)state;
    struct record_random g = {.state = 11};
    for (int i = 0; i < 5000; i++) {
        struct subscriber_key k = random_key(&g), again;
        char text[SUBSCRIBER_TEXT_MAX];
        subscriber_key_format(&k, text);
        if (subscriber_key_parse(text, &again) != 0)
            fail_msg("%s was not read", text);
        assert_memory_equal(&k, &again, sizeof k);
        struct party p = party_provisional(&k), same;
        char party[PARTY_TEXT_MAX];
        assert_int_equal(party_parse(party_format(&p, party), &same), 0);
        assert_memory_equal(&p, &same, sizeof p);
    }
}

static void test_order(void **state)
{
    (void)state;
    // By kind, realm, address, length, ports: the same on every machine.
    static const char *const sorted[] = {
        "10.0.0.1",
        "10.0.0.1:5-9",
        "10.0.0.1:256-300",
        "10.0.0.2",
        "172.16.0.0/12",
        "2001:db8::/32",
        "2001:db8::/56",
        "vlan:10/10.0.0.1",
        "vlan:9/10.0.0.1",
        "mailbox:1:0000000000000100",
        "mailbox:2:0000000000000001",
        "client:10.0.0.1",
    };
    size_t n = sizeof sorted / sizeof *sorted;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            struct subscriber_key a, b;
            assert_int_equal(subscriber_key_parse(sorted[i], &a), 0);
            assert_int_equal(subscriber_key_parse(sorted[j], &b), 0);
            int d = subscriber_key_compare(&a, &b);
            if ((d > 0) != (i > j) || (d < 0) != (i < j))
                fail_msg("%s against %s: %d", sorted[i], sorted[j], d);
        }
}

// Neighbouring addresses, as subscribers are, spread over a table; and by the seed in another way.
static void test_hash_spreads(void **state)
{
    (void)state;
    enum { KEYS = 65536, BUCKETS = 1024 };
    static unsigned bucket[BUCKETS];
    unsigned fullest = 0, same = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        struct ip_prefix p = {.addr = {IP_V4, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}}, .len = 32};
        struct subscriber_key k = subscriber_key_of(&(struct realm){""}, &p);
        uint64_t h = subscriber_key_hash(&k, 12345);
        assert_true(h == subscriber_key_hash(&k, 12345));
        same += h % BUCKETS == subscriber_key_hash(&k, 54321) % BUCKETS;
        if (++bucket[h % BUCKETS] > fullest)
            fullest = bucket[h % BUCKETS];
    }
    assert_in_range(fullest, KEYS / BUCKETS,
                    2 * KEYS / BUCKETS); // 64 on average, 40 to 100 by chance
    assert_in_range(same, 0, 150);       // 64 by chance
}

// Every member counts: none is left out of order or hash.
static void test_every_member_counts(void **state)
{
    (void)state;
    struct subscriber_key a, k;
    assert_int_equal(subscriber_key_parse("vlan:1/10.0.0.0/8:5-9", &a), 0);
    for (int i = 0; i < 8; i++) {
        k = a;
        switch (i) {
        case 0: k.kind = SUBSCRIBER_CLIENT; break;
        case 1: k.realm.name[5]++; break;
        case 2: k.prefix.addr.octet[0]++; break;
        case 3: k.prefix.len++; break;
        case 4: k.port_first++; break;
        case 5: k.port_last++; break;
        case 6: k.mailbox_key_id++; break;
        default: k.mailbox++; break;
        }
        assert_int_not_equal(subscriber_key_compare(&a, &k), 0);
        assert_true(subscriber_key_hash(&a, 1) != subscriber_key_hash(&k, 1));
    }
}

static void test_parties(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t kind;
        const char *id;
    } good[] = {
        {"line:4711", PARTY_LINE, "4711"},
        {"line:DSL/42 a", PARTY_LINE, "DSL/42 a"},
        {"line:a:b", PARTY_LINE, "a:b"},
        {"line:M\xc3\xbcller", PARTY_LINE, "M\xc3\xbcller"},
        {"mailbox:1:00ff00ff00ff00ff", PARTY_MAILBOX, "1:00ff00ff00ff00ff"},
        {"provisional:192.0.2.7", PARTY_PROVISIONAL, "192.0.2.7"},
        {"provisional:vlan:1/[2001:db8::]:1-2", PARTY_PROVISIONAL, "vlan:1/[2001:db8::]:1-2"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct party p;
        char text[PARTY_TEXT_MAX];
        assert_int_equal(party_parse(good[i].text, &p), 0);
        assert_int_equal(p.kind, good[i].kind);
        assert_string_equal(p.id, good[i].id);
        assert_string_equal(party_format(&p, text), good[i].text);
    }
    static const char *const bad[] = {
        "",
        "4711",
        "line",
        "line:",
        "line: 4711",
        "line:4711 ",
        "line:a\tb",
        "line:a\x7f",
        "line:a\xff",
        "line:\xc3",
        "line:\xed\xa0\x80",
        "line:\xc0\xaf",
        "line:\xc2\x85",
        "mailbox:",
        "mailbox:x",
        "mailbox:1:00ff",
        "mailbox:vlan:1/1:00ff00ff00ff00ff",
        "provisional:",
        "provisional:x",
        "provisional:2001:DB8::1",
        "Line:4711",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct party p = {.kind = 9};
        if (party_parse(bad[i], &p) != -EINVAL || p.kind != 9)
            fail_msg("'%s' was taken", bad[i]);
    }
    char text[200] = "line:";
    memset(text + 5, 'a', 127);
    struct party p;
    assert_int_equal(party_parse(text, &p), 0);
    text[5 + 127] = 'a';
    assert_int_equal(party_parse(text, &p), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_realms),
        cmocka_unit_test(test_realms_that_people_write),
        cmocka_unit_test(test_keys_in_their_one_form),
        cmocka_unit_test(test_what_is_no_key),
        cmocka_unit_test(test_any_key_round_trips),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_hash_spreads),
        cmocka_unit_test(test_every_member_counts),
        cmocka_unit_test(test_parties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
