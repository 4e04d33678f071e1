// Sensors that do not keep pace: one that stalls, comes back, was never set, jumps. Whatever it does, the
// minutes of whom others tell go on.
#include "clock_watch.h"
#include "fixture.h"

#define OWN   "100.64.0.7" // of sensor 1
#define OTHER "100.64.0.8" // of sensor 2
#define BOTH  "100.64.0.9"

static uint64_t sequence[3];

static void as(struct fixture *f, uint32_t domain)
{
    sequence[f->domain] = f->sequence;
    f->domain = domain;
    f->sequence = sequence[domain];
}

static void see(struct fixture *f, const char *who, int64_t t_ms, unsigned peer)
{
    struct record r = flow(t_ms, t_ms + 10, 25, RECORD_HANDSHAKE_ESTABLISHED);
    r.flow.initiator = addr(who);
    r.flow.responder.octet[3] = (uint8_t)peer;
    fixture_take(f, &r);
}

// Sensor 1 tells of OWN, sensor 2 of OTHER, both of BOTH: a flow each in each minute.
static void second_of(struct fixture *f, uint32_t domain, int minute, int s)
{
    int64_t t = T0 + minute * INT64_C(60000);
    as(f, domain);
    if (s == 30) {
        see(f, domain == 1 ? OWN : OTHER, t + 29500, domain);
        see(f, BOTH, t + 29500, 10 + domain);
    }
    fixture_second(f, t + s * 1000);
}

static void minute_of_one(struct fixture *f, uint32_t domain, int minute)
{
    for (int s = 1; s <= 60; s++)
        second_of(f, domain, minute, s);
}

static void minute_of_both(struct fixture *f, int minute)
{
    for (int s = 1; s <= 60; s++) {
        second_of(f, 1, minute, s);
        second_of(f, 2, minute, s);
    }
}

static int setup(void **state)
{
    memset(sequence, 0, sizeof sequence);
    return fixture_setup(state);
}

// Minutes 0-7 of both; sensor 2 tells of minutes 2-5 when sensor 1 is at the end of minute 5.
static void stall_and_return(struct fixture *f, bool stalls)
{
    for (int m = 0; m < 8; m++) {
        if (stalls && m >= 2 && m <= 5)
            minute_of_one(f, 1, m);
        else
            minute_of_both(f, m);
        for (int late = 2; stalls && m == 5 && late <= 5; late++)
            minute_of_one(f, 2, late);
    }
    fixture_read(f);
}

static void a_stalled_sensor_holds_up_its_own_only(void **state)
{
    struct fixture *f = *state;
    stall_and_return(f, true);
    for (int m = 2; m <= 5; m++) {
        // By sensor 1 alone, ten seconds after the minute's end at most.
        const struct minute_row *row = fixture_row(f, OWN, M0 + m, MINUTE_CLOSING);
        assert_non_null(row);
        assert_in_range(row->cut_ms, T0 + (m + 1) * 60000, T0 + (m + 1) * 60000 + 11000);
        assert_int_equal(row->observed_s, 60);
        // Of whom sensor 2 tells, when it has passed the minute: not before, and closed, not amended.
        static const char *const waiting[] = {OTHER, BOTH};
        for (size_t w = 0; w < 2; w++) {
            row = fixture_row(f, waiting[w], M0 + m, MINUTE_CLOSING);
            assert_non_null(row);
            assert_in_range(row->cut_ms, T0 + 360000, T0 + 371000);
            assert_int_equal(row->observed_s, 60);
            assert_false(row->flags & MINUTE_UNOBSERVED);
            assert_int_equal(mx_out(row, MINUTE_connections), w == 0 ? 1 : 2);
        }
    }
    for (size_t i = 0; i < f->rows; i++)
        assert_false(f->row[i].flags & MINUTE_AMENDMENT);
    for (size_t i = 1; i < f->marks; i++)
        assert_true(f->mark[i] >= f->mark[i - 1]);
}

