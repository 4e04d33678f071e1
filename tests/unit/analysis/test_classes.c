// The classes besides direct bots: harvesters, bounces, relays, guessers, stolen accounts, limits; each
// beside an innocent that does nearly the same.
#include "play.h"

#include "common/record.h"

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
        assert_int_equal(plays_as(NULL, &play_somebody, f, n, VERDICT_HARVESTER, &v), n > 30);
    }
}

// A printer that its provider turns away, for want of a login or by the name of a list, tries again each minute.
static void stubborn_printer(void **state)
{
    (void)state;
    static const struct {
        uint32_t providers, recipients;
        bool listed, found;
    } cases[] = {{1, 1, false, false},
                 {1, 1, true, false},
                 {3, 1, true, false},
                 {2, 1, false, true},
                 {1, 2, false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_flow f[60] = {0};
        struct verdict v;
        for (size_t k = 0; k < 60; k++) {
            f[k] = session(k, 60000, (uint32_t)k % cases[i].providers + 1);
            f[k].rcpt_5xx = cases[i].recipients;
            f[k].blocklist_policy = cases[i].listed;
            f[k].no_data = true;
        }
        if (plays_as(NULL, &play_somebody, f, 60, VERDICT_HARVESTER, &v) != cases[i].found)
            fail_msg("case %zu", i);
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
        assert_int_equal(plays_as("site:\n  mail_servers: [10.0.0.9]\n", &play_somebody, f,
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
        bool found = plays_as("site:\n  mail_servers: [10.0.0.9]\n", &play_somebody, f, 60,
                              VERDICT_OPEN_RELAY, &v);
        assert_int_equal(found, kind == IN_OUT);
    }
}

static void socks_relay(void **state)
{
    (void)state;
    enum { RELAY, CONNECT, REFUSES, OWN_USE, OPAQUE, FORWARDER, KINDS };
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
                in->app = kind == CONNECT ? RECORD_APP_HTTP : RECORD_APP_SOCKS5;
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
                              &play_somebody, f, 60, VERDICT_SOCKS_RELAY, &v);
        assert_int_equal(found, kind == RELAY || kind == CONNECT || kind == OPAQUE);
        if (kind == RELAY || kind == CONNECT)
            assert_true(rig_evidence(&v, "socks-relay")->conclusive);
    }
}

static void auth_guessing(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t n, step_s, accounts, providers, failing;
        int ceiling;   // -1: nothing
        bool in_turns; // every second session is read under TLS
    } cases[] = {
        {"nineteen accounts in an hour", 60, 20, 19, 1, 100, VERDICT_TICKET, false},
        {"twenty", 60, 20, 20, 1, 100, VERDICT_TICKET, false},
        {"twenty-three", 60, 20, 23, 1, 100, VERDICT_TICKET, false},
        {"twenty-four", 60, 20, 24, 1, 100, VERDICT_QUARANTINE, false},
        {"an account at nine providers", 60, 20, 1, 9, 100, -1, false},
        {"at ten", 60, 20, 1, 10, 100, VERDICT_QUARANTINE, false},
        {"a telephone with an old password, every twenty seconds", 400, 20, 1, 1, 100, -1, false},
        {"the same as fast as it can", 1000, 3, 1, 1, 100, -1, false},
        {"a migration of mailboxes", 120, 20, 60, 2, 3, -1, false},
        {"ninety tries in an hour, two accounts", 90, 30, 2, 1, 100, -1, false},
        {"ninety-one", 91, 30, 2, 1, 100, VERDICT_TICKET, false},
        {"a hundred and fifty at four providers", 150, 24, 4, 4, 100, VERDICT_TICKET, false},
        {"the same account at two of them", 91, 30, 1, 2, 100, VERDICT_TICKET, false},
        {"every fifth succeeds", 200, 15, 4, 4, 75, -1, false},
        {"twelve accounts of one server in a day", 24, 3000, 12, 1, 100, -1, false},
        {"thirteen", 26, 3000, 13, 1, 100, VERDICT_TICKET, false},
        {"thirteen, of which a third succeed", 26, 3000, 13, 1, 65, -1, false},
        {"twelve of each of two", 24, 3000, 24, 2, 100, -1, false},
        {"thirteen, beside mail read under TLS", 52, 1500, 13, 1, 100, -1, true},
        {"thirteen in two days", 26, 8640, 13, 1, 100, -1, false},
        {"two telephones with old passwords", 400, 100, 2, 2, 100, -1, false},
        {"ten providers, the tenth an hour after the first", 30, 400, 1, 10, 100,
         VERDICT_QUARANTINE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = calloc(cases[i].n, sizeof *f);
        assert_non_null(f);
        for (uint32_t k = 0; k < cases[i].n; k++) {
            bool fails = pick(k, 100) < cases[i].failing;
            // Each account once before any again, or one after the other, where it takes days.
            uint32_t user = cases[i].step_s > 5000 ? k / 2 : k % cases[i].accounts;
            f[k] = (struct rig_flow){.start_ms = 240000 + (int64_t)k * cases[i].step_s * 1000,
                                     .provider = 1 + k % cases[i].providers,
                                     .port = 993,
                                     .role = MINUTE_ACCESS,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .user = 100 + user,
                                     .auth = 1,
                                     .auth_failed = fails,
                                     .digest_flags = fails ? MINUTE_DIGEST_AUTH_FAILED
                                                           : MINUTE_DIGEST_AUTH};
        }
        for (uint32_t k = 0; k < cases[i].n && cases[i].in_turns; k += 2) {
            f[k].auth = f[k].auth_failed = 0;
            f[k].digest_flags = MINUTE_DIGEST_TLS;
        }
        int ceiling = -1;
        struct rig r;
        rig_init(&r, "site:\n  source_validated: true\n");
        rig_play(&r, &play_somebody, f, cases[i].n);
        for (size_t k = 0; k < r.verdicts; k++) {
            v = r.verdict[k];
            if (v.class_ == VERDICT_AUTH_GUESSING && v.ceiling > ceiling)
                ceiling = v.ceiling;
            // Nine logins are not at ten providers.
            unsigned failed, tries, over;
            if (sscanf(v.evidence[0].sentence, "%u of %u logins failed in an hour, over %u",
                       &failed, &tries, &over) == 3 &&
                (over > failed || failed > tries))
                fail_msg("%s: %s", cases[i].what, v.evidence[0].sentence);
        }
        rig_fini(&r);
        if (ceiling != cases[i].ceiling)
            print_error("%s: %d\n", cases[i].what, ceiling);
        assert_int_equal(ceiling, cases[i].ceiling);
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
        bool found = plays_as("analysis:\n  priors: {household: 0.005}\n", &play_somebody, f, 50,
                              VERDICT_COMPROMISED_ACCOUNT, &v);
        assert_int_equal(found, cases[i].found);
    }
}

// Sixty people behind one address: a ticket, unless the operator says that the line is an office's.
static void office_behind_one_address(void **state)
{
    (void)state;
    static const char yaml[] =
        "analysis:\n  profiles:\n    - {network_class: business, limit_factor: 20}\n";
    struct rig_flow *f = calloc(240, sizeof *f);
    assert_non_null(f);
    for (uint32_t k = 0; k < 240; k++)
        f[k] = (struct rig_flow){.start_ms = k * 14000,
                                 .provider = 1,
                                 .port = 587,
                                 .role = MINUTE_SMARTHOST,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .user = 1 + k % 60,
                                 .sender = (uint64_t)(1 + k % 60) << 8,
                                 .digest_flags = MINUTE_DIGEST_AUTH,
                                 .auth = 1,
                                 .rcpt_ok = 2,
                                 .messages_ok = 1};
    for (int named = 0; named <= 1; named++) {
        struct rig r;
        struct rig_who who = {.host = 9, .line = named, .network_class = named ? "business" : NULL};
        rig_init(&r, yaml);
        rig_play(&r, &who, f, 240);
        assert_int_equal(r.verdicts == 0, named);
        for (size_t i = 0; i < r.verdicts; i++) {
            assert_int_equal(r.verdict[i].class_, VERDICT_COMPROMISED_ACCOUNT);
            assert_int_equal(r.verdict[i].ceiling, VERDICT_TICKET);
            assert_true(r.verdict[i].limitations & VERDICT_PROVISIONAL);
        }
        rig_fini(&r);
    }
    free(f);
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
    assert_true(plays_as(NULL, &play_somebody, f, 200, VERDICT_SPAMBOT_SMARTHOST, &v));
    assert_non_null(rig_evidence(&v, "recipient-burst"));
    assert_non_null(rig_evidence(&v, "rejections"));
}

static void senders_of_one_account(void **state)
{
    (void)state;
    // One account, four hundred and eighty recipients in ten minutes: six senders are a person's.
    for (uint32_t senders = 6; senders <= 7; senders++) {
        for (uint32_t users = 1; users <= 2; users++) {
            struct verdict v;
            struct rig_flow f[12] = {0};
            for (uint32_t k = 0; k < 12; k++)
                f[k] = (struct rig_flow){.start_ms = k * 30000,
                                         .provider = 1,
                                         .port = 587,
                                         .role = MINUTE_SMARTHOST,
                                         .outcome = MINUTE_OUTCOME_GREETED,
                                         .user = 1 + k % users,
                                         .sender = 1 + k % senders,
                                         .digest_flags = MINUTE_DIGEST_AUTH,
                                         .auth = 1,
                                         .rcpt_ok = 40,
                                         .messages_ok = 1};
            assert_int_equal(plays_as(NULL, &play_somebody, f, 12, VERDICT_SPAMBOT_SMARTHOST, &v),
                             senders == 7 && users == 1);
        }
    }
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
        bool found = plays_as(play_at_once, &play_somebody, f, providers,
                              VERDICT_COMPROMISED_ACCOUNT, &v);
        assert_int_equal(found, providers > 8);
    }
}

