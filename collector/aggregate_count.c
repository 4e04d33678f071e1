// Counters, gauges and sets of a minute from the fields of a flow record (docs/formats/minute.md has the
// table).
#include "aggregate_parts.h"
#include "common/hash.h"

// A run of unanswered SYNs to neighbouring addresses this long is a scan.
#define SCAN_RUN 8
// How far apart neighbours may be.
#define SCAN_STEP 16

struct sink { // where one view's counters go
    struct acc *acc;
    unsigned role, direction;
    struct acc_limits *limits;
};

static void add(const struct sink *s, enum minute_counter counter, uint64_t n)
{
    if (n > 0) // of most things a record tells nothing
        acc_add(s->acc, s->role, s->direction, counter, n, s->limits);
}

static struct sink sink_of(struct aggregate *g, const struct view *v, struct acc *acc)
{
    return (struct sink){acc, v->role, v->direction, g->part.limits};
}

static bool is_out(const struct view *v, enum minute_role role)
{
    return v->direction == MINUTE_OUT && v->role == role;
}

static void set(struct aggregate *g, struct acc *acc, enum minute_set which, uint64_t value)
{
    acc_set(acc, which, 0, value, g->part.limits);
}

// ---- A flow begins

void count_begin(struct aggregate *g, struct view *v, struct acc *at, const struct record_flow *f,
                 struct flow *m, const struct news *n)
{
    struct sink s = sink_of(g, v, at);
    if (f->ip_proto == 6)
        add(&s, n->begun ? MINUTE_connections : MINUTE_midstream, 1);
    acc_gauge(at, MINUTE_flows, 1);
    if (v->direction != MINUTE_OUT)
        return;
    uint64_t peer = hash_address(v->peer);
    if (destinations_meet(&v->active->destinations, peer, minute_of(f->flow_start_ms))) {
        acc_gauge(at, MINUTE_new_destinations, 1);
        m->counted |= FLOW_NEW_DESTINATION;
    }
    if (v->role == MINUTE_MX) {
        set(g, at, MINUTE_SET_peers_mx, peer);
        set(g, at, MINUTE_SET_providers_mx, m->provider);
        at->mx_connections++;
    } else if (v->role == MINUTE_SUBMISSION) {
        set(g, at, MINUTE_SET_providers_submission, m->provider);
    } else if (v->role == MINUTE_SMARTHOST) {
        at->smarthost_connections++;
    }
    if (n->begun && (v->role == MINUTE_MX || v->role == MINUTE_SUBMISSION)) {
        at->early_connections++;
        minutes_weigh(g->part.minutes, at, f->flow_start_ms);
    }
}

// ---- Its handshake is decided

// Addresses in order, one port, no answer: somebody looks for open ports. So does who sends a SYN and
// never repeats it in four seconds: every TCP stack does after one or three (RFC 6298), a scanner that
// walks addresses in random order (zmap) does not.
static void count_scan(struct view *v, struct acc *at, const struct record_flow *f,
                       const struct news *n)
{
    struct active *a = v->active;
    size_t size = ip_size(v->peer->family);
    uint32_t peer = 0;
    for (size_t i = size - 4; i < size; i++)
        peer = peer << 8 | v->peer->octet[i];
    uint32_t up = peer - a->scan_peer, down = a->scan_peer - peer;
    bool next = v->peer_port == a->scan_port && f->payload_octets[0] == 0 &&
                ((up > 0 && up <= SCAN_STEP) || (down > 0 && down <= SCAN_STEP));
    if (!next)
        a->scan_run = a->scan_told = 0;
    a->scan_run++;
    a->scan_peer = peer;
    a->scan_port = v->peer_port;
    v->scan = n->lone_syn;
    // All of a run, once it is one; of a shorter one those that are a scanner's by themselves.
    unsigned told = a->scan_run >= SCAN_RUN ? a->scan_run : a->scan_told + n->lone_syn;
    acc_gauge(at, MINUTE_scan_syns, told - a->scan_told);
    a->scan_told = (uint16_t)told;
    if (a->scan_run == UINT16_MAX)
        a->scan_run = a->scan_told = SCAN_RUN;
}

