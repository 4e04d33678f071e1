// Classic BPF jumps forward only: what would be a loop is written out. Offsets count from the network
// header, where the kernel's view of a received frame begins; of a sent one it begins at the link header.
// Classic BPF ends with 0 when it reads behind the frame, so each layer first looks whether it is there,
// and if not the addresses known so far count.
#include "fanout_program.h"

#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <stdbool.h>

#include "assembler.h"

#define ROUNDS     3
#define TAGS       4
#define LABELS     6
#define EXTENSIONS 3
#define ETHERNET   14

// Notes the addresses of an IPv4 header; the innermost noted count.
static void ends_v4(struct assembler *a, uint32_t offset)
{
    assemble_load(a, BPF_W, offset + 12);
    assemble_store(a, SOURCE);
    assemble_load(a, BPF_W, offset + 16);
    assemble_store(a, DESTINATION);
}

static void ends_v6(struct assembler *a, uint32_t offset)
{
    for (uint32_t end = 0; end < 2; end++) {
        assemble_set(a, SPARE, 0);
        for (uint32_t word = 0; word < 4; word++) {
            assemble_load(a, BPF_W, offset + 8 + end * 16 + word * 4);
            assemble_op(a, BPF_LDX | BPF_W | BPF_MEM, SPARE);
            assemble_op(a, BPF_ALU | BPF_ADD | BPF_X, 0);
            assemble_op(a, BPF_ALU | BPF_MUL | BPF_K, 0x01000193);
            assemble_store(a, SPARE);
        }
        assemble_store(a, SOURCE + end);
    }
}

// Ends with the hash of SOURCE and DESTINATION, which may change places: of their sum and difference.
static void mix(struct assembler *a)
{
    assemble_load_memory(a, SOURCE);
    assemble_op(a, BPF_LDX | BPF_W | BPF_MEM, DESTINATION);
    assemble_op(a, BPF_ALU | BPF_XOR | BPF_X, 0);
    assemble_op(a, BPF_ALU | BPF_MUL | BPF_K, 0x85ebca6b);
    assemble_store(a, SPARE);
    assemble_load_memory(a, SOURCE);
    assemble_op(a, BPF_ALU | BPF_ADD | BPF_X, 0);
    assemble_op(a, BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1);
    assemble_op(a, BPF_LDX | BPF_W | BPF_MEM, SPARE);
    assemble_op(a, BPF_ALU | BPF_XOR | BPF_X, 0);
    for (uint32_t shift = 16; shift >= 15; shift--) {
        assemble_op(a, BPF_MISC | BPF_TAX, 0);
        assemble_op(a, BPF_ALU | BPF_RSH | BPF_K, shift);
        assemble_op(a, BPF_ALU | BPF_XOR | BPF_X, 0);
        assemble_op(a, BPF_ALU | BPF_MUL | BPF_K, 0xc2b2ae35);
    }
    assemble_op(a, BPF_MISC | BPF_TAX, 0);
    assemble_op(a, BPF_ALU | BPF_RSH | BPF_K, 16);
    assemble_op(a, BPF_ALU | BPF_XOR | BPF_X, 0);
}

// One round: from an ethertype to the transport header, and from a tunnel in there to the next round.
struct round {
    size_t ether;   // TYPE is known, AT stands behind it
    size_t frame;   // an Ethernet frame begins
    size_t bare_ip; // IP begins, its version says which
    size_t ppp;     // a PPP protocol number begins
};

static void round_labels(struct assembler *a, struct round *r)
{
    *r = (struct round){assemble_label(a), assemble_label(a), assemble_label(a), assemble_label(a)};
}

static void vlan_tags(struct assembler *a)
{
    size_t untagged = assemble_label(a);
    for (unsigned i = 0; i < TAGS; i++) {
        static const uint32_t types[] = {0x8100, 0x88a8, 0x9100, 0x9200, 0x9300};
        size_t tag = assemble_label(a);
        assemble_load_memory(a, TYPE);
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
            assemble_jump_if(a, BPF_JEQ, types[t], tag);
        assemble_jump(a, untagged);
        assemble_here(a, tag);
        assemble_need(a, 4);
        assemble_load(a, BPF_H, 2);
        assemble_store(a, TYPE);
        assemble_step(a, 4);
    }
    assemble_here(a, untagged);
}

