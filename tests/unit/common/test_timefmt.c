// RFC 3339 times: both ways, leap years, times before 1970, offsets, what is refused; and the
// calendar against the C library's for a day in every month of 400 years.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/timefmt.h"

static void both_ways(void **state)
{
    (void)state;
    static const struct {
        int64_t t_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59Z"},
        {-86400000, "1969-12-31T00:00:00Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {951868799999, "2000-02-29T23:59:59.999Z"},
        {951868800000, "2000-03-01T00:00:00Z"},
        {1078012800000, "2004-02-29T00:00:00Z"},
        {-2203977600000, "1900-02-28T00:00:00Z"},
        {-2203891200000, "1900-03-01T00:00:00Z"}, // 1900 was no leap year
        {4107542400000, "2100-03-01T00:00:00Z"},
        {1795326720123, "2026-11-22T05:52:00.123Z"},
        {-62135596800000, "0001-01-01T00:00:00Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[TIME_TEXT_MAX];
        int64_t t_ms = 0;
        assert_ptr_equal(time_format(cases[i].t_ms, text), text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(time_parse(cases[i].text, &t_ms), 0);
        assert_true(t_ms == cases[i].t_ms);
    }
}

static void outside_the_calendar(void **state)
{
    (void)state;
    static const int64_t cases[] = {-62135596800001, 253402300800000, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[TIME_TEXT_MAX];
        assert_string_equal(time_format(cases[i], text), "invalid");
    }
}

static void offsets_and_fractions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *utc;
    } cases[] = {
        {"2026-11-22T05:52:00+01:00", "2026-11-22T04:52:00Z"},
        {"2026-11-22T05:52:00-05:30", "2026-11-22T11:22:00Z"},
        {"2026-11-22T05:52:00-00:00", "2026-11-22T05:52:00Z"},
        {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"},
        {"2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z"},
        {"2026-11-22t05:52:00z", "2026-11-22T05:52:00Z"},
        {"2026-11-22T05:52:00.1Z", "2026-11-22T05:52:00.100Z"},
        {"2026-11-22T05:52:00.12Z", "2026-11-22T05:52:00.120Z"},
        {"2026-11-22T05:52:00.123999999999Z", "2026-11-22T05:52:00.123Z"},
        {"2026-11-22T05:52:00.000001Z", "2026-11-22T05:52:00Z"},
        {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
        {"2017-01-01T00:59:60.250+01:00", "2017-01-01T00:00:00.250Z"},
        {"0000-12-31T23:30:00-01:00", "0001-01-01T00:30:00Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[TIME_TEXT_MAX];
        int64_t t_ms;
        assert_int_equal(time_parse(cases[i].text, &t_ms), 0);
        assert_string_equal(time_format(t_ms, text), cases[i].utc);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2026",
        "2026-11-22",
        "2026-11-22T05:52:00",
        "2026-11-22 05:52:00Z",
        "2026-11-22T05:52Z",
        "2026-11-22T05:52:00.Z",
        "2026-11-22T05:52:00,1Z",
        "2026-11-22T05:52:00ZZ",
        "2026-11-22T05:52:00Z ",
        " 2026-11-22T05:52:00Z",
        "2026-11-22T05:52:00+1:00",
        "2026-11-22T05:52:00+0100",
        "2026-11-22T05:52:00+01",
        "2026-11-22T05:52:00+01:00:00",
        "2026-11-22T05:52:00+24:00",
        "2026-11-22T05:52:00+01:60",
        "2026-00-22T05:52:00Z",
        "2026-13-22T05:52:00Z",
        "2026-11-00T05:52:00Z",
        "2026-11-31T05:52:00Z",
        "2026-02-29T05:52:00Z",
        "1900-02-29T05:52:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T05:60:00Z",
        "2026-11-22T05:52:61Z",
        "2026-11-22T05:52:60Z",
        "2016-12-31T23:59:60+01:00",
        "+2026-11-22T05:52:00Z",
        "-2026-11-22T05:52:00Z",
        "02026-11-22T05:52:00Z",
        "2026-1-22T05:52:00Z",
        "2026-11-22T5:52:00Z",
        "0000-06-01T00:00:00Z",
        "0001-01-01T00:30:00+01:00",
        "9999-12-31T23:30:00-01:00",
        "2026-11-22T05:52:00x",
        "２026-11-22T05:52:00Z",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t_ms = 4711;
        if (time_parse(cases[i], &t_ms) != -EINVAL || t_ms != 4711)
            fail_msg("taken: %s", cases[i]);
    }
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    static const char whole[] = "2026-11-22T05:52:00.123+01:00";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        char cut[sizeof whole];
        int64_t t_ms;
        memcpy(cut, whole, n);
        cut[n] = '\0';
        assert_int_equal(time_parse(cut, &t_ms), -EINVAL);
    }
}

static void like_the_c_library(void **state)
{
    (void)state;
    for (int month = 0; month < 400 * 12; month++) {
        struct tm tm = {.tm_year = 1800 - 1900 + month / 12,
                        .tm_mon = month % 12,
                        .tm_mday = 1 + month % 28,
                        .tm_hour = month % 24,
                        .tm_min = month % 60,
                        .tm_sec = month * 7 % 60};
        char text[TIME_TEXT_MAX], expected[64];
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        int64_t t_ms = (int64_t)timegm(&tm) * 1000, parsed;
        assert_string_equal(time_format(t_ms, text), expected);
        assert_int_equal(time_parse(expected, &parsed), 0);
        assert_true(parsed == t_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(outside_the_calendar),
        cmocka_unit_test(offsets_and_fractions),
        cmocka_unit_test(refused),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(like_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
