// The numbers below a picture, worked out by hand.
#include "web/graph_legend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void numbers(void **state)
{
    (void)state;
    struct series_sample s[100];
    memset(s, 0, sizeof s);
    for (int i = 0; i < 100; i++) {
        s[i].t_s = (i + 1) * 600;
        s[i].minutes = i < 96 ? 10 : 0;
        s[i].watched_s = i < 96 ? 600 : 0;
        s[i].observed = i < 96;
        s[i].average[2] = i < 96 ? (double)(i % 4) : (double)NAN; // 0 1 2 3, and four unknown
        s[i].maximum[2] = i < 96 ? (double)i : (double)NAN;
    }
    struct graph_numbers n;
    assert_int_equal(graph_numbers(s, 100, 600, 2, &n), 0);
    assert_true(n.now == 3 && n.average == 1.5 && n.maximum == 95 && n.p95 == 3);
    assert_true(n.total == 1.5 * 96 * 10);
    assert_int_equal(graph_numbers(s, 20, 600, 2, &n), 0);
    assert_true(n.p95 == 3 && n.total == 300);
    s[0].average[2] = 100; // one of twenty is above the 95th, one of nineteen is it
    assert_int_equal(graph_numbers(s, 20, 600, 2, &n), 0);
    assert_true(n.p95 == 3);
    assert_int_equal(graph_numbers(s, 19, 600, 2, &n), 0);
    assert_true(n.p95 == 100);
    assert_int_equal(graph_numbers(s + 96, 4, 600, 2, &n), 0);
    assert_true(isnan(n.now) && isnan(n.average) && isnan(n.maximum) && isnan(n.total));
    assert_int_equal(graph_numbers(s, 0, 60, 2, &n), 0);
    assert_true(isnan(n.p95));
}

// Three intervals of ten minutes: all watched with 6 a minute, 2 minutes of it with 30, none; and one of
// another party. 60 + 60 were counted in 12 of 30 minutes.
static void watched_in_part(void **state)
{
    (void)state;
    struct series_sample s[4] = {
        {.t_s = 600,
         .average = {6},
         .maximum = {9},
         .minutes = 10,
         .watched_s = 600,
         .observed = true},
        {.t_s = 1200,
         .average = {30},
         .maximum = {40},
         .minutes = 2,
         .watched_s = 90,
         .observed = true},
        {.t_s = 1800, .average = {NAN}, .maximum = {NAN}},
        {.t_s = 2400, .average = {NAN}, .maximum = {NAN}, .observed = true, .others = true},
    };
    struct graph_numbers n;
    assert_int_equal(graph_numbers(s, 4, 600, 0, &n), 0);
    assert_true(n.total == 120 && n.average == 10 && n.now == 30 && n.maximum == 40);
    struct series_total t = series_sum(s, 4, 600, 0, 0);
    char text[SERIES_SHARE_MAX];
    assert_true(t.counted == 120 && t.minutes == 12 && t.watched_s == 690 && t.span_s == 1800);
    assert_string_equal(series_share(&t, text), "38.3 %");
    t = series_sum(s, 4, 600, 0, 1500); // what comes after it is not over yet
    assert_true(t.counted == 120 && t.span_s == 1500);
    assert_string_equal(series_share(&t, text), "46.0 %");
    t = series_sum(s, 1, 600, 0, 0);
    assert_string_equal(series_share(&t, text), "all");
    t = series_sum(s + 2, 1, 600, 0, 0);
    assert_true(isnan(t.counted) && t.minutes == 0);
    assert_string_equal(series_share(&t, text), "none");
    t = (struct series_total){.watched_s = 1, .span_s = 86400};
    assert_string_equal(series_share(&t, text), "<0.1 %");
    t.watched_s = 86399;
    assert_string_equal(series_share(&t, text), "99.9 %");
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"},
                 {0.2, "<1"},
                 {0.49, "<1"},
                 {0.5, "1"},
                 {0.51, "1"},
                 {999, "999"},
                 {1000, "1,000"},
                 {-1234, "-1,234"},
                 {123456, "123,456"},
                 {NAN, "-"},
                 {1234567, "1,234,567"},
                 {1e20, "-"}};
    char out[GRAPH_NUMBER_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(graph_number(cases[i].v, out), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(watched_in_part),
                                       cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
