// The entry points: identification, nesting, pools, reports, the legal profile, and that nothing of a
// dialogue's names and secrets stays behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialogue.h"
#include "ident.h"

#define RUN(table) dialogue_run(table, sizeof table / sizeof *table)

// ---- Identification.

static void test_ident(void **state)
{
    (void)state;
    static const struct dialogue table[] = {
        DIALOGUE("mail on a port of its own, refused at the door",
                 "S: 554 no\nC: EHLO x\nS: 503 no\n", "app=1 helo=1 groups=1 protocol_errors=1",
                 .port = 2500),
        DIALOGUE("SMTP on any port, banner first", "S: 220 mx ESMTP\nC: EHLO x\nS: 250 ok\n",
                 "app=1 app_source=2 helo=1", .port = 4711),
        DIALOGUE("SMTP on any port, the banner says nothing",
                 "S: 220 ready\nC: HELO x\nS: 250 ok\nC: QUIT\n", "app=1 helo=1 quit=1",
                 .port = 225),
        DIALOGUE("a mail port without its first octet",
                 "C~ HLO x\\r\\nMAIL FROM:<a@b.example>\\r\\n\nS~ TTP 200\\r\\n\n",
                 "app=1 mail=1 unknown=1 protocol_errors=1"),
        DIALOGUE("joined on a mail port, a reply first",
                 "S: 250 ok\nC: RCPT TO:<a@b.example>\nS: 250 ok\n", "app=1 rcpt=1", .port = 587,
                 .flags = DIALOGUE_MIDSTREAM),
        DIALOGUE("binary client, SMTP server",
                 "C~ \\x00\\x01\\x02garbage\nS: 220 mx ESMTP\nS: 500 what\n",
                 "app=1 early_talker=1 unknown=0 banner_code=220 protocol_errors=1",
                 .flags = DIALOGUE_IN_STEP),
        DIALOGUE("HTTP", "C: GET / HTTP/1.1\nS: HTTP/1.1 200 OK\n", "app=13 app_source=2 groups=0",
                 .port = 80),
        DIALOGUE("HTTP, only the answer", "S: HTTP/1.1 200 OK\n", "app=13 groups=0", .port = 8080),
        DIALOGUE("SSH", "S: SSH-2.0-OpenSSH\nC: SSH-2.0-x\n", "app=14 groups=0", .port = 2222),
        DIALOGUE("nDPI knows it",
                 "C: \\x13BitTorrent "
                 "protocol\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbb"
                 "bbbbbbb\n",
                 "app=15 app_source=3 ndpi=37 groups=0", .port = 6881),
        DIALOGUE("nobody knows it",
                 "C: zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz\nS: yyyy yyyy yyyy yyyy\n",
                 "app=0 app_source=0 groups=0", .port = 7777),
        DIALOGUE("nobody knows it, on a mail port",
                 "C: zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz zzzz\nS: yyyy yyyy yyyy yyyy\n",
                 "app=0 groups=0", .port = 465),
        DIALOGUE("no payload", "", "app=2 app_source=1", .port = 465),
        DIALOGUE("no payload, no usual port", "", "app=0 app_source=0", .port = 31337),
        DIALOGUE("a hole before the first octet",
                 "S! 30\nS: 250-mx\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n",
                 "app=1 mail=1 incomplete=1024", .flags = DIALOGUE_IN_STEP),
        DIALOGUE("a hole behind the first octets", "C~ ab\nC! 30\nC: xyz\n", "app=0 groups=0",
                 .port = 25, .flags = DIALOGUE_IN_STEP),
    };
    RUN(table);
}

static void test_ports(void **state)
{
    (void)state;
    assert_int_equal(ident_app_of_port(25, 6), RECORD_APP_SMTP);
    assert_int_equal(ident_app_of_port(995, 6), RECORD_APP_POP3S);
    assert_int_equal(ident_app_of_port(53, 17), RECORD_APP_DNS);
    assert_int_equal(ident_app_of_port(25, 17), RECORD_APP_UNKNOWN);
    assert_int_equal(ident_app_of_port(25, 132), RECORD_APP_UNKNOWN);
    assert_int_equal(ident_app_of_port(9, 6), RECORD_APP_UNKNOWN);
    for (unsigned i = 0; i < PROTO_COUNTER_N; i++)
        assert_non_null(proto_counter_name(i));
    assert_null(proto_counter_name(PROTO_COUNTER_N));
}

