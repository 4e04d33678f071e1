// What is wrong in a configuration: the whole text of every error, with its place and its fix; all of
// a file at once; nothing left behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_sample.h"

// The errors of `text`, which the caller frees.
static char *errors_of(const char *text, size_t text_len)
{
    struct sample c;
    struct conf_section section = {"sensor", sample_keys, &c};
    char *errors = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&errors, &len);
    memset(&c, 0x55, sizeof c);
    int rc = conf_load_text("p.yaml", "/", text, text_len, &section, 1, f);
    fclose(f);
    assert_int_equal(rc, -EINVAL);
    // Zeroed: nothing needs freeing.
    assert_null(c.text);
    assert_null(c.nets.item);
    assert_int_equal(c.number, 0);
    assert_null(c.sub.inner.leaf);
    return errors;
}

// `{"x: y", "1:4: sensor.x: what"}`: the text of the section `sensor`, in a flow mapping, and the error
// behind the file's name.
static void values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"number: 99999999999", "sensor.number: \"99999999999\" is above 100000000; use a whole "
                                "number from 1024 to 100000000, in flows"},
        {"number: 1023", "sensor.number: \"1023\" is below 1024; use a whole number from 1024 to "
                         "100000000, in flows"},
        {"number: 99999999999999999999",
         "sensor.number: \"99999999999999999999\" is too large a "
         "number; use a whole number from 1024 to 100000000, in flows"},
        {"number: 12a",
         "sensor.number: \"12a\" is not a whole number; use a whole number from 1024 "
         "to 100000000, in flows"},
        {"number: 2000.0",
         "sensor.number: \"2000.0\" is not a whole number; use a whole number from "
         "1024 to 100000000, in flows"},
        {"number: ''", "sensor.number: \"\" is not a whole number; use a whole number from 1024 to "
                       "100000000, in flows"},
        {"number: ", "sensor.number: has no value; write one, or remove the line"},
        {"any_number: 1_000", "sensor.any_number: \"1_000\" is not a whole number; use a whole "
                              "number"},
        {"number: [2000]", "sensor.number: is a list; write a single value (whole number)"},
        {"number: {a: b}", "sensor.number: is a section; write a single value (whole number)"},
        {"flag: yes", "sensor.flag: \"yes\" is not true or false; write one of the two"},
        {"flag: True", "sensor.flag: \"True\" is not true or false; write one of the two"},
        {"ratio: 1.01", "sensor.ratio: \"1.01\" is above 1; use a number from 0 to 1"},
        {"ratio: -0.5", "sensor.ratio: \"-0.5\" is below 0; use a number from 0 to 1"},
        {"ratio: .nan", "sensor.ratio: \".nan\" is not a number; use a number from 0 to 1"},
        {"ratio: inf", "sensor.ratio: \"inf\" is not a number; use a number from 0 to 1"},
        {"ratio: 0x1", "sensor.ratio: \"0x1\" is not a number; use a number from 0 to 1"},
        {"ratio: 1.", "sensor.ratio: \"1.\" is not a number; use a number from 0 to 1"},
        {"ratio: 1e", "sensor.ratio: \"1e\" is not a number; use a number from 0 to 1"},
        {"ratio: 1e999", "sensor.ratio: \"1e999\" is too large a number; use a number from 0 to 1"},
        {"idle: 5",
         "sensor.idle: \"5\" is not a duration, a whole number with the unit ms, s, m, h "
         "or d; use a duration from 250ms to 7d"},
        {"idle: 1.5h",
         "sensor.idle: \"1.5h\" is not a duration, a whole number with the unit ms, s, "
         "m, h or d; use a duration from 250ms to 7d"},
        {"idle: -5s", "sensor.idle: \"-5s\" is not a duration, a whole number with the unit ms, s, "
                      "m, h or d; use a duration from 250ms to 7d"},
        {"idle: 5 m", "sensor.idle: \"5 m\" is not a duration, a whole number with the unit ms, s, "
                      "m, h or d; use a duration from 250ms to 7d"},
        {"idle: 8d", "sensor.idle: \"8d\" is above 7d; use a duration from 250ms to 7d"},
        {"idle: 249ms", "sensor.idle: \"249ms\" is below 250ms; use a duration from 250ms to 7d"},
        {"idle: 99999999999999999999s",
         "sensor.idle: \"99999999999999999999s\" is too large; use a "
         "duration from 250ms to 7d"},
        {"idle: 9223372036854775807d", "sensor.idle: \"9223372036854775807d\" is too large; use a "
                                       "duration from 250ms to 7d"},
        {"memory: 64K", "sensor.memory: \"64K\" is not a size, a whole number with k, M, G, T or "
                        "nothing behind it; use a size from 512 to 1T"},
        {"memory: 64kB", "sensor.memory: \"64kB\" is not a size, a whole number with k, M, G, T or "
                         "nothing behind it; use a size from 512 to 1T"},
        {"memory: 511", "sensor.memory: \"511\" is below 512; use a size from 512 to 1T"},
        {"memory: 2T", "sensor.memory: \"2T\" is above 1T; use a size from 512 to 1T"},
        {"text: \"a\\0b\"", "sensor.text: holds a NUL character; remove it"},
        {"file: ''", "sensor.file: \"\" is no path; use a path"},
        {"mode: wacht", "sensor.mode: \"wacht\" is not one of off, watch, enforce; did you mean "
                        "\"watch\"?"},
        {"mode: 1", "sensor.mode: \"1\" is not known; use one of off, watch, enforce"},
        {"mode: Watch", "sensor.mode: \"Watch\" is not one of off, watch, enforce; did you mean "
                        "\"watch\"?"},
        {"nets: 10.0.0.0/8",
         "sensor.nets: is no list; write a list of prefixes as [a, b], or [] for "
         "none"},
        {"nets: ", "sensor.nets: is no list; write a list of prefixes as [a, b], or [] for none"},
        {"words: {a: b}",
         "sensor.words: is no list; write a list of texts as [a, b], or [] for none"},
        {"words: [a, b, c, d, e]", "sensor.words: has 5 elements; use a list from 0 to 4 elements"},
        {"sub: x", "sensor.sub: is no section; write its keys below it, as \"depth: ...\""},
        {"sub: [depth]", "sensor.sub: is no section; write its keys below it, as \"depth: ...\""},
        {"sub: ''", "sensor.sub: is no section; write its keys below it, as \"depth: ...\""},
        {"outputs: {url: x}",
         "sensor.outputs: is no list; write a list of sections as [a, b], or [] "
         "for none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[200], expected[400];
        size_t column = strlen("sensor: {") + (size_t)(strchr(cases[i].text, ' ') - cases[i].text) +
                        2;
        snprintf(text, sizeof text, "sensor: {%s}\n", cases[i].text);
        snprintf(expected, sizeof expected, "p.yaml:1:%zu: %s\n", column, cases[i].error);
        char *errors = errors_of(text, strlen(text));
        assert_string_equal(errors, expected);
        free(errors);
    }
}

