// Parts of the evaluation that its runs would not show to be wrong: whose an address is around an event, how flow facts
// become flows, what a worse tap leaves of them, and what the baselines count.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client.h"
#include "common/identity.h"
#include "common/verdict.h"
#include "flow_facts.h"
#include "order.h"
#include "people.h"
#include "play.h"

#define DAY_BEGINS 1792360800000LL

static void addresses_change_hands(void **state)
{
    (void)state;
    struct address_book b = {.lines = 10};
    struct events night = {.renumber_ms = DAY_BEGINS + 3 * HOUR_MS};
    assert_int_equal(address_book_whose(&b, 9, DAY_BEGINS, 0).address, 9);
    address_book_day(&b, &night);
    assert_int_equal(address_book_whose(&b, 9, DAY_BEGINS, 0).address, 9);
    unsigned doubted = 0;
    for (int64_t t_ms = DAY_BEGINS; t_ms < DAY_BEGINS + DAY_MS; t_ms += 1000) {
        struct events_whose w = address_book_whose(&b, 9, t_ms, 0);
        doubted += w.provisional;
        assert_int_equal(w.confidence, w.provisional ? IDENTITY_AMBIGUOUS : IDENTITY_CERTAIN);
        assert_int_equal(w.doubts, w.provisional ? IDENTITY_NEAR_CHANGE : 0);
    }
    assert_in_range(doubted, 238, 240); // two minutes on either side
    assert_int_equal(address_book_whose(&b, 9, DAY_BEGINS + DAY_MS, 0).address, 0);
    // Nobody else has it then: all have moved by one.
    for (uint32_t line = 0; line < 9; line++)
        assert_int_equal(address_book_whose(&b, line, DAY_BEGINS + DAY_MS, 0).address, line + 1);
}

static void while_a_start_is_lost_the_former_holder_is_told(void **state)
{
    (void)state;
    struct rates rates = {0};
    rates.low[RATE_lease_lost] = rates.high[RATE_lease_lost] = 1;
    rates.low[RATE_lease_lost_minutes] = rates.high[RATE_lease_lost_minutes] = 30;
    struct address_book b = {.lines = 10, .rates = &rates};
    int64_t up_ms = DAY_BEGINS + 600000;
    struct events e = {.reboot = {DAY_BEGINS + 300000, up_ms}};
    address_book_day(&b, &e);
    for (uint32_t line = 0; line < 10; line++) {
        struct events_whose w = address_book_whose(&b, line, up_ms + 60000, 0);
        assert_int_equal(w.address, (line + 1) % 10);
        assert_int_equal(w.line, (line + 1) % 10); // whose address it was before
        assert_false(w.provisional);               // and nobody doubts it
        assert_int_equal(w.confidence, IDENTITY_CERTAIN);
        w = address_book_whose(&b, line, up_ms + 1800000, 0); // the interim record has come
        assert_int_equal(w.line, line);
        w = address_book_whose(&b, line, up_ms - 400000, 0);
        assert_int_equal(w.line, line);
        assert_int_equal(w.address, line);
    }
    b.rates = NULL;
    assert_int_equal(address_book_whose(&b, 3, up_ms + 60000, 0).line, 3);
}

static void a_provider_that_is_down_answers_nobody(void **state)
{
    (void)state;
    struct rates rates;
    assert_int_equal(rates_load(POSTERN_SOURCE_DIR "/tests/evaluation/rates.tsv", NULL, &rates), 0);
    struct flows flows = {0};
    struct people p = {.rates = &rates, .out = &flows};
    struct line l = {.kind = KIND_household};
    struct rng r = {5};
    struct mail_spec spec = {.recipients = 1};
    p.events.provider = (struct span_ms){DAY_BEGINS, DAY_BEGINS + 600000};
    p.events.provider_down = 3;
    const struct {
        int64_t after_ms;
        uint32_t provider;
        bool refuses;
        uint8_t outcome;
    } at[] = {
        {1000, 3, false, MINUTE_OUTCOME_UNANSWERED}, {1000, 3, true, MINUTE_OUTCOME_REFUSED},
        {1000, 4, false, MINUTE_OUTCOME_GREETED},    {600000, 3, false, MINUTE_OUTCOME_GREETED},
        {-1, 3, true, MINUTE_OUTCOME_GREETED},
    };
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        int64_t t_ms = DAY_BEGINS + at[i].after_ms;
        p.events.provider_refuses = at[i].refuses;
        assert_int_equal(mail_session(&p, &l, &r, t_ms, at[i].provider, &spec)->outcome,
                         at[i].outcome);
        assert_int_equal(client_session(&p, &l, &r, t_ms, MINUTE_ACCESS, at[i].provider)->outcome,
                         at[i].outcome);
        // What is no mail goes elsewhere.
        assert_int_equal(client_session(&p, &l, &r, t_ms, MINUTE_OTHER, at[i].provider)->outcome,
                         MINUTE_OUTCOME_GREETED);
    }
    free(flows.item);
}

