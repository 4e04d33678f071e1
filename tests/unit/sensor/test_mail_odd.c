// What a log says amiss: stamps that are far from those around them, queue ids of no known form, and recipients
// that are named only when they are delivered.
#include "mail_rig.h"

#include <time.h>

#include "maillog/mail_once.h"

#define EPOCH_MS INT64_C(1795338000000) // 2026-11-22T09:00:00Z

// ---- Stamps.

// A line of 2026, by its day and hour: "22T09".
static void say_at(struct mail_log *l, const char *when, unsigned client)
{
    char line[200];
    int n = snprintf(line, sizeof line,
                     "%s:00:00Z mx1 postfix/smtpd[%u]: connect from a[10.0.0.%u]", when, client,
                     client);
    mail_log_line(l, span_of(line, (size_t)n));
}

static void test_stray_stamps(void **state)
{
    (void)state;
    static const struct {
        const char *lines[6];
        unsigned ahead;     // counted
        const char *latest; // the time of the log at its end
    } cases[] = {
        // Alone, of the distant future and of tomorrow.
        {{"2026-11-22T09", "2038-01-19T03", "2026-11-22T09", "2026-11-22T10"}, 1, "2026-11-22T10"},
        {{"2026-11-22T09", "2026-11-23T12", "2026-11-22T10", "2026-11-22T11"}, 1, "2026-11-22T11"},
        // The first line, and the last.
        {{"2038-01-19T03", "2026-11-22T09", "2026-11-22T10"}, 1, "2026-11-22T10"},
        {{"2026-11-22T09", "2026-11-22T10", "2038-01-19T03"}, 1, "2026-11-22T10"},
        // One after another, each alone.
        {{"2026-11-22T09", "2038-01-19T03", "2027-01-19T03", "2026-11-22T09", "2026-11-22T10"},
         2,
         "2026-11-22T10"},
        // A quiet night, a quiet week, and the first line behind each.
        {{"2026-11-22T09", "2026-11-23T07", "2026-11-23T08"}, 0, "2026-11-23T08"},
        {{"2026-11-22T09", "2026-11-23T07"}, 0, "2026-11-23T07"},
        {{"2026-11-22T09", "2026-12-01T07", "2026-12-09T07", "2026-12-09T07"}, 0, "2026-12-09T07"},
        {{"2026-11-22T09"}, 0, "2026-11-22T09"},
        // An hour is no jump.
        {{"2026-11-22T09", "2026-11-22T10", "2026-11-22T09"}, 0, "2026-11-22T10"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
        unsigned lines = 0;
        for (; lines < 6 && cases[i].lines[lines]; lines++)
            say_at(l, cases[i].lines[lines], lines + 1);
        mail_log_finish(l);
        struct control_status *s = control_status_new("test");
        mail_log_status(l, s);
        json_t *j = control_status_json(s);
        const char *time = json_string_value(json_object_get(j, "time"));
        assert_int_equal(mail_log_stats(l)->lines, lines);
        // Whatever their time, all are told.
        assert_int_equal(mail_log_join_stats(l)->sessions, lines);
        if (mail_log_stats(l)->clock_ahead != cases[i].ahead ||
            strncmp(time, cases[i].latest, 13) != 0)
            fail_msg("case %zu: %d ahead, ends at %s", i, (int)mail_log_stats(l)->clock_ahead,
                     time);
        json_decref(j);
        control_status_free(s);
        mail_log_free(l);
    }
}

// Without a year a stray line must not name the year of those behind it, whatever their form.
static void test_stray_year(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    static const char *const lines[] = {
        "Nov 22 09:00:00 mx1 postfix/smtpd[1]: connect from a[10.0.0.1]",
        "2038-01-19T03:14:07Z mx1 postfix/smtpd[2]: connect from a[10.0.0.2]",
        "Nov 22 09:00:30 mx1 postfix/smtpd[3]: connect from a[10.0.0.3]",
        "Nov 22 09:01:00 mx1 postfix/smtpd[4]: connect from a[10.0.0.4]",
    };
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    for (size_t i = 0; i < 4; i++)
        mail_log_line(l, span_of_text(lines[i]));
    mail_log_finish(l);
    assert_int_equal(mail_log_stats(l)->clock_ahead, 1);
    assert_int_equal(mail_log_stats(l)->clock_back, 0);
    assert_int_equal(coverages, 64); // a minute, and the patience at the end
    assert_int_equal(mail_log_latest(l), EPOCH_MS + 60000);
    mail_log_free(l);
}

// Live: near this machine's clock nothing waits; in what lies behind, a line alone does.
static void test_stray_live(void **state)
{
    (void)state;
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    mail_log_clock(l, EPOCH_MS + INT64_C(5) * 86400000); // five days behind
    say_at(l, "2026-11-22T09", 1);
    say_at(l, "2026-11-25T09", 2); // alone, though the clock has passed it
    say_at(l, "2026-11-22T09", 3);
    assert_int_equal(mail_log_stats(l)->clock_ahead, 1);
    // All is read: the one that waits has nothing to wait for.
    say_at(l, "2026-11-26T09", 4);
    assert_int_equal(mail_log_stats(l)->clock_ahead, 1);
    mail_log_advance(l, EPOCH_MS + INT64_C(5) * 86400000 - 2000);
    mail_log_advance(l, EPOCH_MS + INT64_C(5) * 86400000);
    assert_int_equal(mail_log_join_stats(l)->sessions, 4);
    say_at(l, "2026-11-27T09", 5);
    mail_log_advance(l, EPOCH_MS + INT64_C(5) * 86400000 + 3000);
    assert_int_equal(mail_log_join_stats(l)->sessions, 5);
    assert_int_equal(mail_log_stats(l)->clock_ahead, 1);
    mail_log_free(l);
}

// A line that waits is read again as it was, whatever its form, and so is the one behind it.
static void test_waiting_forms(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"message\",\"client\":\"10.0.0.7\","
        "\"client_port\":1,\"server_port\":587,\"user\":\"bob\",\"recipients\":3}",
        "{\"v\":1,\"time\":\"2030-11-22T09:00:00Z\",\"event\":\"message\",\"client\":\"10.0.0.7\","
        "\"client_port\":1,\"server_port\":587,\"user\":\"bob\",\"recipients\":4}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:01Z\",\"event\":\"message\",\"client\":\"10.0.0.7\","
        "\"client_port\":1,\"server_port\":587,\"user\":\"bob\",\"recipients\":5}",
        "2030-11-22 09:00:02 +0000 1rXabc-0000AB-Cd <= bob@example.net H=(pc) [10.0.0.7]:99 "
        "I=[198.51.100.1]:587 P=esmtpsa X=T A=login:bob S=50 for c@d.example e@f.example",
        "2026-11-22 09:00:03 +0000 1rXabc-0000AB-Cd Completed",
        "{\"v\":1,\"time\":\"2030-11-22T09:00:04Z\",\"event\":\"nonsense\"}",
        "",
        "no stamp at all",
    };
    struct mail_log *l = open_log(64, COVERAGE_FLOW_ONLY);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        mail_log_line(l, span_of_text(lines[i]));
    mail_log_finish(l);
    assert_int_equal(mail_log_stats(l)->lines, 8);
    assert_int_equal(mail_log_stats(l)->clock_ahead, 2);
    assert_int_equal(mail_log_stats(l)->lines_broken, 1);
    assert_int_equal(mail_log_stats(l)->lines_unknown, 1);
    mail_log_free(l);
    assert_string_equal(told,
                        "connect 10.0.0.7:1>587\nauth 10.0.0.7:1>587 bob@example.net\n"
                        "message 10.0.0.7:1>587 bob@example.net 250 rcpt=3/0/0\n"
                        "message 10.0.0.7:1>587 bob@example.net 250 rcpt=4/0/0\n"
                        "message 10.0.0.7:1>587 bob@example.net 250 rcpt=5/0/0\n"
                        "connect 10.0.0.7:99>587 tls\n"
                        "auth 10.0.0.7:99>587 bob@example.net tls\n"
                        "message 10.0.0.7:99>587 bob@example.net tls 250 rcpt=2/0/0 size=50\n");
}

