// A session with our own server that packets and its log both saw counts once.
#include "fixture.h"

#define US "100.64.0.7"

// A session that packets and the log both saw. `port` is what the log knows of the client's.
static void a_session_seen_twice(void **state)
{
    enum { NOT, CLEAR, INSIDE_TLS };
    static const struct {
        const char *what;
        int packets;
        uint16_t port;
        uint64_t connections, messages, digests;
    } cases[] = {
        {"only in the log", NOT, 40000, 1, 1, 1},
        {"only in the log, without a port", NOT, 0, 1, 1, 1},
        {"in clear on the wire", CLEAR, 40000, 1, 1, 1},
        {"in clear, and the log has no port", CLEAR, 0, 1, 1, 1},
        {"inside TLS on the wire", INSIDE_TLS, 40000, 1, 1, 2},
        {"inside TLS, and the log has no port", INSIDE_TLS, 0, 1, 1, 2},
        {"another session in clear on the wire", CLEAR, 40001, 2, 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = mail_event(T0 + 1000, RECORD_MAIL_CONNECT);
        r.mail.client = addr(US);
        r.mail.client_port = cases[i].port;
        r.mail.server_port = 25;
        r.mail.mailbox = (struct keyed_hash){0};
        fixture_take(f, &r);
        r.mail.event = RECORD_MAIL_MESSAGE;
        r.mail.recipients = 1;
        if (cases[i].packets != NOT) {
            fixture_take(f, &r);
            r = flow(T0 + 900, T0 + 3000, 25, RECORD_HANDSHAKE_ESTABLISHED);
            r.flow.responder = addr("192.0.2.10");
            r.flow.app = RECORD_APP_SMTP;
            r.flow.groups = RECORD_HAS_SMTP;
            r.flow.smtp.helo = 1;
            if (cases[i].packets == CLEAR)
                r.flow.smtp.mail = r.flow.smtp.rcpt = r.flow.smtp.rcpt_ok =
                    r.flow.smtp.messages_ok = 1;
        }
        const struct minute_row *row = fixture_one(f, &r, US);
        const uint64_t *c = row->counter[MINUTE_SMARTHOST][MINUTE_OUT];
        if (c[MINUTE_connections] != cases[i].connections ||
            c[MINUTE_established] != c[MINUTE_connections] ||
            c[MINUTE_messages_ok] != cases[i].messages || c[MINUTE_rcpt_ok] != cases[i].messages ||
            row->digest_count != cases[i].digests)
            fail_msg("%s: %d connections, %d messages, %d digests", cases[i].what,
                     (int)c[MINUTE_connections], (int)c[MINUTE_messages_ok],
                     (int)row->digest_count);
    }
}

// Which of both is heard of first does not matter, nor that the session's packets came before the first word of any log.
static void whichever_comes_first(void **state)
{
    for (int packets_first = 0; packets_first <= 1; packets_first++)
        for (int clear = 0; clear <= 1; clear++)
            for (int port = 0; port <= 1; port++) {
                struct fixture *f = fixture_again(state);
                struct record log[2], seen;
                log[0] = log[1] = mail_event(T0 + 5000, RECORD_MAIL_CONNECT);
                log[1].mail.event = RECORD_MAIL_MESSAGE;
                log[1].mail.recipients = 3;
                for (int i = 0; i < 2; i++) {
                    log[i].mail.client = addr(US);
                    log[i].mail.client_port = port ? 40000 : 0;
                    log[i].mail.server_port = 25;
                    log[i].mail.mailbox = (struct keyed_hash){0};
                }
                seen = flow(T0 + 900, T0 + 3000, 25, RECORD_HANDSHAKE_ESTABLISHED);
                seen.flow.responder = addr("192.0.2.10");
                seen.flow.app = RECORD_APP_SMTP;
                seen.flow.groups = RECORD_HAS_SMTP;
                seen.flow.smtp.helo = 1;
                if (clear) {
                    seen.flow.smtp.mail = seen.flow.smtp.messages_ok = 1;
                    seen.flow.smtp.rcpt = seen.flow.smtp.rcpt_ok = 3;
                }
                if (packets_first)
                    fixture_take(f, &seen);
                fixture_take(f, &log[0]);
                if (!packets_first)
                    fixture_take(f, &log[1]);
                const struct minute_row *row = fixture_one(f, packets_first ? &log[1] : &seen, US);
                const uint64_t *c = row->counter[MINUTE_SMARTHOST][MINUTE_OUT];
                if (c[MINUTE_connections] != 1 || c[MINUTE_established] != 1 ||
                    c[MINUTE_messages_ok] != 1 || c[MINUTE_rcpt_ok] != 3)
                    fail_msg("packets first %d, clear %d, port %d: %d connections, %d recipients",
                             packets_first, clear, port, (int)c[MINUTE_connections],
                             (int)c[MINUTE_rcpt_ok]);
            }
}

// Recipients that are told with their delivery, in the session's minute or two behind it: once, from packets when they
// showed the envelope, by mailbox always from the log.
static void recipients_of_deliveries(void **state)
{
    static const struct {
        const char *what;
        bool clear, mailbox;
        int64_t after_ms;
        uint64_t line, of_mailbox; // recipients of both minutes
    } cases[] = {
        {"only in the log", false, false, 1000, 3, 0},
        {"only in the log, later", false, false, 120000, 3, 0},
        {"in clear on the wire", true, false, 1000, 3, 0},
        {"in clear on the wire, later", true, false, 120000, 3, 0},
        {"a mailbox", false, true, 1000, 3, 3},
        {"a mailbox, later, in clear on the wire", true, true, 120000, 3, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = mail_event(T0 + 1000, RECORD_MAIL_MESSAGE);
        struct keyed_hash who = cases[i].mailbox ? r.mail.mailbox : (struct keyed_hash){0};
        r.mail.client = addr(US);
        r.mail.client_port = 40000;
        r.mail.server_port = 25;
        r.mail.mailbox = who;
        fixture_take(f, &r);
        if (cases[i].clear) {
            struct record seen = flow(T0 + 900, T0 + 3000, 25, RECORD_HANDSHAKE_ESTABLISHED);
            seen.flow.responder = addr("192.0.2.10");
            seen.flow.app = RECORD_APP_SMTP;
            seen.flow.groups = RECORD_HAS_SMTP;
            seen.flow.smtp.helo = seen.flow.smtp.mail = seen.flow.smtp.messages_ok = 1;
            seen.flow.smtp.rcpt = seen.flow.smtp.rcpt_ok = 3;
            fixture_take(f, &seen);
        }
        r.mail.t_ms = T0 + 1000 + cases[i].after_ms;
        r.mail.event = RECORD_MAIL_DELIVERY;
        r.mail.recipients = 1;
        for (int k = 0; k < 3; k++)
            fixture_take(f, &r);
        r.mail.recipients = 0; // put off, and said again
        fixture_take(f, &r);
        fixture_until(f, T0, T0 + 181000);
        fixture_read(f);
        uint64_t line = 0, mailbox = 0, asked = 0;
        for (size_t k = 0; k < f->rows; k++) {
            const uint64_t *c = f->row[k].counter[MINUTE_SMARTHOST][MINUTE_OUT];
            bool is_mailbox = f->row[k].key.kind == SUBSCRIBER_MAILBOX;
            *(is_mailbox ? &mailbox : &line) += c[MINUTE_rcpt_ok];
            asked += c[MINUTE_rcpt];
        }
        if (line != cases[i].line || mailbox != cases[i].of_mailbox || asked != line + mailbox)
            fail_msg("%s: %d by line, %d by mailbox", cases[i].what, (int)line, (int)mailbox);
    }
}

// Who guesses logins shows by the names that were tried, also where the log knows no port of the client's.
static void names_that_were_tried(void **state)
{
    static const struct {
        uint16_t port;
        unsigned names;
        uint32_t digests;
    } cases[] = {{0, 1, 1}, {0, 6, 6}, {40000, 6, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = mail_event(T0 + 1000, RECORD_MAIL_AUTH);
        r.mail.client = addr(US);
        r.mail.client_port = cases[i].port;
        r.mail.server_port = 587;
        r.mail.mailbox = (struct keyed_hash){0};
        r.mail.auth_failed = 1;
        r.mail.hash_count = 1;
        for (uint64_t n = 0; n < 12; n++) {
            r.mail.hash[0] = (struct keyed_hash){
                .kind = KEYED_HASH_AUTH_USER, .key_id = 1, .value = 1000 + n % cases[i].names};
            if (n < 11)
                fixture_take(f, &r);
        }
        const struct minute_row *row = fixture_one(f, &r, US);
        assert_int_equal(row->counter[MINUTE_SMARTHOST][MINUTE_OUT][MINUTE_auth_failed], 12);
        assert_int_equal(row->digest_count, cases[i].digests);
        for (uint32_t k = 0; k < row->digest_count; k++) {
            assert_true(row->digest[k].flags & MINUTE_DIGEST_AUTH_FAILED);
            assert_in_range(row->digest[k].user, 1000, 1000 + cases[i].names - 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_seen_twice, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(whichever_comes_first, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(names_that_were_tried, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(recipients_of_deliveries, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
