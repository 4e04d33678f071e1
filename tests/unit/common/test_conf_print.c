// Printing a configuration: what is printed loads again to the same, with comments and without, for
// texts of any kind; the hash follows the values and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_sample.h"

static struct conf_section section_of(struct sample *c)
{
    return (struct conf_section){"sensor", sample_keys, c};
}

static void load(const char *text, struct sample *c)
{
    struct conf_section section = section_of(c);
    if (conf_load_text("t.yaml", "/etc/postern", text, strlen(text), &section, 1, stderr) != 0)
        fail_msg("not loaded: %s", text);
}

static char *print(struct sample *c, bool comments)
{
    struct conf_section section = section_of(c);
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_int_equal(conf_print(&section, 1, comments, f), 0);
    fclose(f);
    return text;
}

// Prints, loads, prints: the same text, and the same with comments between. Returns the text.
static char *round_trip(struct sample *c)
{
    struct sample again;
    char *first = print(c, false);
    load(first, &again);
    char *second = print(&again, false);
    assert_string_equal(second, first);
    char *commented = print(&again, true);
    conf_free(sample_keys, &again);
    load(commented, &again);
    char *third = print(&again, false);
    assert_string_equal(third, first);
    conf_free(sample_keys, &again);
    free(second);
    free(third);
    free(commented);
    return first;
}

static void defaults(void **state)
{
    (void)state;
    struct sample c;
    load("", &c);
    char *text = round_trip(&c);
    assert_string_equal(text, "sensor:\n"
                              "  flag: true\n"
                              "  number: 65536\n"
                              "  ratio: 0.3\n"
                              "  idle: 5m\n"
                              "  memory: 64M\n"
                              "  text: \"\"\n"
                              "  file: /var/lib/postern/x\n"
                              "  mode: watch\n"
                              "  nets:\n"
                              "    - 192.0.2.0/24\n"
                              "    - 2001:db8::/32\n"
                              "  sub:\n"
                              "    depth: 3\n"
                              "    inner:\n"
                              "      leaf: green\n");
    free(text);
    conf_free(sample_keys, &c);
}

static void reference(void **state)
{
    (void)state;
    struct sample c;
    load("", &c);
    char *text = print(&c, true);
    static const char *const parts[] = {
        "  # A number.\n  # (whole number from 1024 to 100000000, in flows; default 65536)\n"
        "  number: 65536\n",
        "  # A text or nothing.\n  # (text; optional)\n  # maybe:\n",
        "  # A text.\n  # (text from 0 to 1000 octets long; default \"\")\n  text: \"\"\n",
        "  # A word.\n  # (one of off, watch, enforce; default watch)\n  mode: watch\n",
        "  # (duration from 250ms to 7d; default 5m)\n",
        "  # (size from 512 to 1T; default 64M)\n",
        "  # A section.\n  sub:\n    # Depth.\n    # (whole number from 1 to 9; default 3)\n",
        "  # Outputs.\n  # (list of sections; optional)\n  # Each element:\n"
        "  #   url: Where to. (text; required)\n"
        "  #   retries: Tries after the first. (whole number from 0 to 10; default 2)\n",
        "  # (list of texts from 0 to 4 elements; optional)\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text, parts[i]))
            fail_msg("part %zu is not in:\n%s", i, text);
    }
    free(text);
    conf_free(sample_keys, &c);
}

static void values(void **state)
{
    (void)state;
    struct sample c;
    load("sensor:\n"
         "  flag: false\n"
         "  any_number: -5\n"
         "  ratio: 0.1\n"
         "  idle: 90061001ms\n"
         "  memory: 1536k\n"
         "  maybe: ''\n"
         "  nets: []\n"
         "  words: [a, '', '- x', '2001:db8::']\n"
         "  outputs:\n"
         "    - url: x\n"
         "      labels: [l]\n"
         "    - {retries: 1, url: 'a: b #c'}\n",
         &c);
    char *text = round_trip(&c);
    assert_string_equal(text, "sensor:\n"
                              "  flag: false\n"
                              "  number: 65536\n"
                              "  any_number: -5\n"
                              "  ratio: 0.1\n"
                              "  idle: 90061001ms\n"
                              "  memory: 1536k\n"
                              "  text: \"\"\n"
                              "  maybe: \"\"\n"
                              "  file: /var/lib/postern/x\n"
                              "  mode: watch\n"
                              "  nets: []\n"
                              "  words:\n"
                              "    - a\n"
                              "    - \"\"\n"
                              "    - \"- x\"\n"
                              "    - \"2001:db8::\"\n"
                              "  sub:\n"
                              "    depth: 3\n"
                              "    inner:\n"
                              "      leaf: green\n"
                              "  outputs:\n"
                              "    - url: x\n"
                              "      retries: 2\n"
                              "      labels:\n"
                              "        - l\n"
                              "    - url: \"a: b #c\"\n"
                              "      retries: 1\n");
    free(text);
    conf_free(sample_keys, &c);
}

// A text as a value, set directly and through print and load.
static void check_text(const char *text)
{
    struct sample c, again;
    load("", &c);
    free(c.text);
    c.text = strdup(text);
    c.words.item = calloc(1, sizeof *c.words.item);
    c.words.count = 1;
    c.words.item[0] = strdup(text);
    char *printed = print(&c, false);
    load(printed, &again);
    assert_string_equal(again.text, text);
    assert_string_equal(again.words.item[0], text);
    conf_free(sample_keys, &c);
    conf_free(sample_keys, &again);
    free(printed);
}

