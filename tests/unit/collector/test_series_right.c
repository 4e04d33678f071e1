// What a series must say in the end, worked out by hand: amendments, leases, peaks in the year, long
// silence, both nights of the clock change, clocks that jump, and a rebuild that gives the same.
#include "series_rig.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/rrdfile.h"
#include "common/series_coverage.h"
#include "common/series_notes.h"

enum { FIRST = 1774137600 / 60, HOUR = 60, DAY = 1440 }; // 2026-03-22T00:00Z in minutes

static char dir[SCRATCH_MAX];
static const char who[] = "192.0.2.7";

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

// cmocka compares in float.
static void assert_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("%.12g instead of %.12g", got, want);
}

static void mark(struct series_writer *w, int64_t minute)
{
    series_writer_mark(w, minute * 60000);
}

static double one(const char *name, int64_t minute, enum series_source v)
{
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, name, minute, minute + 1, 60, &n);
    double x = s[0].average[v];
    free(s);
    return x;
}

// Rows for a minute already written are added to it; read again after a restart they are not.
static void amendments(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + 2 * HOUR);
    rig_put(w, (struct rig_row){who, FIRST, .established = 2, .messages = 1});
    rig_put(w, (struct rig_row){who, FIRST + 5, .established = 1});
    mark(w, FIRST + 10);
    struct rig_row late = {
        who, FIRST, .established = 3, .messages = 4, .cut_ms = 1000000, .flags = MINUTE_AMENDMENT};
    rig_put(w, late);
    mark(w, FIRST + 11);
    assert_true(one(who, FIRST, SERIES_ESTABLISHED) == 5);
    assert_true(one(who, FIRST, SERIES_MESSAGES) == 5);
    assert_int_equal(series_writer_stats(w)->amendments, 2); // with the site's
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, who, FIRST, FIRST + HOUR, 3600, &n);
    assert_near(s[0].average[SERIES_ESTABLISHED], 6.0 / 60, 1e-9);
    assert_true(s[0].maximum[SERIES_ESTABLISHED] == 5);
    free(s);
    // A second one to the same minute counts on.
    late.cut_ms = 2000000;
    rig_put(w, late);
    mark(w, FIRST + 12);
    assert_true(one(who, FIRST, SERIES_ESTABLISHED) == 8);
    // The same rows once more: known by their cut, even when nobody says that they are repeated.
    rig_put(w, late);
    mark(w, FIRST + 13);
    assert_true(one(who, FIRST, SERIES_ESTABLISHED) == 8);
    series_writer_close(w);
    w = rig_open(dir, (struct series_options){0});
    series_writer_repeating(w, true);
    late.cut_ms = 3000000;
    rig_put(w, late);
    rig_put(w, (struct rig_row){who, FIRST + 5, .established = 1});
    mark(w, FIRST + 14);
    assert_true(one(who, FIRST, SERIES_ESTABLISHED) == 8);
    assert_true(one(who, FIRST + 5, SERIES_ESTABLISHED) == 1);
    assert_int_equal(series_writer_stats(w)->repeated, 4);
    series_writer_close(w);
}

// A sensor that was silent sends what it kept: where a subscriber's file is not beyond it, minutes are
// written in their places and no amendment is needed.
static void late_minutes_in_order(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + 10);
    rig_put(w, (struct rig_row){who, FIRST, .established = 2});
    mark(w, FIRST + 30);
    rig_watch(w, FIRST + 10, FIRST + 40);
    rig_put(w, (struct rig_row){who, FIRST + 12, .established = 7, .flags = MINUTE_AMENDMENT});
    mark(w, FIRST + 40);
    assert_true(one(who, FIRST + 12, SERIES_ESTABLISHED) == 7);
    assert_true(one(who, FIRST + 11, SERIES_ESTABLISHED) == 0);
    struct series_notes notes;
    assert_int_equal(series_notes_read(dir, SERIES_SUBSCRIBER, who, &notes), 0);
    assert_int_equal(notes.amendments, 0);
    series_notes_free(&notes);
    series_writer_close(w);
}