static void clients_are_common_or_a_familys_own(void **state)
{
    (void)state;
    struct rates rates;
    assert_int_equal(rates_load(POSTERN_SOURCE_DIR "/tests/evaluation/rates.tsv", NULL, &rates), 0);
    struct flow f = {.role = MINUTE_ACCESS, .flags = FLOW_TLS, .outcome = MINUTE_OUTCOME_GREETED};
    unsigned counts[64] = {0}, first = 0, rare = 0, lines = 5000;
    for (unsigned i = 0; i < lines; i++) {
        struct line l = {.kind = KIND_household, .seed = seed_of("line", i, 0)};
        uint32_t client = client_of(&rates, &l, &f);
        assert_int_not_equal(client, 0);
        if (client >= 10000)
            rare++;
        else
            counts[client - 1000]++;
    }
    for (unsigned i = 0; i < 64; i++)
        first = counts[i] > first ? counts[i] : first;
    assert_in_range(first, lines * 25 / 100, lines * 36 / 100); // six in ten of the commonest half
    assert_in_range(rare, lines * 2 / 100, lines * 6 / 100);
    struct line bot = {.kind = KIND_slow_tls, .family = CLIENT_OWN};
    f = (struct flow){.role = MINUTE_MX, .flags = FLOW_TLS | FLOW_GUILTY};
    uint32_t own = client_of(&rates, &bot, &f);
    struct line other = {.kind = KIND_crafty, .family = CLIENT_OWN, .seed = 9};
    assert_int_not_equal(own, 0);
    assert_int_equal(client_of(&rates, &other, &f), own);
    other.family = CLIENT_LIBRARY;
    uint32_t library = client_of(&rates, &other, &f);
    unsigned servers = 0;
    for (unsigned i = 0; i < 200; i++) { // servers use that library too
        struct line s = {.kind = KIND_mail_server, .seed = seed_of("line", i, 1)};
        f.flags = FLOW_TLS;
        servers += client_of(&rates, &s, &f) == library;
        assert_int_not_equal(client_of(&rates, &s, &f), own);
    }
    assert_in_range(servers, 40, 120);
    f.flags = 0;
    assert_int_equal(client_of(&rates, &bot, &f), 0);
}

static void a_boot_holds_for_a_quarter_of_an_hour(void **state)
{
    (void)state;
    struct address_book b = {.lines = 10};
    int64_t up_ms = DAY_BEGINS + 600000;
    struct events e = {.reboot = {DAY_BEGINS + 300000, up_ms}};
    address_book_day(&b, &e);
    const struct {
        int64_t after_ms;
        uint8_t confidence;
        uint32_t doubts;
    } at[] = {
        {-200000, IDENTITY_CERTAIN, 0},
        {-60000, IDENTITY_AMBIGUOUS, IDENTITY_NEAR_CHANGE},
        {60000, IDENTITY_AMBIGUOUS, IDENTITY_NEAR_CHANGE | IDENTITY_BNG_REBOOT},
        {300000, IDENTITY_LIKELY, IDENTITY_BNG_REBOOT},
        {900000, IDENTITY_CERTAIN, 0},
    };
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct events_whose w = address_book_whose(&b, 3, up_ms + at[i].after_ms, 0);
        assert_int_equal(w.confidence, at[i].confidence);
        assert_int_equal(w.doubts, at[i].doubts);
    }
    assert_true(events_dark(&e, up_ms - 1));
    assert_false(events_dark(&e, up_ms));
}

static struct flow_fact fact(int64_t start_s, uint32_t out, uint32_t in, double lasts_s)
{
    struct flow_fact f = {.start_ns = start_s * 1000000000,
                          .duration_ns = (int64_t)(lasts_s * 1e9),
                          .port = 25,
                          .src_port = 1025,
                          .packets_out = out,
                          .packets_in = in,
                          .octets_out = (uint64_t)out * 80,
                          .octets_in = (uint64_t)in * 90};
    assert_int_equal(ip_parse("198.51.100.7", &f.peer), 0);
    return f;
}