// More octets than a peek holds, and more turns than it remembers.
static void test_peek_bounds(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r;
    uint8_t noise[1200];
    memset(noise, 'q', sizeof noise);
    dialogue_open(&d, &(struct dialogue){.port = 4000});
    proto_feed(&d.flow, d.pool, PROTO_INITIATOR, span_of(noise, sizeof noise), d.t_us);
    assert_true(d.flow.decided);
    assert_int_equal(d.flow.depth, 0);
    assert_true(d.flow.ident_calls <= 2);
    dialogue_close(&d, &r);
    assert_int_equal(r.app, RECORD_APP_UNKNOWN);

    dialogue_open(&d, &(struct dialogue){.port = 25});
    for (int i = 0; i < 30 && !d.flow.decided; i++)
        proto_feed(&d.flow, d.pool, i % 2 ? PROTO_RESPONDER : PROTO_INITIATOR, span_of("2", 1),
                   d.t_us);
    dialogue_close(&d, &r);
    assert_int_equal(r.app, RECORD_APP_UNKNOWN);

    // A banner of 600 octets and the rest of the dialogue in one call.
    dialogue_open(&d, &(struct dialogue){.port = 4000});
    char banner[700];
    int n = snprintf(banner, sizeof banner, "220-%0560d\r\n220 x\r\n", 0);
    proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of(banner, (size_t)n), d.t_us);
    proto_feed(&d.flow, d.pool, PROTO_INITIATOR, span_of("EHLO x\r\n", 8), d.t_us);
    dialogue_close(&d, &r);
    assert_int_equal(r.app, RECORD_APP_UNKNOWN); // 512 octets of digits told nothing
}

// ---- Pools.

static void test_pool_empty(void **state)
{
    (void)state;
    struct dialogue_flow d;
    dialogue_open(&d, &(struct dialogue){.port = 25});
    d.pool = proto_pool_new(2);
    assert_non_null(d.pool);
    struct proto_flow flow[8];
    struct proto_flow blank = d.flow;
    for (size_t i = 0; i < 8; i++) {
        flow[i] = blank;
        proto_feed(&flow[i], d.pool, PROTO_RESPONDER, span_of("220 mx\r\n", 8), d.t_us);
        proto_feed(&flow[i], d.pool, PROTO_INITIATOR, span_of("EHLO x\r\n", 8), d.t_us);
    }
    assert_true(d.counters[PROTO_pool_empty] > 0);
    size_t followed = 0;
    for (size_t i = 0; i < 8; i++) {
        struct record_flow r = {0};
        proto_close(&flow[i], d.pool, PROTO_END_EVICTED, d.t_us);
        proto_report(&flow[i], &r);
        followed += r.smtp.helo;
        proto_drop(&flow[i], d.pool);
    }
    assert_int_equal(followed, 2);
    assert_int_equal(proto_pool_in_use(d.pool), 0);
    // All of it can be had again.
    flow[0] = blank;
    proto_feed(&flow[0], d.pool, PROTO_RESPONDER, span_of("220 mx\r\n", 8), d.t_us);
    assert_true(proto_pool_in_use(d.pool) > 0);
    proto_drop(&flow[0], d.pool);
    assert_int_equal(proto_pool_in_use(d.pool), 0);
    proto_pool_free(d.pool);
    proto_pool_free(NULL);
}