// Minute, subscriber and counters of all closing rows, and seconds of coverage, do not depend on the stall.
static void a_stall_changes_no_sum(void **state)
{
    struct fixture *f = *state;
    void *other;
    stall_and_return(f, true);
    assert_int_equal(setup(&other), 0);
    struct fixture *steady = other;
    stall_and_return(steady, false);
    static const char *const who[] = {OWN, OTHER, BOTH};
    assert_int_equal(f->rows, steady->rows);
    for (int m = 0; m < 8; m++)
        for (size_t w = 0; w < 3; w++) {
            const struct minute_row *a = fixture_row(f, who[w], M0 + m, MINUTE_CLOSING);
            const struct minute_row *b = fixture_row(steady, who[w], M0 + m, MINUTE_CLOSING);
            assert_memory_equal(a->counter, b->counter, sizeof a->counter);
            assert_memory_equal(a->gauge, b->gauge, sizeof a->gauge);
        }
    unsigned seconds[2] = {0, 0};
    for (size_t i = 0; i < f->coverages; i++)
        seconds[0] += f->coverage[i].seconds;
    for (size_t i = 0; i < steady->coverages; i++)
        seconds[1] += steady->coverage[i].seconds;
    assert_int_equal(seconds[0], 8 * 60 * 2);
    assert_int_equal(seconds[0], seconds[1]);
    fixture_teardown(&other);
}

// A subscriber that the stalled sensor tells of for the first time, of a minute that is closed for others.
static void a_stalled_sensor_brings_a_newcomer(void **state)
{
    struct fixture *f = *state;
    minute_of_both(f, 0);
    minute_of_one(f, 1, 1);
    minute_of_one(f, 1, 2);
    as(f, 2);
    fixture_until(f, T0 + 60000, T0 + 90000);
    see(f, "100.64.0.77", T0 + 91000, 5); // new: its minute is open, for sensor 2 has not passed it
    see(f, OWN, T0 + 92000, 5);           // sensor 1 closed it: an amendment
    fixture_until(f, T0 + 92000, T0 + 180000);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, "100.64.0.77", M0 + 1, MINUTE_CLOSING);
    assert_non_null(row);
    assert_int_equal(mx_out(row, MINUTE_connections), 1);
    row = fixture_row(f, OWN, M0 + 1, MINUTE_AMENDMENT);
    assert_non_null(row);
    assert_int_equal(mx_out(row, MINUTE_connections), 1);
    assert_int_equal(mx_out(fixture_sum(f, OWN, M0 + 1), MINUTE_connections), 2);
}

// Its minutes close as unobserved when it is given up; what it says after that amends.
static void a_sensor_given_up_amends(void **state)
{
    struct fixture *f = *state;
    f->conf.silent_after = 120000;
    minute_of_both(f, 0);
    as(f, 2);
    see(f, OTHER, T0 + 70000, 1);
    for (int m = 1; m < 5; m++)
        minute_of_one(f, 1, m);
    minute_of_one(f, 2, 1);
    minute_of_one(f, 1, 5);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, OTHER, M0 + 1, MINUTE_CLOSING);
    assert_non_null(row);
    assert_true(row->flags & MINUTE_UNOBSERVED);
    assert_in_range(row->cut_ms, T0 + 180000, T0 + 182000);
    row = fixture_row(f, OTHER, M0 + 1, MINUTE_AMENDMENT);
    assert_non_null(row);
    assert_int_equal(mx_out(fixture_sum(f, OTHER, M0 + 1), MINUTE_connections), 2);
}

static json_t *problem(struct fixture *f, const char *code)
{
    struct control_status *s = control_status_new("test");
    collector_status(f->collector, false, s);
    json_t *doc = control_status_json(s), *found = NULL, *p;
    size_t i;
    json_array_foreach (json_object_get(doc, "problems"), i, p) {
        if (strcmp(json_string_value(json_object_get(p, "code")), code) == 0)
            found = json_incref(p);
    }
    json_decref(doc);
    control_status_free(s);
    return found;
}

static void assert_told(struct fixture *f, const char *code, const char *part)
{
    json_t *p = problem(f, code);
    assert_non_null(p);
    assert_non_null(strstr(json_string_value(json_object_get(p, "text")), part));
    json_decref(p);
}

