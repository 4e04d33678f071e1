// How the stages are called, word for word, and the folder they work in.
#include "command/stages.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "command/state_dir.h"

static char *captures[] = {"b.pcap", "a.pcap", NULL};

// The words of a call in one line.
static void expect_call(enum stage_id stage, const struct stage_inputs *in, const char *expected)
{
    char line[1024] = "";
    char **argv = stage_argv(stage, stage_program(stage), in);
    assert_non_null(argv);
    for (size_t i = 0; argv[i]; i++) {
        size_t len = strlen(line);
        snprintf(line + len, sizeof line - len, "%s%s", i ? " " : "", argv[i]);
    }
    free(argv);
    assert_string_equal(line, expected);
}

static void test_calls(void **state)
{
    (void)state;
    const struct stage_inputs in = {
        .state = "/s", .config = "c.yaml", .captures = captures, .capture_count = 2};
    expect_call(STAGE_SENSOR, &in,
                "postern-sensor -c c.yaml -r b.pcap -r a.pcap -o /s/records.ipfix"
                " --status /s/status/sensor.json");
    expect_call(STAGE_COLLECTOR, &in,
                "postern-collector -c c.yaml -r /s/records.ipfix -j /s/journal"
                " --status /s/status/collector.json");
    expect_call(STAGE_SERIES, &in,
                "postern-series -c c.yaml -j /s/journal -d /s/rrd --status /s/status/series.json");
    expect_call(STAGE_ANALYSIS, &in,
                "postern-analysis -c c.yaml -j /s/journal -o /s/verdicts.jsonl"
                " --status /s/status/analysis.json");
    expect_call(STAGE_FEED, &in,
                "postern-feed -c c.yaml -r /s/verdicts.jsonl -d /s/tickets.db -o /s/tickets.jsonl"
                " --status /s/status/feed.json");
}

// Without a configuration the installed one must not be read: a replay gives the same everywhere.
static void test_defaults(void **state)
{
    (void)state;
    const struct stage_inputs in = {.state = "/s",
                                    .subscribers = "192.0.2.0/24,2001:db8::/32",
                                    .captures = captures,
                                    .capture_count = 1};
    expect_call(STAGE_SENSOR, &in,
                "postern-sensor -c /dev/null --subscribers 192.0.2.0/24,2001:db8::/32 -r b.pcap"
                " -o /s/records.ipfix --status /s/status/sensor.json");
}

static bool exists(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void touch(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static void test_temporary_folder(void **state)
{
    (void)state;
    struct state_dir d;
    struct stat st;
    char path[512];
    assert_int_equal(state_dir_open(&d, NULL), 0);
    snprintf(path, sizeof path, "%s", d.path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(exists(path, STATE_STATUS));
    touch(path, STATE_JOURNAL "/day");
    touch(path, STATE_FEED);
    state_dir_close(&d);
    assert_int_not_equal(stat(path, &st), 0);
}

static void test_kept_folder(void **state)
{
    (void)state;
    struct state_dir base, d;
    char path[512], link_target[512], link_name[1024];
    assert_int_equal(state_dir_open(&base, NULL), 0);
    snprintf(path, sizeof path, "%s/kept", base.path);
    snprintf(link_target, sizeof link_target, "%s/precious", base.path);
    touch(base.path, "precious");

    assert_int_equal(state_dir_open(&d, path), 0);
    touch(path, STATE_JOURNAL "/day");
    touch(path, STATE_DB);
    snprintf(link_name, sizeof link_name, "%s/" STATE_RRD "/link", path);
    assert_int_equal(symlink(link_target, link_name), 0);
    state_dir_close(&d);
    assert_true(exists(path, STATE_DB));

    // An earlier replay's files go, what they point to stays.
    assert_int_equal(state_dir_open(&d, path), 0);
    assert_false(exists(path, STATE_DB));
    assert_false(exists(path, STATE_JOURNAL "/day"));
    assert_false(exists(path, STATE_RRD "/link"));
    assert_true(exists(base.path, "precious"));
    state_dir_close(&d);

    // A folder with anything else is left alone.
    touch(path, STATE_DB);
    touch(path, "thesis.tex");
    assert_int_equal(state_dir_open(&d, path), -ENOTEMPTY);
    assert_true(exists(path, "thesis.tex"));
    assert_true(exists(path, STATE_DB));
    state_dir_close(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_temporary_folder),
        cmocka_unit_test(test_kept_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