static void all_at_once_with_their_places(void **state)
{
    (void)state;
    static const char text[] = "sensor:\n"              // 1
                               "  numbr: 5\n"           // 2
                               "  number: 5000\n"       // 3
                               "  nets:\n"              // 4
                               "    - 10.0.0.0/8\n"     // 5
                               "    - 10.1.2.3/8\n"     // 6
                               "    - 2001:db8::1/32\n" // 7
                               "    - example.net\n"    // 8
                               "    - 10.0.0.0/33\n"    // 9
                               "    - [x]\n"            // 10
                               "    -\n"                // 11
                               "  number: 6000\n"       // 12
                               "  sub:\n"               // 13
                               "    depth: 10\n"        // 14
                               "    inner:\n"           // 15
                               "      leaves: 3\n"      // 16
                               "  outputs:\n"           // 17
                               "    - retries: 1\n"     // 18
                               "    - url: x\n"         // 19
                               "      retries: 11\n"    // 20
                               "      colour: red\n"    // 21
                               "    - x\n"              // 22
                               "  ? [a, b]\n"           // 23
                               "  : c\n"                // 24
                               "sensr: {}\n"            // 25
                               "something_else: {}\n"   // 26
                               "collector: {}\n"        // 27
                               "collector: {}\n"        // 28
                               "sensor: {}\n";          // 29
    static const char expected[] =
        "p.yaml:2:3: sensor: unknown key \"numbr\"; did you mean \"number\"?\n"
        "p.yaml:6:7: sensor.nets[2]: \"10.1.2.3/8\" has bits set behind its length; write "
        "10.0.0.0/8\n"
        "p.yaml:7:7: sensor.nets[3]: \"2001:db8::1/32\" has bits set behind its length; write "
        "2001:db8::/32\n"
        "p.yaml:8:7: sensor.nets[4]: \"example.net\" is not a prefix; write an address with a "
        "length, "
        "as 192.0.2.0/24 or 2001:db8::/32\n"
        "p.yaml:9:7: sensor.nets[5]: \"10.0.0.0/33\" has a length above 32; use one from 0 to 32\n"
        "p.yaml:10:7: sensor.nets[6]: is a list; write a single value (prefix)\n"
        "p.yaml:11:6: sensor.nets[7]: has no value; write one, or remove the line\n"
        "p.yaml:12:3: sensor.number: is set a second time (first in line 3); remove one of the "
        "two\n"
        "p.yaml:14:12: sensor.sub.depth: \"10\" is above 9; use a whole number from 1 to 9\n"
        "p.yaml:16:7: sensor.sub.inner: unknown key \"leaves\"; did you mean \"leaf\"?\n"
        "p.yaml:18:7: sensor.outputs[1].url: is missing; add \"url: ...\" (Where to.)\n"
        "p.yaml:20:16: sensor.outputs[2].retries: \"11\" is above 10; use a whole number from 0 to "
        "10\n"
        "p.yaml:21:7: sensor.outputs[2]: unknown key \"colour\"; known are url, retries, labels\n"
        "p.yaml:22:7: sensor.outputs[3]: is no section; write its keys below it, as \"url: ...\"\n"
        "p.yaml:23:5: sensor: a key must be a plain word\n"
        "p.yaml:25:1: unknown section \"sensr\"; did you mean \"sensor\"?\n"
        "p.yaml:26:1: unknown section \"something_else\"; known are site, sensor, collector, "
        "series, "
        "analysis, feed, web, garden, enforce, postern\n"
        "p.yaml:28:1: collector: is set a second time (first in line 27); remove one of the two\n"
        "p.yaml:29:1: sensor: is set a second time (first in line 1); remove one of the two\n";
    char *errors = errors_of(text, strlen(text));
    assert_string_equal(errors, expected);
    free(errors);
}

