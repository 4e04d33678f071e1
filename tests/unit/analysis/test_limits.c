// Detectors that seldom decide alone, on both sides of their limits: what each says of a party is looked up
// beside the verdicts. And what a tap of one direction takes away.
#include "play.h"

#include "engine_parts.h"

static void assert_weight(double weight, double expected)
{
    assert_true(weight > expected - 0.001 && weight < expected + 0.001);
}

static double plays(const char *detector, const struct rig_flow *f, size_t n)
{
    struct rig r;
    rig_init(&r, NULL);
    rig_play(&r, &play_somebody, f, n);
    double weight = rig_weight(&r, detector);
    rig_fini(&r);
    return weight;
}

enum sign { EARLY, PIPELINING, HELO, UNASKED, NO_QUIT, SIGNS };

static void signs_of_ratware(void **state)
{
    (void)state;
    static const double weight[SIGNS] = {4, 2, 1.5, 2, 1.5};
    // Half of ten sessions with ten providers; four of ten say nothing, and nine providers say nothing.
    for (int sign = EARLY; sign < SIGNS; sign++) {
        for (size_t n = 9; n <= 10; n++) {
            for (size_t shown = 4; shown <= 5; shown++) {
                struct rig_flow f[10] = {0};
                for (size_t k = 0; k < n; k++) {
                    bool shows = k < shown;
                    f[k] = (struct rig_flow){.start_ms = (int64_t)k * 70000,
                                             .provider = (uint32_t)k + 1,
                                             .outcome = MINUTE_OUTCOME_GREETED,
                                             .mail = 1,
                                             .rcpt_ok = 1,
                                             .messages_ok = 1,
                                             .octets_up = 5000,
                                             .early = shows && sign == EARLY,
                                             .pipelining = shows && sign == PIPELINING,
                                             .helo_odd = shows && sign == HELO,
                                             .unasked = shows && sign == UNASKED,
                                             .no_quit = shows && sign == NO_QUIT};
                }
                assert_weight(plays("ratware", f, n), n == 10 && shown == 5 ? weight[sign] : 0);
            }
        }
    }
}

// `n` recipients through the smarthost, one every `step_ms`.
static double recipients(size_t n, int64_t step_ms)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t k = 0; k < n; k++)
        f[k] = (struct rig_flow){.start_ms = (int64_t)k * step_ms,
                                 .provider = 1,
                                 .port = 587,
                                 .role = MINUTE_SMARTHOST,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .rcpt_ok = 1};
    double weight = plays("recipient-burst", f, n);
    free(f);
    return weight;
}

static void recipients_at_once(void **state)
{
    (void)state;
    // A hundred in ten minutes, three hundred in an hour, a thousand in a day.
    assert_true(recipients(100, 5000) == 0);
    assert_true(recipients(101, 5000) > 0);
    assert_true(recipients(300, 11000) == 0);
    assert_true(recipients(301, 11000) > 0);
    assert_true(recipients(1000, 70000) == 0);
    assert_true(recipients(1001, 70000) > 0);
}

static void names_of_one_party(void **state)
{
    (void)state;
    // Five mail accounts in an hour and eight sender domains in a minute are the limits.
    for (uint32_t users = 5; users <= 6; users++) {
        for (uint32_t domains = 8; domains <= 9; domains++) {
            struct rig_flow f[18] = {0};
            for (uint32_t k = 0; k < 18; k++)
                f[k] = (struct rig_flow){.start_ms = k * 3000,
                                         .provider = 1,
                                         .port = 587,
                                         .role = MINUTE_SMARTHOST,
                                         .outcome = MINUTE_OUTCOME_GREETED,
                                         .user = 1 + k % users,
                                         .sender = (uint64_t)(1 + k % domains) << 40,
                                         .digest_flags = MINUTE_DIGEST_AUTH,
                                         .auth = 1,
                                         .rcpt_ok = 1};
            double weight = plays("identity-rotation", f, 18);
            assert_int_equal(weight > 0, users > 5 || domains > 8);
        }
    }
}

