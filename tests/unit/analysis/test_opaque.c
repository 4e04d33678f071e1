// Relays whose inbound side nobody can read, and what flows alone say of lines that carry for others. Both sides
// of each limit, and the innocent beside.
#include "play.h"

enum order { FORWARD, BACKWARD, BOTH };

// `n` connections from outside, each with one to a mail server of as many octets; `shift_ms` between their begins.
static struct rig_flow *pairs(size_t n, enum order order, int64_t shift_ms, int32_t lasts_ms,
                              uint16_t port)
{
    struct rig_flow *f = calloc(2 * n, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++) {
        bool back = order == BACKWARD || (order == BOTH && i % 2);
        int64_t at_ms = (int64_t)i * 100000 + 10000;
        f[2 * i] = (struct rig_flow){.start_ms = at_ms + (back ? shift_ms : 0),
                                     .provider = 700,
                                     .port = 40000,
                                     .role = MINUTE_OTHER,
                                     .direction = MINUTE_IN,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .lasts_ms = lasts_ms,
                                     .octets_up = 2200 + i * 900,
                                     .octets_down = 8000 + i * 3000};
        f[2 * i + 1] = (struct rig_flow){.start_ms = at_ms + (back ? 0 : shift_ms),
                                         .provider = (uint32_t)i % 3 + 1,
                                         .port = port,
                                         .role = port == 25 ? MINUTE_MX : MINUTE_SUBMISSION,
                                         .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                         .lasts_ms = lasts_ms - 500,
                                         .octets_up = 7900 + i * 3000,
                                         .octets_down = 2100 + i * 900};
    }
    return f;
}

static void what_comes_in_goes_out(void **state)
{
    (void)state;
    // Nine pairs of three providers are a ticket by themselves, eight are not. In a long row of flows the
    // sides end in later rows than they began.
    static const struct {
        size_t n;
        enum order order;
        int64_t shift_ms;
        int32_t lasts_ms;
        uint16_t port;
        int found; // class; -1: none
    } cases[] = {
        {10, FORWARD, 300, 9000, 25, VERDICT_SOCKS_RELAY},
        {10, FORWARD, 300, 95000, 25, VERDICT_SOCKS_RELAY},
        {10, FORWARD, 300, 9000, 587, VERDICT_PROXY_ABUSE},
        {8, FORWARD, 300, 9000, 25, -1},
        {10, FORWARD, 6000, 9000, 25, -1}, // too late to belong together
        {10, BACKWARD, 300, 9000, 25, -1}, // who asks first is no relay
        {30, BOTH, 300, 9000, 25, -1},     // chance runs both ways
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        struct rig_flow *f = pairs(cases[i].n, cases[i].order, cases[i].shift_ms, cases[i].lasts_ms,
                                   cases[i].port);
        rig_init(&r, NULL);
        rig_play(&r, &play_somebody, f, 2 * cases[i].n);
        if (cases[i].found < 0) {
            rig_assert_innocent(&r);
        } else {
            const struct verdict *v = rig_verdict(&r, cases[i].found, VERDICT_OPENED, 0);
            assert_non_null(v);
            assert_int_equal(v->ceiling, VERDICT_TICKET);
            assert_in_range(v->first_ms, RIG_EPOCH_MS, RIG_EPOCH_MS + 20000);
        }
        rig_fini(&r);
        free(f);
    }
}

// The octets of two halves have to fit: other ones are two people's business.
static void other_octets(void **state)
{
    (void)state;
    struct rig r;
    struct rig_flow *f = pairs(20, FORWARD, 300, 9000, 25);
    for (size_t i = 0; i < 20; i++)
        f[2 * i].octets_down = f[2 * i + 1].octets_up * 2;
    rig_init(&r, NULL);
    rig_play(&r, &play_somebody, f, 40);
    rig_assert_innocent(&r);
    rig_fini(&r);
    free(f);
}

static void proxy_without_a_list_of_hosting_networks(void **state)
{
    (void)state;
    enum { PROXY, CAMERA, OWN_PACE, FEW, KINDS };
    for (int kind = PROXY; kind < KINDS; kind++) {
        enum { N = 180 };
        struct rig r;
        struct rig_flow f[1 + N] = {0};
        f[0] = (struct rig_flow){.start_ms = 0,
                                 .provider = 800,
                                 .port = 443,
                                 .role = MINUTE_OTHER,
                                 .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                 .lasts_ms = 4 * HOUR,
                                 .row_up = 32000,
                                 .row_down = 3200,
                                 .row_swing = kind == CAMERA ? 0 : 2};
        // One destination a minute and more, as large as what the long flow carries in that minute.
        size_t n = kind == FEW ? 15 : N;
        for (size_t k = 1; k <= n; k++) {
            int64_t minute = 30 + (int64_t)k * (kind == FEW ? 6 : 1);
            int64_t end_minute = RIG_EPOCH_MS / MINUTE + minute + 1;
            uint64_t times = kind == CAMERA     ? 1
                             : kind == OWN_PACE ? 1 + (uint64_t)((end_minute + 1) % 3) * 2
                                                : 1 + (uint64_t)(end_minute % 3) * 2;
            f[k] = (struct rig_flow){.start_ms = minute * MINUTE + 5000,
                                     .provider = (uint32_t)k,
                                     .port = 443,
                                     .role = MINUTE_OTHER,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .lasts_ms = 20000,
                                     .octets_up = 3000 * times,
                                     .octets_down = 30000 * times};
        }
        rig_init(&r, NULL);
        rig_play(&r, &play_somebody, f, 1 + n);
        const struct verdict *v = rig_verdict(&r, VERDICT_PROXY_ABUSE, VERDICT_OPENED, 0);
        assert_int_equal(v != NULL, kind == PROXY);
        if (v)
            assert_int_equal(v->ceiling, VERDICT_TICKET);
        rig_fini(&r);
    }
}

