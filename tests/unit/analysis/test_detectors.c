// Each detector on both sides of its limit, and the classes that need more than the first contacts of
// test_bots.c: bots whose mail is answered, relays, guessers, bounces.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/record.h"
#include "detector.h"
#include "hash.h"
#include "party.h"
#include "rig.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)

static const struct rig_who somebody = {.host = 9, .line = true};

static uint32_t pick(uint64_t seed, uint32_t n)
{
    return (uint32_t)(hash_mix(seed) % n);
}

// Plays and gives the opening verdict of the class, or NULL; a copy, so that the rig can go.
static bool plays_as(const char *yaml, const struct rig_who *who, const struct rig_flow *f,
                     size_t n, int class_, struct verdict *out)
{
    struct rig r;
    rig_init(&r, yaml);
    rig_play(&r, who, f, n);
    const struct verdict *v = rig_verdict(&r, class_, VERDICT_OPENED, 0);
    if (v)
        *out = *v;
    rig_fini(&r);
    return v != NULL;
}

// What one detector says of the party's last row: plays with a threshold no evidence can reach by
// itself is no use, so the evidence is looked up in an engine whose verdicts open at once.
static const char *const at_once =
    "analysis:\n  priors: {household: 0.5, unknown: 0.5, mail_server: 0.5}\n  classes:\n"
    "    - {class: spambot-direct, open: 0.5, close: 0.4}\n"
    "    - {class: spambot-smarthost, open: 0.5, close: 0.4}\n"
    "    - {class: compromised-account, open: 0.5, close: 0.4}\n";

static void fan_out_limits(void **state)
{
    (void)state;
    static const struct {
        size_t providers;
        int64_t span_ms;
        bool found;
        double limit;
    } cases[] = {
        {6, 9 * MINUTE, false, 0},   {7, 9 * MINUTE, true, 6},  {12, 55 * MINUTE, false, 0},
        {13, 55 * MINUTE, true, 12}, {24, 20 * HOUR, false, 0}, {25, 20 * HOUR, true, 24},
        {7, 40 * MINUTE, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_flow f[32] = {0};
        struct verdict v;
        // A blocklist reply is the second family, so that a verdict shows what fan-out says.
        for (size_t k = 0; k < cases[i].providers; k++)
            f[k] = (struct rig_flow){.start_ms = (int64_t)k * cases[i].span_ms /
                                                 (int64_t)cases[i].providers,
                                     .provider = (uint32_t)k + 1,
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .blocklist_exploit = 1};
        bool found = plays_as(at_once, &somebody, f, cases[i].providers, VERDICT_SPAMBOT_DIRECT,
                              &v);
        assert_int_equal(found, cases[i].found);
        if (found)
            assert_true(rig_evidence(&v, "fan-out")->limit == cases[i].limit);
    }
}

static void fan_out_by_role_and_profile(void **state)
{
    (void)state;
    struct rig_flow f[61] = {0};
    struct verdict v;
    for (size_t k = 0; k < 61; k++)
        f[k] = (struct rig_flow){.start_ms = (int64_t)k * 5000 + MINUTE,
                                 .provider = (uint32_t)k + 2,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .blocklist_exploit = 1};
    // The operator's word: a mail server.
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "site:\n  mail_servers: [10.0.0.9]\n%s", at_once);
    assert_false(plays_as(yaml, &somebody, f, 61, VERDICT_SPAMBOT_DIRECT, &v));
    // A profile with ten times the limits: sixty, not six.
    snprintf(yaml, sizeof yaml,
             "%s  profiles:\n    - {network_class: business, limit_factor: 10}\n", at_once);
    struct rig_who business = {.host = 9, .line = true, .network_class = "business"};
    assert_false(plays_as(yaml, &business, f, 60, VERDICT_SPAMBOT_DIRECT, &v));
    assert_true(plays_as(yaml, &business, f, 61, VERDICT_SPAMBOT_DIRECT, &v));
    assert_true(rig_evidence(&v, "fan-out")->limit == 60);
    assert_true(plays_as(yaml, &somebody, f, 7, VERDICT_SPAMBOT_DIRECT, &v));
    // Answered on port 25 from outside: perhaps a mail server, sixty again.
    f[0] = (struct rig_flow){
        .start_ms = 0, .provider = 900, .direction = MINUTE_IN, .outcome = MINUTE_OUTCOME_GREETED};
    assert_false(plays_as(at_once, &somebody, f, 40, VERDICT_SPAMBOT_DIRECT, &v));
}

