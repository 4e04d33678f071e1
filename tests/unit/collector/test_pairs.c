// One flow at two sensors, and its halves at two: what goes on, in what state, counted by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pairs.h"

#define T0 INT64_C(1767261600000) // a whole minute

struct out {
    struct record_flow flow[64];
    int process[64];
    size_t count;
};

static void take(const struct record_flow *f, int process, void *ctx)
{
    struct out *o = ctx;
    assert_in_range(o->count, 0, 63);
    o->flow[o->count] = *f;
    o->process[o->count++] = process;
}

static struct record_flow flow(uint16_t port, uint8_t flags, int64_t start_ms, int64_t end_ms)
{
    struct record_flow f = {.flow_hash = port,
                            .ip_proto = 6,
                            .initiator_port = port,
                            .responder_port = 25,
                            .initiator_isn = 4711,
                            .isn_seen = 1,
                            .flags = flags,
                            .sampling = 1,
                            .flow_start_ms = T0 + start_ms,
                            .start_ms = T0 + start_ms,
                            .end_ms = T0 + end_ms};
    ip_parse("10.0.0.1", &f.initiator);
    ip_parse("192.0.2.25", &f.responder);
    return f;
}

static struct record_flow half(struct record_flow f, int direction, uint64_t packets,
                               uint64_t octets, uint8_t handshake, int64_t outcome_ms)
{
    f.incomplete = direction == 0 ? RECORD_ONLY_INITIATOR : RECORD_ONLY_RESPONDER;
    f.flow_hash = (uint64_t)f.initiator_port + 1000u * (unsigned)(direction + 1);
    f.packets[direction] = packets;
    f.octets[direction] = octets;
    f.payload_octets[direction] = octets / 2;
    f.handshake = handshake;
    if (f.flags & RECORD_OUTCOME)
        f.outcome_ms = T0 + outcome_ms;
    return f;
}

static void the_same_flow_counts_once(void **state)
{
    (void)state;
    struct out o = {.count = 0};
    struct pairs *p = pairs_new(1024, take, &o);
    struct record_flow f = flow(1, RECORD_START, 1000, 59000),
                       g = flow(1, RECORD_END, 60000, 70000);
    pairs_take(p, &f, 0, true);
    pairs_take(p, &f, 1, true);
    pairs_take(p, &g, 1, true);
    pairs_take(p, &g, 0, true);
    assert_int_equal(o.count, 2);
    assert_int_equal(o.process[0], 0);
    assert_int_equal(o.process[1], 0);
    assert_int_equal(pairs_stats(p)->twice, 2);
    // The same ports again, another sequence number: another flow, and the other sensor's this time.
    struct record_flow again = flow(1, RECORD_START, 80000, 90000);
    again.initiator_isn = 4712;
    pairs_take(p, &again, 1, true);
    pairs_take(p, &again, 0, true);
    assert_int_equal(o.count, 3);
    assert_int_equal(o.process[2], 1);
    // In another realm the same address is another subscriber.
    struct record_flow other = f;
    realm_parse("vlan:7", &other.realm);
    pairs_take(p, &other, 1, true);
    assert_int_equal(o.count, 4);
    pairs_free(p);
}

