// The series writer against rows made by hand: slices add up, gaps are written as what they were,
// files are made only for who earned one and at a bounded rate, late rows are counted.
#include "series/writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"

enum { FIRST = 1774137600 / 60 }; // 2026-03-22T00:00Z in minutes

static char dir[SCRATCH_MAX];
static struct distinct_budget budget = {.sketches_max = 16};

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

static struct series_writer *open_writer(int64_t settle_ms, uint32_t creations)
{
    struct series_options o = {.rrd_dir = dir,
                               .settle_ms = settle_ms,
                               .creations_a_minute = creations,
                               .burst_connections = 3,
                               .waiting_minutes_max = 60,
                               .keys_max = 1000};
    struct series_writer *w = NULL;
    char why[300];
    if (series_writer_open(&o, &w, why) != 0)
        fail_msg("%s", why);
    return w;
}

static struct subscriber_key key_of(const char *text)
{
    struct subscriber_key k;
    assert_int_equal(subscriber_key_parse(text, &k), 0);
    return k;
}

// A row with these numbers of the role MX, outbound, and `peers` peers from `first_peer` on.
static void row(struct series_writer *w, const char *who, int64_t minute, uint64_t established,
                uint64_t unanswered, unsigned first_peer, unsigned peers)
{
    struct minute_row *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->minute = minute;
    r->key = key_of(who);
    r->counter[MINUTE_MX][MINUTE_OUT][MINUTE_connections] = established + unanswered;
    r->counter[MINUTE_MX][MINUTE_OUT][MINUTE_established] = established;
    r->counter[MINUTE_MX][MINUTE_OUT][MINUTE_unanswered] = unanswered;
    for (unsigned i = 0; i < peers; i++)
        distinct_add(&r->set[MINUTE_SET_peers_mx], 0, 1000 + first_peer + i, &budget);
    assert_int_equal(series_writer_row(w, r), 0);
    minute_row_fini(r, &budget);
    free(r);
}

static void watched(struct series_writer *w, int64_t first, int64_t end)
{
    for (int64_t m = first; m < end; m++) {
        struct coverage_minute c = {.minute = m, .seconds = 60};
        assert_int_equal(series_writer_coverage(w, &c), 0);
    }
}

static struct series_sample *read_back(enum series_kind kind, const char *name, size_t minutes,
                                       size_t *count)
{
    struct series_range r = {.start_s = (int64_t)FIRST * 60,
                             .end_s = (int64_t)(FIRST + (int64_t)minutes) * 60,
                             .step_s = 60};
    struct series_sample *s = NULL;
    assert_int_equal(series_fetch(dir, kind, name, &r, &s, count), 0);
    return s;
}

static void slices_add_up(void **state)
{
    (void)state;
    struct series_writer *w = open_writer(120000, 300);
    watched(w, FIRST, FIRST + 10);
    row(w, "192.0.2.7", FIRST, 2, 0, 0, 2);
    row(w, "192.0.2.7", FIRST, 1, 4, 1, 4);
    row(w, "192.0.2.8", FIRST, 5, 0, 0, 1);
    // Not written before it has settled.
    series_writer_mark(w, (int64_t)(FIRST + 2) * 60000);
    assert_int_equal(series_writer_stats(w)->minutes_written, 0);
    series_writer_mark(w, (int64_t)(FIRST + 3) * 60000);
    assert_int_equal(series_writer_stats(w)->files_created, 3);
    size_t n;
    struct series_sample *s = read_back(SERIES_SUBSCRIBER, "192.0.2.7", 10, &n);
    assert_true(s[0].average[SERIES_ESTABLISHED] == 3);
    assert_true(s[0].average[SERIES_UNANSWERED] == 4);
    assert_true(s[0].average[SERIES_PEERS] == 5); // 0,1 and 1-4 together
    assert_true(s[1].average[SERIES_ESTABLISHED] == 0);
    free(s);
    s = read_back(SERIES_SITE, SERIES_SITE_NAME, 10, &n);
    assert_true(s[0].average[SERIES_ESTABLISHED] == 8);
    free(s);
    series_writer_close(w);
}

