// Every encapsulation from words to the innermost packet, cut at every octet, by either way
// through a frame.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/addr.h"
#include "decap/usual.h"
#include "path.h"
#include "recipe.h"

static struct decap decap;

static const struct {
    int linktype;
    const char *words;
    const char *encap;
    const char *realm; // with every layer naming it
} good[] = {
    {1, "eth:0800 v4", "", ""},
    {1, "eth:86dd v6", "", ""},
    {1, "eth:8100 x:00650800 v4", "vlan", "vlan:101"},
    {1, "eth:8100 x:00658100 x:000786dd v6", "qinq", "qinq:101.7"},
    {1, "eth:88a8 x:00658100 x:00070800 v4", "8021ad+vlan", "qinq:101.7"},
    {1, "eth:9100 x:00018100 x:00028100 x:00030800 v4", "qinq", "qinq:1.2"},
    {1, "eth:8864 pppoe:4711 x:0021 v4", "pppoes+ppp", "pppoe:4711"},
    {1, "eth:8864 pppoe:4711 x:0057 v6", "pppoes+ppp", "pppoe:4711"},
    {1, "eth:8864 pppoe:4711 x:21 v4", "pppoes+ppp", "pppoe:4711"},
    {1, "eth:88a8 x:00658100 x:00078864 pppoe:3 x:0057 v6", "8021ad+vlan+pppoes+ppp",
     "qinq:101.7/pppoe:3"},
    {1, "eth:8847 x:00410140 v4", "mpls", "mpls:1040"},
    {1, "eth:8847 x:0041004000011140 v6", "mpls", "mpls:17"},
    {1, "eth:8848 x:0041014000000000 eth:0800 v4", "mpls", "mpls:1040"},
    {1, "eth:8847 x:00410140 eth:0800 v4", "mpls", "mpls:1040"},
    {1, "eth:8847 x:00410140 eth:8100 x:00050800 v4", "mpls+vlan", "vlan:5/mpls:1040"},
    {1, "eth:88a8 x:000588e7 x:00000000 eth:0800 v4", "8021ad+ieee8021ah", ""},
    {1, "eth:0800 ip4:4 v4", "ipip", ""},
    {1, "eth:0800 ip4:41 v6", "6in4", ""},
    {1, "eth:86dd ip6:4 v4", "4in6", "b4:2001:db8::9"},
    {1, "eth:86dd ip6:41 v6", "6in6", ""},
    {1, "eth:86dd ip6:0 x:0400010400000000 v4", "4in6", "b4:2001:db8::9"},
    {1, "eth:86dd ip6:60 x:2900010400000000 v6", "6in6", ""},
    {1, "eth:86dd ip6:44 x:0400000000000001 v4", "4in6", "b4:2001:db8::9"},
    {1, "eth:86dd ip6:51 x:3c0400000000000100000001000000000000000000000000 x:2900010400000000 v6",
     "6in6", ""},
    {1,
     "eth:86dd ip6:0 x:3300010400000000 x:2904000000000001000000010000000000000000000000"
     "00 v6",
     "6in6", ""},
    {1, "eth:0800 ip4:51 x:040400000000000100000001000000000000000000000000 v4", "ipip", ""},
    {1, "eth:0800 ip4:47 x:00000800 v4", "gre", ""},
    {1, "eth:86dd ip6:47 x:000086dd v6", "gre", ""},
    {1, "eth:0800 ip4:47 x:b0000800000000000000006300000001 v4", "gre", ""},
    {1, "eth:0800 ip4:47 x:00006558 eth:8100 x:00090800 v4", "gre+vlan", "vlan:9"},
    {1, "eth:0800 ip4:47 x:4000080000000000000002040a0b0c0d00000000 v4", "gre", ""},
    {1, "eth:0800 ip4:47 x:000088be eth:0800 v4", "gre+erspan", ""},
    {1, "eth:0800 ip4:47 x:100088be00000001 x:1001000100000000 eth:0800 v4", "gre+erspan", ""},
    {1, "eth:0800 ip4:47 x:100022eb00000001 x:200100010000000000000000 eth:86dd v6", "gre+erspan",
     ""},
    {1,
     "eth:0800 ip4:47 x:100022eb00000001 x:200100010000000000000001 x:0000000000000000 eth:0800 v4",
     "gre+erspan", ""},
    {1, "eth:0800 ip4:47 x:0000883e v4", "gre", ""},
    {1, "eth:0800 ip4:47 x:0000883e00000000 v4", "gre", ""},
    {1, "eth:0800 ip4:47 x:00008847 x:00410140 v4", "gre+mpls", "mpls:1040"},
    {1, "eth:0800 ip4:47 eoip eth:0800 v4", "gre+eoip", ""},
    {1, "eth:0800 ip4:47 pptp x:ff030021 v4", "gre+ppp", ""},
    {1, "eth:0800 ip4:17 udp:4754 x:00000800 v4", "gre", ""},
    {1,
     "eth:0800 ip4:47 x:00008200 "
     "x:080100000000000000010000000000020000000000030000 x:aaaa030000000800 v4",
     "gre+wlan", ""},
    {1, "eth:0800 ip4:17 udp:4789 x:0800000000138900 eth:0800 v4", "vxlan", "vni:5001"},
    {1, "eth:86dd ip6:17 udp:4789 x:0800000000138900 eth:0800 v4", "vxlan", "vni:5001"},
    {1, "eth:0800 ip4:17 udp:8472 x:0800000000138900 eth:8100 x:00020800 v4", "vxlan+vlan",
     "vlan:2/vni:5001"},
    {1, "eth:0800 ip4:17 udp:4790 x:0c00000100138900 v4", "vxlan", "vni:5001"},
    {1, "eth:0800 ip4:17 udp:4790 x:0c00000200138900 v6", "vxlan", "vni:5001"},
    {1, "eth:0800 ip4:17 udp:6081 x:0000655800138900 eth:86dd v6", "geneve", "vni:5001"},
    {1, "eth:0800 ip4:17 udp:6081 x:010008000013890001020001 v4", "geneve", "vni:5001"},
    {1, "eth:0800 ip4:17 udp:2152 gtp v4", "gtp", "gtp:7"},
    {1, "eth:0800 ip4:17 udp:2152 x:34ff003300000007 x:00000085 x:01000000 v4", "gtp", "gtp:7"},
    {1, "eth:8100 x:00650033 x:aaaa030000000800 v4", "vlan", "vlan:101"},
    {1, "eth:0800 ip4:17 udp:1701 x:000200010002 x:ff030021 v4", "l2tp+ppp", "l2tp:1.2"},
    {1, "x:000000000001000000000002 x:0033 x:aaaa030000000800 v4", "", ""},
    {0, "x:02000000 v4", "null", ""},
    {0, "x:00000002 v4", "null", ""},
    {0, "x:1e000000 v6", "null", ""},
    {108, "x:00000018 v6", "null", ""},
    {12, "v4", "raw", ""},
    {12, "v6", "raw", ""},
    {228, "v4", "raw", ""},
    {229, "v6", "raw", ""},
    {9, "x:ff030021 v4", "ppp", ""},
    {9, "x:0057 v6", "ppp", ""},
    {50, "x:0f000800 v4", "ppp+chdlc", ""},
    {104, "x:0f0086dd v6", "chdlc", ""},
    {51, "pppoe:9 x:0021 v4", "pppoes+ppp", "pppoe:9"},
    {113, "x:00000001000600000000000100000800 v4", "sll", ""},
    {113, "x:00000001000600000000000100008100 x:00050800 v4", "sll+vlan", "vlan:5"},
    {276, "x:86dd000000000002000100060000000000010000 v6", "sll", ""},
    {105, "x:080100000000000000010000000000020000000000030000 x:aaaa030000000800 v4", "wlan", ""},
    {127,
     "x:0000080000000000 x:8801000000000000000100000000000200000000000300000000 "
     "x:aaaa030000000800 v4",
     "wlan", ""},
};