static void two_halves_are_one(void **state)
{
    (void)state;
    struct out o = {.count = 0};
    struct pairs *p = pairs_new(1024, take, &o);
    struct record_flow whole = flow(1, RECORD_START | RECORD_OUTCOME | RECORD_END, 1000, 9000);
    struct record_flow up = half(whole, 0, 12, 2400, RECORD_HANDSHAKE_ESTABLISHED, 1040);
    struct record_flow down = half(whole, 1, 10, 9000, RECORD_HANDSHAKE_CLOSED_EARLY, 9000);
    down.flow_start_ms += 20;
    up.missing_octets[1] = 9000; // acknowledged, and seen by the other sensor
    up.groups = down.groups = RECORD_HAS_SMTP;
    up.smtp.helo = up.smtp.mail = 1;
    up.smtp.early_talker = true; // it saw no greeting
    down.smtp.banner_code = 220;
    pairs_take(p, &down, 1, true);
    pairs_take(p, &up, 0, true);
    assert_int_equal(o.count, 0); // not before all have passed the minute
    pairs_advance(p, T0 + 59999);
    assert_int_equal(o.count, 0);
    pairs_advance(p, T0 + 60000);
    assert_int_equal(o.count, 1);
    const struct record_flow *f = &o.flow[0];
    assert_int_equal(f->packets[0], 12);
    assert_int_equal(f->packets[1], 10);
    assert_int_equal(f->octets[0], 2400);
    assert_int_equal(f->octets[1], 9000);
    assert_int_equal(f->missing_octets[1], 0);
    assert_int_equal(f->handshake, RECORD_HANDSHAKE_ESTABLISHED);
    assert_int_equal(f->outcome_ms, T0 + 1040);
    assert_int_equal(f->flow_start_ms, T0 + 1000);
    assert_int_equal(f->flags, RECORD_START | RECORD_OUTCOME | RECORD_END);
    assert_int_equal(f->incomplete & (RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER | RECORD_GAP),
                     0);
    assert_int_equal(f->smtp.helo, 1);
    assert_int_equal(f->smtp.banner_code, 220);
    assert_false(f->smtp.early_talker);
    assert_int_equal(pairs_stats(p)->joined, 2);
    pairs_free(p);
}

// Two halves, whichever comes first; the one flow they make.
static struct record_flow joined(struct record_flow first, struct record_flow second)
{
    struct out o = {.count = 0};
    struct pairs *p = pairs_new(1024, take, &o);
    pairs_take(p, &first, 0, true);
    pairs_take(p, &second, 1, true);
    pairs_advance(p, T0 + 60000);
    assert_int_equal(o.count, 1);
    assert_int_equal(pairs_stats(p)->joined, 2);
    pairs_free(p);
    return o.flow[0];
}

static void halves_with(uint8_t group, struct record_flow *up, struct record_flow *down)
{
    struct record_flow whole = flow(1, RECORD_START | RECORD_OUTCOME | RECORD_END, 1000, 9000);
    *up = half(whole, 0, 12, 2400, RECORD_HANDSHAKE_ESTABLISHED, 1040);
    *down = half(whole, 1, 10, 9000, RECORD_HANDSHAKE_ESTABLISHED, 1040);
    up->groups = down->groups = group;
}

// The client's hello goes one way, the server's and its certificate the other.
static void tls_of_halves(void **state)
{
    (void)state;
    static const uint8_t certificate[32] = {0xce, 0x27, [31] = 1};
    struct record_flow up, down;
    halves_with(RECORD_HAS_TLS, &up, &down);
    up.tls = (struct record_tls){.ja4 = "t12d1516h2_8daaf6152771_02713d6af862",
                                 .sni_domain = "lab.example",
                                 .alert = 255,
                                 .application_octets = {700, 0},
                                 .time_to_close_ms = 900};
    down.tls = (struct record_tls){.version = 0x0303,
                                   .cipher = 0xc02f,
                                   .alpn = "smtp",
                                   .alert = 40,
                                   .application_octets = {0, 9000},
                                   .time_to_close_ms = 850,
                                   .handshake_done = true};
    memcpy(down.tls.certificate_hash, certificate, sizeof certificate);
    for (int order = 0; order < 2; order++) {
        struct record_flow f = order == 0 ? joined(up, down) : joined(down, up);
        assert_int_equal(f.groups, RECORD_HAS_TLS);
        assert_string_equal(f.tls.ja4, up.tls.ja4);
        assert_string_equal(f.tls.sni_domain, "lab.example");
        assert_int_equal(f.tls.version, 0x0303);
        assert_int_equal(f.tls.cipher, 0xc02f);
        assert_string_equal(f.tls.alpn, "smtp");
        assert_int_equal(f.tls.alert, 40);
        assert_memory_equal(f.tls.certificate_hash, certificate, sizeof certificate);
        assert_int_equal(f.tls.application_octets[0], 700);
        assert_int_equal(f.tls.application_octets[1], 9000);
        assert_int_equal(f.tls.time_to_close_ms, 900);
        assert_true(f.tls.handshake_done);
    }
}

