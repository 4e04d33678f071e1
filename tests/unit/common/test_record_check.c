// Every value that record.h rules out is refused, by its reason; its neighbour at the edge is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/record.h"
#include "record_random.h"

static struct record r;
static struct record_flow *const f = &r.flow;
static struct record_mail *const mail = &r.mail;
static struct coverage *const c = &r.coverage;

static void flow(void)
{
    struct record_random g = {.state = 1};
    record_random_plain(&g, &r);
    f->groups = (RECORD_HAS_CARRIER << 1) - 1;
    f->socks.version = 5;
    assert_null(record_check(&r));
}

static void start(uint8_t kind)
{
    r = (struct record){.version = RECORD_VERSION, .kind = kind, .id = {1, 2, 3}};
}

static void mail_record(void)
{
    start(RECORD_MAIL);
    mail->event = RECORD_MAIL_MESSAGE;
    assert_null(record_check(&r));
}

static void coverage_record(void)
{
    start(RECORD_COVERAGE);
    c->sampling = 1;
    assert_null(record_check(&r));
}

#define REFUSED(prepare, change, reason)                                                 \
    do {                                                                                 \
        prepare();                                                                       \
        change;                                                                          \
        const char *got = record_check(&r);                                              \
        if (!got || strcmp(got, reason) != 0)                                            \
            fail_msg("%s: expected %s, got %s", #change, reason, got ? got : "nothing"); \
    } while (0)

#define TAKEN(prepare, change)                           \
    do {                                                 \
        prepare();                                       \
        change;                                          \
        const char *got = record_check(&r);              \
        if (got)                                         \
            fail_msg("%s: refused as %s", #change, got); \
    } while (0)

static void test_head(void **state)
{
    (void)state;
    REFUSED(flow, r.version = 0, "version");
    REFUSED(flow, r.version = 2, "version");
    REFUSED(flow, r.kind = 0, "kind");
    REFUSED(flow, r.kind = 4, "kind");
    REFUSED(flow, r.id.epoch = 0, "identity");
    REFUSED(flow, r.id.sequence = 0, "identity");
    TAKEN(flow, r.id.epoch = r.id.sequence = 0); // another exporter's
    TAKEN(flow, r.id.domain = 0);
}

static void test_ends(void **state)
{
    (void)state;
    REFUSED(flow, f->initiator.family = 0, "address");
    REFUSED(flow, f->responder.family = 5, "address");
    REFUSED(flow, f->responder.family = IP_V6, "family");
    REFUSED(flow, f->initiator.octet[4] = 1, "address"); // hidden behind an IPv4 address
    TAKEN(flow, f->initiator.family = f->responder.family = IP_V6);
    REFUSED(flow, f->isn_seen = 4, "isn");
    TAKEN(flow, f->isn_seen = 3);
    REFUSED(flow, f->side = 4, "side");
    TAKEN(flow, f->side = RECORD_SIDE_BOTH);
    REFUSED(flow, f->ttl_max = f->ttl_min - 1, "ttl");
}

static void test_realm(void **state)
{
    (void)state;
    TAKEN(flow, memcpy(f->realm.name, "qinq:101.7/pppoe:4711", 22));
    TAKEN(flow, memset(f->realm.name, 'a', 47));
    REFUSED(flow, memset(f->realm.name, 'a', 48), "realm");
    REFUSED(flow, f->realm.name[0] = 'A', "realm");
    REFUSED(flow, f->realm.name[0] = ' ', "realm");
    REFUSED(flow, memcpy(f->realm.name, "vlan:1\0x", 9), "realm"); // must be NUL to the end
    REFUSED(flow, memcpy(f->realm.name, "/vlan:1", 8), "realm");
    REFUSED(flow, memcpy(f->realm.name, "vlan:1/", 8), "realm");
    REFUSED(flow, memcpy(f->realm.name, "vlan:1//b4:::1", 15), "realm");
}

static void test_state(void **state)
{
    (void)state;
    REFUSED(flow, f->flags = 0, "flags");
    REFUSED(flow, f->flags = RECORD_START | RECORD_CONTINUE, "flags");
    REFUSED(flow, f->flags |= 16, "flags");
    TAKEN(flow, f->flags = RECORD_CONTINUE; f->outcome_ms = 0);
    REFUSED(flow, f->handshake = RECORD_HANDSHAKE_MIDSTREAM + 1, "handshake");
    REFUSED(flow, f->handshake = RECORD_HANDSHAKE_PENDING, "outcome");
    REFUSED(flow, f->app = RECORD_APP_N, "app");
    TAKEN(flow, f->app = RECORD_APP_N - 1);
    REFUSED(flow, f->app_source = RECORD_APP_BY_PARENT + 1, "app-source");
    REFUSED(flow, f->groups = 128, "groups");
    REFUSED(flow, f->incomplete = RECORD_FLOW_ONLY << 1, "incomplete");
    REFUSED(flow, f->incomplete = RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER, "one-sided");
    REFUSED(flow, f->sampling = 0, "sampling");
    REFUSED(flow, f->sampling = 100, "sampling"); // and not said to be sampled
    REFUSED(flow, f->incomplete |= RECORD_SAMPLED, "sampling");
    TAKEN(flow, f->sampling = 100; f->incomplete |= RECORD_SAMPLED);
}

static void test_times(void **state)
{
    (void)state;
    REFUSED(flow, f->flow_start_ms = -1, "time");
    REFUSED(flow, f->end_ms = INT64_MAX, "time");
    TAKEN(flow, f->end_ms = INT64_C(253402300799999));
    REFUSED(flow, f->end_ms = INT64_C(253402300800000), "time"); // year 10000
    REFUSED(flow, f->flow_start_ms = f->start_ms + 1, "time-order");
    REFUSED(flow, f->end_ms = f->start_ms - 1, "time-order");
    TAKEN(flow, f->end_ms = f->start_ms = f->flow_start_ms);
    REFUSED(flow, f->outcome_ms = f->flow_start_ms - 1, "outcome-time");
    REFUSED(flow, f->flags = RECORD_START, "outcome-time");
    TAKEN(flow, f->outcome_ms = f->end_ms + 4000); // a timeout, behind the last packet
    TAKEN(flow,
          f->flow_start_ms = f->start_ms = f->end_ms = f->outcome_ms = 0); // a capture of 1970
}

static void test_counts_and_texts(void **state)
{
    (void)state;
    REFUSED(flow, f->payload_octets[0] = f->octets[0] + 1, "payload");
    TAKEN(flow, f->octets[1] = 0; f->payload_octets[1] = 9); // counted by payload only
    REFUSED(flow, memset(f->encap, 'a', sizeof f->encap), "encap");
    REFUSED(flow, f->encap[0] = 0x1b, "encap");
    REFUSED(flow, f->encap[0] = (char)0xc3, "encap");
    REFUSED(flow, f->hash_count = RECORD_HASHES_MAX + 1, "hash-count");
    REFUSED(flow, f->hash[3].kind = 0, "hash");
    REFUSED(flow, f->hash[3].kind = KEYED_HASH_RECIPIENT_DOMAIN + 1, "hash");
    REFUSED(flow, f->hash[0].key_id = 0, "hash");
    TAKEN(flow, f->hash_count = 3; f->hash[3].kind = 0);
}

static void test_groups(void **state)
{
    (void)state;
    REFUSED(flow, f->smtp.banner_code = 1000, "smtp-banner");
    REFUSED(flow, f->smtp.starttls_state = 4, "smtp-starttls");
    REFUSED(flow, memset(f->tls.ja4, 'a', sizeof f->tls.ja4), "tls-ja4");
    REFUSED(flow, memset(f->tls.sni_domain, 'a', sizeof f->tls.sni_domain), "tls-sni");
    REFUSED(flow, f->tls.alpn[0] = '\n', "tls-alpn");
    REFUSED(flow, f->socks.version = 6, "socks-version");
    REFUSED(flow, f->socks.is_4a = true, "socks-version"); // with version 5
    TAKEN(flow, f->socks.version = 4; f->socks.is_4a = true);
    TAKEN(flow, f->socks.version = RECORD_SOCKS_HTTP);
    REFUSED(flow, f->socks.version = RECORD_SOCKS_HTTP; f->socks.is_4a = true, "socks-version");
    REFUSED(flow, f->socks.command = 4, "socks-command");
    REFUSED(flow, f->socks.target.family = 1, "socks-target");
    REFUSED(flow, f->socks.target.octet[0] = 1, "socks-target"); // without a family
    TAKEN(flow, f->socks.target = f->initiator);
    REFUSED(flow, f->socks.inner_app = RECORD_APP_N, "socks-inner");
    REFUSED(flow, f->dns.mx_queries = 1, "dns-queries");
    REFUSED(flow, f->dns.mx_names_distinct = 65, "dns-names");
    REFUSED(flow, f->l2.vlan[0] = 4096, "vlan");
    REFUSED(flow, f->l2.vlan[1] = 4096, "vlan");
    REFUSED(flow, f->l2.mpls_label = 1 << 20, "mpls");
    REFUSED(flow, f->l2.vni = 1 << 24, "vni");
    REFUSED(flow, f->carrier.behind = f->carrier.opened + 1, "carrier-behind");
    REFUSED(flow, f->carrier.covered_ms = 7; f->carrier.watched_ms = 6, "carrier-covered");
    TAKEN(flow, f->groups = 0; f->socks.version = 99; f->l2.vni = 1 << 24); // not there: not read
}

static void test_mail(void **state)
{
    (void)state;
    TAKEN(mail_record, mail->client.family = IP_NONE);
    REFUSED(mail_record, mail->event = 0, "mail-event");
    REFUSED(mail_record, mail->event = RECORD_MAIL_BOUNCE + 1, "mail-event");
    REFUSED(mail_record, mail->t_ms = -1, "time");
    REFUSED(mail_record, mail->realm.name[0] = '_', "realm");
    REFUSED(mail_record, mail->client.family = 7, "address");
    REFUSED(mail_record, mail->mailbox.kind = KEYED_HASH_MAILBOX, "mailbox"); // without key id
    REFUSED(mail_record, mail->mailbox.value = 1, "mailbox");
    mail_record();
    mail->mailbox = (struct keyed_hash){.kind = KEYED_HASH_MAILBOX, .key_id = 1, .value = 5};
    assert_null(record_check(&r));
    mail->mailbox.kind = KEYED_HASH_SENDER;
    assert_string_equal(record_check(&r), "mailbox");
    REFUSED(mail_record, mail->filter = RECORD_FILTER_RATE + 1, "mail-filter");
    REFUSED(mail_record, mail->reply_code = 1000, "reply-code");
    REFUSED(mail_record, mail->blocklist = 4, "blocklist");
    TAKEN(mail_record, memcpy(mail->client_country, "DE", 3));
    REFUSED(mail_record, memcpy(mail->client_country, "de", 3), "country");
    REFUSED(mail_record, memcpy(mail->client_country, "D", 2), "country");
    REFUSED(mail_record, memcpy(mail->client_country, "DEU", 3), "country");
    REFUSED(mail_record, mail->hash_count = 65, "hash-count");
    REFUSED(mail_record, mail->hash_count = 1, "hash");
}

static void test_coverage(void **state)
{
    (void)state;
    REFUSED(coverage_record, c->t_ms = -1, "time");
    REFUSED(coverage_record, memset(c->sensor, 'a', sizeof c->sensor), "sensor");
    REFUSED(coverage_record, c->leg = COVERAGE_LEG_PNI + 1, "leg");
    REFUSED(coverage_record, c->nat = COVERAGE_NAT_OUTSIDE + 1, "nat");
    REFUSED(coverage_record, c->port25 = COVERAGE_PORT25_BLOCKED_AFTER + 1, "port25");
    REFUSED(coverage_record, c->tier = COVERAGE_TIER_C + 1, "tier");
    REFUSED(coverage_record, c->profile = COVERAGE_FULL_ENVELOPE + 1, "profile");
    REFUSED(coverage_record, c->sampling = 0, "sampling");
    REFUSED(coverage_record, c->alarms = COVERAGE_LINK_DOWN << 1, "alarms");
    TAKEN(coverage_record, c->alarms = (COVERAGE_LINK_DOWN << 1) - 1);
}

// Octets are looked at in eights: each value at each place, and the end at each place.
static void test_texts_octet_by_octet(void **state)
{
    (void)state;
    flow();
    enum { SIZE = sizeof(((struct record_tls *)0)->sni_domain) };
    for (size_t at = 0; at < SIZE - 1; at++)
        for (unsigned octet = 1; octet < 256; octet++) {
            bool fits = octet >= 0x20 && octet <= 0x7e;
            memset(f->tls.sni_domain, 'a', SIZE - 1);
            f->tls.sni_domain[SIZE - 1] = 0;
            f->tls.sni_domain[at] = (char)octet;
            const char *said = record_check(&r);
            if (fits ? said != NULL : !said || strcmp(said, "tls-sni") != 0)
                fail_msg("octet %u at %zu: %s", octet, at, said ? said : "taken");
            // What stands behind the end is nobody's.
            memset(f->tls.sni_domain, 0xff, SIZE);
            memset(f->tls.sni_domain, 'a', at);
            f->tls.sni_domain[at] = 0;
            assert_null(record_check(&r));
        }
}

static void test_names(void **state)
{
    (void)state;
    static const char *const apps[RECORD_APP_N] = {
        "unknown", "smtp", "smtps", "lmtp", "socks4", "socks4a", "socks5", "pop3",
        "pop3s",   "imap", "imaps", "dns",  "tls",    "http",    "ssh",    "other"};
    for (unsigned i = 0; i < RECORD_APP_N; i++)
        assert_string_equal(record_app_name(i), apps[i]);
    assert_null(record_app_name(RECORD_APP_N));
    static const char *const handshakes[] = {"pending", "established",  "refused",  "unanswered",
                                             "icmp",    "closed-early", "midstream"};
    for (unsigned i = 0; i <= RECORD_HANDSHAKE_MIDSTREAM; i++)
        assert_string_equal(record_handshake_name(i), handshakes[i]);
    assert_null(record_handshake_name(RECORD_HANDSHAKE_MIDSTREAM + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_realm),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_counts_and_texts),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_texts_octet_by_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