static bool same_l2(const struct active *a, const struct record_l2 *l2)
{
    return memcmp(a->mac, l2->subscriber_mac, sizeof a->mac) == 0 && a->vlan[0] == l2->vlan[0] &&
           a->vlan[1] == l2->vlan[1] && a->pppoe_session == l2->pppoe_session;
}

// What the subscriber's own answered packets look like.
static void learn(struct active *a, const struct record_flow *f)
{
    if (f->groups & RECORD_HAS_L2) {
        memcpy(a->mac, f->l2.subscriber_mac, sizeof a->mac);
        a->vlan[0] = f->l2.vlan[0];
        a->vlan[1] = f->l2.vlan[1];
        a->pppoe_session = f->l2.pppoe_session;
        a->l2_known = true;
    }
    if (f->ttl_min == 0 || f->ttl_min != f->ttl_max)
        return;
    for (unsigned i = 0; i < a->ttls; i++)
        if (a->ttl[i] == f->ttl_min)
            return;
    if (a->ttls < ACTIVE_TTLS)
        a->ttl[a->ttls++] = f->ttl_min;
}

// Does a one-way SYN look like somebody else's? Only against what is known.
static bool is_suspect(const struct active *a, const struct record_flow *f)
{
    if (f->ttl_min != f->ttl_max)
        return true;
    if (a->l2_known && (f->groups & RECORD_HAS_L2) && !same_l2(a, &f->l2))
        return true;
    // A household has several systems: when all places are taken, one more is no stranger.
    if (f->ttl_min == 0 || a->ttls == 0 || a->ttls == ACTIVE_TTLS)
        return false;
    for (unsigned i = 0; i < a->ttls; i++)
        if (a->ttl[i] == f->ttl_min)
            return false;
    return true;
}

static void count_site(struct view *v, struct acc *at, uint8_t handshake)
{
    if (v->direction != MINUTE_OUT || handshake == RECORD_HANDSHAKE_CLOSED_EARLY)
        return;
    at->mx_failures += v->role == MINUTE_MX;
    at->smarthost_failures += v->role == MINUTE_SMARTHOST;
}

static void count_failure(struct aggregate *g, struct view *v, struct acc *at,
                          const struct record_flow *f, const struct news *n)
{
    count_site(v, at, f->handshake);
    if (is_out(v, MINUTE_MX)) {
        set(g, at, MINUTE_SET_peers_mx_failed, hash_address(v->peer));
        at->early_outcomes++;
        minutes_weigh(g->part.minutes, at, f->outcome_ms);
    }
    if (v->direction != MINUTE_OUT || f->handshake == RECORD_HANDSHAKE_CLOSED_EARLY)
        return;
    count_scan(v, at, f, n);
    if (f->handshake == RECORD_HANDSHAKE_UNANSWERED && is_suspect(v->active, f)) {
        acc_gauge(at, MINUTE_spoof_suspects, 1);
        v->suspect = true;
    }
}

void count_outcome(struct aggregate *g, struct view *v, struct acc *at, const struct record_flow *f,
                   const struct news *n)
{
    struct sink s = sink_of(g, v, at);
    if (n->established)
        add(&s, MINUTE_established, 1);
    switch (f->handshake) {
    case RECORD_HANDSHAKE_REFUSED: add(&s, MINUTE_refused, 1); break;
    case RECORD_HANDSHAKE_UNANSWERED: add(&s, MINUTE_unanswered, 1); break;
    case RECORD_HANDSHAKE_ICMP: add(&s, MINUTE_icmp_rejected, 1); break;
    case RECORD_HANDSHAKE_CLOSED_EARLY: add(&s, MINUTE_closed_early, 1); break;
    default: break;
    }
    if (is_failure(f->handshake))
        count_failure(g, v, at, f, n);
    else if (v->direction == MINUTE_OUT)
        learn(v->active, f);
    if (n->established && v->direction == MINUTE_IN && v->own_port == 25)
        set(g, at, MINUTE_SET_networks_in_25, hash_network(v->peer));
}

// ---- What was said