// A hundred and thirty-four messages to forty providers' submission servers: one cause, one ticket, and not a word of
// a smarthost that is not there.
static void one_cause_one_ticket(void **state)
{
    (void)state;
    struct rig r;
    struct rig_flow f[134] = {0};
    rig_init(&r, NULL);
    for (uint32_t k = 0; k < 134; k++)
        f[k] = (struct rig_flow){.start_ms = k * 20000,
                                 .provider = 1 + k % 40,
                                 .port = 587,
                                 .role = MINUTE_SUBMISSION,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .octets_up = 6000,
                                 .lasts_ms = 3000,
                                 .auth = 1,
                                 .user = 1 + k % 40,
                                 .sender = (uint64_t)(1 + k % 40) << 40,
                                 .digest_flags = MINUTE_DIGEST_AUTH,
                                 .mail = 1,
                                 .rcpt_ok = 12,
                                 .messages_ok = 1};
    rig_play(&r, &play_somebody, f, 134);
    const struct verdict *v = rig_verdict(&r, VERDICT_COMPROMISED_ACCOUNT, VERDICT_OPENED, 0);
    assert_non_null(v);
    for (size_t i = 0; i < r.verdicts; i++) {
        char sentence[VERDICT_SENTENCE_MAX];
        verdict_sentence(&r.verdict[i], sentence);
        assert_int_equal(r.verdict[i].class_, VERDICT_COMPROMISED_ACCOUNT);
        assert_null(strstr(sentence, "smarthost"));
    }
    assert_null(rig_verdict(&r, VERDICT_COMPROMISED_ACCOUNT, VERDICT_OPENED, 1));
    rig_fini(&r);
    // The same through the smarthost is its class.
    rig_init(&r, NULL);
    for (uint32_t k = 0; k < 134; k++) {
        f[k].role = MINUTE_SMARTHOST;
        f[k].provider = 1;
        f[k].user = 1;
    }
    rig_play(&r, &play_somebody, f, 134);
    assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_SMARTHOST, VERDICT_OPENED, 0));
    assert_null(rig_verdict(&r, VERDICT_COMPROMISED_ACCOUNT, VERDICT_OPENED, 0));
    rig_fini(&r);
}

