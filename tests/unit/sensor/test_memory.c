// Memory is bounded whatever comes: a scan, half-open dialogues, overlap storms, floods of fragments, a
// million flows. Resident memory stays flat, honest mail among it is counted exactly, and what had to
// go is counted, too.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "flood.h"

// What tables of a fixed size may still grow by once they were full: pages of the allocator and of the
// C library, and a sanitizer's own.
#define GROWTH_KIB 4096

#define SMALL                                                                 \
    "sensor: {flows: 16384, dialogues: 1024, realms: 64, stream_memory: 4M, " \
    "fragments: 256, fragment_memory: 1M}"

static struct flood f;

// Honest dialogues, eight at a time, spread over the flood: one of their packets every `pace`.
struct honest {
    struct flood_mail mail[8];
    uint64_t begun, wanted, pace;
    uint16_t piece;
};

static void honest_step(struct honest *h, uint64_t n)
{
    if (n % h->pace != 0)
        return;
    struct flood_mail *m = &h->mail[n / h->pace % 8];
    if (m->step == 0) {
        if (h->begun == h->wanted)
            return;
        *m = (struct flood_mail){.number = (uint32_t)h->begun++, .piece = h->piece};
    }
    if (!flood_mail_step(&f, m))
        m->step = 0;
}

static void honest_rest(struct honest *h)
{
    for (size_t i = 0; i < 8; i++)
        while (h->mail[i].step > 0)
            if (!flood_mail_step(&f, &h->mail[i]))
                h->mail[i].step = 0;
}

// Each was counted, once, and nothing of it is missing.
static void honest_check(const struct honest *h)
{
    assert_int_equal(h->begun, h->wanted);
    assert_int_equal(f.honest.starts, h->wanted);
    assert_int_equal(f.honest.ends, h->wanted);
    assert_int_equal(f.honest.established, h->wanted);
    assert_int_equal(f.honest.mail, h->wanted);
    assert_int_equal(f.honest.rcpt, h->wanted * 2);
    assert_int_equal(f.honest.rcpt_ok, h->wanted);
    assert_int_equal(f.honest.rcpt_5xx, h->wanted);
    assert_int_equal(f.honest.messages, h->wanted);
    assert_int_equal(f.honest.quit, h->wanted);
    assert_int_equal(f.honest.incomplete, 0);
}

// Sends `count` of the flood's packets; resident memory is compared from the first tenth on.
static void run(const char *name, void (*one)(uint64_t n), uint64_t count, struct honest *h)
{
    int64_t full = 0, after = 0;
    flood_open(&f, SMALL);
    for (uint64_t n = 0; n < count; n++) {
        f.t_us += 2;
        one(n);
        honest_step(h, n);
        if (n == count / 10)
            full = flood_resident_kib();
    }
    after = flood_resident_kib();
    honest_rest(h);
    flood_finish(&f);
    print_message("%s: %llu packets, %lld KiB resident, %+lld KiB since the first tenth\n", name,
                  (unsigned long long)sensor_stats(f.sensor)->packets, (long long)after,
                  (long long)(after - full));
    assert_true(after - full < GROWTH_KIB);
    honest_check(h);
    // Every flow was told once from begin to end, evicted or not, and coverage says how many were.
    const struct stats *s = sensor_stats(f.sensor);
    assert_int_equal(f.starts, s->tcp_flows + s->udp_flows);
    assert_int_equal(f.ends, f.starts);
    assert_int_equal(f.evicted, s->evicted_flows);
    assert_int_equal(f.seen.dropped_flow_table, s->evicted_flows);
    assert_int_equal(f.seen.dropped_stream_memory, s->no_memory_octets);
    assert_int_equal(f.seen.packets, s->packets);
}

static void scan(uint64_t n)
{
    uint32_t mixed = (uint32_t)n * 2654435761u;
    flood_tcp(&f, &(struct flood_packet){.from = 0x0a020000u | (mixed >> 28),
                                         .to = mixed,
                                         .from_port = (uint16_t)(1024 + n % 60000),
                                         .to_port = 25,
                                         .flags = PACKET_SYN,
                                         .seq = (uint32_t)n});
}

static void test_scan(void **state)
{
    struct honest h = {.wanted = 4000, .pace = 100};
    (void)state;
    run("scan", scan, 10000000, &h);
    const struct stats *s = sensor_stats(f.sensor);
    assert_int_equal(s->tcp_flows, 10000000 + h.wanted);
    // Time-outs free some places; an attempt that is evicted is told as such.
    assert_true(s->evicted_flows > 9000000);
    flood_close(&f);
}

// Connections that send half a command, and every other one octets behind a hole, for ever.
static void half_open(uint64_t n)
{
    uint32_t i = (uint32_t)(n / 4), from = 0x0a030000u | (i & 0xffff);
    struct flood_packet p = {.from = from,
                             .to = 0xc6336400u | (i >> 16),
                             .from_port = (uint16_t)(1024 + i % 60000),
                             .to_port = i % 8 == 0 ? 4711 : 25,
                             .seq = i,
                             .flags = PACKET_SYN};
    switch (n % 4) {
    case 0: break;
    case 1:
        p.from = p.to;
        p.to = from;
        p.from_port = p.to_port;
        p.to_port = (uint16_t)(1024 + i % 60000);
        p.flags = PACKET_SYN | PACKET_ACK;
        p.ack = i + 1;
        p.seq = 7000;
        break;
    case 2:
        p.flags = PACKET_ACK;
        p.seq = i + 1;
        p.ack = 7001;
        p.payload = "EHLO half\r\nMAIL FROM:<an.address.without.an.e";
        break;
    default:
        p.flags = PACKET_ACK;
        p.seq = i + 1000;
        p.ack = 7001;
        p.payload = i & 1 ? "behind a hole" : NULL;
    }
    flood_tcp(&f, &p);
}

