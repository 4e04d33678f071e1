// A command's words by its table: options in both forms, operands, and what is refused with which
// line.
#include "command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

static const struct command_option options[] = {
    {'c', "config", "FILE", "a file"},
    {0, "state", "DIR", "a folder"},
    {'j', "json", NULL, "a flag"},
    {0},
};

static const struct command replay = {
    .name = "replay",
    .synopsis = "FILE [FILE] [--json]",
    .summary = "replays",
    .options = options,
    .operands_min = 1,
    .operands_max = 2,
};

// What options.c shows in the help of all.
const struct command *const command_table[] = {&replay, NULL};

// Splits `line` at blanks and parses it; what was said goes to `said`.
static int parse(const char *line, struct command_args *a, char said[static 256])
{
    static char words[256];
    static char *argv[16];
    int argc = 0;
    snprintf(words, sizeof words, "replay %s", line);
    for (char *rest = words, *word; (word = strsep(&rest, " "));)
        argv[argc++] = word;
    argv[argc] = NULL;
    FILE *errors = fmemopen(said, 256, "w");
    int rc = command_parse(&replay, argc, argv, a, errors);
    fclose(errors);
    return rc;
}

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *line, *config, *dir, *first;
        bool json;
        size_t operands;
    } cases[] = {
        {"a", NULL, NULL, "a", false, 1},
        {"--json a b", NULL, NULL, "a", true, 2},
        {"a -j --state s b", NULL, "s", "a", true, 2},
        {"-c x --config y a", "y", NULL, "a", false, 1},
        {"-cx --state=s a", "x", "s", "a", false, 1},
        {"--state s -- --json", NULL, "s", "--json", false, 1},
        {"-", NULL, NULL, "-", false, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct command_args a;
        char said[256] = "";
        assert_int_equal(parse(cases[i].line, &a, said), 0);
        assert_int_equal(a.operand_count, cases[i].operands);
        assert_string_equal(a.operands[0], cases[i].first);
        assert_int_equal(command_has(&a, "json"), cases[i].json);
        assert_int_equal(command_has(&a, "config"), cases[i].config != NULL);
        if (cases[i].config)
            assert_string_equal(command_value(&a, "config"), cases[i].config);
        if (cases[i].dir)
            assert_string_equal(command_value(&a, "state"), cases[i].dir);
        assert_string_equal(said, "");
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"--jsom a", "--jsom is no option of this command; see postern help replay"},
        {"-x a", "-x is no option of this command"},
        {"-jx a", "x is no option of this command"},
        {"a --state", "--state needs an argument"},
        {"a -c", "-c needs an argument"},
        {"--json=1 a", "--json=1 takes no argument"},
        {"", "too few words; use: postern replay FILE [FILE] [--json]"},
        {"a b c", "'c' is one word too many"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct command_args a;
        char said[256] = "";
        // No words at all are one empty operand less.
        int rc = cases[i].line[0] ? parse(cases[i].line, &a, said) : parse("--json", &a, said);
        assert_int_equal(rc, EX_USAGE);
        if (!strstr(said, cases[i].said))
            fail_msg("'%s' gives: %s", cases[i].line, said);
    }
}

static void test_help(void **state)
{
    (void)state;
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    command_help_all(out);
    fclose(out);
    assert_non_null(strstr(text, "  replay FILE [FILE] [--json]\n"));
    assert_non_null(strstr(text, "-c, --config FILE"));
    assert_non_null(strstr(text, "    --state DIR"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
