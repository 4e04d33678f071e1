// The life of a verdict from end to end: one at a time for a party and class, open as long as it is supported and
// quiet for hours before it is closed; and what bounds it: whose it is, what is lost, what may be read.
#include "play.h"

#include <stdio.h>

#define VALIDATED "site:\n  source_validated: true\n"

// A bot beyond doubt: two of three providers answer, many of them with an exploit listing.
static struct rig_flow *bot(size_t n, int64_t from_ms)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t k = 0; k < n; k++)
        f[k] = (struct rig_flow){.start_ms = from_ms + (int64_t)k * 3000,
                                 .provider = (uint32_t)k + 1,
                                 .outcome = k % 3 == 0 ? MINUTE_OUTCOME_REFUSED
                                                       : MINUTE_OUTCOME_GREETED,
                                 .blocklist_exploit = k % 3 == 1};
    return f;
}

static size_t count(const struct rig *r, int class_, enum verdict_event event)
{
    size_t n = 0;
    while (rig_verdict(r, class_, event, n))
        n++;
    return n;
}

static void one_open_verdict(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, VALIDATED);
    // On for twenty minutes, an hour of silence, on again: the same verdict goes on.
    struct rig_flow *f = bot(400, 0), *again = bot(100, 80 * MINUTE);
    rig_play(&r, &play_somebody, f, 400);
    rig_mark(&r, 79 * MINUTE);
    rig_play(&r, &play_somebody, again, 100);
    assert_int_equal(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED), 1);
    assert_int_equal(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED), 0);
    assert_true(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_UPDATED) > 0);
    const struct verdict *opened = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    for (size_t i = 0; i < r.verdicts; i++) {
        assert_string_equal(r.verdict[i].id, opened->id);
        assert_int_equal(r.verdict[i].class_, VERDICT_SPAMBOT_DIRECT);
    }
    free(f);
    free(again);
    rig_fini(&r);
}

static const struct verdict *latest(const struct rig *r)
{
    return r->verdicts > 0 ? &r->verdict[r->verdicts - 1] : NULL;
}

// Two minutes of a bot, and an ordinary session of the same line each ten minutes from then on.
static struct rig_flow *bot_and_mail(int64_t mail_from_ms, size_t mails)
{
    struct rig_flow *f = bot(40, 5 * MINUTE);
    struct rig_flow *more = realloc(f, (40 + mails) * sizeof *f);
    assert_non_null(more);
    f = more;
    for (size_t k = 0; k < mails; k++)
        f[40 + k] = (struct rig_flow){.start_ms = mail_from_ms + (int64_t)k * 10 * MINUTE,
                                      .provider = 900,
                                      .port = 587,
                                      .role = MINUTE_SUBMISSION,
                                      .outcome = MINUTE_OUTCOME_ESTABLISHED};
    return f;
}