static void first_contact_limits(void **state)
{
    (void)state;
    // Eight failures are not enough, nine are; after good contacts it takes twelve.
    for (uint32_t good = 0; good <= 20; good += 20) {
        for (uint32_t bad = 8; bad <= 12; bad++) {
            struct rig_flow f[40] = {0};
            struct verdict v;
            for (uint32_t k = 0; k < good + bad; k++)
                f[k] = (struct rig_flow){.start_ms = k * 3000,
                                         .provider = k + 1,
                                         .outcome = k < good ? MINUTE_OUTCOME_GREETED
                                                             : MINUTE_OUTCOME_REFUSED};
            bool found = plays_as(NULL, &somebody, f, good + bad, VERDICT_SPAMBOT_DIRECT, &v);
            assert_int_equal(found, bad >= (good ? 12 : 9));
        }
    }
}

static void a_late_answer_is_the_last_word(void **state)
{
    (void)state;
    // Called unanswered after four seconds, answered after five: nine such are no failures.
    struct rig_flow f[24] = {0};
    struct verdict v;
    for (uint32_t k = 0; k < 12; k++) {
        f[2 * k] = (struct rig_flow){
            .start_ms = k * 20000, .provider = k + 1, .outcome = MINUTE_OUTCOME_UNANSWERED};
        f[2 * k + 1] = f[2 * k];
        f[2 * k + 1].outcome = MINUTE_OUTCOME_GREETED;
        f[2 * k + 1].outcome_ms = 5000;
    }
    assert_false(plays_as(NULL, &somebody, f, 24, VERDICT_SPAMBOT_DIRECT, &v));
}

static void known_providers_do_not_count(void **state)
{
    (void)state;
    // Ten providers reached yesterday fail today: that is no first contact.
    struct rig_flow f[30] = {0};
    struct verdict v;
    for (uint32_t k = 0; k < 20; k++)
        f[k] = (struct rig_flow){.start_ms = (k < 10 ? 0 : 20 * HOUR) + k * 5000,
                                 .provider = k % 10 + 1,
                                 .outcome = k < 10 ? MINUTE_OUTCOME_GREETED
                                                   : MINUTE_OUTCOME_REFUSED};
    assert_false(plays_as(NULL, &somebody, f, 20, VERDICT_SPAMBOT_DIRECT, &v));
}

// A bot whose port 25 is open: half is refused somehow, as in the generator's day.
static struct rig_flow *open_bot(size_t n, int64_t step_ms, bool tls)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++) {
        uint32_t d = pick(i * 3, 100);
        f[i].start_ms = (int64_t)i * step_ms;
        f[i].provider = 1 + pick(i, 400);
        f[i].outcome = d < 18   ? MINUTE_OUTCOME_UNANSWERED
                       : d < 25 ? MINUTE_OUTCOME_REFUSED
                                : MINUTE_OUTCOME_GREETED;
        if (d < 25)
            continue;
        if (tls) {
            f[i].tls = f[i].tls_short = true;
            continue;
        }
        f[i].mail = 1;
        f[i].rcpt_5xx = pick(i * 5, 2) + pick(i * 7, 2);
        f[i].rcpt_ok = 2 - f[i].rcpt_5xx;
        f[i].messages_ok = f[i].rcpt_ok > 0;
        f[i].unasked = f[i].no_quit = true;
    }
    return f;
}

static void bot_with_open_port(void **state)
{
    (void)state;
    struct verdict v;
    struct rig_flow *f = open_bot(200, 3000, false);
    assert_true(plays_as(NULL, &somebody, f, 200, VERDICT_SPAMBOT_DIRECT, &v));
    assert_true(v.made_ms - RIG_EPOCH_MS < 5 * MINUTE);
    assert_int_equal(v.ceiling, VERDICT_QUARANTINE); // it was answered: nobody forged this
    free(f);
    // One that sends a connection every two minutes is found within the day.
    f = open_bot(400, 2 * MINUTE, false);
    assert_true(plays_as(NULL, &somebody, f, 400, VERDICT_SPAMBOT_DIRECT, &v));
    free(f);
}

static void bot_under_tls(void **state)
{
    (void)state;
    struct verdict v;
    struct rig_flow *f = open_bot(800, 3000, true);
    assert_true(plays_as(NULL, &somebody, f, 800, VERDICT_SPAMBOT_DIRECT, &v));
    assert_true(v.limitations & VERDICT_TLS);
    assert_non_null(rig_evidence(&v, "ratware"));
    free(f);
}