// The wish goes one way, the answer the other; what is relayed shows itself in either.
static void socks_of_halves(void **state)
{
    (void)state;
    struct record_flow up, down;
    halves_with(RECORD_HAS_SOCKS, &up, &down);
    up.socks = (struct record_socks){.version = 4,
                                     .is_4a = true,
                                     .method = 0xff,
                                     .command = RECORD_SOCKS_CONNECT,
                                     .target_port = 25,
                                     .reply = 0xff,
                                     .relayed_octets = {1000, 0},
                                     .inner_app = RECORD_APP_SMTP,
                                     .first_octets_hash = 4711};
    ip_parse("192.0.2.99", &up.socks.target);
    down.socks = (struct record_socks){.method = 2,
                                       .reply = 0x5a,
                                       .granted = true,
                                       .auth_failed = true,
                                       .reverse = true,
                                       .relayed_octets = {0, 2000}};
    for (int order = 0; order < 2; order++) {
        struct record_flow f = order == 0 ? joined(up, down) : joined(down, up);
        const struct record_socks *s = &f.socks;
        assert_int_equal(s->version, 4);
        assert_true(s->is_4a && s->granted && s->auth_failed && s->reverse);
        assert_int_equal(s->method, 2);
        assert_int_equal(s->command, RECORD_SOCKS_CONNECT);
        assert_int_equal(s->target_port, 25);
        assert_true(ip_equal(&s->target, &up.socks.target));
        assert_int_equal(s->reply, 0x5a);
        assert_int_equal(s->relayed_octets[0], 1000);
        assert_int_equal(s->relayed_octets[1], 2000);
        assert_int_equal(s->inner_app, RECORD_APP_SMTP);
        assert_int_equal(s->first_octets_hash, 4711);
    }
}

// Questions go one way, answers the other: that a name does not exist is not lost.
static void dns_of_halves(void **state)
{
    (void)state;
    struct record_flow up, down;
    halves_with(RECORD_HAS_DNS, &up, &down);
    up.dns = (struct record_dns){.queries = 20, .mx_queries = 9, .mx_names_distinct = 7};
    down.dns = (struct record_dns){.mx_nxdomain = 4};
    for (int order = 0; order < 2; order++) {
        struct record_flow f = order == 0 ? joined(up, down) : joined(down, up);
        assert_int_equal(f.dns.queries, 20);
        assert_int_equal(f.dns.mx_queries, 9);
        assert_int_equal(f.dns.mx_nxdomain, 4);
        assert_int_equal(f.dns.mx_names_distinct, 7);
    }
}

