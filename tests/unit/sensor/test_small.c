// The small parts of the packet path: interned values, names of what was skipped, the mirror's memory,
// alarms, realms that are too long.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decap/decap.h"
#include "intern.h"
#include "mirror.h"
#include "path.h"
#include "print.h"
#include "skipped.h"
#include "table.h"
#include "watch.h"

static struct intern_value value(uint32_t n)
{
    struct intern_value v = {{0}};
    memcpy(v.octet, &n, sizeof n);
    return v;
}

static void test_intern(void **state)
{
    (void)state;
    struct intern *t = intern_new(8);
    struct intern_value v[20];
    uint32_t number[20];
    for (uint32_t i = 0; i < 20; i++)
        v[i] = value(i + 1);
    for (uint32_t i = 0; i < 8; i++) {
        number[i] = intern_get(t, &v[i]);
        assert_true(number[i] > 0);
        assert_int_equal(intern_get(t, &v[i]), number[i]);
        intern_hold(t, number[i]);
    }
    // All are held: nothing new fits.
    assert_int_equal(intern_get(t, &v[8]), 0);
    assert_int_equal(intern_refused(t), 1);
    assert_int_equal(intern_get(t, &v[3]), number[3]);
    // A free place is used again only when it is needed, the oldest first.
    intern_drop(t, number[5]);
    intern_drop(t, number[2]);
    assert_int_equal(intern_get(t, &v[5]), number[5]);
    number[9] = intern_get(t, &v[9]);
    assert_int_equal(number[9], number[5]);
    assert_memory_equal(intern_value(t, number[9]), &v[9], sizeof v[9]);
    assert_int_equal(intern_get(t, &v[2]), number[2]);
    // The last asked for is still found by its number after its place was given away.
    intern_hold(t, number[9]);
    assert_int_equal(intern_get(t, &v[10]), number[2]);
    intern_hold(t, number[2]);
    assert_int_equal(intern_get(t, &v[2]), 0);
    // Number 0 is nobody's.
    intern_hold(t, 0);
    intern_drop(t, 0);
    assert_memory_equal(intern_value(t, 0), &(struct intern_value){{0}}, INTERN_SIZE);
    intern_free(t);
}

struct names {
    char text[8192];
    size_t count;
};

static void take(void *ctx, const char *name, uint64_t count)
{
    struct names *n = ctx;
    size_t used = strlen(n->text);
    n->count++;
    snprintf(n->text + used, sizeof n->text - used, "%s=%llu ", name, (unsigned long long)count);
}

static void test_skipped(void **state)
{
    (void)state;
    static struct skipped s;
    struct names names = {.text = ""};
    for (int i = 0; i < 5; i++)
        skipped_count(&s, SKIPPED_ETHERTYPE, 0x88e5);
    skipped_count(&s, SKIPPED_IP_PROTOCOL, 89);
    skipped_count(&s, SKIPPED_IP_PROTOCOL, 50);
    skipped_each(&s, decap_broken_text, take, &names);
    assert_string_equal(names.text, "ethertype 0x88e5=5 ip protocol 50=1 ip protocol 89=1 ");
    // Random numbers do not grow it.
    for (uint32_t i = 0; i < 65536; i++)
        skipped_count(&s, SKIPPED_ETHERTYPE, i);
    names = (struct names){.text = ""};
    skipped_each(&s, decap_broken_text, take, &names);
    assert_true(names.count <= SKIPPED_NAMES_MAX / 2 + 1);
    assert_non_null(strstr(names.text, "other layers="));
    assert_int_equal(s.total, 65536 + 7);
}

static struct packet packet(int64_t t_us, uint16_t id, uint32_t seq)
{
    return (struct packet){
        .t_us = t_us, .ip_proto = 6, .ip_id = id, .seq = seq, .ip_octets = 40, .port = {1, 2}};
}

static bool mirror_repeats(struct mirror *m, const struct packet *p, uint64_t tuple)
{
    return mirror_seen(m, mirror_number(p, tuple, false), p->t_us);
}

