// SMTP with octets missing: whatever is taken out of a dialogue, no counter ever says more than there
// was, and what cannot be followed is flagged.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialogue.h"

#define MESSAGE(n)                                                                           \
    "C: MAIL FROM:<a" n "@b.example>\nS: 250 ok\nC: RCPT TO:<c" n "@d.example>\nS: 250 ok\n" \
    "C: RCPT TO:<e" n "@d.example>\nS: 550 listed at xbl.spamhaus.org\nC: RCPT TO:<f" n      \
    "@d.example>\n"                                                                          \
    "S: 450 later\nC: DATA\nS: 354 go\nC: Subject: x\nC: \nC: MAIL FROM:<not@a.command>\n"   \
    "C: RCPT TO:<not@a.command>\nC: QUIT\nC: DATA\nC: ..\nC: bye\nC: .\nS: 250 queued\n"

#define PIPELINED(n)                                                                              \
    "C: MAIL FROM:<a" n "@b.example>\nC: RCPT TO:<c" n "@d.example>\nC: RCPT TO:<e" n             \
    "@d.example>\n"                                                                               \
    "C: DATA\nS: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go\nC: hello\nC: RCPT TO:<not@a.command>\n" \
    "C: RSET\nC: .\nS: 451 later\n"

static const char *const scripts[] = {
    "S: 220 mx ESMTP\nC: HELO x\nS: 250 ok\n" MESSAGE("1")
        MESSAGE("2") "C: RSET\nS: 250 ok\n"
                     "C: FOO\nS: 500 what\nC: QUIT\nS: 221 bye\n",
    "S: 220 mx ESMTP\nC: EHLO x\nS: 250-mx\nS: 250-PIPELINING\nS: 250 CHUNKING\n" PIPELINED("1")
        PIPELINED("2") MESSAGE("3") "C: QUIT\nS: 221 bye\n",
    "S: 220 mx ESMTP\nC: EHLO x\nS: 250-mx\nS: 250-PIPELINING\nS: 250 CHUNKING\n"
    "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: cXVpdA==\nS: 535 no\n"
    "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<c@d.example>\nS: 250 ok\n"
    "C: BDAT 27\nC~ QUIT\\r\\nDATA\\r\\nRCPT TO:<x@y.z>\nS: 250 ok\nC: BDAT 6 LAST\nC~ "
    "QUIT\\r\\n\nS: 554 no\n"
    "C: VRFY x\nS: 252 ok\nC: STARTTLS\nS: 454 no\nC: QUIT\nS: 221 bye\n",
};

// One octet of a dialogue, and whose it is.
struct octet {
    uint8_t side, value;
    bool turn_ends;
};

static size_t flatten(const char *text, struct octet *out)
{
    size_t n = 0;
    while (*text) {
        size_t len = strcspn(text, "\n");
        uint8_t side = text[0] == 'C' ? PROTO_INITIATOR : PROTO_RESPONDER;
        for (size_t i = 3; i < len; i++) {
            uint8_t value = (uint8_t)text[i];
            if (text[i] == '\\' && i + 1 < len && strchr("rn", text[i + 1]))
                value = text[++i] == 'r' ? '\r' : '\n';
            out[n++] = (struct octet){.side = side, .value = value};
        }
        if (text[1] == ':') {
            out[n++] = (struct octet){.side = side, .value = '\r'};
            out[n++] = (struct octet){.side = side, .value = '\n'};
        }
        out[n - 1].turn_ends = true;
        text += len + 1;
    }
    return n;
}

