// The table of docs/formats/minute.md: which field of a record moves which gauge, set and digest field. A gauge
// or set without a case here fails the test.
#include "changes.h"

#include "common/hash.h"

// ---- Gauges

struct gauge_case {
    enum minute_gauge gauge;
    change_fn change;
    uint64_t expected;
    uint8_t handshake;
};

static void socks(struct record *r)
{
    r->flow.app = RECORD_APP_SOCKS5;
    r->flow.groups |= RECORD_HAS_SOCKS;
    r->flow.socks.target_port = 443;
    r->flow.socks.relayed_octets[0] = 1000;
    r->flow.socks.relayed_octets[1] = 2000;
}

static void socks_in(struct record *r)
{
    inbound(r);
    socks(r);
}

static void socks_granted(struct record *r)
{
    socks_in(r);
    r->flow.socks.granted = true;
    r->flow.socks.reply = 0;
}

static void socks_to_25(struct record *r)
{
    socks_in(r);
    r->flow.socks.target_port = 25;
}

static void socks_with_mail(struct record *r)
{
    socks_in(r);
    r->flow.socks.inner_app = RECORD_APP_SMTP;
}

static void socks_refused(struct record *r)
{
    socks_in(r);
    r->flow.socks.reply = 2;
}

static void socks_reverse(struct record *r)
{
    socks(r);
    r->flow.socks.reverse = true;
}

static void dns(struct record *r)
{
    r->flow.app = RECORD_APP_DNS;
    r->flow.groups |= RECORD_HAS_DNS;
    r->flow.dns.queries = 20;
    r->flow.dns.mx_queries = 9;
    r->flow.dns.mx_nxdomain = 4;
}

static void hashes_cut(struct record *r)
{
    r->flow.incomplete |= RECORD_HASHES_CUT;
}

static void ttl_all_over(struct record *r)
{
    r->flow.ttl_min = 40;
    r->flow.ttl_max = 200;
}

static const struct gauge_case gauge_cases[] = {
    {MINUTE_flows, nothing, 1, EST},
    {MINUTE_flows, inbound, 1, EST},
    {MINUTE_new_destinations, nothing, 1, EST},
    {MINUTE_new_destinations, inbound, 0, EST},
    {MINUTE_concurrent_socks, socks_in, 1, EST},
    {MINUTE_socks_in, socks_in, 1, EST},
    {MINUTE_socks_in, socks_reverse, 1, EST},
    {MINUTE_socks_in, socks, 0, EST},
    {MINUTE_socks_in_granted, socks_granted, 1, EST},
    {MINUTE_socks_in_granted, socks_in, 0, EST},
    {MINUTE_socks_in_mail, socks_to_25, 1, EST},
    {MINUTE_socks_in_mail, socks_with_mail, 1, EST},
    {MINUTE_socks_in_refused, socks_refused, 1, EST},
    {MINUTE_socks_in_refused, socks_granted, 0, EST},
    {MINUTE_socks_out, socks, 1, EST},
    {MINUTE_socks_out, socks_reverse, 0, EST},
    {MINUTE_socks_reverse, socks_reverse, 1, EST},
    {MINUTE_socks_octets, socks, 3000, EST},
    {MINUTE_dns_mx_queries, dns, 9, EST},
    {MINUTE_dns_mx_nxdomain, dns, 4, EST},
    {MINUTE_spoof_suspects, ttl_all_over, 1, RECORD_HANDSHAKE_UNANSWERED},
    {MINUTE_spoof_suspects, nothing, 0, RECORD_HANDSHAKE_UNANSWERED},
    {MINUTE_hashes_cut, hashes_cut, 1, EST},
};

static bool gauge_met[MINUTE_GAUGE_N];

static void gauges(void **state)
{
    for (size_t i = 0; i < sizeof gauge_cases / sizeof *gauge_cases; i++) {
        const struct gauge_case *c = &gauge_cases[i];
        struct fixture *f = fixture_again(state);
        struct record r = flow(T0 + 1000, T0 + 5000, 5000, c->handshake);
        c->change(&r);
        const struct minute_row *row = fixture_one(f, &r, US);
        if (row->gauge[c->gauge] != c->expected)
            fail_msg("case %zu: %s is %llu", i, minute_gauge_name(c->gauge),
                     (unsigned long long)row->gauge[c->gauge]);
        gauge_met[c->gauge] = gauge_met[c->gauge] || c->expected > 0;
    }
}

