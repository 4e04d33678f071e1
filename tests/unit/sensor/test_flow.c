// What becomes of an attempt, told once and at the right time, whatever the mirror shows of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static void test_established(void **state)
{
    (void)state;
    begin();
    handshake(0);
    bench_tcp(&b, 130, 's', A, 5001, 1001, "220 mx\r\n");
    bench_tcp(&b, 140, 'c', A, 1001, 5009, "QUIT\r\n");
    assert_int_equal(b.records, 0); // told with the end
    bench_tcp(&b, 150, 's', A, 5009, 1007, "221 bye\r\n");
    bench_tcp(&b, 151, 's', A | F, 5018, 1007, NULL);
    bench_tcp(&b, 160, 'c', A | F, 1007, 5019, NULL);
    assert_int_equal(b.records, 0);
    bench_tcp(&b, 170, 's', A, 5019, 1008, NULL);
    assert_int_equal(b.records, 1);
    const struct record_flow *r = bench_last(&b);
    assert_int_equal(r->flags, RECORD_START | RECORD_OUTCOME | RECORD_END);
    assert_int_equal(r->handshake, RECORD_HANDSHAKE_ESTABLISHED);
    assert_int_equal(r->side, RECORD_SIDE_INITIATOR);
    assert_int_equal(r->flow_start_ms, BENCH_START_MS);
    assert_int_equal(r->start_ms, BENCH_START_MS);
    assert_int_equal(r->end_ms, BENCH_START_MS + 170);
    assert_int_equal(r->outcome_ms, BENCH_START_MS + 140);
    assert_int_equal(r->rtt_us, 30000);
    assert_int_equal(r->to_first_reply_ms, 100);
    assert_int_equal(r->packets[0], 4);
    assert_int_equal(r->packets[1], 5);
    assert_int_equal(r->octets[0], 4 * 40 + 6);
    assert_int_equal(r->payload_octets[1], 17);
    assert_int_equal(r->initiator_isn, 1000);
    assert_int_equal(r->responder_isn, 5000);
    assert_int_equal(r->isn_seen, 3);
    assert_int_equal(r->incomplete, 0);
    assert_int_equal(r->syn_count, 1);
    assert_int_equal(r->app, RECORD_APP_SMTP);
    assert_int_equal(r->smtp.quit, 1);
    // What comes late belongs to nothing.
    bench_tcp(&b, 180, 's', A, 5019, 1008, NULL);
    assert_int_equal(b.stats.stray_packets, 1);
    end();
}

static void test_refused(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 0, 'c', S, 1000, 0, NULL);
    bench_tcp(&b, 5, 's', R | A, 0, 999, NULL); // of something else
    assert_int_equal(b.records, 0);
    bench_tcp(&b, 10, 's', R | A, 0, 1001, NULL);
    assert_int_equal(b.records, 1);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_REFUSED);
    assert_int_equal(bench_last(&b)->flags, RECORD_START | RECORD_OUTCOME | RECORD_END);
    assert_int_equal(bench_last(&b)->app, RECORD_APP_SMTP);
    assert_int_equal(bench_last(&b)->app_source, RECORD_APP_BY_PORT);
    // Windows tries again with the same number: still one attempt.
    bench_tcp(&b, 510, 'c', S, 1000, 0, NULL);
    bench_tcp(&b, 520, 's', R | A, 0, 1001, NULL);
    assert_int_equal(b.records, 1);
    // Another number is another attempt.
    bench_tcp(&b, 1000, 'c', S, 77000, 0, NULL);
    bench_tcp(&b, 1010, 's', R | A, 0, 77001, NULL);
    assert_int_equal(b.records, 2);
    assert_int_equal(b.stats.tcp_flows, 2);
    end();
}

// A FIN that the mirror shows before the octets it follows is no missing octet.
static void test_fin_first(void **state)
{
    (void)state;
    begin();
    handshake(0);
    bench_tcp(&b, 40, 'c', A | F, 1007, 5021, NULL);
    bench_tcp(&b, 41, 's', A, 5001, 1001, "220 mx.example ESMTP");
    bench_tcp(&b, 42, 'c', A, 1001, 5021, "QUIT\r\n");
    bench_tcp(&b, 43, 's', A, 5021, 1008, NULL);
    bench_tcp(&b, 44, 's', A | F, 5021, 1008, NULL);
    bench_wait(&b, 60000);
    const struct record_flow *r = bench_last(&b);
    assert_int_equal(r->handshake, RECORD_HANDSHAKE_ESTABLISHED);
    assert_int_equal(r->missing_octets[0], 0);
    assert_int_equal(r->incomplete & RECORD_GAP, 0);
    end();
}

