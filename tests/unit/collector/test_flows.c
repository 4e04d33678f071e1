// Flows and rows: both ends ours, several records of one flow, outcomes in their own minute, how many were open
// at once, the site as a whole, and which flows are told one by one.
#include "fixture.h"

#define US "100.64.0.7"

static void both_ends_are_ours(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 1000, T0 + 2000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    r.flow.responder = addr("100.64.9.9");
    r.flow.side = RECORD_SIDE_BOTH;
    r.flow.packets[1] = 5;
    r.flow.octets[1] = 500;
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 60000);
    assert_int_equal(fixture_counter(f, "subscribers"), 2);
    assert_int_equal(fixture_counter(f, "flows"), 1);
    fixture_read(f);
    const struct minute_row *a = fixture_row(f, US, M0, MINUTE_CLOSING);
    assert_int_equal(a->counter[MINUTE_MX][MINUTE_OUT][MINUTE_octets_up], 60);
    assert_int_equal(a->counter[MINUTE_MX][MINUTE_OUT][MINUTE_octets_down], 500);
    const struct minute_row *b = fixture_row(f, "100.64.9.9", M0, MINUTE_CLOSING);
    assert_int_equal(b->counter[MINUTE_MX][MINUTE_IN][MINUTE_octets_up], 500);
    assert_int_equal(b->counter[MINUTE_MX][MINUTE_IN][MINUTE_connections], 1);
}

// A flow of three records: its parts add up, its states count once, its end tells the rest.
static void a_flow_over_three_minutes(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 50000, T0 + 59000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    uint64_t hash = r.flow.flow_hash;
    r.flow.flags = RECORD_START | RECORD_OUTCOME;
    r.flow.groups = RECORD_HAS_SMTP;
    r.flow.app = RECORD_APP_SMTP;
    r.flow.smtp.banner_code = 220;
    r.flow.smtp.helo = 1;
    r.flow.smtp.rcpt = 2;
    r.flow.smtp.rcpt_5xx = 2;
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 60000);
    for (int i = 1; i <= 2; i++) {
        struct record next = flow(T0 + 60000 * i, T0 + 60000 * i + 5000, 25,
                                  RECORD_HANDSHAKE_ESTABLISHED);
        next.flow.flow_hash = hash;
        next.flow.flow_start_ms = T0 + 50000;
        next.flow.outcome_ms = 0;
        next.flow.flags = i == 2 ? RECORD_CONTINUE | RECORD_END : RECORD_CONTINUE;
        next.flow.groups = RECORD_HAS_SMTP;
        next.flow.app = RECORD_APP_SMTP;
        next.flow.smtp.banner_code = 220;
        next.flow.smtp.rcpt = 1;
        next.flow.smtp.rcpt_5xx = 1;
        fixture_take(f, &next);
        fixture_until(f, T0 + 60000 * i, T0 + 60000 * (i + 1));
    }
    fixture_read(f);
    const struct minute_row *row[3];
    for (int i = 0; i < 3; i++) {
        row[i] = fixture_row(f, US, M0 + i, MINUTE_CLOSING);
        assert_non_null(row[i]);
        assert_int_equal(mx_out(row[i], MINUTE_connections), i == 0);
        assert_int_equal(mx_out(row[i], MINUTE_established), i == 0);
        assert_int_equal(mx_out(row[i], MINUTE_banner_ok), i == 0);
        assert_int_equal(mx_out(row[i], MINUTE_helo), i == 0);
        assert_int_equal(mx_out(row[i], MINUTE_rcpt), i == 0 ? 2 : 1);
        assert_int_equal(mx_out(row[i], MINUTE_quit_missing), i == 2);
        assert_int_equal(mx_out(row[i], MINUTE_sessions_550_no_data), i == 2);
        assert_int_equal(row[i]->gauge[MINUTE_concurrent_mx], 1);
        assert_int_equal(row[i]->digest_count, 1);
        const struct minute_digest *d = &row[i]->digest[0];
        assert_int_equal(d->flow_hash, hash);
        assert_int_equal(d->start_ms, 50000 - 60000 * i);
        assert_int_equal(d->rcpt, i == 0 ? 2 : 1);
        assert_int_equal(d->outcome, MINUTE_OUTCOME_GREETED);
        assert_int_equal(!(d->flags & MINUTE_DIGEST_START), i != 0);
        assert_int_equal(!(d->flags & MINUTE_DIGEST_OUTCOME), i != 0);
        assert_int_equal(!(d->flags & MINUTE_DIGEST_END), i != 2);
    }
}