// What each half thinks of the handshake, and what it was.
static void handshakes_of_halves(void **state)
{
    (void)state;
    static const struct {
        uint8_t up, down, want;
        uint64_t octets;
    } cases[] = {
        {RECORD_HANDSHAKE_UNANSWERED, RECORD_HANDSHAKE_REFUSED, RECORD_HANDSHAKE_REFUSED, 0},
        {RECORD_HANDSHAKE_UNANSWERED, RECORD_HANDSHAKE_ESTABLISHED, RECORD_HANDSHAKE_ESTABLISHED,
         0},
        {RECORD_HANDSHAKE_PENDING, RECORD_HANDSHAKE_ESTABLISHED, RECORD_HANDSHAKE_ESTABLISHED, 0},
        {RECORD_HANDSHAKE_UNANSWERED, RECORD_HANDSHAKE_CLOSED_EARLY, RECORD_HANDSHAKE_CLOSED_EARLY,
         0},
        {RECORD_HANDSHAKE_UNANSWERED, RECORD_HANDSHAKE_CLOSED_EARLY, RECORD_HANDSHAKE_ESTABLISHED,
         40},
        {RECORD_HANDSHAKE_UNANSWERED, RECORD_HANDSHAKE_ICMP, RECORD_HANDSHAKE_ICMP, 0},
        {RECORD_HANDSHAKE_ESTABLISHED, RECORD_HANDSHAKE_MIDSTREAM, RECORD_HANDSHAKE_ESTABLISHED, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct record_flow whole = flow(1, RECORD_START | RECORD_OUTCOME, 1000, 9000);
        struct record_flow up = half(whole, 0, 3, cases[i].octets, cases[i].up, 8000);
        struct record_flow down = half(whole, 1, 2, 80, cases[i].down, 2000);
        struct record_flow a = up, b = down;
        pairs_join(&a, &down);
        pairs_join(&b, &up);
        if (a.handshake != cases[i].want || b.handshake != cases[i].want)
            fail_msg("case %zu: %u and %u", i, a.handshake, b.handshake);
        assert_int_equal(a.outcome_ms, b.outcome_ms);
        assert_memory_equal(a.packets, b.packets, sizeof a.packets);
    }
}

// The answer comes in the next minute: begun once, decided once, ended once.
static void halves_over_minutes(void **state)
{
    (void)state;
    struct out o = {.count = 0};
    struct pairs *p = pairs_new(1024, take, &o);
    struct record_flow up1 = half(flow(1, RECORD_START, 59000, 59900), 0, 1, 60,
                                  RECORD_HANDSHAKE_PENDING, 0);
    struct record_flow down2 = half(
        flow(1, RECORD_START | RECORD_OUTCOME | RECORD_END, 60100, 65000), 1, 5, 500,
        RECORD_HANDSHAKE_ESTABLISHED, 60100);
    struct record_flow up2 = half(flow(1, RECORD_CONTINUE | RECORD_END, 60200, 65000), 0, 5, 500,
                                  RECORD_HANDSHAKE_ESTABLISHED, 0);
    struct record_flow late = half(flow(1, RECORD_CONTINUE | RECORD_OUTCOME, 122000, 123000), 0, 0,
                                   0, RECORD_HANDSHAKE_UNANSWERED, 122000);
    pairs_take(p, &up1, 0, true);
    pairs_advance(p, T0 + 60000);
    assert_int_equal(o.count, 1);
    pairs_take(p, &down2, 1, true);
    pairs_take(p, &up2, 0, true);
    pairs_advance(p, T0 + 120000);
    assert_int_equal(o.count, 2);
    assert_int_equal(o.flow[0].flags, RECORD_START);
    assert_int_equal(o.flow[1].flags, RECORD_CONTINUE | RECORD_OUTCOME | RECORD_END);
    assert_int_equal(o.flow[1].packets[0] + o.flow[1].packets[1], 10);
    assert_int_equal(o.flow[0].flow_hash, o.flow[1].flow_hash);
    // The half that saw no answer gives up: known better.
    pairs_take(p, &late, 0, true);
    pairs_advance(p, INT64_MAX);
    assert_int_equal(o.flow[2].flags & RECORD_OUTCOME, 0);
    assert_int_equal(o.flow[2].handshake, RECORD_HANDSHAKE_ESTABLISHED);
    pairs_free(p);
}

static void halves_and_a_whole(void **state)
{
    (void)state;
    struct out o = {.count = 0};
    struct pairs *p = pairs_new(1024, take, &o);
    struct record_flow whole = flow(1, RECORD_START | RECORD_END, 1000, 9000);
    struct record_flow up = half(whole, 0, 3, 300, RECORD_HANDSHAKE_ESTABLISHED, 0);
    pairs_take(p, &up, 0, true);    // waits
    pairs_take(p, &whole, 1, true); // tells it all: the half is not needed
    pairs_advance(p, INT64_MAX);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.process[0], 1);
    pairs_take(p, &up, 0, true);
    pairs_advance(p, INT64_MAX);
    assert_int_equal(o.count, 1);
    // A half that nobody completes goes on as it is; a lone sensor's at once.
    struct record_flow lone = half(flow(2, RECORD_START, 1000, 9000), 0, 3, 300,
                                   RECORD_HANDSHAKE_UNANSWERED, 0);
    pairs_take(p, &lone, 0, true);
    pairs_advance(p, T0 + 60000);
    assert_int_equal(o.count, 2);
    assert_int_equal(o.flow[1].incomplete, RECORD_ONLY_INITIATOR);
    struct record_flow single = half(flow(3, RECORD_START, 1000, 9000), 0, 3, 300,
                                     RECORD_HANDSHAKE_UNANSWERED, 0);
    pairs_take(p, &single, 0, false);
    assert_int_equal(o.count, 3);
    assert_memory_equal(&o.flow[2], &single, sizeof single);
    pairs_free(p);
}