// Padding that the snap length cut is no loss; an octet of the dialogue is.
static void test_sliced(void **state)
{
    (void)state;
    begin();
    handshake(0);
    struct packet p = bench_packet(&b, 40, 'c', A, 1001, 5001, "EHLO x\r\n");
    p.has |= PACKET_SLICED;
    bench_send(&b, &p);
    bench_wait(&b, 60000);
    assert_int_equal(bench_last(&b)->incomplete & RECORD_SLICED, 0);
    p = bench_packet(&b, 60100, 'c', A, 1009, 5001, "MAIL FROM:<a@b>\r\n");
    p.has |= PACKET_SLICED;
    p.payload.len -= 3;
    bench_send(&b, &p);
    bench_wait(&b, 120000);
    assert_int_equal(bench_last(&b)->incomplete & RECORD_SLICED, RECORD_SLICED);
    end();
}

// A refusal whose SYN was not shown.
static void test_refusal_alone(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 0, 's', R | A, 0, 1001, NULL);
    assert_int_equal(b.records, 1);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_REFUSED);
    assert_int_equal(bench_last(&b)->responder_port, 25);
    assert_true(bench_last(&b)->incomplete & RECORD_ONLY_RESPONDER);
    bench_tcp(&b, 20000, 'c', R, 12345, 0, NULL); // of nothing
    assert_int_equal(b.records, 1);
    end();
}

static void test_unanswered(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 0, 'c', S, 1000, 0, NULL);
    bench_tcp(&b, 3000, 'c', S, 1000, 0, NULL);
    bench_wait(&b, 3999);
    assert_int_equal(b.records, 0);
    bench_wait(&b, 4000);
    assert_int_equal(b.records, 1);
    const struct record_flow *r = bench_last(&b);
    assert_int_equal(r->handshake, RECORD_HANDSHAKE_UNANSWERED);
    assert_int_equal(r->flags, RECORD_START | RECORD_OUTCOME);
    assert_int_equal(r->outcome_ms, BENCH_START_MS + 4000);
    assert_int_equal(r->end_ms, BENCH_START_MS + 4000);
    assert_int_equal(r->syn_count, 2);
    assert_true(r->incomplete & RECORD_ONLY_INITIATOR);
    // The last try, then silence.
    bench_tcp(&b, 9000, 'c', S, 1000, 0, NULL);
    bench_wait(&b, 78999);
    assert_int_equal(b.records, 1);
    bench_wait(&b, 79000);
    assert_int_equal(b.records, 2);
    r = bench_last(&b);
    assert_int_equal(r->flags, RECORD_CONTINUE | RECORD_END);
    assert_int_equal(r->syn_count, 1);
    assert_int_equal(r->flow_hash, b.record[0].flow_hash);
    assert_int_equal(b.stats.tcp_flows, 1);
    end();
}

// A later answer is the later word; the hash by which the flow is known does not change.
static void test_late_answer(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 0, 'c', S, 1000, 0, NULL);
    bench_tcp(&b, 5000, 's', S | A, 5000, 1001, NULL);
    bench_tcp(&b, 5010, 'c', A, 1001, 5001, NULL);
    bench_tcp(&b, 5020, 'c', A, 1001, 5001, "EHLO x\r\n");
    bench_wait(&b, 60000);
    assert_int_equal(b.records, 2);
    assert_int_equal(b.record[0].handshake, RECORD_HANDSHAKE_UNANSWERED);
    assert_int_equal(b.record[1].handshake, RECORD_HANDSHAKE_ESTABLISHED);
    assert_true(b.record[1].flags & RECORD_OUTCOME);
    assert_int_equal(b.record[1].outcome_ms, BENCH_START_MS + 5020);
    assert_int_equal(b.record[1].flow_hash, b.record[0].flow_hash);
    assert_int_equal(b.record[1].isn_seen, 3);
    end();
}

static void test_icmp(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 0, 'c', S, 1000, 0, NULL);
    // The quoted packet: IPv4, TCP, both ports, the sequence number.
    static const uint8_t quoted[28] = {
        0x45, 0,   0,   40, 0,         1,          0,  0,   64, 6,          0,
        0,    192, 168, 1,  1,         198,        51, 100, 2,  40000 >> 8, 40000 & 0xff,
        0,    25,  0,   0,  1000 >> 8, 1000 & 0xff};
    struct packet p = bench_packet(&b, 30, 's', 0, 0, 0, NULL);
    p.ip_proto = 1;
    p.icmp_type = 3;
    p.icmp_code = 13;
    for (uint32_t len = 0; len < sizeof quoted; len++) {
        p.payload = span_of(quoted, len);
        bench_send(&b, &p);
    }
    assert_int_equal(b.records, 0);
    p.payload = span_of(quoted, sizeof quoted);
    p.icmp_code = 4; // fragmentation needed: goes on
    bench_send(&b, &p);
    assert_int_equal(b.records, 0);
    p.icmp_code = 13;
    bench_send(&b, &p);
    assert_int_equal(b.records, 1);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_ICMP);
    assert_int_equal(bench_last(&b)->outcome_ms, BENCH_START_MS + 30);
    bench_send(&b, &p); // again: told once
    bench_wait(&b, 10000);
    assert_int_equal(b.records, 1);
    end();
}