static enum decap_result run(int linktype, const uint8_t *data, uint32_t cap, uint32_t wire,
                             struct packet *p)
{
    *p = (struct packet){.t_us = 1};
    return decap_frame(&decap, linktype, span_of(data, cap), wire, p);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct recipe r;
        struct packet p;
        struct intern_value value;
        struct realm realm = {0};
        char encap[32];
        decap_init(&decap, NULL);
        recipe_make(&r, good[i].words);
        if (run(good[i].linktype, r.at, r.len, r.len, &p) != DECAP_PACKET)
            fail_msg("%s is not opened", good[i].words);
        path_of(&p, &value);
        path_encap_text(&value, encap, sizeof encap);
        if (strcmp(encap, good[i].encap) != 0)
            fail_msg("%s: encap %s instead of %s", good[i].words, encap, good[i].encap);
        if (path_realm(&p, 0xff, 1, &value))
            path_realm_text(&value, &realm);
        if (strcmp(realm.name, good[i].realm) != 0)
            fail_msg("%s: realm %s instead of %s", good[i].words, realm.name, good[i].realm);
        bool v4 = strcmp(good[i].words + strlen(good[i].words) - 2, "v4") == 0;
        assert_int_equal(p.family, v4 ? IP_V4 : IP_V6);
        assert_int_equal(p.addr[0][15], 1);
        assert_int_equal(p.addr[1][15], 2);
        assert_int_equal(p.ip_octets, v4 ? 43 : 63);
        assert_int_equal(p.port[0], 40000);
        assert_int_equal(p.port[1], 25);
        assert_int_equal(p.payload_wire, 3);
        assert_memory_equal(p.payload.data, "abc", 3);
        assert_int_equal(decap.skipped.total, 0);
    }
}

