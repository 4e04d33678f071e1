// SMTP dialogues: envelopes, content, pairing, AUTH, STARTTLS, LMTP.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dialogue.h"

#define RUN(table) dialogue_run(table, sizeof table / sizeof *table)

#define HELLO                   \
    "S: 220 mx.example ESMTP\n" \
    "C: EHLO client.example\n"  \
    "S: 250-mx.example\n"       \
    "S: 250-PIPELINING\n"       \
    "S: 250-STARTTLS\n"         \
    "S: 250 CHUNKING\n"
#define HELLO_PLAIN             \
    "S: 220 mx.example ESMTP\n" \
    "C: HELO client.example\n"  \
    "S: 250 mx.example\n"
#define BYE     \
    "C: QUIT\n" \
    "S: 221 bye\n"

static void test_envelope(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("one message",
                 HELLO_PLAIN
                 "C: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\n"
                 "C: DATA\nS: 354 go\nC: Subject: x\nC: \nC: hello\nC: .\nS: 250 queued\n" BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 quit=1 banner_code=220 app=1 "
                 "message_octets=21 hashes=5 incomplete=0 quit_seen=1 early_talker=0 "
                 "unoffered_pipelining=0"),
        DIALOGUE("mixed case, blanks, bare LF",
                 "S~ 220 mx\\n\n"
                 "C~ hElO client\\n\nS~ 250 ok\\n\nC~ mail from: <a@b.example>\\n\nS~ 250 ok\\n\n"
                 "C~  rcpt  to:c@d.example\\n\nS~ 250 ok\\n\nC~ data\\n\nS~ 354 go\\n\n"
                 "C~ hello\\n.\\n\nS~ 250 ok\\n\nC~ quit\\n\nS~ 221 bye\\n\n",
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 quit=1"),
        DIALOGUE(
            "codes of recipients",
            HELLO "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 450 later\n"
                  "C: RCPT TO:<e@d.example>\nS: 550 no\nC: RCPT TO:<f@d.example>\nS: 251 forward\n"
                  "C: RCPT TO:<g@d.example>\nS: 552 full\nC: RSET\nS: 250 ok\n" BYE,
            "helo=1 mail=1 rcpt=4 rcpt_ok=1 rcpt_4xx=1 rcpt_5xx=2 rset=1 quit=1 starttls_state=1"),
        DIALOGUE(
            "null sender, sender refused",
            HELLO
            "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\nC: RSET\nS: 250 ok\n"
            "C: MAIL FROM:<x@spam.example> SIZE=100 SMTPUTF8\nS: 550 go away\n"
            "C: MAIL FROM:<y@spam.example>\nS: 451 later\n" BYE,
            "helo=1 mail=3 null_sender=1 mail_4xx=1 mail_5xx=1 rcpt=1 rcpt_ok=1 rset=1 quit=1"),
        DIALOGUE("several messages without RSET",
                 HELLO_PLAIN "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: "
                             "250 ok\nC: DATA\nS: 354 go\n"
                             "C: one\nC: .\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\nC: "
                             "RCPT TO:<e@d.example>\n"
                             "S: 250 ok\nC: DATA\nS: 354 go\nC: two\nC: .\nS: 451 later\nC: MAIL "
                             "FROM:<a@b.example>\n"
                             "S: 250 ok\nC: RCPT TO:<f@d.example>\nS: 250 ok\nC: DATA\nS: 354 "
                             "go\nC: .\nS: 554 spam\n" BYE,
                 "helo=1 mail=3 rcpt=3 rcpt_ok=3 data=3 messages_ok=1 messages_4xx=1 "
                 "messages_5xx=1 quit=1"),
        DIALOGUE(
            "source routes",
            HELLO
            "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<@r.example:c@d.example>\nS: 550 "
            "no\n"
            "C: RCPT TO:<c%d.example@r.example>\nS: 550 no\nC: RCPT TO:<d.example!c@r.example>\n"
            "S: 550 no\nC: RCPT TO:<c@d.example@r.example>\nS: 550 no\n"
            "C: RCPT TO:<plain@d.example>\nS: 250 ok\n",
            "helo=1 mail=1 rcpt=5 rcpt_ok=1 rcpt_5xx=4 source_routed=4"),
        DIALOGUE("other verbs",
                 HELLO
                 "C: NOOP\nS: 250 ok\nC: VRFY postmaster\nS: 252 maybe\nC: EXPN staff\nS: 502 no\n"
                 "C: HELP\nS: 214 help\nC: XCLIENT NAME=x ADDR=192.0.2.9\nS: 220 mx.example ESMTP\n"
                 "C: ETRN x\nS: 458 no\nC: FOO bar\nS: 500 what\nC: SEND FROM:<a@b.example>\nS: "
                 "502 no\n" BYE,
                 "helo=1 vrfy=1 expn=1 quit=1 unknown=1 protocol_errors=3 xclient=1"),
        DIALOGUE("HELO kinds", "S: 220 mx.example ESMTP\nC: HELO [192.0.2.7]\nS: 250 ok\n" BYE,
                 "helo=1 quit=1 helo_is_literal=1 helo_is_peer=0"),
        DIALOGUE("HELO with the server's name",
                 "S: 220 mx.example ESMTP\nC: HELO MX.example\nS: 250 ok\n" BYE,
                 "helo=1 quit=1 helo_is_literal=0 helo_is_peer=1"),
        DIALOGUE("HELO with the server's address",
                 "S: 220 mx.example ESMTP\nC: HELO 198.51.100.25\nS: 250 ok\n" BYE,
                 "helo=1 quit=1 helo_is_literal=1 helo_is_peer=1"),
        DIALOGUE("refused at the door", "S: 554 no SMTP service here\n", "banner_code=554 app=1"),
        DIALOGUE("refused at the door, client goes on",
                 "S: 554 no SMTP service here\nC: QUIT\nS: 221 bye\n", "banner_code=554 quit=1"),
        DIALOGUE(
            "421 in the middle",
            HELLO
            "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 421 closing\n",
            "helo=1 mail=1 rcpt=1 rcpt_4xx=1 reply_421=1"),
        DIALOGUE("421 unasked", HELLO "C: MAIL FROM:<a@b.example>\nS: 250 ok\nS: 421 timeout\n",
                 "helo=1 mail=1 reply_421=1"),
        DIALOGUE(
            "long banner, wrapped garbage in replies",
            "S: 220-mx.example ESMTP\nS: 220-We do not authorize\nS: 220 bulk mail.\nC: HELO x\n"
            "S: 250-hello\nS: some text without a code\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: "
            "250ok\n"
            "C: RCPT TO:<c@d.example>\nS: 250\n" BYE,
            "helo=1 mail=1 rcpt=1 rcpt_ok=1 quit=1 banner_code=220"),
        DIALOGUE("last line without its end",
                 HELLO_PLAIN "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC~ QUIT\nS~ 221 bye",
                 "helo=1 mail=1 quit=1"),
    };
    RUN(table);
}

