// Loss by arithmetic done by hand, and a sentence with its fix for each alarm.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/coverage.h"

static void test_loss(void **state)
{
    (void)state;
    static const struct {
        struct coverage c;
        uint32_t ppm;
    } rows[] = {
        {{.packets = 0}, 0},
        {{.packets = 1000}, 0},
        {{.packets = 900, .dropped_ring = 100}, 100000},
        {{.packets = 900, .dropped_ring = 60, .dropped_card = 40}, 100000},
        {{.packets = 0, .dropped_ring = 5}, 1000000},
        {{.packets = 1000, .missing_octets = 1, .seen_octets = 99}, 10000},
        {{.packets = 90, .dropped_card = 10, .missing_octets = 1, .seen_octets = 99}, 100000},
        {{.packets = 99, .dropped_card = 1, .missing_octets = 50, .seen_octets = 50}, 500000},
        {{.packets = UINT64_C(10000000000), .dropped_ring = 1}, 1}, // never none when there is one
        {{.packets = 1, .dropped_ring = 2}, 666667},
        {{.packets = UINT64_MAX, .dropped_ring = UINT64_MAX}, 500000},
        {{.dropped_ring = UINT64_MAX, .dropped_card = UINT64_MAX}, 1000000},
        {{.packets = UINT64_MAX, .dropped_ring = 0}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(coverage_loss_ppm(&rows[i].c), rows[i].ppm);
}

static void test_alarm_texts(void **state)
{
    (void)state;
    for (uint32_t bit = 1; bit <= COVERAGE_LINK_DOWN; bit <<= 1) {
        const char *text = coverage_alarm_text(bit);
        assert_non_null(text);
        size_t n = strlen(text);
        assert_in_range(n, 40, 250);
        assert_int_equal(text[n - 1], '.');
        assert_non_null(strstr(text, ": ")); // what is wrong: what to do
        for (uint32_t other = 1; other < bit; other <<= 1)
            assert_string_not_equal(text, coverage_alarm_text(other));
    }
    assert_null(coverage_alarm_text(0));
    assert_null(coverage_alarm_text(3));
    assert_null(coverage_alarm_text(COVERAGE_LINK_DOWN << 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_alarm_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
