// The command line of the skeleton: look-ups, help, and each way to be wrong with its one line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/daemon_parts.h"
#include "daemon_sample.h"

static struct daemon_args *parse(int argc, const char *const *words)
{
    static char *argv[32];
    struct daemon_args *args = NULL;
    for (int i = 0; i < argc; i++)
        argv[i] = (char *)words[i];
    argv[argc] = NULL;
    assert_int_equal(daemon_args_parse(argc, argv, &sample_spec, &args), 0);
    return args;
}

static void look_ups(void **state)
{
    (void)state;
    static const char *const words[] = {"postern-sample", "one",    "-r",  "a.pcap",
                                        "--read=b.pcap",  "-v",     "-vv", "two",
                                        "--read",         "c.pcap", "--",  "-x"};
    struct daemon_args *a = parse(12, words);
    assert_true(daemon_has(a, "read"));
    assert_int_equal(daemon_count(a, "read"), 3);
    assert_string_equal(daemon_nth(a, "read", 0), "a.pcap");
    assert_string_equal(daemon_nth(a, "read", 1), "b.pcap");
    assert_string_equal(daemon_value(a, "read"), "c.pcap");
    assert_null(daemon_nth(a, "read", 3));
    assert_int_equal(daemon_count(a, "verbose"), 3);
    assert_false(daemon_has(a, "output"));
    assert_null(daemon_value(a, "output"));
    assert_int_equal(daemon_operands(a), 3);
    assert_string_equal(daemon_operand(a, 0), "one");
    assert_string_equal(daemon_operand(a, 1), "two");
    assert_string_equal(daemon_operand(a, 2), "-x");
    assert_null(daemon_operand(a, 3));
    daemon_args_free(a);
    daemon_args_free(NULL);

    // Again in the same process: nothing is left over.
    static const char *const few[] = {"postern-sample", "-ofile"};
    a = parse(2, few);
    assert_string_equal(daemon_value(a, "output"), "file");
    assert_int_equal(daemon_operands(a), 0);
    daemon_args_free(a);
}

static void wrong_words(void **state)
{
    (void)state;
    static const struct {
        const char *args[4];
        const char *error;
    } cases[] = {
        {{"--reed", "x"}, "unknown option \"--reed\"; did you mean --read?"},
        {{"--chekc"}, "unknown option \"--chekc\"; did you mean --check?"},
        {{"--something=x"}, "unknown option \"--something=x\"; see postern-sample --help"},
        {{"-x"}, "unknown option \"-x\"; see postern-sample --help"},
        {{"-vxv"}, "unknown option \"-x\"; see postern-sample --help"},
        {{"--read"}, "option --read needs a value; write --read CAPTURE"},
        {{"-v", "-r"}, "option --read needs a value; write --read CAPTURE"},
        {{"--check=yes"}, "option --check takes no value; write --check alone"},
        {{"-o", "a", "--output=b"}, "option --output is given twice; give it once"},
        {{"--status", "a", "--status=b"}, "option --status is given twice; give it once"},
    };
    struct sample_run r;
    sample_init(&r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[200];
        snprintf(expected, sizeof expected, "postern-sample: %s\n", cases[i].error);
        assert_int_equal(sample_run(&r, cases[i].args), EX_USAGE);
        assert_string_equal(sample_text(&r, "err"), expected);
        assert_string_equal(sample_text(&r, "out"), "");
    }
    sample_fini(&r);
}

