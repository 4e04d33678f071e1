// Two halves of a flow, field by field: each half is believed on its own direction. Counts of commands come
// from the initiator's half and counts of replies from the responder's, so adding them counts nothing twice.
#include "pairs.h"

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint8_t join_handshake(const struct record_flow *a, const struct record_flow *b)
{
    static const uint8_t strongest_first[] = {
        RECORD_HANDSHAKE_ESTABLISHED, RECORD_HANDSHAKE_CLOSED_EARLY, RECORD_HANDSHAKE_REFUSED,
        RECORD_HANDSHAKE_ICMP,        RECORD_HANDSHAKE_UNANSWERED,   RECORD_HANDSHAKE_MIDSTREAM,
    };
    for (size_t i = 0; i < sizeof strongest_first; i++) {
        uint8_t h = strongest_first[i];
        if (a->handshake != h && b->handshake != h)
            continue;
        // The responder's half cannot know what the initiator sent.
        bool spoke = a->payload_octets[0] > 0 || b->payload_octets[0] > 0;
        return h == RECORD_HANDSHAKE_CLOSED_EARLY && spoke ? RECORD_HANDSHAKE_ESTABLISHED : h;
    }
    return RECORD_HANDSHAKE_PENDING;
}

// When the outcome that counts was decided: by the half that says so.
static void join_outcome(struct record_flow *into, const struct record_flow *b, uint8_t handshake)
{
    bool a_says = (into->flags & RECORD_OUTCOME) != 0, b_says = (b->flags & RECORD_OUTCOME) != 0;
    bool b_first = b_says && (!a_says || b->outcome_ms < into->outcome_ms);
    bool a_agrees = a_says && into->handshake == handshake;
    bool b_agrees = b_says && b->handshake == handshake;
    if (a_agrees != b_agrees ? b_agrees : b_first)
        into->outcome_ms = b->outcome_ms;
    into->handshake = handshake;
}

static void join_smtp(struct record_smtp *a, const struct record_smtp *b)
{
    if (a->banner_code == 0)
        a->banner_code = b->banner_code;
    if (b->starttls_state > a->starttls_state)
        a->starttls_state = b->starttls_state;
    a->pipelining_offered |= b->pipelining_offered;
    a->clear_after_tls |= b->clear_after_tls;
    a->helo_is_literal |= b->helo_is_literal;
    a->helo_is_peer |= b->helo_is_peer;
    a->xclient |= b->xclient;
    a->quit_seen |= b->quit_seen;
    // Half of a dialogue cannot tell who spoke first.
    a->early_talker = false;
    a->unoffered_pipelining = 0;
#define X(name, element, text) a->name += b->name;
    RECORD_SMTP_COUNTERS(X)
#undef X
    a->unoffered_pipelining = 0;
}

static bool is_zero(const uint8_t hash[static 32])
{
    static const uint8_t zero[32];
    return memcmp(hash, zero, sizeof zero) == 0;
}

static void join_tls(struct record_tls *a, const struct record_tls *b)
{
    if (a->version == 0)
        a->version = b->version;
    if (a->cipher == 0)
        a->cipher = b->cipher;
    if (!a->ja4[0])
        memcpy(a->ja4, b->ja4, sizeof a->ja4);
    if (!a->sni_domain[0])
        memcpy(a->sni_domain, b->sni_domain, sizeof a->sni_domain);
    if (!a->alpn[0])
        memcpy(a->alpn, b->alpn, sizeof a->alpn);
    if (is_zero(a->certificate_hash))
        memcpy(a->certificate_hash, b->certificate_hash, sizeof a->certificate_hash);
    if (a->alert == 255)
        a->alert = b->alert;
    for (int d = 0; d < 2; d++)
        a->application_octets[d] += b->application_octets[d];
    a->time_to_close_ms = (uint32_t)greater(a->time_to_close_ms, b->time_to_close_ms);
    a->handshake_done |= b->handshake_done;
}

static void join_socks(struct record_socks *a, const struct record_socks *b)
{
    if (a->version == 0)
        a->version = b->version;
    if (a->method == 0xff)
        a->method = b->method;
    if (a->command == 0) {
        a->command = b->command;
        a->target_port = b->target_port;
        a->target = b->target;
    }
    if (a->reply == 0xff)
        a->reply = b->reply;
    a->is_4a |= b->is_4a;
    a->granted |= b->granted;
    a->auth_failed |= b->auth_failed;
    a->reverse |= b->reverse;
    for (int d = 0; d < 2; d++)
        a->relayed_octets[d] += b->relayed_octets[d];
    if (a->inner_app == RECORD_APP_UNKNOWN)
        a->inner_app = b->inner_app;
    if (a->first_octets_hash == 0)
        a->first_octets_hash = b->first_octets_hash;
}

