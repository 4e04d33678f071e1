// The wheel against a plain list: the same order whatever is set, moved and cancelled, and however far
// time jumps.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "wheel.h"

#define ENTRIES 200

static uint64_t seed = 1;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint32_t naive_pop(int64_t *deadline, int64_t now)
{
    uint32_t best = WHEEL_NONE;
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (deadline[i] >= 0 && deadline[i] <= now &&
            (best == WHEEL_NONE || deadline[i] < deadline[best]))
            best = i;
    return best;
}

// Distances of every size, from the same tick to beyond the last level.
static int64_t distance(void)
{
    static const int64_t scale[] = {
        1, 20000, 5000000, 2000000000, INT64_C(400000000000), INT64_C(4000000000000)};
    return (int64_t)(draw() % (uint64_t)scale[draw() % 6]);
}

static void test_against_list(void **state)
{
    (void)state;
    int64_t deadline[ENTRIES], now = 1700000000000000;
    struct wheel *w = wheel_new(ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++)
        deadline[i] = -1;
    for (int round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)(draw() % ENTRIES);
        switch (draw() % 8) {
        case 0:
            wheel_cancel(w, i);
            deadline[i] = -1;
            break;
        case 1: now += distance(); break;
        default:
            // Sometimes in the past: due at once.
            deadline[i] = now + distance() - (draw() % 10 == 0 ? 100000 : 0);
            wheel_set(w, i, deadline[i]);
        }
        assert_int_equal(wheel_deadline(w, i), deadline[i]);
        for (;;) {
            int64_t due;
            uint32_t want = naive_pop(deadline, now), got = wheel_pop(w, now, &due);
            assert_int_equal(got, want);
            if (want == WHEEL_NONE)
                break;
            assert_int_equal(due, deadline[want]);
            deadline[want] = -1;
        }
    }
    wheel_free(w);
}

static void test_limits(void **state)
{
    (void)state;
    int64_t due;
    struct wheel *w = wheel_new(3);
    wheel_set(w, 0, INT64_MAX);
    wheel_set(w, 1, -5);
    assert_int_equal(wheel_deadline(w, 0), WHEEL_TIME_MAX);
    assert_int_equal(wheel_deadline(w, 2), -1);
    assert_int_equal(wheel_pop(w, 0, &due), 1);
    assert_int_equal(due, 0);
    assert_int_equal(wheel_pop(w, WHEEL_TIME_MAX - 1, &due), WHEEL_NONE);
    assert_int_equal(wheel_pop(w, WHEEL_TIME_MAX, &due), 0);
    wheel_cancel(w, 0); // twice is once
    assert_int_equal(wheel_pop(w, WHEEL_TIME_MAX, &due), WHEEL_NONE);
    wheel_free(w);
    wheel_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_list),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
