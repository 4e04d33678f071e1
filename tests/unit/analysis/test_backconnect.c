// A proxy that dials out to no known hosting network, and carries too little to keep the pace: found by what is
// opened behind the data of its long flow. Each limit from both sides, by hand, and the innocents that
// look like it in a row.
#include "play.h"

#include "common/record.h"

#define TOLD 90 // minutes

struct look {
    const char *what;
    bool found;
    uint32_t every; // minutes
    uint16_t opened, behind, chance;
    uint32_t networks;
    uint64_t up, down;       // of the long flow, a row
    uint64_t to_up, to_down; // of the destination opened in each minute
    int64_t lasts_min;       // the long flow's age at the end
};

// A row weighs at most 3, so four at least must tell; they fade by the hour.
// 3 of 3 behind at 100 per mille: chance 0.05 + 0.125 = 0.175, 3 ln(0.5 / 0.175) = 3.15, taken as 3.
static const struct look looks[] = {
    {"carries", true, 1, 3, 3, 100, 20, 3000, 1000, 1500, 15000, TOLD},
    // Every 5 minutes 3: in the end 3 / (1 - e^(-1/12)) = 37 destinations, odds of 37.
    {"carries now and then", true, 5, 3, 3, 100, 20, 3000, 1000, 1500, 15000, TOLD},
    // Every 20 minutes: 3 / (1 - e^(-1/3)) = 10.6 of both: odds below 11.5.
    {"seldom", false, 20, 3, 3, 100, 20, 3000, 1000, 1500, 15000, 4 * TOLD},
    // Chance 0.05 + 0.4375 = 0.4875: 0.076 a row, 4.6 in the end. A film is always just behind.
    {"nearly always data", false, 1, 3, 3, 350, 20, 3000, 1000, 1500, 15000, 2 * TOLD},
    {"always data", false, 1, 30, 30, 1000, 20, 3000, 1000, 1500, 15000, TOLD},
    // 0.3: 1.53 a row.
    {"often data", true, 1, 3, 3, 200, 20, 3000, 1000, 1500, 15000, TOLD},
    // 3 ln(0.5 / 0.1125) + 7 ln(0.5 / 0.8875) = 0.46 a row: 28 in the end.
    {"3 of 10", true, 1, 10, 3, 50, 20, 3000, 1000, 1500, 15000, 2 * TOLD},
    // ... + 9 ln(0.5 / 0.8875) = -0.69.
    {"3 of 12", false, 1, 12, 3, 50, 20, 3000, 1000, 1500, 15000, 2 * TOLD},
    // 7 bits of 32 are 7.9 networks, 8 bits 9.2; the limit is 8.
    {"few networks", false, 1, 3, 3, 100, 7, 3000, 1000, 1500, 15000, TOLD},
    {"enough networks", true, 1, 3, 3, 100, 8, 3000, 1000, 1500, 15000, TOLD},
    // A resolver over TLS, a push service: what comes down is no less than what goes up.
    {"uploads 1.5 times", true, 1, 3, 3, 100, 20, 3000, 2000, 1500, 15000, TOLD},
    {"uploads less", false, 1, 3, 3, 100, 20, 3000, 2001, 1500, 15000, TOLD},
    // 4,000 octets a row want 1,200 that match on the other side, and 2,000 more in an hour.
    {"does not carry it", false, 1, 3, 3, 100, 20, 3000, 1000, 500, 690, TOLD},
    {"carries a part", true, 1, 3, 3, 100, 20, 3000, 1000, 500, 790, TOLD},
    {"not half an hour old", false, 1, 3, 3, 100, 20, 3000, 1000, 1500, 15000, 29},
};

static void each_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        const struct look *l = &looks[i];
        struct verdict v;
        static struct rig_flow f[1 + 4 * TOLD];
        memset(f, 0, sizeof f);
        f[0] = (struct rig_flow){.provider = 800,
                                 .port = 443,
                                 .role = MINUTE_OTHER,
                                 .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                 .lasts_ms = (int32_t)(l->lasts_min * 60000),
                                 .row_up = l->up,
                                 .row_down = l->down,
                                 .tells_every = l->every,
                                 .tells_networks = l->networks,
                                 .tells_opened = l->opened,
                                 .tells_behind = l->behind,
                                 .tells_chance = l->chance};
        size_t n = (size_t)l->lasts_min;
        for (size_t k = 0; k < n; k++)
            f[1 + k] = (struct rig_flow){.start_ms = (int64_t)k * 60000 + 500,
                                         .provider = (uint32_t)k + 1,
                                         .port = 443,
                                         .role = MINUTE_OTHER,
                                         .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                         .lasts_ms = 2000,
                                         .octets_up = l->to_up,
                                         .octets_down = l->to_down};
        bool found = plays_as(NULL, &play_somebody, f, 1 + n, VERDICT_PROXY_ABUSE, &v);
        if (found != l->found)
            fail_msg("%s: %s", l->what, found ? "found" : "not found");
        if (!found)
            continue;
        assert_int_equal(v.ceiling, VERDICT_TICKET);
        // One second counts once whatever it opens, so networks may be more than what is counted.
        assert_non_null(
            strstr(rig_evidence(&v, "backconnect")->sentence, " times that it opened something"));
    }
}

// A camera uploads, a resolver over TLS answers before each page: neither carries, and both together do not.
static void two_halves(void **state)
{
    (void)state;
    struct verdict v;
    static struct rig_flow f[2 + TOLD];
    memset(f, 0, sizeof f);
    for (unsigned i = 0; i < 2; i++)
        f[i] = (struct rig_flow){.provider = 800 + i,
                                 .port = 443,
                                 .role = MINUTE_OTHER,
                                 .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                 .lasts_ms = TOLD * 60000,
                                 .row_up = i ? 800 : 60000,
                                 .row_down = i ? 2000 : 3000,
                                 .tells_every = 1,
                                 .tells_networks = 32,
                                 .tells_opened = 10,
                                 .tells_behind = i ? 10 : 1,
                                 .tells_chance = 60};
    for (size_t k = 0; k < TOLD; k++)
        f[2 + k] = (struct rig_flow){.start_ms = (int64_t)k * 60000 + 500,
                                     .provider = (uint32_t)k + 1,
                                     .port = 443,
                                     .role = MINUTE_OTHER,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .lasts_ms = 2000,
                                     .octets_up = 3000,
                                     .octets_down = 90000};
    assert_false(plays_as(NULL, &play_somebody, f, 2 + TOLD, VERDICT_PROXY_ABUSE, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit),
        cmocka_unit_test(two_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