#define BLOCKED "site:\n  port25: blocked-after\n  source_validated: true\n"

static void monitor_behind_a_block(void **state)
{
    (void)state;
    // Five servers once a minute each five minutes: for days, nothing. The same on a line that was known for a day
    // before it began, and at twice the pace, is a ticket.
    static const struct {
        int64_t known_ms, step_ms;
        bool found;
    } cases[] = {{0, MINUTE, false}, {30 * HOUR, MINUTE, true}, {0, MINUTE / 2, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum { N = 900 };
        struct verdict v;
        struct rig_flow *f = calloc(N + 1, sizeof *f);
        assert_non_null(f);
        f[0] = (struct rig_flow){.start_ms = 0,
                                 .provider = 77,
                                 .port = 993,
                                 .role = MINUTE_ACCESS,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .lasts_ms = 2000};
        for (size_t k = 1; k <= N; k++)
            f[k] = (struct rig_flow){.start_ms = cases[i].known_ms + (int64_t)k * cases[i].step_ms,
                                     .provider = (uint32_t)k % 5 + 1,
                                     .outcome = MINUTE_OUTCOME_UNANSWERED};
        assert_int_equal(plays_as(BLOCKED, &play_somebody, f, N + 1, VERDICT_SPAMBOT_DIRECT, &v),
                         cases[i].found);
        free(f);
    }
}

static void mail_through_many_accounts(void **state)
{
    (void)state;
    // Sixteen submission providers in an hour are twice what a person may have.
    for (uint32_t providers = 16; providers <= 17; providers++) {
        for (uint64_t octets = 1500; octets <= 6000; octets += 4500) {
            enum { N = 90 };
            struct rig r;
            struct rig_flow f[N] = {0};
            for (uint32_t k = 0; k < N; k++)
                f[k] = (struct rig_flow){.start_ms = k * 30000,
                                         .provider = k % providers + 1,
                                         .port = 587,
                                         .role = MINUTE_SUBMISSION,
                                         .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                         .lasts_ms = 3000,
                                         .octets_up = octets,
                                         .octets_down = 2000};
            rig_init(&r, NULL);
            rig_play(&r, &play_somebody, f, N);
            bool found = rig_verdict(&r, VERDICT_COMPROMISED_ACCOUNT, VERDICT_OPENED, 0) != NULL;
            assert_int_equal(found, providers > 16 && octets > 2000);
            rig_fini(&r);
        }
    }
}

// An exit node: sessions that read mail at more providers than anybody has accounts with.
static void strangers_read_their_mail(void **state)
{
    (void)state;
    for (uint64_t down = 2000; down <= 12000; down += 10000) {
        enum { N = 40 };
        struct rig r;
        struct rig_flow f[N] = {0};
        for (uint32_t k = 0; k < N; k++)
            f[k] = (struct rig_flow){.start_ms = k * 60000,
                                     .provider = k + 1,
                                     .port = k % 3 ? 993 : 587,
                                     .role = k % 3 ? MINUTE_ACCESS : MINUTE_SUBMISSION,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .lasts_ms = 3000,
                                     .octets_up = 1200,
                                     .octets_down = down};
        rig_init(&r, NULL);
        rig_play(&r, &play_somebody, f, N);
        int expected = down > 8000 ? VERDICT_PROXY_ABUSE : VERDICT_AUTH_GUESSING;
        const struct verdict *v = rig_verdict(&r, expected, VERDICT_OPENED, 0);
        assert_non_null(v);
        assert_int_equal(v->ceiling, VERDICT_TICKET);
        assert_int_equal(r.verdicts, 1);
        rig_fini(&r);
    }
}

// Sessions by the hundred with few providers, too small for mail: more than a probe begins.
static void faster_than_a_probe(void **state)
{
    (void)state;
    static const struct {
        int64_t step_ms, lasts_ms;
        uint32_t providers;
        bool found;
    } cases[] = {{5000, 4 * HOUR, 5, true},
                 {5000, 4 * HOUR, 2, false},
                 {5000, HOUR, 5, false},
                 {7000, 4 * HOUR, 5, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        size_t n = (size_t)(cases[i].lasts_ms / cases[i].step_ms);
        struct rig_flow *f = calloc(n, sizeof *f);
        assert_non_null(f);
        for (size_t k = 0; k < n; k++)
            f[k] = (struct rig_flow){.start_ms = (int64_t)k * cases[i].step_ms,
                                     .provider = (uint32_t)k % cases[i].providers + 1,
                                     .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                     .lasts_ms = 2000,
                                     .octets_up = 600};
        assert_int_equal(plays_as(NULL, &play_somebody, f, n, VERDICT_SPAMBOT_DIRECT, &v),
                         cases[i].found);
        free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_in_goes_out),
        cmocka_unit_test(other_octets),
        cmocka_unit_test(proxy_without_a_list_of_hosting_networks),
        cmocka_unit_test(monitor_behind_a_block),
        cmocka_unit_test(mail_through_many_accounts),
        cmocka_unit_test(strangers_read_their_mail),
        cmocka_unit_test(faster_than_a_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
