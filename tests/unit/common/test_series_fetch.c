// series_fetch against values worked out by hand: silence, resumption, unobserved spans, peaks, tails,
// lease starts. Files are real RRD files in a temporary folder.
#include "common/rrdfile.h"
#include "common/series.h"
#include "common/series_coverage.h"
#include "common/series_notes.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

enum { BASE_S = 1774137600 }; // 2026-03-22T00:00:00Z, a whole day

static char dir[SCRATCH_MAX];
static const char name[] = "192.0.2.7";

static void rrd_path_of(char out[static 512])
{
    char relative[SERIES_PATH_MAX];
    snprintf(out, 512, "%s/%s", dir, series_path(SERIES_SUBSCRIBER, name, relative));
}

static void watch(int64_t start_s, int64_t end_s, uint32_t loss_ppm)
{
    struct series_coverage_minute m = {.seconds = 60, .loss_ppm = loss_ppm};
    for (int64_t t = start_s; t < end_s; t += 60)
        assert_int_equal(series_coverage_put(dir, NULL, t / 60, &m), 0);
}

static void create(int64_t start_s)
{
    char path[512], error[RRDFILE_ERROR_MAX];
    rrd_path_of(path);
    char command[600];
    snprintf(command, sizeof command, "%s", path);
    for (char *c = strchr(command + 1, '/'); c; c = strchr(c + 1, '/')) {
        *c = '\0';
        mkdir(command, 0700);
        *c = '/';
    }
    assert_int_equal(rrdfile_create(path, (struct rrdfile_shape){0}, start_s, error), 0);
}

static void put(int64_t t_s, double v)
{
    char path[512], error[RRDFILE_ERROR_MAX];
    rrd_path_of(path);
    struct rrdfile_update u = {.t_s = t_s};
    for (unsigned s = 0; s < SERIES_SOURCES; s++)
        u.value[s] = v;
    assert_int_equal(rrdfile_update(path, &u, 1, error), 0);
}

static struct series_sample *fetch(int64_t start_s, int64_t end_s, int32_t step_s, int64_t lease_s,
                                   size_t *count)
{
    struct series_range r = {
        .start_s = start_s, .end_s = end_s, .step_s = step_s, .own_start_s = lease_s};
    struct series_sample *out = NULL;
    assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, name, &r, &out, count), 0);
    assert_int_equal(*count, (r.end_s - r.start_s) / r.step_s);
    return out;
}

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

// One minute of 3, an hour of silence, then 5: minutes in between are zero, not unknown and not 5.
static void silence_is_zero(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 7200, 0);
    create(BASE_S);
    put(BASE_S + 60, 3);
    put(BASE_S + 3600, 0); // what the writer sends a step before activity resumes
    put(BASE_S + 3660, 5);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 3660, 60, 0, &n);
    assert_int_equal(n, 61);
    assert_true(s[0].average[SERIES_MESSAGES] == 3);
    for (size_t i = 1; i < 60; i++)
        assert_true(s[i].average[SERIES_MESSAGES] == 0);
    assert_true(s[60].average[SERIES_MESSAGES] == 5);
    free(s);
}

// After the last update: zero while watched, unknown after.
static void tail_follows_coverage(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 600, 1234);
    create(BASE_S);
    put(BASE_S + 60, 7);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 1200, 60, 0, &n);
    assert_true(s[0].average[0] == 7 && s[0].observed && s[0].loss_ppm == 1234);
    assert_true(s[1].average[0] == 0 && s[9].average[0] == 0);
    assert_true(isnan(s[10].average[0]) && !s[10].observed);
    free(s);
}

static void unobserved_is_unknown(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 300, 0);
    watch(BASE_S + 600, BASE_S + 1200, 0);
    create(BASE_S);
    put(BASE_S + 60, 2);
    put(BASE_S + 300, 0);
    put(BASE_S + 600, NAN);
    put(BASE_S + 660, 4);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 1200, 60, 0, &n);
    assert_true(s[4].average[0] == 0);
    for (size_t i = 5; i < 10; i++)
        assert_true(isnan(s[i].average[0]));
    assert_true(s[10].average[0] == 4);
    assert_true(s[11].average[0] == 0);
    free(s);
}