static void mpls_labels(struct assembler *a, const struct round *next)
{
    size_t bottom = assemble_label(a), frame = assemble_label(a), ip = assemble_label(a);
    for (unsigned i = 0; i < LABELS; i++) {
        assemble_need(a, 4);
        assemble_load(a, BPF_W, 0);
        assemble_store(a, SPARE);
        assemble_step(a, 4);
        assemble_load_memory(a, SPARE);
        assemble_jump_if(a, BPF_JSET, 0x100, bottom);
    }
    assemble_jump(a, a->done);
    assemble_here(a, bottom);
    assemble_need(a, 4);
    assemble_load(a, BPF_B, 0);
    assemble_op(a, BPF_ALU | BPF_RSH | BPF_K, 4);
    assemble_jump_if(a, BPF_JEQ, 4, ip);
    assemble_jump_if(a, BPF_JEQ, 6, ip);
    assemble_jump_if(a, BPF_JGT, 0, frame);
    assemble_step(a, 4); // a pseudowire's control word
    assemble_here(a, frame);
    assemble_jump(a, next->frame);
    assemble_here(a, ip);
    assemble_jump(a, next->bare_ip);
}

static void gre(struct assembler *a, const struct round *next)
{
    size_t version_1 = assemble_label(a), ethernet = assemble_label(a), erspan = assemble_label(a),
           erspan_3 = assemble_label(a);
    assemble_need(a, 8);
    assemble_load(a, BPF_H, 2);
    assemble_store(a, TYPE);
    assemble_load(a, BPF_H, 0);
    assemble_store(a, SPARE);
    assemble_jump_if(a, BPF_JSET, 1, version_1);
    assemble_step(a, 4);
    for (uint32_t flag = 0x8000; flag >= 0x1000; flag >>= 1) {
        if (flag == 0x4000) // routing: never seen since RFC 2784 took it out
            continue;
        size_t absent = assemble_label(a);
        assemble_load_memory(a, SPARE);
        assemble_jump_unless(a, BPF_JSET, flag, absent);
        assemble_step(a, 4);
        assemble_here(a, absent);
    }
    assemble_load_memory(a, TYPE);
    assemble_jump_if(a, BPF_JEQ, 0x6558, ethernet);
    assemble_jump_if(a, BPF_JEQ, 0x88be, erspan);
    assemble_jump_if(a, BPF_JEQ, 0x22eb, erspan_3);
    assemble_jump(a, next->ether);
    assemble_here(a, erspan_3);
    assemble_step(a, 12);
    assemble_jump(a, next->frame);
    assemble_here(
        a, erspan); // type II has a sequence number in GRE and a header of its own, type I neither
    assemble_load_memory(a, SPARE);
    assemble_jump_unless(a, BPF_JSET, 0x1000, ethernet);
    assemble_step(a, 8);
    assemble_here(a, ethernet);
    assemble_jump(a, next->frame);
    assemble_here(a, version_1); // PPTP
    assemble_step(a, 8);
    static const uint32_t flags[] = {0x1000, 0x0080};
    for (unsigned i = 0; i < 2; i++) {
        size_t absent = assemble_label(a);
        assemble_load_memory(a, SPARE);
        assemble_jump_unless(a, BPF_JSET, flags[i], absent);
        assemble_step(a, 4);
        assemble_here(a, absent);
    }
    assemble_jump(a, next->ppp);
}

static void gtp(struct assembler *a, const struct round *next)
{
    size_t no_options = assemble_label(a), no_extension = assemble_label(a);
    assemble_need(a, 8);
    assemble_load(a, BPF_B, 1);
    assemble_jump_unless(a, BPF_JEQ, 255, a->done);
    assemble_load(a, BPF_B, 0);
    assemble_store(a, SPARE);
    assemble_step(a, 8);
    assemble_load_memory(a, SPARE);
    assemble_jump_unless(a, BPF_JSET, 7, no_options);
    assemble_need(a, 8);
    assemble_load(a, BPF_B, 3);
    assemble_store(a, NEXT);
    assemble_step(a, 4);
    assemble_load_memory(a, SPARE);
    assemble_jump_unless(a, BPF_JSET, 4, no_extension);
    assemble_load_memory(a, NEXT);
    assemble_jump_if(a, BPF_JEQ, 0, no_extension);
    assemble_load(a, BPF_B, 0); // its length in units of four octets
    assemble_op(a, BPF_ALU | BPF_LSH | BPF_K, 2);
    assemble_step_by_a(a);
    assemble_here(a, no_extension);
    assemble_here(a, no_options);
    assemble_jump(a, next->bare_ip);
}

