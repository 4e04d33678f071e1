// The party's own past by the site's clock: both nights of the year, what is learnt and what is not, and
// that it never convicts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "calendar.h"
#include "common/timefmt.h"
#include "detector.h"
#include "policy.h"
#include "settings.h"
#include "site.h"

#define HOUR_MS 3600000LL
#define DAY_MS  (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)

extern const struct detector_descriptor detector_surge;

static const struct window nothing;

static int64_t at(const char *text)
{
    int64_t t;
    assert_int_equal(time_parse(text, &t), 0);
    return t;
}

static void both_nights(void **state)
{
    (void)state;
    struct calendar c;
    static const struct {
        const char *zone, *time;
        unsigned slot; // hour of the week
        const char *hour, *day;
    } cases[] = {
        {"UTC", "2026-03-01T00:30:00Z", 0, "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"},
        // Spring: two o'clock does not happen, and the day is 23 hours long.
        {"Europe/Berlin", "2026-03-29T00:59:00Z", 1, "2026-03-29T00:00:00Z",
         "2026-03-28T23:00:00Z"},
        {"Europe/Berlin", "2026-03-29T01:00:00Z", 3, "2026-03-29T01:00:00Z",
         "2026-03-28T23:00:00Z"},
        {"Europe/Berlin", "2026-03-29T22:00:00Z", 24, "2026-03-29T22:00:00Z",
         "2026-03-29T22:00:00Z"},
        // Autumn: two o'clock happens twice, as two hours; the day is 25 hours long.
        {"Europe/Berlin", "2026-10-25T00:30:00Z", 2, "2026-10-25T00:00:00Z",
         "2026-10-24T22:00:00Z"},
        {"Europe/Berlin", "2026-10-25T01:30:00Z", 2, "2026-10-25T01:00:00Z",
         "2026-10-24T22:00:00Z"},
        {"Europe/Berlin", "2026-10-25T22:59:00Z", 23, "2026-10-25T22:00:00Z",
         "2026-10-24T22:00:00Z"},
        {"Europe/Berlin", "2026-10-25T23:00:00Z", 24, "2026-10-25T23:00:00Z",
         "2026-10-25T23:00:00Z"},
        // Half an hour off.
        {"Asia/Kolkata", "2026-06-07T00:15:00Z", 5, "2026-06-06T23:30:00Z", "2026-06-06T18:30:00Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        calendar_init(&c, cases[i].zone);
        int64_t t = at(cases[i].time);
        assert_int_equal(calendar_hour_of_week(&c, t), cases[i].slot);
        assert_int_equal(calendar_hour_ms(&c, t), at(cases[i].hour));
        assert_int_equal(calendar_day_ms(&c, t), at(cases[i].day));
    }
}

// A party whose hours are fed one by one.
struct past {
    struct settings *settings;
    struct calendar calendar;
    struct site site;
    struct detector_ctx ctx;
    char *state;
    int64_t t_ms; // begin of the hour to come
};

static void past_init(struct past *p, const char *zone)
{
    memset(p, 0, sizeof *p);
    p->settings = calloc(1, settings_size());
    struct conf_section section = {"analysis", settings_keys(), p->settings};
    assert_int_equal(conf_load_text("x", ".", "{}\n", 3, &section, 1, stderr), 0);
    calendar_init(&p->calendar, zone);
    p->site = (struct site){0};
    p->state = calloc(1, detector_surge.state_size);
    size_t i = 0;
    while (detectors[i] != &detector_surge)
        i++;
    p->ctx = (struct detector_ctx){.conf = settings_detector(p->settings, i),
                                   .factor = 1,
                                   .site = &p->site,
                                   .calendar = &p->calendar};
    p->t_ms = at("2026-01-05T00:00:00Z");
}

static void past_fini(struct past *p)
{
    conf_free(settings_keys(), p->settings);
    free(p->settings);
    free(p->state);
}

static void hour(struct past *p, uint64_t connections)
{
    static const struct window_contacts none;
    struct minute_row *r = calloc(1, sizeof *r);
    r->minute = p->t_ms / 60000 + 5;
    r->cut_ms = p->ctx.now_ms = (r->minute + 1) * 60000;
    r->counter[MINUTE_SMARTHOST][MINUTE_OUT][MINUTE_connections] = connections;
    detector_surge.observe(p->state, NULL, r, &none, &p->ctx);
    free(r);
    p->t_ms += HOUR_MS;
}

static void weeks(struct past *p, unsigned n, uint64_t connections)
{
    for (unsigned i = 0; i < n * 168; i++)
        hour(p, connections);
}

// What is said when this hour has had so many so far; the state is as before.
static double weighs(const struct past *p, uint64_t connections)
{
    struct past copy = *p;
    struct detector_finding out[DETECTOR_FINDINGS_MAX];
    copy.state = malloc(detector_surge.state_size);
    memcpy(copy.state, p->state, detector_surge.state_size);
    hour(&copy, connections);
    size_t n = detector_surge.evaluate(&nothing, copy.state, &copy.ctx, out);
    free(copy.state);
    return n == 0 ? 0 : out[0].evidence.log_odds;
}

static void both_sides_of_the_limit(void **state)
{
    (void)state;
    struct past p;
    past_init(&p, "Europe/Berlin");
    weeks(&p, 2, 5);
    assert_true(weighs(&p, 1000) == 0); // not known for long enough
    weeks(&p, 2, 5);
    assert_true(weighs(&p, 40) == 0); // four times the floor of ten
    assert_true(weighs(&p, 41) > 0.7);
    assert_true(weighs(&p, 100000) == 1.5); // the cap
    assert_true(weighs(&p, 5) == 0);        // below the floor nothing is as usual
    past_fini(&p);
    past_init(&p, "Europe/Berlin");
    weeks(&p, 4, 50);
    assert_true(weighs(&p, 60) == -1); // as usual
    assert_true(weighs(&p, 100) == 0);
    assert_true(weighs(&p, 200) == 0);
    assert_true(weighs(&p, 210) > 0.7);
    past_fini(&p);
}

static void silence_is_learnt_where_watched(void **state)
{
    (void)state;
    // One row a week, in the same hour: the hours between are known to have been silent, if watched.
    for (int watched = 0; watched <= 1; watched++) {
        struct past p;
        past_init(&p, "UTC");
        p.site.covered = true;
        for (int64_t m = p.t_ms / 60000; watched && m < (p.t_ms + 5 * WEEK_MS) / 60000; m++) {
            struct coverage_minute c = {.minute = m, .seconds = 60, .sum = {.sampling = 1}};
            site_coverage(&p.site, &c);
        }
        for (int i = 0; i < 5; i++) {
            hour(&p, 3);
            p.t_ms += WEEK_MS - HOUR_MS;
        }
        assert_int_equal(weighs(&p, 100) > 0, watched);
        past_fini(&p);
    }
}

static void flagged_time_teaches_nothing(void **state)
{
    (void)state;
    struct past p;
    past_init(&p, "Europe/Berlin");
    weeks(&p, 4, 50);
    p.ctx.flagged = true;
    weeks(&p, 8, 500);
    p.ctx.flagged = false;
    assert_true(weighs(&p, 500) > 0.7);
    weeks(&p, 12, 500); // unflagged, it becomes its habit
    assert_true(weighs(&p, 500) < 0);
    past_fini(&p);
}

static void an_odd_week_changes_little(void **state)
{
    (void)state;
    struct past p;
    past_init(&p, "Europe/Berlin");
    weeks(&p, 4, 50);
    weeks(&p, 1, 50000);
    // Half an octave: 71 instead of 50, and 284 instead of 200.
    assert_true(weighs(&p, 270) == 0);
    assert_true(weighs(&p, 300) > 0.7);
    past_fini(&p);
}

static void a_slow_rise(void **state)
{
    (void)state;
    struct past p;
    past_init(&p, "Europe/Berlin");
    weeks(&p, 4, 50);
    // Half as much again each week: the hour's level follows, the sum of the days does not.
    double busy = 50, weight = 0;
    unsigned week = 0;
    for (; week < 6 && weight <= 0; week++) {
        busy *= 1.5;
        weeks(&p, 1, (uint64_t)busy);
        weight = weighs(&p, (uint64_t)(busy * 1.5));
    }
    assert_in_range(week, 2, 4);
    assert_true(weight > 0.7 && weight < 0.8);
    // What goes up and down by as much with the days of the week is none.
    past_fini(&p);
    past_init(&p, "Europe/Berlin");
    for (unsigned i = 0; i < 12 * 168; i++)
        hour(&p, i / 24 % 7 < 5 ? 80 : 5);
    assert_true(weighs(&p, 80) < 0);
    past_fini(&p);
}

static struct detector_finding finding(unsigned family, double log_odds, bool conclusive)
{
    struct detector_finding f = {
        .evidence = {.family = (uint8_t)family, .log_odds = log_odds, .conclusive = conclusive},
        .supports = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT),
        .defines = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT),
        .ceiling = VERDICT_QUARANTINE};
    return f;
}