// An address changes hands: each party sees its own minutes, and nobody else's.
static void leases(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + HOUR);
    static const char *const parties[] = {"line:1", "line:1", "line:2", "line:2"};
    for (int i = 0; i < 4; i++)
        rig_put(w, (struct rig_row){who, FIRST + 10 * i, .established = (uint64_t)i + 1,
                                    .party = parties[i]});
    mark(w, FIRST + HOUR);
    series_writer_close(w);
    w = rig_open(dir, (struct series_options){0}); // knows no party yet: none is noted again
    rig_put(w, (struct rig_row){who, FIRST + 60, .established = 9, .party = "line:2"});
    mark(w, FIRST + 62);
    series_writer_close(w);
    struct series_lease *l;
    size_t n;
    assert_int_equal(series_leases(dir, SERIES_SUBSCRIBER, who, &l, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(l[0].party, "line:1");
    assert_true(l[0].start_s == FIRST * 60LL && l[0].end_s == (FIRST + 20) * 60LL);
    assert_string_equal(l[1].party, "line:2");
    assert_true(l[1].start_s == (FIRST + 20) * 60LL && l[1].end_s == 0);
    for (int p = 0; p < 2; p++) {
        struct series_range r = {.start_s = FIRST * 60LL,
                                 .end_s = (FIRST + HOUR) * 60LL,
                                 .step_s = 60,
                                 .own_start_s = l[p].start_s,
                                 .own_end_s = l[p].end_s};
        struct series_sample *s;
        size_t count;
        assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, who, &r, &s, &count), 0);
        for (int i = 0; i < 4; i++) {
            double v = s[10 * i].average[SERIES_ESTABLISHED];
            if (i / 2 == p)
                assert_true(v == i + 1);
            else
                assert_true(isnan(v));
        }
        free(s);
    }
    free(l);
}

// A 3 in one minute is a 3 in the year's maximum, and the month of silence before it is all zeros.
static void peak_after_a_month(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + 32 * DAY);
    rig_put(w, (struct rig_row){who, FIRST + 7, .established = 1});
    mark(w, FIRST + 9);
    rig_put(w, (struct rig_row){who, FIRST + 30 * DAY + 61, .established = 3});
    mark(w, FIRST + 30 * DAY + 63);
    rig_put(w, (struct rig_row){who, FIRST + 31 * DAY + 61, .established = 1});
    mark(w, FIRST + 31 * DAY + 63);
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, who, FIRST, FIRST + 31 * DAY, 86400,
                                       &n);
    assert_int_equal(n, 31);
    assert_near(s[0].average[0], 1.0 / DAY, 1e-9);
    assert_true(s[0].maximum[0] == 1);
    for (size_t i = 1; i < 30; i++)
        assert_true(s[i].average[0] == 0 && s[i].maximum[0] == 0 && s[i].observed);
    assert_near(s[30].average[0], 3.0 / DAY, 1e-9);
    assert_true(s[30].maximum[0] == 3);
    free(s);
    // Ten minutes of the day before still tell that minute from those around it.
    s = rig_read(dir, SERIES_SUBSCRIBER, who, FIRST + 30 * DAY + 50, FIRST + 30 * DAY + 80, 600,
                 &n);
    assert_true(s[0].average[0] == 0 && s[0].maximum[0] == 0 && s[2].average[0] == 0);
    assert_near(s[1].average[0], 0.3, 1e-9);
    assert_true(s[1].maximum[0] == 3);
    free(s);
    series_writer_close(w);
}

// The first sample begins where the first activity does, on its minute; before it, silence.
static void begins_with_the_first_sample(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + HOUR);
    rig_put(w, (struct rig_row){who, FIRST + 13, .established = 4});
    mark(w, FIRST + 15);
    series_writer_close(w);
    char path[512], relative[SERIES_PATH_MAX], error[RRDFILE_ERROR_MAX];
    int64_t last_s;
    snprintf(path, sizeof path, "%s/%s", dir, series_path(SERIES_SUBSCRIBER, who, relative));
    assert_int_equal(rrdfile_last(path, &last_s, error), 0);
    assert_int_equal(last_s, (FIRST + 14) * 60LL);
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, who, FIRST, FIRST + HOUR, 600, &n);
    assert_true(s[0].average[0] == 0);
    assert_near(s[1].average[0], 0.4, 1e-9);
    assert_true(s[1].maximum[0] == 4 && s[2].average[0] == 0);
    free(s);
}

