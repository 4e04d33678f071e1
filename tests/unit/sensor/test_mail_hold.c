// What several logs and a proxy make of one message, and how many recipients its client gave.
#include "mail_rig.h"

// What an alias makes of one recipient is no more than one; without the count of its client the queue's counts.
static void test_aliases(void **state)
{
    (void)state;
#define LIST  "1 postfix/qmgr[9]: AB12CD34EF: from=<>, size=50, nrcpt=300 (queue active)\n"
#define LEAVE "1 postfix/submission/smtpd[7]: disconnect from a[10.0.0.7]:99"
#define SECOND                                                                              \
    "1 postfix/submission/smtpd[7]: AB12CD34F0: client=a[10.0.0.7]:99, sasl_method=PLAIN, " \
    "sasl_username=bob\n"
#define LIST_2  "1 postfix/qmgr[9]: AB12CD34F0: from=<>, size=50, nrcpt=200 (queue active)\n"
#define TOLD(n) "message 10.0.0.7:99>587 bob@example.net tls 250 rcpt=" n "/0/0 size=50\n"
    check(SESSION LIST LEAVE " ehlo=1 mail=1 rcpt=1 data=1\n", TOLD_SESSION TOLD("1"));
    check(SESSION LIST LEAVE " ehlo=1 mail=1 rcpt=2/5 data=1\n", TOLD_SESSION TOLD("2"));
    check(SESSION LEAVE " ehlo=1 mail=1 rcpt=1 data=1\n" LIST, TOLD_SESSION TOLD("1"));
    check(SESSION LIST LEAVE " ehlo=1 mail=1 rcpt=999 data=1\n", TOLD_SESSION TOLD("300"));
    check(SESSION LIST LEAVE "\n", TOLD_SESSION TOLD("300"));
    check(SESSION LIST, TOLD_SESSION TOLD("300"));
    // Two lists in one session, four recipients given: together no more.
    check(SESSION LIST SECOND LIST_2 LEAVE " mail=2 rcpt=4\n", TOLD_SESSION TOLD("3") TOLD("1"));
    check(SESSION LIST SECOND LEAVE " mail=2 rcpt=4\n" LIST_2, TOLD_SESSION TOLD("3") TOLD("1"));
    check(SESSION SECOND LEAVE " mail=2 rcpt=2\n" LIST LIST_2, TOLD_SESSION TOLD("1") TOLD("1"));
    // The next client of the same process is another session.
    check(SESSION LIST "2 postfix/submission/smtpd[7]: connect from a[10.0.0.7]:98\n"
                       "2 postfix/submission/smtpd[7]: disconnect from a[10.0.0.7]:98 rcpt=1\n",
          TOLD_SESSION TOLD("300") "connect 10.0.0.7:98>587\n");
}

// A proxy in front speaks for its client: one session, the client's.
static void test_proxy(void **state)
{
    (void)state;
    check("0 postfix/submission/smtpd[7]: connect from p[10.0.0.9]:5\n"
          "0 postfix/submission/smtpd[7]: AB12CD34EF: client=a[10.0.0.7]:99, sasl_method=XCLIENT, "
          "sasl_username=bob\n"
          "0 postfix/qmgr[9]: AB12CD34EF: from=<>, size=50, nrcpt=1 (queue active)\n"
          "0 postfix/submission/smtpd[7]: disconnect from a[10.0.0.7]:99 xclient=2 mail=1 rcpt=1\n",
          "connect 10.0.0.7:99>587\nauth 10.0.0.7:99>587 bob@example.net\n"
          "message 10.0.0.7:99>587 bob@example.net 250 rcpt=1/0/0 size=50\n");
}

// Instances of one server, whose logs are read one after the other: the one behind speaks of a message that the
// one in front has long removed.
static void test_instances(void **state)
{
    (void)state;
    check(SESSION ACCEPTED
          "2 postfix/smtp[5]: AB12CD34EF: to=<c@d.example>, relay=127.0.0.1[127.0.0.1]:10026, "
          "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as BB12CD34EF)\n"
          "2 postfix/qmgr[9]: AB12CD34EF: removed\n"
          "2 postfix/submission/smtpd[7]: EE12CD34EF: client=e[10.0.0.8], sasl_method=PLAIN, "
          "sasl_username=eve\n"
          "2 postfix/cleanup[8]: EE12CD34EF: message-id=<x@y>\n" // borrowed
          "2 postfix-out/smtpd[4]: BB12CD34EF: client=localhost[127.0.0.1]:7, "
          "orig_queue_id=AB12CD34EF, orig_client=a[10.0.0.7]:99\n"
          "2 postfix-out/cleanup[8]: BB12CD34EF: message-id=<x@y>\n"
          "2 postfix-out/qmgr[9]: BB12CD34EF: from=<bob@example.net>, size=60, nrcpt=2 (queue "
          "active)\n"
          "3 postfix-out/smtp[5]: BB12CD34EF: to=<m1@d.example>, orig_to=<c@d.example>, "
          "relay=x[192.0.2.9]:25, dsn=2.0.0, status=sent (250 ok)\n"
          "4 postfix-out/qmgr[9]: BB12CD34EF: removed\n",
          TOLD_SESSION TOLD_MESSAGE
          "connect 10.0.0.8:0>587\nauth 10.0.0.8:0>587 eve@example.net\n" TOLD_INNER);
}

