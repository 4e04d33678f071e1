// The parts that detectors stand on, by hand-computed cases: the sequential test, counts over windows,
// the memory of providers, roles, the site's sight.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detector.h"
#include "names.h"
#include "providers.h"
#include "site.h"
#include "sprt.h"
#include "window.h"

#define MINUTE_MS 60000LL
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define T0        (29922120LL * MINUTE_MS) // 2026-11-22T06:00:00Z

#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

static void sequential_test(void **state)
{
    (void)state;
    struct sprt_rule r = sprt_rule(0.8, 0.2, 1e-5, 0.01);
    assert_near(r.failure, log(4), 1e-9);
    assert_near(r.success, -log(4), 1e-9);
    assert_near(r.upper, 11.5029, 1e-4);
    assert_near(r.lower, -4.6052, 1e-4);
    struct sprt s = {0};
    for (int i = 1; i <= 9; i++) {
        assert_false(sprt_convicts(&s, &r));
        sprt_fail(&s, &r, T0 + i, T0 - 1000, 1);
    }
    assert_true(sprt_convicts(&s, &r));
    assert_int_equal(s.failures, 9);
    assert_int_equal(s.first_ms, T0 - 1000);
    assert_int_equal(s.last_ms, T0 + 9);
    // A success takes back what a failure gave.
    sprt_succeed(&s, &r, T0 + 10, 1);
    assert_false(sprt_convicts(&s, &r));
    assert_near(s.walk, 8 * log(4), 1e-9);
    // Goodwill is not saved up: the walk stops at its lower bound.
    for (int i = 0; i < 1000; i++)
        sprt_succeed(&s, &r, T0 + 20, 1);
    assert_near(s.walk, r.lower, 1e-9);
    assert_int_equal(s.failures, 0);
    // Half of a climb is forgotten in a half-life; a low one altogether.
    s = (struct sprt){0};
    for (int i = 0; i < 4; i++)
        sprt_fail(&s, &r, T0, T0, 1);
    sprt_decay(&s, T0 + HOUR_MS, HOUR_MS);
    assert_near(s.walk, 2 * log(4), 1e-9);
    sprt_decay(&s, T0 + 10 * HOUR_MS, HOUR_MS);
    assert_true(s.walk == 0 && s.failures == 0);
}

static void counts_over_windows(void **state)
{
    (void)state;
    struct feature_rings *f = calloc(1, sizeof *f);
    int64_t m = T0 / MINUTE_MS;
    // One a minute for two days.
    for (int64_t i = 0; i < 2 * 1440; i++)
        feature_add(f, (m + i) * MINUTE_MS, FEATURE_MX_MESSAGES, 1);
    int64_t now = (m + 2 * 1440) * MINUTE_MS;
    assert_int_equal(feature_sum(f, FEATURE_MX_MESSAGES, now, 60), 1);
    assert_int_equal(feature_sum(f, FEATURE_MX_MESSAGES, now, 600), 10);
    assert_int_equal(feature_sum(f, FEATURE_MX_MESSAGES, now, 3600), 60);
    assert_int_equal(feature_sum(f, FEATURE_MX_MESSAGES, now, 86400), 1440);
    assert_int_equal(feature_sum(f, FEATURE_MX_HELO, now, 86400), 0);
    // Later, nothing is left.
    assert_int_equal(feature_sum(f, FEATURE_MX_MESSAGES, now + 11 * MINUTE_MS, 600), 0);
    // A late row finds its place; one too late does not disturb a newer.
    feature_add(f, (m + 2 * 1440 - 3) * MINUTE_MS, FEATURE_MX_MESSAGES, 5);
    assert_int_equal(feature_sum(f, FEATURE_MX_MESSAGES, now, 600), 15);
    feature_add(f, m * MINUTE_MS, FEATURE_MX_MESSAGES, 1000);
    assert_int_equal(feature_sum(f, FEATURE_MX_MESSAGES, now, 86400), 1445);
    // Sets do not add up, counts stop at what they hold.
    feature_add(f, (m + 2 * 1440 - 1) * MINUTE_MS, FEATURE_PROVIDERS_MX, 7);
    feature_add(f, (m + 2 * 1440 - 1) * MINUTE_MS, FEATURE_PROVIDERS_MX, 4);
    feature_add(f, (m + 2 * 1440 - 2) * MINUTE_MS, FEATURE_PROVIDERS_MX, 5);
    assert_int_equal(feature_sum(f, FEATURE_PROVIDERS_MX, now, 600), 7);
    feature_add(f, (m + 2 * 1440 - 1) * MINUTE_MS, FEATURE_MX_HELO, 70000);
    feature_add(f, (m + 2 * 1440 - 1) * MINUTE_MS, FEATURE_MX_HELO, 70000);
    assert_int_equal(feature_sum(f, FEATURE_MX_HELO, now, 60), 65535);
    free(f);
}