// Padding behind the packet is not payload.
static void test_padding(void **state)
{
    (void)state;
    struct recipe r;
    struct packet p;
    uint8_t padded[RECIPE_MAX] = {0};
    decap_init(&decap, NULL);
    recipe_make(&r, "eth:0800 v4");
    memcpy(padded, r.at, r.len);
    assert_int_equal(run(1, padded, r.len + 20, r.len + 20, &p), DECAP_PACKET);
    assert_int_equal(p.payload_wire, 3);
    assert_int_equal(p.payload.len, 3);
    // Nor is anything missing where only padding was cut off.
    assert_int_equal(run(1, padded, r.len + 2, r.len + 20, &p), DECAP_PACKET);
    assert_int_equal(decap.sliced, 0);
    assert_false(p.has & PACKET_SLICED);
    assert_int_equal(run(1, padded, r.len - 1, r.len + 20, &p), DECAP_PACKET);
    assert_int_equal(decap.sliced, 1);
    assert_int_equal(decap.cut, 0);
}

static void same_packet(const char *words, struct packet p, struct packet q)
{
    bool tcp = q.ip_proto == 6;
    if (p.has != q.has || p.layer_count != q.layer_count ||
        memcmp(p.layer, q.layer, q.layer_count) != 0 ||
        ((q.has & PACKET_HAS_VLAN) && p.vlan[0] != q.vlan[0]) ||
        ((q.has & PACKET_HAS_INNER_VLAN) && p.vlan[1] != q.vlan[1]) ||
        ((q.has & PACKET_HAS_PPPOE) && p.pppoe_session != q.pppoe_session) || p.mac != q.mac ||
        p.family != q.family || p.ip_proto != q.ip_proto || p.ttl != q.ttl ||
        p.ip_packets != q.ip_packets || p.ip_id != q.ip_id || p.ip_octets != q.ip_octets ||
        memcmp(p.addr, q.addr, sizeof q.addr) != 0 || memcmp(p.port, q.port, sizeof q.port) != 0 ||
        p.payload.data != q.payload.data || p.payload.len != q.payload.len ||
        p.payload_wire != q.payload_wire || p.checksum != q.checksum ||
        (tcp && (p.seq != q.seq || p.ack != q.ack || p.window != q.window ||
                 p.tcp_flags != q.tcp_flags || p.tcp_options != q.tcp_options)))
        fail_msg("%s: not what the layers say", words);
}