// Accounting gives a sign of the lease each half an hour: what was seen behind one is a ticket until the next.
static void a_sign_of_the_lease_confirms(void **state)
{
    (void)state;
    static const struct {
        struct rig_who who;
        int64_t mail_from_ms;
        size_t updates; // that raise it, by the end of an hour
        int64_t raised_ms;
    } cases[] = {
        {{.host = 9, .line = true}, 12 * MINUTE, 0, 0}, // a source that loses nothing: at once
        {{.host = 9, .line = true, .signs_min = 30}, 12 * MINUTE, 1, 32 * MINUTE},
        {{.host = 9, .line = true, .signs_min = 30, .last_sign_ms = 1}, 12 * MINUTE, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        rig_init(&r, VALIDATED);
        struct rig_flow *f = bot_and_mail(cases[i].mail_from_ms, 5);
        rig_play(&r, &cases[i].who, f, 45);
        const struct verdict *opened = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
        assert_non_null(opened);
        bool held = cases[i].who.signs_min != 0;
        assert_int_equal(opened->ceiling, held ? VERDICT_TICKET : VERDICT_QUARANTINE);
        assert_int_equal((opened->doubts & IDENTITY_UNCONFIRMED) != 0, held);
        assert_int_equal((opened->limitations & VERDICT_IDENTITY_HELD) != 0, held);
        bool raised = cases[i].updates > 0;
        assert_int_equal(latest(&r)->ceiling,
                         held && !raised ? VERDICT_TICKET : VERDICT_QUARANTINE);
        assert_int_equal((latest(&r)->doubts & IDENTITY_UNCONFIRMED) != 0, held && !raised);
        for (size_t k = 0; raised && k < r.verdicts; k++) {
            if (r.verdict[k].ceiling != VERDICT_QUARANTINE)
                continue;
            int64_t t_ms = r.verdict[k].made_ms - RIG_EPOCH_MS;
            assert_in_range(t_ms, 30 * MINUTE, cases[i].raised_ms + MINUTE);
            break;
        }
        free(f);
        rig_fini(&r);
    }
}

// Told of a neighbour's bot while his lease was not known: signs of the line's own lease, at another address or begun
// anew at the same, confirm nothing. What the line then does itself is confirmed.
static void another_lease_confirms_nothing(void **state)
{
    (void)state;
    static const struct rig_who told = {
        .host = 9, .line = true, .signs_min = 30, .last_sign_ms = 1};
    static const struct rig_who own = {.host = 9, .address = 77, .line = true, .signs_min = 30};
    static const struct rig_who again = {
        .host = 9, .line = true, .signs_min = 30, .row_flags = MINUTE_LEASE_START};
    for (int anew = 0; anew < 2; anew++) {
        struct rig r;
        rig_init(&r, VALIDATED);
        struct rig_flow *f = bot_and_mail(62 * MINUTE, 20), *bot_later = bot(40, 30 * HOUR);
        rig_play(&r, &told, f, 40);
        assert_int_equal(latest(&r)->ceiling, VERDICT_TICKET);
        rig_play(&r, anew ? &again : &own, f + 40, 20);
        for (size_t k = 0; k < r.verdicts; k++)
            assert_int_equal(r.verdict[k].ceiling, VERDICT_TICKET);
        // A day later nothing of it is left in any window, and the line is a bot itself.
        rig_mark(&r, 30 * HOUR - MINUTE);
        for (size_t k = 0; k < 40; k++)
            bot_later[k].provider += 100;
        rig_play(&r, &own, bot_later, 40);
        struct rig_flow *mail = bot_and_mail(30 * HOUR + 12 * MINUTE, 5);
        rig_play(&r, &own, mail + 40, 5);
        assert_int_equal(latest(&r)->ceiling, VERDICT_QUARANTINE);
        free(f);
        free(bot_later);
        free(mail);
        rig_fini(&r);
    }
}

static void quiet_before_it_is_closed(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, VALIDATED);
    struct rig_flow *f = bot(100, 0);
    rig_play(&r, &play_somebody, f, 100);
    assert_int_equal(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED), 1);
    // It ended after five minutes; six hours of quiet are asked for.
    rig_mark(&r, 6 * HOUR);
    assert_int_equal(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED), 0);
    rig_mark(&r, 6 * HOUR + 10 * MINUTE);
    assert_int_equal(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED), 1);
    free(f);
    // The next day it is another.
    f = bot(100, 30 * HOUR);
    for (size_t k = 0; k < 100; k++)
        f[k].provider += 1000;
    rig_play(&r, &play_somebody, f, 100);
    assert_int_equal(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED), 2);
    assert_string_not_equal(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0)->id,
                            rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 1)->id);
    free(f);
    rig_fini(&r);
}

