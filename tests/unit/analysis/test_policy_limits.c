// The ISP's own limits of messages and recipients: each from both sides, by network class, and in words.
#include "play.h"

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
        bool found = plays_as(yaml, &play_somebody, f, n, VERDICT_POLICY_LIMIT, &v);
        assert_int_equal(found, n > 40);
        if (found) {
            assert_true(rig_evidence(&v, "policy-limits")->limit == 40);
            assert_int_equal(v.ceiling, VERDICT_RESTRICT);
        }
        struct rig_who business = {.host = 9, .line = true, .network_class = "business"};
        assert_false(plays_as(yaml, &business, f, n, VERDICT_POLICY_LIMIT, &v));
        assert_false(plays_as(NULL, &play_somebody, f, n, VERDICT_POLICY_LIMIT, &v));
    }
}

// Each limit from both sides, and what it is called: 6 messages to two recipients each, one every so often.
static void policy_limit_sentences(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int64_t limit, every_ms;
        const char *sentence; // NULL: within the limit
    } cases[] = {
        {"messages_10min", 5, 60000,
         "Sent 6 messages in 10 minutes; its contract allows 5 in 10 minutes."},
        {"messages_10min", 6, 60000, NULL},
        {"messages_10min", 5, 600000, NULL},
        {"messages_hour", 5, 600000,
         "Sent 6 messages in an hour; its contract allows 5 in an hour."},
        {"messages_hour", 6, 600000, NULL},
        {"messages_hour", 5, 3600000, NULL},
        {"messages_day", 5, 7200000,
         "Sent 6 messages since midnight; its contract allows 5 in a day."},
        {"messages_day", 6, 7200000, NULL},
        // From 6 o'clock on each four hours: the fifth is at 22, the sixth on the next day.
        {"messages_day", 5, 14400000, NULL},
        {"recipients_10min", 11, 60000,
         "Sent to 12 recipients in 10 minutes; its contract allows 11 in 10 minutes."},
        {"recipients_hour", 11, 600000,
         "Sent to 12 recipients in an hour; its contract allows 11 in an hour."},
        {"recipients_day", 11, 7200000,
         "Sent to 12 recipients since midnight; its contract allows 11 in a day."},
        {"recipients_day", 12, 7200000, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[160];
        struct verdict v;
        struct rig_flow f[6] = {0};
        snprintf(yaml, sizeof yaml,
                 "site: {timezone: UTC}\nanalysis:\n  policy_limits: {%s: %lld}\n", cases[i].key,
                 (long long)cases[i].limit);
        for (size_t k = 0; k < 6; k++)
            f[k] = (struct rig_flow){.start_ms = (int64_t)k * cases[i].every_ms + 1000,
                                     .provider = 1,
                                     .port = 587,
                                     .role = MINUTE_SUBMISSION,
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .rcpt_ok = 2,
                                     .messages_ok = 1};
        bool found = plays_as(yaml, &play_somebody, f, 6, VERDICT_POLICY_LIMIT, &v);
        if (found != (cases[i].sentence != NULL))
            fail_msg("%s %lld: %s", cases[i].key, (long long)cases[i].limit,
                     found ? rig_evidence(&v, "policy-limits")->sentence : "nothing");
        if (found)
            assert_string_equal(rig_evidence(&v, "policy-limits")->sentence, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_limits),
        cmocka_unit_test(policy_limit_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
