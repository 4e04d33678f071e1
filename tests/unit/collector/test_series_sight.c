// Two sensors, each with subscribers of its own: while one is silent, the silence of those behind it is
// unknown, and that of the others is silence. Values worked out by hand.
#include "series_rig.h"

#include <math.h>

#include "common/rrdfile.h"
#include "common/series_notes.h"

enum { FIRST = 1774137600 / 60, HOUR = 60, DAY = 1440 }; // 2026-03-22T00:00Z in minutes

static char dir[SCRATCH_MAX];
static const char north[] = "192.0.2.7", south[] = "198.51.100.9", both[] = "203.0.113.4";

static int setup(void **state)
{
    (void)state;
    return scratch_make(dir);
}

static int teardown(void **state)
{
    (void)state;
    return scratch_remove(dir);
}

static void mark(struct series_writer *w, int64_t minute)
{
    series_writer_mark(w, minute * 60000);
}

// Unknown counts as -1. Of a minute, or of ten.
static double at_step(const char *name, int64_t minute, int32_t step_s)
{
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, name, minute, minute + step_s / 60,
                                       step_s, &n);
    double x = isnan(s[0].average[0]) ? -1 : s[0].average[0];
    assert_true(s[0].observed == (x >= 0) || x > 0);
    free(s);
    return x;
}

static double one(const char *name, int64_t minute)
{
    return at_step(name, minute, 60);
}

static struct rig_row seen(const char *name, int64_t minute, const char *sensor, uint64_t n)
{
    return (struct rig_row){name, minute, .established = n, .sensor = sensor};
}

// edge-n watches the first and third half hour, edge-s all of two hours.
static void watch_two_hours(struct series_writer *w)
{
    rig_watch_by(w, "edge-n", FIRST, FIRST + 30);
    rig_watch_by(w, "edge-n", FIRST + 60, FIRST + 90);
    rig_watch_by(w, "edge-s", FIRST, FIRST + 2 * HOUR);
}

static void silence_of_a_sensor(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    watch_two_hours(w);
    rig_put(w, seen(north, FIRST + 10, "edge-n", 6));
    rig_put(w, seen(south, FIRST + 10, "edge-s", 6));
    mark(w, FIRST + 12);
    rig_put(w, seen(north, FIRST + 70, "edge-n", 3));
    rig_put(w, seen(south, FIRST + 70, "edge-s", 3));
    mark(w, FIRST + 2 * HOUR);
    series_writer_close(w);
    static const struct {
        int minute;
        double north, south;
    } want[] = {
        {0, 0, 0},                                          // before the first activity
        {10, 6, 6},  {29, 0, 0},   {30, -1, 0},             // a gap that the writer filled
        {59, -1, 0}, {60, 0, 0},   {70, 3, 3},  {89, 0, 0}, // silent tail
        {90, -1, 0}, {119, -1, 0},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_true(one(north, FIRST + want[i].minute) == want[i].north);
        assert_true(one(south, FIRST + want[i].minute) == want[i].south);
    }
    // The hour: thirty minutes known of sixty, 6 in them: half of it is enough, and the average is of these.
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, north, FIRST, FIRST + HOUR, 3600,
                                       &n);
    assert_true(fabs(s[0].average[0] - 6.0 / 30) < 1e-9 && s[0].maximum[0] == 6);
    free(s);
    // Ten minutes of the sensor's silence: unknown; for the other subscriber zero.
    s = rig_read(dir, SERIES_SUBSCRIBER, north, FIRST + 40, FIRST + 50, 600, &n);
    assert_true(isnan(s[0].average[0]) && isnan(s[0].maximum[0]) && !s[0].observed);
    free(s);
    s = rig_read(dir, SERIES_SUBSCRIBER, south, FIRST + 40, FIRST + 50, 600, &n);
    assert_true(s[0].average[0] == 0 && s[0].observed);
    free(s);
    // What is everybody's is watched while any sensor is.
    s = rig_read(dir, SERIES_SITE, SERIES_SITE_NAME, FIRST + 40, FIRST + 50, 600, &n);
    assert_true(s[0].average[0] == 0 && s[0].observed);
    free(s);
}