static void facts_become_flows(void **state)
{
    (void)state;
    struct flow_fact facts[] = {fact(10, 3, 0, 9), fact(20, 1, 0, 0), fact(30, 12, 12, 3),
                                fact(40, 60, 50, 300.5)};
    struct flow_facts all = {.item = facts, .count = 4};
    struct real_bot bot = {.facts = &all};
    struct flows flows = {0};
    real_play(&bot, 0, DAY_BEGINS, DAY_BEGINS, DAY_BEGINS + DAY_MS, &flows);
    const struct flow *f = flows.item;
    assert_int_equal(f[0].outcome, MINUTE_OUTCOME_UNANSWERED);
    assert_int_equal(f[0].flags & FLOW_SCAN, 0);
    assert_int_equal(f[1].flags & FLOW_SCAN, FLOW_SCAN); // its SYN was never sent again
    assert_int_equal(f[2].outcome, MINUTE_OUTCOME_ESTABLISHED);
    assert_int_equal(f[2].octets_up, 12 * (80 - 14));
    assert_int_equal(f[2].lasts_ms, 3000);
    // The last is told minute by minute, 40 s to 340.5 s: six pieces of one flow.
    assert_int_equal(flows.count, 9);
    uint64_t up = 0;
    for (size_t i = 3; i < 9; i++) {
        assert_int_equal(f[i].id, f[3].id);
        assert_int_equal((f[i].flags & FLOW_CONTINUES) != 0, i > 3);
        assert_int_equal((f[i].flags & FLOW_LASTS) != 0, i < 8);
        up += f[i].octets_up;
    }
    assert_in_range(up, 60 * (80 - 14) - 6, 60 * (80 - 14));
    free(flows.item);
}

static void a_tap_hides_what_it_should(void **state)
{
    (void)state;
    struct rng r = {1};
    struct coverage_minute c;
    const struct flow said = {.role = MINUTE_MX,
                              .outcome = MINUTE_OUTCOME_GREETED,
                              .flags = FLOW_EARLY | FLOW_TLS | FLOW_GUILTY,
                              .rcpt_5xx = 3,
                              .recipient = 7};
    struct flow f = said;
    assert_true(sight_blur(&(struct sight){.flow_only = true}, &r, &f));
    assert_int_equal(f.outcome, MINUTE_OUTCOME_ESTABLISHED);
    assert_int_equal(f.flags, FLOW_GUILTY);
    assert_int_equal(f.rcpt_5xx + f.recipient, 0);
    // A log's line is no subscriber's packet without the log; a household's submission is TLS then.
    f = (struct flow){.flags = FLOW_LOG, .country = 3};
    assert_false(sight_blur(&(struct sight){.no_log = true}, &r, &f));
    f = (struct flow){.flags = FLOW_LOG, .rcpt_ok = 2};
    assert_true(sight_blur(&(struct sight){.no_log = true}, &r, &f));
    assert_int_equal(f.flags, FLOW_TLS);
    assert_int_equal(f.rcpt_ok, 0);
    // Tier A: of other ports the ends, without octets and dialogue; mail's as ever.
    const struct sight tier_a = {.tier_a = true};
    f = said;
    assert_true(sight_blur(&tier_a, &r, &f));
    assert_memory_equal(&f, &said, sizeof f);
    f = (struct flow){.role = MINUTE_OTHER, .flags = FLOW_SOCKS | FLOW_LASTS, .octets_up = 9000};
    assert_true(sight_blur(&tier_a, &r, &f));
    assert_int_equal(f.flags, FLOW_LASTS);
    assert_int_equal(f.octets_up, 120);
    f.flags |= FLOW_CONTINUES;
    assert_false(sight_blur(&tier_a, &r, &f));
    f = said;
    f.direction = MINUTE_IN;
    assert_false(sight_blur(&(struct sight){.one_direction = true}, &r, &f));
    assert_false(sight_declare(&(struct sight){0}, 5, &c));
    assert_false(sight_declare(&(struct sight){.sampling = 10, .undeclared = true}, 5, &c));
    assert_true(sight_declare(&(struct sight){.sampling = 10, .export = true}, 5, &c));
    assert_int_equal(c.sum.sampling, 10);
    assert_int_equal(c.sum.tier, COVERAGE_TIER_C);
    assert_true(sight_declare(&tier_a, 5, &c));
    assert_int_equal(c.sum.tier, COVERAGE_TIER_A);
    assert_true(sight_declare(&(struct sight){.loss = 0.01}, 5, &c));
    assert_int_equal(c.sum.tier, COVERAGE_TIER_B);
}

