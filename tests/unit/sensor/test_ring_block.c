// Blocks as the kernel lays them out (packet(7), TPACKET_V3), made here: frames are handed out where they lie,
// their outer tags in place.
#include <linux/if_packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring_block.h"

#define BLOCK      4096
#define FIRST      48 // behind the block's header
#define MAC_AT     82 // where the kernel puts an Ethernet frame (netoff 96 less 14)
#define SNAPLEN    262144
#define VLAN       TP_STATUS_VLAN_VALID
#define VLAN_KIND  (TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID)
#define FRAMES_MAX 16

struct made {
    uint8_t *octet; // BLOCK of them, aligned
    uint32_t end, last, n;
};

static struct made make(void)
{
    struct made m = {.octet = aligned_alloc(64, BLOCK), .end = FIRST};
    assert_non_null(m.octet);
    memset(m.octet, 0xee, BLOCK);
    return m;
}

static uint8_t letter(uint32_t frame, uint32_t at)
{
    return (uint8_t)(frame * 31 + at);
}

static void add(struct made *m, struct tpacket3_hdr h)
{
    uint32_t size = (MAC_AT + h.tp_snaplen + 7) / 8 * 8;
    assert_true(m->end + size <= BLOCK);
    h.tp_mac = MAC_AT;
    h.tp_next_offset = size;
    memcpy(m->octet + m->end, &h, sizeof h);
    for (uint32_t i = 0; i < h.tp_snaplen; i++)
        m->octet[m->end + MAC_AT + i] = letter(m->n, i);
    m->last = m->end;
    m->end += size;
    m->n++;
}

// As the kernel hands it out.
static void finish(struct made *m, uint32_t status)
{
    struct tpacket_block_desc d = {
        .version = 1,
        .hdr.bh1 = {.block_status = status, .num_pkts = m->n, .offset_to_first_pkt = FIRST}};
    uint32_t none = 0;
    if (m->n > 0)
        memcpy(m->octet + m->last + offsetof(struct tpacket3_hdr, tp_next_offset), &none, 4);
    memcpy(m->octet, &d, sizeof d);
}

// Of an untagged frame.
static void must_be(const struct source_frame *f, uint32_t frame, uint32_t cap)
{
    assert_int_equal(f->linktype, 1);
    assert_int_equal(f->data.len, cap);
    for (uint32_t i = 0; i < cap; i++)
        assert_int_equal(f->data.data[i], letter(frame, i));
}

static void test_walk(void **state)
{
    (void)state;
    struct made m = make();
    for (uint32_t i = 0; i < 10; i++)
        add(&m, (struct tpacket3_hdr){.tp_sec = 4000000000u + i,
                                      .tp_nsec = 999999999 - i,
                                      .tp_snaplen = 60 + i,
                                      .tp_len = 60 + 10 * i});
    finish(&m, TP_STATUS_USER | TP_STATUS_BLK_TMO);
    // However it is asked for, and never more than asked for.
    for (size_t ask = 1; ask <= 12; ask++) {
        struct source_frame f[FRAMES_MAX];
        struct ring_block b;
        uint32_t seen = 0;
        assert_true(ring_block_ready(m.octet));
        ring_block_begin(m.octet, &b);
        for (size_t n; (n = ring_block_next(&b, SNAPLEN, f, ask)) > 0;) {
            assert_true(n <= ask);
            for (size_t i = 0; i < n; i++, seen++) {
                must_be(&f[i], seen, 60 + seen);
                assert_int_equal(f[i].wire, 60 + 10 * seen);
                assert_int_equal(f[i].t_us, (4000000000 + seen) * 1000000 + 999999);
            }
        }
        assert_int_equal(seen, 10);
    }
    free(m.octet);
}

// Headers are looked at ahead up to so many frames, and never behind the block's last: its way on leads nowhere.
static void test_ahead(void **state)
{
    (void)state;
    struct made m = make();
    uint32_t at[10];
    for (uint32_t i = 0; i < 10; i++) {
        at[i] = m.end;
        add(&m, (struct tpacket3_hdr){.tp_snaplen = 60 + 9 * i, .tp_len = 200});
    }
    finish(&m, TP_STATUS_USER);
    for (uint32_t taken = 0; taken <= 10; taken++) {
        for (uint32_t frames = 0; frames <= 12; frames++) {
            const uint32_t left = 10 - taken, reach = frames < left ? frames : left;
            struct source_frame f[FRAMES_MAX];
            struct ring_block b;
            ring_block_begin(m.octet, &b);
            ring_block_fetch(&b); // before anything is known
            assert_int_equal(ring_block_next(&b, SNAPLEN, f, taken), taken);
            ring_block_look_ahead(&b, frames);
            for (uint32_t i = 0; i < 14; i++) {
                if (reach > 0)
                    assert_ptr_equal(b.ahead, m.octet + at[taken + (i < reach ? i : reach - 1)]);
                ring_block_fetch(&b);
            }
            // What comes next is what came without.
            assert_int_equal(ring_block_next(&b, SNAPLEN, f, FRAMES_MAX), left);
            for (uint32_t i = 0; i < left; i++)
                must_be(&f[i], taken + i, 60 + 9 * (taken + i));
        }
    }
    free(m.octet);
}