// A 3 in one minute of an hour is 3/60 on average and still 3 as maximum, in every archive.
static void peaks_stay(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 2 * 86400, 0);
    create(BASE_S);
    put(BASE_S + 1800, 0);
    put(BASE_S + 1860, 3);
    put(BASE_S + 2 * 86400, 0);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 3600, 600, 0, &n);
    assert_float_equal(s[3].average[0], 3.0 / 10, 1e-9);
    assert_true(s[3].maximum[0] == 3 && s[2].maximum[0] == 0);
    free(s);
    s = fetch(BASE_S, BASE_S + 3600, 3600, 0, &n);
    assert_float_equal(s[0].average[0], 3.0 / 60, 1e-9);
    assert_true(s[0].maximum[0] == 3);
    free(s);
    s = fetch(BASE_S, BASE_S + 86400, 86400, 0, &n);
    assert_float_equal(s[0].average[0], 3.0 / 1440, 1e-9);
    assert_true(s[0].maximum[0] == 3);
    free(s);
}

// The hour in progress is not in the file yet: it is made from its minutes.
static void row_in_progress(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 3600, 0);
    create(BASE_S);
    put(BASE_S + 600, 0);
    put(BASE_S + 660, 6);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 3600, 3600, 0, &n);
    assert_int_equal(n, 1);
    assert_float_equal(s[0].average[0], 6.0 / 60, 1e-9);
    assert_true(s[0].maximum[0] == 6);
    free(s);
}

static void lease_hides_the_past(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 600, 0);
    create(BASE_S);
    put(BASE_S + 60, 9);
    put(BASE_S + 120, 8);
    put(BASE_S + 180, 7);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 300, 60, BASE_S + 70, &n);
    assert_true(isnan(s[0].average[0]));
    assert_true(s[1].average[0] == 8);
    assert_true(s[2].average[0] == 7);
    free(s);
}

// An hour of which 20 minutes were watched, with 3 a minute, and one of which 45 were, with 4 in one of
// them; the day has 65 of 1,440. Means are over the watched minutes, sums are what was counted.
static void watched_in_part(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 1200, 0);
    watch(BASE_S + 3600 + 900, BASE_S + 7200, 2000);
    create(BASE_S);
    for (int m = 1; m <= 20; m++)
        put(BASE_S + m * 60, 3);
    put(BASE_S + 3600 + 900, NAN);
    put(BASE_S + 5400, 0);
    put(BASE_S + 5460, 4);
    put(BASE_S + 7200, 0);
    put(BASE_S + 2 * 86400 + 600, NAN);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 10800, 3600, 0, &n);
    assert_true(s[0].observed && s[0].minutes == 20 && s[0].watched_s == 1200);
    assert_float_equal(s[0].average[0], 3, 1e-9);
    assert_true(s[0].maximum[0] == 3);
    assert_true(s[1].observed && s[1].minutes == 45);
    assert_float_equal(s[1].average[0], 4.0 / 45, 1e-9);
    assert_true(s[1].maximum[0] == 4 && s[1].loss_ppm == 2000);
    assert_true(!s[2].observed && isnan(s[2].average[0]) && s[2].minutes == 0);
    struct series_total t = series_sum(s, n, 3600, 0, 0);
    assert_float_equal(t.counted, 64, 1e-9);
    assert_true(t.minutes == 65 && t.watched_s == 65 * 60 && t.span_s == 10800);
    free(s);
    s = fetch(BASE_S, BASE_S + 86400, 86400, 0, &n);
    assert_true(s[0].minutes == 65);
    assert_float_equal(s[0].average[0], 64.0 / 65, 1e-9);
    assert_true(s[0].maximum[0] == 4);
    t = series_sum(s, n, 86400, 0, 0);
    assert_float_equal(t.counted, 64, 1e-6);
    free(s);
    s = fetch(BASE_S, BASE_S + 7200, 600, 0, &n);
    assert_true(s[2].minutes == 0 && isnan(s[2].average[0]));
    assert_true(s[7].minutes == 5 && s[7].average[0] == 0);
    assert_float_equal(s[9].average[0], 4.0 / 10, 1e-9);
    free(s);
}

