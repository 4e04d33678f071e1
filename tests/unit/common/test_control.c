// The status document: what it says, that it is written whole or not at all, what is refused.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/control.h"

static char folder[] = "/tmp/postern-control-XXXXXX";
static char path[64], link_path[64];
static struct control_status *status;

static int setup(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/status.json", folder);
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    status = control_status_new("postern-sensor");
    return status ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    control_status_free(status);
    unlink(path);
    unlink(link_path);
    return rmdir(folder); // fails when something was left behind
}

static void expect_file(const char *want)
{
    static char got[8192];
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    got[fread(got, 1, sizeof got - 1, in)] = 0;
    fclose(in);
    assert_string_equal(got, want);
}

static void write_file(const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void test_document(void **state)
{
    (void)state;
    control_status_time(status, 1795327200500);
    control_status_conf_hash(status, "abc123");
    control_status_counter(status, "packets", 12);
    control_status_counter(status, "packets", 13); // the last value counts
    control_status_counter(status, "huge", UINT64_MAX);
    control_status_skipped(status, "ethertype 0x88e5", 12031);
    control_status_problem(status, 1, "sliced", "Packets are cut.", "Raise the length.");
    control_status_problem(status, 0, "note", "Fine.", "Nothing.");
    control_status_not_visible(status, "recipient-burst", "TLS");
    control_status_input(status, "a.pcap", "truncated", "ends in packet 7");
    assert_int_equal(control_status_write(status, path), 0);
    expect_file(
        "{\"conf_hash\":\"abc123\",\"counters\":{\"huge\":9223372036854775807,\"packets\":13},"
        "\"inputs\":[{\"name\":\"a.pcap\",\"state\":\"truncated\",\"text\":\"ends in packet "
        "7\"}],\"not_visible\":[{\"detector\":\"recipient-burst\",\"why\":\"TLS\"}],"
        "\"problems\":[{\"code\":\"sliced\",\"fix\":\"Raise the length.\",\"text\":\"Packets "
        "are cut.\"},{\"code\":\"note\",\"fix\":\"Nothing.\",\"text\":\"Fine.\"}],"
        "\"program\":\"postern-sensor\",\"skipped\":{\"ethertype 0x88e5\":12031},"
        "\"state\":\"degraded\",\"time\":\"2026-11-22T06:00:00.500Z\",\"v\":1,"
        "\"version\":\"" POSTERN_VERSION "\"}\n");
    json_t *j = NULL;
    char error[160];
    assert_int_equal(control_status_read(path, &j, error), 0);
    json_t *own = control_status_json(status);
    assert_true(json_equal(j, own));
    json_decref(own);
    json_decref(j);
}

static void test_worst_state_wins(void **state)
{
    (void)state;
    static const struct {
        int given;
        const char *then;
    } rows[] = {{0, "ok"}, {1, "degraded"}, {0, "degraded"}, {7, "failed"}, {1, "failed"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        control_status_problem(status, rows[i].given, "c", "t", "f");
        json_t *j = control_status_json(status);
        assert_string_equal(json_string_value(json_object_get(j, "state")), rows[i].then);
        json_decref(j);
    }
}

// One line of a text and its fix, whether the text is a sentence or not.
static void test_joint(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fix, *joint;
    } cases[] = {{"the spool is full", "make room", "; "},
                 {"Frames are joined.", "ethtool -K IFACE gro off", " "},
                 {"Is it there?", "look", " "},
                 {"The spool is full: make room.", "", ""},
                 {"the spool is full", NULL, ""},
                 {"", "look", "; "},
                 {NULL, "look", "; "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(control_joint(cases[i].text, cases[i].fix), cases[i].joint);
}

// Names come from file systems and packets.
static void test_text_is_repaired(void **state)
{
    (void)state;
    char long_name[3000];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    control_status_input(status, "caf\xe9.pcap", "whole", "\xc3\xa9");
    control_status_skipped(status, "\xff\xfe", 1);
    control_status_input(status, long_name, "whole", "");
    json_t *j = control_status_json(status);
    assert_non_null(j);
    json_t *input = json_array_get(json_object_get(j, "inputs"), 0);
    assert_string_equal(json_string_value(json_object_get(input, "name")), "caf?.pcap");
    assert_string_equal(json_string_value(json_object_get(input, "text")), "\xc3\xa9");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "skipped"), "??")), 1);
    input = json_array_get(json_object_get(j, "inputs"), 1);
    assert_int_equal(json_string_length(json_object_get(input, "name")), 1023);
    json_decref(j);
}