static void gaps_are_what_they_were(void **state)
{
    (void)state;
    struct series_writer *w = open_writer(0, 300);
    watched(w, FIRST, FIRST + 5);
    watched(w, FIRST + 8, FIRST + 20);
    row(w, "192.0.2.7", FIRST, 6, 0, 0, 1);
    series_writer_mark(w, (int64_t)(FIRST + 1) * 60000);
    row(w, "192.0.2.7", FIRST + 12, 7, 0, 0, 1);
    series_writer_mark(w, (int64_t)(FIRST + 13) * 60000);
    size_t n;
    struct series_sample *s = read_back(SERIES_SUBSCRIBER, "192.0.2.7", 20, &n);
    assert_true(s[0].average[0] == 6);
    for (size_t i = 1; i < 5; i++)
        assert_true(s[i].average[0] == 0);
    for (size_t i = 5; i < 8; i++)
        assert_true(isnan(s[i].average[0]));
    for (size_t i = 8; i < 12; i++)
        assert_true(s[i].average[0] == 0);
    assert_true(s[12].average[0] == 7);
    assert_true(s[13].average[0] == 0);
    free(s);
    series_writer_close(w);
}

// Two failed attempts a minute earn nothing; the first established session does, and brings along
// what was held.
static void files_are_earned(void **state)
{
    (void)state;
    struct series_writer *w = open_writer(0, 300);
    watched(w, FIRST, FIRST + 10);
    for (int m = 0; m < 3; m++) {
        row(w, "192.0.2.7", FIRST + m, 0, 2, 0, 1);
        series_writer_mark(w, (int64_t)(FIRST + m + 1) * 60000);
    }
    assert_int_equal(series_writer_stats(w)->files_created, 1); // the site's
    row(w, "192.0.2.7", FIRST + 3, 1, 0, 0, 1);
    series_writer_mark(w, (int64_t)(FIRST + 4) * 60000);
    size_t n;
    struct series_sample *s = read_back(SERIES_SUBSCRIBER, "192.0.2.7", 10, &n);
    for (int m = 0; m < 3; m++)
        assert_true(s[m].average[SERIES_UNANSWERED] == 2);
    assert_true(s[3].average[SERIES_ESTABLISHED] == 1);
    free(s);
    series_writer_close(w);
}

static void creation_is_bounded(void **state)
{
    (void)state;
    struct series_writer *w = open_writer(0, 4);
    char who[32];
    watched(w, FIRST, FIRST + 10);
    for (int i = 0; i < 9; i++) {
        snprintf(who, sizeof who, "192.0.2.%d", i + 1);
        row(w, who, FIRST, 1, 0, 0, 1);
    }
    // The site's own is not held up by the limit.
    series_writer_mark(w, (int64_t)(FIRST + 1) * 60000);
    assert_int_equal(series_writer_stats(w)->files_created, 5);
    assert_int_equal(series_writer_stats(w)->files_waiting, 5);
    assert_int_equal(series_writer_safe_before(w), FIRST); // a restart must not miss those
    series_writer_mark(w, (int64_t)(FIRST + 2) * 60000);
    assert_int_equal(series_writer_stats(w)->files_created, 9);
    series_writer_finish(w);
    assert_int_equal(series_writer_stats(w)->files_created, 10); // nine and the site
    size_t n;
    struct series_sample *s = read_back(SERIES_SUBSCRIBER, "192.0.2.9", 10, &n);
    assert_true(s[0].average[SERIES_ESTABLISHED] == 1); // its first minute was not lost
    free(s);
    series_writer_close(w);
}

// A second writer on the same folder goes on where the files are, and repeats nothing.
static void restart_repeats_nothing(void **state)
{
    (void)state;
    struct series_writer *w = open_writer(0, 300);
    watched(w, FIRST, FIRST + 10);
    row(w, "192.0.2.7", FIRST, 3, 0, 0, 1);
    series_writer_mark(w, (int64_t)(FIRST + 1) * 60000);
    series_writer_close(w);
    w = open_writer(0, 300);
    series_writer_repeating(w, true);
    row(w, "192.0.2.7", FIRST, 3, 0, 0, 1);
    row(w, "192.0.2.7", FIRST + 1, 4, 0, 0, 1);
    series_writer_mark(w, (int64_t)(FIRST + 2) * 60000);
    assert_int_equal(series_writer_stats(w)->files_created, 0);
    size_t n;
    struct series_sample *s = read_back(SERIES_SUBSCRIBER, "192.0.2.7", 10, &n);
    assert_true(s[0].average[0] == 3);
    assert_true(s[1].average[0] == 4);
    free(s);
    series_writer_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slices_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(gaps_are_what_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_earned, setup, teardown),
        cmocka_unit_test_setup_teardown(creation_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(restart_repeats_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