static void count_greeting(struct aggregate *g, struct view *v, const struct record_flow *f)
{
    struct sink s = sink_of(g, v, v->now);
    unsigned reply = f->smtp.banner_code / 100u;
    if (reply == 2)
        add(&s, MINUTE_banner_ok, 1);
    else if (reply == 4)
        add(&s, MINUTE_banner_4xx, 1);
    else if (reply == 5)
        add(&s, MINUTE_banner_5xx, 1);
    if (!is_out(v, MINUTE_MX) || (reply != 4 && reply != 5))
        return;
    if (reply == 5)
        set(g, v->now, MINUTE_SET_peers_mx_failed, hash_address(v->peer));
    v->now->early_outcomes++;
    minutes_weigh(g->part.minutes, v->now, f->end_ms);
}

static void count_smtp(struct aggregate *g, struct view *v, const struct record_flow *f,
                       const struct news *n)
{
    const struct record_smtp *r = &f->smtp;
    struct sink s = sink_of(g, v, v->now);
    if (n->greeted)
        count_greeting(g, v, f);
    add(&s, MINUTE_helo, n->helo);
    add(&s, MINUTE_mail, r->mail);
    add(&s, MINUTE_null_sender, r->null_sender);
    add(&s, MINUTE_mail_5xx, r->mail_5xx);
    add(&s, MINUTE_rcpt, r->rcpt);
    add(&s, MINUTE_rcpt_ok, r->rcpt_ok);
    add(&s, MINUTE_rcpt_4xx, r->rcpt_4xx);
    add(&s, MINUTE_rcpt_5xx, r->rcpt_5xx);
    add(&s, MINUTE_messages_ok, r->messages_ok);
    add(&s, MINUTE_messages_4xx, r->messages_4xx);
    add(&s, MINUTE_messages_5xx, r->messages_5xx);
    add(&s, MINUTE_message_octets, r->message_octets);
    add(&s, MINUTE_auth, r->auth);
    add(&s, MINUTE_auth_failed, r->auth_failed);
    add(&s, MINUTE_vrfy_expn, (uint64_t)r->vrfy + r->expn);
    add(&s, MINUTE_blocklist_policy, r->blocklist_policy);
    add(&s, MINUTE_blocklist_exploit, r->blocklist_exploit);
    add(&s, MINUTE_blocklist_unknown, r->blocklist_unknown);
    add(&s, MINUTE_blocklist_names_us, r->blocklist_names_us);
    add(&s, MINUTE_source_routed, r->source_routed);
    add(&s, MINUTE_early_talker, n->early_talker);
    add(&s, MINUTE_unoffered_pipelining, n->unoffered);
    add(&s, MINUTE_protocol_errors, r->protocol_errors);
    add(&s, MINUTE_helo_literal, n->helo_literal);
    add(&s, MINUTE_helo_peer, n->helo_peer);
}

static void count_socks(struct aggregate *g, struct view *v, const struct record_flow *f,
                        const struct flow *m, const struct news *n)
{
    // The server is who was dialled, but in a reverse session who dialled.
    bool serves = (v->up == 1) != f->socks.reverse;
    acc_gauge(v->now, MINUTE_socks_octets, f->socks.relayed_octets[0] + f->socks.relayed_octets[1]);
    if (!serves) {
        acc_gauge(v->now, MINUTE_socks_out, n->socks);
        return;
    }
    acc_gauge(v->now, MINUTE_socks_in, n->socks);
    acc_gauge(v->now, MINUTE_socks_in_granted, n->socks_granted);
    acc_gauge(v->now, MINUTE_socks_in_mail, n->socks_mail);
    acc_gauge(v->now, MINUTE_socks_in_refused, n->socks_refused);
    acc_gauge(v->now, MINUTE_socks_reverse, n->socks && f->socks.reverse);
    if (n->socks)
        set(g, v->now, MINUTE_SET_socks_clients, hash_network(v->peer));
    bool relays_mail = (m->counted & FLOW_SOCKS_GRANTED) && (m->counted & FLOW_SOCKS_MAIL);
    if (relays_mail && (n->socks_granted || n->socks_mail)) {
        v->now->early_socks = true;
        minutes_weigh(g->part.minutes, v->now, f->end_ms);
    }
}