static void test_nested_too_deep(void **state)
{
    (void)state;
    static const char script[] =
        "C~ \\x05\\x01\\x00\nS~ \\x05\\x00\nC~ \\x05\\x01\\x00\\x01\\xc6\\x33\\x64\\x01\\x04\\x38\n"
        "S~ \\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n"
        "C~ \\x05\\x01\\x00\nS~ \\x05\\x00\nC~ \\x05\\x01\\x00\\x01\\xc6\\x33\\x64\\x01\\x00\\x19\n"
        "S~ \\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n"
        "S: 220 mx ESMTP\nC: EHLO x\nS: 250 ok\nC: STARTTLS\nS: 220 go\n"
        "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\nS~ 123456789\nC! 5\n";
    struct dialogue_flow d;
    struct record_flow r;
    dialogue_open(&d, &(struct dialogue){.port = 1080});
    dialogue_feed(&d, script, 0);
    assert_int_equal(d.counters[PROTO_nested_too_deep], 1);
    assert_true(d.flow.deaf);
    dialogue_close(&d, &r);
    assert_int_equal(r.smtp.helo, 1);
    assert_int_equal(r.smtp.starttls_ok, 1);
    assert_int_equal(r.groups, RECORD_HAS_SOCKS | RECORD_HAS_SMTP);
    // The outermost goes on counting what passes.
    assert_true(r.socks.relayed_octets[PROTO_RESPONDER] >= 9);
}

// ---- Reports.

static void test_reports_are_deltas(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r = {0};
    dialogue_open(&d, &(struct dialogue){.port = 25});
    assert_false(proto_report(&d.flow, &r));
    assert_int_equal(r.app, RECORD_APP_SMTP);
    assert_int_equal(r.app_source, RECORD_APP_BY_PORT);
    dialogue_feed(
        &d,
        "S: 220 mx\nC: EHLO x\nS: 250-mx\nS: 250 STARTTLS\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n",
        0);
    memset(&r, 0, sizeof r);
    assert_true(proto_report(&d.flow, &r));
    assert_int_equal(r.smtp.helo, 1);
    assert_int_equal(r.smtp.mail, 1);
    assert_int_equal(r.hash_count, 3);
    assert_int_equal(r.app_source, RECORD_APP_BY_CONTENT);
    memset(&r, 0, sizeof r);
    assert_false(proto_report(&d.flow, &r));
    assert_int_equal(r.smtp.helo, 0);
    assert_int_equal(r.hash_count, 0);
    assert_int_equal(r.smtp.banner_code, 220); // a fact of the flow
    assert_int_equal(r.smtp.starttls_state, RECORD_STARTTLS_OFFERED);
    dialogue_feed(&d, "C: RCPT TO:<c@d.example>\nS: 250 ok\n", 0);
    memset(&r, 0, sizeof r);
    assert_true(proto_report(&d.flow, &r));
    assert_int_equal(r.smtp.rcpt, 1);
    assert_int_equal(r.smtp.rcpt_ok, 1);
    assert_int_equal(r.smtp.mail, 0);
    dialogue_close(&d, &r);
}

static void test_hashes(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r = {0};
    dialogue_open(&d, &(struct dialogue){.port = 25});
    dialogue_feed(
        &d, "S: 220 mx\nC: EHLO x\nS: 250 PIPELINING\nC: MAIL FROM:<A@B.example>\nS: 250 ok\n", 0);
    for (int i = 0; i < 100; i++) {
        char script[128];
        snprintf(script, sizeof script, "C: RCPT TO:<user%d@D.example>\nS: 250 ok\n", i % 70);
        dialogue_feed(&d, script, 0);
    }
    assert_true(proto_report(&d.flow, &r));
    assert_int_equal(r.smtp.rcpt, 100);
    assert_int_equal(r.smtp.rcpt_ok, 100);
    assert_int_equal(r.hash_count, RECORD_HASHES_MAX);
    assert_int_equal(r.incomplete, RECORD_HASHES_CUT);
    struct keyed_hash want = keyed_hash(&d.key, KEYED_HASH_SENDER, span_of_text("a@b.example"));
    struct keyed_hash domain = keyed_hash(&d.key, KEYED_HASH_RECIPIENT_DOMAIN,
                                          span_of_text("d.example"));
    size_t found = 0;
    for (uint8_t i = 0; i < r.hash_count; i++)
        found += (r.hash[i].kind == want.kind && r.hash[i].value == want.value) ||
                 (r.hash[i].kind == domain.kind && r.hash[i].value == domain.value);
    assert_int_equal(found, 2);
    memset(&r, 0, sizeof r);
    proto_report(&d.flow, &r);
    assert_int_equal(r.incomplete, 0);
    dialogue_close(&d, &r);
}

