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
        s[i].average[2] = i < 96 ? (double)(i % 4) : (double)NAN; // 0 1 2 3, and four unknown
        s[i].maximum[2] = i < 96 ? (double)i : (double)NAN;
    }
    struct graph_numbers n;
    assert_int_equal(graph_numbers(s, 100, 600, 2, &n), 0);
    assert_true(n.now == 3 && n.average == 1.5 && n.maximum == 95 && n.p95 == 3);
    assert_true(n.total == 1.5 * 96 * 10);
    assert_int_equal(graph_numbers(s, 20, 60, 2, &n), 0);
    assert_true(n.p95 == 3 && n.total == 30);
    s[0].average[2] = 100; // one of twenty is above the 95th, one of nineteen is it
    assert_int_equal(graph_numbers(s, 20, 60, 2, &n), 0);
    assert_true(n.p95 == 3);
    assert_int_equal(graph_numbers(s, 19, 60, 2, &n), 0);
    assert_true(n.p95 == 100);
    assert_int_equal(graph_numbers(s + 96, 4, 60, 2, &n), 0);
    assert_true(isnan(n.now) && isnan(n.average) && isnan(n.maximum) && isnan(n.total));
    assert_int_equal(graph_numbers(s, 0, 60, 2, &n), 0);
    assert_true(isnan(n.p95));
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
