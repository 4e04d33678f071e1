// How unwrapping ends where it does not simply arrive: what is unknown or broken is counted by its name, and what
// was cut, carries no IP or only looks like a tunnel is told apart.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "decap/decap.h"
#include "recipe.h"

static struct decap decap;

static enum decap_result run(int linktype, const uint8_t *data, uint32_t cap, uint32_t wire,
                             struct packet *p)
{
    *p = (struct packet){.t_us = 1};
    return decap_frame(&decap, linktype, span_of(data, cap), wire, p);
}

static void take_name(void *ctx, const char *name, uint64_t count)
{
    snprintf(ctx, SKIPPED_TEXT_MAX + 24, "%s %llu", name, (unsigned long long)count);
}

static void test_named(void **state)
{
    (void)state;
    static const struct {
        int linktype;
        const char *words, *name;
    } cases[] = {
        {1, "eth:88e5 x:00", "ethertype 0x88e5 1"},
        {147, "x:00", "linktype 147 1"},
        {1, "eth:0800 ip4:89 x:00", "ip protocol 89 1"},
        {1, "eth:86dd ip6:132 x:00", "ip protocol 132 1"},
        {1, "eth:8864 pppoe:1 x:003d00", "ppp protocol 0x003d 1"},
        {1, "eth:0800 ip4:47 x:00000bad", "gre protocol 0x0bad 1"},
        {1, "eth:8847 x:00410140 x:10000000", "mpls payload nibble 1 1"},
        {1, "x:0000000000010000000000020003 x:060603", "broken ipv4: ends inside the header 1"},
        {1, "x:0000000000010000000000020003 x:565603", "llc 0x56 1"},
        {0, "x:07000000", "null family 7 1"},
        {113, "x:00000338000600000000000100000800", "cooked hardware 824 1"},
        {1, "eth:0800 ip4:17 udp:4790 x:0c00000900138900", "vxlan-gpe protocol 9 1"},
        {105, "x:084100000000000000010000000000020000000000030000", "802.11 payload 1 1"},
        {1, "eth:0800 x:5500001400000000400600000000000000000000", "broken ipv4: bad version 1"},
        {1, "eth:0800 x:4400001400000000400600000000000000000000", "broken ipv4: bad length 1"},
        {1, "eth:0800 x:4500001500000000400600000000000000000000",
         "broken tcp: ends inside the header 1"},
        // Within another length there is no end but its own.
        {1, "eth:0800 ip4:4 x:4500001500000000400600000000000000000000",
         "broken ipv4: bad length 1"},
        {1, "eth:86dd ip6:4 x:4500001500000000400600000000000000000000",
         "broken ipv4: bad length 1"},
        {1, "eth:8864 pppoe:1 x:0021 x:4500001500000000400600000000000000000000",
         "broken ipv4: bad length 1"},
        {1,
         "eth:0800 ip4:41 x:60000000000106400000000000000000000000000000000000000000000000000000"
         "000000000000",
         "broken ipv6: bad length 1"},
        {1, "eth:0800 ip4:47 x:00008864 x:110000010009 x:0021", "broken pppoes: bad length 1"},
        {1, "eth:0800 x:4500001300000000400600000000000000000000", "broken ipv4: bad length 1"},
        {1, "eth:0800 ip4:6 x:0000000000000000000000004000000000000000",
         "broken tcp: bad length 1"},
        {1, "eth:0800 ip4:6 x:000000000000000000000000f000000000000000",
         "broken tcp: bad length 1"},
        {1, "eth:0800 ip4:17 x:0001000200090000", "broken udp: bad length 1"},
        {1, "eth:8864 x:110000010009 x:0021", "broken ipv4: ends inside the header 1"},
        {1, "eth:8864 x:210000010002 x:0021", "broken pppoes: bad version 1"},
        {1, "eth:86dd ip6:0 x:06ff000000000000", "broken ipv6: bad length 1"},
        {1, "eth:0800 ip4:47 x:00020800", "broken gre: bad version 1"},
        {1, "eth:0800 ip4:47 x:0001880b", "broken gre: bad version 1"}, // no key
        {1, "eth:0800 ip4:47 x:100088be00000001 x:3001000100000000",
         "broken erspan: bad version 1"},
        {1, "eth:0800 ip4:47 x:2001640000ff0001", "broken eoip: bad length 1"},
        {1, "eth:0800 ip4:17 udp:2152 x:32ff000000000007", "broken gtp: ends inside the header 1"},
        {1, "eth:0800 ip4:17 udp:2152 x:34ff000800000007 x:0000008500000085",
         "broken gtp: bad length 1"},
        {1, "eth:0800 ip4:17 udp:2152 x:34ff000800000007 x:0000008502000085",
         "broken gtp: ends inside the header 1"},
        {1,
         "eth:0800 ip4:17 udp:2152 x:34ff002800000007 x:00000085 x:010000850100008501000085 "
         "x:010000850100008501000085 x:010000850100008501000085",
         "broken gtp: more layers than an encapsulation has 1"},
        {1,
         "eth:0800 ip4:17 udp:4789 x:0800000000138900 eth:0800 ip4:17 udp:4789 x:0800000000138900 "
         "eth:0800 ip4:17 udp:4789 x:0800000000138900 eth:0800 ip4:17 udp:4789 x:0800000000138900 "
         "eth:0800 v4",
         "broken vxlan: more layers than an encapsulation has 1"},
        {113, "x:00000001000600000000000100000005", "ethertype 0x0005 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recipe r;
        struct packet p;
        char name[SKIPPED_TEXT_MAX + 24] = "";
        decap_init(&decap, NULL);
        recipe_make(&r, cases[i].words);
        run(cases[i].linktype, r.at, r.len, r.len, &p);
        skipped_each(&decap.skipped, decap_broken_text, take_name, name);
        if (strcmp(name, cases[i].name) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].words, name, cases[i].name);
    }
}