// ---- Queue ids.

static void test_odd_queue_ids(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool odd;
    } cases[] = {
        {"postfix/qmgr[9]: AB12CD34EF: removed", false},
        {"postfix/qmgr[9]: 4Xy1ZBdWDXzb2Q1: removed", false},
        {"postfix/qmgr[9]: AB1: removed", true},
        {"postfix/qmgr[9]: ABCDEF0123456789ABCDEF0123456789: removed", true},
        {"postfix/qmgr[9]: AB12-CD34EF: from=<a@b>, size=1, nrcpt=1 (queue active)", true},
        {"postfix/smtpd[9]: aeiou123: client=a[10.0.0.7]", true},
        {"postfix/cleanup[9]: x.y: message-id=<a@b>", true},
        {"postfix/smtp[9]: \xc3\xa4: to=<a@b>, relay=none, status=deferred (x)", true},
        {"postfix/smtpd[9]: NOQUEUE: reject: RCPT from a[10.0.0.7]: 550 no", false},
        // What begins alike and names no message.
        {"postfix/qmgr[9]: warning: removed", false},
        {"postfix/smtpd[9]: warning: hostname client=x does not resolve", false},
        {"postfix/master[9]: terminating on signal 15", false},
        {"postfix/smtpd[9]: lost connection after RCPT from a[10.0.0.7]", false},
        {"postfix/smtpd[9]: a b: client=a[10.0.0.7]", false},
        {"postfix/anvil[9]: statistics: max connection rate 1/60s", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[300];
        struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
        snprintf(line, sizeof line, "2026-11-22T09:00:00Z mx1 %s", cases[i].line);
        mail_log_line(l, span_of_text(line));
        mail_log_finish(l);
        if (mail_log_stats(l)->odd_queue_ids != cases[i].odd)
            fail_msg("%s: %d", line, (int)mail_log_stats(l)->odd_queue_ids);
        mail_log_free(l);
    }
    static const char *const exim[] = {"1rXabc-0000AB <= a@b H=(x) [10.0.0.7]", "x => a@b R=c",
                                       "1rXabc-0000AB-Cde Completed", "1rXabc-00AB-Cd ** a@b: no"};
    static const char *const other[] = {"Start queue run: pid=7", "1rXabc-0000AB-Cd Completed",
                                        "1rXabc-0000AB-Cd Unfrozen by errmsg timer", "=> a@b"};
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < 4; i++) {
            char line[200];
            snprintf(line, sizeof line, "2026-11-22 09:00:00 %s", k ? other[i] : exim[i]);
            mail_log_line(l, span_of_text(line));
        }
    mail_log_finish(l);
    assert_int_equal(mail_log_stats(l)->odd_queue_ids, 4);
    // It is said, with what to do.
    struct control_status *s = control_status_new("test");
    mail_log_status(l, s);
    json_t *j = control_status_json(s), *problem;
    char *text = json_dumps(j, JSON_COMPACT);
    problem = json_object_get(j, "problems");
    assert_int_equal(json_array_size(problem), 1);
    assert_non_null(strstr(text, "\"odd_queue_ids\":4"));
    assert_non_null(strstr(text, "mail events"));
    free(text);
    json_decref(j);
    control_status_free(s);
    mail_log_free(l);
}

