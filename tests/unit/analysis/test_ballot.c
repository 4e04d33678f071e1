// Whether mail fails for the site or for one: votes and shares by hand, then whole sites, played minute by minute, on
// both sides of the line between a border that is down and machines that begin together.
#include "play.h"

#include "ballot.h"
#include "engine_parts.h"
#include "explain.h"

#define LINES 24

static const struct ballot_rule rule = {.parties_min = 10, .share = 0.5, .jump = 0.3};

static const int64_t minute0 = RIG_EPOCH_MS / MINUTE;

// One row of a party at port 25: a provider that answered before does, or does not any more.
static bool say(struct ballot *b, struct ballot_paper *p, int64_t minute, uint32_t provider,
                bool fails, bool known, bool may_vote)
{
    struct minute_row *r = calloc(1, sizeof *r);
    struct window_contacts *c = calloc(1, sizeof *c);
    assert_true(r && c);
    r->minute = minute;
    r->cut_ms = (minute + 1) * MINUTE;
    c->count = 1;
    c->contact[0] = (struct contact){.kind = fails ? CONTACT_AGAIN_FAILED : CONTACT_AGAIN_ANSWERED,
                                     .provider = provider,
                                     .failed = fails,
                                     .silent = fails,
                                     .answered_since = known};
    bool failing = ballot_take(b, p, r, c, may_vote);
    free(r);
    free(c);
    return failing;
}

static void who_counts(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned failing, well, providers, rounds;
        bool known, may_vote, fails;
    } cases[] = {
        {"half of ten", 5, 5, 3, 1, true, true, true},
        {"four of nine and one", 4, 6, 3, 1, true, true, false},
        {"nine parties are too few", 5, 4, 3, 1, true, true, false},
        {"each party once, however often it tries", 5, 4, 3, 5, true, true, false},
        {"two providers may be down", 8, 2, 2, 1, true, true, false},
        {"whom nobody ever answered says nothing", 8, 5, 3, 1, false, true, false},
        {"suspects have no vote", 8, 5, 3, 1, true, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ballot b = {.rule = rule};
        struct ballot_paper paper[32] = {0};
        bool fails = false;
        for (unsigned round = 0; round < cases[i].rounds; round++) {
            for (unsigned k = 0; k < cases[i].well; k++)
                fails |= say(&b, &paper[k], minute0 + round, 1, false, true, true);
            for (unsigned k = 0; k < cases[i].failing; k++)
                fails |= say(&b, &paper[16 + k], minute0 + round, 10 + k % cases[i].providers, true,
                             cases[i].known, cases[i].may_vote);
        }
        if (fails != cases[i].fails)
            print_error("%s\n", cases[i].what);
        assert_int_equal(fails, cases[i].fails);
    }
}

static void how_long_it_holds(void **state)
{
    (void)state;
    struct ballot b = {.rule = rule};
    struct ballot_paper paper[20] = {0};
    int64_t m = minute0;
    // A fifth fails all the time: usual here, so a jump starts at half.
    for (; m < minute0 + 600; m++) {
        for (unsigned k = 0; k < 20; k++)
            assert_false(say(&b, &paper[k], m, 10 + k, k < 4, true, true));
        ballot_minute(&b, m);
    }
    double usual = b.tally[BALLOT_PORT25].average;
    assert_true(usual > 0.19 && usual < 0.21);
    for (unsigned k = 0; k < 20; k++)
        say(&b, &paper[k], m, 10 + k, k < 12, true, true);
    assert_true(ballot_failing(&b, m * MINUTE));
    // While it lasts nothing is learnt, whatever it is called for a day.
    int64_t since = m;
    for (m++; m < since + 1440; m++) {
        for (unsigned k = 0; k < 20; k++)
            say(&b, &paper[k], m, 10 + k, k < 12, true, true);
        ballot_minute(&b, m);
        assert_true(ballot_failing(&b, m * MINUTE));
        assert_true(b.tally[BALLOT_PORT25].average == usual);
    }
    // Then it is how things are: the block belongs into the configuration.
    for (; m < since + 1500; m++) {
        for (unsigned k = 0; k < 20; k++)
            say(&b, &paper[k], m, 10 + k, k < 12, true, true);
        ballot_minute(&b, m);
    }
    assert_false(ballot_failing(&b, m * MINUTE));
    // Votes age: what nobody says any more ends two minutes after it was last true.
    struct ballot short_ = {.rule = rule};
    memset(paper, 0, sizeof paper);
    for (unsigned k = 0; k < 12; k++)
        say(&short_, &paper[k], minute0, 10 + k, true, true, true);
    assert_true(ballot_failing(&short_, minute0 * MINUTE));
    for (m = minute0 + 1; m < minute0 + 10; m++)
        ballot_minute(&short_, m);
    assert_true(ballot_failing(&short_, (minute0 + 6) * MINUTE));
    assert_false(ballot_failing(&short_, (minute0 + 8) * MINUTE));
}