static const int set_of_kind[] = {
    [KEYED_HASH_RECIPIENT] = MINUTE_SET_recipients,
    [KEYED_HASH_SENDER] = MINUTE_SET_senders,
    [KEYED_HASH_SENDER_DOMAIN] = MINUTE_SET_sender_domains,
    [KEYED_HASH_HELO] = MINUTE_SET_helo_names,
    [KEYED_HASH_AUTH_USER] = MINUTE_SET_auth_users,
    [KEYED_HASH_LOGIN_USER] = MINUTE_SET_login_users,
    [KEYED_HASH_MAILBOX] = -1,
    [KEYED_HASH_RECIPIENT_DOMAIN] = MINUTE_SET_recipient_domains,
};

void count_hashes(struct aggregate *g, struct acc *acc, const struct keyed_hash *hash, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int which = set_of_kind[hash[i].kind];
        if (which >= 0)
            acc_set(acc, (enum minute_set)which, hash[i].key_id, hash[i].value, g->part.limits);
    }
}

static void count_traffic(struct aggregate *g, struct view *v, const struct record_flow *f)
{
    struct sink s = sink_of(g, v, v->now);
    add(&s, MINUTE_octets_up, f->octets[v->up]);
    add(&s, MINUTE_octets_down, f->octets[!v->up]);
    add(&s, MINUTE_packets_up, f->packets[v->up]);
    add(&s, MINUTE_packets_down, f->packets[!v->up]);
    add(&s, MINUTE_retransmissions, (uint64_t)f->retransmissions[0] + f->retransmissions[1]);
    add(&s, MINUTE_missing_octets, f->missing_octets[0] + f->missing_octets[1]);
}

static void count_end(struct aggregate *g, struct view *v, const struct news *n)
{
    struct sink s = sink_of(g, v, v->now);
    add(&s, MINUTE_one_sided, n->one_sided);
    add(&s, MINUTE_tls_short, n->tls_short);
    add(&s, MINUTE_starttls_unasked, n->starttls_unasked);
    add(&s, MINUTE_quit_missing, n->quit_missing);
    add(&s, MINUTE_sessions_550_no_data, n->refused_no_data);
}

void count_now(struct aggregate *g, struct view *v, const struct record_flow *f,
               const struct flow *m, const struct news *n)
{
    struct sink s = sink_of(g, v, v->now);
    bool out = v->direction == MINUTE_OUT;
    uint32_t tries = 0;
    count_traffic(g, v, f);
    if (f->groups & RECORD_HAS_SMTP) {
        count_smtp(g, v, f, n);
        tries += f->smtp.auth;
    }
    if (f->groups & RECORD_HAS_LOGIN) {
        add(&s, MINUTE_auth, f->login.tries);
        add(&s, MINUTE_auth_failed, f->login.failures);
        tries += f->login.tries;
    }
    if (out && tries > 0)
        set(g, v->now, MINUTE_SET_providers_login, m->provider);
    if (v->role != MINUTE_OTHER) {
        add(&s, MINUTE_tls_sessions, n->tls);
        add(&s, MINUTE_tls_alerts, n->tls_alert);
        if (out && (f->groups & RECORD_HAS_TLS) && f->tls.ja4[0])
            set(g, v->now, MINUTE_SET_tls_clients, aggregate_ja4(g, f->tls.ja4));
    }
    if (f->groups & RECORD_HAS_SOCKS)
        count_socks(g, v, f, m, n);
    if (f->groups & RECORD_HAS_DNS) {
        acc_gauge(v->now, MINUTE_dns_mx_queries, f->dns.mx_queries);
        acc_gauge(v->now, MINUTE_dns_mx_nxdomain, f->dns.mx_nxdomain);
    }
    acc_gauge(v->now, MINUTE_hashes_cut, (f->incomplete & RECORD_HASHES_CUT) != 0);
    if (out)
        count_hashes(g, v->now, f->hash, f->hash_count);
    if (n->ended)
        count_end(g, v, n);
}