// The same in rows that the file has not consolidated yet: the day in progress is made of hours, of ten
// minutes and of minutes, also where the minutes reach back four hours only.
static void day_in_progress(void **state)
{
    (void)state;
    for (int reduced = 0; reduced < 2; reduced++) {
        int64_t base = BASE_S + reduced * 10 * 86400;
        char path[512], error[RRDFILE_ERROR_MAX];
        watch(base, base + 6 * 3600, 0);
        watch(base + 15 * 3600, base + 16 * 3600, 0);
        create(base);
        if (reduced) {
            rrd_path_of(path);
            unlink(path);
            assert_int_equal(
                rrdfile_create(path, (struct rrdfile_shape){.reduced = true}, base, error), 0);
        }
        put(base + 3600, 0);
        put(base + 3660, 120);
        put(base + 6 * 3600, 0);
        put(base + 15 * 3600, NAN);
        put(base + 15 * 3600 + 60, 30);
        size_t n;
        struct series_sample *s = fetch(base, base + 86400, 86400, 0, &n);
        assert_int_equal(n, 1);
        assert_int_equal(s[0].minutes, 420);
        assert_float_equal(s[0].average[0], 150.0 / 420, 1e-9);
        assert_true(s[0].maximum[0] == 120);
        free(s);
        rrd_path_of(path);
        unlink(path);
    }
}

// What an archive no longer holds is not silence.
static void beyond_the_reach(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 3 * 86400, 0);
    create(BASE_S);
    put(BASE_S + 60, 7);
    put(BASE_S + 3 * 86400, 0);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 600, 60, 0, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(isnan(s[i].average[0]) && !s[i].observed && s[i].minutes == 0);
    free(s);
    s = fetch(BASE_S, BASE_S + 600, 600, 0, &n);
    assert_float_equal(s[0].average[0], 0.7, 1e-9);
    free(s);
}

// Rows of an older layout, unknown from half on: watched by less than that they stay unknown until the
// time that the folder's `layout` names, for what was counted in them is lost.
static void rows_of_an_older_layout(void **state)
{
    (void)state;
    char path[SCRATCH_MAX + 16];
    watch(BASE_S, BASE_S + 600, 0);
    watch(BASE_S + 3600, BASE_S + 4200, 0);
    create(BASE_S);
    put(BASE_S + 7200, NAN);
    snprintf(path, sizeof path, "%s/layout", dir);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "3 full %d\n", BASE_S + 3600);
    fclose(out);
    size_t n;
    struct series_sample *s = fetch(BASE_S, BASE_S + 7200, 3600, 0, &n);
    assert_true(isnan(s[0].average[0]) && !s[0].observed);
    assert_true(s[1].average[0] == 0 && s[1].observed && s[1].minutes == 10);
    free(s);
}

// A file says whose it is, through all that is done to it.
static void identity(void **state)
{
    (void)state;
    char path[512], copy[520], error[RRDFILE_ERROR_MAX];
    struct rrdfile_shape shape = {.identity = 0xfedcba9876543210}, found_shape;
    struct rrdfile_found found;
    create(BASE_S);
    rrd_path_of(path);
    assert_int_equal(rrdfile_check(path, &found_shape, &found, error), 0);
    assert_true(found_shape.identity == 0 && found.surplus == 0 && !found.halves);
    snprintf(copy, sizeof copy, "%s2", path);
    assert_int_equal(rrdfile_create(copy, shape, BASE_S, error), 0);
    assert_int_equal(rrdfile_check(copy, &found_shape, &found, error), 0);
    assert_true(found_shape.identity == shape.identity);
    FILE *out = fopen(copy, "a");
    assert_non_null(out);
    fputs("behind", out);
    fclose(out);
    assert_int_equal(rrdfile_check(copy, &found_shape, &found, error), 0);
    assert_int_equal(found.surplus, 6);
    assert_int_not_equal(series_identity("subscriber/a"), series_identity("subscriber/b"));
}

// An unaligned question is widened to whole steps.
static void unaligned_start(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 600, 0);
    create(BASE_S);
    put(BASE_S + 60, 1);
    size_t n;
    struct series_range r = {.start_s = BASE_S + 17, .end_s = BASE_S + 61};
    struct series_sample *s;
    assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, name, &r, &s, &n), 0);
    assert_true(r.start_s == BASE_S && r.end_s == BASE_S + 120 && r.step_s == 60);
    assert_true(s[0].average[0] == 1 && s[1].average[0] == 0);
    free(s);
}