static void a_stalled_sensor_is_named(void **state)
{
    struct fixture *f = *state;
    minute_of_both(f, 0);
    assert_null(problem(f, "sensor-stalled"));
    minute_of_one(f, 1, 1);
    assert_told(f, "sensor-stalled", "edge2/0 is 60 s behind");
}

// A clock that was never set, or has run over: refused by a counter of its own, named, and nothing stops.
static void a_clock_never_set_stops_nobody(void **state)
{
    struct fixture *f = *state;
    static const int64_t times[] = {0, 5000, INT64_C(631151900000), INT64_C(4102444800000),
                                    INT64_C(4294967295000)};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        as(f, 2);
        see(f, OTHER, times[i], 1);
        fixture_second(f, times[i] + 1000);
    }
    minute_of_one(f, 1, 0);
    as(f, 2);
    see(f, OTHER, T0 + 61000, 1); // set by now
    fixture_second(f, T0 + 62000);
    minute_of_one(f, 1, 1);
    assert_int_equal(fixture_counter(f, "refused_time"), 10);
    assert_int_equal(fixture_counter(f, "gaps"), 0);
    assert_told(f, "refused-records", "10 records of sensor edge2/0");
    fixture_read(f);
    for (size_t i = 0; i < f->rows; i++)
        assert_in_range(f->row[i].minute, M0, M0 + 1);
    assert_non_null(fixture_row(f, OWN, M0, MINUTE_CLOSING));
    assert_non_null(fixture_row(f, OTHER, M0 + 1, MINUTE_CLOSING));
}

// A capture of long ago, and one of tomorrow: time is what the packets say.
static void an_old_capture_is_counted(void **state)
{
    struct fixture *f = *state;
    int64_t old = INT64_C(978307200000); // 2001
    struct record r = flow(old + 1000, old + 2000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_until(f, old, old + 61000);
    assert_int_equal(fixture_counter(f, "refused_time"), 0);
    fixture_read(f);
    assert_non_null(fixture_row(f, OWN, old / 60000, MINUTE_CLOSING));
}

static void a_clock_set_back_is_told_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_until(f, T0, T0 + 130000);
    assert_int_equal(fixture_counter(f, "clock_faults"), 0);
    fixture_until(f, T0 + 58000, T0 + 65000); // an hour of summer would do the same
    assert_int_equal(fixture_counter(f, "clock_faults"), 1);
    assert_told(f, "clock", "jumped");
    assert_int_equal(collector_watermark(f->collector), T0 + 130000);
    see(f, OWN, T0 + 66000, 1);
    fixture_until(f, T0 + 66000, T0 + 190000);
    fixture_read(f);
    assert_int_equal(mx_out(fixture_sum(f, OWN, M0 + 1), MINUTE_connections), 1);
}

// A lone sensor's first flow, before any second of coverage: nobody can say that its year is wrong. What follows does.
static void a_stamp_of_next_year_does_not_move_the_journal(void **state)
{
    struct fixture *f = *state;
    see(f, OTHER, T0 + INT64_C(31536000000), 1);
    minute_of_one(f, 1, 0);
    as(f, 1);
    fixture_last(f, T0 + 61000);
    f->epoch++; // it begins anew
    f->sequence = 0;
    see(f, OWN, T0 + 125000, 1);
    fixture_until(f, T0 + 120000, T0 + 180000);
    fixture_read(f);
    assert_true(f->marks > 0);
    for (size_t i = 0; i < f->marks; i++)
        assert_in_range(f->mark[i], T0, T0 + 180000);
    assert_non_null(fixture_row(f, OWN, M0, MINUTE_CLOSING));
    assert_non_null(fixture_row(f, OWN, M0 + 2, MINUTE_CLOSING));
}

#define DAY INT64_C(86400000)