// A minute of a site of 24 lines. Line k speaks to one of three providers of its own four times.
enum doing { IDLE, WELL, KNOWN_FAIL, NEW_FAIL, BORDER_WELL, BORDER_FAIL };

static void play_minute(struct rig *r, unsigned host, int64_t minute, enum doing doing)
{
    struct rig_who who = {.host = 100 + host, .line = true};
    struct rig_flow f[6] = {0};
    size_t n = doing == IDLE ? 0 : doing == NEW_FAIL ? 6 : 3;
    for (size_t k = 0; k < n; k++) {
        bool border = doing == BORDER_WELL || doing == BORDER_FAIL;
        bool fails = doing == KNOWN_FAIL || doing == NEW_FAIL || doing == BORDER_FAIL;
        uint32_t known = 1 + (host * 3 + (uint32_t)k) % 40;
        f[k] = (struct rig_flow){
            .start_ms = minute * MINUTE + (int64_t)k * 7000 + host * 50,
            .provider = doing == NEW_FAIL ? 1000 + host * 400 + (uint32_t)(minute * 6) + (uint32_t)k
                                          : known,
            .port = border ? 993 : 25,
            .role = border ? MINUTE_ACCESS : MINUTE_MX,
            .outcome = fails ? MINUTE_OUTCOME_UNANSWERED : MINUTE_OUTCOME_GREETED};
    }
    if (n > 0)
        rig_play(r, &who, f, n);
}

static void bots_that_begin_together(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    // Eleven healthy servers; thirteen lines, silent so far, begin in one minute with a list of the dead.
    for (int64_t m = 0; m < 70; m++) {
        for (unsigned k = 0; k < LINES; k++)
            play_minute(&r, k, m, k < 11 ? WELL : m >= 60 ? NEW_FAIL : IDLE);
        rig_site(&r, m);
        rig_mark(&r, (m + 1) * MINUTE);
    }
    assert_false(ballot_failing(&r.engine->ballot, RIG_EPOCH_MS + 70 * MINUTE));
    assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 12));
    assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 13));
    assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED, 0));
    for (size_t i = 0; i < r.verdicts; i++)
        assert_int_equal(r.verdict[i].limitations & VERDICT_SITE_FAILURE, 0);
    rig_fini(&r);
}

// The same with a past: machines that sent to a few who answered, and now send to many who do not.
static void bots_with_a_past(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    for (int64_t m = 0; m < 70; m++) {
        for (unsigned k = 0; k < LINES; k++)
            play_minute(&r, k, m, k < 11 || m < 60 ? WELL : NEW_FAIL);
        rig_site(&r, m);
        rig_mark(&r, (m + 1) * MINUTE);
    }
    assert_false(ballot_failing(&r.engine->ballot, RIG_EPOCH_MS + 70 * MINUTE));
    assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 12));
    rig_fini(&r);
}