// ---- Recipients that Exim names when it delivers.

#define ID "1rXabc-0000AB-Cd"
#define ARRIVES                                                                          \
    "<= bob@example.net H=(pc) [10.0.0.7]:99 I=[198.51.100.1]:587 P=esmtpsa X=T A=login" \
    ":bob S=50 id=x@y"
#define TOLD_ARRIVAL                                                          \
    "connect 10.0.0.7:99>587 tls\nauth 10.0.0.7:99>587 bob@example.net tls\n" \
    "message 10.0.0.7:99>587 bob@example.net tls 250 size=50\n"
#define DELIVERED(reply, rcpt) "delivery 10.0.0.7:99>587 bob@example.net tls " reply rcpt "\n"
#define ONE                    " rcpt=1/0/0"

// Minutes and what follows the id, or a whole line behind "!".
static void check_exim(const char *const *lines, const char *expected)
{
    struct mail_log *l = open_log(64, COVERAGE_FLOW_ONLY);
    for (; *lines; lines++) {
        char text[400];
        unsigned minute = (unsigned)strtoul(*lines, NULL, 10);
        snprintf(text, sizeof text, "2026-11-22 09:%02u:00 +0000 " ID " %s", minute,
                 strchr(*lines, ' ') + 1);
        mail_log_line(l, span_of_text(text));
    }
    mail_log_finish(l);
    mail_log_free(l);
    assert_string_equal(told, expected);
}

