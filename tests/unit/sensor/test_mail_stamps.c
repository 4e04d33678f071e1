// Lines of logs: octets into lines, stamps with and without a year and a zone, heads.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/timefmt.h"
#include "maillog/mail_input.h"
#include "maillog/mail_lines.h"
#include "scratch.h"

// ---- Octets into lines.

struct seen {
    char text[4096];
    size_t len, count, longest;
};

static void see(void *ctx, struct span line)
{
    struct seen *s = ctx;
    s->count++;
    s->longest = line.len > s->longest ? line.len : s->longest;
    for (size_t i = 0; i < line.len && i < 64 && s->len + 2 < sizeof s->text; i++)
        s->text[s->len++] = (char)line.data[i];
    s->text[s->len++] = '|';
    s->text[s->len] = '\0';
}

static void test_split(void **state)
{
    (void)state;
    static const char in[] = "one\n\ntwo\r\nthree is longer\nlast";
    for (size_t cut = 0; cut <= sizeof in - 1; cut++) {
        static struct mail_lines lines;
        struct seen s = {0};
        mail_lines_feed(&lines, span_of(in, cut), see, &s);
        mail_lines_feed(&lines, span_of(in + cut, sizeof in - 1 - cut), see, &s);
        mail_lines_end(&lines, see, &s);
        assert_string_equal(s.text, "one||two\r|three is longer|last|");
    }
}

static void test_long_line(void **state)
{
    (void)state;
    static struct mail_lines lines;
    static char big[100000];
    struct seen s = {0};
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 3; i++)
        mail_lines_feed(&lines, span_of(big, sizeof big), see, &s);
    mail_lines_feed(&lines, span_of_text("\nnext\n"), see, &s);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.longest, MAIL_LINE_MAX + 1);
    assert_string_equal(s.text + s.len - 6, "|next|");
}

// ---- Stamps and heads.

static void test_heads(void **state)
{
    (void)state;
    static const struct {
        const char *line, *time, *program, *message;
        uint32_t pid;
    } cases[] = {
        {"2026-11-22T09:00:01.123456+01:00 mx1 postfix/smtpd[77]: hello",
         "2026-11-22T08:00:01.123Z", "postfix/smtpd", "hello", 77},
        {"2026-11-22T09:00:01Z mx1 postfix/qmgr[7]: 4X: removed", "2026-11-22T09:00:01Z",
         "postfix/qmgr", "4X: removed", 7},
        {"Nov 22 09:00:01 mx1 rspamd: x: y", "2026-11-22T08:00:01Z", "rspamd", "x: y", 0},
        {"Jul  2 09:00:01 mx1 amavis[12]: (1-2) Passed", "2026-07-02T07:00:01Z", "amavis",
         "(1-2) Passed", 12},
        {"Nov 22 09:00:01 postfix/smtpd[77]: no host", "2026-11-22T08:00:01Z", "postfix/smtpd",
         "no host", 77},
        {"<22>1 2026-11-22T09:00:01Z mx1 postfix/smtpd 77 - - text", "2026-11-22T09:00:01Z",
         "postfix/smtpd", "text", 77},
        {"<22>1 2026-11-22T09:00:01Z mx1 postfix/smtpd 77 ID [a b=\"]\\]\"] \xef\xbb\xbftext",
         "2026-11-22T09:00:01Z", "postfix/smtpd", "text", 77},
        {"<22>Nov 22 09:00:01 mx1 postfix/smtpd[77]: old", "2026-11-22T08:00:01Z", "postfix/smtpd",
         "old", 77},
    };
    static const char *const none[] = {"",
                                       "x",
                                       "Nov 22",
                                       "2026-11-22T09:00:01Z",
                                       "Nov 32 09:00:01 a b: c",
                                       "2026-13-22T09:00:01Z mx1 a: b",
                                       "Nov 22 09:00:01 mx1 no tag",
                                       "<22>1 nonsense",
                                       "<",
                                       "<22>"};
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mail_clock clock = {.now_ms = 1795330000000}; // 2026-11-22
        struct mail_line line;
        char text[TIME_TEXT_MAX];
        if (!mail_line_parse(&clock, span_of_text(cases[i].line), &line))
            fail_msg("not read: %s", cases[i].line);
        assert_string_equal(time_format(line.t_ms, text), cases[i].time);
        assert_true(span_equal_text(line.program, cases[i].program));
        assert_true(span_equal_text(line.message, cases[i].message));
        assert_int_equal(line.pid, cases[i].pid);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct mail_clock clock = {.now_ms = 1795330000000};
        struct mail_line line;
        if (mail_line_parse(&clock, span_of_text(none[i]), &line))
            fail_msg("read: %s", none[i]);
    }
}

