// The table of docs/formats/minute.md, row by row: which field of a record moves which counter. A
// counter without a case here fails the test.
#include "changes.h"

// ---- Counters of one whole flow

struct counter_case {
    enum minute_counter counter;
    change_fn change;
    uint64_t expected;
    uint8_t handshake;
};

#define SMTP_CASES(X)                             \
    X(mail, mail, 3)                              \
    X(null_sender, null_sender, 2)                \
    X(mail_5xx, mail_5xx, 2)                      \
    X(rcpt, rcpt, 7)                              \
    X(rcpt_ok, rcpt_ok, 4)                        \
    X(rcpt_4xx, rcpt_4xx, 2)                      \
    X(rcpt_5xx, rcpt_5xx, 3)                      \
    X(messages_ok, messages_ok, 2)                \
    X(messages_4xx, messages_4xx, 2)              \
    X(messages_5xx, messages_5xx, 2)              \
    X(message_octets, message_octets, 4000000000) \
    X(auth, auth, 2)                              \
    X(auth_failed, auth_failed, 2)                \
    X(vrfy_expn, vrfy, 2)                         \
    X(vrfy_expn, expn, 3)                         \
    X(blocklist_policy, blocklist_policy, 2)      \
    X(blocklist_exploit, blocklist_exploit, 2)    \
    X(blocklist_unknown, blocklist_unknown, 2)    \
    X(blocklist_names_us, blocklist_names_us, 2)  \
    X(source_routed, source_routed, 2)            \
    X(protocol_errors, protocol_errors, 2)

#define X(counter, field, n)                   \
    static void smtp_##field(struct record *r) \
    {                                          \
        r->flow.groups |= RECORD_HAS_SMTP;     \
        r->flow.smtp.field = n;                \
    }
SMTP_CASES(X)
#undef X

static void one_sided(struct record *r)
{
    r->flow.incomplete |= RECORD_ONLY_RESPONDER;
}

static void two_helos(struct record *r)
{
    smtp(r);
    r->flow.smtp.helo = 2;
}

static void tls_by_starttls(struct record *r)
{
    smtp(r);
    r->flow.smtp.starttls = 1;
    r->flow.smtp.starttls_ok = 1;
}

static void tls_short(struct record *r)
{
    tls(r);
    r->flow.tls.application_octets[0] = 1499;
    r->flow.tls.application_octets[1] = 9000;
}

static void tls_alert(struct record *r)
{
    tls(r);
    r->flow.tls.alert = 40;
}

static void starttls_unasked(struct record *r)
{
    smtp(r);
    r->flow.smtp.helo = 1;
    r->flow.smtp.quit = 1;
    r->flow.smtp.starttls_state = RECORD_STARTTLS_OFFERED;
}

static void harvest(struct record *r)
{
    smtp(r);
    r->flow.smtp.rcpt_5xx = 9;
}

static void early_talker(struct record *r)
{
    smtp(r);
    r->flow.smtp.early_talker = true;
}

static void unoffered(struct record *r)
{
    smtp(r);
    r->flow.smtp.unoffered_pipelining = 5;
}

static void helo_literal(struct record *r)
{
    smtp(r);
    r->flow.smtp.helo_is_literal = true;
}

static void helo_peer(struct record *r)
{
    smtp(r);
    r->flow.smtp.helo_is_peer = true;
}

static void no_quit(struct record *r)
{
    smtp(r);
    r->flow.smtp.mail = 1;
}

static void traffic(struct record *r)
{
    r->flow.octets[0] = 5000000000;
    r->flow.octets[1] = 700;
    r->flow.packets[0] = 11;
    r->flow.packets[1] = 13;
    r->flow.retransmissions[0] = 2;
    r->flow.retransmissions[1] = 3;
    r->flow.missing_octets[0] = 17;
    r->flow.missing_octets[1] = 19;
    r->flow.incomplete |= RECORD_GAP;
}

static void login_failures(struct record *r)
{
    r->flow.groups |= RECORD_HAS_LOGIN;
    r->flow.login.tries = 5;
    r->flow.login.failures = 4;
}