static void rejections_limits(void **state)
{
    (void)state;
    // 45 of 100 refused convict in the long run, 35 of 100 never.
    static const struct {
        uint32_t percent;
        bool found;
    } cases[] = {{25, false}, {35, false}, {55, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = calloc(300, sizeof *f);
        for (size_t k = 0; k < 300; k++) {
            f[k] = (struct rig_flow){.start_ms = (int64_t)k * 4000,
                                     .provider = (uint32_t)k % 60 + 1,
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .mail = 1,
                                     .messages_ok = 1};
            for (uint64_t j = 0; j < 4; j++)
                f[k].rcpt_5xx += pick(k * 4 + j, 100) < cases[i].percent;
            f[k].rcpt_ok = 4 - f[k].rcpt_5xx;
        }
        assert_int_equal(plays_as(NULL, &somebody, f, 300, VERDICT_SPAMBOT_DIRECT, &v),
                         cases[i].found);
        if (cases[i].found)
            assert_non_null(rig_evidence(&v, "rejections"));
        free(f);
    }
}

static void blocklist_weights(void **state)
{
    (void)state;
    static const struct {
        uint32_t policy, exploit;
        double weight;
    } cases[] = {{1, 0, 0.3}, {7, 0, 0.3}, {0, 1, 3}, {7, 3, 4}, {0, 7, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_flow f[7] = {0};
        struct verdict v;
        for (uint32_t k = 0; k < 7; k++)
            f[k] = (struct rig_flow){.start_ms = k * 1000,
                                     .provider = k + 1,
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .blocklist_policy = k < cases[i].policy,
                                     .blocklist_exploit = k < cases[i].exploit};
        assert_true(plays_as(at_once, &somebody, f, 7, VERDICT_SPAMBOT_DIRECT, &v));
        assert_float_equal(rig_evidence(&v, "blocklist")->log_odds, cases[i].weight, 0.001);
    }
}

static struct rig_flow session(size_t k, int64_t step_ms, uint32_t provider)
{
    return (struct rig_flow){.start_ms = (int64_t)k * step_ms,
                             .provider = provider,
                             .outcome = MINUTE_OUTCOME_GREETED,
                             .mail = 1};
}

static void harvester(void **state)
{
    (void)state;
    for (size_t n = 30; n <= 60; n += 30) {
        struct rig_flow f[60] = {0};
        struct verdict v;
        for (size_t k = 0; k < n; k++) {
            f[k] = session(k, 20000, (uint32_t)k % 3 + 1);
            f[k].rcpt_5xx = 9;
            f[k].rcpt_ok = 1;
            f[k].no_data = true;
        }
        assert_int_equal(plays_as(NULL, &somebody, f, n, VERDICT_HARVESTER, &v), n > 30);
    }
}

static void backscatter(void **state)
{
    (void)state;
    static const struct {
        size_t bounces;
        uint32_t providers;
        bool messages, found;
    } cases[] = {
        {30, 30, true, false}, // a mail server's share
        {120, 40, true, true},
        {120, 6, true, false},   // a few partners
        {120, 40, false, false}, // a verifier of senders: never a message
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow f[120] = {0};
        for (size_t k = 0; k < cases[i].bounces; k++) {
            f[k] = session(k, 25000, (uint32_t)k % cases[i].providers + 1);
            f[k].null_sender = f[k].rcpt_ok = 1;
            f[k].messages_ok = cases[i].messages;
        }
        assert_int_equal(plays_as("site:\n  mail_servers: [10.0.0.9]\n", &somebody, f,
                                  cases[i].bounces, VERDICT_BACKSCATTER, &v),
                         cases[i].found);
    }
}

static void open_relay(void **state)
{
    (void)state;
    enum { IN_OUT, FORWARDED, ONE_PARTNER, KINDS };
    for (int kind = IN_OUT; kind < KINDS; kind++) {
        struct rig_flow f[60] = {0};
        struct verdict v;
        for (uint32_t k = 0; k < 30; k++) {
            f[2 * k] = (struct rig_flow){.start_ms = k * 30000,
                                         .provider = 500 + k,
                                         .direction = MINUTE_IN,
                                         .outcome = MINUTE_OUTCOME_GREETED,
                                         .messages_ok = 1,
                                         .recipient = 1000 + k};
            f[2 * k + 1] = session(0, 0, kind == ONE_PARTNER ? 1 : 1 + k % 10);
            f[2 * k + 1].start_ms = k * 30000 + 2000;
            f[2 * k + 1].rcpt_ok = f[2 * k + 1].messages_ok = 1;
            f[2 * k + 1].recipient = 1000 + k + (kind == FORWARDED ? 5000 : 0);
        }
        bool found = plays_as("site:\n  mail_servers: [10.0.0.9]\n", &somebody, f, 60,
                              VERDICT_OPEN_RELAY, &v);
        assert_int_equal(found, kind == IN_OUT);
    }
}

static void socks_relay(void **state)
{
    (void)state;
    enum { RELAY, REFUSES, OWN_USE, OPAQUE, FORWARDER, KINDS };
    for (int kind = RELAY; kind < KINDS; kind++) {
        struct rig_flow f[60] = {0};
        struct verdict v;
        for (uint32_t k = 0; k < 30; k++) {
            struct rig_flow *in = &f[2 * k], *out = in + 1;
            *in = (struct rig_flow){.start_ms = k * 40000,
                                    .provider = 700,
                                    .port = 40000,
                                    .role = MINUTE_OTHER,
                                    .direction = MINUTE_IN,
                                    .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                    .lasts_ms = 9000,
                                    .octets_up = 2000,
                                    .octets_down = 8000};
            if (kind != OPAQUE && kind != FORWARDER) {
                in->app = RECORD_APP_SOCKS5;
                in->socks_port = kind == OWN_USE ? 993 : 25;
                in->digest_flags = kind == REFUSES ? 0 : MINUTE_DIGEST_SOCKS_GRANTED;
            }
            if (kind == FORWARDER) { // mail comes in and goes on, with as many octets
                in->port = 25;
                in->role = MINUTE_MX;
            }
            *out = session(0, 0, 1 + k % 5);
            out->start_ms = in->start_ms + 300;
            out->lasts_ms = 8500;
            out->octets_up = 7900;
            out->octets_down = 2100;
            out->rcpt_ok = 1;
        }
        bool found = plays_as(kind == OPAQUE ? "analysis:\n  fan_out: {limit_10min: 3}\n" : NULL,
                              &somebody, f, 60, VERDICT_SOCKS_RELAY, &v);
        assert_int_equal(found, kind == RELAY || kind == OPAQUE);
        if (kind == RELAY)
            assert_true(rig_evidence(&v, "socks-relay")->conclusive);
    }
}

static void auth_guessing(void **state)
{
    (void)state;
    static const struct {
        uint32_t accounts, providers, failing;
        bool found;
    } cases[] = {
        {19, 1, 100, false}, {20, 1, 100, true}, {1, 9, 100, false},
        {1, 10, 100, true},  {1, 1, 100, false}, // a telephone with an old password
        {60, 2, 3, false},                       // a migration of mailboxes
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = calloc(120, sizeof *f);
        for (uint32_t k = 0; k < 120; k++) {
            bool fails = pick(k, 100) < cases[i].failing;
            f[k] = (struct rig_flow){.start_ms = k * 20000,
                                     .provider = 1 + k % cases[i].providers,
                                     .port = 993,
                                     .role = MINUTE_ACCESS,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .user = 100 + k % cases[i].accounts,
                                     .auth = 1,
                                     .auth_failed = fails,
                                     .digest_flags = fails ? MINUTE_DIGEST_AUTH_FAILED
                                                           : MINUTE_DIGEST_AUTH};
        }
        assert_int_equal(plays_as(NULL, &somebody, f, 120, VERDICT_AUTH_GUESSING, &v),
                         cases[i].found);
        free(f);
    }
}

static void stolen_accounts(void **state)
{
    (void)state;
    // `users` accounts at the smarthost, `rcpt` recipients each, one message a minute.
    static const struct {
        uint32_t users, rcpt;
        bool found;
    } cases[] = {
        {1, 300, false}, // a club's secretary
        {24, 1, false},  // an office behind one address
        {24, 300, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow f[50] = {0};
        for (uint32_t k = 0; k < 50; k++)
            f[k] = (struct rig_flow){.start_ms = k * MINUTE,
                                     .provider = 1,
                                     .port = 587,
                                     .role = MINUTE_SMARTHOST,
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .user = 1 + k % cases[i].users,
                                     .digest_flags = MINUTE_DIGEST_AUTH,
                                     .auth = 1,
                                     .rcpt_ok = cases[i].rcpt,
                                     .messages_ok = 1};
        // A prior as for a party already under suspicion: each alone still stays below.
        bool found = plays_as("analysis:\n  priors: {household: 0.005}\n", &somebody, f, 50,
                              VERDICT_COMPROMISED_ACCOUNT, &v);
        assert_int_equal(found, cases[i].found);
    }
}

static void bot_at_the_smarthost(void **state)
{
    (void)state;
    struct verdict v;
    struct rig_flow f[200] = {0};
    for (uint32_t k = 0; k < 200; k++)
        f[k] = (struct rig_flow){.start_ms = k * 5000,
                                 .provider = 1,
                                 .port = 25,
                                 .role = MINUTE_SMARTHOST,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .mail = 1,
                                 .rcpt_ok = 2 + k % 2,
                                 .rcpt_5xx = 3,
                                 .messages_ok = 1};
    assert_true(plays_as(NULL, &somebody, f, 200, VERDICT_SPAMBOT_SMARTHOST, &v));
    assert_non_null(rig_evidence(&v, "recipient-burst"));
    assert_non_null(rig_evidence(&v, "rejections"));
}

static void submission_spread(void **state)
{
    (void)state;
    for (uint32_t providers = 8; providers <= 20; providers += 12) {
        struct verdict v;
        struct rig_flow f[20] = {0};
        for (uint32_t k = 0; k < providers; k++)
            f[k] = (struct rig_flow){.start_ms = k * 60000,
                                     .provider = k + 1,
                                     .port = 587,
                                     .role = MINUTE_SUBMISSION,
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .auth = 1,
                                     .user = k + 1,
                                     .digest_flags = MINUTE_DIGEST_AUTH};
        bool found = plays_as(at_once, &somebody, f, providers, VERDICT_COMPROMISED_ACCOUNT, &v);
        assert_int_equal(found, providers > 8);
    }
}

static void policy_limits(void **state)
{
    (void)state;
    // Forty at once and a thousand a day is a real contract.
    static const char yaml[] =
        "analysis:\n  policy_limits: {messages_10min: 40, recipients_day: 1000}\n"
        "  profiles:\n    - {network_class: business, limit_factor: 2}\n";
    for (uint32_t n = 40; n <= 41; n++) {
        struct verdict v;
        struct rig_flow f[41] = {0};
        for (uint32_t k = 0; k < n; k++)
            f[k] = (struct rig_flow){.start_ms = k * 10000,
                                     .provider = 1,
                                     .port = 587,
                                     .role = MINUTE_SUBMISSION,
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .rcpt_ok = 1,
                                     .messages_ok = 1};
        bool found = plays_as(yaml, &somebody, f, n, VERDICT_POLICY_LIMIT, &v);
        assert_int_equal(found, n > 40);
        if (found) {
            assert_true(rig_evidence(&v, "policy-limits")->limit == 40);
            assert_int_equal(v.ceiling, VERDICT_RESTRICT);
        }
        struct rig_who business = {.host = 9, .line = true, .network_class = "business"};
        assert_false(plays_as(yaml, &business, f, n, VERDICT_POLICY_LIMIT, &v));
        assert_false(plays_as(NULL, &somebody, f, n, VERDICT_POLICY_LIMIT, &v));
    }
}

static void party_fits_in_8_kb(void **state)
{
    (void)state;
    struct party_table *t = party_table_new(16, detector_state_size());
    assert_true(party_octets(t) <= 8192);
    party_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fan_out_limits),
        cmocka_unit_test(fan_out_by_role_and_profile),
        cmocka_unit_test(first_contact_limits),
        cmocka_unit_test(a_late_answer_is_the_last_word),
        cmocka_unit_test(known_providers_do_not_count),
        cmocka_unit_test(bot_with_open_port),
        cmocka_unit_test(bot_under_tls),
        cmocka_unit_test(rejections_limits),
        cmocka_unit_test(blocklist_weights),
        cmocka_unit_test(harvester),
        cmocka_unit_test(backscatter),
        cmocka_unit_test(open_relay),
        cmocka_unit_test(socks_relay),
        cmocka_unit_test(auth_guessing),
        cmocka_unit_test(stolen_accounts),
        cmocka_unit_test(bot_at_the_smarthost),
        cmocka_unit_test(submission_spread),
        cmocka_unit_test(policy_limits),
        cmocka_unit_test(party_fits_in_8_kb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
