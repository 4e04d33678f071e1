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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_seen_twice, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