static void test_written_whole_or_not_at_all(void **state)
{
    (void)state;
    write_file("old\n");
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/none/status.json", folder);
    assert_int_equal(control_status_write(status, nowhere), -ENOENT);
    expect_file("old\n");
    assert_int_equal(control_status_write(status, path), 0);
    json_t *j;
    char error[160];
    assert_int_equal(control_status_read(path, &j, error), 0);
    json_decref(j);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0333, 0200); // read by who the umask lets
    char too_long[5000];
    memset(too_long, 'a', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = 0;
    assert_int_equal(control_status_write(status, too_long), -ENAMETOOLONG);
}

// What is no file is written to, not replaced: --status /dev/stdout.
static void test_a_pipe_is_written_to(void **state)
{
    (void)state;
    int fd[2];
    char pipe_path[64], got[4096];
    assert_int_equal(pipe(fd), 0);
    snprintf(pipe_path, sizeof pipe_path, "/proc/self/fd/%d", fd[1]);
    assert_int_equal(control_status_write(status, pipe_path), 0);
    ssize_t n = read(fd[0], got, sizeof got);
    assert_true(n > 10 && got[0] == '{' && got[n - 1] == '\n');
    close(fd[0]);
    close(fd[1]);
    int full = access("/dev/full", W_OK) == 0;
    if (full)
        assert_int_equal(control_status_write(status, "/dev/full"), -ENOSPC);
}

static void test_a_link_left_in_the_way_is_not_followed(void **state)
{
    (void)state;
    char beside[128];
    write_file("kept\n");
    snprintf(beside, sizeof beside, "%s.%ld.new", link_path, (long)getpid());
    assert_int_equal(symlink(path, beside), 0);
    assert_int_equal(control_status_write(status, link_path), -ELOOP);
    expect_file("kept\n");
    unlink(beside);
}