static void test_half_open(void **state)
{
    struct honest h = {.wanted = 2000, .pace = 40};
    (void)state;
    run("half-open", half_open, 2000000, &h);
    const struct stats *s = sensor_stats(f.sensor);
    assert_int_equal(s->tcp_flows, 500000 + h.wanted);
    assert_true(s->evicted_flows > 400000);
    assert_true(s->dialogues_evicted > 400000);
    assert_int_equal(s->dialogues_refused, 0);
    flood_close(&f);
}

// Few connections, segments behind a hole that overlap and never agree.
static void overlap(uint64_t n)
{
    static char text[401];
    uint32_t i = (uint32_t)n % 512, round = (uint32_t)(n / 512);
    struct flood_packet p = {.from = 0x0a040000u | i,
                             .to = 0xc6336402,
                             .from_port = 1024,
                             .to_port = 25,
                             .seq = 1,
                             .flags = PACKET_SYN};
    if (round > 0) {
        memset(text, 'a' + (int)(round % 26), 400);
        p.flags = PACKET_ACK;
        p.seq = 2000 + round * 977 % 60000;
        p.payload = text;
    }
    flood_tcp(&f, &p);
}

static void test_overlap(void **state)
{
    struct honest h = {.wanted = 500, .pace = 80};
    (void)state;
    run("overlap", overlap, 1000000, &h);
    const struct stats *s = sensor_stats(f.sensor);
    assert_true(s->conflicts > 100000);
    assert_true(s->no_memory_octets > 0);
    assert_true(f.unfollowed > 0);
    flood_close(&f);
}

// Beginnings without an end, ends without a beginning, pieces of eight octets, while honest mail comes in
// fragments as well.
static void fragments(uint64_t n)
{
    uint16_t id = (uint16_t)(n * 40503u);
    uint32_t from = 0x0a050000u | ((uint32_t)(n >> 16) & 0xffff);
    switch (n % 3) {
    case 0: flood_fragment(&f, from, id, 0, true, 480); break;
    case 1: flood_fragment(&f, from, id, 65000, false, 16); break;
    default: flood_fragment(&f, from, id, (uint16_t)(8 * (n % 1000)), true, 8);
    }
}

static void test_fragments(void **state)
{
    struct honest h = {.wanted = 1000, .pace = 50, .piece = 24};
    (void)state;
    run("fragments", fragments, 1000000, &h);
    assert_true(f.seen.fragments_lost > 990000);
    assert_int_equal(sensor_stats(f.sensor)->evicted_flows, 0);
    flood_close(&f);
}

// ---- A million flows, with the tables of the default configuration.

static void idle_flow(uint32_t i)
{
    struct flood_packet p = {.from = 0x0a000000u | (i & 0xffffff),
                             .to = 0xc6336402,
                             .from_port = (uint16_t)(1024 + i % 60000),
                             .to_port = i % 4 == 0 ? 25 : 443,
                             .seq = 1,
                             .flags = PACKET_SYN};
    f.t_us += 30;
    flood_tcp(&f, &p);
    struct flood_packet back = {.from = p.to,
                                .to = p.from,
                                .from_port = p.to_port,
                                .to_port = p.from_port,
                                .flags = PACKET_SYN | PACKET_ACK,
                                .seq = 1,
                                .ack = 2};
    flood_tcp(&f, &back);
    p.flags = PACKET_ACK;
    p.seq = p.ack = 2;
    p.payload = i % 4 == 0 ? "EHLO idle.example\r\n" : "\x16\x03\x01\x02";
    flood_tcp(&f, &p);
}

static void test_million(void **state)
{
    const uint32_t million = 1000000;
    (void)state;
    flood_open(&f, "sensor: {flows: 1000000}");
    for (uint32_t i = 0; i < million / 2; i++)
        idle_flow(i);
    int64_t half = flood_resident_kib();
    for (uint32_t i = million / 2; i < million; i++)
        idle_flow(i);
    int64_t whole = flood_resident_kib();
    const struct stats *s = sensor_stats(f.sensor);
    // All places of dialogues were taken before the first half was over.
    assert_true(s->dialogues_evicted > 0);
    assert_int_equal(s->tcp_flows, million);
    assert_int_equal(s->evicted_flows, 0);
    assert_int_equal(s->ended_flows, 0);
    // The heads of the hash table are touched at the start: at most eight octets a flow.
    int64_t each = (whole - half) * 1024 / (million / 2) + 8;
    print_message("a million flows: %lld MiB resident, %lld octets an idle flow\n",
                  (long long)(whole / 1024), (long long)each);
    assert_true(each <= 192);
    assert_true(whole < 1024 * 1024);
    // One more, and the oldest has to go.
    idle_flow(million);
    assert_int_equal(s->evicted_flows, 1);
    flood_close(&f);
}

int main(void)
{
    log_open("test");
    // Largest first: what an earlier test has left in the allocator would hide what a later one takes.
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_million), cmocka_unit_test(test_scan),
                                       cmocka_unit_test(test_half_open),
                                       cmocka_unit_test(test_overlap),
                                       cmocka_unit_test(test_fragments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
