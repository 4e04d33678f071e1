// Bots that keep below the limits of spread: round the clock, behind a block, through the smarthost, and known
// by the TLS client of others. Both sides of each limit, and the innocent beside.
#include "play.h"

#include <stdio.h>
#include <unistd.h>

#include "prints.h"
#include "snapshot.h"

// A session every `step_ms` from `from_ms` on with `providers` in turn.
static struct rig_flow *sessions(size_t n, int64_t from_ms, int64_t step_ms, uint32_t providers,
                                 enum minute_outcome outcome)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = from_ms + (int64_t)i * step_ms,
                                 .provider = (uint32_t)i % providers + 1,
                                 .outcome = (uint8_t)outcome,
                                 .lasts_ms = 4000,
                                 .octets_up = outcome == MINUTE_OUTCOME_CLOSED_EARLY ? 400 : 6000};
    return f;
}

// The rig's zero is six in the morning, and the site's clock is UTC.
static void round_the_clock(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        size_t n;
        int64_t from_ms, step_ms;
        uint32_t providers;
        enum minute_outcome outcome;
        bool found;
    } cases[] = {
        {NULL, 24, 0, HOUR, 6, MINUTE_OUTCOME_ESTABLISHED, true},
        {NULL, 24, 0, HOUR, 5, MINUTE_OUTCOME_ESTABLISHED, false},
        // A device that mails: two providers, all day and night.
        {NULL, 48, 0, HOUR / 2, 2, MINUTE_OUTCOME_ESTABLISHED, false},
        // From six to two: twenty hours, none of them between two and six.
        {NULL, 20, 0, HOUR, 6, MINUTE_OUTCOME_ESTABLISHED, false},
        // The same with three more.
        {NULL, 23, 0, HOUR, 6, MINUTE_OUTCOME_ESTABLISHED, true},
        // A probe: ten minutes later it is back at each.
        {NULL, 1440, 0, MINUTE, 6, MINUTE_OUTCOME_CLOSED_EARLY, false},
        // A slower one, a round an hour: its sessions are too small to carry mail.
        {NULL, 144, 0, 10 * MINUTE, 6, MINUTE_OUTCOME_CLOSED_EARLY, false},
        {NULL, 144, 0, 10 * MINUTE, 6, MINUTE_OUTCOME_ESTABLISHED, true},
        // Nobody answers: that is for others to tell.
        {NULL, 24, 0, HOUR, 3, MINUTE_OUTCOME_UNANSWERED, false},
        {"site:\n  mail_servers: [10.0.0.9]\n", 24, 0, HOUR, 6, MINUTE_OUTCOME_ESTABLISHED, false},
        // Midnight to six, twenty providers; by day the same is an office without a server.
        {NULL, 24, 18 * HOUR, HOUR / 4, 20, MINUTE_OUTCOME_ESTABLISHED, true},
        {NULL, 24, 0, HOUR / 4, 20, MINUTE_OUTCOME_ESTABLISHED, false},
        // By day a hundred providers in seven hours; in two it is a newsletter.
        {NULL, 140, 0, 3 * MINUTE, 140, MINUTE_OUTCOME_ESTABLISHED, true},
        {NULL, 140, 0, MINUTE / 2, 140, MINUTE_OUTCOME_ESTABLISHED, false},
        // Five a minute to twelve providers for two hours and more; for half an hour.
        {NULL, 640, 0, MINUTE / 5, 12, MINUTE_OUTCOME_ESTABLISHED, true},
        {NULL, 290, 0, MINUTE / 2, 12, MINUTE_OUTCOME_ESTABLISHED, false},
        // Sixty an hour to two large providers: 600 in ten hours; a relay elsewhere is one.
        {NULL, 599, 0, MINUTE, 2, MINUTE_OUTCOME_ESTABLISHED, false},
        {NULL, 600, 0, MINUTE, 2, MINUTE_OUTCOME_ESTABLISHED, true},
        {NULL, 1200, 0, MINUTE, 1, MINUTE_OUTCOME_ESTABLISHED, false},
        {NULL, 600, 0, MINUTE, 2, MINUTE_OUTCOME_CLOSED_EARLY, false},
        // Three hundred an hour in the third hour, and be it to one; two hundred.
        {NULL, 750, 0, MINUTE / 5, 1, MINUTE_OUTCOME_ESTABLISHED, true},
        {NULL, 590, 0, MINUTE / 5, 2, MINUTE_OUTCOME_ESTABLISHED, false},
        {NULL, 590, 0, 3 * MINUTE / 10, 2, MINUTE_OUTCOME_ESTABLISHED, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = sessions(cases[i].n, cases[i].from_ms, cases[i].step_ms,
                                      cases[i].providers, cases[i].outcome);
        bool found = plays_as(cases[i].yaml, &play_somebody, f, cases[i].n, VERDICT_SPAMBOT_DIRECT,
                              &v);
        if (found != cases[i].found)
            print_error("case %zu\n", i);
        assert_int_equal(found, cases[i].found);
        if (found) {
            const struct verdict_evidence *e = rig_evidence(&v, "direct-mx");
            assert_non_null(e);
            assert_true(strstr(e->sentence, " people sleep, and ") &&
                        strstr(e->sentence, " are the limit."));
            assert_int_equal(v.ceiling, VERDICT_TICKET);
        }
        free(f);
    }
}