static void month_of_zeros(void **state)
{
    (void)state;
    watch(BASE_S, BASE_S + 31 * 86400, 0);
    create(BASE_S);
    put(BASE_S + 60, 1440);
    put(BASE_S + 30 * 86400, 0);
    put(BASE_S + 30 * 86400 + 60, 2880);
    size_t n;
    struct series_range r = {.start_s = BASE_S, .end_s = BASE_S + 31 * 86400};
    struct series_sample *s;
    assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, name, &r, &s, &n), 0);
    assert_int_equal(r.step_s, 3600);
    assert_float_equal(s[0].average[0], 1440.0 / 60, 1e-9);
    for (size_t i = 1; i < 30 * 24; i++)
        assert_true(s[i].average[0] == 0 && s[i].maximum[0] == 0);
    assert_float_equal(s[30 * 24].average[0], 2880.0 / 60, 1e-9);
    free(s);
}

static void errors(void **state)
{
    (void)state;
    struct series_range r = {.start_s = BASE_S, .end_s = BASE_S + 60};
    struct series_sample *s;
    size_t n;
    assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, "10.9.9.9", &r, &s, &n), -ENOENT);
    create(BASE_S);
    char path[512], error[RRDFILE_ERROR_MAX];
    struct rrdfile_shape shape;
    rrd_path_of(path);
    assert_int_equal(rrdfile_check(path, &shape, NULL, error), 0);
    assert_int_equal(rrdfile_create(path, shape, BASE_S, error), -EEXIST);
    struct series_range bad = {.start_s = BASE_S, .end_s = BASE_S};
    assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, name, &bad, &s, &n), -EINVAL);
    struct series_range odd = {.start_s = BASE_S, .end_s = BASE_S + 60, .step_s = 61};
    assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, name, &odd, &s, &n), -EINVAL);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 360000, 380000); // the layout's 371 kB
}

// What was lost is unknown, though somebody watched.
static void lost_is_unknown(void **state)
{
    (void)state;
    char path[520];
    create(BASE_S);
    put(BASE_S + 60, 1);
    put(BASE_S + 120, 4);
    watch(BASE_S - 60, BASE_S + 300, 0);
    rrd_path_of(path);
    memcpy(path + strlen(path) - 3, "notes", sizeof "notes");
    assert_int_equal(series_notes_put_lost(path, BASE_S / 60 + 1), 0);
    size_t n;
    struct series_sample *s = fetch(BASE_S - 60, BASE_S + 300, 60, 0, &n);
    assert_true(!s[0].observed && isnan(s[0].average[0]) && !s[1].observed);
    assert_true(s[2].observed && s[2].average[0] == 4 && s[3].average[0] == 0);
    free(s);
}

static void bands(void **state)
{
    (void)state;
    watch(BASE_S + 60, BASE_S + 180, 0);
    watch(BASE_S + 180, BASE_S + 240, 500);
    struct series_band *b;
    size_t n;
    assert_int_equal(
        series_coverage(dir, SERIES_SITE, SERIES_SITE_NAME, BASE_S, BASE_S + 300, &b, &n), 0);
    assert_int_equal(n, 4);
    assert_false(b[0].observed);
    assert_true(b[1].observed && b[1].start_s == BASE_S + 60 && b[1].end_s == BASE_S + 180);
    assert_true(b[2].observed && b[2].loss_ppm == 500);
    assert_false(b[3].observed);
    assert_true(b[3].end_s == BASE_S + 300);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silence_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(tail_follows_coverage, setup, teardown),
        cmocka_unit_test_setup_teardown(unobserved_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(peaks_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(row_in_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(lease_hides_the_past, setup, teardown),
        cmocka_unit_test_setup_teardown(watched_in_part, setup, teardown),
        cmocka_unit_test_setup_teardown(day_in_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(beyond_the_reach, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_of_an_older_layout, setup, teardown),
        cmocka_unit_test_setup_teardown(identity, setup, teardown),
        cmocka_unit_test_setup_teardown(unaligned_start, setup, teardown),
        cmocka_unit_test_setup_teardown(month_of_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(errors, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(bands, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
