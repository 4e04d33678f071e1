// The flow table around attempts: ports used again, packets doubled, minutes, full tables, realms.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "flow_key.h"
#include "path.h"

static void test_port_reuse(void **state)
{
    (void)state;
    begin();
    handshake(0);
    bench_tcp(&b, 100, 'c', A, 1001, 5001, "EHLO x\r\n");
    bench_tcp(&b, 110, 's', A | F, 5001, 1009, NULL);
    bench_tcp(&b, 120, 'c', A | F, 1009, 5002, NULL);
    bench_tcp(&b, 130, 's', A, 5002, 1010, NULL);
    assert_int_equal(b.records, 1);
    bench_tcp(&b, 200, 'c', S, 50000, 0, NULL);
    assert_int_equal(b.stats.tcp_flows, 2);
    // And while the old one seems open.
    bench_tcp(&b, 300, 's', S | A, 90000, 50001, NULL);
    bench_tcp(&b, 400, 'c', S, 70000, 0, NULL);
    assert_int_equal(b.stats.tcp_flows, 3);
    assert_int_equal(b.records, 2);
    assert_true(b.record[1].flags & RECORD_END);
    // A retransmitted SYN is no new connection.
    bench_tcp(&b, 1400, 'c', S, 70000, 0, NULL);
    assert_int_equal(b.stats.tcp_flows, 3);
    end();
    assert_true(b.record[0].flow_hash != b.record[1].flow_hash);
}

// A usual packet stands where its fields say, in both directions and between ports of one host.
static void test_usual_place(void **state)
{
    (void)state;
    begin();
    for (unsigned n = 0; n < 64; n++) {
        struct packet p = bench_packet(&b, 0, n & 1 ? 'c' : 's', A, 1000 + n, n * 77, "x");
        p.addr[0][15] = (uint8_t)(n * 5);
        p.addr[1][12] = (uint8_t)(n * 9);
        if (n % 8 < 2)
            memcpy(p.addr[0], p.addr[1], sizeof p.addr[0]);
        struct usual u = {.from = octets_mapped_v4(p.addr[0] + 12),
                          .to = octets_mapped_v4(p.addr[1] + 12),
                          .marks = packet_marks(&p),
                          .gate = (uint32_t)p.window << 8 | p.tcp_flags};
        memcpy(&u.ports, p.port, sizeof u.ports);
        struct flow_place is = {0}, should = {0};
        flow_locate(b.table, &p, &should);
        flow_locate_usual(b.table, &p, &u, &is);
        assert_true(is.hash == should.hash && is.number == should.number &&
                    is.last == should.last && is.realm == should.realm &&
                    is.swapped == should.swapped && is.known == should.known && is.known == 6);
    }
    end();
}

static void test_doubled(void **state)
{
    (void)state;
    begin();
    for (int copy = 0; copy < 2; copy++) {
        b.ip_id = 0;
        bench_tcp(&b, copy, 'c', S, 1000, 0, NULL);
    }
    struct packet p = bench_packet(&b, 20, 's', S | A, 5000, 1001, NULL);
    bench_send(&b, &p);
    p.ttl--; // behind the router
    p.t_us += 900;
    bench_send(&b, &p);
    p.t_us += 6000000; // much later: the same again is a retransmission
    bench_send(&b, &p);
    bench_finish(&b);
    const struct record_flow *r = bench_last(&b);
    uint64_t packets = 0, duplicates = 0, retransmissions = 0, syns = 0;
    for (size_t i = 0; i < b.records; i++) {
        packets += b.record[i].packets[0] + b.record[i].packets[1];
        duplicates += b.record[i].duplicates;
        retransmissions += b.record[i].retransmissions[1];
        syns += b.record[i].syn_count;
    }
    assert_int_equal(packets, 3);
    assert_int_equal(duplicates, 2);
    assert_int_equal(retransmissions, 1);
    assert_int_equal(syns, 1);
    assert_true(r->flags & RECORD_END);
    end();
}