static void help(void **state)
{
    (void)state;
    struct sample_run r;
    sample_init(&r);
    assert_int_equal(sample_run(&r, (const char *[]){"--help", NULL}), 0);
    static const char *const parts[] = {
        "postern-sample: stands in for a program\n",
        "Usage: postern-sample [-c FILE] [-r CAPTURE]\n",
        "\n  -r, --read CAPTURE           Reads this capture. May be repeated.\n",
        "\n      --fail-open              Opening fails.\n",
        "\n  -c, --config FILE ",
        "\n      --status FILE ",
        "\nConfiguration keys:\nsite:\n  name: text from 1 to 200 octets long; default postern\n",
        ("\nsensor:\n  flows: whole number from 16 to 1024, in flows; default 64\n"
         "          Size of the flow table.\n"),
    };
    const char *text = sample_text(&r, "out");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text, parts[i]))
            fail_msg("\"%s\" is not in:\n%s", parts[i], text);
    }
    assert_string_equal(sample_text(&r, "err"), "");
    assert_int_equal(sample_run(&r, (const char *[]){"-h", NULL}), 0);
    assert_int_equal(sample_run(&r, (const char *[]){"-V", NULL}), 0);
    assert_string_equal(sample_text(&r, "out"), "postern-sample " POSTERN_VERSION "\n");
    sample_fini(&r);
}

static void check_tells_of_time_zones(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int code;
    } cases[] = {{"UTC", 0},
                 {"Europe/Nowhere", EX_CONFIG},
                 {"../../../etc/passwd", EX_CONFIG},
                 {"/etc/passwd", EX_CONFIG},
                 {"Europe", EX_CONFIG},
                 {"Europe//Vienna", EX_CONFIG}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf_site site = {.timezone = (char *)cases[i].zone};
        assert_int_equal(daemon_check_site(&site, NULL), cases[i].code);
    }
}

static void subscribers_by_option(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        size_t count; // 0: refused
    } cases[] = {{"192.0.2.0/24", 1},
                 {"192.0.2.0/24,2001:db8::/32,10.0.0.1", 3},
                 {"", 0},
                 {"192.0.2.0/24,", 0},
                 {",192.0.2.0/24", 0},
                 {"192.0.2.1/24", 0},
                 {"192.0.2.0/24 ,::", 0},
                 {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf_site site = {0};
        site.subscribers.item = calloc(1, sizeof *site.subscribers.item);
        site.subscribers.count = 1;
        int rc = daemon_take_subscribers(&site, cases[i].list);
        assert_int_equal(rc, cases[i].count ? 0 : EX_USAGE);
        assert_int_equal(site.subscribers.count, cases[i].count ? cases[i].count : 1);
        free(site.subscribers.item);
    }
    struct sample_run r;
    sample_init(&r);
    assert_int_equal(sample_run(&r, (const char *[]){"-C", "--subscribers", "192.0.2.0/24", NULL}),
                     0);
    assert_non_null(strstr(sample_text(&r, "out"), "  subscribers:\n    - 192.0.2.0/24\n"));
    assert_int_equal(sample_run(&r, (const char *[]){"-C", "--subscribers", "x", NULL}), EX_USAGE);
    assert_string_equal(sample_text(&r, "err"),
                        "postern-sample: error: --subscribers: \"x\" is not a prefix; write an "
                        "address with a length, as 192.0.2.0/24 or 2001:db8::/32\n");
    sample_fini(&r);
}

static void watchdog(void **state)
{
    (void)state;
    static const struct {
        const char *usec, *pid;
        int64_t ms;
    } cases[] = {{NULL, NULL, 0}, {"30000000", NULL, 15000}, {"30000000", "1", 0},
                 {"x", NULL, 0},  {"1000", NULL, 0},         {"2000", NULL, 1},
                 {"", NULL, 0},   {"-5", NULL, 0},           {"30000000s", NULL, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cases[i].usec ? setenv("WATCHDOG_USEC", cases[i].usec, 1) : unsetenv("WATCHDOG_USEC");
        cases[i].pid ? setenv("WATCHDOG_PID", cases[i].pid, 1) : unsetenv("WATCHDOG_PID");
        assert_int_equal(daemon_watchdog_ms(), cases[i].ms);
    }
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

int main(int argc, char **argv)
{
    if (getenv("POSTERN_TEST_DAEMON"))
        return daemon_main(argc, argv, &sample_spec);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_ups), cmocka_unit_test(wrong_words),
        cmocka_unit_test(help),     cmocka_unit_test(check_tells_of_time_zones),
        cmocka_unit_test(watchdog), cmocka_unit_test(subscribers_by_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