static void open_mx_connections(void **state)
{
    struct fixture *f = fixture_again(state);
    for (int i = 0; i < 3; i++) {
        struct record r = flow(T0 + 1000, T0 + 5000, 25, EST);
        fixture_take(f, &r);
    }
    struct record web = flow(T0 + 1000, T0 + 5000, 443, EST);
    assert_int_equal(fixture_one(f, &web, US)->gauge[MINUTE_concurrent_mx], 3);
    gauge_met[MINUTE_concurrent_mx] = true;
}

// A SYN that is never repeated is no mail server's, wherever it goes.
static void lone_syns(void **state)
{
    for (uint16_t syns = 0; syns <= 3; syns++) {
        struct fixture *f = fixture_again(state);
        struct record r = flow(T0, T0, 25, RECORD_HANDSHAKE_UNANSWERED);
        r.flow.syn_count = syns; // 0: a source that does not count them
        const struct minute_row *row = fixture_one(f, &r, US);
        assert_int_equal(row->gauge[MINUTE_scan_syns], syns == 1);
        assert_int_equal((row->digest[0].flags & MINUTE_DIGEST_SCAN) != 0, syns == 1);
    }
}

// Neighbouring addresses, no answer: a scan. MXs in the order DNS gives them: none.
static void scans(void **state)
{
    static const struct {
        int step, lone_every; // some of the SYNs are not sent again: they count once all the same
        unsigned expected;
    } cases[] = {{1, 100, 20}, {1, 3, 20}, {100, 100, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct fixture *f = fixture_again(state);
        struct record r;
        int step = cases[c].step;
        for (int i = 0; i < 20; i++) {
            r = flow(T0 + i * 10, T0 + i * 10, 25, RECORD_HANDSHAKE_UNANSWERED);
            r.flow.responder.octet[2] = (uint8_t)(i * step >> 8);
            r.flow.responder.octet[3] = (uint8_t)(i * step);
            if (i % cases[c].lone_every == cases[c].lone_every - 1)
                r.flow.syn_count = 1;
            if (i < 19)
                fixture_take(f, &r);
        }
        assert_int_equal(fixture_one(f, &r, US)->gauge[MINUTE_scan_syns], cases[c].expected);
    }
    gauge_met[MINUTE_scan_syns] = true;
}

static void spoofed(void **state)
{
    static const struct {
        uint8_t known, ttl;
        uint8_t mac;
        unsigned suspects;
    } cases[] = {{63, 63, 1, 0}, {63, 50, 1, 1}, {0, 50, 1, 0}, {63, 63, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = flow(T0, T0 + 100, 443, EST);
        r.flow.ttl_min = r.flow.ttl_max = cases[i].known;
        r.flow.groups |= RECORD_HAS_L2;
        r.flow.l2.subscriber_mac[5] = 1;
        if (cases[i].known)
            fixture_take(f, &r);
        r = flow(T0 + 1000, T0 + 1000, 25, RECORD_HANDSHAKE_UNANSWERED);
        r.flow.ttl_min = r.flow.ttl_max = cases[i].ttl;
        r.flow.groups |= RECORD_HAS_L2;
        r.flow.l2.subscriber_mac[5] = cases[i].mac;
        const struct minute_row *row = fixture_one(f, &r, US);
        assert_int_equal(row->gauge[MINUTE_spoof_suspects], cases[i].suspects);
        assert_int_equal(!(row->digest[0].flags & MINUTE_DIGEST_SUSPECT_SPOOF),
                         cases[i].suspects == 0);
    }
}

// ---- Sets

static void hash(struct record *r, uint8_t kind)
{
    r->flow.hash[0] = (struct keyed_hash){kind, 3, 1};
    r->flow.hash[1] = (struct keyed_hash){kind, 3, 2};
    r->flow.hash[2] = (struct keyed_hash){kind, 3, 2};
    r->flow.hash_count = 3;
}

#define HASH_CASES(X)                                 \
    X(recipients, KEYED_HASH_RECIPIENT)               \
    X(recipient_domains, KEYED_HASH_RECIPIENT_DOMAIN) \
    X(senders, KEYED_HASH_SENDER)                     \
    X(sender_domains, KEYED_HASH_SENDER_DOMAIN)       \
    X(helo_names, KEYED_HASH_HELO)                    \
    X(auth_users, KEYED_HASH_AUTH_USER)               \
    X(login_users, KEYED_HASH_LOGIN_USER)

#define X(set, kind)                         \
    static void hash_##set(struct record *r) \
    {                                        \
        hash(r, kind);                       \
    }
HASH_CASES(X)
#undef X

static void auth(struct record *r)
{
    smtp(r);
    r->flow.smtp.auth = 1;
}

static void ja4(struct record *r)
{
    tls(r);
    snprintf(r->flow.tls.ja4, sizeof r->flow.tls.ja4, "t13d1516h2_8daaf6152771_b186095e22b6");
}

static const struct {
    enum minute_set set;
    change_fn change;
    uint16_t port;
    uint8_t handshake;
    unsigned expected;
} set_cases[] = {
#define X(set, kind) {MINUTE_SET_##set, hash_##set, 25, EST, 2},
    HASH_CASES(X)
#undef X
        {MINUTE_SET_peers_mx, nothing, 25, RECORD_HANDSHAKE_PENDING, 1},
    {MINUTE_SET_peers_mx, nothing, 587, EST, 0},
    {MINUTE_SET_peers_mx, inbound, 25, EST, 0},
    {MINUTE_SET_providers_mx, nothing, 25, EST, 1},
    {MINUTE_SET_providers_submission, nothing, 587, EST, 1},
    {MINUTE_SET_providers_submission, nothing, 25, EST, 0},
    {MINUTE_SET_providers_login, auth, 587, EST, 1},
    {MINUTE_SET_providers_login, login_tries, 143, EST, 1},
    {MINUTE_SET_providers_login, nothing, 587, EST, 0},
    {MINUTE_SET_peers_mx_failed, nothing, 25, RECORD_HANDSHAKE_UNANSWERED, 1},
    {MINUTE_SET_peers_mx_failed, nothing, 25, RECORD_HANDSHAKE_REFUSED, 1},
    {MINUTE_SET_peers_mx_failed, nothing, 25, RECORD_HANDSHAKE_ICMP, 1},
    {MINUTE_SET_peers_mx_failed, nothing, 25, RECORD_HANDSHAKE_CLOSED_EARLY, 1},
    {MINUTE_SET_peers_mx_failed, greeting_554, 25, EST, 1},
    {MINUTE_SET_peers_mx_failed, greeting_421, 25, EST, 0},
    {MINUTE_SET_tls_clients, ja4, 25, EST, 1},
    {MINUTE_SET_tls_clients, ja4, 443, EST, 0},
    {MINUTE_SET_networks_in_25, inbound, 25, EST, 1},
    {MINUTE_SET_networks_in_25, inbound, 25, RECORD_HANDSHAKE_REFUSED, 0},
    {MINUTE_SET_socks_clients, socks_in, 1080, EST, 1},
    {MINUTE_SET_socks_clients, socks, 1080, EST, 0},
};

static bool set_met[MINUTE_SET_N];

static void sets(void **state)
{
    for (size_t i = 0; i < sizeof set_cases / sizeof *set_cases; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = flow(T0 + 1000, T0 + 5000, set_cases[i].port, set_cases[i].handshake);
        set_cases[i].change(&r);
        const struct minute_row *row = fixture_one(f, &r, US);
        const struct distinct *d = &row->set[set_cases[i].set];
        if ((unsigned)distinct_count(d) != set_cases[i].expected)
            fail_msg("case %zu: %s has %g", i, minute_set_name(set_cases[i].set),
                     distinct_count(d));
        if (set_cases[i].expected == 2)
            assert_int_equal(d->key_id, 3);
        set_met[set_cases[i].set] = set_met[set_cases[i].set] || set_cases[i].expected > 0;
    }
}

static void providers(void **state)
{
    // Two addresses of a /24 are one provider, of two /24 are two, of one server name one.
    static const struct {
        const char *peer[2];
        const char *sni;
        unsigned count;
        enum minute_provider kind;
    } cases[] = {
        {{"198.51.100.1", "198.51.100.200"}, "", 1, MINUTE_PROVIDER_NETWORK},
        {{"198.51.100.1", "198.51.101.1"}, "", 2, MINUTE_PROVIDER_NETWORK},
        {{"198.51.100.1", "198.51.101.1"}, "example.net", 1, MINUTE_PROVIDER_SNI},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = fixture_again(state);
        struct record r;
        for (int k = 0; k < 2; k++) {
            r = flow(T0 + 1000 + k, T0 + 5000, 25, EST);
            tls(&r);
            r.flow.responder = addr(cases[i].peer[k]);
            snprintf(r.flow.tls.sni_domain, sizeof r.flow.tls.sni_domain, "%s", cases[i].sni);
            if (k == 0)
                fixture_take(f, &r);
        }
        const struct minute_row *row = fixture_one(f, &r, US);
        assert_int_equal((int)distinct_count(&row->set[MINUTE_SET_providers_mx]), cases[i].count);
        assert_int_equal(row->digest[0].provider_kind, cases[i].kind);
        assert_int_equal(row->digest[0].provider == row->digest[1].provider, cases[i].count == 1);
    }
}

// ---- Digests

static void a_digest(void **state)
{
    struct fixture *f = fixture_again(state);
    struct record r = flow(T0 + 1000, T0 + 9000, 25, EST);
    r.flow.app = RECORD_APP_SMTP;
    r.flow.groups = RECORD_HAS_SMTP | RECORD_HAS_TLS;
    r.flow.responder = addr("203.0.113.8"); // hosting
    r.flow.outcome_ms = T0 + 1030;
    r.flow.octets[0] = 4000;
    r.flow.octets[1] = 5000;
    r.flow.rtt_us = 30000;
    r.flow.to_first_reply_ms = 70;
    r.flow.smtp.banner_code = 220;
    r.flow.smtp.mail = 1;
    r.flow.smtp.null_sender = 1;
    r.flow.smtp.rcpt = 5;
    r.flow.smtp.rcpt_5xx = 2;
    r.flow.smtp.messages_ok = 1;
    r.flow.smtp.messages_5xx = 3;
    r.flow.smtp.auth = 2;
    r.flow.smtp.auth_failed = 1;
    r.flow.smtp.blocklist_policy = 1;
    r.flow.incomplete = RECORD_GAP;
    r.flow.hash_count = 4;
    r.flow.hash[0] = (struct keyed_hash){KEYED_HASH_RECIPIENT, 1, 100};
    r.flow.hash[1] = (struct keyed_hash){KEYED_HASH_RECIPIENT, 1, 101};
    r.flow.hash[2] = (struct keyed_hash){KEYED_HASH_SENDER, 1, 200};
    r.flow.hash[3] = (struct keyed_hash){KEYED_HASH_AUTH_USER, 1, 300};
    ja4(&r);
    const struct minute_row *row = fixture_one(f, &r, US);
    assert_int_equal(row->digest_count, 1);
    const struct minute_digest *d = &row->digest[0];
    struct ip_addr peer = addr("203.0.113.8");
    assert_true(d->flow_hash == r.flow.flow_hash);
    assert_memory_equal(&d->peer, &peer, sizeof peer);
    assert_int_equal(d->peer_port, 25);
    assert_int_equal(d->own_port, 40000);
    assert_int_equal(d->role, MINUTE_MX);
    assert_int_equal(d->direction, MINUTE_OUT);
    assert_int_equal(d->app, RECORD_APP_SMTP);
    assert_int_equal(d->outcome, MINUTE_OUTCOME_GREETED);
    assert_int_equal(d->outcome_ms, 1030);
    assert_int_equal(d->provider_kind, MINUTE_PROVIDER_NETWORK);
    assert_true(d->provider == hash_network(&peer));
    assert_int_equal(d->flags, MINUTE_DIGEST_START | MINUTE_DIGEST_END | MINUTE_DIGEST_TLS |
                                   MINUTE_DIGEST_AUTH | MINUTE_DIGEST_AUTH_FAILED |
                                   MINUTE_DIGEST_NULL_SENDER | MINUTE_DIGEST_POLICY_REPLY |
                                   MINUTE_DIGEST_HOSTING | MINUTE_DIGEST_GAP |
                                   MINUTE_DIGEST_OUTCOME);
    assert_int_equal(d->start_ms, 1000);
    assert_int_equal(d->end_ms, 9000);
    assert_int_equal(d->octets_up, 4000);
    assert_int_equal(d->octets_down, 5000);
    assert_int_equal(d->rcpt, 5);
    assert_int_equal(d->rcpt_5xx, 2);
    assert_int_equal(d->messages_ok, 1);
    assert_int_equal(d->messages_5xx, 3);
    assert_int_equal(d->first_down_ms, 100);
    assert_int_equal(d->user, 300);
    assert_int_equal(d->recipient, 100);
    assert_int_equal(d->sender, 200);
    assert_true(d->tls_client == hash_octets(HASH_JA4, span_of_text(r.flow.tls.ja4)));
}

static void a_digest_of_socks(void **state)
{
    struct fixture *f = fixture_again(state);
    struct record r = flow(T0 + 1000, T0 + 9000, 1080, EST);
    socks_granted(&r);
    r.flow.incomplete = RECORD_ONLY_RESPONDER;
    r.flow.socks.target_port = 25;
    r.flow.socks.inner_app = RECORD_APP_SMTP;
    r.flow.socks.first_octets_hash = 4711;
    const struct minute_digest *d = &fixture_one(f, &r, US)->digest[0];
    assert_int_equal(d->direction, MINUTE_IN);
    assert_int_equal(d->role, MINUTE_OTHER);
    assert_int_equal(d->socks_port, 25);
    assert_int_equal(d->socks_inner, RECORD_APP_SMTP);
    assert_int_equal(d->relay_first, 4711);
    assert_true(d->flags & MINUTE_DIGEST_SOCKS_GRANTED);
    assert_true(d->flags & MINUTE_DIGEST_ONE_SIDED);
}

static void outcomes(void **state)
{
    static const struct {
        uint8_t handshake;
        change_fn change;
        enum minute_outcome outcome;
    } cases[] = {
        {RECORD_HANDSHAKE_PENDING, nothing, MINUTE_OUTCOME_PENDING},
        {EST, nothing, MINUTE_OUTCOME_ESTABLISHED},
        {EST, greeting_220, MINUTE_OUTCOME_GREETED},
        {EST, tls, MINUTE_OUTCOME_GREETED},
        {EST, greeting_421, MINUTE_OUTCOME_TURNED_AWAY},
        {EST, greeting_554, MINUTE_OUTCOME_TURNED_AWAY},
        {RECORD_HANDSHAKE_REFUSED, nothing, MINUTE_OUTCOME_REFUSED},
        {RECORD_HANDSHAKE_UNANSWERED, nothing, MINUTE_OUTCOME_UNANSWERED},
        {RECORD_HANDSHAKE_ICMP, nothing, MINUTE_OUTCOME_ICMP},
        {RECORD_HANDSHAKE_CLOSED_EARLY, nothing, MINUTE_OUTCOME_CLOSED_EARLY},
        {RECORD_HANDSHAKE_MIDSTREAM, midstream, MINUTE_OUTCOME_MIDSTREAM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = fixture_again(state);
        struct record r = flow(T0 + 1000, T0 + 9000, 25, cases[i].handshake);
        cases[i].change(&r);
        assert_int_equal(fixture_one(f, &r, US)->digest[0].outcome, cases[i].outcome);
    }
}

// ---- Nothing was forgotten

static void all_are_met(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MINUTE_GAUGE_N; i++)
        if (!gauge_met[i])
            fail_msg("no case for gauge %s", minute_gauge_name(i));
    // Those of a mailbox come from the mail log: test_mapping.c has them.
    for (unsigned i = 0; i < MINUTE_SET_client_networks; i++)
        if (!set_met[i])
            fail_msg("no case for set %s", minute_set_name(i));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gauges),
        TEST(open_mx_connections),
        TEST(lone_syns),
        TEST(scans),
        TEST(spoofed),
        TEST(sets),
        TEST(providers),
        TEST(a_digest),
        TEST(a_digest_of_socks),
        TEST(outcomes),
        cmocka_unit_test(all_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
