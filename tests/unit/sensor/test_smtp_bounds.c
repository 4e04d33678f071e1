// SMTP's bounds and corners: what does not fit into a buffer, lines, paths and replies one by one.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialogue.h"
#include "proto/line.h"
#include "proto/smtp_command.h"
#include "proto/smtp_server.h"

#define RUN(table) dialogue_run(table, sizeof table / sizeof *table)

#define HELLO "S: 220 mx ESMTP\nC: EHLO x\nS: 250-mx\nS: 250-PIPELINING\nS: 250 STARTTLS\n"
#define X64   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X640  X64 X64 X64 X64 X64 X64 X64 X64 X64 X64
#define OCTETS_OF_HELLO                                     \
    "C~ \\x16\\x03\\x01\\x02\\x84\\x01\\x00\\x02\\x80" X640 \
    "\nS~ \\x15\\x03\\x03\\x00\\x02\\x02\\x28\n"

static void test_waiting_has_its_bound(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("a long body before the 354",
                 HELLO "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\nC: " X640
                       "\n"
                       "C: RCPT TO:<not@a.command>\nC: .\nC: QUIT\nS: 250 ok\nS: 250 ok\nS: 354 "
                       "go\nS: 250 ok\nS: 221 bye\n",
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 quit=1 message_octets=667 "
                 "incomplete=0"),
        DIALOGUE("a long body, and then DATA is refused",
                 HELLO "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\nC: " X640
                       "\nC: more\nC: .\n"
                       "S: 250 ok\nS: 550 no\nS: 554 no\nS: 500 what\nS: 500 what\nS: 500 what\nC: "
                       "RSET\nS: 250 ok\n"
                       "C: QUIT\nS: 221 bye\n",
                 "helo=1 mail=1 rcpt=1 rcpt_5xx=1 data=1 rset=1 quit=1 incomplete=1024"),
        DIALOGUE("refused while the long body is under way",
                 HELLO "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\nC: " X640
                       "\n"
                       "S: 250 ok\nS: 550 no\nS: 554 no\nS: 500 what\nC: more\nC: .\nS: 500 "
                       "what\nS: 502 what\nC: RSET\n"
                       "S: 250 ok\nC: QUIT\nS: 221 bye\n",
                 "helo=1 mail=1 rcpt=1 rcpt_5xx=1 data=1 rset=1 quit=1 incomplete=1024 "
                 "protocol_errors=1",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("much content behind a bare dot",
                 HELLO "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 "
                       "ok\nC: DATA\nS: 354 go\n"
                       "C~ one\\n.\\n" X640 "\\r\\n.\\r\\n\nS: 250 ok\nC: QUIT\nS: 221 bye\n",
                 "helo=1 mail=1 rcpt=1 rcpt_ok=1 data=1 messages_ok=1 quit=1 message_octets=648",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("a ClientHello before the 220",
                 HELLO "C: STARTTLS\n" OCTETS_OF_HELLO "S: 220 go\n",
                 "helo=1 starttls=1 starttls_state=2 groups=3", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("a handshake without STARTTLS",
                 "S: 220 mx ESMTP\nC: EHLO x\nS: 250 ok\n" OCTETS_OF_HELLO,
                 "helo=1 groups=3 tls.alert=40", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("the server begins with TLS",
                 HELLO "C: STARTTLS\nS: 220 go\nS~ \\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "helo=1 starttls=1 starttls_ok=1 starttls_state=3 groups=3 tls.alert=40",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("a line longer than any",
                 HELLO "C: MAIL FROM:<a@b.example> " X640 X640 "\nS: 555 no\nC: RCPT TO:" X640
                       "@d.example\nS: 501 long\n"
                       "C: NOOP " X640 "\nS: 250 ok\nC: EHLO " X640 "\nS: 501 long\n",
                 "helo=2 mail=1 mail_5xx=1 rcpt=1 rcpt_5xx=1 protocol_errors=2 hashes=3"),
        DIALOGUE("binary lines",
                 "S: 220 mx\nC~ \\x01\\x02\\x03\\n\\x00\\r\\n\nS: 500 what\nS: 500 what\n"
                 "C: QUIT\nS: 221 bye\n",
                 "unknown=2 protocol_errors=2 quit=1 early_talker=0"),
        DIALOGUE("empty lines, answered or not",
                 HELLO "C: \nC: \nC: RSET\nS: 500 what\nS: 250 ok\nC: QUIT\nS: 221 bye\n",
                 "helo=1 rset=1 quit=1"),
        DIALOGUE("the server answers for more than was asked",
                 HELLO "C: RSET\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: MAIL FROM:<a@b.example>\nS: "
                       "550 no\nC: QUIT\nS: 221 bye\n",
                 "helo=1 rset=1 mail=1 mail_5xx=1 quit=1", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("an answer left out",
                 HELLO "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\nS: 250 "
                       "ok\nS: 354 go\nC: .\nS: 250 ok\n",
                 "helo=1 mail=1 rcpt=1 data=1 messages_ok=1 incomplete=1024",
                 .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

static void test_lines(void **state)
{
    (void)state;
    uint8_t text[1300];
    memset(text, 'a', sizeof text);
    for (size_t len = LINE_MAX_OCTETS - 3; len < LINE_MAX_OCTETS + 4; len++)
        for (size_t cut = 1; cut < 700; cut += 97) {
            struct line l = {0};
            memcpy(text + len, "\r\nb\n", 4);
            size_t at = 0;
            while (!l.done)
                at += line_feed(&l, span_of(text + at, len + 2 - at < cut ? len + 2 - at : cut));
            assert_int_equal(at, len + 2);
            assert_int_equal(l.len, len < LINE_MAX_OCTETS ? len : LINE_MAX_OCTETS);
            assert_int_equal(l.cut, len >= LINE_MAX_OCTETS);
            assert_false(l.bare_lf);
            assert_int_equal(line_feed(&l, span_of(text + at, 2)), 2);
            assert_true(l.done && l.bare_lf && l.len == 1 && !l.cut);
            assert_int_equal(line_feed(&l, span_of(text, 0)), 0);
            assert_false(l.done);
            memset(text + len, 'a', 4);
        }
}

static void test_commands(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint8_t verb;
        bool well_formed;
    } rows[] = {
        {"EHLO x", SMTP_EHLO, true},         {" \tHelo x", SMTP_HELO, true},
        {"MAIL FROM:<>", SMTP_MAIL, true},   {"mail\tfrom: <>", SMTP_MAIL, true},
        {"MAIL", SMTP_MAIL, false},          {"MAIL TO:<a>", SMTP_MAIL, false},
        {"RCPT TO:<a>", SMTP_RCPT, true},    {"RCPT FROM:<a>", SMTP_RCPT, false},
        {"BDAT", SMTP_BDAT, false},          {"QUIT ", SMTP_QUIT, true},
        {"QUITX", SMTP_UNKNOWN, false},      {"", SMTP_EMPTY, false},
        {"   ", SMTP_EMPTY, false},          {"\r", SMTP_EMPTY, false},
        {"Subject: x", SMTP_UNKNOWN, false}, {"X-EXPS GSSAPI", SMTP_OTHER, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_command c = smtp_command_parse(span_of_text(rows[i].line));
        assert_int_equal(c.verb, rows[i].verb);
        assert_int_equal(c.well_formed, rows[i].well_formed);
    }
    assert_true(smtp_command_looks_like(span_of_text("RSET\r\ngarbage")));
    assert_false(smtp_command_looks_like(span_of_text("Received: x\r\nRSET")));
    assert_false(smtp_command_looks_like((struct span){0}));
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *args;
        bool path;
        const char *address, *domain;
        bool null, routed, complete;
    } rows[] = {
        {"FROM:<a@b.example>", true, "a@b.example", "b.example", false, false, true},
        {"FROM: < a@b.example > SIZE=1", true, "a@b.example", "b.example", false, false, true},
        {"FROM:<>", true, "", "", true, false, true},
        {"FROM:< >", true, "", "", true, false, true},
        {"FROM:<", true, "", "", false, false, false},
        {"FROM:<a@b", true, "a@b", "b", false, false, false},
        {"FROM:a@b.example SIZE=1", true, "a@b.example", "b.example", false, false, true},
        {"FROM:postmaster", true, "postmaster", "", false, false, true},
        {"FROM:", false, "", "", false, false, false},
        {"FROM", false, "", "", false, false, false},
        {"TO:<\"a>b\\\"c\"@d.example>", true, "\"a>b\\\"c\"@d.example", "d.example", false, false,
         true},
        {"TO:<@r.example,@s.example:c@d.example>", true, "c@d.example", "d.example", false, true,
         true},
        {"TO:<@r.example>", true, "@r.example", "r.example", false, false, true},
        {"TO:<c%d.example@r.example>", true, "c%d.example@r.example", "r.example", false, true,
         true},
        {"TO:<d.example!c>", true, "d.example!c", "", false, true, true},
        {"TO:<c@d@r.example>", true, "c@d@r.example", "r.example", false, true, true},
        {"TO:<c@[192.0.2.1]>", true, "c@[192.0.2.1]", "[192.0.2.1]", false, false, true},
        {"TO:<c@>", true, "c@", "", false, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_path p = {0};
        assert_int_equal(smtp_path_parse(span_of_text(rows[i].args), &p), rows[i].path);
        assert_true(span_equal_text(p.address, rows[i].address));
        assert_true(span_equal_text(p.domain, rows[i].domain));
        assert_int_equal(p.null, rows[i].null);
        assert_int_equal(p.routed, rows[i].routed);
        assert_int_equal(p.complete, rows[i].complete);
    }
}

static void test_helo_names(void **state)
{
    (void)state;
    static const struct {
        const char *args, *name, *addr;
        bool literal;
    } rows[] = {
        {"client.example", "client.example", "-", false},
        {"client.example and more", "client.example", "-", false},
        {"[192.0.2.7]", "[192.0.2.7]", "192.0.2.7", true},
        {"[192.0.2.7", "[192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.7", "192.0.2.7", true},
        {"[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]", "2001:db8::7", true},
        {"[", "[", "-", false},
        {"[]", "[]", "-", true},
        {"", "", "-", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool literal;
        struct ip_addr addr;
        char text[IP_TEXT_MAX];
        struct span name = smtp_helo_name(span_of_text(rows[i].args), &literal, &addr);
        assert_true(span_equal_text(name, rows[i].name));
        assert_int_equal(literal, rows[i].literal);
        assert_string_equal(ip_format(&addr, text), rows[i].addr);
    }
}

static void test_chunk_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *args;
        bool good, last;
        uint64_t size;
    } rows[] = {
        {"0", true, false, 0},         {"86 LAST", true, true, 86},
        {"86  last ", true, true, 86}, {"999999999999999999", true, false, 999999999999999999},
        {"", false, false, 0},         {"-1", false, false, 0},
        {"1x", false, false, 0},       {"1 LASTS", false, false, 0},
        {"1 LAST x", false, false, 0}, {"0x10", false, false, 0},
        {"LAST 1", false, false, 0},   {"1000000000000000000", false, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t size = 0;
        bool last = false;
        assert_int_equal(smtp_bdat_parse(span_of_text(rows[i].args), &size, &last), rows[i].good);
        assert_int_equal(size, rows[i].size);
        assert_int_equal(last, rows[i].last);
    }
}

struct replies {
    char text[256];
};

static void note_reply(void *ctx, const struct smtp_reply_line *line)
{
    struct replies *r = ctx;
    size_t n = strlen(r->text);
    snprintf(r->text + n, sizeof r->text - n, "%u%s%s%s[%.*s] ", line->code, line->first ? "f" : "",
             line->last ? "l" : "", line->uncertain ? "?" : "", (int)line->text.len,
             (const char *)line->text.data);
}

static void test_reply_lines(void **state)
{
    (void)state;
    static const char text[] =
        "250-a\r\n250 b\n\r\n25 x\r\n999 y\r\n2500 z\r\n199 u\r\n550\r\n451no\r\n221 c\r";
    for (size_t cut = 1; cut < sizeof text; cut++) {
        struct smtp_server s = {0};
        struct replies r = {0};
        for (size_t at = 0; at < sizeof text - 1; at += cut) {
            size_t len = sizeof text - 1 - at < cut ? sizeof text - 1 - at : cut;
            assert_int_equal(smtp_server_feed(&s, span_of(text + at, len), note_reply, &r), len);
        }
        smtp_server_end(&s, note_reply, &r);
        assert_string_equal(r.text,
                            "250f[a] 250l[b] 0[] 0[25 x] 0[999 y] 0[2500 z] 0[199 u] 550fl[] "
                            "451fl[no] 221fl[c] ");
    }
    // Behind a gap: the rest of a line is not read, a packet that begins with a code is.
    struct smtp_server s = {0};
    struct replies r = {0};
    smtp_server_feed(&s, span_of_text("250-one\r\n250-tw"), note_reply, &r);
    smtp_server_gap(&s);
    smtp_server_feed(&s, span_of_text("ee\r\n250 four\r\n250 five\r\n"), note_reply, &r);
    smtp_server_gap(&s);
    smtp_server_feed(&s, span_of_text("354 six\r\n"), note_reply, &r);
    assert_string_equal(r.text, "250f[one] 250l?[four] 250fl[five] 354fl?[six] ");
    smtp_server_gap(&s);
    smtp_server_feed(&s, span_of_text("no end"), note_reply, &r);
    smtp_server_end(&s, note_reply, &r);
    assert_non_null(strstr(r.text, "[six] "));
    assert_null(strstr(r.text, "no end"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_has_its_bound),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_helo_names),
        cmocka_unit_test(test_chunk_sizes),
        cmocka_unit_test(test_reply_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
