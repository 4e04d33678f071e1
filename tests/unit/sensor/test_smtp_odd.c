// Rare turns of SMTP that the RFCs allow and that clients, servers and bots take: LMTP with chunks, exchanges
// given up half-way, roles turned round, refusals at every place, greetings of every kind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dialogue.h"

#define RUN(table) dialogue_run(table, sizeof(table) / sizeof(table)[0])

#define HELLO                  \
    "S: 220 mx.example\n"      \
    "C: EHLO client.example\n" \
    "S: 250-mx.example\n"      \
    "S: 250-PIPELINING\n"      \
    "S: 250 CHUNKING\n"
#define MAIL "C: MAIL FROM:<a@b.example>\nS: 250 ok\n"
#define RCPT "C: RCPT TO:<c@d.example>\nS: 250 ok\n"
#define BYE  "C: QUIT\nS: 221 bye\n"

static void test_greetings(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("421 as a greeting", "S: 421 4.3.2 too many connections\n",
                 "banner_code=421 reply_421=1 app=1"),
        DIALOGUE(
            "a refusal of several lines",
            "S: 554-mx.example\nS: 554-Your access has been rejected\nS: 554 see the page\n" BYE,
            "banner_code=554 quit=1"),
        DIALOGUE("QUIT before the greeting", "C: QUIT\nS: 220 mx.example ESMTP\nS: 221 bye\n",
                 "banner_code=220 quit=1 early_talker=1", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("refused at the door, and the client goes on with all of it",
                 "S: 554 no\nC: EHLO x\nS: 503 bad sequence\nC: MAIL FROM:<a@b.example>\nS: 503 "
                 "no\n" BYE,
                 "banner_code=554 helo=1 mail=1 mail_5xx=1 protocol_errors=2 quit=1"),
        DIALOGUE("EHLO not known, HELO taken",
                 "S: 220 mx\nC: EHLO x\nS: 502 not implemented\nC: HELO x\nS: 250 mx\n" MAIL BYE,
                 "helo=2 mail=1 protocol_errors=1 quit=1"),
        DIALOGUE("another port, a greeting that names nothing",
                 "S: 220 relay ready\nC: EHLO x\nS: 250 relay\n" MAIL RCPT BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 quit=1 app=1", .port = 10026),
        DIALOGUE("another port, sent ahead",
                 "C: HELO x\nC: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\n"
                 "S: 220 x\nS: 250 x\nS: 250 x\nS: 550 x\n",
                 "helo=1 mail=1 rcpt=1 rcpt_5xx=1 early_talker=1 app=1", .port = 3325,
                 .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

static void test_chunks(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("LMTP: one answer a recipient behind the last chunk",
                 "S: 220 lmtp\nC: LHLO x\nS: 250-x\nS: 250 CHUNKING\n" MAIL RCPT
                 "C: RCPT TO:<e@d.example>\nS: 250 ok\nC: BDAT 3\nC~ abc\nS: 250 go on\n"
                 "C: BDAT 0 LAST\nS: 250 first\nS: 552 second\nC: MAIL FROM:<f@b.example>\nS: 451 "
                 "later\n" BYE,
                 "helo=1 mail=2 mail_4xx=1 rcpt=2 rcpt_ok=2 bdat=2 messages_ok=1 quit=1 app=3"),
        DIALOGUE(
            "chunks for nobody: each is refused, none is read as commands",
            HELLO MAIL
            "C: RCPT TO:<c@d.example>\nS: 550 no\nC: BDAT 6\nC~ QUIT\\r\\n\nS: 503 no recipient\n"
            "C: BDAT 6 LAST\nC~ RSET\\r\\n\nS: 503 no recipient\n" BYE,
            "helo=1 mail=1 rcpt=1 rcpt_5xx=1 bdat=2 messages_5xx=1 protocol_errors=2 quit=1"),
        DIALOGUE("an empty last chunk alone", HELLO MAIL RCPT "C: BDAT 0 LAST\nS: 250 ok\n" BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 bdat=1 messages_ok=1 quit=1 message_octets=0"),
        DIALOGUE(
            "two messages in chunks, all sent ahead",
            HELLO
            "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: BDAT 2 LAST\nC~ x\\n\n"
            "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: BDAT 2\nC~ y\\n\nC: BDAT 2 "
            "LAST\n"
            "C~ z\\n\nC: QUIT\n"
            "S: 250 m\nS: 250 r\nS: 250 1\nS: 250 m\nS: 451 r\nS: 503 2\nS: 503 3\nS: 221 bye\n",
            "helo=1 mail=2 rcpt=2 rcpt_ok=1 rcpt_4xx=1 bdat=3 messages_ok=1 messages_5xx=1 "
            "protocol_errors=2 quit=1"),
        DIALOGUE("421 behind a chunk", HELLO MAIL RCPT "C: BDAT 2\nC~ x\\n\nS: 421 closing\n",
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 bdat=1 reply_421=1"),
    };
    RUN(table);
}

static void test_auth(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("given up at the password",
                 HELLO "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: "
                       "*\nS: 501 no\n"
                       "C: AUTH PLAIN\nS: 334 \nC: *\nS: 535 no\n" MAIL BYE,
                 "helo=1 auth=2 auth_failed=2 protocol_errors=1 mail=1 quit=1",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("421 in the exchange",
                 HELLO "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YWxpY2U=\nS: 421 bye\n",
                 "helo=1 auth=1 auth_failed=1 reply_421=1"),
        DIALOGUE("a failure in two lines, and a second try",
                 HELLO "C: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: 535-5.7.8 no\nS: 535 5.7.8 again\n"
                       "C: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: 535 5.7.8 no\n" BYE,
                 "helo=1 auth=2 auth_failed=2 quit=1"),
        DIALOGUE(
            "DIGEST-MD5 with the server's last word",
            HELLO
            "C: AUTH DIGEST-MD5\nS: 334 bm9uY2U9IngiCg==\nC: dXNlcm5hbWU9ImFsaWNlIixub25jZT0ieCI=\n"
            "S: 334 cnNwYXV0aD14\nC: \nS: 235 ok\n" MAIL BYE,
            "helo=1 auth=1 mail=1 quit=1"),
    };
    RUN(table);
}

// Roles turned round (RFC 821 TURN, RFC 2645 ATRN): what the client says from there on are replies.
static void test_turned(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("ATRN accepted",
                 HELLO "C: ATRN d.example\nS: 250 now reversing\nC: 220 client.example ready\nS: "
                       "EHLO mx.example\n"
                       "C: 250-client.example\nC: 250 SIZE\nS: MAIL FROM:<a@b.example>\nC: 250 ok\n"
                       "S: RCPT TO:<c@d.example>\nC: 250 ok\nS: QUIT\nC: 221 bye\n",
                 "helo=1 incomplete=1024", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("TURN refused", HELLO "C: TURN\nS: 502 no\n" MAIL BYE,
                 "helo=1 mail=1 protocol_errors=1 quit=1"),
        DIALOGUE("ETRN queues", HELLO "C: ETRN d.example\nS: 250 queuing\n" BYE, "helo=1 quit=1"),
    };
    RUN(table);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("NUL in a command",
                 HELLO "C~ MAIL FROM:<a@b.example>\\x00\\r\\n\nS: 250 ok\n" RCPT BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 quit=1"),
        DIALOGUE("CR CR LF",
                 HELLO
                 "C~ MAIL FROM:<a@b.example>\\r\\r\\n\nS: 250 ok\nC~ QUIT\\r\\r\\n\nS: 221 bye\n",
                 "helo=1 mail=1 quit=1"),
        DIALOGUE(
            "a path without brackets, a blank before the colon",
            HELLO
            "C: MAIL FROM: a@b.example\nS: 250 ok\nC: RCPT TO : <c@d.example>\nS: 501 no\n" BYE,
            "helo=1 mail=1 rcpt=1 rcpt_5xx=1 protocol_errors=1 quit=1"),
        DIALOGUE("421 behind a recipient, the rest of the group unanswered",
                 HELLO "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: RCPT "
                       "TO:<e@d.example>\nC: DATA\n"
                       "S: 250 ok\nS: 250 ok\nS: 421 4.7.0 too many\n",
                 "helo=1 mail=1 rcpt=2 rcpt_ok=1 rcpt_4xx=1 data=1 reply_421=1"),
        DIALOGUE("mail nested in mail",
                 HELLO MAIL RCPT "C: MAIL FROM:<e@b.example>\nS: 503 nested\n" BYE,
                 "helo=1 mail=2 mail_5xx=1 rcpt=1 rcpt_ok=1 protocol_errors=1 quit=1"),
        DIALOGUE("an error for the content, then the next message",
                 HELLO MAIL RCPT "C: DATA\nS: 354 go\nC: x\nC: .\nS: 421 4.3.0 closing\n",
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_4xx=1 reply_421=1"),
    };
    RUN(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greetings), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_auth),      cmocka_unit_test(test_turned),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