// Thousands of messages in one session, and more commands ahead than the queue has places for.
static void test_long_sessions(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r;
    dialogue_open(&d, &(struct dialogue){.port = 25});
    dialogue_feed(&d, "S: 220 mx\nC: EHLO x\nS: 250 PIPELINING\n", 0);
    for (int i = 0; i < 5000; i++)
        dialogue_feed(
            &d,
            "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC: DATA\nS: 250 ok\nS: 550 no\n"
            "S: 354 go\nC: x\nC: .\nS: 451 later\n",
            0);
    dialogue_close(&d, &r);
    assert_int_equal(r.smtp.mail, 5000);
    assert_int_equal(r.smtp.rcpt_5xx, 5000);
    assert_int_equal(r.smtp.messages_4xx, 5000);

    dialogue_open(&d, &(struct dialogue){.port = 25});
    dialogue_feed(&d, "S: 220 mx\nC: EHLO x\nS: 250 PIPELINING\nC: MAIL FROM:<a@b.example>\n", 0);
    for (int i = 0; i < 3000; i++)
        dialogue_feed(&d, "C: RCPT TO:<c@d.example>\n", 0);
    dialogue_feed(&d, "S: 250 ok\n", 0);
    for (int i = 0; i < 3000; i++)
        dialogue_feed(&d, i % 3 ? "S: 250 ok\n" : "S: 450 later\n", 0);
    dialogue_close(&d, &r);
    assert_int_equal(r.smtp.rcpt, 3000);
    assert_int_equal(r.smtp.rcpt_ok, 2000);
    assert_int_equal(r.smtp.rcpt_4xx, 1000);
    assert_int_equal(r.incomplete, 0);

    // Alternating commands do not run together: beyond the bound answers are passed over, and said so.
    dialogue_open(&d, &(struct dialogue){.port = 25});
    dialogue_feed(&d, "S: 220 mx\nC: EHLO x\nS: 250 PIPELINING\n", 0);
    for (int i = 0; i < 200; i++)
        dialogue_feed(&d, "C: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\n", 0);
    for (int i = 0; i < 200; i++)
        dialogue_feed(&d, "S: 250 ok\nS: 550 no\n", 0);
    dialogue_feed(
        &d, "C: MAIL FROM:<a@b.example>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\n", 0);
    dialogue_close(&d, &r);
    assert_int_equal(r.smtp.rcpt, 201);
    assert_int_equal(r.smtp.rcpt_ok, 1);
    assert_true(r.smtp.rcpt_5xx > 10 && r.smtp.rcpt_5xx < 200);
    assert_int_equal(r.incomplete & RECORD_PARSER_LOST, RECORD_PARSER_LOST);
}

// ---- The legal profile.

