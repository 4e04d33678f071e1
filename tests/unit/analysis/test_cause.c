// One cause, one open verdict: what is found first is told as its cause when that opens, and stays beside it when the line
// does two things indeed.
#include "play.h"

#include "cause.h"

// Servers of a list that are gone, then addresses asked for at those that are not; `messages` of its own beside.
static struct rig_flow *harvester(size_t asks, size_t messages)
{
    const size_t gone = 40;
    struct rig_flow *f = calloc(gone + asks + messages, sizeof *f);
    assert_non_null(f);
    for (size_t k = 0; k < gone; k++)
        f[k] = (struct rig_flow){.start_ms = (int64_t)k * 3000,
                                 .provider = (uint32_t)k + 1,
                                 .outcome = k % 4 == 3 ? MINUTE_OUTCOME_GREETED
                                                       : MINUTE_OUTCOME_REFUSED};
    for (size_t k = 0; k < asks; k++)
        f[gone + k] = (struct rig_flow){.start_ms = 3 * MINUTE + (int64_t)k * 10000,
                                        .provider = 200 + (uint32_t)k % 20,
                                        .outcome = MINUTE_OUTCOME_GREETED,
                                        .mail = 1,
                                        .rcpt_5xx = 9,
                                        .rcpt_ok = 1,
                                        .no_data = true};
    for (size_t k = 0; k < messages; k++)
        f[gone + asks + k] = (struct rig_flow){.start_ms = 4 * MINUTE + (int64_t)k * 20000,
                                               .provider = 300 + (uint32_t)k,
                                               .outcome = MINUTE_OUTCOME_GREETED,
                                               .mail = 1,
                                               .rcpt_ok = 1,
                                               .messages_ok = 1};
    return f;
}

static void the_cause_takes_over(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    struct rig_flow *f = harvester(90, 0);
    rig_play(&r, &play_somebody, f, 130);
    const struct verdict *first = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    const struct verdict *cause = rig_verdict(&r, VERDICT_HARVESTER, VERDICT_OPENED, 0);
    const struct verdict *closed = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED, 0);
    assert_non_null(first);
    assert_non_null(cause);
    assert_non_null(closed);
    assert_int_equal(first->other_class, 0);
    assert_int_equal(closed->other_class, VERDICT_HARVESTER + 1);
    assert_string_equal(closed->id, first->id);
    assert_int_equal(closed->made_ms, cause->made_ms);
    assert_int_equal(cause->first_ms, first->first_ms); // since when it goes on
    char sentence[VERDICT_SENTENCE_MAX];
    verdict_sentence(closed, sentence);
    assert_non_null(strstr(sentence, ", now told as harvester"));
    // And is not opened again while the cause is open: an hour later nothing tells what it did.
    struct rig_flow later[3];
    for (size_t k = 0; k < 3; k++)
        later[k] = (struct rig_flow){.start_ms = 90 * MINUTE + (int64_t)k * MINUTE,
                                     .provider = 400 + (uint32_t)k,
                                     .outcome = MINUTE_OUTCOME_REFUSED};
    rig_play(&r, &play_somebody, later, 3);
    assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 1));
    free(f);
    rig_fini(&r);
}

// Reach by reach: a party with the cause open, and what is made of the effect.
static void what_explains_what(void **state)
{
    (void)state;
    static const struct {
        int effect, cause;
        uint8_t cause_sure, ceiling;
        bool found;
        unsigned messages;
        bool explained;
    } cases[] = {
        {VERDICT_SPAMBOT_DIRECT, VERDICT_SOCKS_RELAY, VERDICT_TICKET, VERDICT_QUARANTINE, true, 9,
         true},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_PROXY_ABUSE, VERDICT_TICKET, VERDICT_QUARANTINE, true, 0,
         false},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_PROXY_ABUSE, VERDICT_TICKET, VERDICT_QUARANTINE, false, 0,
         true},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_PROXY_ABUSE, VERDICT_TICKET, VERDICT_TICKET, true, 9,
         true},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_HARVESTER, VERDICT_QUARANTINE, VERDICT_QUARANTINE, true, 4,
         true},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_HARVESTER, VERDICT_QUARANTINE, VERDICT_TICKET, true, 5,
         false},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_HARVESTER, VERDICT_QUARANTINE, VERDICT_TICKET, false, 5,
         true},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_AUTH_GUESSING, VERDICT_TICKET, VERDICT_QUARANTINE, true, 4,
         true},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_AUTH_GUESSING, VERDICT_TICKET, VERDICT_QUARANTINE, true, 5,
         false},
        {VERDICT_AUTH_GUESSING, VERDICT_PROXY_ABUSE, VERDICT_TICKET, VERDICT_QUARANTINE, true, 9,
         true},
        {VERDICT_HARVESTER, VERDICT_SPAMBOT_DIRECT, VERDICT_QUARANTINE, VERDICT_TICKET, true, 0,
         false},
    };
    const int64_t now_ms = RIG_EPOCH_MS;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct party_state *p = calloc(1, sizeof *p);
        assert_non_null(p);
        struct party_verdict pv = {.sure_ceiling = cases[i].cause_sure,
                                   .verdict = {.class_ = (uint8_t)cases[i].cause, .first_ms = 7}};
        p->verdicts = &pv;
        feature_add(&p->window.features, now_ms - MINUTE, FEATURE_MX_MESSAGES, cases[i].messages);
        struct judgement j = {.found = cases[i].found, .ceiling = cases[i].ceiling};
        const struct party_verdict *cause = cause_of(p, (unsigned)cases[i].effect, &j, now_ms);
        if ((cause != NULL) != cases[i].explained)
            fail_msg("case %zu", i);
        // What the cause takes over begins where the effect did.
        pv.verdict.class_ = (uint8_t)cases[i].effect;
        bool pair = cases[i].cause != VERDICT_SPAMBOT_DIRECT;
        assert_int_equal(cause_first(p, (unsigned)cases[i].cause, 9), pair ? 7 : 9);
        free(p);
    }
}

static void two_things(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    struct rig_flow *f = harvester(90, 12);
    rig_play(&r, &play_somebody, f, 142);
    assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0));
    const struct verdict *cause = rig_verdict(&r, VERDICT_HARVESTER, VERDICT_OPENED, 0);
    assert_non_null(cause);
    assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED, 0));
    char sentence[VERDICT_SENTENCE_MAX];
    verdict_sentence(cause, sentence);
    assert_non_null(strstr(sentence, ", beside spambot-direct"));
    // No mail for hours, and the cause goes on: what was two things is not told as one.
    struct rig_flow *later = harvester(900, 0);
    for (size_t k = 0; k < 940; k++)
        later[k].start_ms += 2 * 60 * MINUTE;
    rig_play(&r, &play_somebody, later, 940);
    assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED, 0));
    free(later);
    // Both are over: neither is told as the other, so that each ticket counts as an offence.
    rig_mark(&r, 24 * 60 * MINUTE);
    const int both[] = {VERDICT_SPAMBOT_DIRECT, VERDICT_HARVESTER};
    for (size_t i = 0; i < 2; i++) {
        const struct verdict *closed = rig_verdict(&r, both[i], VERDICT_CLOSED, 0);
        assert_non_null(closed);
        assert_int_equal(closed->other_class, 0);
        verdict_sentence(closed, sentence);
        assert_null(strstr(sentence, ", now told as"));
    }
    free(f);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cause_takes_over),
        cmocka_unit_test(what_explains_what),
        cmocka_unit_test(two_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
