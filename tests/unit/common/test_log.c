// Log lines: form, levels, what is escaped, length; under a journal and not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

static char captured[8192];
static int saved_stderr = -1;
static int capture_fds[2];

static void capture_begin(void)
{
    assert_int_equal(pipe(capture_fds), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(capture_fds[1], STDERR_FILENO);
}

static const char *capture_end(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(capture_fds[1]);
    ssize_t n = read(capture_fds[0], captured, sizeof captured - 1);
    close(capture_fds[0]);
    captured[n > 0 ? n : 0] = '\0';
    return captured;
}

static int reset(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    log_open("postern-x");
    log_set_level(LOG_LEVEL_INFO);
    log_set_times(false);
    return 0;
}

static void plain_lines(void **state)
{
    (void)state;
    capture_begin();
    errno = ENOENT;
    log_error("a %d", 1);
    log_warning("b %s", "two");
    log_info("c %m");
    log_debug("d");
    assert_int_equal(errno, ENOENT);
    assert_string_equal(capture_end(), "postern-x: error: a 1\n"
                                       "postern-x: warning: b two\n"
                                       "postern-x: info: c No such file or directory\n");
}

static void levels(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_INFO;
    static const char *const names[] = {"error", "warning", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(log_level_parse(names[i], &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("Error", &level), -EINVAL);
    assert_int_equal(log_level_parse("", &level), -EINVAL);
    assert_int_equal(level, LOG_LEVEL_DEBUG);

    log_set_level(LOG_LEVEL_ERROR);
    capture_begin();
    log_warning("no");
    log_error("yes");
    assert_string_equal(capture_end(), "postern-x: error: yes\n");
    log_set_level(LOG_LEVEL_DEBUG);
    capture_begin();
    log_debug("yes");
    assert_string_equal(capture_end(), "postern-x: debug: yes\n");
}

static void a_line_stays_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"a\nb", "a\\x0ab"},
        {"\x1b[31mred\x7f\r\t", "\\x1b[31mred\\x7f\\x0d\\x09"},
        {"Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x93\xa7",
         "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x93\xa7"},
        {"\xc2\x9b", "\\xc2\\x9b"},                              // C1: a control sequence in 8 bits
        {"\xff\xfe", "\\xff\\xfe"},                              // no UTF-8
        {"\xc0\xaf \xe0\x80\xaf", "\\xc0\\xaf \\xe0\\x80\\xaf"}, // overlong
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                     // a surrogate
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},            // behind Unicode's end
        {"cut \xe2\x82", "cut \\xe2\\x82"},
        {"%s%n", "%s%n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[200];
        snprintf(expected, sizeof expected, "postern-x: info: %s\n", cases[i].shown);
        capture_begin();
        log_info("%s", cases[i].text);
        assert_string_equal(capture_end(), expected);
    }
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    static char text[6000];
    memset(text, 'a', sizeof text - 1);
    capture_begin();
    log_info("%s", text);
    const char *line = capture_end();
    assert_in_range(strlen(line), 2000, 2048);
    assert_int_equal(line[strlen(line) - 1], '\n');
    memset(text, '\n', sizeof text - 1); // four octets each
    capture_begin();
    log_info("%s", text);
    line = capture_end();
    assert_in_range(strlen(line), 2000, 2048);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void times(void **state)
{
    (void)state;
    log_set_times(true);
    capture_begin();
    log_info("x");
    const char *line = capture_end();
    assert_string_equal(line + strlen("2026-11-22T05:52:00Z"), " postern-x: info: x\n");
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], 'Z');
}

static void journal(void **state)
{
    (void)state;
    capture_begin();
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open("postern-x");
    log_set_times(true);
    log_set_level(LOG_LEVEL_DEBUG);
    log_error("a");
    log_warning("b");
    log_info("c");
    log_debug("d");
    assert_string_equal(capture_end(), "<3>a\n<4>b\n<6>c\n<7>d\n");
    // The variable is inherited by programs whose standard error goes elsewhere.
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_open("postern-x");
    log_set_times(false);
    capture_begin();
    log_error("a");
    assert_string_equal(capture_end(), "postern-x: error: a\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(plain_lines, reset),
        cmocka_unit_test_setup(levels, reset),
        cmocka_unit_test_setup(a_line_stays_a_line, reset),
        cmocka_unit_test_setup(long_lines_are_cut, reset),
        cmocka_unit_test_setup(times, reset),
        cmocka_unit_test_setup(journal, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