static void whole_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"- a\n", "1:1: the file must consist of sections; begin with \"site:\""},
        {"hello\n", "1:1: the file must consist of sections; begin with \"site:\""},
        {"sensor: &x {}\n", "1:9: the anchor \"x\" is not used here; write the value where it is "
                            "needed"},
        {"site: &x {}\nsensor: *x\n",
         "1:7: the anchor \"x\" is not used here; write the value where it is needed\n"
         "p.yaml:2:9: the alias \"x\" is not used here; write the value itself"},
        {"sensor: &x {sub: *x}\n", // a cycle
         "1:9: the anchor \"x\" is not used here; write the value where it is needed\n"
         "p.yaml:1:18: the alias \"x\" is not used here; write the value itself"},
        {"sensor: *x\n", "1:9: the alias \"x\" is not used here; write the value itself"},
        {"sensor: {text: !!str 5}\n", "1:16: the tag \"tag:yaml.org,2002:str\" is not used here; "
                                      "remove it, the key gives the type"},
        {"sensor: {words: !x [a]}\n",
         "1:17: the tag \"!x\" is not used here; remove it, the key gives the type"},
        {"sensor: !x\n  flag: true\n",
         "1:9: the tag \"!x\" is not used here; remove it, the key gives the type"},
        {"%YAML 1.1\n---\nsensor: {}\n", "1:1: a % directive is not used here; remove it"},
        {"sensor: {}\n---\nsite: {}\n",
         "2:1: a second document begins here; write all sections in the first"},
        {"sensor:\n  <<: {flag: true}\n",
         "2:3: sensor: unknown key \"<<\"; known are flag, number, "
         "any_number, ratio, idle, memory, text, maybe, file, mode, "
         "nets, words, sub, outputs"},
        {"sensor: x\n", "1:9: sensor: is no section; write its keys below it, as \"flag: ...\""},
        {"[a]: {}\n", "1:1: a key must be a plain word"},
        {"\"a\\nb\": {}\n", "1:1: unknown section \"a\\x0ab\"; known are site, sensor, collector, "
                            "series, analysis, feed, web, garden, enforce, postern"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[500];
        snprintf(expected, sizeof expected, "p.yaml:%s\n", cases[i].error);
        char *errors = errors_of(cases[i].text, strlen(cases[i].text));
        assert_string_equal(errors, expected);
        free(errors);
    }
}