static void who_is_written_to_is_a_server(void **state)
{
    (void)state;
    struct verdict v;
    struct rig_flow *f = sessions(26, 0, HOUR, 6, MINUTE_OUTCOME_ESTABLISHED);
    for (int delivers = 0; delivers <= 1; delivers++) {
        f[24] = play_inbound(8 * HOUR + 60000, 900, delivers);
        f[25] = play_inbound(8 * HOUR + 61000, 901, delivers);
        assert_int_equal(plays_as(NULL, &play_somebody, f, 26, VERDICT_SPAMBOT_DIRECT, &v),
                         !delivers);
    }
    assert_true(plays_as(NULL, &play_somebody, f, 24, VERDICT_SPAMBOT_DIRECT, &v));
    free(f);
}

#define BLOCKED "site:\n  port25: blocked-after\n  source_validated: true\n"

static void few_peers_behind_a_block(void **state)
{
    (void)state;
    // Two a minute: seven peers and four are ticketed within a quarter of an hour, three are a mail client
    // with three accounts.
    for (uint32_t peers = 2; peers <= 7; peers++) {
        struct verdict v;
        struct rig_flow *f = sessions(30, 0, MINUTE / 2, peers, MINUTE_OUTCOME_UNANSWERED);
        bool found = plays_as(BLOCKED, &play_somebody, f, 30, VERDICT_SPAMBOT_DIRECT, &v);
        assert_int_equal(found, peers >= 4);
        if (found) {
            assert_true(v.made_ms - RIG_EPOCH_MS <= 15 * MINUTE);
            assert_int_equal(v.ceiling, VERDICT_TICKET);
            assert_true(v.limitations & VERDICT_LOOKS_LIKE_DEAD_QUEUE);
        }
        // A client for days.
        if (peers <= 3) {
            free(f);
            f = sessions(2880, 0, MINUTE, peers, MINUTE_OUTCOME_UNANSWERED);
            assert_false(plays_as(BLOCKED, &play_somebody, f, 2880, VERDICT_SPAMBOT_DIRECT, &v));
        }
        free(f);
    }
}

static void queue_of_a_server_behind_a_block(void **state)
{
    (void)state;
    // Takes mail of others: what cannot go out waits in its queue. A scanner's greeting is no such word.
    struct verdict v;
    struct rig_flow *f = sessions(122, MINUTE, MINUTE / 2, 7, MINUTE_OUTCOME_UNANSWERED);
    for (int delivers = 0; delivers <= 1; delivers++) {
        f[120] = play_inbound(0, 900, delivers);
        f[121] = play_inbound(1000, 901, delivers);
        assert_int_equal(plays_as(BLOCKED, &play_somebody, f, 122, VERDICT_SPAMBOT_DIRECT, &v),
                         !delivers);
    }
    free(f);
}