static void events_stand_by_line_and_time(void **state)
{
    (void)state;
    struct event event[500];
    struct order order = {0};
    struct rng r = {3};
    for (size_t count = 0; count <= 500; count += 100) {
        uint64_t before = 0, after = 0;
        for (size_t i = 0; i < count; i++) {
            event[i] = (struct event){rng_below(&r, 50), rng_below(&r, 20), rng_below(&r, 9),
                                      (uint8_t)rng_below(&r, 3)};
            before += seed_of("event", (uint64_t)event[i].t_ms * 100 + event[i].line,
                              event[i].flow * 10U + event[i].what);
        }
        order_events(&order, event, count);
        for (size_t i = 0; i < count; i++) {
            after += seed_of("event", (uint64_t)event[i].t_ms * 100 + event[i].line,
                             event[i].flow * 10U + event[i].what);
            const struct event *a = &event[i ? i - 1 : 0], *b = &event[i];
            assert_true(a->line < b->line ||
                        (a->line == b->line &&
                         (a->t_ms < b->t_ms ||
                          (a->t_ms == b->t_ms &&
                           (a->flow < b->flow || (a->flow == b->flow && a->what <= b->what))))));
        }
        assert_int_equal(before, after); // none lost, none doubled
    }
    order_fini(&order);
}

static unsigned feed(struct baseline_state *s, int64_t minute, uint32_t peers, uint8_t outcome,
                     float most[static BASELINE_N])
{
    struct minute_digest d[MINUTE_DIGESTS_DEFAULT] = {0};
    struct minute_row row = {.minute = minute, .digest = d, .digest_count = peers};
    float level[BASELINE_N];
    for (uint32_t i = 0; i < peers; i++)
        d[i] = (struct minute_digest){.role = MINUTE_MX,
                                      .direction = MINUTE_OUT,
                                      .flags = MINUTE_DIGEST_START | MINUTE_DIGEST_OUTCOME,
                                      .outcome = outcome,
                                      .start_ms = (int32_t)i * 100,
                                      .provider = 1000 * (uint64_t)minute + 2 * i};
    unsigned alarms = baseline_row(s, &row, level);
    for (unsigned b = 0; b < BASELINE_N; b++)
        most[b] = level[b] > most[b] ? level[b] : most[b];
    return alarms;
}

static void baselines_alarm_where_their_limits_are(void **state)
{
    (void)state;
    const struct {
        uint32_t a_minute, minutes;
        uint8_t outcome;
        unsigned expected;
    } cases[] = {
        {5, 1, MINUTE_OUTCOME_GREETED, 0},
        {6, 1, MINUTE_OUTCOME_GREETED, 1u << BASELINE_ntopng},
        {2, 5, MINUTE_OUTCOME_GREETED, 0},
        {1, 16, MINUTE_OUTCOME_GREETED, 0}, // sixteen in sixteen minutes
        {3, 5, MINUTE_OUTCOME_UNANSWERED,
         1u << BASELINE_trw_2 | 1u << BASELINE_trw_5 | 1u << BASELINE_servers_5min},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct baseline_state *s = baseline_new();
        float most[BASELINE_N] = {0};
        unsigned alarms = 0;
        for (uint32_t m = 0; m < cases[i].minutes; m++)
            alarms |= feed(s, 29000000 + m, cases[i].a_minute, cases[i].outcome, most);
        assert_int_equal(alarms, cases[i].expected);
        assert_float_equal(most[BASELINE_ntopng], cases[i].a_minute, 0.01);
        baseline_free(s);
    }
}

static void lists_name_whole_names(void **state)
{
    (void)state;
    assert_true(play_wants(NULL, "zmap"));
    assert_true(play_wants("office,zmap", "zmap"));
    assert_false(play_wants("office,zmapper", "zmap"));
    assert_false(play_wants("real_blocked", "real"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_change_hands),
        cmocka_unit_test(while_a_start_is_lost_the_former_holder_is_told),
        cmocka_unit_test(a_provider_that_is_down_answers_nobody),
        cmocka_unit_test(clients_are_common_or_a_familys_own),
        cmocka_unit_test(a_boot_holds_for_a_quarter_of_an_hour),
        cmocka_unit_test(facts_become_flows),
        cmocka_unit_test(events_stand_by_line_and_time),
        cmocka_unit_test(a_tap_hides_what_it_should),
        cmocka_unit_test(baselines_alarm_where_their_limits_are),
        cmocka_unit_test(lists_name_whole_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