static void test_content(void **state)
{
    (void)state;
#define ENVELOPE                                                              \
    HELLO "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\n" \
          "S: 250 ok\nC: DATA\nS: 354 go\n"
#define COUNTS "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 quit=1 "
    static const struct dialogue table[] = {
        DIALOGUE("commands in the body",
                 ENVELOPE "C: MAIL FROM:<x@y.example>\nC: RCPT TO:<z@y.example>\nC: QUIT\nC: "
                          "..\nC: .x\nC: . \nC: .\n"
                          "S: 250 ok\n" BYE,
                 COUNTS "messages_ok=1 message_octets=66"),
        DIALOGUE("bare LF dot is content here",
                 ENVELOPE "C~ one\\n.\\ntwo\\r\\n\nC~ three\\n.\\r\\nRCPT "
                          "TO:<n@y.example>\\r\\n.\\r\\n\nS: 250 ok\n" BYE,
                 COUNTS "messages_ok=1", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("bare LF dot ends it for this server",
                 ENVELOPE "C~ one\\r\\n\\n.\\n\nS: 250 ok\n"
                          "C: MAIL FROM:<a@b.example>\nS: 250 ok\n" BYE,
                 "helo=1 mail=2 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 quit=1",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("empty body", ENVELOPE "C: .\nS: 250 ok\n" BYE,
                 COUNTS "messages_ok=1 message_octets=0"),
        DIALOGUE("a dot, then the end", ENVELOPE "C~ abc\\r\\nde.\\r\\n.\\r\\n\nS: 250 ok\n" BYE,
                 COUNTS "messages_ok=1 message_octets=10"),
        DIALOGUE("more dots than lines",
                 ENVELOPE "C~ a.b.c.d.e.f\\r\\ng.h.\\r\\n..\\r\\n.\\r\\n\nS: 250 ok\n" BYE,
                 COUNTS "messages_ok=1 message_octets=23"),
        DIALOGUE("binary body",
                 ENVELOPE "C~ \\x00\\xff\\r\\r\\n.\\r.\\r\\n\\r\\n.\\r\\n\nS: 250 ok\n" BYE,
                 COUNTS "messages_ok=1"),
        DIALOGUE(
            "DATA refused, then RSET",
            HELLO
            "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 550 no\nC: DATA\n"
            "S: 554 no valid recipients\nC: RSET\nS: 250 ok\n" BYE,
            "helo=1 mail=1 rcpt=1 rcpt_5xx=1 data=1 rset=1 quit=1"),
        DIALOGUE("pipelined envelope",
                 HELLO "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: RCPT "
                       "TO:<e@d.example>\nC: DATA\n"
                       "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go\nC: x\nC: .\nC: QUIT\nS: 250 "
                       "ok\nS: 221 bye\n",
                 "helo=1 mail=1 rcpt=2 rcpt_ok=1 rcpt_5xx=1 data=1 messages_ok=1 quit=1 "
                 "unoffered_pipelining=0"),
        DIALOGUE(
            "pipelined envelope, all refused",
            HELLO
            "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\n"
            "S: 250 ok\nS: 550 no\nS: 503 no recipients\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n",
            "helo=1 mail=1 rcpt=1 rcpt_5xx=1 data=1 rset=1 quit=1 protocol_errors=1"),
        DIALOGUE(
            "body sent before the 354, short",
            HELLO_PLAIN
            "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\nC: x\nC: .\nC: QUIT\n"
            "S: 250 ok\nS: 250 ok\nS: 354 go\nS: 250 ok\nS: 221 bye\n",
            "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 quit=1"),
        DIALOGUE(
            "354 never sent",
            HELLO
            "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\nC: DATA\n"
            "C: Subject: x\nC: .\n",
            "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1"),
        DIALOGUE("DATA unanswered, then QUIT", HELLO "C: DATA\nC: QUIT\n", "helo=1 data=1 quit=1",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE(
            "everything ahead, ended by a bare LF",
            "C~ EHLO x\\r\\nMAIL FROM:<a@b.example>\\r\\nRCPT TO:<c@d.example>\\r\\nDATA\\r\\n\n"
            "C~ From: x\\r\\n\\r\\nhate\\r\\n.\\n\\n\nS: 220 mx\nS: 250 hello\nS: 250 ok\nS: 250 "
            "ok\n"
            "S: 354 go\nS: 250 ok\nS: 500 what\n",
            "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 early_talker=1",
            .flags = DIALOGUE_IN_STEP),
        DIALOGUE("server refuses in the middle of the body",
                 ENVELOPE "C: one\nC: two\nS: 552 too much\nC: three\nC: .\n" BYE,
                 COUNTS "messages_5xx=1", .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

static void test_chunks(void **state)
{
    (void)state;
#define START                                                                 \
    HELLO "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\n" \
          "S: 250 ok\n"
    static const struct dialogue table[] = {
        DIALOGUE("one chunk", START "C: BDAT 8 LAST\nC~ MAIL \\r\\n.\nS: 250 ok\n" BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 bdat=1 messages_ok=1 quit=1 message_octets=8"),
        DIALOGUE("several chunks, the last empty",
                 START "C: BDAT 3\nC~ abc\nS: 250 ok\nC: bdat 4\nC~ \\r\\n.\\r\nS: 250 ok\nC: BDAT "
                       "0 last\nS: 250 ok\n" BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 bdat=3 messages_ok=1 quit=1 message_octets=7"),
        DIALOGUE("pipelined chunks and the next message",
                 START "C: BDAT 3\nC~ abc\nC: BDAT 3 LAST\nC~ def\nC: MAIL FROM:<a@b.example>\n"
                       "S: 250 ok\nS: 250 ok\nS: 250 ok\n" BYE,
                 "helo=1 mail=2 rcpt=1 rcpt_ok=1 bdat=2 messages_ok=1 quit=1"),
        DIALOGUE("a refused chunk is sent all the same",
                 START "C: BDAT 5\nC~ QUIT\\n\nS: 552 full\nC: RSET\nS: 250 ok\n" BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 bdat=1 rset=1 quit=1"),
        DIALOGUE("malformed sizes",
                 START "C: BDAT -1\nS: 501 no\nC: BDAT x LAST\nS: 501 no\nC: BDAT 5 X\nS: 501 "
                       "no\nC: BDAT\nS: 501 no\n"
                       "C: BDAT 99999999999999999999 LAST\nS: 501 no\n" BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 bdat=5 protocol_errors=10 quit=1"),
        DIALOGUE("last chunk refused", START "C: BDAT 1 LAST\nC~ x\nS: 550 spam\n" BYE,
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 bdat=1 messages_5xx=1 quit=1"),
    };
    RUN(table);
}

static void test_auth(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("PLAIN at once", HELLO_PLAIN "C: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: 235 ok\n" BYE,
                 "helo=1 auth=1 quit=1 hashes=2"),
        DIALOGUE("PLAIN on demand, refused",
                 HELLO_PLAIN "C: AUTH PLAIN\nS: 334 \nC: AGFsaWNlAHNlY3JldA==\nS: 535 no\n" BYE,
                 "helo=1 auth=1 auth_failed=1 quit=1 hashes=2"),
        DIALOGUE(
            "LOGIN",
            HELLO_PLAIN
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: cXVpdA==\n"
            "S: 235 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n" BYE,
            "helo=1 auth=1 mail=1 quit=1 hashes=4"),
        DIALOGUE("LOGIN with the user at once, second try ok",
                 HELLO_PLAIN
                 "C: AUTH LOGIN YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: RSET\nS: 535 no\n"
                 "C: AUTH LOGIN YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: QUIT\nS: 235 ok\n" BYE,
                 "helo=1 auth=2 auth_failed=1 quit=1 hashes=2", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("CRAM-MD5",
                 HELLO_PLAIN
                 "C: AUTH CRAM-MD5\nS: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+\n"
                 "C: dXNlcm5hbWUgMDZkMGEzMjVmMDU0NjQ4NjQ2ZTA3MmNkNGZlYjE3YzQ=\nS: 235 ok\n" BYE,
                 "helo=1 auth=1 quit=1 hashes=2"),
        DIALOGUE("cancelled",
                 HELLO_PLAIN "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\n" BYE,
                 "helo=1 auth=1 auth_failed=1 protocol_errors=1 quit=1 hashes=1"),
        DIALOGUE("not offered", HELLO_PLAIN "C: AUTH LOGIN\nS: 503 not advertised\n" BYE,
                 "helo=1 auth=1 auth_failed=1 protocol_errors=1 quit=1"),
        DIALOGUE("temporary failure", HELLO_PLAIN "C: AUTH PLAIN =\nS: 454 later\n" BYE,
                 "helo=1 auth=1 auth_failed=1 quit=1"),
        DIALOGUE("several rounds of an opaque mechanism",
                 HELLO_PLAIN
                 "C: AUTH GSSAPI YIIB\nS: 334 YIIC\nC: \nS: 334 YIID\nC: AAAA\nS: 235 ok\n" BYE,
                 "helo=1 auth=1 quit=1 hashes=1"),
        DIALOGUE(
            "SCRAM and XOAUTH2",
            HELLO_PLAIN
            "C: AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9cm9wcg==\nS: 334 cj1y\nC: Yz1iaXdz\nS: 535 no\n"
            "C: AUTH XOAUTH2 dXNlcj1tZUBiLmV4YW1wbGUBYXV0aD1CZWFyZXIgeAEB\nS: 235 ok\n" BYE,
            "helo=1 auth=2 auth_failed=1 quit=1 hashes=3"),
        DIALOGUE("user and password without waiting",
                 HELLO_PLAIN "C: AUTH LOGIN\nC: YWxpY2U=\nC: c2VjcmV0\nC: MAIL FROM:<a@b.example>\n"
                             "S: 334 VXNlcm5hbWU6\nS: 334 UGFzc3dvcmQ6\nS: 235 ok\nS: 250 ok\n" BYE,
                 "helo=1 auth=1 mail=1 quit=1", .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

// RFC 7628: the challenge that brings the error refuses; what follows it only ends the exchange.
#define OAUTH_ERROR                                                                                \
    "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8i" \
    "fQ==" // {"status":"400",...
#define TOKEN   "bixhPW1lQGIuZXhhbXBsZSwBaG9zdD14AXBvcnQ9NTg3AWF1dGg9QmVhcmVyIGFibj0seCIBAQ=="
#define TOKEN_X "dXNlcj1tZUBiLmV4YW1wbGUBYXV0aD1CZWFyZXIgbj1hYmM9PQEB"

static void test_oauth(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("hangs up at the error",
                 HELLO_PLAIN "C: AUTH XOAUTH2 " TOKEN_X "\nS: 334 " OAUTH_ERROR "\n",
                 "helo=1 auth=1 auth_failed=1 hashes=2"),
        DIALOGUE("hangs up behind its empty answer",
                 HELLO_PLAIN "C: AUTH OAUTHBEARER " TOKEN "\nS: 334 " OAUTH_ERROR "\nC: AQ==\n",
                 "helo=1 auth=1 auth_failed=1 hashes=2"),
        DIALOGUE("the last reply comes after all: one failure, whatever the client answers",
                 HELLO_PLAIN
                 "C: AUTH XOAUTH2 " TOKEN_X "\nS: 334 " OAUTH_ERROR "\nC: \nS: 535 no\n"
                 "C: AUTH XOAUTH2 " TOKEN_X "\nS: 334 " OAUTH_ERROR "\nC: *\nS: 501 no\n"
                 "C: AUTH OAUTHBEARER " TOKEN "\nS: 334 " OAUTH_ERROR "\nC: AQ==\nS: 535 no\n" BYE,
                 "helo=1 auth=3 auth_failed=3 protocol_errors=1 quit=1 hashes=2",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("the next mechanism begins anew",
                 HELLO_PLAIN
                 "C: AUTH XOAUTH2 " TOKEN_X "\nS: 334 " OAUTH_ERROR
                 "\nC: \nS: 535 no\nC: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: 535 no\n" BYE,
                 "helo=1 auth=2 auth_failed=2 quit=1 hashes=3"),
        DIALOGUE("the token on demand",
                 HELLO_PLAIN "C: AUTH XOAUTH2\nS: 334 \nC: " TOKEN_X "\nS: 334 " OAUTH_ERROR "\n",
                 "helo=1 auth=1 auth_failed=1 hashes=2"),
        DIALOGUE("hangs up when asked for the token", HELLO_PLAIN "C: AUTH XOAUTH2\nS: 334 \n",
                 "helo=1 auth=1 auth_failed=0"),
        DIALOGUE("other mechanisms' challenges refuse nothing",
                 HELLO_PLAIN "C: AUTH LOGIN\nS: 334 " OAUTH_ERROR "\nC: *\nS: 501 no\n"
                             "C: AUTH PLAIN\nS: 334 " OAUTH_ERROR "\n",
                 "helo=1 auth=2 auth_failed=1 protocol_errors=1", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("hangs up at an ordinary challenge",
                 HELLO_PLAIN "C: AUTH CRAM-MD5\nS: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+\n",
                 "helo=1 auth=1 auth_failed=0"),
        DIALOGUE("an accepted token", HELLO_PLAIN "C: AUTH XOAUTH2 " TOKEN_X "\nS: 235 ok\n" BYE,
                 "helo=1 auth=1 auth_failed=0 quit=1 hashes=2"),
    };
    RUN(table);
}

static void test_sides(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("early talker", "C: EHLO x\nS: 220 mx\nS: 250 ok\nC: QUIT\nS: 221 bye\n",
                 "helo=1 quit=1 early_talker=1 banner_code=220", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("everything before the greeting",
                 "C: HELO x\nC: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\nC: "
                 "hi\nC: .\nC: QUIT\n"
                 "S: 220 mx\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nS: 250 ok\nS: 221 bye\n",
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 quit=1 early_talker=1",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("client only",
                 "C: EHLO x\nC: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\n"
                 "C: QUIT is not a command here\nC: QUIT\nC: .\nC: MAIL FROM:<>\nC: AUTH LOGIN\nC: "
                 "YWxpY2U=\n"
                 "C: c2VjcmV0\nC: QUIT\n",
                 "helo=1 mail=2 null_sender=1 rcpt=1 data=1 auth=1 quit=1 early_talker=0"),
        DIALOGUE("client only, bare LF",
                 "C~ EHLO x\\nMAIL FROM:<a@b.example>\\nRCPT "
                 "TO:<c@d.example>\\nDATA\\nhi\\n.\\nQUIT\\n\n",
                 "helo=1 mail=1 rcpt=1 data=1 quit=1"),
        DIALOGUE("server only",
                 "S: 220 mx ESMTP\nS: 250-mx\nS: 250-STARTTLS\nS: 250 ok\nS: 250 ok\nS: 550 "
                 "blocked by PBL\nS: 421 x\n",
                 "banner_code=220 starttls_state=1 reply_421=1", .flags = DIALOGUE_IN_STEP),
        DIALOGUE(
            "joined in the middle",
            "C: RCPT TO:<c@d.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\nS: 250 ok\n" BYE,
            "rcpt=1 data=1 messages_ok=1 quit=1 incomplete=0",
            .flags = DIALOGUE_MIDSTREAM | DIALOGUE_IN_STEP),
        DIALOGUE("joined in a body",
                 "C: of a sentence\nC: RCPT TO: is what it says\nC: QUIT\nC: .\nS: 250 ok\n"
                 "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 550 no\n" BYE,
                 "mail=1 rcpt=1 quit=1", .flags = DIALOGUE_MIDSTREAM | DIALOGUE_IN_STEP),
    };
    RUN(table);
}

static void test_starttls(void **state)
{
    (void)state;
#define TLS_HELLO "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\n"
    static const struct dialogue table[] = {
        DIALOGUE("accepted",
                 HELLO "C: STARTTLS\nS: 220 go\n" TLS_HELLO
                       "S~ \\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "helo=1 starttls=1 starttls_ok=1 starttls_state=3 groups=3 tls.alert=40 "
                 "clear_after_tls=0"),
        DIALOGUE("refused",
                 HELLO "C: STARTTLS\nS: 454 not now\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n" BYE,
                 "helo=1 starttls=1 starttls_state=2 mail=1 quit=1"),
        DIALOGUE(
            "clear text goes on",
            HELLO "C: STARTTLS\nS: 220 go\nC: EHLO again\nS: 250 ok\nC: MAIL "
                  "FROM:<a@b.example>\nS: 250 ok\n" BYE,
            "helo=2 starttls=1 starttls_ok=1 starttls_state=3 mail=1 quit=1 clear_after_tls=1"),
        DIALOGUE("client only",
                 "C: EHLO x\nC: STARTTLS\n" TLS_HELLO "C~ \\x17\\x03\\x03\\x00\\x03abc\n",
                 "helo=1 starttls=1 starttls_state=2 groups=3"),
        DIALOGUE("commands slipped in before the handshake",
                 HELLO "C: STARTTLS\nC: RSET\nS: 220 go\n" TLS_HELLO
                       "S~ \\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "helo=1 starttls=1 starttls_ok=1 starttls_state=3 rset=1 groups=3 tls.alert=40 "
                 "clear_after_tls=0",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("not offered", HELLO_PLAIN "C: STARTTLS\nS: 502 what\n" BYE,
                 "helo=1 starttls=1 starttls_state=2 protocol_errors=1 quit=1"),
    };
    RUN(table);
}

static void test_lmtp(void **state)
{
    (void)state;
#define LMTP "S: 220 lmtp\nC: LHLO x\nS: 250-x\nS: 250 PIPELINING\n"
    static const struct dialogue table[] = {
        DIALOGUE("an answer a recipient",
                 LMTP
                 "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\n"
                 "C: RCPT TO:<e@d.example>\nS: 550 no\nC: RCPT TO:<f@d.example>\nS: 250 ok\nC: "
                 "DATA\nS: 354 go\n"
                 "C: x\nC: .\nS: 452 full\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n" BYE,
                 "helo=1 mail=2 rcpt=3 rcpt_ok=2 rcpt_5xx=1 data=1 messages_ok=1 quit=1 app=3"),
        DIALOGUE("PRDR: and one for the message",
                 "S: 220 mx ESMTP\nC: EHLO x\nS: 250-x\nS: 250 PRDR\n"
                 "C: MAIL FROM:<a@b.example> PRDR\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\n"
                 "C: RCPT TO:<e@d.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\n"
                 "S: 353 analysing\nS: 250 first\nS: 550 second\nS: 250 queued\n"
                 "C: MAIL FROM:<a@b.example>\nS: 550 no\n" BYE,
                 "helo=1 mail=2 mail_5xx=1 rcpt=2 rcpt_ok=2 data=1 messages_ok=1 quit=1 app=1"),
        DIALOGUE("PRDR: accepted for nobody, whatever the last answer says",
                 "S: 220 mx ESMTP\nC: EHLO x\nS: 250-x\nS: 250 PRDR\n"
                 "C: MAIL FROM:<a@b.example> PRDR\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\n"
                 "C: RCPT TO:<e@d.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\n"
                 "S: 353 analysing\nS: 550 first\nS: 450 second\nS: 250 accepted for some\n"
                 "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\n"
                 "C: DATA\nS: 354 go\nC: x\nC: .\nS: 250 queued\n" BYE,
                 "helo=1 mail=2 rcpt=3 rcpt_ok=3 data=2 messages_ok=1 messages_4xx=1 quit=1 app=1"),
        DIALOGUE("PRDR: refused as a whole, whatever recipients were told",
                 "S: 220 mx ESMTP\nC: EHLO x\nS: 250-x\nS: 250 PRDR\n"
                 "C: MAIL FROM:<a@b.example> PRDR\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\n"
                 "C: RCPT TO:<e@d.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\n"
                 "S: 353 analysing\nS: 250 first\nS: 450 second\nS: 554 spam\n" BYE,
                 "helo=1 mail=1 rcpt=2 rcpt_ok=2 data=1 messages_5xx=1 quit=1 app=1"),
    };
    RUN(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope), cmocka_unit_test(test_content),
        cmocka_unit_test(test_chunks),   cmocka_unit_test(test_auth),
        cmocka_unit_test(test_oauth),    cmocka_unit_test(test_sides),
        cmocka_unit_test(test_starttls), cmocka_unit_test(test_lmtp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