// A minute is told when it ends; sums over all records are the flow's.
static void test_minutes(void **state)
{
    (void)state;
    begin();
    handshake(59000);
    bench_tcp(&b, 59900, 'c', A, 1001, 5001, "EHLO x\r\n");
    assert_int_equal(b.records, 0);
    bench_tcp(&b, 60100, 's', A, 5001, 1009, "250 x\r\n");
    assert_int_equal(b.records, 1);
    assert_int_equal(b.record[0].flags, RECORD_START | RECORD_OUTCOME);
    assert_int_equal(b.record[0].end_ms, BENCH_START_MS + 59900);
    bench_wait(&b, 300000); // silent minutes are not told
    assert_int_equal(b.records, 2);
    assert_int_equal(b.record[1].flags, RECORD_CONTINUE);
    assert_int_equal(b.record[1].start_ms, BENCH_START_MS + 60100);
    assert_int_equal(b.record[1].packets[0], 0);
    assert_int_equal(b.record[1].packets[1], 1);
    bench_wait(&b, 60100 + 900000);
    assert_int_equal(b.records, 3);
    assert_int_equal(b.record[2].flags, RECORD_CONTINUE | RECORD_END);
    assert_int_equal(b.record[2].packets[0] + b.record[2].packets[1], 0);
    end();
}

// An attempt pending at the minute's end begins in its own minute; the outcome comes in the next. Told
// once, it is not told again before there is more to say.
static void test_pending_at_minute(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 50000, 'c', S, 500, 0, NULL); // told with its outcome at 54 s
    struct packet p = bench_packet(&b, 57000, 'c', S, 1000, 0, NULL);
    p.port[0] = 40001;
    bench_send(&b, &p);
    p.port[0] = 40002;
    p.t_us += 2999000;
    bench_send(&b, &p);
    bench_wait(&b, 59999);
    assert_int_equal(b.records, 1);
    bench_wait(&b, 60000);
    assert_int_equal(b.records, 3);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(b.record[i].flags, RECORD_START);
        assert_int_equal(b.record[i].handshake, RECORD_HANDSHAKE_PENDING);
        assert_int_equal(b.record[i].initiator_port, 40000 + i);
        assert_int_equal(b.record[i].syn_count, 1);
        assert_true(b.record[i].end_ms < BENCH_START_MS + 60000);
    }
    p.t_us += 200000; // retransmitted
    p.ip_id++;
    bench_send(&b, &p);
    bench_wait(&b, 62000);
    assert_int_equal(b.records, 4);
    assert_int_equal(b.record[3].flags, RECORD_CONTINUE | RECORD_OUTCOME);
    assert_int_equal(b.record[3].outcome_ms, BENCH_START_MS + 61000);
    assert_int_equal(b.record[3].syn_count, 0);
    bench_wait(&b, 64000);
    assert_int_equal(b.records, 5);
    assert_int_equal(b.record[4].flags, RECORD_CONTINUE | RECORD_OUTCOME);
    assert_int_equal(b.record[4].handshake, RECORD_HANDSHAKE_UNANSWERED);
    assert_int_equal(b.record[4].syn_count, 1);
    assert_int_equal(b.record[4].start_ms, BENCH_START_MS + 60199);
    bench_wait(&b, 119000); // the rest is told with their ends
    assert_int_equal(b.records, 5);
    end();
}

// A young attempt at the end of the input stays open, and says so.
static void test_finish(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 0, 'c', S, 1000, 0, NULL);
    bench_wait(&b, 3000);
    bench_finish(&b);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_PENDING);
    assert_int_equal(bench_last(&b)->flags, RECORD_START | RECORD_END);
    assert_int_equal(bench_last(&b)->outcome_ms, 0);
    end();
    begin();
    handshake(0);
    bench_finish(&b);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_ESTABLISHED);
    end();
}