static void test_no_ip(void **state)
{
    (void)state;
    static const struct {
        int linktype;
        const char *words;
    } cases[] = {{1, "eth:0806 x:0001"},
                 {1, "eth:8100 x:00050003 x:424203"},
                 {1, "eth:0800 ip4:47 x:2001640000000001"},
                 {113, "x:00000001000600000000000100000004 x:424203"},
                 {1, "eth:88cc x:0001"},
                 {1, "eth:8863 x:1109"},
                 {1, "eth:8100 x:00050806 x:00"},
                 {1, "eth:8864 pppoe:1 x:c02101"},
                 {1, "x:0000000000010000000000020003 x:424203"},
                 {104, "x:8f008035 x:00"},
                 {1, "eth:86dd ip6:59"},
                 {105, "x:800000000000000000010000000000020000000000030000"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recipe r;
        struct packet p;
        decap_init(&decap, NULL);
        recipe_make(&r, cases[i].words);
        if (run(cases[i].linktype, r.at, r.len, r.len, &p) != DECAP_NO_IP)
            fail_msg("%s", cases[i].words);
        assert_int_equal(decap.no_ip, 1);
        assert_int_equal(decap.skipped.total, 0);
    }
}

// A frame that ends before its own lengths do was cut on its way: the payload's length is the header's word.
static void test_cut_before(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint32_t drop; // octets of its end
        uint32_t wire, len;
        bool cut;
    } cases[] = {
        {"eth:0800 v4", 0, 3, 3, false},
        {"eth:0800 v4", 1, 3, 2, true},
        {"eth:0800 v4", 3, 3, 0, true},
        {"eth:86dd v6", 2, 3, 1, true},
        {"eth:86dd ip6:44 x:0600000000000001 x:9c40001900000000000000005010000000000000 x:6162", 1,
         2, 1, true},
        {"eth:88a8 x:00658100 x:00078864 pppoe:3 x:0021 v4", 2, 3, 1, true},
        // ERSPAN and VXLAN carry whole what was cut before it was put in.
        {"eth:0800 ip4:47 x:000088be eth:0800 x:4500ffff0000000040060000c0000201c0000202 "
         "x:9c40001900000000000000005010000000000000 x:61",
         0, 65495, 1, true},
        {"eth:0800 x:4500ffff0000000040060000c0000201c0000202 "
         "x:9c40001900000000000000005010000000000000 x:61",
         0, 65495, 1, true},
        {"eth:0800 x:450000390000000040110000c0000201c0000202 x:9c400035002500006162", 0, 29, 2,
         true},
        // The datagram is whole, whatever the length around it says.
        {"eth:0800 x:450000390000000040110000c0000201c0000202 x:9c400035000a00006162", 0, 2, 2,
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recipe r;
        struct packet p;
        decap_init(&decap, NULL);
        recipe_make(&r, cases[i].words);
        uint32_t len = r.len - cases[i].drop;
        if (run(1, r.at, len, len, &p) != DECAP_PACKET || p.payload_wire != cases[i].wire ||
            p.payload.len != cases[i].len || decap.cut != cases[i].cut ||
            decap.sliced != cases[i].cut || !(p.has & PACKET_SLICED) != !cases[i].cut)
            fail_msg("%s, %u octets less: %zu of %u octets, %llu cut", cases[i].words,
                     cases[i].drop, p.payload.len, p.payload_wire, (unsigned long long)decap.cut);
    }
}

// A frame that ends inside a header, by a snap length or on its way, is sliced; no layer is unknown or broken. One
// whose own lengths say that it ends there is broken.
static void test_cut_in_header(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint32_t from, to; // lengths it is cut to; a broken one has its own
        bool broken;
    } cases[] = {
        {"eth:0800 v4", 1, 54, false},
        {"eth:86dd v6", 1, 74, false},
        {"eth:88a8 x:00658100 x:00078864 pppoe:3 x:0021 v4", 1, 70, false},
        {"eth:8847 x:00410140 eth:8100 x:00078864 pppoe:3 x:0057 v6", 1, 100, false},
        {"eth:0800 ip4:17 udp:4789 x:0800000000138900 eth:0800 v4", 1, 42, false},
        {"x:0000000000010000000000020003 x:060603", 17, 18, true},
        {"eth:0800 ip4:6 x:000000000000000000000000", 46, 47, true},
        {"eth:8864 x:110000010009 x:0021", 22, 23, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recipe r;
        recipe_make(&r, cases[i].words);
        for (uint32_t len = cases[i].from; len < cases[i].to; len++) {
            for (unsigned snap = 0; snap < 2; snap++) {
                struct packet p;
                decap_init(&decap, NULL);
                enum decap_result got = run(1, r.at, len, snap ? r.len : len, &p);
                if (got != (cases[i].broken ? DECAP_BROKEN : DECAP_SHORT) ||
                    decap.skipped.total != cases[i].broken ||
                    (!cases[i].broken && (decap.sliced != 1 || decap.cut != (snap ? 0 : 1))))
                    fail_msg("%s, %u of %u octets: %d, %llu skipped, %llu sliced, %llu cut",
                             cases[i].words, len, r.len, got,
                             (unsigned long long)decap.skipped.total,
                             (unsigned long long)decap.sliced, (unsigned long long)decap.cut);
            }
        }
    }
}

// An encapsulation loop ends.
static void test_too_deep(void **state)
{
    (void)state;
    struct recipe r;
    struct packet p;
    static const char words[] = "eth:0800 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 "
                                "ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 ip4:4 v4";
    char name[SKIPPED_TEXT_MAX + 24] = "";
    decap_init(&decap, NULL);
    recipe_make(&r, words);
    assert_int_equal(run(1, r.at, r.len, r.len, &p), DECAP_BROKEN);
    skipped_each(&decap.skipped, decap_broken_text, take_name, name);
    assert_string_equal(name, "broken ipv4: more layers than an encapsulation has 1");
    decap_init(&decap, NULL);
    recipe_make(&r,
                "eth:8847 x:00000000000000000000000000000000000000000000000000000000000000000000"
                "000000000000000000000000000000000000000000000000000000000000 v4");
    assert_int_equal(run(1, r.at, r.len, r.len, &p), DECAP_BROKEN);
}

// Signalling on a tunnel's port is UDP like any other; GTP-U with extension headers is user traffic.
static void test_udp(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint8_t proto;
    } cases[] = {
        {"eth:0800 ip4:17 udp:2152 x:3201000400000000", 17},
        {"eth:0800 ip4:17 udp:1701 x:c802001400010000", 17},
        {"eth:0800 ip4:17 udp:4789 x:0000000000000000", 17},
        {"eth:0800 ip4:17 udp:6081 x:ff", 17},
        {"eth:0800 ip4:17 udp:53 x:00", 17},
        {"eth:0800 ip4:17 udp:2152 x:34ff003300000007 x:0000008501100100 v4", 6},
        {"eth:0800 ip4:17 udp:2152 x:32ff002f00000007 x:00010000 v4", 6},
        {"eth:0800 ip4:17 udp:1701 x:4002004300010002 x:0021 v4", 17}, // longer than its datagram
        {"eth:0800 ip4:17 udp:1701 x:4002003500010002 x:0021 v4", 6},
        {"eth:0800 ip4:17 udp:1701 x:0a0200010002000000000001ff x:0021 v4", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recipe r;
        struct packet p;
        decap_init(&decap, NULL);
        recipe_make(&r, cases[i].words);
        if (run(1, r.at, r.len, r.len, &p) != DECAP_PACKET || p.ip_proto != cases[i].proto)
            fail_msg("%s", cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named),      cmocka_unit_test(test_no_ip),
        cmocka_unit_test(test_cut_before), cmocka_unit_test(test_cut_in_header),
        cmocka_unit_test(test_too_deep),   cmocka_unit_test(test_udp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