static void it_never_convicts(void **state)
{
    (void)state;
    static const struct policy_class rule = {.open = 0.99, .close = 0.5, .ceiling = 3};
    static const struct policy_priors priors = {.by_role = {0.001, 0.0005, 0.0001}};
    static const struct policy_facts facts = {.source_validated = true};
    const struct {
        struct detector_finding a, b;
        bool found;
        double log_odds;
    } cases[] = {
        {finding(VERDICT_FAMILY_SPREAD, 12, false), finding(VERDICT_FAMILY_BASELINE, 1.5, false),
         false, 6.5932},
        {finding(VERDICT_FAMILY_SPREAD, 6, false), finding(VERDICT_FAMILY_CONTACT, 6, false), true,
         5.0932},
        {finding(VERDICT_FAMILY_SPREAD, 12, false), finding(VERDICT_FAMILY_BASELINE, -1, false),
         false, 4.0932},
        // What is conclusive is not excused by being usual.
        {finding(VERDICT_FAMILY_SPREAD, 12, true), finding(VERDICT_FAMILY_BASELINE, -1, false),
         true, 5.0932},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct judgement j;
        struct detector_finding f[2] = {cases[i].a, cases[i].b};
        policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &facts, f, 2, &j);
        assert_int_equal(j.found, cases[i].found);
        assert_float_equal(j.log_odds, cases[i].log_odds, 0.001);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_nights),
        cmocka_unit_test(both_sides_of_the_limit),
        cmocka_unit_test(silence_is_learnt_where_watched),
        cmocka_unit_test(flagged_time_teaches_nothing),
        cmocka_unit_test(an_odd_week_changes_little),
        cmocka_unit_test(a_slow_rise),
        cmocka_unit_test(it_never_convicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