// A scan fills the table with attempts; the connection stays, and every eviction counts.
static void test_scan(void **state)
{
    (void)state;
    bench_open(&b, 64, 0);
    handshake(0);
    bench_tcp(&b, 40, 'c', A, 1001, 5001, "EHLO x\r\n");
    for (uint32_t i = 0; i < 10000; i++) {
        struct packet p = bench_packet(&b, 50, 'c', S, i, 0, NULL);
        p.addr[1][12] = (uint8_t)(1 + i / 2560);
        p.addr[1][14] = (uint8_t)(i / 256);
        p.addr[1][15] = (uint8_t)i;
        p.port[1] = (uint16_t)(1024 + i % 7);
        b.records = 0;
        bench_send(&b, &p);
        assert_true(b.table->in_use <= 64);
    }
    assert_int_equal(b.stats.evicted_flows, 10000 - 63);
    assert_true(bench_last(&b)->incomplete & RECORD_EVICTED);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_PENDING);
    b.records = 0;
    bench_tcp(&b, 60, 'c', A | F, 1009, 5001, NULL);
    bench_tcp(&b, 70, 's', A | F, 5001, 1010, NULL);
    bench_tcp(&b, 80, 'c', A, 1010, 5002, NULL);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_ESTABLISHED);
    assert_int_equal(bench_last(&b)->packets[0], 5);
    b.records = 0;
    bench_finish(&b);
    b.records = 0;
    bench_close(&b);
}

// Half-open dialogues take all places and are the first to lose them; who goes on is followed to the
// end, and what an evicted one had gathered is told.
static void test_half_open(void **state)
{
    (void)state;
    bench_open(&b, 256, 0);
    handshake(0);
    bench_tcp(&b, 40, 'c', A, 1001, 5001, "EHLO x\r\n");
    for (uint16_t i = 0; i < 120; i++) {
        struct packet p = bench_packet(&b, 50 + i, 'c', A, 9000, 7000, "HELO half\r\nMAIL FROM:<a");
        p.port[0] = (uint16_t)(50000 + i);
        p.port[1] = i % 3 == 0 ? 2526 : 25;
        b.records = 0;
        bench_send(&b, &p);
        assert_true(dialogues_in_use(b.table->dialogues) <= 16);
        if (i % 4 == 0)
            bench_tcp(&b, 50 + i, 'c', A, 1009u + i / 4 * 6, 5001, "NOOP\r\n");
    }
    assert_int_equal(b.stats.dialogues_refused, 0);
    assert_int_equal(b.stats.dialogues_evicted, 121 - dialogues_in_use(b.table->dialogues));
    b.records = 0;
    bench_tcp(&b, 200, 'c', A, 1009 + 30 * 6, 5001, "QUIT\r\n");
    bench_tcp(&b, 210, 'c', A | R, 1009 + 31 * 6, 5001, NULL);
    bench_wait(&b, 5000);
    const struct record_flow *r = bench_last(&b);
    assert_int_equal(r->initiator_port, 40000);
    assert_int_equal(r->smtp.helo, 1);
    assert_int_equal(r->smtp.quit, 1);
    assert_int_equal(r->incomplete & RECORD_NO_MEMORY, 0);
    b.records = 0;
    bench_close(&b);
}

// A SYN from `port`, or its refusal.
static void attempt(int64_t t_ms, uint16_t port, bool refusal)
{
    struct packet p = refusal ? bench_packet(&b, t_ms, 's', R | A, 0, 1001, NULL)
                              : bench_packet(&b, t_ms, 'c', S, 1000, 0, NULL);
    p.port[refusal] = port;
    bench_send(&b, &p);
}

