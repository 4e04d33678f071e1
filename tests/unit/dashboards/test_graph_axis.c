// Where the lines of a picture stand: weeks begin on Monday, and are called by their ISO number.
#include "web/graph_axis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { DAY = 86400 };

static void grids(void **state)
{
    (void)state;
    static const struct {
        int64_t span_s;
        const char *wide, *narrow; // a part of the grid; NULL: librrd's own
    } cases[] = {
        {3600, NULL, NULL},
        {DAY, NULL, NULL},
        {3 * DAY - 1, NULL, NULL},
        {7 * DAY, "DAY:1:86400:%a %d", "DAY:1:86400:%d"},
        {31 * DAY, "WEEK:1:604800:Week %V", "WEEK:1:604800:W%V"},
        {90 * DAY, "MONTH:1:2592000:%b %Y", "MONTH:1:2592000:%b"},
        {368 * DAY, "MONTH:1:2592000:%b", "MONTH:3:0:%b"},
        {3650LL * DAY, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int narrow = 0; narrow < 2; narrow++) {
            struct graph_axis a = graph_axis_of(cases[i].span_s, narrow);
            const char *want = narrow ? cases[i].narrow : cases[i].wide;
            assert_int_equal(a.grid == NULL, want == NULL);
            if (want)
                assert_non_null(strstr(a.grid, want));
            assert_int_equal(a.weeks, want && strstr(want, "WEEK"));
        }
}

// librrd looks for local Sundays at midnight, and calls a week by the local time of its middle.
static void weeks_begin_on_monday(void **state)
{
    (void)state;
    struct graph_axis month = graph_axis_of(31 * DAY, false),
                      year = graph_axis_of(366 * DAY, false);
    struct tm tm;
    char iso[4], label[4];
    graph_axis_use(&month);
    const time_t monday = 1771804800; // 2026-02-23T00:00:00Z
    for (int week = -400; week < 400; week++) {
        time_t begin = monday + week * 7 * DAY, middle = begin + 7 * DAY / 2;
        assert_non_null(localtime_r(&begin, &tm));
        assert_true(tm.tm_wday == 0 && tm.tm_hour == 0 && tm.tm_min == 0);
        strftime(label, sizeof label, "%V", localtime_r(&middle, &tm));
        strftime(iso, sizeof iso, "%V", gmtime_r(&begin, &tm));
        assert_string_equal(label, iso);
    }
    graph_axis_use(&year);
    assert_non_null(localtime_r(&monday, &tm));
    assert_true(tm.tm_wday == 1 && tm.tm_hour == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(grids),
                                       cmocka_unit_test(weeks_begin_on_monday)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