static void an_outcome_counts_in_its_own_minute(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 58000, T0 + 58000, 25, RECORD_HANDSHAKE_UNANSWERED);
    r.flow.outcome_ms = T0 + 62000;
    fixture_until(f, T0, T0 + 59000);
    fixture_take(f, &r);
    fixture_until(f, T0 + 59000, T0 + 120000);
    fixture_read(f);
    const struct minute_row *a = fixture_row(f, US, M0, MINUTE_CLOSING);
    const struct minute_row *b = fixture_row(f, US, M0 + 1, MINUTE_CLOSING);
    assert_int_equal(mx_out(a, MINUTE_connections), 1);
    assert_int_equal(mx_out(a, MINUTE_unanswered), 0);
    assert_int_equal(a->digest[0].outcome, MINUTE_OUTCOME_PENDING);
    assert_int_equal(mx_out(b, MINUTE_connections), 0);
    assert_int_equal(mx_out(b, MINUTE_unanswered), 1);
    assert_int_equal(b->digest[0].outcome, MINUTE_OUTCOME_UNANSWERED);
    assert_int_equal(b->digest[0].outcome_ms, 2000);
    assert_int_equal(b->digest[0].start_ms, -2000);
    assert_true(b->digest[0].flags & MINUTE_DIGEST_OUTCOME);
}

static void most_open_at_once(void **state)
{
    struct fixture *f = *state;
    // Ten, of which each lives 2.5 s and begins 1 s after the one before: never more than four in a second.
    for (int i = 0; i < 10; i++) {
        struct record r = flow(T0 + i * 1000, T0 + i * 1000 + 2500, 25,
                               RECORD_HANDSHAKE_ESTABLISHED);
        fixture_take(f, &r);
    }
    // One that lives on into the next minute.
    struct record r = flow(T0 + 30000, T0 + 59000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    r.flow.flags = RECORD_START | RECORD_OUTCOME;
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 61000);
    struct record two = flow(T0 + 61000, T0 + 61000, 25, RECORD_HANDSHAKE_REFUSED);
    fixture_take(f, &two);
    fixture_until(f, T0 + 61000, T0 + 120000);
    fixture_read(f);
    assert_in_range(fixture_sum(f, US, M0)->gauge[MINUTE_concurrent_mx], 3, 4);
    assert_int_equal(fixture_sum(f, US, M0 + 1)->gauge[MINUTE_concurrent_mx], 2);
}

static void the_site_in_a_minute(void **state)
{
    struct fixture *f = *state;
    // Three parties speak to MXs; of one more than half fails; one uses the smarthost; one only the web.
    static const struct {
        uint8_t who;
        uint16_t port;
        uint8_t handshake;
    } flows[] = {
        {1, 25, RECORD_HANDSHAKE_ESTABLISHED}, {1, 25, RECORD_HANDSHAKE_UNANSWERED},
        {2, 25, RECORD_HANDSHAKE_UNANSWERED},  {2, 25, RECORD_HANDSHAKE_REFUSED},
        {2, 25, RECORD_HANDSHAKE_ESTABLISHED}, {3, 25, RECORD_HANDSHAKE_ESTABLISHED},
        {4, 0, RECORD_HANDSHAKE_ICMP},         {5, 443, RECORD_HANDSHAKE_ESTABLISHED},
    };
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        struct record r = flow(T0 + 1000, T0 + 5000, flows[i].port, flows[i].handshake);
        r.flow.initiator.octet[3] = flows[i].who;
        if (flows[i].port == 0) {
            r.flow.responder = addr("192.0.2.10");
            r.flow.responder_port = 25;
        }
        fixture_take(f, &r);
    }
    fixture_until(f, T0, T0 + 60000);
    fixture_read(f);
    assert_int_equal(f->site_count, 1);
    const struct minute_site *s = &f->sites[0];
    assert_int_equal(s->minute, M0);
    assert_string_equal(s->pop, "");
    assert_int_equal(s->active_parties, 5);
    assert_int_equal(s->parties_mx, 3);
    assert_int_equal(s->parties_mx_failing, 1);
    assert_int_equal(s->mx_connections, 6);
    assert_int_equal(s->mx_failures, 3);
    assert_int_equal(s->smarthost_connections, 1);
    assert_int_equal(s->smarthost_failures, 1);
}

