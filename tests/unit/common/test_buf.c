// The output buffer: encodings, the maximum, the sticky error; and the cursor that reads them back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/cursor.h"

static void fields_round_trip(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_be(&b, 0xab, 1);
    buf_be(&b, 0x1234, 2);
    buf_be(&b, 0xfedcba, 3);
    buf_be(&b, 0xdeadbeef, 4);
    buf_be(&b, UINT64_MAX, 8);
    buf_be(&b, 0x123456789a, 2); // the low octets
    buf_bytes(&b, NULL, 0);
    buf_text(&b, "ok");
    buf_printf(&b, "%d-%s", 42, "x");
    assert_false(b.failed);
    assert_int_equal(b.len, 1 + 2 + 3 + 4 + 8 + 2 + 2 + 4);

    struct cursor c = cursor_of(buf_span(&b));
    assert_int_equal(cursor_u8(&c), 0xab);
    assert_int_equal(cursor_u16(&c), 0x1234);
    assert_int_equal(cursor_u24(&c), 0xfedcba);
    assert_int_equal(cursor_u32(&c), 0xdeadbeef);
    assert_true(cursor_u64(&c) == UINT64_MAX);
    assert_int_equal(cursor_le(&c, 2), 0x9a78);
    assert_true(span_equal(cursor_take(&c, 6), span_of_text("ok42-x")));
    assert_false(c.failed);
    assert_int_equal(cursor_left(&c), 0);
    buf_fini(&b);
}

static void varints(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        size_t len;
    } cases[] = {{0, 1},
                 {1, 1},
                 {127, 1},
                 {128, 2},
                 {16383, 2},
                 {16384, 3},
                 {UINT32_MAX, 5},
                 {(uint64_t)1 << 35, 6},
                 {INT64_MAX, 9},
                 {UINT64_MAX, 10},
                 {(uint64_t)1 << 63, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        buf_init(&b, 100);
        buf_varint(&b, cases[i].v);
        assert_int_equal(b.len, cases[i].len);
        struct cursor c = cursor_of(buf_span(&b));
        assert_true(cursor_varint(&c) == cases[i].v);
        assert_false(c.failed);
        // Every shorter input fails, at an allocation's very end.
        for (size_t n = 0; n < b.len; n++) {
            uint8_t *exact = malloc(n ? n : 1);
            memcpy(exact, b.data, n);
            c = cursor_of(span_of(exact, n));
            assert_true(cursor_varint(&c) == 0);
            assert_true(c.failed);
            free(exact);
        }
        buf_fini(&b);
    }
}

static void varints_refused(void **state)
{
    (void)state;
    // Eleven octets; a tenth with more than the one bit that is left.
    static const uint8_t overlong[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                       0x80, 0x80, 0x80, 0x80, 0x00};
    static const uint8_t overflow[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    struct cursor c = cursor_of(span_of(overlong, sizeof overlong));
    assert_true(cursor_varint(&c) == 0 && c.failed);
    c = cursor_of(span_of(overflow, sizeof overflow));
    assert_true(cursor_varint(&c) == 0 && c.failed);
}

static void cursor_error_sticks(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3};
    struct cursor c = cursor_of(span_of(data, sizeof data));
    assert_int_equal(cursor_u16(&c), 0x0102);
    assert_int_equal(cursor_rest(&c).len, 1);
    assert_int_equal(cursor_u16(&c), 0);
    assert_true(c.failed);
    assert_int_equal(cursor_u8(&c), 0); // though one octet is there
    assert_int_equal(cursor_left(&c), 0);
    assert_int_equal(cursor_rest(&c).len, 0);
    assert_false(cursor_skip(&c, 0));
    c = cursor_of(span_of(data, sizeof data));
    assert_true(cursor_skip(&c, 3));
    assert_false(cursor_skip(&c, SIZE_MAX));
}

static void maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_text(&b, "12345678");
    buf_text(&b, "9a");
    assert_false(b.failed);
    buf_text(&b, "b");
    assert_true(b.failed);
    assert_int_equal(b.len, 10);
    assert_true(b.cap <= 10);
    buf_be(&b, 1, 1); // the error sticks
    buf_patch_be(&b, 0, 0x30, 1);
    assert_true(span_equal(buf_span(&b), span_of_text("123456789a")));
    buf_clear(&b);
    assert_false(b.failed);
    buf_be(&b, 0, 8);
    buf_be(&b, 0, 4); // does not fit whole: nothing of it is written
    assert_true(b.failed);
    assert_int_equal(b.len, 8);
    buf_fini(&b);

    buf_init(&b, 0);
    buf_text(&b, "");
    assert_false(b.failed);
    buf_text(&b, "x");
    assert_true(b.failed);
    buf_fini(&b);
}

static void long_printf(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 2000);
    buf_printf(&b, "%0600d", 7);
    assert_int_equal(b.len, 600);
    assert_int_equal(b.data[599], '7');
    buf_printf(&b, "%01401d", 7);
    assert_true(b.failed);
    assert_int_equal(b.len, 600);
    buf_fini(&b);
}

static void patch_and_consume(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_be(&b, 0, 2);
    buf_text(&b, "hello");
    buf_patch_be(&b, 0, b.len - 2, 2);
    assert_int_equal(b.data[0], 0);
    assert_int_equal(b.data[1], 5);
    buf_consume(&b, 2);
    assert_true(span_equal(buf_span(&b), span_of_text("hello")));
    buf_consume(&b, 5);
    assert_int_equal(b.len, 0);
    buf_consume(&b, 0);
    buf_fini(&b);
}

static void growth(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    for (int i = 0; i < 100000; i++)
        buf_be(&b, (uint64_t)i, 1);
    assert_false(b.failed);
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], i & 0xff);
    buf_be(&b, 0, 1);
    assert_true(b.failed);
    buf_fini(&b);
}

static void spans(void **state)
{
    (void)state;
    struct span s = span_of_text("Hello");
    assert_true(span_equal_text(s, "hELLO"));
    assert_false(span_equal_text(s, "Hell"));
    assert_true(span_begins(s, "he"));
    assert_true(span_begins(s, ""));
    assert_false(span_begins(s, "Hello!"));
    assert_true(span_equal(span_cut(s, 1, 3), span_of_text("ell")));
    assert_true(span_equal(span_cut(s, 4, 9), span_of_text("o")));
    assert_int_equal(span_cut(s, 5, 1).len, 0);
    assert_int_equal(span_cut(s, 6, 1).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_round_trip),
        cmocka_unit_test(varints),
        cmocka_unit_test(varints_refused),
        cmocka_unit_test(cursor_error_sticks),
        cmocka_unit_test(maximum),
        cmocka_unit_test(long_printf),
        cmocka_unit_test(patch_and_consume),
        cmocka_unit_test(growth),
        cmocka_unit_test(spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