// When the first event of a window was: to the second within an hour, to a quarter of a minute else.
static void first_events(void **state)
{
    (void)state;
    static const struct {
        int64_t before_ms; // now
        int32_t window_s;
        int64_t exact_ms; // so much later at most, and never earlier
    } cases[] = {
        {30 * 1000, 600, 1200},
        {9 * MINUTE_MS + 7000, 600, 1200},
        {9 * MINUTE_MS + 7000, 3600, 1200},
        {55 * MINUTE_MS + 1234, 3600, 1200},
        {55 * MINUTE_MS + 1234, 86400, 1200},
        {20 * HOUR_MS + 777000, 86400, 15000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct feature_rings *f = calloc(1, sizeof *f);
        int64_t now = T0 + 48 * HOUR_MS + 17 * MINUTE_MS, at = now - cases[i].before_ms;
        assert_true(feature_first(f, FEATURE_MX_MESSAGES, now, cases[i].window_s) == now);
        for (int64_t t = at; t < now; t += 2 * MINUTE_MS)
            feature_add(f, t, FEATURE_MX_MESSAGES, 1);
        feature_add(f, at - 25 * HOUR_MS, FEATURE_MX_MESSAGES, 1); // outside of all windows
        int64_t first = feature_first(f, FEATURE_MX_MESSAGES, now, cases[i].window_s);
        assert_in_range(first - at, 0, cases[i].exact_ms);
        free(f);
    }
    // What only hours are kept of answers for the hour when it is asked for a day.
    struct feature_rings *f = calloc(1, sizeof *f);
    feature_add(f, T0, FEATURE_MX_MAIL, 3);
    feature_add(f, T0 + 5 * HOUR_MS, FEATURE_MX_MAIL, 4);
    assert_int_equal(feature_sum(f, FEATURE_MX_MAIL, T0 + 5 * HOUR_MS + 1, 86400), 4);
    free(f);
}

static void memory_of_providers(void **state)
{
    (void)state;
    struct providers *p = calloc(1, sizeof *p);
    int64_t week = 7 * DAY_MS, first_ms;
    assert_true(providers_attempt(p, 1, T0, week));
    assert_false(providers_attempt(p, 1, T0 + 1, week));
    struct contact c = providers_end(p, 1, T0 + 4000, PROVIDER_FAILED, week);
    assert_int_equal(c.kind, CONTACT_FIRST_FAILED);
    assert_int_equal(c.start_ms, T0);
    assert_int_equal(providers_end(p, 1, T0 + 5000, PROVIDER_FAILED, week).kind,
                     CONTACT_AGAIN_FAILED);
    assert_int_equal(providers_end(p, 1, T0 + 6000, PROVIDER_CORRECTED, week).kind,
                     CONTACT_CORRECTED);
    c = providers_end(p, 1, T0 + 7000, PROVIDER_FAILED, week);
    assert_int_equal(c.kind, CONTACT_AGAIN_FAILED);
    assert_true(c.answered_since);
    // An end that says nothing leaves the first contact open.
    providers_attempt(p, 2, T0 + 8000, week);
    assert_int_equal(providers_end(p, 2, T0 + 9000, PROVIDER_UNDECIDED, week).kind,
                     CONTACT_NEUTRAL);
    // What is awaited was not reached.
    assert_int_equal(providers_answered(p, T0 + 10000, 600000), 1);
    assert_int_equal(providers_failed(p, T0 + 10000, 600000), 0);
    assert_int_equal(providers_end(p, 2, T0 + 9000, PROVIDER_ANSWERED, week).kind,
                     CONTACT_FIRST_ANSWERED);
    assert_int_equal(providers_within(p, T0 + 10000, 600000, &first_ms), 2);
    assert_int_equal(first_ms, T0);
    assert_int_equal(providers_answered(p, T0 + 10000, 600000), 2);
    assert_int_equal(providers_answered(p, T0 + 8000, 600000), 2);
    assert_int_equal(providers_answered(p, T0 + 8000, 500), 1);
    assert_int_equal(providers_within(p, T0 + 8000, 1000, NULL), 1);
    // A full list forgets the oldest, the filter does not: still no first contact.
    for (uint32_t i = 10; i < 10 + PROVIDERS_MAX; i++)
        providers_attempt(p, i, T0 + 20000 + i, week);
    assert_int_equal(providers_within(p, T0 + 60000, HOUR_MS, NULL), PROVIDERS_MAX);
    assert_false(providers_attempt(p, 1, T0 + 61000, week));
    assert_int_equal(providers_end(p, 1, T0 + 65000, PROVIDER_FAILED, week).kind,
                     CONTACT_AGAIN_FAILED);
    // After the memory's time it is one again; times far ahead find their place, too.
    for (uint32_t i = 200; i < 200 + 2 * PROVIDERS_MAX; i++)
        providers_attempt(p, i, T0 + week + i * HOUR_MS, week);
    assert_true(providers_attempt(p, 1, T0 + 40 * DAY_MS, week));
    assert_true(providers_attempt(p, 1, T0 + 400 * DAY_MS, week));
    assert_int_equal(providers_within(p, T0 + 400 * DAY_MS, DAY_MS, NULL), 1);
    free(p);
}

static void roles(void **state)
{
    (void)state;
    struct role_state s = {0};
    struct minute_row *r = calloc(1, sizeof *r);
    struct minute_digest d[3] = {0};
    assert_int_equal(role_of(&s, T0), ROLE_HOUSEHOLD);
    r->digest = d;
    r->digest_count = 3;
    for (uint8_t day = 0; day < 3; day++) {
        r->minute = (T0 + day * DAY_MS) / MINUTE_MS;
        for (uint8_t i = 0; i < 3; i++) {
            d[i] = (struct minute_digest){.direction = MINUTE_IN,
                                          .role = MINUTE_MX,
                                          .outcome = MINUTE_OUTCOME_GREETED,
                                          .messages_ok = 1,
                                          .peer = ip_from_v4((const uint8_t[4]){198, 51, i, 1})};
        }
        assert_int_equal(role_of(&s, T0 + day * DAY_MS), day ? ROLE_UNKNOWN : ROLE_HOUSEHOLD);
        role_observe(&s, r, false);
    }
    assert_int_equal(role_of(&s, T0 + 3 * DAY_MS), ROLE_MAIL_SERVER);
    // Scanners are greeted, and deliver nothing: by no number of days or networks.
    s = (struct role_state){0};
    for (uint8_t day = 0; day < 30; day++) {
        r->minute = (T0 + day * DAY_MS) / MINUTE_MS;
        for (uint8_t i = 0; i < 3; i++) {
            d[i].messages_ok = 0;
            d[i].flags = MINUTE_DIGEST_TLS;
            d[i].octets_up = 4000;
            d[i].octets_down = 2999; // a handshake and a farewell
        }
        role_observe(&s, r, false);
        assert_int_equal(role_of(&s, r->minute * MINUTE_MS), ROLE_HOUSEHOLD);
    }
    // Of one network that delivers, no more than of none; two on a day may be a server's first.
    for (uint8_t networks = 1; networks <= 2; networks++) {
        s = (struct role_state){0};
        for (uint8_t i = 0; i < networks; i++)
            d[i].octets_down = 3000;
        role_observe(&s, r, false);
        assert_int_equal(role_of(&s, r->minute * MINUTE_MS),
                         networks == 1 ? ROLE_HOUSEHOLD : ROLE_UNKNOWN);
        assert_int_equal(role_of(&s, r->minute * MINUTE_MS + 3 * DAY_MS), ROLE_HOUSEHOLD);
    }
    // What it sends teaches nothing, however long; nor do refused or unanswered calls from outside.
    s = (struct role_state){0};
    for (uint8_t day = 0; day < 30; day++) {
        r->minute = (T0 + day * DAY_MS) / MINUTE_MS;
        for (uint8_t i = 0; i < 3; i++) {
            d[i].direction = i ? MINUTE_OUT : MINUTE_IN;
            d[i].outcome = i ? MINUTE_OUTCOME_GREETED : MINUTE_OUTCOME_REFUSED;
        }
        role_observe(&s, r, false);
    }
    assert_int_equal(role_of(&s, T0 + 30 * DAY_MS), ROLE_HOUSEHOLD);
    // The operator's word holds at once, and ends with it.
    role_observe(&s, r, true);
    assert_int_equal(role_of(&s, T0 + 30 * DAY_MS), ROLE_MAIL_SERVER);
    role_observe(&s, r, false);
    assert_int_equal(role_of(&s, T0 + 30 * DAY_MS), ROLE_HOUSEHOLD);
    free(r);
}

static void site_sight_and_watch(void **state)
{
    (void)state;
    struct site *s = calloc(1, sizeof *s);
    int64_t m = T0 / MINUTE_MS;
    assert_int_equal(site_sight(s, SITE_PORT25_OPEN), UINT32_MAX);
    assert_int_equal(site_watched(s, T0, T0 + 90000), 90);
    struct coverage_minute c = {.minute = m,
                                .seconds = 40,
                                .alarms = COVERAGE_ONE_DIRECTION,
                                .sum = {.sampling = 1, .profile = COVERAGE_FLOW_ONLY}};
    site_coverage(s, &c);
    // SYNs alone show one direction, too: without payload the alarm is not believed.
    assert_true(site_sight(s, SITE_PORT25_OPEN) & DETECTOR_ANSWERS);
    assert_false(site_sight(s, SITE_PORT25_OPEN) & DETECTOR_ENVELOPE);
    assert_false(site_sight(s, SITE_PORT25_BLOCKED_BEFORE) & DETECTOR_PORT25);
    free(s);
    s = calloc(1, sizeof *s);
    c.sum.seen_octets = 1 << 20;
    site_coverage(s, &c);
    assert_false(site_sight(s, SITE_PORT25_OPEN) & DETECTOR_ANSWERS);
    assert_true(s->one_direction && s->flow_only);
    // What one sensor sees, the site sees.
    c.alarms = 0;
    c.minute = m + 1;
    c.seconds = 60;
    c.sum.profile = COVERAGE_FULL_ENVELOPE;
    c.sum.process = 1;
    site_coverage(s, &c);
    assert_true(site_sight(s, SITE_PORT25_OPEN) & DETECTOR_ENVELOPE);
    assert_false(s->one_direction || s->flow_only);
    assert_int_equal(site_watched(s, T0, T0 + 2 * MINUTE_MS), 100);
    assert_int_equal(site_watched(s, T0 - 2 * MINUTE_MS, T0 + 2 * MINUTE_MS), 100);
    free(s);
}

// Minutes of one sensor, `kilo` octets seen in each; `half`: as many are missing, and two flows of five were
// answered unseen.
static void watch(struct site *s, int64_t *minute, int n, uint64_t kilo, bool half)
{
    for (int i = 0; i < n; i++) {
        struct coverage_minute c = {.minute = (*minute)++,
                                    .seconds = 60,
                                    .sum = {.sampling = 1,
                                            .profile = COVERAGE_FULL_ENVELOPE,
                                            .seen_octets = kilo * 1000,
                                            .missing_octets = half ? kilo * 1000 : 0,
                                            .tcp_flows = kilo,
                                            .one_sided_flows = half ? kilo * 2 / 5 : 0}};
        site_coverage(s, &c);
    }
}

static void site_sight_is_of_late(void **state)
{
    (void)state;
    static const struct {
        int minutes;
        uint64_t kilo;
        bool half, one_direction;
    } steps[] = {
        {3, 0, false, false},   // nothing to go by
        {2, 10, true, false},   // forty thousand octets are too few
        {2, 10, true, true},    // seventy-odd thousand are not, of minutes below 64 kB each
        {60, 1, false, true},   // a quiet hour says nothing
        {30, 50, false, false}, // both
        {1, 50, true, false},   // one bad minute
        {15, 50, true, true},   // a leg was lost
        {60, 1, true, true},    {40, 50, false, false},
    };
    struct site *s = calloc(1, sizeof *s);
    int64_t m = T0 / MINUTE_MS;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        watch(s, &m, steps[i].minutes, steps[i].kilo, steps[i].half);
        assert_int_equal(s->one_direction, steps[i].one_direction);
        assert_int_equal((site_sight(s, SITE_PORT25_OPEN) & DETECTOR_ANSWERS) != 0,
                         !steps[i].one_direction);
    }
    // Loss is none of a direction: a third of the octets, of all flows something.
    struct coverage_minute c = {.seconds = 60,
                                .sum = {.sampling = 1,
                                        .profile = COVERAGE_FLOW_ONLY,
                                        .seen_octets = 200000,
                                        .missing_octets = 100000,
                                        .tcp_flows = 100,
                                        .one_sided_flows = 3}};
    for (int i = 0; i < 30; i++) {
        c.minute = m++;
        site_coverage(s, &c);
        assert_false(s->one_direction);
        assert_true(s->flow_only); // at once: the sensor says so
    }
    // A sensor that was silent for a quarter of an hour is not counted on.
    c.sum.process = 1;
    c.sum.profile = COVERAGE_FULL_ENVELOPE;
    c.minute = m;
    site_coverage(s, &c);
    c.sum.process = 0;
    c.sum.profile = COVERAGE_FLOW_ONLY;
    for (int i = 0; i < 20; i++) {
        c.minute = m + i;
        site_coverage(s, &c);
        assert_int_equal(s->flow_only, i >= 15);
    }
    free(s);
}