static void digests_leave_room_for_mail(void **state)
{
    struct fixture *f = *state;
    f->conf.digests = 4;
    // Access first; mail takes their places, and what found none is counted.
    for (int i = 0; i < 9; i++) {
        struct record r = flow(T0 + i * 10, T0 + 1000, i < 4 ? 993 : 25,
                               RECORD_HANDSHAKE_ESTABLISHED);
        fixture_take(f, &r);
    }
    fixture_until(f, T0, T0 + 60000);
    fixture_read(f);
    const struct minute_row *row = fixture_sum(f, US, M0);
    assert_int_equal(row->digest_count, 4);
    assert_int_equal(row->digests_cut, 5);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(row->digest[i].role, MINUTE_MX);
}

static void web_flows_have_no_digest(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0, T0 + 1000, 443, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    // A long one to a hosting network has, and a new destination while it lives.
    r = flow(T0 + 20000, T0 + 30000, 443, RECORD_HANDSHAKE_ESTABLISHED);
    r.flow.flow_start_ms = T0 - 700000;
    r.flow.flags = RECORD_CONTINUE;
    r.flow.outcome_ms = 0;
    r.flow.responder = addr("203.0.113.5");
    fixture_take(f, &r);
    r = flow(T0 + 31000, T0 + 32000, 443, RECORD_HANDSHAKE_ESTABLISHED);
    r.flow.responder = addr("198.51.100.99");
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 60000);
    fixture_read(f);
    const struct minute_row *row = fixture_sum(f, US, M0);
    assert_int_equal(row->gauge[MINUTE_new_destinations], 2);
    assert_int_equal(row->digest_count, 2);
    assert_true(row->digest[0].flags & MINUTE_DIGEST_HOSTING);
    assert_int_equal(row->digest[0].start_ms, -700000);
    assert_int_equal(row->digest[1].start_ms, 31000);
}

// A long flow that uploads may carry others' wherever it goes; one that gets acknowledgements back alone does not.
static void what_may_carry_others(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t up, down;
        bool told;
        struct record_carrier carrier;
    } cases[] = {{50000, 4000, true, {0}},
                 {50000, 1000, false, {0}},
                 {50000, 40000, false, {0}},
                 {1500, 500, false, {0}},
                 {4000, 50000, false, {0}},
                 // What is opened behind its data: a third, three at least.
                 {1500, 1500, true, {9, 3, 6000, 60000, 7}},
                 {1500, 1500, false, {10, 3, 6000, 60000, 7}},
                 {1500, 1500, false, {2, 2, 6000, 60000, 3}}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t_ms = T0 + i * 60000;
        struct record r = flow(t_ms + 20000, t_ms + 30000, 443, RECORD_HANDSHAKE_ESTABLISHED);
        r.flow.flow_hash = 77 + i;
        r.flow.flow_start_ms = T0 - 700000;
        r.flow.flags = RECORD_CONTINUE;
        r.flow.outcome_ms = 0;
        r.flow.responder = addr("198.51.100.5");
        r.flow.octets[0] = cases[i].up;
        r.flow.octets[1] = cases[i].down;
        r.flow.carrier = cases[i].carrier;
        r.flow.groups = cases[i].carrier.opened ? RECORD_HAS_CARRIER : 0;
        fixture_take(f, &r);
        fixture_until(f, t_ms, t_ms + 60000);
    }
    fixture_read(f);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct minute_row *row = fixture_sum(f, US, M0 + i);
        assert_int_equal(row->digest_count, cases[i].told);
        if (row->digest_count == 0 || cases[i].carrier.opened == 0)
            continue;
        assert_int_equal(row->digest[0].carrier_opened, 9);
        assert_int_equal(row->digest[0].carrier_behind, 3);
        assert_int_equal(row->digest[0].carrier_chance, 100);
        assert_int_equal(row->digest[0].carrier_networks, 7);
    }
}