static const struct counter_case counter_cases[] = {
#define X(counter, field, n) {MINUTE_##counter, smtp_##field, n, EST},
    SMTP_CASES(X)
#undef X
        {MINUTE_connections, nothing, 1, EST},
    {MINUTE_connections, nothing, 1, RECORD_HANDSHAKE_PENDING},
    {MINUTE_connections, midstream, 0, RECORD_HANDSHAKE_MIDSTREAM},
    {MINUTE_established, nothing, 1, EST},
    {MINUTE_established, nothing, 1, RECORD_HANDSHAKE_CLOSED_EARLY},
    {MINUTE_established, nothing, 0, RECORD_HANDSHAKE_REFUSED},
    {MINUTE_refused, nothing, 1, RECORD_HANDSHAKE_REFUSED},
    {MINUTE_unanswered, nothing, 1, RECORD_HANDSHAKE_UNANSWERED},
    {MINUTE_icmp_rejected, nothing, 1, RECORD_HANDSHAKE_ICMP},
    {MINUTE_closed_early, nothing, 1, RECORD_HANDSHAKE_CLOSED_EARLY},
    {MINUTE_midstream, midstream, 1, RECORD_HANDSHAKE_MIDSTREAM},
    {MINUTE_one_sided, one_sided, 1, EST},
    {MINUTE_one_sided, one_sided, 0, RECORD_HANDSHAKE_UNANSWERED},
    {MINUTE_banner_ok, greeting_220, 1, EST},
    {MINUTE_banner_4xx, greeting_421, 1, EST},
    {MINUTE_banner_5xx, greeting_554, 1, EST},
    {MINUTE_helo, two_helos, 1, EST},
    {MINUTE_tls_sessions, tls, 1, EST},
    {MINUTE_tls_sessions, tls_by_starttls, 1, EST},
    {MINUTE_tls_short, tls_short, 1, EST},
    {MINUTE_tls_short, tls, 0, EST},
    {MINUTE_tls_alerts, tls_alert, 1, EST},
    {MINUTE_tls_alerts, tls, 0, EST},
    {MINUTE_starttls_unasked, starttls_unasked, 1, EST},
    {MINUTE_starttls_unasked, tls_by_starttls, 0, EST},
    {MINUTE_sessions_550_no_data, harvest, 1, EST},
    {MINUTE_early_talker, early_talker, 1, EST},
    {MINUTE_unoffered_pipelining, unoffered, 1, EST},
    {MINUTE_helo_literal, helo_literal, 1, EST},
    {MINUTE_helo_peer, helo_peer, 1, EST},
    {MINUTE_quit_missing, no_quit, 1, EST},
    {MINUTE_quit_missing, starttls_unasked, 0, EST},
    {MINUTE_octets_up, traffic, 5000000000, EST},
    {MINUTE_octets_down, traffic, 700, EST},
    {MINUTE_packets_up, traffic, 11, EST},
    {MINUTE_packets_down, traffic, 13, EST},
    {MINUTE_retransmissions, traffic, 5, EST},
    {MINUTE_missing_octets, traffic, 36, EST},
    {MINUTE_auth, login_tries, 5, EST},
    {MINUTE_auth_failed, login_failures, 4, EST},
};

static bool counter_met[MINUTE_COUNTER_N];

static void counters(void **state)
{
    for (size_t i = 0; i < sizeof counter_cases / sizeof *counter_cases; i++) {
        const struct counter_case *c = &counter_cases[i];
        for (unsigned d = 0; d < 2; d++) { // outbound to an MX, inbound from one
            struct fixture *f = fixture_again(state);
            struct record r = flow(T0 + 1000, T0 + 5000, 25, c->handshake);
            c->change(&r);
            if (d == 1) {
                struct ip_addr a = r.flow.initiator;
                r.flow.initiator = r.flow.responder;
                r.flow.responder = a;
                r.flow.side = RECORD_SIDE_RESPONDER;
            }
            const struct minute_row *row = fixture_one(f, &r, US);
            uint64_t expected = c->expected;
            if (d == 1 && c->change == traffic) // up is down, seen from the other end
                expected = c->counter == MINUTE_octets_up      ? 700
                           : c->counter == MINUTE_octets_down  ? 5000000000
                           : c->counter == MINUTE_packets_up   ? 13
                           : c->counter == MINUTE_packets_down ? 11
                                                               : expected;
            uint64_t n = row->counter[MINUTE_MX][d][c->counter];
            if (n != expected ||
                minute_sum(row, (enum minute_direction)d, c->counter) != expected ||
                row->counter[MINUTE_MX][!d][c->counter] != 0)
                fail_msg("case %zu, direction %u: %s is %llu, not %llu", i, d,
                         minute_counter_name(c->counter), (unsigned long long)n,
                         (unsigned long long)expected);
            counter_met[c->counter] = counter_met[c->counter] || c->expected > 0;
        }
    }
}

