// Tunnels by HTTP CONNECT on any port, what is relayed in them, refusals, further tries, and what only looks like one.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dialogue.h"

#define RUN(table) dialogue_run(table, sizeof table / sizeof *table)

#define ASK    "C: CONNECT mx.example:25 HTTP/1.1\nC: Host: mx.example:25\nC: \n"
#define GRANT  "S: HTTP/1.1 200 Connection established\nS: \n"
#define Z64    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
#define Z512   Z64 Z64 Z64 Z64 Z64 Z64 Z64 Z64
#define TEN(x) x x x x x x x x x x
#define SMTP_INSIDE                                                                  \
    "S: 220 mx ESMTP\nC: EHLO x\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n" \
    "C: RCPT TO:<c@d.example>\nS: 550 listed at xbl.spamhaus.org\nC: QUIT\nS: 221 bye\n"
#define SMTP_SEEN                                                                   \
    "socks.inner_app=1 helo=1 mail=1 rcpt=1 rcpt_5xx=1 quit=1 blocklist_exploit=1 " \
    "socks.relayed0=62 socks.relayed1=71 incomplete=0"

static void test_tunnels(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("a name, SMTP inside", ASK GRANT SMTP_INSIDE,
                 "app=13 groups=5 socks.version=1 socks.method=0xff socks.command=1 socks.port=25 "
                 "socks.reply=0 socks.granted=1 socks.reverse=0 socks.auth_failed=0 " SMTP_SEEN,
                 .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("an address, HTTP/1.0, no head",
                 "C: CONNECT 198.51.100.1:25 HTTP/1.0\nC: \nS: HTTP/1.0 200 OK\nS: \n" SMTP_INSIDE,
                 "app=13 groups=5 socks.port=25 socks.granted=1 " SMTP_SEEN, .port = 8080,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("IPv6, lines that end with LF, any 2xx, an answer in between",
                 "C~ CONNECT [2001:db8::1]:587 HTTP/1.1\\nHost: x\\n\\n\n"
                 "S~ HTTP/1.1 100 Continue\\nA: b\\n\\nHTTP/1.1 204\\r\\n\\r\\n\n" SMTP_INSIDE,
                 "app=13 groups=5 socks.port=587 socks.granted=1 " SMTP_SEEN, .port = 25,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE(
            "long heads with a password",
            "C: CONNECT mx.example:25 HTTP/1.1\nC: Proxy-Authorization: Basic Ym9iOnNlY3JldA==\n"
            "C: X: " Z512 Z512 "\nC: \nS: HTTP/1.1 200 OK\nS: Y: " Z512 Z512 "\nS: \n" SMTP_INSIDE,
            "app=13 socks.granted=1 " SMTP_SEEN, .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("what is sent ahead of the grant is not followed",
                 ASK "C: EHLO x\n" GRANT "S: 220 mx ESMTP\nS: 250 ok\n",
                 "app=13 socks.granted=1 socks.port=25 socks.relayed0=8 socks.relayed1=22",
                 .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("TLS inside on a mail port",
                 "C: CONNECT mx.example:465 HTTP/1.1\nC: \n" GRANT
                 "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\nS~ "
                 "\\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "app=13 groups=6 socks.port=465 tls.alert=40 socks.inner_app=12", .port = 3128,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("TLS elsewhere is named",
                 "C: CONNECT www.example:443 HTTP/1.1\nC: \n" GRANT
                 "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\nS~ "
                 "\\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "app=13 groups=4 socks.port=443 socks.inner_app=12 socks.relayed0=9 "
                 "socks.relayed1=7",
                 .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("SOCKS5 inside, and SMTP inside that",
                 "C: CONNECT proxy.example:1080 HTTP/1.1\nC: \n" GRANT
                 "C~ \\x05\\x01\\x00\nS~ \\x05\\x00\n"
                 "C~ \\x05\\x01\\x00\\x01\\xc6\\x33\\x64\\x01\\x00\\x19\n"
                 "S~ \\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n" SMTP_INSIDE,
                 "app=13 groups=5 helo=1 mail=1 rcpt=1 rcpt_5xx=1 quit=1 blocklist_exploit=1 "
                 "socks.relayed0=75 socks.relayed1=83",
                 .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("where nobody may look", ASK GRANT SMTP_INSIDE, "app=13 groups=0 incomplete=0x800",
                 .port = 3128, .profile = COVERAGE_OWN_SMARTHOST_CONTENT),
        DIALOGUE("nothing is looked at", ASK GRANT SMTP_INSIDE, "groups=0", .port = 3128,
                 .flow_only = true),
    };
    RUN(table);
}

static void test_refusals(void **state)
{
    (void)state;
#define REFUSED(code, number, more)                                                     \
    DIALOGUE("refused with " #code,                                                     \
             ASK "S: HTTP/1.1 " #code " no\nS: Content-Length: 10\nS: \nS: 220 mx x\n", \
             "app=13 groups=4 socks.port=25 socks.granted=0 socks.relayed1=0 "          \
             "socks.reply=" #number more,                                               \
             .port = 3128)
    static const struct dialogue table[] = {
        REFUSED(407, 2, " socks.auth_failed=1"),
        REFUSED(401, 2, " socks.auth_failed=1"),
        REFUSED(403, 2, " socks.auth_failed=0"),
        REFUSED(405, 2, ""),
        REFUSED(301, 1, ""),
        REFUSED(400, 1, ""),
        REFUSED(500, 1, ""),
        REFUSED(502, 4, ""),
        REFUSED(503, 4, ""),
        REFUSED(504, 4, ""),
        REFUSED(999, 1, ""),
        DIALOGUE("not answered", ASK, "app=13 groups=4 socks.reply=0xff socks.granted=0",
                 .port = 3128),
        DIALOGUE("answered by something else", ASK "S: 220 mx ESMTP\n",
                 "app=13 socks.reply=0xff socks.granted=0 incomplete=0x400", .port = 3128,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("an answer that is none", ASK "S: HTTP/1.1 2x0 OK\nS: \n",
                 "app=13 socks.reply=0xff socks.granted=0 incomplete=0x400", .port = 3128,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("a head without end", ASK "S: HTTP/1.1 200 OK\n" TEN(TEN("S: a: b\n")) "S: a: b\n",
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("octets missing in the heads", ASK "S~ HTTP/1.1 200 \nS! 12\n" SMTP_INSIDE,
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128,
                 .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

// Asked again on the same connection: pairs of request and answer, in any order that a mirror shows them in.
static void test_again(void **state)
{
    (void)state;
#define SECOND \
    "C: CONNECT 198.51.100.9:587 HTTP/1.1\nC: Proxy-Authorization: Basic Ym9iOnNlY3JldA==\nC: \n"
#define ASKED(more) \
    "S: HTTP/1.1 407 Proxy Authentication Required\nS: Proxy-Authenticate: Basic\n" more
#define SIZED ASKED("S: Content-Length: 14\nS: \nS~ HTTP/1.1 200 x\n")
#define CHUNKED                                                                                    \
    ASKED(                                                                                         \
        "S: Transfer-Encoding:  Chunked\nS: \nS: a;x=y\nS: HTTP/1.1 2\nS: 01\nS~ \\n\nS: \nS: 0\n" \
        "S: HTTP/1.1 200 trailer\nS: \n")
#define GRANTED                                                                     \
    "socks.version=1 socks.command=1 socks.port=587 socks.reply=0 socks.granted=1 " \
    "socks.auth_failed=0 "
#define REFUSAL "S: HTTP/1.1 403 no\nS: Content-Length: 0\nS: \n"
    static const struct dialogue table[] = {
        DIALOGUE("with a password", ASK SIZED SECOND GRANT SMTP_INSIDE,
                 "app=13 groups=5 " GRANTED SMTP_SEEN, .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("an answer in chunks", ASK CHUNKED SECOND GRANT SMTP_INSIDE,
                 "app=13 groups=5 " GRANTED SMTP_SEEN, .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("an answer whose end nobody tells",
                 ASK ASKED("S: \nS: denied\n") SECOND GRANT SMTP_INSIDE,
                 "app=13 groups=5 " GRANTED SMTP_SEEN, .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("four times, with empty lines between, an answer in between",
                 ASK SIZED "C: \n" ASK REFUSAL ASK "S: \nS: HTTP/1.1 304 x\nS: \n" SECOND
                           "S: HTTP/1.1 100 Continue\nS: \n" GRANT SMTP_INSIDE,
                 "app=13 groups=5 " GRANTED SMTP_SEEN, .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE(
            "a length in a request means nothing",
            ASK SIZED
            "C: CONNECT 198.51.100.9:587 HTTP/1.1\nC: Content-Length: 9\nC: \n" GRANT SMTP_INSIDE,
            "app=13 groups=5 " GRANTED SMTP_SEEN, .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("refused in the end", ASK SIZED SECOND REFUSAL,
                 "app=13 groups=4 socks.port=587 socks.reply=2 socks.granted=0 socks.auth_failed=0 "
                 "socks.relayed0=0 socks.relayed1=0 incomplete=0",
                 .port = 3128),
        DIALOGUE("the second is not answered", ASK SIZED SECOND,
                 "app=13 groups=4 socks.port=25 socks.reply=2 socks.granted=0 socks.auth_failed=1 "
                 "incomplete=0",
                 .port = 3128),
        // Asked ahead: what follows the granted request is relayed, and said to be not followed; whichever side
        // comes late.
        DIALOGUE("ahead, the second granted",
                 ASK SECOND "C: EHLO x\n" SIZED GRANT "S: 220 mx ESMTP\nS: 250 ok\n",
                 "app=13 " GRANTED "socks.relayed0=8 socks.relayed1=22 incomplete=0x400",
                 .port = 3128),
        DIALOGUE(
            "ahead, the first granted: the second is content", SECOND ASK GRANT "S: 220 mx ESMTP\n",
            "app=13 " GRANTED "socks.relayed0=55 socks.relayed1=14 incomplete=0x400", .port = 3128),
        DIALOGUE("ahead, three refused", ASK ASK SECOND SIZED CHUNKED REFUSAL,
                 "app=13 groups=4 socks.port=587 socks.reply=2 socks.granted=0 incomplete=0",
                 .port = 3128),
        DIALOGUE("more ahead than are remembered, the first granted",
                 SECOND ASK ASK ASK ASK ASK GRANT, "app=13 " GRANTED "socks.relayed0=275",
                 .port = 3128),
        DIALOGUE("more ahead than are remembered, refused",
                 SECOND ASK ASK ASK ASK REFUSAL REFUSAL REFUSAL REFUSAL REFUSAL,
                 "app=13 socks.port=25 socks.reply=2 socks.granted=0 incomplete=0x400",
                 .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("sent ahead of a refusal: no request, and no loss", ASK "C: EHLO x\n" SIZED,
                 "app=13 groups=4 socks.port=25 socks.granted=0 socks.relayed0=0 incomplete=0",
                 .port = 3128),
        DIALOGUE("another method behind it is not followed",
                 ASK SIZED "C: GET http://a/ HTTP/1.1\nC: \n" GRANT,
                 "app=13 groups=4 socks.port=25 socks.granted=0 socks.auth_failed=1 incomplete=0",
                 .port = 3128, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("two lengths", ASK ASKED("S: Content-Length: 3\nS: Content-Length: 4\nS: \n"),
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128),
        DIALOGUE("a length that is none", ASK ASKED("S: Content-Length: many\nS: \n"),
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128),
        DIALOGUE("longer than anything",
                 ASK ASKED("S: Content-Length: 18446744073709551616\nS: \n"),
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128),
        DIALOGUE("another coding", ASK ASKED("S: Transfer-Encoding: gzip\nS: \n"),
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128),
        DIALOGUE("a chunk without a size", ASK ASKED("S: Transfer-Encoding: chunked\nS: \nS: x\n"),
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128),
        DIALOGUE("octets missing in the body of an answer",
                 ASK ASKED("S: Content-Length: 14\nS: \nS! 14\n") SECOND GRANT,
                 "app=13 socks.granted=0 incomplete=0x400", .port = 3128,
                 .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

// Requests and answers are counted, each once, and nothing of a password stays behind the head it stood in.
static void test_counted_and_forgotten(void **state)
{
    (void)state;
    static const char script[] = ASK SIZED SECOND;
    static const struct dialogue how = {.port = 3128};
    for (size_t cut = 0; cut < 64; cut++) {
        struct dialogue_flow d;
        struct record_flow record = {0};
        dialogue_open(&d, &how);
        dialogue_feed(&d, script, cut);
        assert_int_equal(d.flow.depth, 1);
        const struct proto_descriptor *tracker = d.flow.stack[0].proto;
        assert_ptr_equal(tracker, &proto_http_connect);
        assert_null(memmem(d.flow.stack[0].state, tracker->state_size, "Ym9i", 4));
        assert_null(memmem(d.flow.stack[0].state, tracker->state_size, "Y3JldA", 6));
        dialogue_feed(&d, GRANT "C: EHLO x\n", cut);
        assert_int_equal(d.counters[PROTO_connect_requests], 2);
        assert_int_equal(d.counters[PROTO_connect_refusals], 1);
        assert_int_equal(d.counters[PROTO_connect_grants], 1);
        dialogue_close(&d, &record);
        assert_int_equal(record.socks.relayed_octets[PROTO_INITIATOR], 8);
        proto_drop(&d.flow, d.pool);
    }
}

static void test_lookalikes(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("no port", "C: CONNECT mx.example HTTP/1.1\nC: \n" GRANT, "groups=0 app=13"),
        DIALOGUE("port 0", "C: CONNECT mx.example:0 HTTP/1.1\nC: \n" GRANT, "groups=0 app=13"),
        DIALOGUE("port 65536", "C: CONNECT mx.example:65536 HTTP/1.1\nC: \n" GRANT,
                 "groups=0 app=13"),
        DIALOGUE("a port of letters", "C: CONNECT mx.example:2a HTTP/1.1\nC: \n" GRANT,
                 "groups=0 app=13"),
        DIALOGUE("no host", "C: CONNECT :25 HTTP/1.1\nC: \n" GRANT, "groups=0 app=13"),
        DIALOGUE("a host with a slash", "C: CONNECT a/b:25 HTTP/1.1\nC: \n" GRANT,
                 "groups=0 app=13"),
        DIALOGUE("an address without brackets", "C: CONNECT 2001:db8::1:25 HTTP/1.1\nC: \n" GRANT,
                 "groups=0 app=13"),
        DIALOGUE("a name in brackets", "C: CONNECT [mx.example]:25 HTTP/1.1\nC: \n" GRANT,
                 "groups=0 app=13"),
        DIALOGUE("HTTP/2", "C: CONNECT mx.example:25 HTTP/2.0\nC: \n" GRANT, "groups=0 app=13"),
        DIALOGUE("a name too long", "C: CONNECT " Z512 ":25 HTTP/1.1\nC: \n" GRANT, "groups=0"),
        DIALOGUE("another method", "C: GET http://mx.example:25/ HTTP/1.1\nC: \n" GRANT,
                 "groups=0 app=13"),
        DIALOGUE("small letters", "C: connect mx.example:25 HTTP/1.1\nC: \n", "groups=0"),
        DIALOGUE("joined late", ASK GRANT, "groups=0", .flags = DIALOGUE_MIDSTREAM),
        DIALOGUE("the responder asks", "S: CONNECT mx.example:25 HTTP/1.1\nS: \n", "groups=0"),
    };
    RUN(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tunnels),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_again),      cmocka_unit_test(test_counted_and_forgotten),
        cmocka_unit_test(test_lookalikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
