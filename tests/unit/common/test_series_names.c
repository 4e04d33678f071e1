// Places and times of series as texts.
#include "common/series.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want; // -1: refused
    } cases[] = {
        {"now", 1000000},
        {"now-24h", 1000000 - 86400},
        {"now-15m", 1000000 - 900},
        {"now+1d", 1000000 + 86400},
        {"now-", -1},
        {"now-5", -1},
        {"now-0y", 1000000},
        {"now+1y", 1000000 + 366 * 86400},
        {"now-5M", -1},
        {"1234", 1234},
        {"-5", -1},
        {"12x", -1},
        {"", -1},
        {"1970-01-02T00:00:00Z", 86400},
        {"now--5m", -1},
        {"now-99999999999999999999h", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = -1;
        int rc = series_parse_time(cases[i].text, 1000000, &t);
        assert_int_equal(rc, cases[i].want < 0 ? -EINVAL : 0);
        assert_int_equal(t, cases[i].want);
    }
}

static void paths(void **state)
{
    (void)state;
    char a[SERIES_PATH_MAX], b[SERIES_PATH_MAX];
    series_path(SERIES_SUBSCRIBER, "192.0.2.7", a);
    assert_non_null(strstr(a, "/192.0.2.7.rrd"));
    assert_int_equal(strncmp(a, "subscriber/", 11), 0);
    // Names that could leave the folder, or that are too long, become their hash.
    static const char *const odd[] = {"../../etc/passwd", "a b", "", "x\n"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        series_path(SERIES_SUBSCRIBER, odd[i], b);
        assert_null(strstr(b, ".."));
        assert_int_equal(strlen(b), strlen("subscriber/aa/bb/.rrd") + 32);
    }
    series_path(SERIES_SUBSCRIBER, "vlan:5/10.0.0.1", a);
    assert_non_null(strstr(a, "/vlan:5_10.0.0.1.rrd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(times), cmocka_unit_test(paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