static void texts_of_any_kind(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "a b",
        " a",
        "a ",
        "null",
        "~",
        "true",
        "no",
        "1",
        "-",
        "- a",
        "-1",
        "?",
        "? a",
        ":",
        "a:",
        "a: b",
        "a:b",
        ":a",
        "#",
        "a #b",
        "a#b",
        "#a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'",
        "it's",
        "\"",
        "a\"b",
        "\\",
        "a\\nb",
        "\n",
        "a\nb\n",
        "\t",
        "a\tb",
        "\r\n",
        "\x01",
        "\x1b[31m",
        "\x7f",
        "[a]",
        "{a: b}",
        "a,b",
        "[",
        "]",
        "...",
        "---",
        "--- a",
        "=",
        "<<",
        "Zürich",
        "€",
        "📧",
        "\xc2\x80",
        "\xc2\x85",
        "\xc2\xa0",
        "\xe2\x80\xa8",
        "\xe2\x80\xa9",
        "\xef\xbb\xbf",
        "_\xef\xbb\xbf_",
        "\xef\xbf\xbe",
        "\xef\xbf\xbf",
        "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "://",
        "http://x/y?z=1&a=b#c",
        "::1",
        "2001:db8::",
        "12:30",
        "0x1f",
        "1e5",
        ".5",
        "%20",
        "a\\",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_text(texts[i]);
    // Every character of Unicode's first 0x3100, each between others.
    for (unsigned c = 1; c < 0x3100; c++) {
        char text[8];
        if (c < 0x80)
            snprintf(text, sizeof text, "a%cb", (int)c);
        else if (c < 0x800)
            snprintf(text, sizeof text, "a%c%cb", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
        else
            snprintf(text, sizeof text, "a%c%c%cb", (int)(0xe0 | c >> 12),
                     (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
        if (c < 0x120 || (c > 0x1ff0 && c < 0x2070) || c % 97 == 0)
            check_text(text);
    }
}

static void numbers_exactly(void **state)
{
    (void)state;
    static const double reals[] = {
        0, 1, 0.1, 1.0 / 3, 2.0 / 3, 1e-9, 5e-324, 0.30000000000000004, 0.999999999999999};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        struct sample c, again;
        load("", &c);
        c.ratio = reals[i];
        c.idle_ms = (int64_t)(250 + i * 86400000 / 2);
        c.memory = (int64_t)(512 + i * 512);
        char *text = print(&c, false);
        load(text, &again);
        assert_true(again.ratio == c.ratio);
        assert_true(again.idle_ms == c.idle_ms);
        assert_true(again.memory == c.memory);
        free(text);
        conf_free(sample_keys, &c);
        conf_free(sample_keys, &again);
    }
}

// As people write them, whatever the size; all of them load again (above).
static void numbers_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {10, "ratio: 10\n"},
        {0.5, "ratio: 0.5\n"},
        {100, "ratio: 100\n"},
        {2000000, "ratio: 2000000\n"},
        {1e15, "ratio: 1000000000000000\n"},
        {-40, "ratio: -40\n"},
        {1250.25, "ratio: 1250.25\n"},
        {1e-5, "ratio: 0.00001\n"},
        {1.5e-6, "ratio: 0.0000015\n"},
        {1e-9, "ratio: 1e-09\n"},
        {1e300, "ratio: 1e+300\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sample c;
        load("", &c);
        c.ratio = cases[i].v;
        char *text = print(&c, false);
        if (!strstr(text, cases[i].text))
            fail_msg("no %sin:\n%s", cases[i].text, text);
        free(text);
        conf_free(sample_keys, &c);
    }
}

static void hash(void **state)
{
    (void)state;
    static const char *const same[] = {"sensor: {number: 2000, nets: [10.0.0.0/8]}",
                                       "sensor:\n  # a comment\n  nets:\n  - 10.0.0.0/8\n"
                                       "  number: '2000'\n  flag: true\nsite: {x: y}\n"};
    struct sample c;
    struct conf_section section = section_of(&c);
    char first[33], other[33];
    load(same[0], &c);
    conf_hash(&section, 1, first);
    assert_int_equal(strlen(first), 32);
    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    conf_free(sample_keys, &c);
    load(same[1], &c);
    conf_hash(&section, 1, other);
    assert_string_equal(first, other);
    c.number = 2001;
    conf_hash(&section, 1, other);
    assert_string_not_equal(first, other);
    conf_free(sample_keys, &c);
}

static void full_disk(void **state)
{
    (void)state;
    struct sample c;
    struct conf_section section = section_of(&c);
    FILE *full = fopen("/dev/full", "w");
    load("", &c);
    if (full) {
        setvbuf(full, NULL, _IONBF, 0);
        assert_true(conf_print(&section, 1, false, full) < 0);
        fclose(full);
    }
    conf_free(sample_keys, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(reference),
        cmocka_unit_test(values),
        cmocka_unit_test(texts_of_any_kind),
        cmocka_unit_test(numbers_exactly),
        cmocka_unit_test(numbers_as_people_write_them),
        cmocka_unit_test(hash),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
