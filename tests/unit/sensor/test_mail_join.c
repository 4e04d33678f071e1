// What lines of a log come to when they are joined: sessions, messages, refusals, filters that hand a message
// back, forged names, bounds; and records with their coverage.
#include "mail_rig.h"

static void test_message(void **state)
{
    (void)state;
    check(
        SESSION ACCEPTED
        "2 postfix/smtp[5]: AB12CD34EF: to=<c@d.example>, relay=x[192.0.2.9]:25, dsn=2.0.0, "
        "status=sent (250 ok)\n"
        "2 postfix/smtp[5]: AB12CD34EF: to=<e@f.example>, relay=x[192.0.2.9]:25, dsn=4.0.0, "
        "status=deferred (host x[192.0.2.9] said: 421 later)\n"
        // Active again: the same message, told once.
        "600 postfix/qmgr[9]: AB12CD34EF: from=<bob@example.net>, size=50, nrcpt=2 (queue active)\n"
        "601 postfix/smtp[5]: AB12CD34EF: to=<e@f.example>, relay=x[192.0.2.9]:25, dsn=5.0.0, "
        "status=bounced (host x[192.0.2.9] said: 550 listed at xbl.spamhaus.org)\n"
        "601 postfix/bounce[5]: AB12CD34EF: sender non-delivery notification: CC12CD34EF\n"
        "601 postfix/qmgr[9]: CC12CD34EF: from=<>, size=9, nrcpt=1 (queue active)\n"
        "601 postfix/qmgr[9]: AB12CD34EF: removed\n",
        TOLD_SESSION TOLD_MESSAGE
        "delivery 10.0.0.7:99>587 bob@example.net tls 250 1:c@d.example 8:d.example\n"
        "delivery 10.0.0.7:99>587 bob@example.net tls 421 1:e@f.example 8:f.example\n"
        "delivery 10.0.0.7:99>587 bob@example.net tls 550 list=2 1:e@f.example 8:f.example\n"
        "bounce 10.0.0.7:99>587 bob@example.net tls\n");
}

static void test_two_messages_one_login(void **state)
{
    (void)state;
    check(SESSION QUEUED
          "2 postfix/submission/smtpd[7]: AB12CD34F0: client=a[10.0.0.7]:99, sasl_method=PLAIN, "
          "sasl_username=bob@example.net\n"
          "2 postfix/qmgr[9]: AB12CD34F0: from=<>, size=50, nrcpt=2 (queue active)\n",
          TOLD_SESSION TOLD_MESSAGE
          "message 10.0.0.7:99>587 bob@example.net tls 250 rcpt=2/0/0 size=50\n");
}

// Mail that comes in is not told; who guesses passwords from outside is, and who submits.
static void test_whose(void **state)
{
    (void)state;
    check(
        "0 postfix/smtpd[7]: connect from a[192.0.2.7]\n"
        "0 postfix/smtpd[7]: AB12CD34EF: client=a[192.0.2.7]\n"
        "0 postfix/qmgr[9]: AB12CD34EF: from=<x@y>, size=50, nrcpt=1 (queue active)\n"
        "0 postfix/smtpd[7]: NOQUEUE: reject: RCPT from a[192.0.2.7]: 550 5.1.1 <c@d.example>: no; "
        "from=<x@y> to=<c@d.example> proto=ESMTP helo=<pc>\n"
        "1 postfix/smtpd[8]: warning: a[192.0.2.8]: SASL LOGIN authentication failed: x, "
        "sasl_username=carol\n"
        "2 postfix/submission/smtpd[6]: AB12CD34F0: client=a[203.0.113.5], sasl_method=PLAIN, "
        "sasl_username=eve\n"
        "2 postfix/qmgr[9]: AB12CD34F0: from=<>, size=5, nrcpt=1 (queue active)\n"
        "3 postfix/pickup[3]: AB12CD34F1: uid=0 from=<root>\n"
        "3 postfix/qmgr[9]: AB12CD34F1: from=<root@mx1>, size=5, nrcpt=1 (queue active)\n",
        "auth 192.0.2.8:0>25 failed 535 5:carol\n"
        "connect 203.0.113.5:0>587 as64500DE\n"
        "auth 203.0.113.5:0>587 eve@example.net as64500DE\n"
        "message 203.0.113.5:0>587 eve@example.net 250 rcpt=1/0/0 size=5 as64500DE\n");
}

