// Lines of logs: octets into lines, stamps with and without a year and a zone, heads.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/timefmt.h"
#include "maillog/mail_lines.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_local_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
