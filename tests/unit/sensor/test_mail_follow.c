// Following a log: growth, half lines, both ways of rotation, restarts by position, warm-up.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "maillog/mail_follow.h"
#include "scratch.h"

static char folder[SCRATCH_MAX], log_path[128], rotated[160];
static char seen[4096], warmed[4096];

static void note(char *to, struct span line)
{
    size_t n = strlen(to);
    snprintf(to + n, 4096 - n, "%.*s,", (int)(line.len < 32 ? line.len : 32),
             (const char *)line.data);
}

static void see(void *ctx, struct span line)
{
    (void)ctx;
    note(seen, line);
}

static void warm(void *ctx, struct span line)
{
    (void)ctx;
    note(warmed, line);
}

static void append(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct mail_follow *begin(const struct mail_position *from, bool at_end, size_t octets)
{
    struct mail_follow *f;
    assert_int_equal(mail_follow_open(log_path, from, at_end, octets, warm, NULL, &f), 0);
    return f;
}

static void read_all(struct mail_follow *f, const char *expected)
{
    seen[0] = '\0';
    for (int i = 0; i < 10 && mail_follow_read(f, 1 << 20, see, NULL) == 1; i++)
        ;
    assert_string_equal(seen, expected);
}

static int set_up(void **state)
{
    (void)state;
    if (scratch_make(folder) != 0)
        return -1;
    snprintf(log_path, sizeof log_path, "%s/mail.log", folder);
    snprintf(rotated, sizeof rotated, "%s.1", log_path);
    warmed[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return scratch_remove(folder);
}

static void test_growth(void **state)
{
    (void)state;
    struct mail_follow *f = begin(NULL, false, 0);
    assert_false(mail_follow_present(f));
    read_all(f, "");
    append(log_path, "one\ntw");
    read_all(f, "one,");
    assert_int_equal(mail_follow_position(f).offset, 4);
    append(log_path, "o\nthree\n");
    read_all(f, "two,three,");
    mail_follow_close(f);
    // From the end: what was there is passed over.
    f = begin(NULL, true, 0);
    append(log_path, "four\n");
    read_all(f, "four,");
    mail_follow_close(f);
}

static void test_renamed(void **state)
{
    (void)state;
    append(log_path, "one\n");
    struct mail_follow *f = begin(NULL, false, 0);
    read_all(f, "one,");
    assert_int_equal(rename(log_path, rotated), 0);
    append(rotated, "two\n"); // the server still holds the old file
    read_all(f, "two,");
    append(rotated, "three\nno end");
    append(log_path, "four\n");
    read_all(f, "three,no end,four,");
    assert_int_equal(mail_follow_rotations(f), 1);
    assert_int_equal(mail_follow_lost(f), 0);
    mail_follow_close(f);
}

static void test_truncated(void **state)
{
    (void)state;
    append(log_path, "one\ntwo\n");
    struct mail_follow *f = begin(NULL, false, 0);
    read_all(f, "one,two,");
    assert_int_equal(truncate(log_path, 0), 0);
    read_all(f, "");
    append(log_path, "3\n");
    read_all(f, "3,");
    assert_int_equal(mail_follow_truncations(f), 1);
    mail_follow_close(f);
}

static void test_restart(void **state)
{
    (void)state;
    append(log_path, "one\ntwo\nthr");
    struct mail_follow *f = begin(NULL, false, 0);
    read_all(f, "one,two,");
    struct mail_position at = mail_follow_position(f);
    mail_follow_close(f);
    append(log_path, "ee\n");
    f = begin(&at, false, 5);
    assert_string_equal(warmed, "two,");
    read_all(f, "three,");
    at = mail_follow_position(f);
    mail_follow_close(f);
    // Rotated while nobody looked: the rest of the old file, then the new one.
    append(log_path, "four\n");
    assert_int_equal(rename(log_path, rotated), 0);
    append(log_path, "five\n");
    warmed[0] = '\0';
    f = begin(&at, false, 1000);
    assert_string_equal(warmed, "one,two,three,");
    read_all(f, "four,five,");
    assert_int_equal(mail_follow_lost(f), 0);
    mail_follow_close(f);
}

// Another file under the same name, even with the same number: read from its beginning, and said.
static void test_another_file(void **state)
{
    (void)state;
    append(log_path, "one\ntwo\n");
    struct mail_follow *f = begin(NULL, false, 0);
    read_all(f, "one,two,");
    struct mail_position at = mail_follow_position(f);
    mail_follow_close(f);
    assert_int_equal(truncate(log_path, 0), 0);
    append(log_path, "another, and longer\n");
    f = begin(&at, false, 100);
    assert_string_equal(warmed, "");
    read_all(f, "another, and longer,");
    assert_int_equal(mail_follow_lost(f), 1);
    mail_follow_close(f);
}

static void test_wrong(void **state)
{
    (void)state;
    struct mail_follow *f;
    assert_int_equal(mail_follow_open(folder, NULL, false, 0, warm, NULL, &f), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_growth),  TEST(test_renamed),      TEST(test_truncated),
        TEST(test_restart), TEST(test_another_file), TEST(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