static void slow_behind_a_block(void **state)
{
    (void)state;
    // Twice five in an hour or in a day: by number alone, a ticket.
    static const struct {
        uint32_t n;
        int64_t step_ms;
        bool found;
    } cases[] = {
        {9, HOUR, false}, {10, HOUR, true}, {9, 4 * MINUTE, false}, {10, 4 * MINUTE, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = sessions(cases[i].n, 0, cases[i].step_ms, cases[i].n,
                                      MINUTE_OUTCOME_UNANSWERED);
        bool found = plays_as(BLOCKED, &play_somebody, f, cases[i].n, VERDICT_SPAMBOT_DIRECT, &v);
        assert_int_equal(found, cases[i].found);
        assert_true(!found || v.ceiling == VERDICT_TICKET);
        free(f);
    }
}

// `n` messages in nine minutes by one account through the smarthost, under so many names.
static struct rig_flow *through_smarthost(size_t n, uint32_t senders)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)(i * 9 * 60000 / n),
                                 .provider = 700,
                                 .port = 587,
                                 .role = MINUTE_SMARTHOST,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .digest_flags = MINUTE_DIGEST_AUTH,
                                 .user = 5,
                                 .sender = 10 + i % senders,
                                 .mail = 1,
                                 .rcpt_ok = 1,
                                 .messages_ok = 1};
    return f;
}

static void messages_under_many_names(void **state)
{
    (void)state;
    // Forty senders of one account are capped at 9; 11.5 are asked for, so messages must weigh 2.51: just over
    // thirty. With four senders nothing is said of names, and a mail merge stays one.
    static const struct {
        size_t n;
        uint32_t senders;
        bool found;
    } cases[] = {{30, 40, false}, {34, 40, true}, {90, 4, false}, {90, 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = through_smarthost(cases[i].n, cases[i].senders);
        bool found = plays_as(NULL, &play_somebody, f, cases[i].n, VERDICT_SPAMBOT_SMARTHOST, &v);
        assert_int_equal(found, cases[i].found);
        assert_true(!found || v.ceiling == VERDICT_TICKET);
        // A mail server that sends through us has many names by trade.
        assert_false(plays_as("site:\n  mail_servers: [10.0.0.9]\n", &play_somebody, f, cases[i].n,
                              VERDICT_SPAMBOT_SMARTHOST, &v));
        free(f);
    }
}

// More submission sessions than a person begins, all through TLS.
static void sessions_of_a_program(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint32_t providers;
        uint64_t octets;
        int found; // class; -1: none
    } cases[] = {
        {230, 1, 6000, -1},
        {400, 1, 6000, VERDICT_COMPROMISED_ACCOUNT},
        {400, 7, 900, VERDICT_AUTH_GUESSING},
        {400, 3, 900, VERDICT_AUTH_GUESSING},
        {400, 2, 900, -1}, // a client that cannot log in
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        struct rig_flow *f = sessions(cases[i].n, 0, 7000, cases[i].providers,
                                      MINUTE_OUTCOME_ESTABLISHED);
        for (size_t k = 0; k < cases[i].n; k++) {
            f[k].port = 465;
            f[k].role = MINUTE_SUBMISSION;
            f[k].octets_up = cases[i].octets;
        }
        rig_init(&r, NULL);
        rig_play(&r, &play_somebody, f, cases[i].n);
        if (cases[i].found < 0) {
            rig_assert_innocent(&r);
        } else {
            const struct verdict *v = rig_verdict(&r, cases[i].found, VERDICT_OPENED, 0);
            assert_non_null(v);
            assert_int_equal(v->ceiling, VERDICT_TICKET);
        }
        rig_fini(&r);
        // Behind an address that cannot be told apart sixteen lines do as much together.
        struct rig_who shared = {.host = 9, .doubts = IDENTITY_NO_PORT};
        rig_init(&r, NULL);
        rig_play(&r, &shared, f, cases[i].n);
        rig_assert_innocent(&r);
        rig_fini(&r);
        free(f);
    }
}

