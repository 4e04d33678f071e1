// Possible records at random, extremes included. Everything not chosen is zero, so that memcmp tells
// whether what was read back is the same.
#include "record_random.h"

#include <stdio.h>

#define TIME_BASE_MS INT64_C(1795327200000)

// splitmix64 (Steele, Lea, Flood 2014).
uint64_t record_random_next(struct record_random *g)
{
    uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t below(struct record_random *g, uint64_t n)
{
    return record_random_next(g) % n;
}

static bool one_in(struct record_random *g, unsigned n)
{
    return below(g, n) == 0;
}

// Mostly small, sometimes at the edge of what so many bits hold.
static uint64_t number(struct record_random *g, unsigned bits)
{
    uint64_t all = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    switch (below(g, 8)) {
    case 0: return all;
    case 1: return record_random_next(g) & all;
    case 2:
    case 3: return below(g, 70000) & all;
    case 4: return below(g, 20);
    default: return 0;
    }
}

static void text(struct record_random *g, char *out, size_t size, const char *letters)
{
    size_t n = one_in(g, 4) ? size - 1 : below(g, size);
    for (size_t i = 0; i < n; i++)
        out[i] = letters[below(g, strlen(letters))];
}

#define ANY_TEXT "abcdefghijklmnopqrstuvwxyz0123456789.-_ +~!\"ABCXYZ"

static void realm(struct record_random *g, struct realm *r)
{
    if (one_in(g, 2))
        return;
    if (one_in(g, 2))
        snprintf(r->name, sizeof r->name, "vlan:%u", (unsigned)below(g, 4096));
    else
        text(g, r->name, sizeof r->name, "abcdefghijklmnopqrstuvwxyz0123456789:.-#");
}

static struct ip_addr address(struct record_random *g, uint8_t family)
{
    struct ip_addr a = {.family = family};
    for (size_t i = 0; i < ip_size(family); i++)
        a.octet[i] = (uint8_t)record_random_next(g);
    a.octet[0] |= 1; // never the unspecified address
    return a;
}

static struct keyed_hash hash(struct record_random *g)
{
    struct keyed_hash h;
    memset(&h, 0, sizeof h);
    h.kind = (uint8_t)(1 + below(g, 8));
    h.key_id = (uint8_t)(1 + below(g, 255));
    h.value = record_random_next(g);
    return h;
}

static uint8_t hashes(struct record_random *g, struct keyed_hash *out)
{
    uint8_t n = (uint8_t)(one_in(g, 8) ? RECORD_HASHES_MAX : below(g, 6));
    for (uint8_t i = 0; i < n; i++)
        out[i] = hash(g);
    return n;
}

static bool flip(struct record_random *g)
{
    return one_in(g, 2);
}

static void fill_smtp(struct record_random *g, struct record_smtp *s)
{
    s->banner_code = (uint16_t)below(g, 1000);
    s->starttls_state = (uint8_t)below(g, 4);
    s->early_talker = flip(g);
    s->pipelining_offered = flip(g);
    s->clear_after_tls = flip(g);
    s->helo_is_literal = flip(g);
    s->helo_is_peer = flip(g);
    s->xclient = flip(g);
    s->quit_seen = flip(g);
#define X(name, element, words) s->name = (uint32_t)number(g, 32);
    RECORD_SMTP_COUNTERS(X)
#undef X
}

static void fill_tls(struct record_random *g, struct record_tls *t)
{
    t->version = (uint16_t)number(g, 16);
    t->cipher = (uint16_t)number(g, 16);
    text(g, t->ja4, sizeof t->ja4, ANY_TEXT);
    text(g, t->sni_domain, sizeof t->sni_domain, ANY_TEXT);
    text(g, t->alpn, sizeof t->alpn, ANY_TEXT);
    if (flip(g))
        for (size_t i = 0; i < sizeof t->certificate_hash; i++)
            t->certificate_hash[i] = (uint8_t)record_random_next(g);
    t->alert = (uint8_t)record_random_next(g);
    t->application_octets[0] = number(g, 64);
    t->application_octets[1] = number(g, 64);
    for (size_t i = below(g, RECORD_TLS_LENGTHS + 1); i > 0; i--)
        t->record_lengths[i - 1] = (int16_t)record_random_next(g);
    t->time_to_close_ms = (uint32_t)number(g, 32);
    t->handshake_done = flip(g);
}

static void fill_socks(struct record_random *g, struct record_socks *s)
{
    s->version = flip(g) ? 4 : 5;
    s->is_4a = s->version == 4 && flip(g);
    s->method = (uint8_t)record_random_next(g);
    s->auth_failed = flip(g);
    s->command = (uint8_t)below(g, 4);
    s->target_port = (uint16_t)record_random_next(g);
    if (flip(g))
        s->target = address(g, flip(g) ? IP_V4 : IP_V6);
    s->reply = (uint8_t)record_random_next(g);
    s->granted = flip(g);
    s->reverse = flip(g);
    s->relayed_octets[0] = number(g, 64);
    s->relayed_octets[1] = number(g, 64);
    s->inner_app = (uint8_t)below(g, RECORD_APP_N);
    s->first_octets_hash = number(g, 64);
}

static void fill_l2(struct record_random *g, struct record_l2 *l)
{
    for (size_t i = 0; i < sizeof l->subscriber_mac; i++)
        l->subscriber_mac[i] = (uint8_t)record_random_next(g);
    l->vlan[0] = (uint16_t)below(g, 4096);
    l->vlan[1] = (uint16_t)below(g, 4096);
    l->pppoe_session = (uint16_t)number(g, 16);
    l->mpls_label = (uint32_t)number(g, 20);
    l->vni = (uint32_t)number(g, 24);
}

static void fill_counts(struct record_random *g, struct record_flow *f)
{
    for (int i = 0; i < 2; i++) {
        f->packets[i] = number(g, 64);
        f->octets[i] = number(g, 64);
        f->payload_octets[i] = f->octets[i] ? f->octets[i] - below(g, f->octets[i]) : 0;
        f->missing_octets[i] = number(g, 64);
        f->retransmissions[i] = (uint32_t)number(g, 32);
    }
    f->duplicates = (uint32_t)number(g, 32);
    f->syn_count = (uint16_t)number(g, 16);
    f->ttl_min = (uint8_t)below(g, 256);
    f->ttl_max = (uint8_t)(f->ttl_min + below(g, 256u - f->ttl_min));
    f->rtt_us = (uint32_t)number(g, 32);
    f->to_first_reply_ms = (uint32_t)number(g, 32);
}

static void fill_times(struct record_random *g, struct record_flow *f)
{
    f->flow_start_ms = one_in(g, 20) ? 0 : TIME_BASE_MS + (int64_t)below(g, 86400000);
    f->start_ms = f->flow_start_ms + (int64_t)below(g, 600000);
    f->end_ms = f->start_ms + (int64_t)below(g, 60000);
    if (f->handshake != RECORD_HANDSHAKE_PENDING && flip(g)) {
        f->flags |= RECORD_OUTCOME;
        f->outcome_ms = f->end_ms;
    }
}

static void fill_flow(struct record_random *g, struct record_flow *f)
{
    uint8_t family = flip(g) ? IP_V4 : IP_V6;
    realm(g, &f->realm);
    f->flow_hash = record_random_next(g);
    f->ip_proto = (uint8_t)(flip(g) ? 6 : record_random_next(g));
    f->initiator = address(g, family);
    f->responder = address(g, family);
    f->initiator_port = (uint16_t)record_random_next(g);
    f->responder_port = (uint16_t)record_random_next(g);
    f->initiator_isn = (uint32_t)record_random_next(g);
    f->responder_isn = (uint32_t)record_random_next(g);
    f->isn_seen = (uint8_t)below(g, 4);
    f->side = (uint8_t)below(g, 4);
    f->flags = (uint8_t)((flip(g) ? RECORD_START : RECORD_CONTINUE) | (flip(g) ? RECORD_END : 0));
    f->handshake = (uint8_t)below(g, RECORD_HANDSHAKE_MIDSTREAM + 1);
    f->app = (uint8_t)below(g, RECORD_APP_N);
    f->app_source = (uint8_t)below(g, RECORD_APP_BY_PARENT + 1);
    f->groups = (uint8_t)below(g, RECORD_HAS_CARRIER << 1);
    f->ndpi_protocol = (uint16_t)number(g, 16);
    f->incomplete = (uint32_t)below(g, RECORD_FLOW_ONLY << 1);
    if (f->incomplete & RECORD_ONLY_INITIATOR)
        f->incomplete &= ~(uint32_t)RECORD_ONLY_RESPONDER;
    f->sampling = f->incomplete & RECORD_SAMPLED ? 2 + (uint32_t)below(g, 100000) : 1;
    fill_times(g, f);
    fill_counts(g, f);
    text(g, f->encap, sizeof f->encap, "abcdefghijklmnopqrstuvwxyz0123456789+");
    if (f->groups & RECORD_HAS_L2)
        fill_l2(g, &f->l2);
    if (f->groups & RECORD_HAS_SMTP)
        fill_smtp(g, &f->smtp);
    if (f->groups & RECORD_HAS_TLS)
        fill_tls(g, &f->tls);
    if (f->groups & RECORD_HAS_SOCKS)
        fill_socks(g, &f->socks);
    if (f->groups & RECORD_HAS_DNS) {
        f->dns.queries = (uint32_t)number(g, 32);
        f->dns.mx_queries = f->dns.queries / 2;
        f->dns.mx_nxdomain = (uint32_t)number(g, 32);
        f->dns.mx_names_distinct = (uint32_t)below(g, 65);
    }
    if (f->groups & RECORD_HAS_LOGIN) {
        f->login.tries = (uint32_t)number(g, 32);
        f->login.failures = (uint32_t)number(g, 32);
    }
    if (f->groups & RECORD_HAS_CARRIER) {
        f->carrier.opened = (uint16_t)number(g, 16);
        f->carrier.behind = f->carrier.opened / 3;
        f->carrier.watched_ms = (uint32_t)number(g, 32);
        f->carrier.covered_ms = f->carrier.watched_ms / 2;
        f->carrier.networks = record_random_next(g);
    }
    f->hash_count = hashes(g, f->hash);
}

static void fill_mail(struct record_random *g, struct record_mail *m)
{
    static const uint8_t families[] = {IP_NONE, IP_V4, IP_V6};
    m->t_ms = TIME_BASE_MS + (int64_t)below(g, 86400000);
    m->event = (uint8_t)(1 + below(g, RECORD_MAIL_BOUNCE));
    realm(g, &m->realm);
    uint8_t family = families[below(g, 3)];
    if (family)
        m->client = address(g, family);
    m->client_port = (uint16_t)number(g, 16);
    if (flip(g)) {
        m->mailbox = hash(g);
        m->mailbox.kind = KEYED_HASH_MAILBOX;
    }
    m->server_port = (uint16_t)number(g, 16);
    m->tls = flip(g);
    m->auth_failed = flip(g);
    m->filter = (uint8_t)below(g, RECORD_FILTER_RATE + 1);
    m->reply_code = (uint16_t)below(g, 1000);
    m->recipients = (uint32_t)number(g, 32);
    m->recipients_4xx = (uint32_t)number(g, 32);
    m->recipients_5xx = (uint32_t)number(g, 32);
    m->message_octets = (uint32_t)number(g, 32);
    m->blocklist = (uint8_t)below(g, 4);
    m->client_asn = (uint32_t)number(g, 32);
    if (flip(g))
        memcpy(m->client_country, "DE", 3);
    m->message_hash = number(g, 64);
    m->server_hash = number(g, 64);
    m->hash_count = hashes(g, m->hash);
}

static void fill_coverage(struct record_random *g, struct coverage *c)
{
    c->t_ms = TIME_BASE_MS + (int64_t)below(g, 86400000);
    text(g, c->sensor, sizeof c->sensor, ANY_TEXT);
    c->process = (uint16_t)number(g, 16);
    c->leg = (uint8_t)below(g, COVERAGE_LEG_PNI + 1);
    c->nat = (uint8_t)below(g, COVERAGE_NAT_OUTSIDE + 1);
    c->port25 = (uint8_t)below(g, COVERAGE_PORT25_BLOCKED_AFTER + 1);
    c->tier = (uint8_t)below(g, COVERAGE_TIER_C + 1);
    c->profile = (uint8_t)below(g, COVERAGE_FULL_ENVELOPE + 1);
    c->sampling = 1 + (uint32_t)below(g, 1000);
    c->alarms = (uint32_t)below(g, COVERAGE_LINK_DOWN << 1);
    c->last = flip(g);
#define X(name, element, words) c->name = number(g, 64);
    COVERAGE_COUNTERS(X)
#undef X
}

static void start(struct record_random *g, struct record *r, uint8_t kind)
{
    memset(r, 0, sizeof *r);
    r->version = RECORD_VERSION;
    r->kind = kind;
    r->id.domain = 7;
    r->id.epoch = 1795327200;
    r->id.sequence = ++g->sequence;
}

void record_random_fill(struct record_random *g, struct record *r)
{
    unsigned pick = (unsigned)below(g, 10);
    if (pick < 7) {
        start(g, r, RECORD_FLOW);
        fill_flow(g, &r->flow);
    } else if (pick < 9) {
        start(g, r, RECORD_MAIL);
        fill_mail(g, &r->mail);
    } else {
        start(g, r, RECORD_COVERAGE);
        fill_coverage(g, &r->coverage);
    }
}

void record_random_plain(struct record_random *g, struct record *r)
{
    start(g, r, RECORD_FLOW);
    struct record_flow *f = &r->flow;
    f->flow_hash = record_random_next(g);
    f->ip_proto = 6;
    f->initiator = address(g, IP_V4);
    f->responder = address(g, IP_V4);
    f->initiator_port = (uint16_t)(1024 + below(g, 60000));
    f->responder_port = 25;
    f->initiator_isn = (uint32_t)record_random_next(g);
    f->responder_isn = (uint32_t)record_random_next(g);
    f->isn_seen = 3;
    f->side = RECORD_SIDE_INITIATOR;
    f->flags = RECORD_START | RECORD_END | RECORD_OUTCOME;
    f->handshake = RECORD_HANDSHAKE_ESTABLISHED;
    f->app = RECORD_APP_SMTP;
    f->app_source = RECORD_APP_BY_CONTENT;
    f->groups = RECORD_HAS_SMTP;
    f->sampling = 1;
    f->flow_start_ms = f->start_ms = TIME_BASE_MS + (int64_t)g->sequence;
    f->end_ms = f->start_ms + 900;
    f->outcome_ms = f->start_ms + 30;
    for (int i = 0; i < 2; i++) {
        f->packets[i] = 10 + below(g, 20);
        f->octets[i] = 3000 + below(g, 20000);
        f->payload_octets[i] = f->octets[i] - 400;
    }
    f->syn_count = 1;
    f->ttl_min = f->ttl_max = 63;
    f->rtt_us = 23000;
    f->to_first_reply_ms = 41;
    memcpy(f->encap, "vlan+pppoe", 11);
    f->smtp.banner_code = 220;
    f->smtp.starttls_state = RECORD_STARTTLS_OFFERED;
    f->smtp.quit_seen = true;
    f->smtp.helo = f->smtp.mail = f->smtp.data = f->smtp.messages_ok = f->smtp.quit = 1;
    f->smtp.rcpt = 3;
    f->smtp.rcpt_ok = 2;
    f->smtp.rcpt_5xx = 1;
    f->smtp.message_octets = 2900;
    f->hash_count = 4;
    for (int i = 0; i < 4; i++)
        f->hash[i] = hash(g);
}