static void test_refusals(void **state)
{
    (void)state;
    check("0 postfix/smtpd[7]: connect from a[10.0.0.7]\n"
          "1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from a[10.0.0.7]: 554 5.7.1 <c@d.example>: "
          "denied; "
          "from=<bob@example.net> to=<c@d.example> proto=ESMTP helo=<pc>\n"
          "1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from a[10.0.0.7]: 450 4.7.1 <e@f.example>: "
          "later; "
          "from=<bob@example.net> to=<e@f.example> proto=ESMTP helo=<pc>\n"
          "2 postfix/smtpd[7]: AB12CD34EF: client=a[10.0.0.7]\n"
          "2 rspamd[3]: <a>; proxy; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, ip: "
          "10.0.0.7, "
          "(default: T (reject): [16.00/15.00] []), len: 9\n"
          "2 postfix/cleanup[8]: AB12CD34EF: milter-reject: END-OF-MESSAGE from a[10.0.0.7]: 5.7.1 "
          "Spam "
          "message rejected; from=<bob@example.net> to=<c@d.example> proto=ESMTP helo=<pc>\n"
          "3 postfix/smtpd[7]: warning: Connection rate limit exceeded: 31 from a[10.0.0.7] for "
          "service "
          "smtpd\n",
          "connect 10.0.0.7:0>25\n"
          "reject 10.0.0.7:0>25 554 rcpt=0/0/1 2:bob@example.net 3:example.net 4:pc 1:c@d.example "
          "8:d.example\n"
          "reject 10.0.0.7:0>25 450 rcpt=0/1/0 2:bob@example.net 3:example.net 4:pc 1:e@f.example "
          "8:f.example\n"
          "reject 10.0.0.7:0>25 spam 554\n"
          "reject 10.0.0.7:0>25 rate 421\n");
}

// Amavis takes the message and hands it back as another; what becomes of that one is told of the first.
#define HANDED                                                                                  \
    "2 postfix/smtp[5]: AB12CD34EF: to=<c@d.example>, relay=127.0.0.1[127.0.0.1]:10024, "       \
    "dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued " \
    "as BB12CD34EF)\n"
#define INNER_BEGINS "2 postfix/smtpd[4]: BB12CD34EF: client=localhost[127.0.0.1]"
#define INNER_ACCEPTED \
    "2 postfix/qmgr[9]: BB12CD34EF: from=<bob@example.net>, size=60, nrcpt=2 (queue active)\n"
#define INNER_SENT                                                                        \
    "3 postfix/smtp[5]: BB12CD34EF: to=<c@d.example>, relay=x[192.0.2.9]:25, dsn=2.0.0, " \
    "status=sent (250 ok)\n"

static void test_filter(void **state)
{
    (void)state;
    static const char *const ways[] = {
        INNER_BEGINS
        "\n2 postfix/cleanup[8]: BB12CD34EF: message-id=<x@y>\n" INNER_ACCEPTED INNER_SENT,
        INNER_BEGINS "\n" INNER_ACCEPTED HANDED INNER_SENT,
        INNER_BEGINS
        ", orig_queue_id=AB12CD34EF, orig_client=a[10.0.0.7]\n" INNER_ACCEPTED INNER_SENT,
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char lines[4096];
        snprintf(lines, sizeof lines, "%s%s", SESSION ACCEPTED, ways[i]);
        check(lines, TOLD_SESSION TOLD_MESSAGE TOLD_INNER);
    }
    check(SESSION ACCEPTED "2 amavis[1]: (1-1) Blocked SPAM {D}, <a> -> <b>, Queue-ID: AB12CD34EF, "
                           "Message-ID: <x@y>, Hits\n"
                           "2 postfix/smtp[5]: AB12CD34EF: to=<c@d.example>, "
                           "relay=127.0.0.1[127.0.0.1]:10024, dsn=2.7.0, "
                           "status=sent (250 2.7.0 Ok, discarded, id=1-1 - spam)\n",
          TOLD_SESSION TOLD_MESSAGE
          "reject 10.0.0.7:99>587 bob@example.net tls spam 554 2:bob@example.net 3:example.net\n");
}

