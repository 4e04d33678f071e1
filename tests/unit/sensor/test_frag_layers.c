// Which fragments belong together: those of one VLAN, session or tunnel.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "decap/decap.h"
#include "recipe.h"

#define VNI        "eth:0800 ip4:17 udp:4789 x:0800000000138900 "
#define GTP(teid)  "eth:0800 ip4:17 udp:2152 gtp:" #teid
#define GTP_6      "eth:86dd ip6:17 udp:2152 gtp:7"
#define GRE        "eth:0800 ip4:47 x:00000800"
#define KEY(k)     "eth:0800 ip4:47 x:20000800" k
#define PW(labels) "eth:8847 x:" labels " x:00000000 eth:0800"
#define NVGRE(k)   "eth:0800 ip4:47 x:20006558" k " eth:0800"

static struct decap decap;

// Two fragments of one TCP segment: 24 octets and 8.
#define FIRST                                     \
    " x:4500002c1234200040060000c0000201c6336402" \
    "9c4000190000000100000000501020000000000061616161"
#define SECOND                                    \
    " x:4500001c1234000340060000c0000201c6336402" \
    "6262626262626262"

// The frame of a fragment in these layers, with `end` as the last octet of the outer source address, if not 0.
static enum decap_result piece(const char *layers, const char *fragment, uint8_t end,
                               struct packet *p)
{
    bool outer_6 = strncmp(layers, "eth:86dd", 8) == 0;
    static struct recipe r; // what is not a fragment is borrowed
    char words[400];
    snprintf(words, sizeof words, "%s%s", layers, fragment);
    recipe_make(&r, words);
    if (end)
        r.at[outer_6 ? 14 + 8 + 15 : 14 + 12 + 3] = end;
    return decap_frame(&decap, 1, span_of(r.at, r.len), r.len, p);
}