// Every cut, against a guard page: by the snap length, and by a mirror that gives the short length as the
// frame's own. What is left of the packet is the same.
static void test_cuts(void **state)
{
    (void)state;
    long page = sysconf(_SC_PAGESIZE);
    uint8_t *room = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(room != MAP_FAILED);
    assert_int_equal(mprotect(room + page, (size_t)page, PROT_NONE), 0);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct recipe r;
        recipe_make(&r, good[i].words);
        for (uint32_t cap = 0; cap < r.len; cap++) {
            struct packet p;
            uint8_t *at = room + page - cap;
            memcpy(at, r.at, cap);
            decap_init(&decap, NULL);
            enum decap_result sliced = run(good[i].linktype, at, cap, r.len, &p);
            assert_int_equal(decap.sliced, 1);
            if (sliced == DECAP_PACKET && p.ip_proto == 6) {
                assert_int_equal(p.payload_wire, 3);
                assert_int_equal(packet_sliced_octets(&p), r.len - cap);
            }
            decap_init(&decap, NULL);
            struct packet q = p;
            enum decap_result cut = run(good[i].linktype, at, cap, cap, &p);
            assert_int_equal(cut == DECAP_PACKET, sliced == DECAP_PACKET);
            if (cut == DECAP_PACKET) {
                // What is no tunnel any more is plain UDP.
                assert_true(p.ip_proto == 6 || p.ip_proto == 17);
                same_packet(good[i].words, p, q);
                assert_int_equal(decap.sliced, 1);
                assert_int_equal(decap.cut, 1);
            } else if (cut != DECAP_NO_IP) {
                assert_int_equal(cut, sliced);
                assert_int_equal(decap.skipped.total, 0);
                assert_int_equal(decap.cut, 1);
            }
        }
    }
    munmap(room, (size_t)page * 2);
}

static unsigned usual; // frames that were

// Where they stand is what the packet says as well.
static void same_place(const char *words, const struct packet *p, const struct usual *u)
{
    uint64_t ends[2];
    uint32_t ports;
    struct packet_marks m = packet_marks(p);
    memcpy(&ends[0], p->addr[0] + 8, 8);
    memcpy(&ends[1], p->addr[1] + 8, 8);
    memcpy(&ports, p->port, sizeof ports);
    if (ends[0] != u->from || ends[1] != u->to || ports != u->ports ||
        m.numbers != u->marks.numbers || m.rest != u->marks.rest ||
        u->gate != ((uint32_t)p->window << 8 | p->tcp_flags))
        fail_msg("%s: its words are not its fields", words);
}

// Both ways through a frame say the same of it, and count the same.
static void same(const char *words, const uint8_t *data, uint32_t cap, uint32_t wire)
{
    static struct decap other;
    struct packet p, q = {.t_us = 1};
    decap_init(&decap, NULL);
    decap_init(&other, NULL);
    enum decap_result a = run(1, data, cap, wire, &p);
    enum decap_result b = decap_layers(&other, 1, span_of(data, cap), wire, &q);
    if (a != b || memcmp(&decap.skipped, &other.skipped, sizeof decap.skipped) != 0 ||
        decap.no_ip != other.no_ip || decap.sliced != other.sliced || decap.cut != other.cut)
        fail_msg("%s: not counted as layer by layer", words);
    struct usual u;
    struct packet r = {.t_us = 1};
    bool is_usual = usual_frame(&decap, 1, data, cap, &r, &u);
    if (a == DECAP_PACKET)
        same_packet(words, p, q);
    else if (is_usual)
        fail_msg("%s: taken for a usual packet", words);
    if (!is_usual)
        return;
    usual++;
    same_packet(words, r, q);
    same_place(words, &r, &u);
}

// What the short way takes is what the layers would say: whole, padded, cut, and with every octet of its
// headers turned into others.
static void test_straight(void **state)
{
    (void)state;
    static const uint8_t others[] = {0x00, 0x01, 0x05, 0x06, 0x11, 0x20, 0x21, 0x40, 0x57,
                                     0x60, 0x64, 0x81, 0x86, 0x88, 0xa8, 0xdd, 0xff};
    uint8_t frame[RECIPE_MAX + 64] = {0};
    unsigned taken = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct recipe r;
        if (good[i].linktype != 1)
            continue;
        recipe_make(&r, good[i].words);
        memset(frame, 0, sizeof frame);
        memcpy(frame, r.at, r.len);
        struct packet p;
        decap_init(&decap, NULL);
        taken += decap_straight(&decap, frame, r.len, r.len, &p);
        same(good[i].words, frame, r.len, r.len);
        same(good[i].words, frame, r.len + 30, r.len + 30);
        for (uint32_t cap = 0; cap < r.len; cap++) {
            same(good[i].words, frame, cap, r.len);
            same(good[i].words, frame, cap, cap);
        }
        for (uint32_t at = 12; at < r.len && at < 110; at++) {
            uint8_t kept = frame[at];
            for (size_t k = 0; k < sizeof others; k++) {
                frame[at] = others[k];
                same(good[i].words, frame, r.len, r.len);
            }
            frame[at] = kept;
        }
    }
    assert_true(taken >= 6 && usual > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_straight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
