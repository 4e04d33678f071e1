// Distinct counting: exact to 32, a sketch above with the published error, a budget, and an encoding that
// survives a round trip and refuses what is broken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "common/distinct.h"

// splitmix64: values that look like hashes.
static uint64_t hash_of(uint64_t n)
{
    n += 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

static void fill(struct distinct *d, uint64_t from, uint64_t count, struct distinct_budget *budget)
{
    for (uint64_t i = 0; i < count; i++)
        assert_true(distinct_add(d, 7, hash_of(from + i), budget));
}

static void exact_to_32(void **state)
{
    (void)state;
    struct distinct d = {0};
    for (unsigned n = 1; n <= 32; n++) {
        fill(&d, 0, n, NULL); // each again, and a new one
        assert_int_equal((int)distinct_count(&d), n);
        assert_false(d.is_hll);
    }
    bool exact;
    assert_true(distinct_has(&d, hash_of(31), &exact));
    assert_true(exact);
    assert_false(distinct_has(&d, hash_of(32), &exact));
    assert_true(exact);
    uint64_t value[40];
    assert_int_equal(distinct_values(&d, value, 3), 3);
    assert_int_equal(distinct_values(&d, value, 40), 32);
    for (unsigned i = 0; i < 32; i++)
        assert_true(distinct_has(&d, value[i], &exact));
    fill(&d, 32, 1, NULL);
    assert_true(d.is_hll);
    assert_int_equal(distinct_values(&d, value, 40), 0); // a sketch has none
    assert_true(fabs(distinct_count(&d) - 33) < 1);
    distinct_clear(&d, NULL);
    assert_int_equal((int)distinct_count(&d), 0);
}

static void sketch_is_close(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {100, 500, 2000, 6000, 20000, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct distinct d = {0};
        fill(&d, 1000000 * i, sizes[i], NULL);
        double error = fabs(distinct_count(&d) - (double)sizes[i]) / (double)sizes[i];
        assert_true(error < 0.07); // three standard errors
        bool exact;
        for (uint64_t v = 0; v < 50; v++)
            assert_true(distinct_has(&d, hash_of(1000000 * i + v), &exact));
        assert_false(exact);
        distinct_clear(&d, NULL);
    }
}

static void key_ids_do_not_mix(void **state)
{
    (void)state;
    struct distinct a = {0}, b = {0}, none = {0};
    assert_true(distinct_add(&a, 1, 10, NULL));
    assert_false(distinct_add(&a, 2, 11, NULL));
    assert_true(distinct_add(&b, 2, 11, NULL));
    assert_false(distinct_merge(&a, &b, NULL));
    assert_int_equal((int)distinct_count(&a), 1);
    assert_true(distinct_merge(&none, &b, NULL));
    assert_int_equal(none.key_id, 2);
    assert_true(
        distinct_merge(&a, &(struct distinct){.key_id = 9}, NULL)); // an empty one changes nothing
    assert_int_equal(a.key_id, 1);
    distinct_clear(&a, NULL);
    distinct_clear(&b, NULL);
    distinct_clear(&none, NULL);
}

static void merge_is_union(void **state)
{
    (void)state;
    static const unsigned sizes[][3] = {
        // size of a, of b, first of b
        {10, 10, 5}, {32, 32, 0}, {20, 20, 20}, {30, 500, 100}, {500, 30, 10}, {4000, 4000, 2000},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct distinct a = {0}, b = {0}, both = {0};
        fill(&a, 0, sizes[i][0], NULL);
        fill(&b, sizes[i][2], sizes[i][1], NULL);
        fill(&both, 0, sizes[i][0], NULL);
        fill(&both, sizes[i][2], sizes[i][1], NULL);
        assert_true(distinct_merge(&a, &b, NULL));
        assert_true(fabs(distinct_count(&a) - distinct_count(&both)) < 1e-9);
        distinct_clear(&a, NULL);
        distinct_clear(&b, NULL);
        distinct_clear(&both, NULL);
    }
}

static void budget_is_kept(void **state)
{
    (void)state;
    struct distinct_budget budget = {.sketches_max = 1};
    struct distinct a = {0}, b = {0};
    fill(&a, 0, 40, &budget);
    fill(&b, 0, 40, &budget);
    assert_true(a.is_hll);
    assert_false(b.is_hll);
    assert_true(b.starved);
    assert_int_equal((int)distinct_count(&b), 32);
    assert_int_equal(budget.sketches, 1);
    assert_int_equal(budget.refused, 1);
    bool exact;
    assert_false(distinct_has(&b, hash_of(39), &exact));
    assert_false(exact);
    distinct_clear(&a, &budget);
    assert_int_equal(budget.sketches, 0);
    distinct_clear(&b, &budget);
    fill(&b, 0, 40, &budget);
    assert_true(b.is_hll);
    distinct_clear(&b, &budget);
}

static void encoding_round_trip(void **state)
{
    (void)state;
    static const unsigned sizes[] = {0, 1, 5, 32, 33, 300, 3000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct distinct d = {0}, back = {0};
        struct buf out;
        buf_init(&out, 8192);
        fill(&d, 0, sizes[i], NULL);
        d.starved = i % 2;
        distinct_encode(&d, &out);
        struct cursor c = cursor_of(buf_span(&out));
        assert_true(distinct_decode(&c, &back, NULL));
        assert_int_equal(cursor_left(&c), 0);
        assert_int_equal(back.is_hll, d.is_hll);
        assert_int_equal(back.starved, d.starved);
        assert_int_equal(back.key_id, d.key_id);
        assert_true(fabs(distinct_count(&back) - distinct_count(&d)) < 1e-9);
        // Cut at every offset (of the short ones): refused, and left empty.
        for (size_t len = 0; len < out.len && out.len < 400; len++) {
            struct distinct cut;
            struct cursor part = cursor_of(span_of(out.data, len));
            assert_false(distinct_decode(&part, &cut, NULL));
            assert_true(part.failed);
            assert_null(cut.store);
        }
        distinct_clear(&d, NULL);
        distinct_clear(&back, NULL);
        buf_fini(&out);
    }
}

static void broken_encodings(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t octet[24];
        size_t len;
    } cases[] = {
        {"more than 32 exact values", {33, 1}, 2},
        {"values not ascending", {2, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5}, 18},
        {"a sketch with a count", {0x81, 1, 0}, 3},
        {"more registers than there are", {0x80, 1, 0x81, 0x10}, 4},
        {"a register behind the last", {0x80, 1, 1, 0x80, 0x10, 1}, 6},
        {"rank zero", {0x80, 1, 1, 0, 0}, 5},
        {"rank above 54", {0x80, 1, 1, 0, 55}, 5},
        {"second register behind the last", {0x80, 1, 2, 0, 1, 0xff, 0x0f, 1}, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct distinct d;
        struct cursor c = cursor_of(span_of(cases[i].octet, cases[i].len));
        if (distinct_decode(&c, &d, NULL))
            fail_msg("accepted: %s", cases[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_to_32),        cmocka_unit_test(sketch_is_close),
        cmocka_unit_test(key_ids_do_not_mix), cmocka_unit_test(merge_is_union),
        cmocka_unit_test(budget_is_kept),     cmocka_unit_test(encoding_round_trip),
        cmocka_unit_test(broken_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
