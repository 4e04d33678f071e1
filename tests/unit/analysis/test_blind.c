// Where the dialogue may not be read: what outcomes, spread and sizes alone say, on both sides of each
// limit, and who must stay unnamed.
#include "play.h"

#include "role.h"

// `n` connections to as many providers, `failing` of 100 unanswered, the others with so many octets.
static struct rig_flow *unread(size_t n, int64_t step_ms, uint32_t failing, uint64_t octets)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++) {
        bool fails = (i * failing + 50) / 100 != ((i + 1) * failing + 50) / 100;
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * step_ms,
                                 .provider = (uint32_t)i + 1,
                                 .outcome = fails ? MINUTE_OUTCOME_UNANSWERED
                                                  : MINUTE_OUTCOME_ESTABLISHED,
                                 .lasts_ms = 5000,
                                 .octets_up = fails ? 0 : octets};
    }
    return f;
}

static void bot_with_open_port(void **state)
{
    (void)state;
    static const struct {
        uint32_t failing;
        uint64_t octets;
        bool found;
    } cases[] = {
        {30, 6000, true},  // a bot's list
        {12, 6000, false}, // an old list, sent by a server that nobody has named
        {3, 1200, false},  // greylisted everywhere
        {0, 500, false},   // a verifier of senders
        {25, 1200, true},  // sessions too small and more failures than a list has
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = unread(400, 3000, cases[i].failing, cases[i].octets);
        assert_int_equal(plays_as(NULL, &play_somebody, f, 400, VERDICT_SPAMBOT_DIRECT, &v),
                         cases[i].found);
        if (cases[i].found) {
            assert_non_null(rig_evidence(&v, "fan-out"));
            assert_non_null(rig_evidence(&v, "first-contact"));
            assert_true(v.made_ms - RIG_EPOCH_MS <= 10 * MINUTE);
        }
        free(f);
    }
}

static void steady_needs_reached_providers(void **state)
{
    (void)state;
    // Reached ones, then failures: each moves by 0.98 up or 0.26 down. Ten answers are 2.6 down; six
    // failures from there are 3.3, five 2.3, and three is the least that is said. Where nine were
    // reached it is left to the first test.
    for (uint32_t failures = 5; failures <= 6; failures++) {
        for (uint32_t reached = 9; reached <= 10; reached++) {
            struct rig_flow f[16] = {0};
            bool said = false;
            for (uint32_t k = 0; k < reached + failures; k++)
                f[k] = (struct rig_flow){.start_ms = k * 3000,
                                         .provider = k + 1,
                                         .outcome = k < reached ? MINUTE_OUTCOME_ESTABLISHED
                                                                : MINUTE_OUTCOME_REFUSED,
                                         .blocklist_exploit = k == 1};
            struct rig r;
            rig_init(&r, play_at_once);
            rig_play(&r, &play_somebody, f, reached + failures);
            for (size_t k = 0; k < r.verdicts; k++)
                said |= rig_evidence(&r.verdict[k], "first-contact") != NULL;
            rig_fini(&r);
            assert_int_equal(said, failures == 6 && reached == 10);
        }
    }
}

static void size_of_unread_sessions(void **state)
{
    (void)state;
    static const struct {
        uint64_t octets;
        enum minute_outcome outcome;
        bool found;
    } cases[] = {
        {1700, MINUTE_OUTCOME_ESTABLISHED, true},
        {2400, MINUTE_OUTCOME_ESTABLISHED, false},
        {1700, MINUTE_OUTCOME_GREETED, false}, // read: the dialogue itself speaks
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        struct rig_flow *f = unread(30, 4000, 0, cases[i].octets);
        bool found = false;
        for (size_t k = 0; k < 30; k++)
            f[k].outcome = cases[i].outcome;
        f[0].blocklist_exploit = 1;
        rig_init(&r, play_at_once);
        rig_play(&r, &play_somebody, f, 30);
        for (size_t k = 0; k < r.verdicts; k++)
            found |= rig_evidence(&r.verdict[k], "ratware") != NULL;
        assert_int_equal(found, cases[i].found);
        rig_fini(&r);
        free(f);
    }
}

static void server_learnt_unread(void **state)
{
    (void)state;
    // Messages from three networks on three days, seen by octets alone; a handshake and a farewell is none.
    for (uint64_t octets = 2999; octets <= 3000; octets++) {
        struct role_state s = {0};
        struct minute_digest d = {.direction = MINUTE_IN,
                                  .role = MINUTE_MX,
                                  .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                  .octets_up = 900,
                                  .octets_down = octets};
        struct minute_row r = {.digest = &d, .digest_count = 1};
        for (int64_t i = 0; i < 9; i++) {
            uint8_t octet[4] = {100, 64, (uint8_t)i, 1};
            d.peer = ip_from_v4(octet);
            r.minute = RIG_EPOCH_MS / MINUTE + i / 3 * 1440;
            role_observe(&s, &r, false);
        }
        assert_int_equal(role_of(&s, r.minute * MINUTE),
                         octets < 3000 ? ROLE_HOUSEHOLD : ROLE_MAIL_SERVER);
    }
}