// A log, or records of a sensor, in a file: quiet from Monday to Thursday, and nothing is refused for that.
static void a_file_may_pause_for_days(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    collector_of_files(f->collector);
    fixture_until(f, T0, T0 + 10000);
    for (int day = 3; day < 12; day += 4) {
        int64_t t = T0 + day * DAY;
        see(f, OWN, t + 100, 2); // before the first second behind the pause
        fixture_until(f, t, t + 3000);
        see(f, OWN, t + 3100, 3);
    }
    fixture_last(f, T0 + 12 * DAY);
    assert_int_equal(fixture_counter(f, "refused_future"), 0);
    assert_int_equal(fixture_counter(f, "refused_late"), 0);
    fixture_read(f);
    for (int day = 3; day < 12; day += 4)
        assert_int_equal(mx_out(fixture_sum(f, OWN, M0 + day * 1440), MINUTE_connections), 2);
    for (size_t i = 0; i < f->rows; i++)
        assert_false(f->row[i].flags & MINUTE_AMENDMENT);
}

static void router_says(struct fixture *f, int64_t t_ms)
{
    struct record r = flow(t_ms - 100, t_ms, 25, RECORD_HANDSHAKE_ESTABLISHED);
    r.version = RECORD_VERSION;
    r.id = (struct record_id){.domain = 7};
    fixture_open(f);
    assert_int_equal(collector_take(f->collector, &r), 0);
}

// The only sensor has died, a router goes on: its records are held against what the sensor said last, until nobody
// waits for the sensor any more. When it is back its seconds count as before.
static void a_router_goes_on_behind_a_dead_sensor(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_false(collector_waits_for_sensors(f->collector));
    fixture_until(f, T0, T0 + 60000);
    assert_true(collector_waits_for_sensors(f->collector));
    router_says(f, T0 + 61000);
    for (int minute = 16; minute < 30; minute++)
        router_says(f, T0 + minute * 60000);
    assert_int_equal(fixture_counter(f, "refused_future"), 14);
    assert_true(collector_watermark(f->collector) <= T0 + 60000);
    assert_int_equal(collector_mute(f->collector), 0);
    assert_false(collector_waits_for_sensors(f->collector));
    for (int minute = 16; minute < 30; minute++)
        router_says(f, T0 + minute * 60000);
    assert_int_equal(fixture_counter(f, "refused_future"), 14);
    assert_in_range(collector_watermark(f->collector), T0 + 26 * 60000, T0 + 29 * 60000);
    fixture_until(f, T0 + 29 * 60000, T0 + 31 * 60000);
    assert_true(collector_waits_for_sensors(f->collector));
    router_says(f, T0 + 40 * 60000);
    assert_int_equal(fixture_counter(f, "refused_future"), 15);
    fixture_read(f);
    for (int minute = 16; minute < 25; minute++)
        assert_int_equal(mx_out(fixture_sum(f, OWN, M0 + minute), MINUTE_connections), 1);
}

// A router's file: a pause of days is one when what follows says so; one stamp of 2035 among the others moves nothing.
static void a_routers_file_may_pause_and_hold_a_bad_stamp(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    collector_of_files(f->collector);
    for (int i = 0; i < 5; i++)
        router_says(f, T0 + 1000 + i * 100);
    router_says(f, T0 + 3300 * DAY);
    for (int i = 0; i < 5; i++)
        router_says(f, T0 + 2000 + i * 100);
    assert_true(collector_watermark(f->collector) <= T0 + 3000);
    for (int i = 0; i < 5; i++)
        router_says(f, T0 + 4 * DAY + 1000 + i * 100);
    assert_in_range(collector_watermark(f->collector), T0 + 4 * DAY - 600000, T0 + 4 * DAY + 2000);
    for (int i = 0; i < 5; i++)
        router_says(f, T0 + 9 * DAY + 1000 + i * 100);
    assert_int_equal(fixture_counter(f, "refused_future"), 0);
    assert_int_equal(fixture_counter(f, "refused_late"), 0);
    fixture_read(f);
    assert_int_equal(mx_out(fixture_sum(f, OWN, M0), MINUTE_connections), 10);
    assert_int_equal(mx_out(fixture_sum(f, OWN, M0 + 4 * 1440), MINUTE_connections), 5);
    assert_int_equal(mx_out(fixture_sum(f, OWN, M0 + 9 * 1440), MINUTE_connections), 5);
}