// One that takes orders is listed however young it is, and so is, for ten minutes, what is left to tell of those that end.
static void orders_of_a_young_flow(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t up, down;
        struct record_carrier carrier;
        uint8_t flags;
        bool told;
    } cases[] = {
        {1500, 500, {6, 0, 0, 60000, 0}, RECORD_END, false}, // nothing was ordered before
        {1500, 1000, {6, 1, 300, 60000, 1}, 0, false},       // does not upload
        {1501, 1000, {7, 1, 300, 60000, 1}, 0, false},       // less than a sixth
        {1501, 1000, {6, 1, 300, 60000, 1}, 0, true},
        {100, 300, {6, 0, 0, 60000, 0}, 0, false},
        {100, 300, {6, 0, 0, 60000, 0}, RECORD_END, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t_ms = T0 + i * 60000;
        struct record r = flow(t_ms + 20000, t_ms + 30000, 443, RECORD_HANDSHAKE_ESTABLISHED);
        r.flow.flow_hash = 77 + i;
        r.flow.flow_start_ms = t_ms - 90000;
        r.flow.flags = (uint8_t)(RECORD_CONTINUE | cases[i].flags);
        r.flow.outcome_ms = 0;
        r.flow.responder = addr("198.51.100.5");
        r.flow.octets[0] = cases[i].up;
        r.flow.octets[1] = cases[i].down;
        r.flow.carrier = cases[i].carrier;
        r.flow.groups = RECORD_HAS_CARRIER;
        fixture_take(f, &r);
        fixture_until(f, t_ms, t_ms + 60000);
    }
    fixture_read(f);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(fixture_sum(f, US, M0 + i)->digest_count, cases[i].told);
}

// Told of twice in a minute, a carrier's counts add up; chances weigh by what was opened. What is opened within ten
// minutes of it is listed.
static void a_carrier_told_twice(void **state)
{
    struct fixture *f = *state;
    static const struct record_carrier told[] = {{10, 8, 3000, 30000, 5}, {30, 25, 6000, 20000, 6}};
    struct record r;
    for (unsigned i = 0; i < 2; i++) {
        r = flow(T0 + 20000 + i, T0 + 30000 + i, 443, RECORD_HANDSHAKE_ESTABLISHED);
        r.flow.flow_start_ms = T0 - 700000;
        r.flow.flags = RECORD_CONTINUE;
        r.flow.outcome_ms = 0;
        r.flow.responder = addr("198.51.100.5");
        r.flow.groups = RECORD_HAS_CARRIER;
        r.flow.flow_hash = 90;
        r.flow.carrier = told[i];
        fixture_take(f, &r);
    }
    for (unsigned i = 0; i < 2; i++) {
        int64_t t_ms = T0 + 30000 + (i ? 601000 : 599000);
        fixture_until(f, T0, t_ms - 1000);
        r = flow(t_ms, t_ms + 500, 443, RECORD_HANDSHAKE_ESTABLISHED);
        r.flow.responder = addr(i ? "198.51.100.98" : "198.51.100.99");
        fixture_take(f, &r);
    }
    fixture_until(f, T0, T0 + 720000);
    fixture_read(f);
    const struct minute_digest *d = &fixture_sum(f, US, M0)->digest[0];
    assert_int_equal(d->carrier_opened, 40);
    assert_int_equal(d->carrier_behind, 33);
    assert_int_equal(d->carrier_chance, 250); // (10 * 100 + 30 * 300) / 40
    assert_int_equal(d->carrier_networks, 7);
    assert_int_equal(fixture_sum(f, US, M0 + 10)->digest_count, 1); // T0 + 629 s and 631 s
}

// A flow from outside is told beside mail that goes out: it may be its other half.
static void from_outside_beside_mail(void **state)
{
    struct fixture *f = *state;
    for (int mails = 0; mails <= 1; mails++) {
        int64_t t_ms = T0 + mails * 60000;
        struct record r = flow(t_ms + 1000, t_ms + 2000, mails ? 25 : 443,
                               RECORD_HANDSHAKE_ESTABLISHED);
        fixture_take(f, &r);
        r = flow(t_ms + 800, t_ms + 2100, 4711, RECORD_HANDSHAKE_ESTABLISHED);
        r.flow.responder = addr(US);
        r.flow.initiator = addr("198.51.100.77");
        r.flow.side = RECORD_SIDE_RESPONDER;
        r.flow.packets[1] = 5;
        fixture_take(f, &r);
        fixture_until(f, t_ms, t_ms + 60000);
    }
    fixture_read(f);
    assert_int_equal(fixture_sum(f, US, M0)->digest_count, 0);
    const struct minute_row *row = fixture_sum(f, US, M0 + 1);
    assert_int_equal(row->digest_count, 2);
    assert_int_equal(row->digest[0].direction, MINUTE_IN);
    assert_int_equal(row->digest[1].role, MINUTE_MX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_ends_are_ours),
        TEST(a_flow_over_three_minutes),
        TEST(an_outcome_counts_in_its_own_minute),
        TEST(most_open_at_once),
        TEST(the_site_in_a_minute),
        TEST(digests_leave_room_for_mail),
        TEST(web_flows_have_no_digest),
        TEST(what_may_carry_others),
        TEST(orders_of_a_young_flow),
        TEST(a_carrier_told_twice),
        TEST(from_outside_beside_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