static void test_closed_early(void **state)
{
    (void)state;
    begin();
    handshake(0); // by its end, though the server has greeted
    bench_tcp(&b, 100, 's', A, 5001, 1001, "220 mx\r\n");
    bench_tcp(&b, 200, 'c', A | F, 1001, 5009, NULL);
    bench_tcp(&b, 210, 's', A | F, 5009, 1002, NULL);
    bench_tcp(&b, 220, 'c', A, 1002, 5010, NULL);
    assert_int_equal(b.records, 1);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_CLOSED_EARLY);
    assert_int_equal(bench_last(&b)->smtp.banner_code, 220);
    end();

    begin(); // half-open scan
    bench_tcp(&b, 0, 'c', S, 1000, 0, NULL);
    bench_tcp(&b, 10, 's', S | A, 5000, 1001, NULL);
    bench_tcp(&b, 11, 'c', R, 1001, 0, NULL);
    assert_int_equal(b.records, 1);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_CLOSED_EARLY);
    assert_int_equal(bench_last(&b)->flags, RECORD_START | RECORD_OUTCOME | RECORD_END);
    end();

    begin(); // by silence; and the client speaks after all
    handshake(0);
    bench_wait(&b, 10029);
    assert_int_equal(b.records, 0);
    bench_wait(&b, 10030);
    assert_int_equal(b.records, 1);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_CLOSED_EARLY);
    assert_int_equal(bench_last(&b)->flags, RECORD_START | RECORD_OUTCOME);
    bench_tcp(&b, 30000, 'c', A, 1001, 5001, "EHLO x\r\n");
    bench_wait(&b, 60000);
    assert_int_equal(b.records, 2);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_ESTABLISHED);
    end();
}

static void test_one_direction(void **state)
{
    (void)state;
    begin(); // the client's side only
    bench_tcp(&b, 0, 'c', S, 1000, 0, NULL);
    bench_tcp(&b, 30, 'c', A, 1001, 5001, NULL);
    bench_tcp(&b, 130, 'c', A, 1001, 5009, "EHLO x\r\n");
    bench_tcp(&b, 160, 'c', A | F, 1009, 5020, NULL);
    bench_wait(&b, 120000);
    const struct record_flow *r = bench_last(&b);
    assert_int_equal(r->handshake, RECORD_HANDSHAKE_ESTABLISHED);
    assert_true(r->incomplete & RECORD_ONLY_INITIATOR);
    assert_int_equal(r->responder_isn, 5000); // told by the first acknowledgement
    uint64_t missing = 0;
    for (size_t i = 0; i < b.records; i++)
        missing += b.record[i].missing_octets[1];
    assert_int_equal(missing, 19);
    assert_int_equal(b.stats.one_sided_flows, 1);
    end();

    begin(); // the server's side only
    bench_tcp(&b, 0, 's', S | A, 5000, 1001, NULL);
    bench_tcp(&b, 100, 's', A, 5001, 1001, "220 mx\r\n");
    bench_tcp(&b, 200, 's', A, 5009, 1007, "250 hi\r\n");
    bench_wait(&b, 60000);
    r = bench_last(&b);
    assert_int_equal(r->initiator_port, 40000);
    assert_int_equal(r->handshake, RECORD_HANDSHAKE_ESTABLISHED); // six octets acknowledged
    assert_true(r->incomplete & RECORD_ONLY_RESPONDER);
    assert_int_equal(r->isn_seen, 3);
    end();
}

// Joined in the middle: the port says who is the server, or its greeting does.
static void test_midstream(void **state)
{
    (void)state;
    begin();
    bench_tcp(&b, 0, 's', A, 9000, 1000, "250 ok\r\n");
    bench_tcp(&b, 10, 'c', A, 1000, 9008, "MAIL FROM:<a@b>\r\n");
    bench_wait(&b, 60000);
    assert_int_equal(bench_last(&b)->handshake, RECORD_HANDSHAKE_MIDSTREAM);
    assert_int_equal(bench_last(&b)->responder_port, 25);
    assert_true(bench_last(&b)->incomplete & RECORD_MIDSTREAM);
    assert_int_equal(b.stats.midstream_flows, 1);
    end();

    begin();
    struct packet p = bench_packet(&b, 0, 's', A, 9000, 1000, NULL);
    p.port[0] = 50000; // a server on a high port, whose client has a lower one
    bench_send(&b, &p);
    p = bench_packet(&b, 10, 's', A, 9000, 1000, "220 mx ESMTP\r\n");
    p.port[0] = 50000;
    bench_send(&b, &p);
    bench_finish(&b);
    assert_int_equal(bench_last(&b)->responder_port, 50000);
    assert_int_equal(bench_last(&b)->packets[1], 2);
    end();

    begin(); // nothing but an end: no flow
    bench_tcp(&b, 0, 'c', A | F, 1000, 9000, NULL);
    assert_int_equal(b.stats.tcp_flows, 0);
    assert_int_equal(b.stats.stray_packets, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_established),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refusal_alone), cmocka_unit_test(test_unanswered),
        cmocka_unit_test(test_late_answer),   cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_closed_early),  cmocka_unit_test(test_one_direction),
        cmocka_unit_test(test_midstream),     cmocka_unit_test(test_fin_first),
        cmocka_unit_test(test_sliced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
