// When the last event was that evidence rests on: what a party does later, and is no evidence, moves nothing.
#include "play.h"

#include "feature.h"

static void last_of_a_feature(void **state)
{
    (void)state;
    struct feature_rings *f = calloc(1, sizeof *f);
    const int64_t t = RIG_EPOCH_MS;
    assert_non_null(f);
    assert_int_equal(feature_last(f, FEATURE_MX_CONNECTIONS, t), t);
    feature_add(f, t + 61 * 1000, FEATURE_MX_CONNECTIONS, 1);
    feature_add(f, t + 62 * 1000, FEATURE_LOGIN_FAILED, 1);
    feature_add(f, t + 62 * 1000, FEATURE_MX_NULL_SENDER, 0);
    static const struct {
        int64_t now_ms;
        enum feature feature;
        int64_t last_ms;
    } cases[] = {
        {70000, FEATURE_MX_CONNECTIONS, 70000},           // its minute runs
        {4 * MINUTE, FEATURE_MX_CONNECTIONS, 2 * MINUTE}, // the minute's end
        {4 * MINUTE, FEATURE_LOGIN_FAILED, 4 * MINUTE},   // no minutes are kept of it
        {9 * MINUTE, FEATURE_LOGIN_FAILED, 5 * MINUTE},
        {30 * MINUTE, FEATURE_MX_CONNECTIONS, 5 * MINUTE},
        {10 * HOUR, FEATURE_MX_CONNECTIONS, 61000 + 14063}, // the first of its hour
        {30 * MINUTE, FEATURE_MX_NULL_SENDER, 30 * MINUTE}, // none
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t last_ms = feature_last(f, cases[i].feature, t + cases[i].now_ms) - t;
        assert_true(last_ms >= cases[i].last_ms - 14100 && last_ms <= cases[i].last_ms);
    }
    // Of a set only what is large: ten names, then one at a time.
    feature_add(f, t, FEATURE_HELO_NAMES, 10);
    for (int64_t m = 10; m < 50; m += 5)
        feature_add(f, t + m * MINUTE, FEATURE_HELO_NAMES, m == 20 ? 5 : 4);
    assert_int_equal(feature_last(f, FEATURE_HELO_NAMES, t + 50 * MINUTE), t + 25 * MINUTE);
    free(f);
}

// A bot for ten minutes, its owner's mail for the rest of the day.
static void mail_of_its_owner_is_no_spam(void **state)
{
    (void)state;
    enum { BOT = 60, OWN = 160 };
    static struct rig_flow f[BOT + OWN];
    for (uint32_t k = 0; k < BOT; k++)
        f[k] = (struct rig_flow){
            .start_ms = k * 10000, .provider = k + 1, .outcome = MINUTE_OUTCOME_UNANSWERED};
    for (uint32_t k = 0; k < OWN; k++)
        f[BOT + k] = (struct rig_flow){.start_ms = 20 * MINUTE + k * 6 * MINUTE,
                                       .provider = 900,
                                       .port = 587,
                                       .role = MINUTE_SUBMISSION,
                                       .outcome = MINUTE_OUTCOME_GREETED,
                                       .mail = 1,
                                       .rcpt_ok = 1,
                                       .messages_ok = 1,
                                       .octets_up = 5000};
    struct rig r;
    rig_init(&r, NULL);
    rig_play(&r, &play_somebody, f, BOT + OWN);
    rig_mark(&r, 24 * HOUR);
    assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0));
    size_t later = 0;
    for (size_t i = 0; i < r.verdicts; i++) {
        const struct verdict *v = &r.verdict[i];
        if (v->class_ != VERDICT_SPAMBOT_DIRECT)
            continue;
        later += v->made_ms > RIG_EPOCH_MS + HOUR;
        assert_true(v->last_ms >= v->first_ms);
        assert_true(v->last_ms <= RIG_EPOCH_MS + 10 * MINUTE + 5000);
        assert_true(v->last_ms >= v->made_ms - 70000 || v->made_ms > RIG_EPOCH_MS + 10 * MINUTE);
    }
    assert_true(later >= 2);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_of_a_feature),
        cmocka_unit_test(mail_of_its_owner_is_no_spam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