static void clocks_against_our_own(void **state)
{
    (void)state;
    static const struct {
        int64_t first, drift; // off our clock at the first of 130 seconds, more each second
        bool differs;
    } cases[] = {{-900, 0, false},  {1500, 0, false},   {2500, 0, true},      {3600000, 0, true},
                 {-9000, 0, false}, {-60000, 0, true},  {-60000, 400, false}, // a backlog shrinks
                 {-60000, 5, true}, {-900000, 0, true}, {-900, 50, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct clock_watch c = {0};
        for (int s = 0; s < 130; s++)
            clock_watch_take(&c, T0 + s * 1000 + cases[i].first + s * cases[i].drift,
                             T0 + s * 1000);
        if (c.differs != cases[i].differs)
            fail_msg("case %zu: %d", i, c.differs);
        // Set right, it is believed within two minutes.
        for (int s = 130; s < 260; s++)
            clock_watch_take(&c, T0 + s * 1000 - 1200, T0 + s * 1000);
        assert_false(c.differs);
    }
    assert_false(clock_watch_is_absurd(T0 + 86400000, T0));
    assert_true(clock_watch_is_absurd(T0 + 86400001, T0));
    assert_false(clock_watch_is_absurd(T0, 0)); // our own clock was never set
}

// What the sensor itself says of its clock is a doubt of what it tells; a capture's clock is the only one.
static void a_clock_that_is_told_doubts_who(void **state)
{
    for (unsigned replay = 0; replay < 2; replay++) {
        struct fixture *f = fixture_again(state);
        struct record r = {.kind = RECORD_COVERAGE};
        r.coverage = (struct coverage){.t_ms = T0 + 1000,
                                       .sampling = 1,
                                       .alarms = COVERAGE_CLOCK | (replay ? COVERAGE_REPLAY : 0)};
        snprintf(r.coverage.sensor, sizeof r.coverage.sensor, "edge1");
        fixture_take(f, &r);
        see(f, OWN, T0 + 1500, 1);
        fixture_until(f, T0 + 1000, T0 + 60000);
        fixture_read(f);
        const struct minute_row *row = fixture_row(f, OWN, M0, MINUTE_CLOSING);
        assert_int_equal(!(row->doubts & IDENTITY_CLOCKS_DIFFER), replay);
    }
}

// Two thousand sensors: none is refused, each is known again, and the minute closes when all have passed it.
static void two_thousand_sensors_are_known(void **state)
{
    struct fixture *f = *state;
    for (int s = 0; s < 3; s++) {
        for (uint32_t n = 0; n < 2000; n++) {
            f->domain = n % 2 ? 0x100000u + 64 * n : 0x80000000u + 7919 * n;
            f->sequence = (uint64_t)s;
            fixture_second(f, T0 + 59000 + s * 1000);
        }
    }
    assert_int_equal(fixture_counter(f, "sensors"), 2000);
    assert_int_equal(fixture_counter(f, "refused_domain"), 0);
    assert_int_equal(fixture_counter(f, "minutes"), 1);
    assert_int_equal(collector_watermark(f->collector), T0 + 61000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stalled_sensor_holds_up_its_own_only),
        TEST(a_stall_changes_no_sum),
        TEST(a_stalled_sensor_brings_a_newcomer),
        TEST(a_sensor_given_up_amends),
        TEST(a_stalled_sensor_is_named),
        TEST(a_clock_never_set_stops_nobody),
        TEST(an_old_capture_is_counted),
        TEST(a_clock_set_back_is_told_and_loses_nothing),
        TEST(a_clock_that_is_told_doubts_who),
        TEST(a_stamp_of_next_year_does_not_move_the_journal),
        TEST(clocks_against_our_own),
        TEST(two_thousand_sensors_are_known),
        TEST(a_file_may_pause_for_days),
        TEST(a_router_goes_on_behind_a_dead_sensor),
        TEST(a_routers_file_may_pause_and_hold_a_bad_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