static void l2tp(struct assembler *a, const struct round *next)
{
    assemble_need(a, 8);
    assemble_load(a, BPF_H, 0);
    assemble_store(a, SPARE);
    assemble_jump_if(a, BPF_JSET, 0x8000, a->done); // control
    assemble_step(a, 6);
    static const struct {
        uint32_t flag, octets;
    } parts[] = {{0x4000, 2}, {0x0800, 4}};
    for (unsigned i = 0; i < 2; i++) {
        size_t absent = assemble_label(a);
        assemble_load_memory(a, SPARE);
        assemble_jump_unless(a, BPF_JSET, parts[i].flag, absent);
        assemble_step(a, parts[i].octets);
        assemble_here(a, absent);
    }
    size_t no_offset = assemble_label(a);
    assemble_load_memory(a, SPARE);
    assemble_jump_unless(a, BPF_JSET, 0x0200, no_offset);
    assemble_need(a, 2);
    assemble_load(a, BPF_H, 0);
    assemble_op(a, BPF_ALU | BPF_ADD | BPF_K, 2);
    assemble_step_by_a(a);
    assemble_here(a, no_offset);
    assemble_jump(a, next->ppp);
}

static void udp(struct assembler *a, const struct round *next)
{
    size_t vxlan = assemble_label(a), geneve = assemble_label(a), is_gtp = assemble_label(a),
           is_l2tp = assemble_label(a);
    assemble_need(a, 16);
    assemble_load(a, BPF_H, 0);
    assemble_store(a, SPARE);
    assemble_load(a, BPF_H, 2);
    assemble_store(a, NEXT);
    assemble_step(a, 8);
    assemble_load_memory(a, NEXT);
    assemble_jump_if(a, BPF_JEQ, 4789, vxlan);
    assemble_jump_if(a, BPF_JEQ, 8472, vxlan);
    assemble_jump_if(a, BPF_JEQ, 6081, geneve);
    assemble_jump_if(a, BPF_JEQ, 2152, is_gtp);
    assemble_jump_if(a, BPF_JEQ, 1701, is_l2tp);
    assemble_load_memory(a, SPARE);
    assemble_jump_if(a, BPF_JEQ, 2152, is_gtp);
    assemble_jump_if(a, BPF_JEQ, 1701, is_l2tp);
    assemble_jump(a, a->done);
    assemble_here(a, vxlan);
    assemble_step(a, 8);
    assemble_jump(a, next->frame);
    assemble_here(a, geneve);
    assemble_load(a, BPF_H, 2);
    assemble_store(a, TYPE);
    assemble_load(a, BPF_B, 0);
    assemble_op(a, BPF_ALU | BPF_AND | BPF_K, 0x3f);
    assemble_op(a, BPF_ALU | BPF_LSH | BPF_K, 2);
    assemble_op(a, BPF_ALU | BPF_ADD | BPF_K, 8);
    assemble_step_by_a(a);
    assemble_load_memory(a, TYPE);
    size_t not_ethernet = assemble_label(a);
    assemble_jump_unless(a, BPF_JEQ, 0x6558, not_ethernet);
    assemble_jump(a, next->frame);
    assemble_here(a, not_ethernet);
    assemble_jump(a, next->ether);
    assemble_here(a, is_gtp);
    gtp(a, next);
    assemble_here(a, is_l2tp);
    l2tp(a, next);
}