// Two names are two numbers for good, however many come between, and more than there are numbers for do no harm.
static void shared_names(void **state)
{
    (void)state;
    struct names n = {0};
    char text[LEASE_NAME_MAX];
    assert_int_equal(names_number(&n, ""), 0);
    assert_string_equal(names_text(&n, 0), "");
    assert_string_equal(names_text(&n, 1), "");
    for (unsigned i = 1; i <= NAMES_N_MAX; i++) {
        snprintf(text, sizeof text, "pop-%u", i);
        assert_int_equal(names_number(&n, text), i);
    }
    assert_int_equal(names_number(&n, "one too many"), 0);
    for (unsigned i = 1; i <= NAMES_N_MAX; i += 97) {
        snprintf(text, sizeof text, "pop-%u", i);
        assert_string_equal(names_text(&n, (uint16_t)i), text);
        assert_int_equal(names_number(&n, text), i);
    }
    names_fini(&n);
}

// What a detector keeps of lines and what one keeps of mailboxes may share a place; nothing else may.
static void states_do_not_overlap(void **state)
{
    (void)state;
    size_t size = detector_state_size();
    for (size_t i = 0; detectors[i]; i++) {
        size_t from = detector_state_offset(i), to = from + detectors[i]->state_size;
        assert_true(to <= size && from % 8 == 0);
        for (size_t k = 0; k < i; k++) {
            size_t begin = detector_state_offset(k), end = begin + detectors[k]->state_size;
            bool apart = detectors[i]->whose != DETECTOR_OF_ALL &&
                         detectors[k]->whose != DETECTOR_OF_ALL &&
                         detectors[i]->whose != detectors[k]->whose;
            if (!apart && from < end && begin < to)
                fail_msg("%s and %s share octets", detectors[i]->name, detectors[k]->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequential_test),
        cmocka_unit_test(counts_over_windows),
        cmocka_unit_test(first_events),
        cmocka_unit_test(memory_of_providers),
        cmocka_unit_test(shared_names),
        cmocka_unit_test(states_do_not_overlap),
        cmocka_unit_test(roles),
        cmocka_unit_test(site_sight_and_watch),
        cmocka_unit_test(site_sight_is_of_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