static void test_exim_recipients(void **state)
{
    (void)state;
    // Each kind of line, and each recipient once.
    check_exim((const char *const[]){"0 " ARRIVES, "0 => c@d.example R=d T=t", //
                                     "0 -> e@f.example R=d T=t", "0 ** g@h.example: 550 no",
                                     "0 == i@j.example R=d T=t defer (-44): 450 later",
                                     "9 == i@j.example R=d T=t defer (-44): 450 later",
                                     "20 => i@j.example R=d T=t", "20 Completed", NULL},
               TOLD_ARRIVAL DELIVERED("250", ONE) DELIVERED("250", ONE) DELIVERED("550", ONE)
                   DELIVERED("450", ONE) DELIVERED("450", "") DELIVERED("250", ""));
    // What an alias makes of one is one; a local part that a user has everywhere is not.
    check_exim((const char *const[]){"0 " ARRIVES, "0 => bob <all@example.net> R=l T=m",
                                     "0 => eve <all@example.net> R=l T=m",
                                     "0 => bob <bob@example.org> R=l T=m", "0 Completed", NULL},
               TOLD_ARRIVAL DELIVERED("250", ONE) DELIVERED("250", "") DELIVERED("250", ONE));
    // Named at the arrival: not once more.
    check_exim((const char *const[]){"0 " ARRIVES " for c@d.example e@f.example",
                                     "0 => c@d.example R=d T=t", "0 -> e@f.example R=d T=t",
                                     "0 == x@y.example R=d T=t: later", NULL},
               "connect 10.0.0.7:99>587 tls\nauth 10.0.0.7:99>587 bob@example.net tls\n"
               "message 10.0.0.7:99>587 bob@example.net tls 250 rcpt=2/0/0 size=50\n" //
               DELIVERED("250", "") DELIVERED("250", "") DELIVERED("450", ""));
}

// After a restart what was delivered before is known, since it is read again.
static void test_exim_restart(void **state)
{
    (void)state;
    static const char *const before[] = {" " ARRIVES, " == c@d.example R=d T=t: later",
                                         " => e@f.example R=d T=t"};
    struct mail_log *l = open_log(64, COVERAGE_FLOW_ONLY);
    char text[400];
    mail_log_quiet(l, true);
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "2026-11-22 09:00:00 +0000 " ID "%s", before[i]);
        mail_log_line(l, span_of_text(text));
    }
    mail_log_caught_up(l, true);
    mail_log_line(l, span_of_text("2026-11-22 09:10:00 +0000 " ID " => c@d.example R=d T=t"));
    mail_log_line(l, span_of_text("2026-11-22 09:10:00 +0000 " ID " => i@j.example R=d T=t"));
    mail_log_finish(l);
    mail_log_free(l);
    assert_string_equal(told, DELIVERED("250", "") DELIVERED("250", ONE));
}

static void test_once(void **state)
{
    (void)state;
    struct mail_once *o = mail_once_new(100);
    assert_non_null(o);
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(mail_once_add(o, i << 40));
        assert_false(mail_once_add(o, i << 40));
    }
    // As many more push nothing out, twice as many do; memory stays.
    for (uint64_t i = 100; i < 200; i++)
        assert_true(mail_once_add(o, i << 40));
    assert_false(mail_once_add(o, 150ull << 40));
    assert_false(mail_once_add(o, 0));
    for (uint64_t i = 1000; i < 1200; i++)
        assert_true(mail_once_add(o, i << 40));
    assert_true(mail_once_add(o, 50ull << 40));
    mail_once_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stray_stamps),  cmocka_unit_test(test_stray_year),
        cmocka_unit_test(test_stray_live),    cmocka_unit_test(test_waiting_forms),
        cmocka_unit_test(test_odd_queue_ids), cmocka_unit_test(test_exim_recipients),
        cmocka_unit_test(test_exim_restart),  cmocka_unit_test(test_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