// Ended flows go when their time is over; of those that ended at once the one with the lowest place goes first. What a
// reload changes holds for those that wait already.
static void test_ended(void **state)
{
    (void)state;
    static const uint16_t ended[] = {2, 0, 1}; // places, in the order of their ends
    begin();
    for (uint16_t i = 0; i < 3; i++)
        attempt(0, (uint16_t)(50000 + i), false);
    for (uint16_t i = 0; i < 3; i++)
        attempt(5, (uint16_t)(50000 + ended[i]), true);
    bench_wait(&b, 10004);
    assert_int_equal(b.table->in_use, 3);
    bench_wait(&b, 10005);
    assert_int_equal(b.table->in_use, 0);
    // The last that went is the first to be used again.
    for (uint16_t i = 0; i < 3; i++)
        attempt(10010, (uint16_t)(60000 + i), false);
    for (uint16_t i = 0; i < 3; i++)
        assert_int_equal(flow_port(&b.table->flow[2 - i], 0), 60000 + i);
    for (uint16_t i = 0; i < 3; i++)
        attempt(10020 + i, (uint16_t)(60000 + i), true);
    b.table->config.done_us = 20000000;
    bench_wait(&b, 30021);
    assert_int_equal(b.table->in_use, 1);
    b.table->config.done_us = 19000000;
    b.table->quiet_us = 0;
    flow_run(b.table, (BENCH_START_MS + 30021) * 1000);
    assert_int_equal(b.table->in_use, 0);
    end();
}

// Each kind of dialogue keeps a quarter of the places however many of the other come.
static void test_shares(void **state)
{
    (void)state;
    for (unsigned flood_is_mail = 0; flood_is_mail < 2; flood_is_mail++) {
        bench_open(&b, 256, 0);
        for (uint16_t i = 0; i < 104; i++) {
            struct packet p = bench_packet(&b, i, 'c', A, 9000, 7000, "what is this");
            p.port[0] = (uint16_t)(50000 + i);
            p.port[1] = (i < 4) != flood_is_mail ? 25 : 9999;
            b.records = 0;
            bench_send(&b, &p);
        }
        for (uint16_t i = 0; i < 104; i++) {
            const struct flow *f = &b.table->flow[i];
            assert_int_equal(f->dialogue != 0, i < 4 || i >= 92);
            assert_int_equal((f->incomplete & RECORD_NO_MEMORY) != 0, f->dialogue == 0);
        }
        b.records = 0;
        bench_close(&b);
    }
}

// The MAC address on the subscriber's side is kept for each flow, whoever is seen first; a place used again has
// nothing of the flow before.
static void test_mac(void **state)
{
    (void)state;
    static const uint8_t mac[3][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
    static const struct row {
        char from;
        uint8_t flags;
        bool framed;
        uint8_t wanted; // of `mac`; 2: none
    } rows[] = {{'c', S, true, 0}, {'s', S | A, true, 0}, {'c', S, false, 2}, {'c', A, true, 0}};
    bench_open(&b, 1, 0);
    for (uint16_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct packet p = bench_packet(&b, i, row->from, row->flags, 1000, 1, "220");
        uint8_t frame[12];
        memcpy(frame, mac[row->from == 'c'], 6);
        memcpy(frame + 6, mac[row->from != 'c'], 6);
        p.port[row->from != 'c'] = (uint16_t)(40000 + i);
        p.has = row->framed ? PACKET_HAS_MAC : 0;
        p.mac = row->framed ? frame : NULL;
        bench_send(&b, &p);
        flow_finish(b.table, p.t_us);
        assert_true(b.records > 0);
        const struct record_flow *r = bench_last(&b);
        assert_int_equal(!!(r->groups & RECORD_HAS_L2), row->framed);
        if (row->framed)
            assert_memory_equal(r->l2.subscriber_mac, mac[row->wanted], 6);
    }
    end();
}

// Of two subscribers it is the initiator's. A beginning shown late, or a greeting, may tell that this is the other one; what
// follows from who is the far end changes with it.
static void test_ends_swapped(void **state)
{
    (void)state;
    static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
    static const uint8_t neighbour[4] = {192, 168, 1, 2}, smarthost[4] = {203, 0, 113, 25};
    static const struct {
        char from; // both packets
        uint8_t flags[2];
        uint32_t seq[2];
        const char *text[2];
    } rows[] = {{'c', {A, S}, {1001, 1000}, {"hi\r\n", NULL}},
                {'s', {A, S | A}, {5001, 5000}, {"hi\r\n", NULL}},
                {'s', {A, A}, {5001, 5001}, {NULL, "220 mx\r\n"}}};
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        bool neighbours = i % 2 == 0;
        unsigned server = rows[i / 2].from == 'c';
        bench_open(&b, 1, 0);
        for (size_t k = 0; k < 2; k++) {
            struct packet p = bench_packet(&b, (int64_t)k, rows[i / 2].from, rows[i / 2].flags[k],
                                           rows[i / 2].seq[k], 1001, rows[i / 2].text[k]);
            uint8_t frame[12];
            memcpy(frame, mac[server], 6);
            memcpy(frame + 6, mac[!server], 6);
            p.has = PACKET_HAS_MAC;
            p.mac = frame;
            if (neighbours)
                memcpy(p.addr[server] + 12, neighbour, 4);
            else
                memcpy(p.addr[!server] + 12, smarthost, 4);
            p.port[server] = 6000;
            p.port[!server] = 3000;
            bench_send(&b, &p);
        }
        assert_false(b.table->flow[0].flags & FLOW_SMARTHOST);
        end();
        const struct record_flow *r = bench_last(&b);
        assert_int_equal(r->initiator_port, 3000);
        assert_int_equal(r->side, neighbours ? RECORD_SIDE_BOTH : RECORD_SIDE_NONE);
        assert_memory_equal(r->l2.subscriber_mac, mac[0], 6);
    }
}

