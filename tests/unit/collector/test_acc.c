// Accumulators of minutes: their memory, and the rows that are cut from them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acc.h"

// Objects do not overlap and are aligned, whatever their sizes; a table is zeroed.
static void chunks(void **state)
{
    (void)state;
    enum { N = 3000 };
    static const size_t sizes[] = {1, 16, 32, 100, 1500, 65536, 65537, 300000};
    struct chunks c = {0};
    static unsigned char *got[N];
    for (unsigned i = 0; i < N; i++) {
        size_t size = sizes[i % (i % 50 ? 5 : 8)];
        got[i] = chunks_get(&c, size);
        assert_non_null(got[i]);
        assert_int_equal((uintptr_t)got[i] % 16, 0);
        memset(got[i], (int)(i % 251), size);
    }
    for (unsigned i = 0; i < N; i++) {
        size_t size = sizes[i % (i % 50 ? 5 : 8)];
        for (size_t at = 0; at < size; at += at + 1 < size ? size - 1 : 1)
            assert_int_equal(got[i][at], i % 251);
    }
    chunks_fini(&c);
    assert_null(c.first);
    chunks_fini(&c);
    unsigned char *table = chunks_table((size_t)5 << 20);
    assert_non_null(table);
    for (size_t at = 0; at < (size_t)5 << 20; at += 4096)
        assert_int_equal(table[at], 0);
    chunks_table_free(table, (size_t)5 << 20);
    chunks_table_free(NULL, 0);
}

// What a row was cut from is in it, the row is all zero when it was cleared, and what the accumulator held is used again.
static void cut(void **state)
{
    (void)state;
    struct acc_limits limits;
    static struct minute_row row, zero;
    acc_limits_init(&limits, 4, 1);
    struct acc *a = acc_new(&limits);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned role = 0; role < MINUTE_ROLES; role += 2)
            acc_add(a, role, MINUTE_IN, MINUTE_rcpt, role + 1, &limits);
        acc_gauge(a, MINUTE_socks_octets, UINT64_C(1) << 40);
        for (uint64_t v = 1; v <= 40; v++) { // one becomes a sketch, the other has no room for it
            acc_set(a, MINUTE_SET_recipients, 1, v << 40, &limits);
            acc_set(a, MINUTE_SET_senders, 1, v << 40, &limits);
        }
        acc_set(a, MINUTE_SET_helo_names, 1, 7, &limits);
        for (int32_t n = 0; n < 4; n++)
            acc_digest_new(a, (uint64_t)n + 1, 1, &limits)->start_ms = 1000 - 10 * (n & ~1);
        assert_null(acc_digest_new(a, 9, 1, &limits));
        acc_cut(a, &row, &limits);
        for (unsigned role = 0; role < MINUTE_ROLES; role++) {
            bool used = role % 2 == 0;
            assert_int_equal(row.counter[role][MINUTE_IN][MINUTE_rcpt], used ? role + 1 : 0);
            assert_int_equal(row.unused >> (role * MINUTE_DIRECTIONS + MINUTE_IN) & 1, !used);
            assert_int_equal(row.unused >> (role * MINUTE_DIRECTIONS + MINUTE_OUT) & 1, 1);
        }
        assert_true(row.gauge[MINUTE_socks_octets] == UINT64_C(1) << 40);
        assert_true(row.set[MINUTE_SET_recipients].is_hll);
        assert_true(row.set[MINUTE_SET_senders].starved);
        assert_int_equal(row.set[MINUTE_SET_helo_names].count, 1);
        assert_int_equal(row.digest_count, 4);
        assert_int_equal(row.digests_cut, 1);
        static const uint64_t order[] = {3, 4, 1, 2};
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(row.digest[i].flow_hash, order[i]);
        acc_cut_clear(&row, &limits);
        assert_memory_equal(&row, &zero, sizeof row);
        assert_int_equal(limits.budget.sketches, 0);
        assert_false(a->dirty);
    }
    const char *end = limits.chunks.at;
    acc_free(a, &limits);
    assert_ptr_equal(acc_new(&limits), a);
    assert_ptr_equal(limits.chunks.at, end);
    acc_limits_fini(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks),
        cmocka_unit_test(cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
