// The fan-out program, run by a small interpreter of classic BPF that knows of the kernel's view of a frame
// what the program asks for. Both directions of a flow must come to the same number in whatever is
// around them, and so must errors about it; a frame cut anywhere must come to some number.
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/span.h"
#include "fanout_program.h"

// ---- The interpreter.

struct view {
    const uint8_t *data; // from the network header on; of a sent frame from the link header
    uint32_t len;
    uint16_t protocol, hardware;
    uint8_t kind; // PACKET_OUTGOING, PACKET_HOST, ...
};

static bool ancillary(const struct view *v, uint32_t k, uint32_t *a)
{
    switch (k) {
    case (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL): *a = v->protocol; return true;
    case (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE): *a = v->kind; return true;
    case (uint32_t)(SKF_AD_OFF + SKF_AD_HATYPE): *a = v->hardware; return true;
    default: return false;
    }
}

static bool fetch(const struct view *v, unsigned size, uint32_t at, uint32_t *a)
{
    uint32_t n = size == BPF_W ? 4 : size == BPF_H ? 2 : 1, value = 0;
    if (at > v->len || v->len - at < n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        value = value << 8 | v->data[at + i];
    *a = value;
    return true;
}

static uint32_t calculate(unsigned op, uint32_t a, uint32_t b)
{
    switch (op) {
    case BPF_ADD: return a + b;
    case BPF_MUL: return a * b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return a << b;
    case BPF_RSH: return a >> b;
    default: fail_msg("operation %u", op); return 0;
    }
}

static bool holds(unsigned test, uint32_t a, uint32_t b)
{
    switch (test) {
    case BPF_JEQ: return a == b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    case BPF_JSET: return (a & b) != 0;
    default: fail_msg("test %u", test); return false;
    }
}

static bool load(const struct view *v, const struct sock_filter *f, uint32_t x, const uint32_t *m,
                 uint32_t *a)
{
    switch (BPF_MODE(f->code)) {
    case BPF_IMM: *a = f->k; return true;
    case BPF_LEN: *a = v->len; return true;
    case BPF_MEM: *a = m[f->k]; return true;
    case BPF_IND: return fetch(v, BPF_SIZE(f->code), x + f->k, a);
    default: return ancillary(v, f->k, a) || fetch(v, BPF_SIZE(f->code), f->k, a);
    }
}

// `*short_read`: it read behind the frame, and the kernel would have taken 0.
static uint32_t run(const struct sock_filter *code, size_t len, const struct view *v,
                    bool *short_read)
{
    uint32_t a = 0, x = 0, m[BPF_MEMWORDS] = {0};
    *short_read = false;
    for (size_t pc = 0; pc < len; pc++) {
        const struct sock_filter *f = &code[pc];
        uint32_t operand = BPF_SRC(f->code) == BPF_X ? x : f->k;
        switch (BPF_CLASS(f->code)) {
        case BPF_LD:
            if (!load(v, f, x, m, &a)) {
                *short_read = true;
                return 0;
            }
            break;
        case BPF_LDX: x = BPF_MODE(f->code) == BPF_MEM ? m[f->k] : f->k; break;
        case BPF_ST: m[f->k] = a; break;
        case BPF_ALU: a = calculate(BPF_OP(f->code), a, operand); break;
        case BPF_JMP:
            if (BPF_OP(f->code) == BPF_JA)
                pc += f->k;
            else
                pc += holds(BPF_OP(f->code), a, operand) ? f->jt : f->jf;
            break;
        case BPF_MISC: x = a; break;
        case BPF_RET: return BPF_RVAL(f->code) == BPF_A ? a : f->k;
        default: fail_msg("class %u", BPF_CLASS(f->code));
        }
    }
    fail_msg("ran off the end");
    return 0;
}

static struct sock_filter code[FANOUT_CODE_MAX];
static size_t code_len;

static uint32_t place(uint16_t protocol, const uint8_t *data, size_t len)
{
    bool short_read;
    struct view v = {data, (uint32_t)len, protocol, ARPHRD_ETHER, PACKET_HOST};
    return run(code, code_len, &v, &short_read);
}

// ---- Frames, from the network header on, made of hexadecimal text. A and B stand for the ends'
// addresses, which change places for the other direction; T for a TCP header.

#define A4 "0a010203"
#define B4 "c6336419"
#define A6 "20010db8000000000000000000000001"
#define B6 "20010db8ffff00000000000000000019"

struct text {
    uint8_t data[512];
    size_t len;
};

static void add_hex(struct text *t, const char *hex)
{
    for (; *hex; hex += 2) {
        unsigned octet = 0;
        assert_int_equal(sscanf(hex, "%2x", &octet), 1);
        t->data[t->len++] = (uint8_t)octet;
    }
}

static struct text make(const char *pattern, bool back)
{
    struct text t = {.len = 0};
    char pair[3] = "";
    for (; *pattern; pattern++) {
        switch (*pattern) {
        case 'A': add_hex(&t, back ? B4 : A4); break;
        case 'B': add_hex(&t, back ? A4 : B4); break;
        case 'C': add_hex(&t, back ? B6 : A6); break;
        case 'D': add_hex(&t, back ? A6 : B6); break;
        case 'T':
            add_hex(&t, back ? "0019c0010000000100000001500204000000000000"
                             : "c00100190000000100000001500204000000000000");
            break;
        case ' ': break;
        default:
            pair[0] = pattern[0];
            pair[1] = *++pattern;
            add_hex(&t, pair);
        }
    }
    return t;
}

#define V4      "45000045 00004000 4006 0000 AB T"
#define V6      "60000000 0015 06 40 CD T"
#define OUTER4  "45000045 00004000 40"   // its protocol, checksum and addresses follow
#define TUNNEL  "0000 0a0b0c0d 0a0b0c0e" // the same addresses in both directions
#define TURNED  "0000 0a0b0c0e 0a0b0c0d"
#define MAC     "010101010101 020202020202"
#define UDP(to) "8000" to "00400000"

static const struct {
    const char *name;
    uint16_t protocol;
    const char *frame;
    bool v6;
} cases[] = {
    {"IPv4", 0x0800, V4, false},
    {"IPv4 with options", 0x0800, "46000049 00004000 4006 0000 AB 01010101 T", false},
    {"IPv6", 0x86dd, V6, true},
    {"IPv6 with extension headers", 0x86dd,
     "60000000 0025 00 40 CD 3c00000000000000 0600000000000000 T", true},
    {"tag behind the one that was taken out", 0x8100, "0064 0800" V4, false},
    {"four tags", 0x88a8, "0064 8100 0001 8100 0002 9100 0003 86dd" V6, true},
    {"PPPoE", 0x8864, "1100 1234 0042 0021" V4, false},
    {"QinQ and PPPoE", 0x8100, "0064 8864 1100 1234 0042 0057" V6, true},
    {"PPPoE with short protocol number", 0x8864, "1100 1234 0042 21" V4, false},
    {"MPLS", 0x8847, "00010040 00020140" V4, false},
    {"MPLS, six labels", 0x8847, "00010040000200400003004000040040000500400006 0140" V6, true},
    {"pseudowire with control word", 0x8847, "00010140 00000000" MAC "0800" V4, false},
    {"pseudowire without", 0x8847, "00010140" MAC "8100 0007 0800" V4, false},
    {"MPLS in PPP", 0x8864, "1100 1234 0042 0281 00010140" V4, false},
    {"IP in IP", 0x0800, OUTER4 "04" TUNNEL V4, false},
    {"6in4", 0x0800, OUTER4 "29" TUNNEL V6, true},
    {"DS-Lite", 0x86dd, "60000000 0045 04 40" A6 B6 V4, false},
    {"GRE", 0x0800, OUTER4 "2f" TUNNEL "0000 0800" V4, false},
    {"GRE with checksum, key and sequence", 0x0800,
     OUTER4 "2f" TUNNEL "b000 86dd 00000000 00000001 00000002" V6, true},
    {"EtherIP in GRE", 0x0800, OUTER4 "2f" TUNNEL "2000 6558 00000001" MAC "0800" V4, false},
    {"ERSPAN II", 0x0800, OUTER4 "2f" TUNNEL "1000 88be 00000001 1001000000000000" MAC "0800" V4,
     false},
    {"ERSPAN I", 0x0800, OUTER4 "2f" TUNNEL "0000 88be" MAC "0800" V4, false},
    {"ERSPAN III", 0x0800,
     OUTER4 "2f" TUNNEL "1000 22eb 00000001 200100000000000000000000" MAC "0800" V4, false},
    {"PPTP", 0x0800, OUTER4 "2f" TUNNEL "3081 880b 00450001 00000001 00000002 ff03 0021" V4, false},
    {"VXLAN", 0x0800, OUTER4 "11" TUNNEL UDP("12b5") "0800000000000100" MAC "0800" V4, false},
    {"VXLAN with a tag inside", 0x86dd,
     "60000000 0080 11 40" A6 B6 UDP("12b5") "0800000000000100" MAC "8100 0005 86dd" V6, true},
    {"Geneve with options", 0x0800,
     OUTER4 "11" TUNNEL UDP("17c1") "0100 6558 00000100 00000000" MAC "0800" V4, false},
    {"GTP-U", 0x0800, OUTER4 "11" TUNNEL UDP("0868") "30ff 0040 00000001" V4, false},
    {"GTP-U with an extension", 0x0800,
     OUTER4 "11" TUNNEL UDP("0868") "34ff 0048 00000001 00000085 01000000" V4, false},
    {"L2TP", 0x0800, OUTER4 "11" TUNNEL UDP("06a5") "4002 0050 0001 0002 ff03 0021" V4, false},
    {"L2TP with sequence and offset", 0x0800,
     OUTER4 "11" TUNNEL UDP("06a5") "0a02 0001 0002 0000 0000 0002 0000 0057" V6, true},
    {"a tunnel in a tunnel", 0x0800, OUTER4 "2f" TUNNEL "0000 0800" OUTER4 "04" TUNNEL V4, false},
};

static void test_both_directions(void **state)
{
    (void)state;
    struct text plain4 = make(V4, false), plain6 = make(V6, false);
    uint32_t place4 = place(0x0800, plain4.data, plain4.len);
    uint32_t place6 = place(0x86dd, plain6.data, plain6.len);
    assert_int_not_equal(place4, place6);
    assert_int_not_equal(place4, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int back = 0; back < 2; back++) {
            struct text t = make(cases[i].frame, back);
            uint32_t got = place(cases[i].protocol, t.data, t.len);
            if (got != (cases[i].v6 ? place6 : place4))
                fail_msg("%s, %s: not where the bare packet goes", cases[i].name,
                         back ? "back" : "forth");
        }
    }
}