// A Message-ID that holds another message's queue id convicts nobody.
static void test_forged(void **state)
{
    (void)state;
    check(SESSION ACCEPTED
          "2 rspamd[3]: <a>; proxy; rspamd_task_write_log: id: <evil>, qid: <AB12CD34EF>, qid: "
          "<BB12CD34EF>, ip: 10.0.0.8, (default: T (reject): [16.00/15.00] []), len: 9\n",
          TOLD_SESSION TOLD_MESSAGE);
}

// In flow-only no name of an envelope leaves, hashed or not; the mailbox is the party itself.
static void test_flow_only(void **state)
{
    (void)state;
    struct mail_log *l = open_log(64, COVERAGE_FLOW_ONLY);
    feed(l, SESSION ACCEPTED);
    mail_log_finish(l);
    mail_log_free(l);
    assert_string_equal(told, TOLD_SESSION
                        "message 10.0.0.7:99>587 bob@example.net tls 250 rcpt=2/0/0 size=50\n");
}

static void test_exim_and_events(void **state)
{
    (void)state;
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    static const char *const lines[] = {
        "2026-11-22 09:00:00 +0000 1rXabc-0000AB-Cd <= bob@example.net H=(pc) [10.0.0.7]:99 "
        "I=[198.51.100.1]:587 P=esmtpsa X=T A=login:bob S=50 id=x@y for c@d.example e@f.example",
        "2026-11-22 09:00:01 +0000 1rXabc-0000AB-Cd => c@d.example R=d T=remote_smtp H=x "
        "[192.0.2.9]",
        "2026-11-22 09:00:01 +0000 1rXabc-0000AB-Cd Completed",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:02Z\",\"event\":\"delivery\",\"user\":\"eve\","
        "\"reply_code\":550,\"recipient\":\"c@d.example\"}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:02Z\",\"event\":\"nonsense\"}",
        "nothing that is known",
        "",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        mail_log_line(l, span_of_text(lines[i]));
    assert_int_equal(mail_log_stats(l)->lines, 7);
    assert_int_equal(mail_log_stats(l)->lines_broken, 1);
    assert_int_equal(mail_log_stats(l)->lines_unknown, 1);
    mail_log_finish(l);
    mail_log_free(l);
    assert_string_equal(
        told,
        TOLD_SESSION "message 10.0.0.7:99>587 bob@example.net tls 250 rcpt=2/0/0 size=50 "
                     "2:bob@example.net 3:example.net 4:pc 1:c@d.example 8:d.example "
                     "1:e@f.example 8:f.example\n"
                     "delivery 10.0.0.7:99>587 bob@example.net tls 250 1:c@d.example 8:d.example\n"
                     "delivery -:0>0 eve@example.net 550 1:c@d.example 8:d.example\n");
}

// A thousand messages at once in room for sixty-four: what was pushed out is counted, nothing else suffers.
static void test_bounds(void **state)
{
    (void)state;
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    char line[256];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(line, sizeof line,
                 "%u postfix/submission/smtpd[%u]: %08X: client=a[10.0.%u.%u], sasl_method=X, "
                 "sasl_username=bob\n",
                 i / 10, 100 + i, i + 0x10000000, i / 250, i % 250);
        feed(l, line);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(line, sizeof line,
                 "100 postfix/qmgr[9]: %08X: from=<>, size=1, nrcpt=1 (queue active)\n",
                 i + 0x10000000);
        feed(l, line);
    }
    const struct mail_join_stats *s = mail_log_join_stats(l);
    assert_int_equal(s->messages, 64);
    assert_int_equal(s->unknown_message, 936);
    assert_int_equal(s->sessions, 1000);
    mail_log_finish(l);
    mail_log_free(l);
}