// The sensor's own series: nothing said is not zero packets.
static void sensors_own_series(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    watch_two_hours(w);
    mark(w, FIRST + 2 * HOUR);
    series_writer_close(w);
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SENSOR, "edge-n", FIRST, FIRST + HOUR, 600, &n);
    assert_true(s[0].average[SERIES_SENSOR_PACKETS] == 1000);
    assert_true(isnan(s[4].average[SERIES_SENSOR_PACKETS]) && !s[4].observed);
    free(s);
    s = rig_read(dir, SERIES_SENSOR, "edge-s", FIRST, FIRST + HOUR, 600, &n);
    assert_true(s[4].average[SERIES_SENSOR_PACKETS] == 1000);
    free(s);
}

// Flows of a subscriber that two sensors share: one that watches is enough; the loss is the worst of both.
static void two_sensors_of_a_subscriber(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    watch_two_hours(w);
    struct rig_row r = seen(both, FIRST + 5, "edge-n", 2);
    r.sensor2 = "edge-s";
    rig_put(w, r);
    mark(w, FIRST + 7);
    struct coverage_minute lossy = {
        .minute = FIRST + 40, .seconds = 60, .loss_ppm = 7000, .sum = {.sensor = "edge-s"}};
    assert_int_equal(series_writer_coverage(w, &lossy), 0);
    mark(w, FIRST + 2 * HOUR);
    series_writer_close(w);
    assert_true(one(both, FIRST + 40) == 0 && one(both, FIRST + 100) == 0);
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, both, FIRST + 30, FIRST + 50, 600,
                                       &n);
    assert_int_equal(s[0].loss_ppm, 0);
    assert_int_equal(s[1].loss_ppm, 7000);
    free(s);
}

// A subscriber that moves behind another sensor: both count on the day of the move and the next active
// one, then the new one alone. A restart between knows what was noted.
static void moves_to_another_sensor(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch_by(w, "edge-n", FIRST, FIRST + 5 * DAY);
    rig_put(w, seen(north, FIRST + 10, "edge-n", 1));
    mark(w, FIRST + 12);
    series_writer_close(w);
    w = rig_open(dir, (struct series_options){0});
    rig_watch_by(w, "edge-s", FIRST + DAY, FIRST + DAY + 100);
    static const int days[] = {1, 2, 3};
    for (int i = 0; i < 3; i++) {
        rig_put(w, seen(north, FIRST + days[i] * DAY + 20, "edge-s", 1));
        mark(w, FIRST + days[i] * DAY + 22);
    }
    series_writer_close(w);
    struct series_notes notes;
    assert_int_equal(series_notes_read(dir, SERIES_SUBSCRIBER, north, &notes), 0);
    assert_int_equal(notes.sights, 3);
    assert_int_equal(notes.sight[0].minute, 0);
    assert_int_equal(notes.sight[0].sensors, 1);
    assert_string_equal(notes.sight[0].sensor[0], "edge-n");
    assert_int_equal(notes.sight[1].minute, FIRST + DAY + 20);
    assert_int_equal(notes.sight[1].sensors, 2);
    assert_int_equal(notes.sight[2].minute, FIRST + 2 * DAY + 20);
    assert_int_equal(notes.sight[2].sensors, 1);
    assert_string_equal(notes.sight[2].sensor[0], "edge-s");
    series_notes_free(&notes);
    assert_true(at_step(north, FIRST + DAY + 200, 600) == 0); // edge-n still counts
    assert_true(one(north, FIRST + 3 * DAY + 200) == -1);     // edge-s alone, and it is silent
}