static void test_mirror(void **state)
{
    (void)state;
    struct mirror *m = mirror_new(1000, 5000);
    struct packet p = packet(1000000, 1, 100);
    assert_false(mirror_repeats(m, &p, 42));
    assert_true(mirror_repeats(m, &p, 42));
    p.t_us += 5000;
    p.ttl = 63;
    assert_true(mirror_repeats(m, &p, 42));
    p.t_us += 1; // the window is from the first
    assert_false(mirror_repeats(m, &p, 42));
    struct packet other = packet(p.t_us, 2, 100); // a retransmission
    assert_false(mirror_repeats(m, &other, 42));
    assert_false(mirror_repeats(m, &p, 43)); // another connection
    // What tells packets of one connection apart. (The table's hash has all its bits.)
    const uint64_t tuple = UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < 8; i++) {
        struct packet one = packet(p.t_us, (uint16_t)(100 + i), 500), two = one;
        two.seq += i == 0;
        two.ack += i == 1;
        two.ip_id = (uint16_t)(two.ip_id + (i == 2 ? 1000 : 0));
        two.checksum ^= i == 3;
        two.ip_octets += i == 4;
        two.window ^= i == 5;
        two.tcp_flags ^= i == 6 ? PACKET_PSH : 0;
        assert_false(mirror_repeats(m, &one, tuple));
        assert_false(mirror_seen(m, mirror_number(&two, tuple, i == 7), two.t_us));
        assert_true(mirror_repeats(m, &one, tuple));
    }
    // The lower half of the time wraps.
    p = packet((INT64_C(1) << 32) - 10, 9, 9);
    assert_false(mirror_repeats(m, &p, 1));
    p.t_us += 20;
    assert_true(mirror_repeats(m, &p, 1));
    mirror_free(m);
    mirror_free(NULL);
}

// However much of the memory is in use, and whenever that changes: a copy that comes while little else does is found,
// and what is no copy, or comes too late, is none.
static void test_mirror_sizes(void **state)
{
    (void)state;
    static const unsigned gaps[] = {1,     40, 3000, 3,  200,
                                    20000, 2,  2,    900}; // microseconds between packets
    struct mirror *m = mirror_new(32768, 5000);
    struct packet kept = {0};
    int64_t t_us = 1000000000;
    size_t found = 0, copies = 0, parts = 0, part = m->mask;
    for (unsigned n = 0; n < 90000; n++) {
        unsigned gap = gaps[n / 10000];
        struct packet p = packet(t_us += gap, (uint16_t)n, n);
        const uint64_t tuple = UINT64_C(0x9e3779b97f4a7c15);
        parts += m->mask != part;
        part = m->mask;
        assert_false(mirror_repeats(m, &p, tuple));
        if (n % 8 == 0)
            kept = p;
        if (n % 8 != 3)
            continue;
        // Three packets later, as seen at a second port.
        int64_t late = t_us - kept.t_us;
        kept.t_us = t_us;
        bool repeats = mirror_repeats(m, &kept, tuple);
        if (late > 5000)
            assert_false(repeats);
        copies += late <= 5000;
        found += repeats;
    }
    assert_true(parts >= 4); // the size did change
    assert_true(copies > 8000 && found <= copies && found * 200 >= copies * 199);
    mirror_free(m);
    // None larger than there is.
    m = mirror_new(4, 5000);
    for (unsigned n = 0; n < 1000; n++) {
        struct packet p = packet(t_us += n % 100 * 100, (uint16_t)n, n);
        assert_false(mirror_repeats(m, &p, 1));
        assert_true(m->mask == 3 && m->before == 3);
    }
    mirror_free(m);
}

static void test_alarms(void **state)
{
    (void)state;
    static struct decap d;
    struct coverage declared = {.sampling = 1}, c;
    struct stats s = {0};
    struct frag_stats f = {0};
    decap_init(&d, NULL);
    struct watch *w = watch_new(&declared, false);
    s.packets = 1000;
    s.duplicates = 100;
    s.ended_flows = 20;
    s.one_sided_flows = 16;
    watch_take(w, &s, &d, &f, 1000, false, &c);
    assert_int_equal(c.alarms, COVERAGE_DOUBLED | COVERAGE_ONE_DIRECTION);
    assert_int_equal(c.packets, 1000);
    watch_take(w, &s, &d, &f, 2000, false, &c);
    assert_int_equal(c.packets, 0); // a second's own
    // What was seen and could not be written was not dropped before: a larger ring does not help.
    s.spool_drops = 7;
    watch_take(w, &s, &d, &f, 2500, false, &c);
    assert_int_equal(c.alarms, COVERAGE_DOUBLED | COVERAGE_ONE_DIRECTION | COVERAGE_SPOOL_FULL);
    s.evicted_flows = 1;
    d.sliced = 1;
    s.clock_back = 1;
    d.skipped.total = 60;
    watch_take(w, &s, &d, &f, 3000, false, &c);
    assert_int_equal(c.alarms, COVERAGE_DOUBLED | COVERAGE_ONE_DIRECTION | COVERAGE_DROPS |
                                   COVERAGE_SLICED | COVERAGE_CLOCK | COVERAGE_UNKNOWN_LAYERS |
                                   COVERAGE_SPOOL_FULL);
    // They last through the next minute and end with it.
    watch_take(w, &s, &d, &f, 61000, false, &c);
    assert_int_not_equal(c.alarms, 0);
    watch_take(w, &s, &d, &f, 121000, false, &c);
    watch_take(w, &s, &d, &f, 181000, true, &c);
    assert_int_equal(c.alarms, 0);
    assert_true(c.last);
    assert_true(watch_alarms(w) & COVERAGE_DOUBLED);
    watch_free(w);
}

