// Is a record possible? Records come from the network, so every value that later code relies on is
// held against its range here, once. The answer is a constant name, to be counted by.
//
// Only what record.h rules out is refused. What is merely odd (more answers than commands, since a
// counter is a delta) passes.
#include <limits.h>
#include <stddef.h>

#include "common/record.h"

// 9999-12-31T23:59:59.999Z, the last time that has a text form.
#define TIME_MAX_MS INT64_C(253402300799999)

#define CHECK(condition, reason) \
    do {                         \
        if (!(condition))        \
            return reason;       \
    } while (0)

static bool time_fits(int64_t t_ms)
{
    return t_ms >= 0 && t_ms <= TIME_MAX_MS;
}

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

// Are all eight octets printable ASCII? Taking 0x20 from one leaves its highest bit, set before, when it is no less; adding
// 1 sets it only in 0x7f.
static bool eight_print(const char *text)
{
    uint64_t w;
    memcpy(&w, text, sizeof w);
    return (((w + EACH(0x01)) | w) & EACH(0x80)) == 0 &&
           (((w | EACH(0x80)) - EACH(0x20)) & EACH(0x80)) == EACH(0x80);
}

// Terminated, printable ASCII.
static bool text_fits(const char *text, size_t size)
{
    size_t at = 0;
    while (size - at >= 8 && eight_print(text + at))
        at += 8;
    for (size_t i = at; i < size; i++) {
        if (text[i] == 0)
            return true;
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return false;
}

// A family, and zeros behind an IPv4 address so that memcmp compares.
static bool address_fits(const struct ip_addr *a, bool may_be_none)
{
    static const uint8_t zero[16];
    if (a->family != IP_V4 && a->family != IP_V6 && !(may_be_none && a->family == IP_NONE))
        return false;
    size_t n = ip_size(a->family);
    return memcmp(a->octet + n, zero, sizeof a->octet - n) == 0;
}

static bool hash_fits(const struct keyed_hash *h)
{
    return h->kind >= KEYED_HASH_RECIPIENT && h->kind <= KEYED_HASH_RECIPIENT_DOMAIN &&
           h->key_id != 0;
}

static bool hashes_fit(const struct keyed_hash *h, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!hash_fits(&h[i]))
            return false;
    return true;
}

static const char *check_groups(const struct record_flow *f)
{
    if (f->groups & RECORD_HAS_SMTP) {
        CHECK(f->smtp.banner_code <= 999, "smtp-banner");
        CHECK(f->smtp.starttls_state <= RECORD_STARTTLS_ACCEPTED, "smtp-starttls");
    }
    if (f->groups & RECORD_HAS_TLS) {
        CHECK(text_fits(f->tls.ja4, sizeof f->tls.ja4), "tls-ja4");
        CHECK(text_fits(f->tls.sni_domain, sizeof f->tls.sni_domain), "tls-sni");
        CHECK(text_fits(f->tls.alpn, sizeof f->tls.alpn), "tls-alpn");
    }
    if (f->groups & RECORD_HAS_SOCKS) {
        CHECK(f->socks.version == 4 || f->socks.version == 5 ||
                  f->socks.version == RECORD_SOCKS_HTTP,
              "socks-version");
        CHECK(!f->socks.is_4a || f->socks.version == 4, "socks-version");
        CHECK(f->socks.command <= RECORD_SOCKS_UDP, "socks-command");
        CHECK(address_fits(&f->socks.target, true), "socks-target");
        CHECK(f->socks.inner_app < RECORD_APP_N, "socks-inner");
    }
    if (f->groups & RECORD_HAS_DNS) {
        CHECK(f->dns.mx_queries <= f->dns.queries, "dns-queries");
        CHECK(f->dns.mx_names_distinct <= 64, "dns-names");
    }
    if (f->groups & RECORD_HAS_L2) {
        CHECK(f->l2.vlan[0] < 4096 && f->l2.vlan[1] < 4096, "vlan");
        CHECK(f->l2.mpls_label < 1u << 20, "mpls");
        CHECK(f->l2.vni < 1u << 24, "vni");
    }
    if (f->groups & RECORD_HAS_CARRIER) {
        CHECK(f->carrier.behind <= f->carrier.opened, "carrier-behind");
        CHECK(f->carrier.covered_ms <= f->carrier.watched_ms, "carrier-covered");
    }
    return NULL;
}

static const char *check_flow_times(const struct record_flow *f)
{
    CHECK(time_fits(f->flow_start_ms) && time_fits(f->start_ms) && time_fits(f->end_ms) &&
              time_fits(f->outcome_ms),
          "time");
    CHECK(f->flow_start_ms <= f->start_ms && f->start_ms <= f->end_ms, "time-order");
    if (f->outcome_ms)
        CHECK(f->flags & RECORD_OUTCOME && f->outcome_ms >= f->flow_start_ms, "outcome-time");
    return NULL;
}