static void join_dns(struct record_dns *a, const struct record_dns *b)
{
    a->queries += b->queries;
    a->mx_queries += b->mx_queries;
    a->mx_nxdomain += b->mx_nxdomain;
    a->mx_names_distinct += b->mx_names_distinct;
}

static void join_groups(struct record_flow *into, const struct record_flow *b)
{
    uint32_t both = into->groups & b->groups, fresh = b->groups & ~(uint32_t)into->groups;
    if (both & RECORD_HAS_SMTP)
        join_smtp(&into->smtp, &b->smtp);
    if (fresh & RECORD_HAS_SMTP)
        into->smtp = b->smtp;
    if (both & RECORD_HAS_TLS)
        join_tls(&into->tls, &b->tls);
    if (fresh & RECORD_HAS_TLS)
        into->tls = b->tls;
    if (both & RECORD_HAS_SOCKS)
        join_socks(&into->socks, &b->socks);
    if (fresh & RECORD_HAS_SOCKS)
        into->socks = b->socks;
    if (both & RECORD_HAS_DNS) // questions of the one, answers of the other
        join_dns(&into->dns, &b->dns);
    if (fresh & RECORD_HAS_DNS)
        into->dns = b->dns;
    if (both & RECORD_HAS_LOGIN) {
        into->login.tries += b->login.tries;
        into->login.failures += b->login.failures;
    }
    if (fresh & RECORD_HAS_LOGIN)
        into->login = b->login;
    if (fresh & RECORD_HAS_L2)
        into->l2 = b->l2;
    if (fresh & RECORD_HAS_CARRIER)
        into->carrier = b->carrier;
    into->groups |= b->groups;
}

static void join_hashes(struct record_flow *into, const struct record_flow *b)
{
    for (uint8_t i = 0; i < b->hash_count; i++) {
        if (into->hash_count == RECORD_HASHES_MAX) {
            into->incomplete |= RECORD_HASHES_CUT;
            return;
        }
        into->hash[into->hash_count++] = b->hash[i];
    }
}

// Each direction as the half that saw it tells it. What the other half misses of it is not missing.
static void join_directions(struct record_flow *into, const struct record_flow *b)
{
    int seen = into->incomplete & RECORD_ONLY_INITIATOR ? 0 : 1, other = !seen;
    into->packets[other] = b->packets[other];
    into->octets[other] = b->octets[other];
    into->payload_octets[other] = b->payload_octets[other];
    into->missing_octets[other] = b->missing_octets[other];
    into->retransmissions[other] = b->retransmissions[other];
}

void pairs_join(struct record_flow *into, const struct record_flow *b)
{
    uint8_t handshake = join_handshake(into, b);
    uint32_t halves = RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER;
    bool from_responder = (into->incomplete & RECORD_ONLY_RESPONDER) != 0;
    join_directions(into, b);
    join_outcome(into, b, handshake);
    join_groups(into, b);
    if (into->app == RECORD_APP_UNKNOWN) {
        into->app = b->app;
        into->app_source = b->app_source;
    }
    if (from_responder) { // the SYN is the initiator's
        into->ttl_min = b->ttl_min;
        into->ttl_max = b->ttl_max;
    }
    if (b->flow_start_ms < into->flow_start_ms)
        into->flow_start_ms = b->flow_start_ms;
    if (b->start_ms < into->start_ms)
        into->start_ms = b->start_ms;
    if (b->end_ms > into->end_ms)
        into->end_ms = b->end_ms;
    into->syn_count = (uint16_t)greater(into->syn_count, b->syn_count);
    into->rtt_us = (uint32_t)greater(into->rtt_us, b->rtt_us);
    into->duplicates += b->duplicates;
    if ((b->isn_seen & 2) && !(into->isn_seen & 2)) {
        into->responder_isn = b->responder_isn;
        into->isn_seen |= 2;
    }
    into->incomplete = (into->incomplete | b->incomplete) & ~halves;
    if (into->missing_octets[0] == 0 && into->missing_octets[1] == 0)
        into->incomplete &= ~(uint32_t)RECORD_GAP;
    into->incomplete |= RECORD_PARSER_LOST; // nothing is told of what a dialogue lacks
    uint8_t flags = into->flags | b->flags;
    into->flags = flags & RECORD_START ? (uint8_t)(flags & ~RECORD_CONTINUE) : flags;
    join_hashes(into, b);
}