// With VLANs naming the realm the same addresses in two VLANs are two flows; without, one.
static void test_realm(void **state)
{
    (void)state;
    for (unsigned layers = 0; layers <= PATH_REALM_VLAN; layers++) {
        bench_open(&b, 64, layers);
        for (uint16_t vlan = 101; vlan <= 102; vlan++) {
            struct packet p = bench_packet(&b, vlan, 'c', S, 1000, 0, NULL);
            p.has = PACKET_HAS_VLAN;
            p.vlan[0] = vlan;
            bench_send(&b, &p);
            p = bench_packet(&b, vlan + 5, 's', R | A, 0, 1001, NULL);
            p.has = PACKET_HAS_VLAN;
            p.vlan[0] = vlan;
            if (layers)
                bench_send(&b, &p);
        }
        if (layers) {
            assert_int_equal(b.records, 2);
            assert_string_equal(b.record[0].realm.name, "vlan:101");
            assert_string_equal(b.record[1].realm.name, "vlan:102");
            assert_int_equal(b.record[0].l2.vlan[0], 101);
            assert_true(b.record[0].groups & RECORD_HAS_L2);
        } else {
            assert_int_equal(b.stats.tcp_flows, 1);
        }
        end();
    }
}

static void test_udp(void **state)
{
    (void)state;
    begin();
    struct packet p = bench_packet(&b, 0, 'c', 0, 0, 0, "query");
    p.ip_proto = 17;
    p.port[1] = 443;
    bench_send(&b, &p);
    struct packet back = bench_packet(&b, 10, 's', 0, 0, 0, "answer");
    back.ip_proto = 17;
    back.port[0] = 443;
    bench_send(&b, &back);
    bench_wait(&b, 60000);
    assert_int_equal(b.stats.udp_flows, 1);
    assert_int_equal(b.stats.udp_packets, 2);
    bench_wait(&b, 60010);
    assert_int_equal(b.table->in_use, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_reuse),
        cmocka_unit_test(test_doubled),
        cmocka_unit_test(test_usual_place),
        cmocka_unit_test(test_minutes),
        cmocka_unit_test(test_pending_at_minute),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_mac),
        cmocka_unit_test(test_ends_swapped),
        cmocka_unit_test(test_realm),
        cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_udp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
