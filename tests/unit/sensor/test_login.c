// POP3 and IMAP: tries and failures of log-ins, nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dialogue.h"

#define RUN(table)  dialogue_run(table, sizeof table / sizeof *table)
#define POP3        .port = 110
#define IMAP        .port = 143
#define OAUTH_ERROR "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=" // {"status":"400",...
#define TLS                                              \
    "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\n" \
    "S~ \\x15\\x03\\x03\\x00\\x02\\x02\\x28\n"

static void test_pop3(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("third try is right",
                 "S: +OK ready\nC: CAPA\nS: +OK\nS: USER\nS: +OK is a line of the list\nS: .\nC: "
                 "USER bob\nS: +OK\n"
                 "C: PASS one\nS: -ERR no\nC: USER bob\nS: +OK\nC: PASS two\nS: -ERR [AUTH] no\nC: "
                 "USER bob\n"
                 "S: +OK\nC: PASS three\nS: +OK in\nC: PASS is not a try here\nS: -ERR\n",
                 "app=7 groups=16 tries=3 failures=2 hashes=1", POP3, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("APOP and AUTH",
                 "S: +OK <1@x>\nC: APOP bob c4c9334bac560ecc979e58001b3e22fb\nS: -ERR no\nC: "
                 "AUTH\nS: +OK\nS: PLAIN\n"
                 "S: .\nC: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: -ERR no\nC: AUTH PLAIN\nS: + \n"
                 "C: AGFsaWNlAHNlY3JldA==\nS: -ERR\nC: AUTH LOGIN\nS: + VXNlcm5hbWU6\nC: "
                 "YWxpY2U=\nS: + UGFz\n"
                 "C: UEFTUyB4\nS: -ERR no\nC: QUIT\nS: +OK\n",
                 "tries=4 failures=4 hashes=2", POP3, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("no fault of the password",
                 "S: +OK\nC: USER bob\nS: +OK\nC: PASS x\nS: -ERR [IN-USE] locked\n",
                 "tries=1 failures=0", POP3),
        DIALOGUE("pipelined",
                 "S: +OK\nC: USER bob\nC: PASS x\nC: QUIT\nS: +OK\nS: -ERR no\nS: +OK\n",
                 "tries=1 failures=1", POP3),
        DIALOGUE("a token's refusal, hung up at or ended",
                 "S: +OK\nC: AUTH XOAUTH2 eHg=\nS: + " OAUTH_ERROR "\nC: \nS: -ERR no\n"
                 "C: AUTH XOAUTH2\nS: + \nC: eHg=\nS: + " OAUTH_ERROR "\nC: *\nS: -ERR no\n"
                 "C: USER bob\nS: +OK\nC: PASS x\nS: -ERR no\n"
                 "C: AUTH OAUTHBEARER eHg=\nS: + " OAUTH_ERROR "\n",
                 "tries=4 failures=4", POP3, .flags = DIALOGUE_IN_STEP),
        DIALOGUE(
            "hangs up at an ordinary challenge",
            "S: +OK\nC: AUTH XOAUTH2\nS: + \nC: *\nS: -ERR no\nC: AUTH LOGIN\nS: + " OAUTH_ERROR
            "\n",
            "tries=2 failures=1", POP3, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("STLS", "S: +OK\nC: STLS\nS: +OK go\n" TLS, "tries=0 groups=18 tls.alert=40",
                 POP3),
        DIALOGUE("STLS refused",
                 "S: +OK\nC: STLS\nS: -ERR\nC: USER b\nS: +OK\nC: PASS x\nS: -ERR\n",
                 "tries=1 failures=1 groups=16", POP3),
        DIALOGUE("STLS, clear text goes on",
                 "S: +OK\nC: STLS\nS: +OK\nC: USER b\nS: +OK\nC: PASS x\nS: -ERR\n",
                 "tries=1 failures=1 groups=16", POP3, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("the client alone", "C: USER bob\nC: PASS x\n", "app=7 tries=1 failures=0", POP3),
        DIALOGUE("another port", "S: +OK POP3 ready\nC: USER bob\nS: +OK\nC: PASS x\nS: -ERR\n",
                 "app=7 tries=1 failures=1", .port = 5000, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("a hole", "S: +OK\nC: USER bob\nC! 9\nS: +OK\nC: PASS x\nS: -ERR\n",
                 "tries=0 failures=0 incomplete=1024", POP3, .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

static void test_imap(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("second try is right",
                 "S: * OK IMAP4rev1\nC: a1 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: a1 OK\nC: a2 "
                 "LOGIN bob x\n"
                 "S: a2 NO [AUTHENTICATIONFAILED] no\nC: a3 LOGIN \\x22bob\\x22 "
                 "\\x22a\\\\b\\x22\nS: a3 OK in\n"
                 "C: a4 LOGIN bob y\nS: a4 BAD\n",
                 "app=9 groups=16 tries=2 failures=1 hashes=1", IMAP, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("literals",
                 "S: * OK\nC: a LOGIN {3}\nS: + go\nC: bob {6}\nS: + go\nC: secret\nS: a NO no\n"
                 "C: b LOGIN {3+}\nC: bob {4+}\nC: pass\nS: b NO no\nC: c LOGIN bob {8}\nS: + "
                 "go\nC: LOGIN xy\n"
                 "S: c BAD no\n",
                 "tries=3 failures=3 hashes=1", IMAP, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("AUTHENTICATE",
                 "S: * OK\nC: a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\nS: a NO no\nC: b "
                 "authenticate LOGIN\nS: + \n"
                 "C: YWxpY2U=\nS: + \nC: YiBMT0dJTg==\nS: b NO no\nC: c AUTHENTICATE XOAUTH2 "
                 "eHg=\nS: + e30=\nC: \n"
                 "S: c NO no\n",
                 "tries=3 failures=3 hashes=1", IMAP, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("no fault of the password",
                 "S: * OK\nC: a LOGIN bob x\nS: a NO [UNAVAILABLE] later\n", "tries=1 failures=0",
                 IMAP),
        DIALOGUE("a token's refusal, hung up at or ended",
                 "S: * OK\nC: a AUTHENTICATE XOAUTH2 eHg=\nS: + " OAUTH_ERROR "\nC: \nS: a NO no\n"
                 "C: b AUTHENTICATE XOAUTH2\nS: + \nC: eHg=\nS: + " OAUTH_ERROR
                 "\nC: *\nS: b BAD no\nC: c LOGIN bob x\nS: c NO no\n"
                 "C: d AUTHENTICATE OAUTHBEARER eHg=\nS: + " OAUTH_ERROR "\n",
                 "tries=4 failures=4", IMAP, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("hangs up at an ordinary challenge",
                 "S: * OK\nC: a AUTHENTICATE XOAUTH2\nS: + \nC: *\nS: a BAD no\n"
                 "C: b AUTHENTICATE LOGIN\nS: + " OAUTH_ERROR "\n",
                 "tries=2 failures=1", IMAP, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("STARTTLS", "S: * OK IMAP\nC: a STARTTLS\nS: a OK go\n" TLS,
                 "groups=18 tls.alert=40", IMAP),
        DIALOGUE("STARTTLS refused", "S: * OK\nC: a STARTTLS\nS: a BAD\nC: b LOGIN x y\nS: b NO\n",
                 "tries=1 failures=1 groups=16", IMAP, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("other tags and untagged lines",
                 "S: * OK\nC: a LOGIN b c\nS: * OK more\nS: aa OK\nS: b NO\nS: a NO\n",
                 "tries=1 failures=1", IMAP),
        DIALOGUE("a literal in another command",
                 "S: * OK\nC: a APPEND x {14}\nC: b LOGIN x y\\r\\n\nS: a OK\n",
                 "tries=0 failures=0", IMAP, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("another port", "S: * OK [CAPABILITY IMAP4rev1] hi\nC: a LOGIN b c\nS: a NO\n",
                 "app=9 tries=1 failures=1", .port = 1430, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("the client alone", "C: a LOGIN bob x\n", "app=9 tries=1 failures=0", IMAP),
        DIALOGUE("BYE", "S: * BYE too many\n", "app=9 tries=0", IMAP),
        DIALOGUE("a hole", "S: * OK\nC! 9\nC: a LOGIN b c\nS: a NO\n", "tries=0 incomplete=1024",
                 IMAP, .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pop3), cmocka_unit_test(test_imap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