// rspamd's own file names no host; its word and the server's are one refusal.
static void test_filter_file(void **state)
{
    (void)state;
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    static const char line[] =
        "2026-11-22 09:00:02 #77(rspamd_proxy) <ab12cd>; proxy; rspamd_task_write_log: id: "
        "<x@y>, qid: <AB12CD34EF>, ip: 10.0.0.7, user: bob, from: <bob@example.net>, (default: S "
        "(reject): [15.00/15.00] [GTUBE(0.00){}]), len: 9";
    setenv("TZ", "UTC", 1);
    feed(l, SESSION);
    mail_log_line(l, span_of(line, sizeof line - 1));
    feed(l,
         "2 postfix/cleanup[8]: AB12CD34EF: milter-reject: END-OF-MESSAGE from a[10.0.0.7]: 5.7.1 "
         "Gtube pattern; from=<bob@example.net> to=<c@d.example> proto=ESMTP helo=<pc>\n");
    mail_log_finish(l);
    assert_int_equal(mail_log_stats(l)->lines_unknown, 0);
    mail_log_free(l);
    assert_string_equal(told, TOLD_SESSION "reject 10.0.0.7:99>587 bob@example.net tls spam 554\n");
}

// Each filter that stands beside a Postfix: its word counts once, of its kind, for who sent the message, however often
// it is said and whatever the server says of it as well.
static void test_each_filter(void **state)
{
    (void)state;
    static const struct {
        const char *line, *kind;
        bool before; // the message is accepted: a milter's word
    } cases[] = {
        {"amavis[1]: (1-1) Blocked SPAM {D}, LOCAL [10.0.0.7] <a> -> <b>, Queue-ID: AB12CD34EF, "
         "Message-ID: <x@y>, Hits: 9",
         "spam", false},
        {"amavis[1]: (1-1) Blocked INFECTED (Eicar) {D}, <a> -> <b>, Queue-ID: AB12CD34EF, "
         "Message-ID: <x@y>",
         "virus", false},
        {"amavis[1]: (1-1) Blocked BANNED (.exe) {D}, <a> -> <b>, Queue-ID: AB12CD34EF", "policy",
         false},
        {"amavisd[1]: (1-1) Blocked BAD-HEADER-1 {D}, <a> -> <b>, Queue-ID: AB12CD34EF", "policy",
         false},
        {"spampd[1]: identified spam <x@y> (11.20/5.00) from <a> for <b> in 1.52s, 2043 bytes.",
         "spam", false},
        {"rspamd[1]: <a>; proxy; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, ip: "
         "10.0.0.7, "
         "(default: T (reject): [16.00/15.00] [BAYES_SPAM(5.0){}]), len: 9",
         "spam", false},
        {"rspamd[1]: <a>; milter; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, ip: "
         "10.0.0.7, (default: T (reject): [16.00/15.00] [CLAM_VIRUS(5.0){}]), len: 9",
         "virus", true},
        {"clamav-milter[1]: Message AB12CD34EF from <a> to <b> with subject 's' message-id "
         "'<x@y>' date 'd' infected by Eicar",
         "virus", false},
        {"postfix/cleanup[8]: AB12CD34EF: milter-reject: END-OF-MESSAGE from a[10.0.0.7]:99: 5.7.1 "
         "Spam message rejected; from=<bob@example.net> to=<c@d.example> proto=ESMTP helo=<pc>",
         "spam", true},
        {"postfix/smtp[5]: AB12CD34EF: to=<c@d.example>, relay=127.0.0.1[127.0.0.1]:10024, "
         "dsn=2.7.0, status=sent (250 2.7.0 Ok, discarded, id=1-1 - spam)",
         "spam", false},
        // What passed is no block.
        {"amavis[1]: (1-1) Passed CLEAN {R}, <a> -> <b>, Queue-ID: AB12CD34EF", NULL, false},
        {"spampd[1]: clean message <x@y> (1.20/5.00) from <a> for <b> in 1.52s, 2043 bytes.", NULL,
         false},
        {"rspamd[1]: <a>; proxy; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, (default: F "
         "(add header): [7.00/15.00] []), len: 9",
         NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char lines[2048], kind[32];
        struct mail_log *l = open_log(64, COVERAGE_FLOW_ONLY);
        feed(l, SESSION);
        if (!cases[i].before)
            feed(l, ACCEPTED);
        snprintf(lines, sizeof lines, "2 %s\n2 %s\n", cases[i].line, cases[i].line);
        feed(l, lines);
        mail_log_finish(l);
        const struct mail_join_stats *s = mail_log_join_stats(l);
        snprintf(kind, sizeof kind, " tls %s 55", cases[i].kind ? cases[i].kind : "?");
        const char *first = strstr(told, "reject 10.0.0.7:99>587 bob@example.net");
        if (s->blocks + s->rejects != (cases[i].kind ? 1 : 0) || !first != !cases[i].kind ||
            (first && (!strstr(first, kind) || strstr(first + 1, "reject "))))
            fail_msg("%s: %d blocks, %d refusals\n%s", cases[i].line, (int)s->blocks,
                     (int)s->rejects, told);
        mail_log_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aliases),     cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_instances),   cmocka_unit_test(test_filter_file),
        cmocka_unit_test(test_each_filter),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