static void test_what_is_no_status(void **state)
{
    (void)state;
#define REST                                                                                \
    ",\"program\":\"p\",\"version\":\"1\",\"state\":\"ok\",\"counters\":{},\"skipped\":{}," \
    "\"problems\":[],\"not_visible\":[],\"inputs\":[]}\n"
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no status document: empty"},
        {"{\n", "column"},
        {"[]\n", "no status document: no object"},
        {"{}\n", "no status document: `v` is not 1"},
        {"{\"v\":2" REST, "no status document: `v` is not 1"},
        {"{\"v\":\"1\"" REST, "no status document: `v` is not 1"},
        {"{\"v\":1}\n", "no status document: `program`"},
        {"{\"v\":1,\"program\":\"p\"}\n", "no status document: `version`"},
        {"{\"v\":1,\"program\":\"p\",\"version\":\"1\",\"state\":\"good\"}\n",
         "no status document: `state`"},
        {"{\"v\":1,\"program\":\"p\",\"version\":\"1\",\"state\":\"ok\"}\n",
         "no status document: `counters`"},
        {"{\"v\":1,\"program\":\"p\",\"version\":\"1\",\"state\":\"ok\",\"counters\":{\"a\":-1}}\n",
         "no status document: `counters`"},
        {"{\"v\":1,\"program\":\"p\",\"version\":\"1\",\"state\":\"ok\",\"counters\":{},"
         "\"skipped\":{\"a\":\"b\"}}\n",
         "no status document: `skipped`"},
        {"{\"v\":1,\"program\":\"p\",\"version\":\"1\",\"state\":\"ok\",\"counters\":{},"
         "\"skipped\":{},\"problems\":[{\"code\":\"c\",\"text\":\"t\"}]}\n",
         "no status document: `problems`"},
        {"{\"v\":1,\"program\":\"p\",\"version\":\"1\",\"state\":\"ok\",\"counters\":{},"
         "\"skipped\":{},\"problems\":[],\"not_visible\":[7]}\n",
         "no status document: `not_visible`"},
        {"{\"v\":1,\"program\":\"p\",\"version\":\"1\",\"state\":\"ok\",\"counters\":{},"
         "\"skipped\":{},\"problems\":[],\"not_visible\":[],\"inputs\":{}}\n",
         "no status document: `inputs`"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *j = (json_t *)&rows;
        char error[160] = "";
        write_file(rows[i].text);
        assert_int_equal(control_status_read(path, &j, error), -EINVAL);
        assert_ptr_equal(j, &rows);
        if (strncmp(error, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("expected %s, got %s", rows[i].says, error);
    }
    json_t *j = NULL;
    char error[160];
    write_file("{\"v\":1,\"more\":true" REST); // members of a later version are let be
    assert_int_equal(control_status_read(path, &j, error), 0);
    json_decref(j);
    unlink(path);
    assert_int_equal(control_status_read(path, &j, error), -ENOENT);
    assert_int_equal(control_status_read(folder, &j, error), -EIO);
}

// Two thousand sensors that stall and connect: the answer is still a line, says the worst state and how many there are.
static void thousands_fit_a_line(void **state)
{
    char name[80], text[900], code[12];
    (void)state;
    struct control_status *s = control_status_new("postern-collector");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    static char codes[40][12];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "sensor-%d", i);
        control_status_problem(s, i == 1999 ? 2 : 1, "sensor-stalled", name, "see it");
        control_status_problem(s, 1, "certificate", text, text);
        control_status_input(s, name, "whole", text);
        control_status_skipped(s, text + i % 800, 1);
        snprintf(code, sizeof code, "code-%d", i % 40);
        memcpy(codes[i % 40], code, sizeof code);
        control_status_problem(s, 1, codes[i % 40], name, "");
    }
    json_t *doc = control_status_json(s), *item;
    assert_non_null(doc);
    char *line = json_canonical(doc);
    assert_true(strlen(line) < CONTROL_LINE_MAX - 4096);
    assert_string_equal(json_string_value(json_object_get(doc, "state")), "failed");
    size_t i, stalled = 0;
    int told = 0;
    json_array_foreach (json_object_get(doc, "problems"), i, item) {
        const char *words = json_string_value(json_object_get(item, "text"));
        if (strcmp(json_string_value(json_object_get(item, "code")), "sensor-stalled") != 0)
            continue;
        stalled++;
        told |= strcmp(words, "1992 more like this are not shown") == 0;
    }
    assert_int_equal(stalled, 9);
    assert_true(told);
    json_t *counters = json_object_get(doc, "counters");
    json_int_t hidden = json_integer_value(json_object_get(counters, "inputs_not_shown"));
    assert_int_equal(hidden + (json_int_t)json_array_size(json_object_get(doc, "inputs")), 2000);
    json_int_t skipped = 0;
    const char *key;
    json_object_foreach (json_object_get(doc, "skipped"), key, item)
        skipped += strcmp(key, "others") == 0 ? json_integer_value(item) : 0;
    assert_true(skipped > 1000);
    free(line);
    json_decref(doc);
    control_status_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_fit_a_line),
        TEST(test_document),
        TEST(test_worst_state_wins),
        cmocka_unit_test(test_joint),
        TEST(test_text_is_repaired),
        TEST(test_written_whole_or_not_at_all),
        TEST(test_a_pipe_is_written_to),
        TEST(test_a_link_left_in_the_way_is_not_followed),
        TEST(test_what_is_no_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