// Eight flows in a row that two sensors saw 3 s apart; then the clocks are right again.
// The SYN just before the minute's end, and all else behind it: one sensor's half and whole are one flow, whether the
// half has gone on when the whole comes or not, and whatever another sensor tells of it.
static void a_half_that_becomes_whole(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        for (int other = 0; other < 2; other++) {
            struct out o = {.count = 0};
            struct pairs *p = pairs_new(1024, take, &o);
            struct record_flow syn = half(flow(1, RECORD_START, 59900, 59900), 0, 1, 60, 0, 0);
            struct record_flow rest = flow(1, RECORD_OUTCOME | RECORD_END, 60100, 62000);
            rest.handshake = RECORD_HANDSHAKE_ESTABLISHED;
            pairs_take(p, &syn, 0, true);
            if (other)
                pairs_take(p, &syn, 1, true);
            if (gone)
                pairs_advance(p, T0 + 60000);
            pairs_take(p, &rest, 0, true);
            if (other)
                pairs_take(p, &rest, 1, true);
            pairs_advance(p, INT64_MAX);
            assert_int_equal(o.count, 2);
            assert_int_equal(o.flow[0].flags, RECORD_START);
            assert_int_equal(o.flow[0].octets[0], 60);
            assert_int_equal(o.flow[1].flags, RECORD_OUTCOME | RECORD_END);
            assert_int_equal(o.flow[1].flow_hash, o.flow[0].flow_hash);
            assert_int_equal(pairs_stats(p)->twice, other ? 2 : 0);
            pairs_free(p);
        }
    }
    // Another's half of the minute that is told whole says nothing new; of the minute before it does.
    for (int before = 0; before < 2; before++) {
        struct out o = {.count = 0};
        struct pairs *p = pairs_new(1024, take, &o);
        struct record_flow one = half(flow(1, RECORD_START, 1000, 2000), 1, 1, 60, 0, 0);
        struct record_flow rest = flow(1, RECORD_END, before ? 61000 : 1000, 62000);
        pairs_take(p, &one, 1, true);
        pairs_take(p, &rest, 0, true);
        pairs_advance(p, INT64_MAX);
        assert_int_equal(o.count, before ? 2 : 1);
        assert_int_equal(o.process[before], 0);
        pairs_free(p);
    }
}

static void clocks(void **state)
{
    (void)state;
    struct out o = {.count = 0};
    struct pairs *p = pairs_new(1024, take, &o);
    for (uint16_t i = 0; i < 20; i++) {
        struct record_flow a = flow((uint16_t)(100 + i), RECORD_START | RECORD_END, 1000 * i,
                                    1000 * i);
        struct record_flow b = a;
        b.flow_start_ms += i < 10 ? 3000 : 15;
        pairs_take(p, &a, 0, true);
        pairs_take(p, &b, 1, true);
        bool want = i >= PAIRS_CLOCK_RUNS - 1 && i < 10 + PAIRS_CLOCK_RUNS - 1;
        assert_int_equal(pairs_clock_differs(p, 0), want);
        assert_int_equal(pairs_clock_differs(p, 1), want);
        assert_false(pairs_clock_differs(p, 2));
    }
    pairs_free(p);
}

// More flows than the table holds: nothing is lost, the oldest are not known any more.
static void a_full_table(void **state)
{
    (void)state;
    struct out *o = calloc(1, sizeof *o);
    struct pairs *p = pairs_new(1, take, o);
    for (uint16_t i = 0; i < 4000; i++) {
        struct record_flow f = flow((uint16_t)(i + 1), RECORD_START, i, i);
        pairs_take(p, &f, 0, true);
        assert_int_equal(o->count, 1);
        pairs_take(p, &f, 1, true);
        assert_int_equal(o->count, 1);
        o->count = 0;
    }
    assert_int_equal(pairs_stats(p)->twice, 4000);
    pairs_free(p);
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_flow_counts_once),
        cmocka_unit_test(two_halves_are_one),
        cmocka_unit_test(tls_of_halves),
        cmocka_unit_test(socks_of_halves),
        cmocka_unit_test(dns_of_halves),
        cmocka_unit_test(handshakes_of_halves),
        cmocka_unit_test(halves_over_minutes),
        cmocka_unit_test(halves_and_a_whole),
        cmocka_unit_test(a_half_that_becomes_whole),
        cmocka_unit_test(clocks),
        cmocka_unit_test(a_full_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
