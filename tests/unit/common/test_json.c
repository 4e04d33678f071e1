// Canonical JSON: one form for one content; numbers; bounded reading of lines.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

static void one_form(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{\"b\": 1, \"a\": 2}", "{\"a\":2,\"b\":1}"},
        {"[1.0, 2.50, -0.0, 1e2, 0.1, 3]", "[1,2.5,0,100,0.1,3]"},
        {"{\"z\":{\"y\":1.0,\"x\":[{\"w\":4.0}]}}", "{\"z\":{\"x\":[{\"w\":4}],\"y\":1}}"},
        {"\"\\u00e4\\u0001\\/\\\"\"", "\"\xc3\xa4\\u0001/\\\"\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {"null", "null"},
        {"5.0", "5"},
        {"true", "true"},
        {"[1e300, 1e-7, 123456789.123]", "[1e300,1e-7,123456789.123]"},
        {"[9007199254740993]", "[9007199254740993]"},
        {"[0.30000000000000004]", "[0.3]"},
        {"[999999999999998.9]", "[999999999999999]"}, // whole once rounded to 15 digits
        {"[999999999999999.9,1e15]", "[1e15,1e15]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *value = json_loads(cases[i].in, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        char *text = json_canonical(value);
        assert_string_equal(text, cases[i].out);
        json_t *again = json_loads(text, JSON_DECODE_ANY, NULL);
        char *second = json_canonical(again);
        assert_string_equal(second, text); // a fixed point
        free(text);
        free(second);
        json_decref(value);
        json_decref(again);
    }
}

static void canonical_leaves_its_argument(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:f,s:[f]}", "a", 1.0, "b", 2.0);
    free(json_canonical(value));
    assert_true(json_is_real(json_object_get(value, "a")));
    assert_true(json_is_real(json_array_get(json_object_get(value, "b"), 0)));
    json_decref(value);
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        double v;
        int digits;
        const char *text;
    } cases[] = {
        {0.1 + 0.2, 6, "0.3"}, {2.675, 2, "2.67"}, // the double lies below 2.675
        {1.0 / 3, 3, "0.333"}, {2.0 / 3, 3, "0.667"},
        {3.9999, 2, "4"},      {-0.001, 2, "0"},
        {-1.5, 1, "-1.5"},     {12, 3, "12"},
        {1e15, 0, "1e15"},     {123456.789, 0, "123457"},
        {0, 2, "0"},           {-7.004, 2, "-7"},
        {99.995, 1, "100"},    {1e-9, 6, "0"},
        {5.5, -3, "6"},        {1234.5678, 99, "1234.5678"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *n = json_number(cases[i].v, cases[i].digits);
        assert_non_null(n);
        char *text = json_canonical(n);
        assert_string_equal(text, cases[i].text);
        free(text);
        json_decref(n);
    }
    assert_true(json_is_null(json_number(NAN, 2)));
    assert_true(json_is_null(json_number(INFINITY, 2)));
    assert_true(json_is_null(json_number(-INFINITY, 2)));
}

static void written_lines(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    json_t *value = json_pack("{s:i,s:s}", "n", 1, "a", "x\ny");
    assert_int_equal(json_write_line(f, value), 0);
    assert_int_equal(json_write_line(f, value), 0);
    fclose(f);
    assert_string_equal(text, "{\"a\":\"x\\ny\",\"n\":1}\n{\"a\":\"x\\ny\",\"n\":1}\n");
    free(text);

    FILE *full = fopen("/dev/full", "w");
    if (full) {
        setvbuf(full, NULL, _IONBF, 0);
        assert_int_equal(json_write_line(full, value), -EIO);
        fclose(full);
    }
    json_decref(value);
}

static FILE *input(const char *text, size_t len)
{
    FILE *f = fmemopen((void *)text, len, "r");
    assert_non_null(f);
    return f;
}

static void read_lines(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1}\n"
                               "{\"a\":\n"
                               "\n"
                               "{\"a\":1,\"a\":2}\n"
                               "{\"a\":1} x\n"
                               "[\"0123456789012345678901234567890123456789\"]\n"
                               "{\"a\":2}\r\n"
                               "\"\\u0000\"\n"
                               "\xff\xfe\n"
                               "[3]";
    static const int expected[] = {1, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
                                   1, -EINVAL, -EINVAL, 1,       0,       0};
    FILE *f = input(text, sizeof text - 1);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        json_t *value = NULL;
        char error[160] = "";
        int rc = json_read_line(f, 40, &value, error);
        assert_int_equal(rc, expected[i]);
        assert_int_equal(value != NULL, rc == 1);
        assert_int_equal(error[0] != '\0', rc < 0);
        if (i == 5)
            assert_non_null(strstr(error, "longer than 40 octets"));
        json_decref(value);
    }
    fclose(f);
}

static void line_of_exactly_the_maximum(void **state)
{
    (void)state;
    static const char text[] = "[12345]\n[123456]\n[1]\n";
    FILE *f = input(text, sizeof text - 1);
    json_t *value = NULL;
    char error[160];
    assert_int_equal(json_read_line(f, 7, &value, error), 1);
    json_decref(value);
    assert_int_equal(json_read_line(f, 7, &value, error), -EINVAL);
    assert_int_equal(json_read_line(f, 7, &value, error), 1);
    json_decref(value);
    assert_int_equal(json_read_line(f, 7, &value, error), 0);
    fclose(f);
}

static void deep_nesting(void **state)
{
    (void)state;
    // jansson refuses before the stack is at risk.
    enum { DEPTH = 100000 };
    char *text = malloc(2 * DEPTH);
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    FILE *f = input(text, 2 * DEPTH);
    json_t *value = NULL;
    char error[160];
    assert_int_equal(json_read_line(f, 2 * DEPTH, &value, error), -EINVAL);
    fclose(f);
    free(text);
}

static void unreadable(void **state)
{
    (void)state;
    FILE *f = fopen("/", "r"); // a folder opens and cannot be read
    assert_non_null(f);
    json_t *value = NULL;
    char error[160] = "";
    assert_int_equal(json_read_line(f, 100, &value, error), -EIO);
    assert_true(error[0] != '\0');
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_form),     cmocka_unit_test(canonical_leaves_its_argument),
        cmocka_unit_test(numbers),      cmocka_unit_test(written_lines),
        cmocka_unit_test(read_lines),   cmocka_unit_test(line_of_exactly_the_maximum),
        cmocka_unit_test(deep_nesting), cmocka_unit_test(unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
