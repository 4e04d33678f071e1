// SOCKS4, 4a and 5 on any port, what is relayed, backconnects, and what only looks like SOCKS.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dialogue.h"

#define RUN(table) dialogue_run(table, sizeof table / sizeof *table)

#define GREET5   "C~ \\x05\\x01\\x00\nS~ \\x05\\x00\n"
#define CONNECT5 "C~ \\x05\\x01\\x00\\x01\\xc6\\x33\\x64\\x01\\x00\\x19\n"
#define GRANT5   "S~ \\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n"
#define Z64      "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
#define Z640     Z64 Z64 Z64 Z64 Z64 Z64 Z64 Z64 Z64 Z64
#define SMTP_INSIDE                                                                  \
    "S: 220 mx ESMTP\nC: EHLO x\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n" \
    "C: RCPT TO:<c@d.example>\nS: 550 listed at xbl.spamhaus.org\nC: QUIT\nS: 221 bye\n"

static void test_socks5(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE(
            "connect by address, SMTP inside", GREET5 CONNECT5 GRANT5 SMTP_INSIDE,
            "app=6 groups=5 socks.version=5 socks.method=0 socks.command=1 socks.port=25 "
            "socks.reply=0 socks.granted=1 socks.reverse=0 socks.inner_app=1 helo=1 mail=1 rcpt=1 "
            "rcpt_5xx=1 quit=1 blocklist_exploit=1 incomplete=0 socks.relayed0=62 "
            "socks.relayed1=71",
            .port = 4145, .flags = DIALOGUE_IN_STEP),
        DIALOGUE(
            "login, a name, HTTP inside",
            "C~ \\x05\\x02\\x00\\x02\nS~ \\x05\\x02\nC~ \\x01\\x03bob\\x06secret\nS~ \\x01\\x00\n"
            "C~ \\x05\\x01\\x00\\x03\\x0bexample.org\\x00\\x50\n"
            "S~ \\x05\\x00\\x00\\x03\\x04host\\x12\\x34\nC: GET / HTTP/1.1\n",
            "app=6 socks.method=2 socks.auth_failed=0 socks.command=1 socks.port=80 "
            "socks.granted=1 socks.inner_app=13 socks.relayed0=16 socks.relayed1=0 groups=4",
            .port = 9999, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("login with an empty password",
                 "C~ \\x05\\x01\\x02\nS~ \\x05\\x02\nC~ \\x01\\x01b\\x00\nS~ \\x01\\x00\n" CONNECT5
                     GRANT5,
                 "app=6 socks.method=2 socks.port=25 socks.granted=1", .port = 1080),
        DIALOGUE(
            "login refused",
            "C~ \\x05\\x02\\x00\\x02\nS~ \\x05\\x02\nC~ \\x01\\x03bob\\x03pwd\nS~ \\x01\\xff\n",
            "app=6 socks.method=2 socks.auth_failed=1 socks.command=0 socks.granted=0 "
            "socks.reply=0xff",
            .port = 1080),
        DIALOGUE("no method acceptable", "C~ \\x05\\x01\\x02\nS~ \\x05\\xff\n",
                 "app=6 socks.method=0xff socks.command=0 socks.granted=0", .port = 1080),
        DIALOGUE("GSSAPI is opaque",
                 "C~ \\x05\\x01\\x01\nS~ \\x05\\x01\nC~ \\x01\\x01\\x00\\x02ab\nS~ "
                 "\\x01\\x01\\x00\\x02cd\n",
                 "app=6 socks.method=1 socks.command=0 incomplete=0", .port = 1080),
        DIALOGUE("refused by the server",
                 GREET5 "C~ "
                        "\\x05\\x01\\x00\\x04\\x20\\x01\\x0d\\xb8\\x00\\x00\\x00\\x00\\x00\\x00\\x0"
                        "0\\x00\\x00\\x00\\x00\\x01"
                        "\\x00\\x19\nS~ \\x05\\x05\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n",
                 "app=6 socks.command=1 socks.port=25 socks.reply=5 socks.granted=0", .port = 1080),
        DIALOGUE("UDP ASSOCIATE",
                 GREET5 "C~ \\x05\\x03\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n" GRANT5,
                 "app=6 socks.command=3 socks.granted=1 socks.reply=0 socks.relayed0=0",
                 .port = 1080),
        DIALOGUE("BIND, the peer comes",
                 GREET5 "C~ \\x05\\x02\\x00\\x01\\xc6\\x33\\x64\\x01\\x00\\x15\n" GRANT5 GRANT5
                        "S: SSH-2.0-x\n",
                 "app=6 socks.command=2 socks.port=21 socks.granted=1 socks.relayed1=11 "
                 "socks.inner_app=14",
                 .port = 1080, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("TLS inside on a mail port",
                 GREET5 "C~ \\x05\\x01\\x00\\x01\\xc6\\x33\\x64\\x01\\x01\\xd1\n" GRANT5
                        "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\nS~ "
                        "\\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "app=6 groups=6 socks.port=465 tls.alert=40 socks.inner_app=12", .port = 1080,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("STARTTLS inside: three deep",
                 GREET5 CONNECT5 GRANT5
                 "S: 220 mx ESMTP\nC: EHLO x\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
                 "S: 220 go\nC~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\n"
                 "S~ \\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "app=6 groups=7 helo=1 starttls=1 starttls_ok=1 tls.alert=40 socks.inner_app=1 "
                 "starttls_state=3",
                 .port = 1080, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("backconnect: the initiator serves",
                 "S~ \\x05\\x01\\x00\nC~ \\x05\\x00\n"
                 "S~ \\x05\\x01\\x00\\x01\\xc6\\x33\\x64\\x01\\x00\\x19\n"
                 "C~ \\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n"
                 "C: 220 mx ESMTP\nS: EHLO x\nC: 250 ok\nS: MAIL FROM:<a@b.example>\nC: 250 ok\nS: "
                 "QUIT\n"
                 "C: 221 bye\n",
                 "app=6 socks.reverse=1 socks.granted=1 socks.port=25 helo=1 mail=1 quit=1 "
                 "banner_code=220 early_talker=0",
                 .port = 443, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("request sent along with the greeting",
                 "C~ \\x05\\x01\\x00\n" CONNECT5 "S~ \\x05\\x00\n" GRANT5,
                 "app=6 socks.command=1 socks.granted=1", .port = 7777),
        DIALOGUE("the client alone", "C~ \\x05\\x01\\x00\n" CONNECT5,
                 "app=6 socks.command=1 socks.port=25 socks.granted=0 "
                 "socks.method=0xff socks.reply=0xff",
                 .port = 7777),
        DIALOGUE("a hole in the handshake", GREET5 "C! 10\n" GRANT5 "S: 220 mx\n",
                 "app=6 incomplete=1024 socks.granted=0 socks.relayed1=0", .port = 1080,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("a hole in what is relayed",
                 GREET5 CONNECT5 GRANT5
                 "S: 220 mx ESMTP\nC! 9\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n",
                 "app=6 incomplete=1024 mail=1 socks.granted=1", .port = 1080,
                 .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

static void test_socks4(void **state)
{
    (void)state;
#define CONNECT4 "C~ \\x04\\x01\\x00\\x19\\xc6\\x33\\x64\\x01user\\x00\n"
#define GRANT4   "S~ \\x00\\x5a\\x00\\x00\\x00\\x00\\x00\\x00\n"
    static const struct dialogue table[] = {
        DIALOGUE(
            "connect, SMTP inside", CONNECT4 GRANT4 SMTP_INSIDE,
            "app=4 socks.version=4 socks.is_4a=0 socks.command=1 socks.port=25 socks.reply=0x5a "
            "socks.granted=1 socks.inner_app=1 helo=1 mail=1 rcpt=1 rcpt_5xx=1 quit=1 "
            "blocklist_exploit=1",
            .port = 5678, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("4a with a name",
                 "C~ \\x04\\x01\\x00\\x50\\x00\\x00\\x00\\x01\\x00www.example.com\\x00\n" GRANT4
                 "C: GET / HTTP/1.1\n",
                 "app=5 socks.version=4 socks.is_4a=1 socks.port=80 socks.granted=1 "
                 "socks.inner_app=13",
                 .port = 1080, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("refused", CONNECT4 "S~ \\x00\\x5b\\x00\\x00\\x00\\x00\\x00\\x00\n",
                 "app=4 socks.reply=0x5b socks.granted=0", .port = 1080),
        DIALOGUE("BIND",
                 "C~ \\x04\\x02\\x00\\x15\\xc6\\x33\\x64\\x01\\x00\n" GRANT4 GRANT4 "S: hello\n",
                 "app=4 socks.command=2 socks.granted=1 socks.relayed1=7", .port = 1080,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("BIND for whoever comes",
                 "C~ \\x04\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00\n" GRANT4,
                 "app=4 socks.command=2 socks.port=0 socks.granted=1", .port = 1080),
        DIALOGUE("a reply of version 4", CONNECT4 "S~ \\x04\\x5a\\x00\\x00\\x00\\x00\\x00\\x00\n",
                 "app=4 socks.command=1 socks.port=25 socks.granted=1", .port = 1080),
        DIALOGUE("the client alone", CONNECT4,
                 "app=4 socks.command=1 socks.port=25 socks.granted=0", .port = 9000),
    };
    RUN(table);
}

// What is relayed and known to nobody; octets ahead of the grant; the client's side alone.
static void test_relays(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE(
            "SOCKS4, nobody knows what is inside",
            CONNECT4 GRANT4
            "C: zzzz zzzz zzzz zzzz zzzz zzzz\nS: yyyy yyyy yyyy yyyy\nC: zzz\nS! 7\nS: y\n",
            "app=4 groups=4 socks.granted=1 socks.inner_app=0 socks.relayed0=36 socks.relayed1=24 "
            "incomplete=0",
            .port = 1080, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("SOCKS5, nobody knows what is inside",
                 GREET5 CONNECT5 GRANT5
                 "C: zzzz zzzz zzzz zzzz zzzz zzzz\nS: yyyy yyyy yyyy yyyy\nC: zzz\nS: y\n",
                 "app=6 groups=4 socks.inner_app=0 socks.relayed0=36 socks.relayed1=24",
                 .port = 1080, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("more than is looked at, counted once",
                 GREET5 CONNECT5 GRANT5 "C~ " Z640 "\nS~ yyyy\nC~ zzz\n",
                 "app=6 groups=4 socks.inner_app=0 socks.relayed0=643 socks.relayed1=4",
                 .port = 1080, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("octets ahead of the grant",
                 GREET5 CONNECT5
                 "C: EHLO x\n" GRANT5
                 "S: 220 mx ESMTP\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n",
                 "app=6 socks.granted=1 socks.relayed0=33 socks.inner_app=1 mail=1 helo=0 "
                 "incomplete=1024",
                 .port = 1080, .flags = DIALOGUE_IN_STEP),
        DIALOGUE("after a refusal nothing is read",
                 CONNECT4 "S~ \\x00\\x5b\\x00\\x00\\x00\\x00\\x00\\x00\nC: EHLO x\nS: 250 ok\n",
                 "app=4 socks.granted=0 socks.relayed0=0 helo=0", .port = 1080,
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("client alone, login and a name",
                 "C~ \\x05\\x01\\x02\nC~ \\x01\\x03bob\\x03pwd\nC~ "
                 "\\x05\\x01\\x00\\x03\\x0bexample.org\\x00\\x19\n",
                 "app=6 socks.command=1 socks.port=25 socks.granted=0", .port = 7777),
        DIALOGUE("client alone, IPv6",
                 "C~ \\x05\\x01\\x00\nC~ "
                 "\\x05\\x01\\x00\\x04\\x20\\x01\\x0d\\xb8\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
                 "\\x00\\x00\\x00\\x01"
                 "\\x00\\x19\n",
                 "app=6 socks.command=1 socks.port=25", .port = 7777),
        DIALOGUE("client alone, a name that is none",
                 "C~ \\x05\\x01\\x00\nC~ \\x05\\x01\\x00\\x03\\x03a\\x01b\\x00\\x19\n", "groups=0",
                 .port = 7777),
        DIALOGUE("client alone, half a request",
                 "C~ \\x05\\x01\\x00\nC~ \\x05\\x01\\x00\\x01\\xc6\\x33\n", "groups=0",
                 .port = 7777),
        DIALOGUE("client alone, half a login", "C~ \\x05\\x01\\x02\nC~ \\x01\\x03bo\n", "groups=0",
                 .port = 7777),
        DIALOGUE("client alone, a request of another version",
                 "C~ \\x05\\x01\\x00\nC~ \\x04\\x01\\x00\\x01\\xc6\\x33\\x64\\x01\\x00\\x19\n",
                 "groups=0", .port = 7777),
        DIALOGUE("client alone, an empty name",
                 "C~ \\x05\\x01\\x00\nC~ \\x05\\x01\\x00\\x03\\x00\\x00\\x19\n", "groups=0",
                 .port = 7777),
    };
    RUN(table);
}

static void test_lookalikes(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("OpenFlow echo",
                 "C~ \\x04\\x02\\x00\\x08\\x00\\x00\\x00\\x07\nS~ "
                 "\\x04\\x03\\x00\\x08\\x00\\x00\\x00\\x07\n",
                 "groups=0", .port = 6633),
        DIALOGUE("OpenFlow hello",
                 "C~ \\x04\\x00\\x00\\x08\\x00\\x00\\x00\\x07\nS~ "
                 "\\x04\\x00\\x00\\x08\\x00\\x00\\x00\\x07\n",
                 "groups=0", .port = 6633),
        DIALOGUE("DCE-RPC bind",
                 "C~ \\x05\\x00\\x0b\\x03\\x10\\x00\\x00\\x00\\x48\\x00\\x00\\x00\nS~ "
                 "\\x05\\x00\\x0c\\x03\n",
                 "groups=0", .port = 135),
        DIALOGUE("TDS",
                 "C~ \\x04\\x01\\x00\\x25\\x00\\x00\\x01\\x00\\x00\\x00\nS~ \\x04\\x01\\x00\\x25\n",
                 "groups=0", .port = 1433),
        DIALOGUE("a method nobody offered", "C~ \\x05\\x01\\x00\nS~ \\x05\\x02\n", "groups=0",
                 .port = 1080),
        DIALOGUE("the same method twice", "C~ \\x05\\x02\\x00\\x00\nS~ \\x05\\x00\n", "groups=0",
                 .port = 1080),
        DIALOGUE("unassigned methods", "C~ \\x05\\x02\\x20\\x41\nS~ \\x05\\x20\n", "groups=0",
                 .port = 1080),
        DIALOGUE("a greeting alone", "C~ \\x05\\x01\\x00\n", "groups=0", .port = 1080),
        DIALOGUE("a greeting of the responder alone", "S~ \\x05\\x01\\x00\n", "groups=0",
                 .port = 1080),
        DIALOGUE("SOCKS4 without the user's end",
                 "C~ \\x04\\x01\\x00\\x19\\xc6\\x33\\x64\\x01abc\nS~ \\x00\\x5a\n", "groups=0",
                 .port = 1080),
        DIALOGUE("SOCKS4 to port 0",
                 "C~ \\x04\\x01\\x00\\x00\\xc6\\x33\\x64\\x01\\x00\nS~ \\x00\\x5a\n", "groups=0",
                 .port = 1080),
        DIALOGUE("SOCKS4 answered with something else",
                 "C~ \\x04\\x01\\x00\\x19\\xc6\\x33\\x64\\x01\\x00\nS~ \\x00\\x10\\x00\n",
                 "groups=0", .port = 1080),
        DIALOGUE("SOCKS4 with a user that is no text",
                 "C~ \\x04\\x01\\x00\\x19\\xc6\\x33\\x64\\x01\\x01\\x02\\x00\nS~ \\x00\\x5a\n",
                 "groups=0", .port = 1080),
        DIALOGUE("a request of no known kind",
                 "C~ \\x05\\x01\\x00\\x05\\x09\\x00\\x01\\x01\\x01\\x01\\x01\\x00\\x50\n",
                 "groups=0", .port = 1080),
        DIALOGUE("FTP", "S: 220 ftp.smtp.example FTP server ready\nC: USER x\nS: 331 password\n",
                 "groups=0", .port = 21),
        DIALOGUE("HTTP on a mail port",
                 "C: POST / HTTP/1.1\nC: Host: x\nC: \nC: MAIL FROM:<a@b.example>\nS: 421 no\n",
                 "groups=0 app=13", .port = 25),
        DIALOGUE("SSH on a mail port", "S: SSH-2.0-x\nC: SSH-2.0-y\n", "groups=0 app=14",
                 .port = 25, .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socks5),
        cmocka_unit_test(test_socks4),
        cmocka_unit_test(test_relays),
        cmocka_unit_test(test_lookalikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