// Nobody said which sensor (a router's export, rows of before): the whole site decides, as it does for a
// sensor that found no room.
static void nobody_said(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    watch_two_hours(w);
    rig_put(w, seen(north, FIRST + 10, NULL, 1));
    rig_put(w, seen(south, FIRST + 10, MINUTE_SENSORS_ALL, 1));
    mark(w, FIRST + 2 * HOUR);
    series_writer_close(w);
    assert_true(one(north, FIRST + 40) == 0 && one(south, FIRST + 40) == 0);
}

// Bands of a graph are those of the subscriber's own sensors.
static void bands_of_a_subscriber(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    watch_two_hours(w);
    rig_put(w, seen(north, FIRST + 10, "edge-n", 1));
    mark(w, FIRST + 2 * HOUR);
    series_writer_close(w);
    struct series_band *b;
    size_t n;
    assert_int_equal(series_coverage(dir, SERIES_SUBSCRIBER, north, FIRST * 60LL,
                                     (FIRST + 2 * HOUR) * 60LL, &b, &n),
                     0);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_true(b[i].observed == (i % 2 == 0));
        assert_int_equal(b[i].start_s, (FIRST + 30 * (int64_t)i) * 60);
    }
    free(b);
    assert_int_equal(series_coverage(dir, SERIES_SITE, SERIES_SITE_NAME, FIRST * 60LL,
                                     (FIRST + 2 * HOUR) * 60LL, &b, &n),
                     0);
    assert_int_equal(n, 1);
    free(b);
}

// Names that are no words, more sensors than a note or a writer's set has room for, broken lines.
static void notes_of_odd_names(void **state)
{
    (void)state;
    char word[SERIES_SENSOR_WORD_MAX], again[SERIES_SENSOR_WORD_MAX];
    assert_string_equal(series_sensor_word("edge_1.a:b", word), "edge_1.a:b");
    series_sensor_word("../odd name", word);
    assert_int_equal(strlen(word), 32);
    assert_string_equal(series_sensor_word(word, again), word);
    assert_string_not_equal(series_sensor_word("*", word), "*");
    char text[] =
        "sight 5 b\nsight 3 a *\nsight x a\nsight 9\nsight 10  a\nsight 11 a b c d e f g h i\n"
        "sight 12 0123456789012345678901234567890123456789\nsight 1 a b\n";
    struct series_notes notes;
    assert_int_equal(series_notes_parse(text, &notes), 0);
    assert_int_equal(notes.sights, 3);
    assert_true(notes.sight[0].minute == 1 && notes.sight[0].sensors == 2);
    assert_true(notes.sight[1].minute == 3 && notes.sight[1].sensors == 0); // the whole site
    assert_true(notes.sight[2].minute == 5 && notes.sight[2].sensors == 1);
    series_notes_free(&notes);
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    for (int i = 0; i < 70; i++) {
        char name[COVERAGE_NAME_MAX];
        snprintf(name, sizeof name, "many %d", i);
        rig_watch_by(w, name, FIRST, FIRST + (i == 0 ? 10 : 20));
    }
    rig_put(w, seen(north, FIRST + 2, "many 0", 1));
    rig_put(w, seen(south, FIRST + 2, "many 69", 1)); // beyond 62: the site decides
    mark(w, FIRST + 30);
    series_writer_close(w);
    assert_true(one(north, FIRST + 15) == -1 && one(south, FIRST + 15) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silence_of_a_sensor, setup, teardown),
        cmocka_unit_test_setup_teardown(sensors_own_series, setup, teardown),
        cmocka_unit_test_setup_teardown(two_sensors_of_a_subscriber, setup, teardown),
        cmocka_unit_test_setup_teardown(moves_to_another_sensor, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_said, setup, teardown),
        cmocka_unit_test_setup_teardown(bands_of_a_subscriber, setup, teardown),
        cmocka_unit_test_setup_teardown(notes_of_odd_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