// Frames above the MTU: told of in the minute that has them and the next.
static void test_oversized(void **state)
{
    (void)state;
    static const struct {
        int64_t t_ms;
        uint64_t counter, told;
    } seconds[] = {{1000, 0, 0},   {2000, 3, 3},   {60000, 3, 3},  {61000, 3, 3}, {62000, 4, 4},
                   {120000, 4, 4}, {121000, 4, 1}, {180000, 4, 1}, {181000, 4, 0}};
    static struct decap d;
    struct coverage declared = {.sampling = 1}, c;
    struct stats s = {0};
    struct frag_stats f = {0};
    decap_init(&d, NULL);
    struct watch *w = watch_new(&declared, false);
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        s.oversized = seconds[i].counter;
        watch_take(w, &s, &d, &f, seconds[i].t_ms, false, &c);
        assert_int_equal(watch_oversized(w), seconds[i].told);
        assert_int_equal(c.alarms, 0);
    }
    watch_free(w);
}

// A packet that is shorter than it says may be its sender's doing; of one of a hundred it is the mirror's.
static void test_cut_share(void **state)
{
    (void)state;
    static const struct {
        uint64_t packets, sliced, cut;
        bool alarm;
    } cases[] = {{1000, 0, 0, false},   {1000, 1, 0, true},   {1000, 1, 1, false},
                 {1000, 19, 19, false}, {1000, 20, 20, true}, {1000, 2, 1, true},
                 {2001, 20, 20, false}, {2000, 20, 20, true}};
    static struct decap d;
    struct coverage declared = {.sampling = 1}, c;
    struct frag_stats f = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stats s = {.packets = cases[i].packets};
        struct watch *w = watch_new(&declared, false);
        d.sliced = cases[i].sliced;
        d.cut = cases[i].cut;
        watch_take(w, &s, &d, &f, 1000, false, &c);
        assert_int_equal(c.sliced, cases[i].sliced);
        if (c.alarms != (cases[i].alarm ? COVERAGE_SLICED : 0))
            fail_msg("case %zu: alarms %u", i, c.alarms);
        watch_take(w, &s, &d, &f, 121000, false, &c); // no more of them: no longer
        assert_int_equal(c.alarms, 0);
        watch_free(w);
    }
}

// Both directions have the same realm where the layer's number is the same; a long one is a digest.
static void test_realm(void **state)
{
    (void)state;
    struct packet up = {.has = PACKET_HAS_OUTER}, down = {.has = PACKET_HAS_OUTER};
    struct intern_value a, c;
    struct realm text;
    memset(up.outer[0], 0x11, 16);
    memset(up.outer[1], 0x22, 16);
    memcpy(down.outer[0], up.outer[1], 16);
    memcpy(down.outer[1], up.outer[0], 16);
    for (unsigned both = 0; both < 2; both++) {
        assert_true(path_realm(&up, PATH_REALM_B4, both ? 3 : 1, &a));
        assert_true(path_realm(&down, PATH_REALM_B4, both ? 3 : 2, &c));
        assert_memory_equal(&a, &c, sizeof a);
    }
    assert_false(path_realm(&up, PATH_REALM_VLAN | PATH_REALM_PPPOE, 1, &a));
    up.has |= PACKET_HAS_VLAN | PACKET_HAS_INNER_VLAN | PACKET_HAS_PPPOE;
    up.vlan[0] = 4000;
    up.vlan[1] = 4001;
    up.pppoe_session = 65000;
    assert_true(path_realm(&up, 0xff, 1, &a));
    path_realm_text(&a, &text);
    assert_int_equal(text.name[0], '#');
    assert_int_equal(strlen(text.name), 33);
    assert_int_equal(realm_parse(text.name, &text), 0);
    assert_true(path_realm(&up, PATH_REALM_VLAN, 1, &a));
    path_realm_text(&a, &text);
    assert_string_equal(text.name, "vlan:4000");
}