// Mailbox and submission servers, `n` different ones, `failing` of 100 gone.
static struct rig_flow *accounts(size_t n, unsigned role, uint32_t failing, uint64_t octets)
{
    struct rig_flow *f = unread(n, 3000, failing, octets);
    for (size_t i = 0; i < n; i++) {
        f[i].role = (uint8_t)role;
        f[i].port = role == MINUTE_ACCESS ? 993 : 465;
    }
    return f;
}

static void lists_of_mail_servers(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        unsigned role;
        uint32_t failing;
        uint64_t octets;
        int found; // class; -1: none
    } cases[] = {
        {60, MINUTE_ACCESS, 50, 900, VERDICT_AUTH_GUESSING},
        {60, MINUTE_SUBMISSION, 50, 900, VERDICT_AUTH_GUESSING},
        {20, MINUTE_ACCESS, 10, 900, -1},  // an office: old accounts of twenty people
        {12, MINUTE_ACCESS, 100, 900, -1}, // a line that is down
        {28, MINUTE_ACCESS, 100, 900, -1}, // an office that is down
        {31, MINUTE_ACCESS, 100, 900, VERDICT_AUTH_GUESSING}, // a scan for mailboxes, nobody there
        {32, MINUTE_SUBMISSION, 0, 900, -1},
        {34, MINUTE_SUBMISSION, 0, 900, VERDICT_AUTH_GUESSING},
        {34, MINUTE_SUBMISSION, 0, 6000, VERDICT_COMPROMISED_ACCOUNT},
        {34, MINUTE_ACCESS, 0, 900, VERDICT_AUTH_GUESSING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        struct rig_flow *f = accounts(cases[i].n, cases[i].role, cases[i].failing, cases[i].octets);
        rig_init(&r, "site:\n  source_validated: true\n");
        rig_play(&r, &play_somebody, f, cases[i].n);
        if (cases[i].found < 0) {
            rig_assert_innocent(&r);
        } else {
            const struct verdict *v = rig_verdict(&r, cases[i].found, VERDICT_OPENED, 0);
            assert_non_null(v);
            assert_int_equal(v->ceiling, VERDICT_TICKET);
        }
        rig_fini(&r);
        free(f);
    }
}

// A worm that knocks at many ports, one of them mail's: no list of mail servers. Whose failures elsewhere are three
// times as many and no more is heard.
static void knocks_at_many_ports(void **state)
{
    (void)state;
    for (uint32_t elsewhere = 3; elsewhere <= 4; elsewhere++) {
        const size_t n = 60, each = 1 + elsewhere;
        struct rig r;
        struct rig_flow *f = accounts(n * each, MINUTE_ACCESS, 100, 900);
        for (size_t i = 0; i < n * each; i++) {
            f[i].start_ms = (int64_t)(i * 1000);
            if (i % each == 0)
                continue;
            f[i].role = MINUTE_OTHER;
            f[i].port = 445;
        }
        rig_init(&r, "site:\n  source_validated: true\n");
        rig_play(&r, &play_somebody, f, n * each);
        if (elsewhere > 3)
            rig_assert_innocent(&r);
        else
            assert_non_null(rig_verdict(&r, VERDICT_AUTH_GUESSING, VERDICT_OPENED, 0));
        rig_fini(&r);
        free(f);
    }
}

static void no_household_contacts_so_many(void **state)
{
    (void)state;
    // Sixty times what is allowed in ten minutes, all answered, sessions as large as mail.
    for (uint32_t n = 350; n <= 400;
         n += 50) { // the memory of contacts forgives a few of a hundred
        struct verdict v;
        struct rig_flow *f = unread(n, 1450, 0, 6000);
        bool found = plays_as(NULL, &play_somebody, f, n, VERDICT_SPAMBOT_DIRECT, &v);
        assert_int_equal(found, n > 360);
        if (found)
            assert_int_equal(v.ceiling, VERDICT_TICKET);
        assert_false(plays_as("site:\n  mail_servers: [10.0.0.9]\n", &play_somebody, f, n,
                              VERDICT_SPAMBOT_DIRECT, &v));
        free(f);
    }
}

static void few_peers_at_no_queues_pace(void **state)
{
    (void)state;
    // Seven that are gone, three of them refuse: at two a minute a queue, at ten a minute none.
    for (int64_t step_ms = 6000; step_ms <= 30000; step_ms += 24000) {
        struct verdict v;
        struct rig_flow *f = calloc(240, sizeof *f);
        for (uint32_t i = 0; i < 240; i++)
            f[i] = (struct rig_flow){.start_ms = i * step_ms,
                                     .provider = 1 + i % 6,
                                     .outcome = i % 6 < 3 ? MINUTE_OUTCOME_REFUSED
                                                          : MINUTE_OUTCOME_UNANSWERED};
        assert_int_equal(plays_as(NULL, &play_somebody, f, 240, VERDICT_SPAMBOT_DIRECT, &v),
                         step_ms == 6000);
        free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bot_with_open_port),
        cmocka_unit_test(steady_needs_reached_providers),
        cmocka_unit_test(size_of_unread_sessions),
        cmocka_unit_test(server_learnt_unread),
        cmocka_unit_test(lists_of_mail_servers),
        cmocka_unit_test(knocks_at_many_ports),
        cmocka_unit_test(no_household_contacts_so_many),
        cmocka_unit_test(few_peers_at_no_queues_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