static void test_owner(void **state)
{
    (void)state;
    struct made m = make();
    struct ring_block b;
    struct source_frame f;
    finish(&m, TP_STATUS_KERNEL);
    assert_false(ring_block_ready(m.octet));
    finish(&m, TP_STATUS_USER); // with nothing in it
    assert_true(ring_block_ready(m.octet));
    ring_block_begin(m.octet, &b);
    assert_int_equal(ring_block_next(&b, SNAPLEN, &f, 1), 0);
    ring_block_return(m.octet);
    assert_false(ring_block_ready(m.octet));
    free(m.octet);
}

// What stands beside a frame, and what stands in it then.
static void test_tags(void **state)
{
    (void)state;
    static const struct {
        uint32_t status, tci;
        uint16_t tpid;
        uint32_t cap;
        const char *tag; // NULL: none
    } cases[] = {
        {0, 0x2064, 0x8100, 60, NULL},
        {VLAN, 0x2064, 0, 60, "\x81\x00\x20\x64"},
        {VLAN, 0x2064, 0x88a8, 60, "\x81\x00\x20\x64"}, // of kernels that did not say which
        {VLAN_KIND, 0x2064, 0x8100, 60, "\x81\x00\x20\x64"},
        {VLAN_KIND, 0xffff, 0x88a8, 60, "\x88\xa8\xff\xff"},
        {VLAN_KIND, 0, 0x8100, 60, "\x81\x00\x00\x00"}, // a priority tag, and no VLAN
        {VLAN_KIND, 7, 0x8100, 14, "\x81\x00\x00\x07"},
        {VLAN_KIND, 7, 0x8100, 12, "\x81\x00\x00\x07"},
        {VLAN_KIND, 7, 0x8100, 11, NULL}, // sliced within the addresses
        {VLAN_KIND, 7, 0x8100, 0, NULL},
    };
    struct made m = make();
    struct source_frame f[FRAMES_MAX];
    struct ring_block b;
    const uint32_t count = sizeof cases / sizeof cases[0];
    for (uint32_t i = 0; i < count; i++)
        add(&m, (struct tpacket3_hdr){
                    .tp_snaplen = cases[i].cap,
                    .tp_len = 60,
                    .tp_status = cases[i].status,
                    .hv1 = {.tp_vlan_tci = cases[i].tci, .tp_vlan_tpid = cases[i].tpid}});
    finish(&m, TP_STATUS_USER);
    ring_block_begin(m.octet, &b);
    assert_int_equal(ring_block_next(&b, SNAPLEN, f, FRAMES_MAX), count);
    for (uint32_t i = 0; i < count; i++) {
        if (!cases[i].tag) {
            must_be(&f[i], i, cases[i].cap);
            assert_int_equal(f[i].wire, 60);
            continue;
        }
        assert_int_equal(f[i].data.len, cases[i].cap + 4);
        assert_int_equal(f[i].wire, 64);
        assert_memory_equal(f[i].data.data + 12, cases[i].tag, 4);
        for (uint32_t k = 0; k < cases[i].cap; k++)
            assert_int_equal(f[i].data.data[k < 12 ? k : k + 4], letter(i, k));
    }
    free(m.octet);
}

// A frame is no longer than the snap length, its tag included; its length on the wire stays.
static void test_snaplen(void **state)
{
    (void)state;
    static const struct {
        uint32_t status, cap, kept, wire;
    } cases[] = {{0, 127, 127, 900},
                 {0, 128, 128, 900},
                 {0, 129, 128, 900},
                 {VLAN_KIND, 124, 128, 904},
                 {VLAN, 125, 128, 904}};
    struct made m = make();
    struct source_frame f[FRAMES_MAX];
    struct ring_block b;
    for (size_t i = 0; i < 5; i++)
        add(&m, (struct tpacket3_hdr){
                    .tp_snaplen = cases[i].cap, .tp_len = 900, .tp_status = cases[i].status});
    finish(&m, TP_STATUS_USER);
    ring_block_begin(m.octet, &b);
    assert_int_equal(ring_block_next(&b, 128, f, FRAMES_MAX), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(f[i].data.len, cases[i].kept);
        assert_int_equal(f[i].wire, cases[i].wire);
    }
    free(m.octet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk), cmocka_unit_test(test_ahead),   cmocka_unit_test(test_owner),
        cmocka_unit_test(test_tags), cmocka_unit_test(test_snaplen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