// One direction: what rests on answers is off and says so, the rest weighs less and ends at a ticket.
static void one_direction(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "site:\n  port25: blocked-after\n  source_validated: true\n");
    struct coverage_minute c = {.minute = RIG_EPOCH_MS / MINUTE,
                                .seconds = 60,
                                .alarms = COVERAGE_ONE_DIRECTION,
                                .sum = {.sampling = 1,
                                        .profile = COVERAGE_FULL_ENVELOPE,
                                        .tier = COVERAGE_TIER_B,
                                        .seen_octets = 1 << 20}};
    engine_coverage(r.engine, &c);
    for (size_t i = 0; detectors[i]; i++) {
        char why[200];
        bool off = engine_why_off(r.engine, i, why);
        assert_true(!off || strncmp(why, "off: not visible: ", 18) == 0);
        assert_true(off || !(detectors[i]->needs & DETECTOR_ANSWERS));
        assert_true(!off || detectors[i]->needs & ~(uint32_t)DETECTOR_PORT25);
    }
    rig_fini(&r);
    // Who answered is not known, and no family but this can speak: twice the limit is a ticket that says so.
    // Where the answers are what is seen it says nothing: they are no word of whom the line called.
    for (uint32_t n = 11; n <= 13; n++) {
        struct rig_flow f[13] = {0};
        rig_init(&r, "site:\n  source_validated: true\n");
        engine_coverage(r.engine, &c);
        for (uint32_t k = 0; k < n; k++)
            f[k] = (struct rig_flow){.start_ms = k * 20000,
                                     .provider = k + 1,
                                     .outcome = MINUTE_OUTCOME_UNANSWERED,
                                     .lasts_ms = 4000,
                                     .octets_up = n == 13 ? 0 : 240};
        rig_play(&r, &play_somebody, f, n);
        const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
        assert_int_equal(v != NULL, n == 12);
        if (v) {
            assert_int_equal(v->ceiling, VERDICT_TICKET);
            assert_true(v->limitations & VERDICT_ONE_SIDED);
            assert_weight(rig_evidence(v, "fan-out")->log_odds, 0.8 * 14.5);
            assert_non_null(strstr(rig_evidence(v, "fan-out")->sentence, "one direction seen"));
        }
        rig_fini(&r);
    }
    // A server that the operator names is none of it.
    struct rig_flow f[40] = {0};
    rig_init(&r, "site:\n  mail_servers: [10.0.0.9]\n");
    engine_coverage(r.engine, &c);
    for (uint32_t k = 0; k < 40; k++)
        f[k] = (struct rig_flow){
            .start_ms = k * 20000, .provider = k + 1, .outcome = MINUTE_OUTCOME_UNANSWERED};
    rig_play(&r, &play_somebody, f, 40);
    rig_assert_innocent(&r);
    rig_fini(&r);
    // Beside another family it is a ticket, and says on what it rests.
    struct detector_finding found[2] = {
        {.evidence = {.family = VERDICT_FAMILY_SPREAD, .log_odds = 12},
         .supports = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT),
         .defines = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT),
         .ceiling = VERDICT_QUARANTINE},
        {.evidence = {.family = VERDICT_FAMILY_BEHAVIOUR, .log_odds = 6},
         .supports = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT),
         .ceiling = VERDICT_QUARANTINE}};
    const struct policy_class rule = {.open = 0.99, .close = 0.5, .ceiling = VERDICT_QUARANTINE};
    const struct policy_priors priors = {.by_role = {0.001, 0.001, 0.001}, .policy_limit = 0.5};
    for (int one = 0; one <= 1; one++) {
        struct policy_facts facts = {
            .one_direction = one, .source_validated = true, .loss_ppm = one ? 480000 : 0};
        struct judgement j;
        policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &facts, found, 2, &j);
        assert_true(j.found);
        assert_int_equal(j.ceiling, one ? VERDICT_TICKET : VERDICT_QUARANTINE);
        assert_int_equal((j.limitations & VERDICT_ONE_SIDED) != 0, one);
        assert_weight(j.log_odds - j.prior, one ? 0.8 * 18 : 18);
    }
}

// A bot stays one where a relay cannot be told from it, and it is said.
static void bot_or_relay(struct rig *r, bool alike)
{
    struct rig_flow f[40] = {0};
    char sentence[VERDICT_SENTENCE_MAX];
    for (uint32_t k = 0; k < 40; k++)
        f[k] = (struct rig_flow){.start_ms = k * 3000,
                                 .provider = k + 1,
                                 .outcome = k % 2 ? MINUTE_OUTCOME_UNANSWERED
                                                  : MINUTE_OUTCOME_REFUSED};
    rig_play(r, &play_somebody, f, 40);
    const struct verdict *v = rig_verdict(r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    assert_non_null(v);
    assert_int_equal((v->limitations & VERDICT_RELAY_UNSEEN) != 0, alike);
    verdict_sentence(v, sentence);
    assert_int_equal(strstr(sentence, "(or a SOCKS relay: not visible here)") != NULL, alike);
}

// Tier A: of other ports the ends alone. What would need more is off and says so, the rest works.
static void tiers(void **state)
{
    (void)state;
    for (uint8_t tier = COVERAGE_TIER_A; tier <= COVERAGE_TIER_C; tier++) {
        struct rig r;
        rig_init(&r, NULL);
        struct coverage_minute c = {
            .minute = RIG_EPOCH_MS / MINUTE,
            .seconds = 60,
            .sum = {.sampling = 1, .profile = COVERAGE_FULL_ENVELOPE, .tier = tier}};
        engine_coverage(r.engine, &c);
        for (size_t i = 0; detectors[i]; i++) {
            char why[200] = "";
            bool relays = strcmp(detectors[i]->name, "backconnect") == 0 ||
                          strcmp(detectors[i]->name, "socks-relay") == 0;
            bool off = engine_why_off(r.engine, i, why);
            bool handshakes = detectors[i]->needs & DETECTOR_HANDSHAKES;
            assert_int_equal(off, (relays && tier != COVERAGE_TIER_B) ||
                                      (handshakes && tier == COVERAGE_TIER_C));
            if (relays && tier == COVERAGE_TIER_A)
                assert_non_null(strstr(why, "off: not visible: of ports of no mail"));
        }
        if (tier != COVERAGE_TIER_C)
            bot_or_relay(&r, tier == COVERAGE_TIER_A);
        rig_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_of_ratware),
        cmocka_unit_test(recipients_at_once),
        cmocka_unit_test(names_of_one_party),
        cmocka_unit_test(one_direction),
        cmocka_unit_test(tiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