// The same through the smarthost, where TLS leaves sessions and their octets.
static void smarthost_through_tls(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        size_t n;
        int64_t step_ms;
        uint64_t octets;
        uint32_t flags, messages_ok;
        bool found;
    } cases[] = {
        // 300 an hour: 240 are held when n / 300 = -ln(1 - 240 / 300), after 1.6 hours.
        {NULL, 470, 12000, 6000, MINUTE_DIGEST_TLS, 0, false},
        {NULL, 500, 12000, 6000, MINUTE_DIGEST_TLS, 0, true},
        // 100 an hour are never 240, but 600 in a day when -24 ln(1 - 600 / 2400) = 6.9 hours have passed.
        {NULL, 680, 36000, 6000, MINUTE_DIGEST_TLS, 0, false},
        {NULL, 710, 36000, 6000, MINUTE_DIGEST_TLS, 0, true},
        // 20 an hour are 480 a day for ever: an office of a household, or two.
        {NULL, 480, 180000, 6000, MINUTE_DIGEST_TLS, 0, false},
        // A mail merge, once.
        {NULL, 210, 5000, 6000, MINUTE_DIGEST_TLS, 0, false},
        // Too small to carry mail: a client that cannot log in.
        {NULL, 500, 12000, 1500, MINUTE_DIGEST_TLS, 0, false},
        // Who is written to may pass on what it gets.
        {"site:\n  mail_servers: [10.0.0.9]\n", 710, 36000, 6000, MINUTE_DIGEST_TLS, 0, false},
        // What is read is counted by message, by others.
        {NULL, 200, 36000, 6000, 0, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        struct rig_flow *f = sessions(cases[i].n, 0, cases[i].step_ms, 1,
                                      MINUTE_OUTCOME_ESTABLISHED);
        for (size_t k = 0; k < cases[i].n; k++) {
            f[k].port = 587;
            f[k].role = MINUTE_SMARTHOST;
            f[k].octets_up = cases[i].octets;
            f[k].digest_flags = cases[i].flags;
            f[k].messages_ok = cases[i].messages_ok;
        }
        bool found = plays_as(cases[i].yaml, &play_somebody, f, cases[i].n,
                              VERDICT_SPAMBOT_SMARTHOST, &v);
        if (found != cases[i].found)
            fail_msg("case %zu: %s", i, found ? "found" : "not found");
        if (found) {
            assert_int_equal(v.ceiling, VERDICT_TICKET);
            assert_true(v.limitations & VERDICT_TLS);
            assert_non_null(strstr(rig_evidence(&v, "submission-spread")->sentence,
                                   "Recipients and replies are not visible (TLS)."));
        }
        free(f);
    }
}

static void weight_of_a_print(void **state)
{
    (void)state;
    struct prints *p = calloc(1, sizeof *p);
    double bots, others;
    assert_non_null(p);
    const int64_t t = RIG_EPOCH_MS;
    // Four bots show 7, one other party does; a hundred show 9, and so do the bots.
    for (int i = 0; i < 4; i++) {
        prints_see(p, 7, true, t);
        prints_see(p, 9, false, t);
    }
    assert_true(prints_weight(p, 7, false, t, &bots, &others) == 0);
    for (int i = 0; i < 4; i++) {
        prints_confirm(p, 7, true, t);
        prints_confirm(p, 9, false, t);
    }
    for (int i = 0; i < 100; i++)
        prints_see(p, 9, true, t);
    prints_see(p, 7, true, t);
    // One more party shows 7 and is judged: itself it does not count. 101 others, none with 7: the floor.
    // (4 / 5) / 0.002 = 400.
    assert_float_equal(prints_weight(p, 7, false, t, &bots, &others), 5.99, 0.01);
    assert_true(bots == 4 && others == 0);
    // A stack that all have says nothing: (4 / 5) / (99 / 100) is below one.
    assert_true(prints_weight(p, 9, false, t, &bots, &others) == 0);
    // One of the bots itself has three witnesses; where there are but three bots it has two, too few.
    assert_true(prints_weight(p, 7, true, t, &bots, &others) > 0);
    assert_true(bots == 3);
    // A month halves all counts: the bots that are left are too few.
    assert_true(prints_weight(p, 7, false, t + 30 * 24 * HOUR, &bots, &others) == 0);
    assert_float_equal(bots, 2, 0.01);
    // Five hundred others come and go; what bots showed is kept.
    for (uint32_t i = 0; i < 2 * PRINTS_MAX; i++)
        prints_see(p, 1000 + i, true, t);
    assert_true(prints_weight(p, 7, false, t, &bots, &others) > 5);
    free(p);
}