// A stack whose name is longer than its place loses its inner end, at a name.
static void test_long_path(void **state)
{
    (void)state;
    static const struct decap_descriptor *const stack[] = {&decap_vlan_8021ad, &decap_pbb,
                                                           &decap_vlan_8021ad, &decap_mpls,
                                                           &decap_gre,         &decap_erspan2};
    struct packet p = {.has = 0};
    struct intern_value v;
    char text[32];
    for (size_t i = 0; i < sizeof stack / sizeof stack[0]; i++)
        for (uint8_t n = 0; decap_registry[n]; n++)
            if (decap_registry[n] == stack[i])
                p.layer[p.layer_count++] = n;
    path_of(&p, &v);
    path_encap_text(&v, text, sizeof text);
    assert_string_equal(text, "8021ad+ieee8021ah+8021ad+mpls");
}

// Small tables come from the heap, large ones are mapped: zeroed both, and at the beginning of a line.
static void test_table(void **state)
{
    (void)state;
    static const size_t size[] = {1, 100, 160, 4096};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        for (size_t count = 0; count < 30000; count = count * 3 + 1) {
            uint8_t *table = table_new(count, size[i],
                                       count % 2 == 0 ? TABLE_FROM_THE_FRONT : TABLE_SCATTERED);
            assert_non_null(table);
            assert_int_equal((uintptr_t)table % TABLE_LINE, 0);
            for (size_t at = 0; at < count * size[i]; at += 61)
                assert_int_equal(table[at], 0);
            memset(table, 0xff, count * size[i]);
            table_free(table);
        }
    assert_null(table_new(SIZE_MAX / 8, 16, TABLE_SCATTERED));
    table_free(NULL);
}

// Octets of resident memory of this process.
static size_t resident(void)
{
    unsigned long size, pages;
    FILE *f = fopen("/proc/self/statm", "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

// A table that holds little takes little, and one that holds nothing next to nothing.
static void test_table_takes_what_is_used(void **state)
{
    (void)state;
    const size_t large = (size_t)64 << 20, used = (size_t)256 << 10, slack = (size_t)512 << 10;
    size_t before = resident();
    uint8_t *scattered = table_new(large, 1, TABLE_SCATTERED);
    uint8_t *front = table_new(large, 1, TABLE_FROM_THE_FRONT);
    assert_true(scattered && front);
    assert_true(resident() < before + slack);
    memset(front, 1, used);
    assert_true(resident() < before + used + slack);
    table_free(front);
    table_free(scattered);
}

// A flow's line is the same wherever a minute ended: what of it was seen at all the last record says, what happened once
// stays.
static void test_print(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, last, printed;
    } cases[] = {{RECORD_ONLY_INITIATOR, 0, 0},
                 {RECORD_ONLY_INITIATOR, RECORD_ONLY_INITIATOR, RECORD_ONLY_INITIATOR},
                 {RECORD_ONLY_RESPONDER | RECORD_GAP, 0, RECORD_GAP},
                 {RECORD_SLICED, RECORD_CONFLICT, RECORD_SLICED | RECORD_CONFLICT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL, wanted[40];
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        struct print *p = print_new(out, 1);
        struct record_flow r = {.flags = RECORD_START,
                                .app = RECORD_APP_SMTP,
                                .initiator_port = 40000,
                                .responder_port = 25,
                                .incomplete = cases[i].first};
        assert_non_null(p);
        print_record(p, 0, &r, 1);
        r.flags = RECORD_END;
        r.incomplete = cases[i].last;
        print_record(p, 0, &r, 2);
        assert_int_equal(print_failed(p), 0);
        print_free(p);
        fclose(out);
        snprintf(wanted, sizeof wanted, "\"incomplete\":%u,", cases[i].printed);
        if (!strstr(text, wanted))
            fail_msg("not %s %s", wanted, text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),     cmocka_unit_test(test_table_takes_what_is_used),
        cmocka_unit_test(test_intern),    cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_mirror),    cmocka_unit_test(test_mirror_sizes),
        cmocka_unit_test(test_alarms),    cmocka_unit_test(test_oversized),
        cmocka_unit_test(test_cut_share), cmocka_unit_test(test_realm),
        cmocka_unit_test(test_long_path), cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