// The packet quoted in an error has the flow's addresses.
static void icmp(struct assembler *a, bool v6)
{
    assemble_need(a, v6 ? 48 : 28);
    assemble_load(a, BPF_B, 0);
    if (v6) {
        assemble_jump_if(a, BPF_JGE, 128, a->done);
        ends_v6(a, 8);
    } else {
        size_t error = assemble_label(a);
        static const uint32_t errors[] = {3, 4, 5, 11, 12};
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
            assemble_jump_if(a, BPF_JEQ, errors[i], error);
        assemble_jump(a, a->done);
        assemble_here(a, error);
        ends_v4(a, 8);
    }
    assemble_jump(a, a->done);
}

struct transports {
    size_t ip, gre, udp, icmp, icmpv6;
};

// By the IP protocol in the accumulator.
static void dispatch(struct assembler *a, const struct transports *t)
{
    assemble_jump_if(a, BPF_JEQ, 4, t->ip);
    assemble_jump_if(a, BPF_JEQ, 41, t->ip);
    assemble_jump_if(a, BPF_JEQ, 47, t->gre);
    assemble_jump_if(a, BPF_JEQ, 17, t->udp);
    assemble_jump_if(a, BPF_JEQ, 1, t->icmp);
    assemble_jump_if(a, BPF_JEQ, 58, t->icmpv6);
    assemble_jump(a, a->done);
}

static void ipv4(struct assembler *a, const struct transports *t)
{
    assemble_need(a, 20);
    ends_v4(a, 0);
    assemble_load(a, BPF_H, 6);
    assemble_jump_if(a, BPF_JSET, 0x3fff, a->done);
    assemble_load(a, BPF_B, 9);
    assemble_store(a, NEXT);
    assemble_load(a, BPF_B, 0);
    assemble_op(a, BPF_ALU | BPF_AND | BPF_K, 15);
    assemble_op(a, BPF_ALU | BPF_LSH | BPF_K, 2);
    assemble_step_by_a(a);
    assemble_load_memory(a, NEXT);
    dispatch(a, t);
}

static void ipv6(struct assembler *a, const struct transports *t)
{
    static const uint32_t extensions[] = {0, 43, 60};
    size_t transport = assemble_label(a);
    assemble_need(a, 40);
    ends_v6(a, 0);
    assemble_load(a, BPF_B, 6);
    assemble_store(a, NEXT);
    assemble_step(a, 40);
    for (unsigned i = 0; i < EXTENSIONS; i++) {
        size_t extension = assemble_label(a);
        assemble_load_memory(a, NEXT);
        for (size_t x = 0; x < sizeof extensions / sizeof extensions[0]; x++)
            assemble_jump_if(a, BPF_JEQ, extensions[x], extension);
        assemble_jump(a, transport);
        assemble_here(a, extension);
        assemble_need(a, 8);
        assemble_load(a, BPF_B, 0);
        assemble_store(a, NEXT);
        assemble_load(a, BPF_B, 1);
        assemble_op(a, BPF_ALU | BPF_ADD | BPF_K, 1);
        assemble_op(a, BPF_ALU | BPF_LSH | BPF_K, 3);
        assemble_step_by_a(a);
    }
    assemble_here(a, transport);
    assemble_load_memory(a, NEXT);
    dispatch(a, t);
}

static void ppp(struct assembler *a, size_t mpls, size_t v4, size_t v6)
{
    size_t plain = assemble_label(a), full = assemble_label(a);
    assemble_need(a, 4);
    assemble_load(a, BPF_H, 0);
    assemble_jump_unless(a, BPF_JEQ, 0xff03, plain);
    assemble_step(a, 2);
    assemble_here(a, plain);
    assemble_load(a, BPF_B, 0); // an odd first octet is a number of one octet
    assemble_jump_unless(a, BPF_JSET, 1, full);
    assemble_store(a, NEXT);
    assemble_step(a, 1);
    assemble_load_memory(a, NEXT);
    assemble_jump_if(a, BPF_JEQ, 0x21, v4);
    assemble_jump_if(a, BPF_JEQ, 0x57, v6);
    assemble_jump(a, a->done);
    assemble_here(a, full);
    assemble_load(a, BPF_H, 0);
    assemble_store(a, NEXT);
    assemble_step(a, 2);
    assemble_load_memory(a, NEXT);
    assemble_jump_if(a, BPF_JEQ, 0x21, v4);
    assemble_jump_if(a, BPF_JEQ, 0x57, v6);
    assemble_jump_if(a, BPF_JEQ, 0x281, mpls);
    assemble_jump(a, a->done);
}

