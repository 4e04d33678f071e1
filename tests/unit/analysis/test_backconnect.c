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
    // ... + 9 ln(0.5 / 0.8875) = -0.69; but 3 ln(0.2 / 0.1125) + 9 ln(0.8 / 0.8875) = 0.79 a row where orders are
    // spread over several flows.
    {"3 of 12", true, 1, 12, 3, 50, 20, 3000, 1000, 1500, 15000, 2 * TOLD},
    // ... + 16 ln(0.8 / 0.8875) = 0.07 a row: 4.1 in the end.
    {"3 of 19", false, 1, 19, 3, 50, 20, 3000, 1000, 1500, 15000, 2 * TOLD},
    // 200 per mille is quiet, 210 is not: 0.3125, and no carrier of a fifth of the orders says anything there.
    {"3 of 8, often data", false, 1, 8, 3, 210, 20, 3000, 1000, 1500, 15000, 2 * TOLD},
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
        assert_non_null(strstr(rig_evidence(&v, "backconnect")->sentence, "Opened something "));
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

struct dialled {
    const char *what;
    bool found;
    int64_t each_min, until_min; // a flow's life; the last one ends then
    unsigned relays;             // providers: all at a time when `together`, else one after another
    bool together;
    uint32_t every;
    uint16_t opened, behind, chance;
    uint64_t to_down; // of the destination opened in each minute; 0: 10,000
};

// 3 of 3 at 100 per mille are 3 log-odds a row where one provider is looked at, and so they are for all together: a
// row weighs 3 at most.
static const struct dialled dials[] = {
    {"each 5 minutes", true, 5, 60, 1, false, 1, 3, 3, 100, 0},
    {"each 15 minutes", true, 15, 60, 1, false, 1, 3, 3, 100, 0},
    {"each 25 minutes", true, 25, 75, 1, false, 1, 3, 3, 100, 0},
    {"less than half an hour in all", false, 10, 29, 1, false, 1, 3, 3, 100, 0},
    {"half an hour in all", true, 10, 31, 1, false, 1, 3, 3, 100, 0},
    // Another relay each time: each is looked at for 15 minutes, and all add up.
    {"another relay each time", true, 15, 90, 6, false, 1, 3, 3, 100, 0},
    // A quarter of the orders each. One alone: 1 ln(0.5 / 0.1125) + 3 ln(0.5 / 0.8875) = -0.23; all four: 4 times
    // 1 ln(0.2 / 0.1125) + 3 ln(0.8 / 0.8875) = 0.26, 1.06 a row.
    {"four relays", true, 20, 60, 4, true, 1, 4, 1, 50, 0},
    // 1 ln(0.2 / 0.1125) + 7 ln(0.8 / 0.8875) = -0.15.
    {"four flows, an eighth behind each", false, 20, 120, 4, true, 1, 8, 1, 50, 0},
    // 250 per mille are not quiet: only the one looked at counts, at -0.9 + 0.29 a row.
    {"four flows with data a quarter of the time", false, 20, 120, 4, true, 1, 4, 1, 250, 0},
    // 4,000 octets a row are a fifth of 6,000 and 14,000. A flow that has become long need not be compared.
    {"a fifth of what destinations have", true, 15, 60, 1, false, 1, 3, 3, 100, 14000},
    {"less than a fifth", false, 15, 60, 1, false, 1, 3, 3, 100, 14100},
    {"less, and long", true, 60, 60, 1, false, 1, 3, 3, 100, 16000},
};

static void dialled_anew(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dials / sizeof dials[0]; i++) {
        const struct dialled *l = &dials[i];
        struct verdict v;
        static struct rig_flow f[4 * TOLD];
        size_t n = 0, number = 0;
        memset(f, 0, sizeof f);
        for (int64_t at = 0; at < l->until_min; at += l->each_min, number++) {
            int64_t end = at + l->each_min < l->until_min ? at + l->each_min : l->until_min;
            for (unsigned k = 0; k < (l->together ? l->relays : 1); k++)
                f[n++] = (struct rig_flow){
                    .start_ms = at * 60000,
                    .provider = 800 + (l->together ? k : (unsigned)number % l->relays),
                    .port = 443,
                    .role = MINUTE_OTHER,
                    .outcome = MINUTE_OUTCOME_ESTABLISHED,
                    .lasts_ms = (int32_t)((end - at) * 60000 - 100),
                    .row_up = 3000,
                    .row_down = 1000,
                    .tells_every = l->every,
                    .tells_networks = 20,
                    .tells_opened = l->opened,
                    .tells_behind = l->behind,
                    .tells_chance = l->chance};
        }
        for (int64_t k = 0; k < l->until_min; k++)
            f[n++] = (struct rig_flow){.start_ms = k * 60000 + 500,
                                       .provider = (uint32_t)k + 1,
                                       .port = 443,
                                       .role = MINUTE_OTHER,
                                       .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                       .lasts_ms = 2000,
                                       .octets_up = 6000,
                                       .octets_down = l->to_down ? l->to_down : 10000};
        bool found = plays_as(NULL, &play_somebody, f, n, VERDICT_PROXY_ABUSE, &v);
        if (found != l->found)
            fail_msg("%s: %s", l->what, found ? "found" : "not found");
        if (found)
            assert_int_equal(v.ceiling, VERDICT_TICKET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit),
        cmocka_unit_test(two_halves),
        cmocka_unit_test(dialled_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