// Bots on the lines 20 and so on, beyond doubt; sixty homes that read their mail; then line 9, whose spread alone
// is not enough.
static void play_prints(struct rig *r, bool common)
{
    struct rig_flow home = {
        .provider = 3, .port = 993, .role = MINUTE_ACCESS, .outcome = MINUTE_OUTCOME_GREETED};
    for (unsigned i = 0; i < 60; i++) {
        home.tls_client = common ? 77 : 5;
        rig_play(r, &(struct rig_who){.host = 100 + i, .line = true}, &home, 1);
    }
    for (unsigned i = 0; i < 4; i++) {
        struct rig_flow *f = sessions(60, 0, 3000, 60, MINUTE_OUTCOME_GREETED);
        for (size_t k = 0; k < 60; k++) {
            f[k].outcome = k % 3 == 0 ? MINUTE_OUTCOME_REFUSED : MINUTE_OUTCOME_GREETED;
            f[k].blocklist_exploit = k % 3 == 1;
            f[k].tls_client = 77;
        }
        rig_play(r, &(struct rig_who){.host = 20 + i, .line = true}, f, 60);
        free(f);
    }
}

static bool finds_by_print(struct rig *r)
{
    size_t before = r->verdicts;
    struct rig_flow *f = sessions(24, 0, 20000, 24, MINUTE_OUTCOME_GREETED);
    for (size_t k = 0; k < 24; k++)
        f[k].tls_client = 77;
    rig_play(r, &play_somebody, f, 24);
    free(f);
    if (r->verdicts == before)
        return false;
    assert_non_null(rig_evidence(&r->verdict[before], "client-print"));
    assert_int_equal(r->verdict[before].ceiling, VERDICT_TICKET);
    return true;
}

static void print_of_confirmed_bots(void **state)
{
    (void)state;
    for (int common = 0; common <= 1; common++) {
        struct rig r;
        rig_init(&r, "site:\n  source_validated: true\n");
        assert_false(finds_by_print(&r)); // no bot is known yet
        rig_fini(&r);
        rig_init(&r, "site:\n  source_validated: true\n");
        play_prints(&r, common);
        const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
        assert_non_null(v);
        assert_int_equal(v->ceiling, VERDICT_QUARANTINE);
        assert_int_equal(finds_by_print(&r), !common);
        rig_fini(&r);
    }
}

static void prints_survive_a_restart(void **state)
{
    (void)state;
    char path[] = "/tmp/postern-patient-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct rig r, again;
    struct snapshot_place place = {0};
    rig_init(&r, "site:\n  source_validated: true\n");
    play_prints(&r, false);
    assert_int_equal(snapshot_save(r.engine, &place, path), 0);
    rig_init(&again, "site:\n  source_validated: true\n");
    assert_int_equal(snapshot_load(again.engine, &place, path), 0);
    assert_true(finds_by_print(&again));
    rig_fini(&again);
    rig_fini(&r);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_the_clock),
        cmocka_unit_test(who_is_written_to_is_a_server),
        cmocka_unit_test(few_peers_behind_a_block),
        cmocka_unit_test(queue_of_a_server_behind_a_block),
        cmocka_unit_test(slow_behind_a_block),
        cmocka_unit_test(messages_under_many_names),
        cmocka_unit_test(sessions_of_a_program),
        cmocka_unit_test(smarthost_through_tls),
        cmocka_unit_test(weight_of_a_print),
        cmocka_unit_test(print_of_confirmed_bots),
        cmocka_unit_test(prints_survive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