// A stamp without a year crosses New Year; one without a zone the hour that comes twice and the one that
// is left out.
static void test_local_time(void **state)
{
    (void)state;
    static const struct {
        int64_t now_ms;
        const char *stamp[6], *time[6];
    } cases[] = {
        {1767222000000, // 2025-12-31T23:00Z
         {"Dec 31 23:59:59", "Jan  1 00:00:01", "Jan  1 12:00:00"},
         {"2025-12-31T22:59:59Z", "2025-12-31T23:00:01Z", "2026-01-01T11:00:00Z"}},
        {1767322000000, // 2026-01-02: a line of last year
         {"Dec 30 12:00:00", "Jan  2 01:00:00"},
         {"2025-12-30T11:00:00Z", "2026-01-02T00:00:00Z"}},
        {1767322000000, // 2026-01-02: nothing of this year is so late
         {"Jan  3 02:00:00", "Jan  3 04:00:00"},
         {"2026-01-03T01:00:00Z", "2025-01-03T03:00:00Z"}},
        {1767222000000, // 2025-12-31T23:00Z, its clock a little ahead
         {"Jan  1 00:30:00"},
         {"2025-12-31T23:30:00Z"}},
        {1795330000000, // 2026-11-22: quiet weeks, a late line of December, a quiet spring
         {"Dec 10 12:00:00", "Jan 20 12:00:00", "Dec 31 12:00:00", "Jan 21 12:00:00",
          "Mar 30 12:00:00", "Nov 22 12:00:00"},
         {"2025-12-10T11:00:00Z", "2026-01-20T11:00:00Z", "2025-12-31T11:00:00Z",
          "2026-01-21T11:00:00Z", "2026-03-30T10:00:00Z", "2026-11-22T11:00:00Z"}},
        {1795330000000, // what would lie ahead does not begin a year
         {"Nov 21 12:00:00", "Mar  1 12:00:00", "Nov 22 12:00:00"},
         {"2026-11-21T11:00:00Z", "2026-03-01T11:00:00Z", "2026-11-22T11:00:00Z"}},
        {1792900000000, // 2026-10-25, the night that is an hour longer
         {"Oct 25 01:59:59", "Oct 25 02:30:00", "Oct 25 02:59:59", "Oct 25 02:00:00",
          "Oct 25 02:30:00", "Oct 25 03:00:00"},
         {"2026-10-24T23:59:59Z", "2026-10-25T00:30:00Z", "2026-10-25T00:59:59Z",
          "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
        {1774700000000, // 2026-03-29, the night that is an hour shorter
         {"Mar 29 01:59:59", "Mar 29 03:00:00"},
         {"2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"}},
    };
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mail_clock clock = {.now_ms = cases[i].now_ms};
        for (size_t k = 0; k < 6 && cases[i].stamp[k]; k++) {
            int64_t t_ms;
            char text[TIME_TEXT_MAX];
            assert_int_equal(mail_line_stamp(&clock, span_of_text(cases[i].stamp[k]), &t_ms), 15);
            assert_string_equal(time_format(t_ms, text), cases[i].time[k]);
        }
    }
}

// ---- Files, before they are read.

// Years are counted backwards from the file's own time, or from now when that is later.
static void test_years(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *file_time, *first;
        int year;
    } cases[] = {
        {"Nov 20 09:00:00 a b: c\n", "2026-11-22T00:00:00Z", "2026-11-20T08:00:00Z", 2026},
        {"Nov 20 09:00:00 a b: c\n", "2024-11-22T00:00:00Z", "2024-11-20T08:00:00Z", 2024},
        {"Nov 20 09:00:00 a b: c\n", "2024-11-02T00:00:00Z", "2023-11-20T08:00:00Z", 2023},
        {"Nov 20 09:00:00 a b: c\n", "2036-11-02T00:00:00Z", "2026-11-20T08:00:00Z", 2026},
        {"\n<22>Nov 20 09:00:00 a b: c\nJan  2 01:00:00 a b: c\nDec 31 01:00:00 a b: late\n"
         "no stamp\nJun  1 01:00:00 a b: c\nDec 24 01:00:00 a b: c\nJan 20 00:00:00 a b: c\nFeb  1 "
         "00:00:00 a b: c",
         "2026-11-22T00:00:00Z", "2024-11-20T08:00:00Z", 2024},
        {"2024-11-20T09:00:00Z a b: c\nDec", "2026-11-22T00:00:00Z", "2024-11-20T09:00:00Z", 0},
        {"2024-11-20 09:00:00 1rXabc-0000AB-Cd Completed\n", "2026-11-22T00:00:00Z",
         "2024-11-20T08:00:00Z", 0},
        {"{\"v\":1,\"time\":\"2024-11-20T09:00:00Z\",\"event\":\"message\",\"user\":\"b\"}\n",
         "2026-11-22T00:00:00Z", "2024-11-20T09:00:00Z", 0},
        {"nothing\nof the kind", "2026-11-22T00:00:00Z", NULL, 0},
        {"", "2026-11-22T00:00:00Z", NULL, 0},
    };
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    char dir[SCRATCH_MAX], path[SCRATCH_MAX + 8], text[TIME_TEXT_MAX];
    assert_int_equal(scratch_make(dir), 0);
    snprintf(path, sizeof path, "%s/log", dir);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *f = fopen(path, "w");
        int64_t file_ms;
        assert_non_null(f);
        assert_true(fputs(cases[i].lines, f) >= 0 && fclose(f) == 0);
        assert_int_equal(time_parse(cases[i].file_time, &file_ms), 0);
        struct timespec times[2] = {{.tv_sec = file_ms / 1000}, {.tv_sec = file_ms / 1000}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        struct mail_look look;
        mail_look(path, 1795330000000, &look); // 2026-11-22
        if (look.year != cases[i].year)
            fail_msg("case %zu: %d", i, look.year);
        assert_string_equal(look.first_ms ? time_format(look.first_ms, text) : "",
                            cases[i].first ? cases[i].first : "");
    }
    scratch_remove(dir);
}

static void test_order(void **state)
{
    (void)state;
    struct mail_look look[] = {{.path = "new", .first_ms = 30, .inode = 1},
                               {.path = "empty", .inode = 2},
                               {.path = "old", .first_ms = 10, .inode = 3},
                               {.path = "again", .first_ms = 30, .inode = 1},
                               {.path = "other disk", .first_ms = 30, .inode = 3, .device = 1},
                               {.path = "missing", .first_ms = 40},
                               {.path = "missing too", .first_ms = 40}};
    static const char *const sorted[] = {"old",        "new",     "empty",      "again",
                                         "other disk", "missing", "missing too"};
    struct mail_look piped[] = {
        {.path = "new", .first_ms = 30}, {.path = "-"}, {.path = "old", .first_ms = 10}};
    assert_true(mail_look_order(look, 7));
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(look[i].path, sorted[i]);
        assert_int_equal(mail_look_repeats(look, i), i == 3);
    }
    assert_false(mail_look_order(look, 7));
    assert_false(mail_look_order(piped, 3));
    assert_string_equal(piped[0].path, "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split), cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_heads), cmocka_unit_test(test_local_time),
        cmocka_unit_test(test_years), cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