// Storage is UTC: neither the missing hour of March nor the double one of October moves a value.
static void nights_of_the_clock_change(void **state)
{
    (void)state;
    static const int64_t nights[] = {1774746000 / 60,
                                     1792890000 / 60}; // 01:00Z, 29 March, 25 October
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (int i = 0; i < 2; i++) {
        int64_t midnight = nights[i] - HOUR;
        char name[32];
        snprintf(name, sizeof name, "192.0.2.%d", 10 + i);
        struct series_writer *w = rig_open(dir, (struct series_options){0});
        rig_watch(w, midnight, midnight + DAY);
        for (int64_t m = 0; m < 4 * HOUR; m += 15)
            rig_put(w, (struct rig_row){name, midnight + m, .established = (uint64_t)m / HOUR + 1});
        mark(w, midnight + DAY);
        size_t n;
        struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, name, midnight, midnight + DAY,
                                           3600, &n);
        assert_int_equal(n, 24);
        for (int h = 0; h < 24; h++) {
            assert_near(s[h].average[0], h < 4 ? (h + 1) * 4.0 / 60 : 0, 1e-9);
            assert_true(s[h].maximum[0] == (h < 4 ? h + 1 : 0));
        }
        free(s);
        s = rig_read(dir, SERIES_SUBSCRIBER, name, midnight, midnight + DAY, 86400, &n);
        assert_near(s[0].average[0], 4.0 * (1 + 2 + 3 + 4) / DAY, 1e-9);
        free(s);
        series_writer_close(w);
    }
    unsetenv("TZ");
    tzset();
}

// Time that stands still or goes back writes nothing twice; a jump ahead is a gap, unknown as nobody
// watched it.
static void clocks_that_jump(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + 10);
    rig_put(w, (struct rig_row){who, FIRST, .established = 1});
    mark(w, FIRST + 2);
    mark(w, FIRST - 100);
    mark(w, FIRST + 2);
    assert_true(one(who, FIRST, 0) == 1);
    rig_watch(w, FIRST + 3 * DAY, FIRST + 3 * DAY + 10);
    rig_put(w, (struct rig_row){who, FIRST + 3 * DAY, .established = 2});
    mark(w, FIRST + 3 * DAY + 2);
    // Back again: what comes for the time before is added beside the file.
    rig_put(w, (struct rig_row){who, FIRST + 5, .established = 3, .cut_ms = 77});
    mark(w, FIRST + 3 * DAY + 4);
    assert_true(one(who, FIRST + 3 * DAY, 0) == 2);
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, who, FIRST, FIRST + 2 * DAY, 86400,
                                       &n);
    assert_true(isnan(s[1].average[0]) && !s[1].observed);
    free(s);
    s = rig_read(dir, SERIES_SUBSCRIBER, who, FIRST, FIRST + HOUR, 600, &n);
    assert_true(s[0].maximum[0] == 3 && s[0].observed);
    assert_near(s[0].average[0], (1 + 3) / 10.0, 1e-9);
    free(s);
    series_writer_close(w);
}

// 1970 and 2106, of clocks that were never set: refused and counted, and no harm to what is right.
static void impossible_times(void **state)
{
    (void)state;
    static const int64_t minutes[] = {
        0, 1, 347155200 / 60 - 1, 4102444800 / 60, 4294967295 / 60, INT64_MAX / 60000 - 1};
    enum { N = sizeof minutes / sizeof minutes[0] };
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    for (int i = 0; i < N; i++) {
        rig_watch(w, minutes[i], minutes[i] + 1);
        rig_put(w, (struct rig_row){who, minutes[i], .established = 5});
        mark(w, minutes[i] + 1);
    }
    // Of each its coverage, its row and its mark; a mark of 1970 is behind the start anyway, and the
    // end of 1980 is the first that may be.
    assert_int_equal(series_writer_stats(w)->times_refused, 3 * N - 1);
    rig_watch(w, FIRST, FIRST + 10);
    rig_put(w, (struct rig_row){who, FIRST + 1, .established = 2});
    mark(w, FIRST + 5);
    assert_true(one(who, FIRST + 1, SERIES_ESTABLISHED) == 2);
    series_writer_finish(w);
    assert_int_equal(series_writer_stats(w)->errors, 0);
    assert_int_equal(series_writer_stats(w)->files_created, 2); // with the site's
    series_writer_close(w);
    // The least that is taken makes a file.
    w = rig_open(dir, (struct series_options){0});
    rig_put(w, (struct rig_row){"192.0.2.200", 347155200 / 60, .established = 1});
    mark(w, 347155200 / 60 + 2);
    assert_true(one("192.0.2.200", 347155200 / 60, SERIES_ESTABLISHED) == 1);
    assert_int_equal(series_writer_stats(w)->errors, 0);
    series_writer_close(w);
}

