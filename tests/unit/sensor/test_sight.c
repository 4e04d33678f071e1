// What is declared of a sensor's place, against connections that ended: each rule speaks from its number
// of cases on and not before, and the hour without mail is an hour of the day.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sight.h"

#define HOUR_MS INT64_C(3600000)

enum outcome { ANSWERED, SILENT, REFUSED };

struct ends {
    uint8_t ours[4];
    uint16_t port;
    uint8_t side;
    bool smarthost;
    enum outcome outcome;
};

static void end_flow(struct sight *s, const struct ends *e, unsigned times)
{
    static const uint8_t handshake[] = {RECORD_HANDSHAKE_ESTABLISHED, RECORD_HANDSHAKE_UNANSWERED,
                                        RECORD_HANDSHAKE_REFUSED};
    // The subscriber is end 0 of the key and began.
    struct flow f = {.key = {.port = {40000, e->port}, .realm_and_proto = 6},
                     .side = e->side,
                     .handshake = handshake[e->outcome],
                     .flags = e->smarthost ? FLOW_SMARTHOST : 0};
    for (int end = 0; end < 2; end++)
        f.key.addr[end][10] = f.key.addr[end][11] = 0xff;
    memcpy(f.key.addr[0] + 12, e->ours, 4);
    memcpy(f.key.addr[1] + 12, (const uint8_t[]){198, 51, 100, 25}, 4);
    for (unsigned i = 0; i < times; i++)
        sight_flow(s, &f);
}

#define OURS        \
    {               \
        10, 0, 0, 7 \
    }
#define PUBLIC         \
    {                  \
        203, 0, 113, 7 \
    }
#define INITIATOR RECORD_SIDE_INITIATOR

static const struct {
    const char *name;
    struct coverage declared;
    bool has_smarthosts;
    struct ends ends;
    unsigned enough; // cases from which on the rule speaks; 0: it never does
    const char *says;
} cases[] = {
    {"nobody is a subscriber",
     {.leg = 0},
     false,
     {PUBLIC, 443, RECORD_SIDE_NONE, false, ANSWERED},
     200,
     "site.subscribers"},
    {"private addresses outside of NAT",
     {.nat = COVERAGE_NAT_OUTSIDE},
     false,
     {OURS, 443, INITIATOR, false, ANSWERED},
     50,
     "sensor.nat to inside"},
    {"public addresses outside of NAT",
     {.nat = COVERAGE_NAT_OUTSIDE},
     false,
     {PUBLIC, 443, INITIATOR, false, ANSWERED},
     0,
     NULL},
    {"blocked before, and seen",
     {.port25 = COVERAGE_PORT25_BLOCKED_BEFORE},
     false,
     {OURS, 25, INITIATOR, false, SILENT},
     20,
     "open or blocked-after"},
    {"blocked before, to the smarthost",
     {.port25 = COVERAGE_PORT25_BLOCKED_BEFORE},
     true,
     {OURS, 25, INITIATOR, true, ANSWERED},
     0,
     NULL},
    {"blocked behind, and answered",
     {.port25 = COVERAGE_PORT25_BLOCKED_AFTER},
     false,
     {OURS, 25, INITIATOR, false, ANSWERED},
     20,
     "repair the block"},
    {"blocked behind, and refused",
     {.port25 = COVERAGE_PORT25_BLOCKED_AFTER},
     false,
     {OURS, 25, INITIATOR, false, REFUSED},
     0,
     NULL},
    {"open, and never answered",
     {.port25 = COVERAGE_PORT25_OPEN},
     false,
     {OURS, 25, INITIATOR, false, REFUSED},
     100,
     "blocked-after"},
    {"the smarthost's leg without it",
     {.leg = COVERAGE_LEG_SMARTHOST},
     true,
     {OURS, 587, INITIATOR, false, ANSWERED},
     50,
     "sensor.leg"},
    {"the same where no smarthost is known",
     {.leg = COVERAGE_LEG_SMARTHOST},
     false,
     {OURS, 587, INITIATOR, false, ANSWERED},
     0,
     NULL},
    {"transit that leads to the smarthost",
     {.leg = COVERAGE_LEG_TRANSIT},
     true,
     {OURS, 587, INITIATOR, true, ANSWERED},
     50,
     "smarthost or access"},
    {"access that does",
     {.leg = COVERAGE_LEG_ACCESS},
     true,
     {OURS, 587, INITIATOR, true, ANSWERED},
     0,
     NULL},
};

static void test_declarations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sight s;
        unsigned enough = cases[i].enough;
        int64_t t_ms = 10 * HOUR_MS;
        sight_init(&s, &cases[i].declared, cases[i].has_smarthosts);
        sight_second(&s, t_ms, 1);
        end_flow(&s, &cases[i].ends, enough > 0 ? enough - 1 : 1000);
        sight_second(&s, t_ms + 1000, 1);
        if (sight_alarms(&s) & COVERAGE_LEG_WRONG)
            fail_msg("%s: speaks too early", cases[i].name);
        assert_string_equal(sight_text(&s), "");
        if (enough == 0)
            continue;
        end_flow(&s, &cases[i].ends, 1);
        sight_second(&s, t_ms + 2000, 1);
        if (!(sight_alarms(&s) & COVERAGE_LEG_WRONG) || !strstr(sight_text(&s), cases[i].says))
            fail_msg("%s: does not speak: %s", cases[i].name, sight_text(&s));
        // Corrected an hour later, it is over.
        sight_second(&s, t_ms + HOUR_MS, 1);
        assert_int_equal(sight_alarms(&s) & COVERAGE_LEG_WRONG, 0);
    }
}

// Local time counts: 08:00 to 20:00.
static void test_no_mail(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int begins, alarm_from; // UTC hours; -1: none within three hours
    } days[] = {
        {"UTC", 9, 10}, {"UTC", 7, 9}, {"UTC", 19, -1}, {"UTC", 2, -1}, {"Etc/GMT-6", 3, 4}};
    struct coverage declared = {.leg = COVERAGE_LEG_ACCESS};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct sight s;
        int64_t begin_ms = 20000 * 24 * HOUR_MS + days[i].begins * HOUR_MS, alarm_ms = -1;
        setenv("TZ", days[i].zone, 1);
        tzset();
        sight_init(&s, &declared, false);
        for (int64_t t = begin_ms; t <= begin_ms + 3 * HOUR_MS && alarm_ms < 0; t += 60000) {
            sight_second(&s, t, 5);
            if (sight_alarms(&s) & COVERAGE_NO_MAIL)
                alarm_ms = t;
        }
        if (days[i].alarm_from < 0)
            assert_int_equal(alarm_ms, -1);
        else
            assert_int_equal(alarm_ms, 20000 * 24 * HOUR_MS + days[i].alarm_from * HOUR_MS);
        // A single connection ends it.
        if (alarm_ms > 0) {
            sight_second(&s, alarm_ms + 60000, 6);
            assert_int_equal(sight_alarms(&s) & COVERAGE_NO_MAIL, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_declarations),
                                       cmocka_unit_test(test_no_mail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