// Feeds what `missing` leaves, in pieces as long as lines, holes as gaps.
static void run(const struct octet *o, size_t n, const bool *missing, struct record_flow *out)
{
    struct dialogue_flow d;
    uint8_t piece[256];
    size_t len = 0;
    uint64_t gap = 0;
    dialogue_open(&d, &(struct dialogue){.port = 25});
    for (size_t i = 0; i < n; i++) {
        if (missing[i])
            gap++;
        else
            piece[len++] = o[i].value;
        bool ends = i + 1 == n || o[i + 1].side != o[i].side || missing[i + 1] != missing[i] ||
                    o[i].turn_ends || len == sizeof piece;
        if (!ends)
            continue;
        if (gap && (i + 1 == n || !missing[i + 1] || o[i + 1].side != o[i].side)) {
            proto_gap(&d.flow, d.pool, o[i].side, gap, d.t_us);
            gap = 0;
        }
        if (len)
            proto_feed(&d.flow, d.pool, o[i].side, span_of(dialogue_guarded(piece, len), len),
                       d.t_us);
        len = 0;
    }
    dialogue_close(&d, out);
}

// Of a final dot whose other half is missing nobody can tell that it was not content.
static uint32_t slack(const char *counter, const struct record_flow *whole)
{
    return strcmp(counter, "message_octets") == 0 ? 2 * whole->smtp.data : 0;
}

static void check(const struct record_flow *whole, const struct record_flow *r, size_t script,
                  const char *what, size_t at, size_t len)
{
    bool good = true;
#define X(counter, element, text)                                                               \
    if (r->smtp.counter > whole->smtp.counter + slack(#counter, whole)) {                       \
        print_error("script %zu, %s at %zu, %zu long: %s is %u of %u\n", script, what, at, len, \
                    #counter, r->smtp.counter, whole->smtp.counter);                            \
        good = false;                                                                           \
    }
    RECORD_SMTP_COUNTERS(X)
#undef X
    assert_true(good);
}

static void test_every_hole(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 9, 30, 64, 150, 400};
    for (size_t s = 0; s < sizeof scripts / sizeof *scripts; s++) {
        static struct octet o[4096];
        static bool missing[4097];
        size_t n = flatten(scripts[s], o);
        struct record_flow whole, r;
        memset(missing, 0, sizeof missing);
        run(o, n, missing, &whole);
        assert_int_equal(whole.incomplete, 0);
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            for (size_t at = 0; at<n; at += lengths[k]> 30 ? 3 : 1)
                for (uint8_t side = 0; side < 2; side++) {
                    // A hole in one direction.
                    memset(missing, 0, sizeof missing);
                    size_t left = lengths[k];
                    for (size_t i = at; i < n && left > 0; i++)
                        if (o[i].side == side) {
                            missing[i] = true;
                            left--;
                        }
                    run(o, n, missing, &r);
                    check(&whole, &r, s, side ? "server" : "client", at, lengths[k]);
                }
    }
}

// Packets lost at random, many times over.
static void test_random_loss(void **state)
{
    (void)state;
    uint32_t seed = 20240131;
    uint64_t seen = 0, there = 0;
    for (size_t s = 0; s < sizeof scripts / sizeof *scripts; s++) {
        static struct octet o[4096];
        static bool missing[4097];
        size_t n = flatten(scripts[s], o);
        struct record_flow whole, r;
        memset(missing, 0, sizeof missing);
        run(o, n, missing, &whole);
        for (int round = 0; round < 1500; round++) {
            memset(missing, 0, sizeof missing);
            bool lost = false;
            for (size_t i = 0; i < n; i++) {
                if (i == 0 || o[i - 1].turn_ends) {
                    seed = seed * 1664525u + 1013904223u;
                    lost = (seed >> 16) % 100 < (unsigned)(round % 3 ? 3 : 12);
                }
                missing[i] = lost;
            }
            run(o, n, missing, &r);
            check(&whole, &r, s, "loss", (size_t)round, s);
            seen += r.smtp.rcpt + r.smtp.rcpt_ok + r.smtp.messages_ok;
            there += whole.smtp.rcpt + whole.smtp.rcpt_ok + whole.smtp.messages_ok;
        }
    }
    print_message("seen under loss: %llu of %llu\n", (unsigned long long)seen,
                  (unsigned long long)there);
    // Caution has its bound: most of what was there is still seen.
    assert_true(seen * 100 > there * 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_hole),
        cmocka_unit_test(test_random_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