// Live with settling, a restart and small portions, or at once from the journal: the same values.
static void give(struct series_writer *w, int64_t from, int64_t to)
{
    for (int64_t m = from; m < to; m++) {
        rig_watch(w, m, m + (m % 97 != 0)); // some minutes are not watched
        for (int64_t k = 0; k < 6; k++)
            if ((m * 7 + k * 13) % (5 + 9 * k) == 0) {
                char name[32];
                snprintf(name, sizeof name, "192.0.2.%d", 1 + (int)k);
                rig_put(w, (struct rig_row){name, m, .established = (uint64_t)(m % 5) + 1,
                                            .recipients = (uint64_t)(m % 7), .peers = 2,
                                            .pop = k % 2 ? "north" : "south"});
            }
        series_writer_begin(w, (m + 1) * 60000);
        while (!series_writer_work(w, 2)) {}
    }
}

static void rebuilt_is_the_same(void **state)
{
    (void)state;
    enum { END = FIRST + DAY + 6 * HOUR };
    char again[SCRATCH_MAX];
    assert_int_equal(scratch_make(again), 0);
    struct series_writer *w = rig_open(dir, (struct series_options){.settle_ms = 120000});
    give(w, FIRST, FIRST + DAY + 77);
    series_writer_close(w);
    w = rig_open(dir, (struct series_options){.settle_ms = 120000});
    series_writer_repeating(w, true);
    give(w, FIRST + DAY, FIRST + DAY + 77);
    series_writer_repeating(w, false);
    give(w, FIRST + DAY + 77, END);
    series_writer_finish(w);
    series_writer_close(w);
    w = rig_open(again, (struct series_options){.together = 32});
    give(w, FIRST, END);
    series_writer_finish(w);
    series_writer_close(w);
    static const struct {
        enum series_kind kind;
        const char *name;
    } all[] = {{SERIES_SUBSCRIBER, "192.0.2.1"},
               {SERIES_SUBSCRIBER, "192.0.2.4"},
               {SERIES_SUBSCRIBER, "192.0.2.6"},
               {SERIES_SITE, SERIES_SITE_NAME},
               {SERIES_POP, "north"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (int a = 0; a < SERIES_ARCHIVES; a++) {
            size_t n, m;
            int32_t step_s = series_archives[SERIES_FULL][a].step_s;
            int64_t from = a == 0 ? END - DAY : FIRST;
            struct series_sample *x = rig_read(dir, all[i].kind, all[i].name, from, END, step_s,
                                               &n);
            struct series_sample *y = rig_read(again, all[i].kind, all[i].name, from, END, step_s,
                                               &m);
            assert_int_equal(n, m);
            for (size_t t = 0; t < n; t++)
                for (int v = 0; v < SERIES_SOURCES; v++) {
                    assert_int_equal(isnan(x[t].average[v]), isnan(y[t].average[v]));
                    if (isnan(x[t].average[v]))
                        continue;
                    assert_near(x[t].average[v], y[t].average[v], 1e-6);
                    assert_true(x[t].maximum[v] == y[t].maximum[v]);
                }
            free(x);
            free(y);
        }
    scratch_remove(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(amendments, setup, teardown),
        cmocka_unit_test_setup_teardown(late_minutes_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(leases, setup, teardown),
        cmocka_unit_test_setup_teardown(peak_after_a_month, setup, teardown),
        cmocka_unit_test_setup_teardown(begins_with_the_first_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(nights_of_the_clock_change, setup, teardown),
        cmocka_unit_test_setup_teardown(clocks_that_jump, setup, teardown),
        cmocka_unit_test_setup_teardown(impossible_times, setup, teardown),
        cmocka_unit_test_setup_teardown(rebuilt_is_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