static void border_goes_down(void **state)
{
    (void)state;
    // A bot known before; then whatever leaves fails for all. A server that tries new providers alone looks like a bot,
    // but not when the others lose those who answered them. At night nobody mails: reading mail tells as well.
    for (int night = 0; night <= 1; night++) {
        for (int down = 0; down <= 1; down++) {
            struct rig r;
            rig_init(&r, NULL);
            for (int64_t m = 0; m < 80; m++) {
                for (unsigned k = 0; k < LINES - 2; k++)
                    play_minute(&r, k, m,
                                night             ? m >= 60 && down ? BORDER_FAIL : BORDER_WELL
                                : m >= 60 && down ? KNOWN_FAIL
                                                  : WELL);
                play_minute(&r, 22, m, NEW_FAIL);
                play_minute(&r, 23, m, m < 62 ? IDLE : NEW_FAIL);
                rig_site(&r, m);
                rig_mark(&r, (m + 1) * MINUTE);
            }
            assert_int_equal(ballot_failing(&r.engine->ballot, RIG_EPOCH_MS + 80 * MINUTE), down);
            assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0));
            const struct verdict *second = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED,
                                                       1);
            assert_int_equal(second == NULL, down);
            // What was open stays open, however long it lasts.
            rig_mark(&r, 80 * MINUTE);
            assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED, 0));
            rig_fini(&r);
        }
    }
}

static void all_others(struct rig *r, int64_t from, int64_t to, enum doing doing)
{
    for (int64_t m = from; m < to; m++) {
        for (unsigned k = 0; k < LINES - 2; k++)
            play_minute(r, k, m, doing);
        rig_site(r, m);
    }
}

// What rests on failures waits while the site fails, and says so; nothing is learnt from failures of that time.
static void what_is_put_off(void **state)
{
    (void)state;
    static const struct rig_who who = {.host = 123, .line = true};
    struct rig r;
    rig_init(&r, "analysis:\n  detectors_off: [fan-out, direct-mx, surge]\n");
    all_others(&r, 0, 55, WELL);
    // A climb that one family alone does not convict by; its listings come when the site fails.
    for (int64_t m = 55; m < 60; m++)
        play_minute(&r, 23, m, NEW_FAIL);
    all_others(&r, 55, 60, WELL);
    all_others(&r, 60, 61, KNOWN_FAIL);
    assert_true(ballot_failing(&r.engine->ballot, RIG_EPOCH_MS + 61 * MINUTE));
    struct party party = {.kind = PARTY_LINE, .id = "123"};
    struct party_state *p = party_peek(r.engine->parties, &party);
    assert_non_null(p);
    uint32_t dead = providers_dead(&p->window.providers, RIG_EPOCH_MS + 63 * MINUTE, HOUR, 1);
    play_minute(&r, 23, 61, NEW_FAIL);
    assert_int_equal(providers_dead(&p->window.providers, RIG_EPOCH_MS + 63 * MINUTE, HOUR, 1),
                     dead);
    struct rig_flow f[4] = {0};
    for (uint32_t k = 0; k < 4; k++)
        f[k] = (struct rig_flow){.start_ms = 62 * MINUTE + k * 1000,
                                 .provider = 9000 + k,
                                 .outcome = MINUTE_OUTCOME_TURNED_AWAY,
                                 .blocklist_exploit = 1};
    rig_play(&r, &who, f, 4);
    assert_int_equal(r.verdicts, 0);
    assert_true(r.engine->counters.deferred > 0);
    json_t *why = explain(r.engine, "line:123", RIG_EPOCH_MS + 63 * MINUTE);
    assert_non_null(why);
    assert_non_null(strstr(json_string_value(json_object_get(why, "sentence")),
                           "mail fails for many parties now"));
    json_decref(why);
    // It is over, and the next row opens it.
    all_others(&r, 61, 75, WELL);
    assert_false(ballot_failing(&r.engine->ballot, RIG_EPOCH_MS + 75 * MINUTE));
    for (uint32_t k = 0; k < 4; k++)
        f[k].start_ms += 13 * MINUTE;
    rig_play(&r, &who, f, 4);
    assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0));
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_counts),
        cmocka_unit_test(how_long_it_holds),
        cmocka_unit_test(bots_that_begin_together),
        cmocka_unit_test(bots_with_a_past),
        cmocka_unit_test(border_goes_down),
        cmocka_unit_test(what_is_put_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