static const char *check_flow(const struct record_flow *f)
{
    CHECK(realm_is_valid(&f->realm), "realm");
    CHECK(address_fits(&f->initiator, false) && address_fits(&f->responder, false), "address");
    CHECK(f->initiator.family == f->responder.family, "family");
    CHECK(f->isn_seen <= 3, "isn");
    CHECK(f->side <= RECORD_SIDE_BOTH, "side");
    CHECK(f->flags < RECORD_OUTCOME << 1, "flags");
    CHECK(!(f->flags & RECORD_START) != !(f->flags & RECORD_CONTINUE), "flags");
    CHECK(f->handshake <= RECORD_HANDSHAKE_MIDSTREAM, "handshake");
    CHECK(!(f->flags & RECORD_OUTCOME) || f->handshake != RECORD_HANDSHAKE_PENDING, "outcome");
    CHECK(f->app < RECORD_APP_N, "app");
    CHECK(f->app_source <= RECORD_APP_BY_PARENT, "app-source");
    CHECK(f->groups < RECORD_HAS_CARRIER << 1, "groups");
    CHECK(f->incomplete < RECORD_FLOW_ONLY << 1, "incomplete");
    CHECK(!(f->incomplete & RECORD_ONLY_INITIATOR) || !(f->incomplete & RECORD_ONLY_RESPONDER),
          "one-sided");
    CHECK(f->sampling >= 1 && (f->sampling > 1) == !!(f->incomplete & RECORD_SAMPLED), "sampling");
    CHECK(f->ttl_min <= f->ttl_max, "ttl");
    for (int i = 0; i < 2; i++) // a foreign exporter may count only payload
        CHECK(f->octets[i] == 0 || f->payload_octets[i] <= f->octets[i], "payload");
    CHECK(text_fits(f->encap, sizeof f->encap), "encap");
    CHECK(f->hash_count <= RECORD_HASHES_MAX, "hash-count");
    CHECK(hashes_fit(f->hash, f->hash_count), "hash");
    const char *bad = check_flow_times(f);
    return bad ? bad : check_groups(f);
}

static const char *check_mail(const struct record_mail *m)
{
    CHECK(time_fits(m->t_ms), "time");
    CHECK(m->event >= RECORD_MAIL_CONNECT && m->event <= RECORD_MAIL_BOUNCE, "mail-event");
    CHECK(realm_is_valid(&m->realm), "realm");
    CHECK(address_fits(&m->client, true), "address");
    CHECK(m->mailbox.kind == 0 ? m->mailbox.value == 0 && m->mailbox.key_id == 0
                               : m->mailbox.kind == KEYED_HASH_MAILBOX && m->mailbox.key_id != 0,
          "mailbox");
    CHECK(m->filter <= RECORD_FILTER_RATE, "mail-filter");
    CHECK(m->reply_code <= 999, "reply-code");
    CHECK(m->blocklist <= 3, "blocklist");
    const char *cc = m->client_country;
    CHECK((cc[0] == 0 && cc[1] == 0 && cc[2] == 0) ||
              (cc[0] >= 'A' && cc[0] <= 'Z' && cc[1] >= 'A' && cc[1] <= 'Z' && cc[2] == 0),
          "country");
    CHECK(m->hash_count <= RECORD_HASHES_MAX, "hash-count");
    CHECK(hashes_fit(m->hash, m->hash_count), "hash");
    return NULL;
}

static const char *check_coverage(const struct coverage *c)
{
    CHECK(time_fits(c->t_ms), "time");
    CHECK(text_fits(c->sensor, sizeof c->sensor), "sensor");
    CHECK(c->leg <= COVERAGE_LEG_PNI, "leg");
    CHECK(c->nat <= COVERAGE_NAT_OUTSIDE, "nat");
    CHECK(c->port25 <= COVERAGE_PORT25_BLOCKED_AFTER, "port25");
    CHECK(c->tier <= COVERAGE_TIER_C, "tier");
    CHECK(c->profile <= COVERAGE_FULL_ENVELOPE, "profile");
    CHECK(c->sampling >= 1, "sampling");
    CHECK(c->alarms < COVERAGE_LINK_DOWN << 1, "alarms");
    return NULL;
}

const char *record_check(const struct record *r)
{
    CHECK(r->version == RECORD_VERSION, "version");
    // A foreign flow has neither epoch nor sequence; ours have both.
    CHECK((r->id.epoch == 0) == (r->id.sequence == 0), "identity");
    switch (r->kind) {
    case RECORD_FLOW: return check_flow(&r->flow);
    case RECORD_MAIL: return check_mail(&r->mail);
    case RECORD_COVERAGE: return check_coverage(&r->coverage);
    default: return "kind";
    }
}