// The frame as it is sent by this host begins with its link header.
static void test_sent(void **state)
{
    (void)state;
    struct text plain = make(V4, false), sent = make(MAC "0800" V4, true);
    struct view v = {sent.data, (uint32_t)sent.len, 0x0800, ARPHRD_ETHER, PACKET_OUTGOING};
    bool short_read;
    assert_int_equal(run(code, code_len, &v, &short_read), place(0x0800, plain.data, plain.len));
    v = (struct view){plain.data, (uint32_t)plain.len, 0x0800, ARPHRD_NONE, PACKET_OUTGOING};
    assert_int_equal(run(code, code_len, &v, &short_read), place(0x0800, plain.data, plain.len));
}

// A router's error goes where the packet goes that it quotes.
static void test_errors(void **state)
{
    (void)state;
    struct text flow = make(V4, false), flow6 = make(V6, false);
    struct text e = make(OUTER4 "01 0000 cb007101 0a010203 0301 0000 00000000" V4, false);
    assert_int_equal(place(0x0800, e.data, e.len), place(0x0800, flow.data, flow.len));
    e = make("60000000 0050 3a 40" B6 A6 "0100 0000 00000000" V6, false);
    assert_int_equal(place(0x86dd, e.data, e.len), place(0x86dd, flow6.data, flow6.len));
    // An echo quotes nothing.
    struct text echo = make(OUTER4 "01 0000 AB 0800 0000 00010001" V4, false);
    assert_int_equal(place(0x0800, echo.data, echo.len), place(0x0800, flow.data, flow.len));
}