static void no_yaml(void **state)
{
    (void)state;
    // The place and that it is the syntax; libyaml's own words stand between.
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"sensor: [a\n", "p.yaml:2:1: not valid YAML: "},
        {"sensor:\n  number: 1\n number: 2\n", "p.yaml:3:2: not valid YAML: "},
        {"sensor: {a: b\n", "p.yaml:2:1: not valid YAML: "},
        {"sensor: \"x\n", "p.yaml:2:1: not valid YAML: "},
        {"sensor:\n\tnumber: 1\n", "p.yaml:2:1: not valid YAML: "},
        {"a: b: c\n", "p.yaml:1:5: not valid YAML: "},
        {"sensor:\n  text: \xff\n", "p.yaml:2:9: not valid YAML: "},
        {"sensor:\n  text: a\x01z\n", "p.yaml:2:10: not valid YAML: "},
        {"sensor: {}\n...\nsite: {}\n", "p.yaml:3:1: not valid YAML: "},
        {"@\n", "p.yaml:1:1: not valid YAML: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *errors = errors_of(cases[i].text, strlen(cases[i].text));
        if (strncmp(errors, cases[i].place, strlen(cases[i].place)) != 0)
            fail_msg("case %zu: %s", i, errors);
        assert_non_null(strstr(errors, "; look at indentation, quotes and colons here\n"));
        assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
        free(errors);
    }
    char *errors = errors_of("sensor:\n  text: a\0b\n", 20);
    assert_memory_equal(errors, "p.yaml:2:10: not valid YAML: ", 29);
    free(errors);
}

static void too_deep(void **state)
{
    (void)state;
    static char text[200000];
    static const char *const openings[] = {"[", "{", "- ", "{a: "};
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        size_t n = 0, step = strlen(openings[i]);
        while (n + step < sizeof text) {
            memcpy(text + n, openings[i], step);
            n += step;
        }
        char *errors = errors_of(text, n);
        assert_non_null(strstr(errors, "nested more than 32 deep; "));
        free(errors);
    }
}

static void every_cut_of_a_file(void **state)
{
    (void)state;
    // Loads or is refused with a line; leaks and reads past the end are the sanitizers' to find.
    static const char text[] = "site: {name: x}\nsensor:\n  number: 2000\n  nets: [10.0.0.0/8]\n"
                               "  words:\n    - \"a\\tb\"\n  outputs:\n    - url: y\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct sample c;
        struct conf_section section = {"sensor", sample_keys, &c};
        char *exact = malloc(n ? n : 1);
        char *errors = NULL;
        size_t len = 0;
        memcpy(exact, text, n);
        FILE *f = open_memstream(&errors, &len);
        int rc = conf_load_text("p.yaml", "/", exact, n, &section, 1, f);
        fclose(f);
        assert_true(rc == 0 || rc == -EINVAL);
        assert_int_equal(rc != 0, len > 0);
        free(errors);
        free(exact);
        conf_free(sample_keys, &c);
    }
}

static void missing_in_an_absent_section(void **state)
{
    (void)state;
    struct strict s;
    struct conf_section section = {"sensor", strict_keys, &s};
    char *errors = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&errors, &len);
    assert_int_equal(conf_load_text("p.yaml", "/", "site: {}\n", 9, &section, 1, f), -EINVAL);
    assert_int_equal(conf_load(NULL, &section, 1, f), -EINVAL);
    fclose(f);
    assert_string_equal(
        errors,
        "p.yaml:1:1: sensor.must: is missing; add \"must: ...\" (A text there must be.)\n"
        "(defaults):1:1: sensor.must: is missing; add \"must: ...\" (A text there must be.)\n");
    free(errors);
}

static void many_errors_are_counted(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    fputs("sensor:\n  nets:\n", f);
    for (int i = 0; i < 150; i++)
        fputs("    - x\n", f);
    fclose(f);
    char *errors = errors_of(text, len);
    size_t lines = 0;
    for (const char *p = errors; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 101);
    assert_non_null(strstr(errors, "p.yaml: 50 more errors are not shown\n"));
    free(errors);
    free(text);
}

static void long_and_odd_values_are_shown_short(void **state)
{
    (void)state;
    char text[400], *errors;
    memset(text, 'x', sizeof text);
    memcpy(text, "sensor: {mode: ", 15);
    text[300] = '}';
    errors = errors_of(text, 301);
    assert_non_null(strstr(errors, "xxx...\" is not known"));
    assert_true(strlen(errors) < 200);
    free(errors);

    static const char odd[] = "sensor: {mode: \"a\\e[31m\\u009b\\nb\"}";
    errors = errors_of(odd, strlen(odd));
    assert_non_null(strstr(errors, "\"a\\x1b[31m\\xc2\\x9b\\x0ab\" is not known"));
    free(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(all_at_once_with_their_places),
        cmocka_unit_test(whole_files),
        cmocka_unit_test(no_yaml),
        cmocka_unit_test(too_deep),
        cmocka_unit_test(every_cut_of_a_file),
        cmocka_unit_test(missing_in_an_absent_section),
        cmocka_unit_test(many_errors_are_counted),
        cmocka_unit_test(long_and_odd_values_are_shown_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