static void test_profiles(void **state)
{
    (void)state;
#define SESSION                                                                  \
    "S: 220 mx\nC: EHLO x\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n" \
    "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\nS~ \\x15\\x03\\x03\\x00\\x02\\x02\\x28\n"
    static const struct dialogue table[] = {
        DIALOGUE("flow-only", SESSION, "app=1 app_source=1 groups=0 incomplete=2048",
                 .flow_only = true),
        DIALOGUE("own smarthost", SESSION,
                 "app=1 groups=3 helo=1 starttls=1 starttls_ok=1 tls.alert=40 starttls_state=3",
                 .profile = COVERAGE_OWN_SMARTHOST_CONTENT, .flags = DIALOGUE_SMARTHOST),
        DIALOGUE("implicit TLS with a stranger",
                 "C~ \\x16\\x03\\x01\\x00\\x04\\x01\\x00\\x00\\x00\nS~ "
                 "\\x15\\x03\\x03\\x00\\x02\\x02\\x28\n",
                 "app=2 groups=2 tls.alert=40 incomplete=0", .port = 465,
                 .profile = COVERAGE_OWN_SMARTHOST_CONTENT),
        DIALOGUE("a stranger's envelope",
                 "S: 220 mx ESMTP\nC: EHLO x\nS: 250 ok\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n",
                 "app=1 app_source=2 groups=0 hashes=0 incomplete=2048",
                 .profile = COVERAGE_OWN_SMARTHOST_CONTENT),
        DIALOGUE("a stranger's proxy", "C~ \\x05\\x01\\x00\nS~ \\x05\\x00\n",
                 "app=6 groups=0 incomplete=2048", .port = 1080,
                 .profile = COVERAGE_OWN_SMARTHOST_CONTENT),
        DIALOGUE("a stranger's log-in", "S: +OK\nC: USER x\nS: +OK\nC: PASS y\nS: -ERR\n",
                 "app=7 groups=0 tries=0 incomplete=2048", .port = 110,
                 .profile = COVERAGE_OWN_SMARTHOST_CONTENT),
    };
    RUN(table);
}

// Behind a stranger's STARTTLS the handshake is seen, where a packet begins with it, however short that is.
static void test_strangers_handshake(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        size_t cut; // octets a packet; 0: a line each
        bool seen;
    } rows[] = {
        {SESSION "C! 4\n", 0, true},
        {SESSION, 1, true},
        {SESSION, 2, true},
        {SESSION, 3, true},
        {SESSION, 5, true},
        // One that is none so far, and one behind it.
        {"S: 220 mx\nC: EHLO x\nS: 250 x\nC~ \\x16\\x03\n" SESSION, 1, true},
        {"S: 220 mx\nC: EHLO x\nS: 250 x\nC~ \\x16\\x16\\x03\\x01\\x00\\x04\\x01\n", 1, true},
        {"S: 220 mx\nC: EHLO x\nS: 250 x\nC~ \\x16\\x03\\x01\\x00\\x04\\x02\n", 1, false},
        // A hole is no part of it.
        {"S: 220 mx\nC: EHLO x\nS: 250 x\nC~ \\x16\\x03\\x01\nC! 1\nC~ \\x00\\x04\\x01\\x00\n", 0,
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dialogue_flow d;
        struct record_flow r;
        dialogue_open(&d,
                      &(struct dialogue){.port = 25, .profile = COVERAGE_OWN_SMARTHOST_CONTENT});
        dialogue_feed(&d, rows[i].script, rows[i].cut);
        dialogue_close(&d, &r);
        assert_int_equal(r.groups, rows[i].seen ? RECORD_HAS_TLS : 0);
        assert_int_equal(r.smtp.helo, 0);
        if (rows[i].seen && i < 5)
            assert_int_equal(r.tls.alert, 40);
    }
}

// ---- Privacy.

static bool holds(const void *memory, size_t len, const char *text)
{
    return memmem(memory, len, text, strlen(text)) != NULL;
}

static const char *const secrets[] = {"rcpt-name",  "sender-name", "helo-name",
                                      "bob-login",  "hunter2",     "Ym9iLWxvZ2lu",
                                      "aHVudGVyMg", "imap-user",   "body-text"};

static void find_secrets(struct dialogue_flow *d, const char *when)
{
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        for (uint8_t k = 0; k < d->flow.depth; k++)
            if (holds(d->flow.stack[k].state, d->flow.stack[k].proto->state_size, secrets[i]))
                fail_msg("%s: the %s tracker holds %s", when, d->flow.stack[k].proto->name,
                         secrets[i]);
        if (d->flow.out && holds(d->flow.out, sizeof *d->flow.out, secrets[i]))
            fail_msg("%s: the result holds %s", when, secrets[i]);
    }
}