// What is missing is not said to be missing when the dialogue may not have been seen whole.
static void nothing_is_said_of_what_was_not_seen(void **state)
{
    static const uint32_t missed[] = {RECORD_GAP,     RECORD_SLICED,      RECORD_EVICTED,
                                      RECORD_SAMPLED, RECORD_PARSER_LOST, RECORD_ONLY_RESPONDER};
    static const struct {
        change_fn change;
        enum minute_counter counter;
    } cases[] = {{tls_short, MINUTE_tls_short},
                 {starttls_unasked, MINUTE_starttls_unasked},
                 {harvest, MINUTE_sessions_550_no_data},
                 {no_quit, MINUTE_quit_missing}};
    for (size_t i = 0; i < sizeof missed / sizeof *missed; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            struct fixture *f = fixture_again(state);
            struct record r = flow(T0 + 1000, T0 + 5000, 25, EST);
            cases[k].change(&r);
            r.flow.incomplete |= missed[i];
            r.flow.sampling = missed[i] == RECORD_SAMPLED ? 10 : 1;
            const struct minute_row *row = fixture_one(f, &r, US);
            assert_int_equal(minute_sum(row, MINUTE_OUT, cases[k].counter), 0);
        }
}

// ---- Roles

static void roles(void **state)
{
    static const struct {
        const char *peer;
        uint16_t port;
        uint8_t app;
        enum minute_role role;
    } cases[] = {
        {"198.51.100.25", 25, RECORD_APP_UNKNOWN, MINUTE_MX},
        {"198.51.100.25", 26, RECORD_APP_SMTP, MINUTE_MX},
        {"198.51.100.25", 24, RECORD_APP_LMTP, MINUTE_MX},
        {"198.51.100.25", 465, RECORD_APP_UNKNOWN, MINUTE_SUBMISSION},
        {"198.51.100.25", 587, RECORD_APP_SMTP, MINUTE_SUBMISSION},
        {"198.51.100.25", 2525, RECORD_APP_UNKNOWN, MINUTE_SUBMISSION},
        {"198.51.100.25", 110, RECORD_APP_UNKNOWN, MINUTE_ACCESS},
        {"198.51.100.25", 143, RECORD_APP_UNKNOWN, MINUTE_ACCESS},
        {"198.51.100.25", 993, RECORD_APP_UNKNOWN, MINUTE_ACCESS},
        {"198.51.100.25", 995, RECORD_APP_UNKNOWN, MINUTE_ACCESS},
        {"198.51.100.25", 1143, RECORD_APP_IMAP, MINUTE_ACCESS},
        {"198.51.100.25", 443, RECORD_APP_TLS, MINUTE_OTHER},
        {"192.0.2.10", 25, RECORD_APP_UNKNOWN, MINUTE_SMARTHOST},
        {"192.0.2.10", 587, RECORD_APP_SMTP, MINUTE_SMARTHOST},
        {"192.0.2.10", 143, RECORD_APP_IMAP, MINUTE_ACCESS},
        {"192.0.2.10", 443, RECORD_APP_TLS, MINUTE_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = flow(T0 + 1000, T0 + 5000, cases[i].port, EST);
        r.flow.responder = addr(cases[i].peer);
        r.flow.app = cases[i].app;
        const struct minute_row *row = fixture_one(f, &r, US);
        for (unsigned role = 0; role < MINUTE_ROLES; role++)
            if (row->counter[role][MINUTE_OUT][MINUTE_connections] != (role == cases[i].role))
                fail_msg("%s port %u is not %s", cases[i].peer, cases[i].port,
                         minute_role_name(cases[i].role));
    }
}

// ---- The mail log

static void deliver(struct record *r, uint16_t reply, uint8_t blocklist)
{
    r->mail.event = RECORD_MAIL_DELIVERY;
    r->mail.reply_code = reply;
    r->mail.blocklist = blocklist;
}

static void deferred(struct record *r)
{
    deliver(r, 450, 0);
}

static void bounced(struct record *r)
{
    deliver(r, 550, 0);
}

static void listed(struct record *r)
{
    deliver(r, 554, 2);
}

static void reject(struct record *r, uint8_t filter, uint16_t reply)
{
    r->mail.event = RECORD_MAIL_REJECT;
    r->mail.filter = filter;
    r->mail.reply_code = reply;
}

static void spam(struct record *r)
{
    reject(r, RECORD_FILTER_SPAM, 550);
}

static void virus(struct record *r)
{
    reject(r, RECORD_FILTER_VIRUS, 550);
}

static void rate(struct record *r)
{
    reject(r, RECORD_FILTER_RATE, 451);
}

static void bounce(struct record *r)
{
    r->mail.event = RECORD_MAIL_BOUNCE;
}

static void message(struct record *r)
{
    r->mail.event = RECORD_MAIL_MESSAGE;
    r->mail.recipients = 7;
    r->mail.recipients_5xx = 2;
    r->mail.message_octets = 12345;
}

static void failed_auth(struct record *r)
{
    r->mail.event = RECORD_MAIL_AUTH;
    r->mail.auth_failed = true;
}

static void connect_tls(struct record *r)
{
    r->mail.tls = true;
}

static void mail_log(void **state)
{
    static const struct {
        change_fn change;
        enum minute_counter counter;
        uint64_t expected;
    } cases[] = {
        {nothing, MINUTE_connections, 1},
        {connect_tls, MINUTE_tls_sessions, 1},
        {message, MINUTE_messages_ok, 1},
        {message, MINUTE_rcpt, 9},
        {message, MINUTE_rcpt_ok, 7},
        {message, MINUTE_rcpt_5xx, 2},
        {message, MINUTE_message_octets, 12345},
        {failed_auth, MINUTE_auth_failed, 1},
        {spam, MINUTE_filter_spam, 1},
        {spam, MINUTE_messages_5xx, 1},
        {virus, MINUTE_filter_virus, 1},
        {rate, MINUTE_filter_policy, 1},
        {rate, MINUTE_messages_4xx, 1},
        {bounce, MINUTE_bounces, 1},
        {deferred, MINUTE_deferred, 1},
        {bounced, MINUTE_destination_5xx, 1},
        {listed, MINUTE_destination_blocklist, 1},
        {listed, MINUTE_blocklist_exploit, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = mail_event(T0 + 1000, RECORD_MAIL_CONNECT);
        cases[i].change(&r);
        const struct minute_row *row = fixture_one(f, &r, "mailbox:1:0000000000abcdef");
        assert_non_null(row);
        assert_int_equal(row->counter[MINUTE_SMARTHOST][MINUTE_OUT][cases[i].counter],
                         cases[i].expected);
        assert_int_equal(row->party.kind, PARTY_MAILBOX);
        assert_true(row->flags & MINUTE_FROM_LOG);
        counter_met[cases[i].counter] = true;
    }
}

static void where_a_mailbox_is_used_from(void **state)
{
    struct fixture *f = fixture_again(state);
    static const char *const clients[] = {"203.0.113.9", "203.0.113.10", "198.51.100.3",
                                          "192.0.2.77"};
    static const char *const countries[] = {"DE", "DE", "FR", ""};
    struct record r;
    for (int i = 0; i < 4; i++) {
        r = mail_event(T0 + 1000 + i, RECORD_MAIL_MESSAGE);
        r.mail.client = addr(clients[i]);
        r.mail.client_asn = i == 3 ? 64500 : 0;
        snprintf(r.mail.client_country, sizeof r.mail.client_country, "%s", countries[i]);
        if (i < 3)
            fixture_take(f, &r);
    }
    const struct minute_row *row = fixture_one(f, &r, "mailbox:1:0000000000abcdef");
    assert_int_equal((int)distinct_count(&row->set[MINUTE_SET_client_networks]), 3);
    assert_int_equal((int)distinct_count(&row->set[MINUTE_SET_client_countries]), 2);
    assert_int_equal(row->digest_count, 4);
    assert_true(row->digest[0].flags & MINUTE_DIGEST_FROM_LOG);
    assert_true(row->digest[0].flags & MINUTE_DIGEST_AUTH);
    assert_int_equal(row->digest[0].user, 0xabcdef);
    // The outside network that uses our service has its own row, without those sets.
    row = fixture_sum(f, "client:203.0.113.0/24", M0);
    assert_non_null(row);
    assert_int_equal(row->counter[MINUTE_SMARTHOST][MINUTE_OUT][MINUTE_messages_ok], 2);
    assert_int_equal((int)distinct_count(&row->set[MINUTE_SET_client_networks]), 0);
}

static void a_line_of_ours_in_the_log(void **state)
{
    for (int counted = 0; counted < 2; counted++) {
        struct fixture *f = fixture_again(state);
        f->conf.log_envelopes = counted;
        struct record r = mail_event(T0 + 1000, RECORD_MAIL_MESSAGE);
        r.mail.client = addr(US);
        r.mail.recipients = 3;
        fixture_take(f, &r);
        r.mail.event = RECORD_MAIL_REJECT;
        r.mail.filter = RECORD_FILTER_SPAM;
        r.mail.reply_code = 550;
        const struct minute_row *row = fixture_one(f, &r, US);
        const uint64_t *c = row->counter[MINUTE_SMARTHOST][MINUTE_OUT];
        assert_int_equal(c[MINUTE_messages_ok], counted);
        assert_int_equal(c[MINUTE_filter_spam], 1);
        assert_int_equal(row->digest_count, counted);
    }
}

// ---- Nothing was forgotten

static void all_are_met(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MINUTE_COUNTER_N; i++)
        if (!counter_met[i])
            fail_msg("no case for counter %s", minute_counter_name(i));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters),
        TEST(nothing_is_said_of_what_was_not_seen),
        TEST(roles),
        TEST(mail_log),
        TEST(where_a_mailbox_is_used_from),
        TEST(a_line_of_ours_in_the_log),
        cmocka_unit_test(all_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