static void emit_round(struct assembler *a, const struct round *r, const struct round *next)
{
    struct transports t = {next->bare_ip, assemble_label(a), assemble_label(a), assemble_label(a),
                           assemble_label(a)};
    size_t pppoe = assemble_label(a), mpls = assemble_label(a), v4 = assemble_label(a),
           v6 = assemble_label(a);
    assemble_here(a, r->frame);
    assemble_need(a, ETHERNET);
    assemble_load(a, BPF_H, 12);
    assemble_store(a, TYPE);
    assemble_step(a, ETHERNET);
    assemble_here(a, r->ether);
    vlan_tags(a);
    assemble_load_memory(a, TYPE);
    assemble_jump_if(a, BPF_JEQ, 0x0800, v4);
    assemble_jump_if(a, BPF_JEQ, 0x86dd, v6);
    assemble_jump_if(a, BPF_JEQ, 0x8864, pppoe);
    assemble_jump_if(a, BPF_JEQ, 0x8847, mpls);
    assemble_jump_if(a, BPF_JEQ, 0x8848, mpls);
    assemble_jump(a, a->done);
    assemble_here(a, r->bare_ip);
    assemble_need(a, 1);
    assemble_load(a, BPF_B, 0);
    assemble_op(a, BPF_ALU | BPF_RSH | BPF_K, 4);
    assemble_jump_if(a, BPF_JEQ, 4, v4);
    assemble_jump_if(a, BPF_JEQ, 6, v6);
    assemble_jump(a, a->done);
    assemble_here(a, pppoe);
    assemble_step(a, 6);
    assemble_here(a, r->ppp);
    ppp(a, mpls, v4, v6);
    assemble_here(a, mpls);
    mpls_labels(a, next);
    assemble_here(a, v4);
    ipv4(a, &t);
    assemble_here(a, v6);
    ipv6(a, &t);
    assemble_here(a, t.gre);
    gre(a, next);
    assemble_here(a, t.udp);
    udp(a, next);
    assemble_here(a, t.icmp);
    icmp(a, false);
    assemble_here(a, t.icmpv6);
    icmp(a, true);
}

// Where a sent frame's network header is, what follows it, and how much there is.
static void begin(struct assembler *a)
{
    size_t received = assemble_label(a), ethernet = assemble_label(a);
    assemble_set(a, AT, 0);
    assemble_set(a, SOURCE, 0);
    assemble_set(a, DESTINATION, 0);
    assemble_op(a, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
    assemble_jump_unless(a, BPF_JEQ, PACKET_OUTGOING, received);
    assemble_op(a, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_HATYPE));
    assemble_jump_if(a, BPF_JEQ, ARPHRD_ETHER, ethernet);
    assemble_jump_unless(a, BPF_JEQ, ARPHRD_LOOPBACK, received);
    assemble_here(a, ethernet);
    assemble_set(a, AT, ETHERNET);
    assemble_here(a, received);
    assemble_op(a, BPF_LD | BPF_W | BPF_LEN, 0);
    assemble_store(a, LENGTH);
    assemble_op(a, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
    assemble_store(a, TYPE);
}

size_t fanout_program(struct sock_filter code[static FANOUT_CODE_MAX])
{
    struct assembler a = {.code = code, .cap = FANOUT_CODE_MAX};
    struct round round[ROUNDS + 1];
    a.done = assemble_label(&a);
    for (unsigned i = 0; i < ROUNDS; i++)
        round_labels(&a, &round[i]);
    round[ROUNDS] = (struct round){a.done, a.done, a.done, a.done};
    begin(&a);
    assemble_jump(&a, round[0].ether);
    for (unsigned i = 0; i < ROUNDS; i++)
        emit_round(&a, &round[i], &round[i + 1]);
    assemble_here(&a, a.done);
    mix(&a);
    assemble_op(&a, BPF_RET | BPF_A, 0);
    return assemble_finish(&a);
}
