// Times of a capture's packets, in seconds: what the packet path is given for what stood there, however the
// packets come in batches.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jump.h"

#define MAX 12

static const struct {
    const char *name;
    int was[MAX], is[MAX]; // 0 ends
    unsigned corrected;
} cases[] = {
    {"in order", {1, 2, 3, 4}, {1, 2, 3, 4}, 0},
    {"a pause is one", {1, 2, 900, 901}, {1, 2, 900, 901}, 0},
    {"a pause, then out of order", {1, 2, 900, 899, 901}, {1, 2, 900, 899, 901}, 0},
    {"a pause before the last", {1, 2, 900}, {1, 2, 900}, 0},
    {"one alone far ahead", {1, 2, 9000, 3, 4}, {1, 2, 2, 3, 4}, 1},
    {"two of them apart", {1, 9000, 2, 9000, 3}, {1, 1, 2, 2, 3}, 2},
    {"two in a row are the stream", {1, 900, 901, 3}, {1, 900, 901, 3}, 0},
    {"the first one", {9000, 1, 2, 3}, {1, 1, 2, 3}, 1},
    {"not far", {1, 3, 2, 4}, {1, 3, 2, 4}, 0},
    {"back is not its business", {10, 11, 1, 12}, {10, 11, 1, 12}, 0},
    {"alone ahead behind a pause", {1, 2, 900, 9000, 901, 902}, {1, 2, 900, 900, 901, 902}, 1},
    {"one packet", {5}, {5}, 0},
};

static void one(size_t c, size_t batch)
{
    struct jump j;
    struct source_frame frame[MAX], held;
    uint64_t count = 0;
    uint8_t octet[MAX], seen = 0;
    int got[MAX];
    size_t n = 0, in = 0, out = 0;
    while (n < MAX && cases[c].was[n] != 0)
        n++;
    jump_init(&j, &count);
    while (in < n) {
        size_t k = 0;
        for (; k < batch && in < n; k++, in++) {
            octet[k] = (uint8_t)(in + 1);
            frame[k] = (struct source_frame){.t_us = cases[c].was[in] * INT64_C(1000000),
                                             .data = span_of(&octet[k], 1)};
        }
        if (jump_release(&j, frame, &held)) {
            seen = held.data.data[0];
            assert_int_equal(seen, out + 1);
            got[out++] = (int)(held.t_us / 1000000);
        }
        size_t go = jump_judge(&j, frame, k);
        assert_true(go == k || go + 1 == k);
        for (size_t i = 0; i < go; i++) {
            assert_int_equal(frame[i].data.data[0], out + 1);
            got[out++] = (int)(frame[i].t_us / 1000000);
        }
        memset(octet, 0, sizeof octet); // borrowed no longer
    }
    if (jump_release(&j, NULL, &held))
        got[out++] = (int)(held.t_us / 1000000);
    jump_fini(&j);
    assert_int_equal(out, n);
    for (size_t i = 0; i < n; i++)
        if (got[i] != cases[c].is[i])
            fail_msg("%s, by %zu: packet %zu at %d, not %d", cases[c].name, batch, i, got[i],
                     cases[c].is[i]);
    if (count != cases[c].corrected)
        fail_msg("%s, by %zu: %llu corrected", cases[c].name, batch, (unsigned long long)count);
}

static void test_times(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (size_t batch = 1; batch <= MAX; batch++)
            one(c, batch);
}

static void test_bound(void **state)
{
    (void)state;
    for (int past = 0; past < 2; past++) {
        struct jump j;
        uint64_t count = 0;
        struct source_frame f[] = {{.t_us = 1000000}, {.t_us = 3000000 + past}, {.t_us = 1000000}};
        f[2].t_us = 1000000;
        jump_init(&j, &count);
        assert_int_equal(jump_judge(&j, f, 3), 3);
        assert_int_equal(count, past);
        jump_fini(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