// A coverage record for every second, with or without lines; a long silence is not claimed.
static void test_coverage(void **state)
{
    (void)state;
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    feed(l, "0 postfix/smtpd[7]: connect from a[10.0.0.7]\n60 postfix/smtpd[7]: disconnect from "
            "a[10.0.0.7]\n30 postfix/smtpd[8]: connect from a[10.0.0.8]\n");
    assert_int_equal(coverages, 60);
    assert_int_equal(mail_log_stats(l)->clock_back, 1);
    for (int i = 0; i < 2; i++) // one alone is not believed
        mail_log_line(
            l, span_of_text("2026-12-22T09:00:00Z mx1 postfix/smtpd[7]: connect from a[10.0.0.7]"));
    assert_int_equal(coverages, 60 + 6 * 3600);
    mail_log_finish(l);
    mail_log_free(l);
    assert_int_equal(coverages, 60 + 6 * 3600 + 4);
}

// Live, a line stamped years ahead does not carry the time of all that follow; from a file it takes another that agrees.
static void test_far_ahead(void **state)
{
    (void)state;
    static const char ahead[] =
        "2030-01-01T00:00:00Z mx1 postfix/smtpd[9]: connect from a[10.0.0.9]";
    static const char stranger[] = "2030-01-01T00:00:01Z mx1 sshd[9]: hello";
    for (int live = 0; live < 2; live++) {
        coverages = 0;
        struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
        if (live)
            mail_log_clock(l, INT64_C(1795338000000) + 30000);
        feed(l, "0 postfix/smtpd[7]: connect from a[10.0.0.7]\n");
        mail_log_line(l, span_of_text(ahead));
        mail_log_line(l, span_of_text(stranger));
        feed(l, "60 postfix/smtpd[7]: disconnect from a[10.0.0.7]\n");
        assert_int_equal(mail_log_stats(l)->clock_ahead, live ? 2 : 0);
        assert_int_equal(mail_log_stats(l)->clock_back, live ? 0 : 1);
        assert_int_equal(coverages, live ? 60 : 6 * 3600 + 1);
        mail_log_finish(l);
        mail_log_free(l);
    }
}

// Read again after a restart: known, not told.
static void test_quiet(void **state)
{
    (void)state;
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    mail_log_quiet(l, true);
    feed(l, SESSION QUEUED);
    mail_log_caught_up(l, true);
    assert_int_equal(mail_log_join_stats(l)->messages, 0);
    feed(l, "2 postfix/smtp[5]: AB12CD34EF: to=<c@d.example>, relay=x[192.0.2.9]:25, dsn=2.0.0, "
            "status=sent (250 ok)\n");
    mail_log_finish(l);
    mail_log_free(l);
    assert_string_equal(told, TOLD_INNER);
    // It was killed: what waited then may not have been told.
    l = open_log(64, COVERAGE_FULL_ENVELOPE);
    mail_log_quiet(l, true);
    feed(l, SESSION QUEUED);
    mail_log_caught_up(l, false);
    mail_log_finish(l);
    mail_log_free(l);
    assert_string_equal(told, TOLD_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),   cmocka_unit_test(test_two_messages_one_login),
        cmocka_unit_test(test_whose),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_filter),    cmocka_unit_test(test_forged),
        cmocka_unit_test(test_flow_only), cmocka_unit_test(test_exim_and_events),
        cmocka_unit_test(test_bounds),    cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_quiet),     cmocka_unit_test(test_far_ahead),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