static void test_nothing_stays(void **state)
{
    (void)state;
    static const struct {
        uint16_t port;
        const char *script;
    } rows[] = {
        {25,
         "S: 220 mx\nC: EHLO helo-name\nS: 250 ok\nC: AUTH LOGIN\nS: 334 x\nC: Ym9iLWxvZ2lu\nS: "
         "334 y\nC: aHVudGVyMg==\n"
         "S: 235 ok\nC: AUTH PLAIN AGJvYi1sb2dpbgBodW50ZXIy\nS: 503 no\nC: AUTH PLAIN\nS: 334 \n"
         "C: AGJvYi1sb2dpbgBodW50ZXIy\nS: 235 ok bob-login\nC: MAIL "
         "FROM:<sender-name@x.example>\nS: 250 sender-name\n"
         "C: RCPT TO:<rcpt-name@x.example>\nS: 250 rcpt-name\nC: DATA\nS: 354 go\nC: body-text\nC: "
         ".\nS: 250 ok\n"},
        // Content that waits for the 354 is held, and gone behind it.
        {25, "S: 220 mx\nC~ EHLO helo-name\\r\\nMAIL FROM:<>\\r\\nRCPT "
             "TO:<rcpt-name@x.example>\\r\\nDATA\\r\\n\n"
             "S: 250 ok\nC! 0\nS~ 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nC: body-text\nC: .\nS: 250 "
             "ok\n"},
        {110, "S: +OK\nC: USER bob-login\nS: +OK\nC: PASS hunter2\nS: -ERR\nC: APOP bob-login "
              "hunter2\nS: -ERR\n"
              "C: AUTH LOGIN\nS: + x\nC: Ym9iLWxvZ2lu\nS: + y\nC: aHVudGVyMg==\nS: -ERR\n"},
        {143, "S: * OK\nC: a LOGIN imap-user hunter2\nS: a NO\nC: b LOGIN {9}\nS: + \nC: imap-user "
              "{7}\nS: + \n"
              "C: hunter2\nS: b NO\nC: c AUTHENTICATE PLAIN AGJvYi1sb2dpbgBodW50ZXIy\nS: c NO\n"},
        {1080,
         "C~ \\x05\\x01\\x02\nS~ \\x05\\x02\nC~ \\x01\\x09bob-login\\x07hunter2\nS~ \\x01\\x00\n"
         "C~ \\x05\\x01\\x00\\x03\\x0frcpt-name.local\\x00\\x19\nS~ "
         "\\x05\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dialogue_flow d;
        struct record_flow r;
        dialogue_open(&d, &(struct dialogue){.port = rows[i].port});
        // Looked at behind every line: what was used must be gone.
        const char *at = rows[i].script;
        while (*at) {
            char line[256];
            size_t n = strcspn(at, "\n") + 1;
            snprintf(line, sizeof line, "%.*s", (int)n, at);
            dialogue_feed(&d, line, 0);
            if (d.flow.depth > 0 && d.flow.stack[0].proto != &ident_peek)
                find_secrets(&d, line);
            at += n;
        }
        find_secrets(&d, "at the end");
        // Given back, the memory is blank.
        void *out = d.flow.out, *top = d.flow.stack[0].state;
        size_t size = d.flow.stack[0].proto->state_size;
        proto_close(&d.flow, d.pool, PROTO_END_FIN, d.t_us);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(((uint8_t *)top)[k], 0);
        memset(&r, 0, sizeof r);
        proto_report(&d.flow, &r);
        for (size_t k = 0; k < sizeof secrets / sizeof *secrets; k++)
            assert_false(holds(&r, sizeof r, secrets[k]));
        assert_true(r.hash_count > 0 || rows[i].port == 1080);
        proto_drop(&d.flow, d.pool);
        for (size_t k = 0; k < sizeof(struct proto_result); k++)
            assert_int_equal(((uint8_t *)out)[k], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ident),           cmocka_unit_test(test_ports),
        cmocka_unit_test(test_peek_bounds),     cmocka_unit_test(test_pool_empty),
        cmocka_unit_test(test_nested_too_deep), cmocka_unit_test(test_reports_are_deltas),
        cmocka_unit_test(test_hashes),          cmocka_unit_test(test_long_sessions),
        cmocka_unit_test(test_profiles),        cmocka_unit_test(test_strangers_handshake),
        cmocka_unit_test(test_nothing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