static void backconnect(void **state)
{
    (void)state;
    enum { PROXY, VPN, HOME_WITH_VPN, KINDS };
    for (int kind = PROXY; kind < KINDS; kind++) {
        struct verdict v;
        enum { N = 240 };
        struct rig_flow f[1 + N] = {0};
        // The long flow, then an hour and a half of destinations.
        f[0] = (struct rig_flow){.start_ms = 0,
                                 .provider = 800,
                                 .port = 443,
                                 .role = MINUTE_OTHER,
                                 .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                 .digest_flags = MINUTE_DIGEST_HOSTING,
                                 .lasts_ms = 3 * HOUR,
                                 .row_up = kind == HOME_WITH_VPN ? 2000 : 30000,
                                 .row_down = 3000};
        for (uint32_t k = 1; k <= N && kind != VPN; k++)
            f[k] = (struct rig_flow){.start_ms = 40 * MINUTE + k * 30000,
                                     .provider = k,
                                     .port = 443,
                                     .role = MINUTE_OTHER,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .lasts_ms = 2000,
                                     .octets_up = 1500,
                                     .octets_down = 15000};
        bool found = plays_as(NULL, &play_somebody, f, 1 + N, VERDICT_PROXY_ABUSE, &v);
        assert_int_equal(found, kind == PROXY);
        if (found)
            assert_int_equal(v.ceiling, VERDICT_TICKET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harvester),
        cmocka_unit_test(stubborn_printer),
        cmocka_unit_test(backscatter),
        cmocka_unit_test(open_relay),
        cmocka_unit_test(socks_relay),
        cmocka_unit_test(backconnect),
        cmocka_unit_test(auth_guessing),
        cmocka_unit_test(office_behind_one_address),
        cmocka_unit_test(one_cause_one_ticket),
        cmocka_unit_test(stolen_accounts),
        cmocka_unit_test(bot_at_the_smarthost),
        cmocka_unit_test(submission_spread),
        cmocka_unit_test(senders_of_one_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
