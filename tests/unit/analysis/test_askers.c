// What asks many mail servers for something and sends no mail: scans of port 25 at any rate, and verifiers of senders; and
// bots that look alike and are found.
#include "play.h"

static struct rig_flow *flows_new(size_t n)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    return f;
}

// Scans at any rate, in no order: SYNs to addresses anywhere, each sent once; some refuse, a few answer and are reset. An
// hour later the line writes a mail.
static void scanner_at_any_rate(void **state)
{
    (void)state;
    static const struct {
        unsigned per_second;
        size_t syns;
        unsigned refused; // of 100
        unsigned seeds;
    } cases[] = {{1, 600, 12, 12},   {3, 900, 12, 12},   {5, 900, 12, 12},   {10, 900, 12, 40},
                 {10, 900, 30, 20},  {10, 900, 60, 20},  {20, 1200, 12, 12}, {30, 1500, 12, 12},
                 {100, 2000, 12, 6}, {300, 3000, 12, 4}, {1000, 4000, 12, 3}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (unsigned seed = 0; seed < cases[c].seeds; seed++) {
            size_t n = cases[c].syns;
            struct rig_flow *f = flows_new(n + 1);
            for (size_t i = 0; i < n; i++) {
                uint32_t chance = pick(seed * 100000 + i, 100);
                f[i] = (struct rig_flow){
                    .start_ms = (int64_t)i * 1000 / cases[c].per_second,
                    .provider = (uint32_t)i + 1,
                    .raw = true,
                    .late = seed % 4 != 3,
                    .outcome = chance < cases[c].refused       ? MINUTE_OUTCOME_REFUSED
                               : chance < cases[c].refused + 2 ? MINUTE_OUTCOME_CLOSED_EARLY
                                                               : MINUTE_OUTCOME_UNANSWERED};
            }
            f[n] = (struct rig_flow){.start_ms = f[n - 1].start_ms + (seed % 3 + 1) * 20 * MINUTE,
                                     .provider = 60000,
                                     .port = seed % 2 ? 25 : 587,
                                     .role = seed % 2 ? MINUTE_MX : MINUTE_SUBMISSION,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED};
            struct rig r;
            rig_init(&r, seed % 5 == 4 ? "site:\n  port25: blocked-after\n" : NULL);
            rig_play(&r, &play_somebody, f, n + 1);
            if (r.verdicts != 0)
                fail_msg("%u a second, %u of 100 refused, seed %u: %s", cases[c].per_second,
                         cases[c].refused, seed, r.verdict[0].evidence[0].sentence);
            free(f);
            rig_fini(&r);
        }
    }
}

// A bot that reaches nobody keeps a TCP's habits: it is found as it was.
static void no_scanner(void **state)
{
    (void)state;
    for (unsigned per_minute = 20; per_minute <= 320; per_minute *= 2) {
        struct rig_flow *f = flows_new(60);
        for (size_t i = 0; i < 60; i++)
            f[i] = (struct rig_flow){.start_ms = (int64_t)i * 60000 / per_minute,
                                     .provider = (uint32_t)i + 1,
                                     .late = true,
                                     .outcome = i % 3 == 0 ? MINUTE_OUTCOME_REFUSED
                                                           : MINUTE_OUTCOME_UNANSWERED};
        struct rig r;
        rig_init(&r, NULL);
        rig_play(&r, &play_somebody, f, 60);
        assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0));
        free(f);
        rig_fini(&r);
    }
}

// Two thousand questions a day for senders of mail that comes in elsewhere.
static void callouts_all_day(void **state)
{
    (void)state;
    size_t n = 2000;
    for (unsigned own = 0; own < 2;
         own++) { // `own`: with a sender of its own, which no verifier has
        struct rig_flow *f = flows_new(n);
        for (size_t i = 0; i < n; i++) {
            bool unknown = pick(i, 100) < 35;
            f[i] = (struct rig_flow){.start_ms = (int64_t)i * 43000 + pick(i * 7, 40000),
                                     .provider = 1 + pick(i * 3, 300),
                                     .outcome = MINUTE_OUTCOME_GREETED,
                                     .lasts_ms = 900,
                                     .octets_up = 600,
                                     .mail = 1,
                                     .null_sender = !own,
                                     .rcpt_ok = !unknown,
                                     .rcpt_5xx = unknown,
                                     .no_data = unknown};
        }
        struct rig r;
        rig_init(&r, NULL);
        rig_play(&r, &play_somebody, f, n);
        assert_int_equal(r.verdicts > 0, own);
        for (size_t k = 0; k < r.verdicts; k++)
            assert_int_equal(r.verdict[k].ceiling, VERDICT_TICKET);
        free(f);
        rig_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanner_at_any_rate),
        cmocka_unit_test(no_scanner),
        cmocka_unit_test(callouts_all_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