static void what_bounds_it(void **state)
{
    (void)state;
    static const struct {
        struct rig_who who;
        uint8_t ceiling;
        uint32_t said;
    } cases[] = {
        {{.host = 9, .line = true}, VERDICT_QUARANTINE, 0},
        // Nobody's lease: never a quarantine.
        {{.host = 9}, VERDICT_TICKET, VERDICT_PROVISIONAL},
        {{.host = 9, .line = true, .confidence = IDENTITY_STALE},
         VERDICT_TICKET,
         VERDICT_IDENTITY_HELD},
        {{.host = 9, .line = true, .loss_ppm = 15000}, VERDICT_QUARANTINE, VERDICT_LOSS},
        {{.host = 9, .line = true, .loss_ppm = 30000}, VERDICT_TICKET, VERDICT_LOSS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        rig_init(&r, VALIDATED);
        struct rig_flow *f = bot(300, 0);
        rig_play(&r, &cases[i].who, f, 300);
        assert_int_equal(count(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED), 1);
        uint8_t most = 0;
        uint32_t said = 0;
        for (size_t k = 0; k < r.verdicts; k++) {
            most = r.verdict[k].ceiling > most ? r.verdict[k].ceiling : most;
            said |= r.verdict[k].limitations;
        }
        assert_int_equal(most, cases[i].ceiling);
        assert_int_equal(said & cases[i].said, cases[i].said);
        assert_int_equal(said & VERDICT_LOSS, cases[i].said & VERDICT_LOSS);
        free(f);
        rig_fini(&r);
    }
}

// A tap that may read nothing says which detectors it takes out, and the rest still finds a bot.
static void what_may_not_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool off;
    } detectors_[] = {
        {"backscatter", true},    {"open-relay", true},   {"harvest", true},
        {"rejections", true},     {"client-print", true}, {"recipient-burst", true},
        {"fan-out", false},       {"direct-mx", false},   {"first-contact", false},
        {"auth-guessing", false}, {"socks-relay", false}, {"submission-spread", false}};
    struct rig r;
    rig_init(&r, VALIDATED);
    struct coverage_minute c = {
        .minute = RIG_EPOCH_MS / MINUTE,
        .seconds = 60,
        .sum = {.sampling = 1, .profile = COVERAGE_FLOW_ONLY, .tier = COVERAGE_TIER_B}};
    engine_coverage(r.engine, &c);
    struct control_status *s = control_status_new("postern-analysis");
    assert_non_null(s);
    engine_status(r.engine, s);
    json_t *j = control_status_json(s);
    const json_t *hidden = json_object_get(j, "not_visible");
    for (size_t i = 0; i < sizeof detectors_ / sizeof detectors_[0]; i++) {
        bool off = false;
        for (size_t k = 0; k < json_array_size(hidden); k++) {
            const json_t *one = json_array_get(hidden, k);
            const char *name = json_string_value(json_object_get(one, "detector"));
            const char *why = json_string_value(json_object_get(one, "why"));
            if (strcmp(name, detectors_[i].name) == 0)
                off = strncmp(why, "off: not visible: ", 18) == 0;
        }
        if (off != detectors_[i].off)
            print_error("%s\n", detectors_[i].name);
        assert_int_equal(off, detectors_[i].off);
    }
    json_decref(j);
    control_status_free(s);
    struct rig_flow *f = bot(400, 0);
    for (size_t k = 0; k < 400; k++) {
        f[k].blocklist_exploit = 0;
        f[k].octets_up = 6000;
        if (f[k].outcome == MINUTE_OUTCOME_GREETED)
            f[k].outcome = MINUTE_OUTCOME_ESTABLISHED;
    }
    rig_play(&r, &play_somebody, f, 400);
    const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    assert_non_null(v);
    assert_true(v->limitations & VERDICT_FLOW_ONLY);
    free(f);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_open_verdict),
        cmocka_unit_test(a_sign_of_the_lease_confirms),
        cmocka_unit_test(another_lease_confirms_nothing),
        cmocka_unit_test(quiet_before_it_is_closed),
        cmocka_unit_test(what_bounds_it),
        cmocka_unit_test(what_may_not_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