// The same addresses and identification in another VLAN or tunnel are another datagram's.
static void test_fragments(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        uint8_t end[2];
        bool same;
    } cases[] = {
        {"eth:0800", "eth:0800", {0}, true},
        {"eth:0800", "eth:8100 x:000a0800", {0}, false},
        {"eth:8100 x:000a0800", "eth:8100 x:00140800", {0}, false},
        {"eth:88a8 x:000a8100 x:00010800", "eth:88a8 x:000a8100 x:00020800", {0}, false},
        {"eth:88a8 x:000a8100 x:00010800", "eth:88a8 x:000a8100 x:00010800", {0}, true},
        {"eth:8864 pppoe:1 x:0021", "eth:8864 pppoe:2 x:0021", {0}, false},
        {"eth:0800 ip4:17 udp:4789 x:0800000000138900 eth:0800",
         "eth:0800 ip4:17 udp:4789 x:0800000000138a00 eth:0800",
         {0},
         false},
        {"eth:0800 ip4:17 udp:1701 x:000200010002 x:0021",
         "eth:0800 ip4:17 udp:1701 x:000200010003 x:0021",
         {0},
         false},
        {"eth:86dd ip6:4", "eth:86dd ip6:4", {7, 8}, false},
        {VNI "eth:0800", VNI "eth:0800", {7, 8}, false},
        {VNI "eth:0800", VNI "eth:0800", {7, 7}, true},
        {VNI "eth:8100 x:000a0800", VNI "eth:0800", {0}, false},
        {VNI "eth:8100 x:000a0800", VNI "eth:8100 x:000b0800", {0}, false},
        {GTP(7), GTP(8), {0}, false},
        {GTP(7), GTP(7), {0}, true},
        {GTP(7), "eth:0800", {0}, false},
        // A TEID is its receiver's, an IP packet's ends are all that tells IP in IP and GRE without a key apart.
        {GTP(7), GTP(7), {7, 8}, false},
        {GTP_6, GTP_6, {7, 8}, false},
        {GTP_6, GTP_6, {7, 7}, true},
        {GTP(7), GTP_6, {0}, false},
        {GRE, GRE, {7, 8}, false},
        {GRE, GRE, {7, 7}, true},
        {GRE, "eth:0800", {0}, false},
        {KEY("00000007"), KEY("00000008"), {0}, false},
        {KEY("00000007"), KEY("00000007"), {0}, true},
        {KEY("00000007"), KEY("00000007"), {7, 8}, false},
        {KEY("00000000"), GRE, {0}, false},
        // NVGRE's last octet is made of ports.
        {NVGRE("00000701"), NVGRE("00000702"), {0}, true},
        {NVGRE("00000701"), NVGRE("00000801"), {0}, false},
        {"eth:0800 ip4:4", "eth:0800 ip4:4", {7, 8}, false},
        {"eth:86dd ip6:4", "eth:86dd ip6:4", {7, 7}, true},
        // A label is a VPN's; one that is made of ports is nobody's.
        {"eth:8847 x:00410140", "eth:8847 x:00420140", {0}, false},
        {"eth:8847 x:00410140", "eth:8847 x:00410140", {0}, true},
        {"eth:8847 x:00410040 x:00510140", "eth:8847 x:00420040 x:00510140", {0}, true},
        {"eth:8847 x:00410040 x:00510140", "eth:8847 x:00410040 x:00520140", {0}, false},
        {"eth:8847 x:00410040 x:00007000 x:00510100",
         "eth:8847 x:00410040 x:00007000 x:00520100",
         {0},
         true},
        {"eth:8847 x:00410040 x:00007000 x:00510000 x:00610140",
         "eth:8847 x:00410040 x:00007000 x:00520000 x:00620140",
         {0},
         false},
        {"eth:8847 x:00000140", "eth:0800", {0}, true}, // explicit null
        {PW("00410140"), PW("00420140"), {0}, false},
        {PW("00410040 x:00510101"), PW("00410040 x:00520101"), {0}, true},
        {PW("00410040 x:00510101"), PW("00420040 x:00510101"), {0}, false},
        // What is around a tunnel that is in another one.
        {"eth:0800 ip4:4 ip4:4", "eth:0800 ip4:4 ip4:4", {7, 8}, false},
        {"eth:0800 ip4:4 ip4:4", "eth:0800 ip4:4 ip4:4", {7, 7}, true},
        {"eth:8847 x:00410140 ip4:4", "eth:8847 x:00420140 ip4:4", {0}, false},
        {KEY("00000007") " ip4:47 x:00000800", KEY("00000008") " ip4:47 x:00000800", {0}, false},
        {KEY("00000007") " ip4:47 x:00000800", KEY("00000007") " ip4:47 x:00000800", {0}, true},
        {GTP(7) " ip4:17 udp:2152 gtp:9", GTP(8) " ip4:17 udp:2152 gtp:9", {0}, false},
        {GTP(7) " ip4:17 udp:2152 gtp:9", GTP(7) " ip4:17 udp:2152 gtp:9", {0}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frag *f = frag_new(4, 1 << 20, 30000000);
        struct packet p = {.t_us = 1};
        assert_non_null(f);
        decap_init(&decap, f);
        assert_int_equal(piece(cases[i].one, FIRST, cases[i].end[0], &p), DECAP_HELD);
        enum decap_result got = piece(cases[i].other, SECOND, cases[i].end[1], &p);
        if (got != (cases[i].same ? DECAP_PACKET : DECAP_HELD))
            fail_msg("%s and %s: %d", cases[i].one, cases[i].other, got);
        // Each is joined with its own.
        if (!cases[i].same) {
            assert_int_equal(piece(cases[i].one, SECOND, cases[i].end[0], &p), DECAP_PACKET);
            assert_int_equal(p.payload.len, 12);
            assert_int_equal(piece(cases[i].other, FIRST, cases[i].end[1], &p), DECAP_PACKET);
        }
        assert_int_equal(p.payload.len, 12);
        assert_memory_equal(p.payload.data, "aaaabbbbbbbb", 12);
        assert_int_equal(p.ip_packets, 2);
        assert_int_equal(frag_stats(f)->joined, cases[i].same ? 1 : 2);
        frag_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fragments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