// All pieces of a datagram to one process: by the addresses that every piece shows.
static void test_fragments(void **state)
{
    (void)state;
    struct text first = make("45000045 00012000 4004 0000 AB" V4, false);
    struct text later = make("45000045 00010100 4004 0000 AB 00112233445566778899", false);
    struct text flow = make(V4, false);
    assert_int_equal(place(0x0800, first.data, first.len), place(0x0800, later.data, later.len));
    assert_int_equal(place(0x0800, first.data, first.len), place(0x0800, flow.data, flow.len));
}

// Wherever a frame ends, the program ends by itself: the kernel's own 0 would send all such frames to
// the first process, the other direction's perhaps not.
static void test_cut(void **state)
{
    (void)state;
    size_t reads = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text t = make(cases[i].frame, false);
        for (size_t len = 0; len <= t.len; len++) {
            bool short_read;
            struct view v = {t.data, (uint32_t)len, cases[i].protocol, ARPHRD_ETHER, PACKET_HOST};
            run(code, code_len, &v, &short_read);
            if (short_read)
                fail_msg("%s, %zu octets: reads behind the end", cases[i].name, len);
            reads++;
        }
    }
    assert_true(reads > 1000);
}

// Neighbours are dealt out evenly, to two and to three.
static void test_spread(void **state)
{
    (void)state;
    for (unsigned of = 2; of <= 3; of++) {
        unsigned got[3] = {0};
        for (unsigned i = 0; i < 3000; i++) {
            struct text t = make(V4, false);
            t.data[14] = (uint8_t)(i >> 8);
            t.data[15] = (uint8_t)i;
            got[place(0x0800, t.data, t.len) % of]++;
        }
        for (unsigned k = 0; k < of; k++)
            assert_in_range(got[k], 3000 / of * 9 / 10, 3000 / of * 11 / 10);
    }
}

// What the kernel asks of a program: jumps stay inside, memory is in bounds.
static void test_sound(void **state)
{
    (void)state;
    assert_true(code_len > 0 && code_len <= FANOUT_CODE_MAX);
    for (size_t i = 0; i < code_len; i++) {
        unsigned class = BPF_CLASS(code[i].code);
        if (class == BPF_JMP && BPF_OP(code[i].code) == BPF_JA)
            assert_true(i + 1 + code[i].k < code_len);
        else if (class == BPF_JMP)
            assert_true(i + 1 + code[i].jt < code_len && i + 1 + code[i].jf < code_len);
        else if (class == BPF_ST)
            assert_true(code[i].k < BPF_MEMWORDS);
    }
    assert_int_equal(BPF_CLASS(code[code_len - 1].code), BPF_RET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),     cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_sent),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_fragments), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_spread),
    };
    code_len = fanout_program(code);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
