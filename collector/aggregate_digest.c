// Digests: the flows of a minute one by one, as far as detectors need them. Mail and SOCKS always; other flows
// only when they may belong to a relay: from outside while the subscriber mails, and around a long flow that may
// carry for others (to a hosting network, or uploading) the new destinations that are opened while it lives.
#include "aggregate_parts.h"
#include "common/hash.h"

enum priority { PRIORITY_NONE, PRIORITY_BURST, PRIORITY_LONG, PRIORITY_ACCESS, PRIORITY_MAIL };

// A long flow to a hosting network carries others until so long after it was last seen.
#define CARRIER_HOLD_MS (120 * 1000)
// Behind whose data others are opened, longer: the sensor tells it when it has seen a few.
#define BEHIND_HOLD_MS (600 * 1000)
// So does mail, for flows from outside.
#define MAIL_HOLD_MS (120 * 1000)
// A long flow elsewhere may carry others when it uploads, and when what comes down is more than acknowledgements: a
// backup, a camera, a seed of files get no more than a fiftieth back.
#define CARRIER_OCTETS 2000
#define CARRIER_BACK   25
// Or when what the subscriber opens comes behind what comes down: a third of it, and three at least.
#define BEHIND_MIN  3
#define BEHIND_PART 3
// One that uploads need not be old for that, nor get more than one at a time: who takes orders may dial anew each few
// minutes, and over four flows.
#define ORDERS_PART 6

static enum priority mail_priority(const struct view *v, const struct flow *m)
{
    if (v->direction == MINUTE_OUT)
        return v->role == MINUTE_ACCESS ? PRIORITY_ACCESS : PRIORITY_MAIL;
    // From outside, everybody's ports are tried all day: only what was answered says something.
    bool answered = m->outcome != MINUTE_OUTCOME_PENDING && m->outcome != MINUTE_OUTCOME_REFUSED &&
                    m->outcome != MINUTE_OUTCOME_UNANSWERED && m->outcome != MINUTE_OUTCOME_ICMP;
    return answered ? PRIORITY_MAIL : PRIORITY_NONE;
}

static bool opens_behind(const struct view *v, const struct record_flow *f)
{
    return v->up == 0 && (f->groups & RECORD_HAS_CARRIER) && f->carrier.behind >= BEHIND_MIN &&
           f->carrier.behind * BEHIND_PART >= f->carrier.opened;
}

static bool uploads(const struct view *v, const struct record_flow *f)
{
    return f->octets[v->up] * 2 > f->octets[!v->up] * 3;
}

static bool takes_orders(const struct view *v, const struct record_flow *f)
{
    return v->up == 0 && (f->groups & RECORD_HAS_CARRIER) && uploads(v, f) &&
           f->carrier.behind > 0 && f->carrier.behind * ORDERS_PART >= f->carrier.opened;
}

static bool may_carry(const struct view *v, const struct record_flow *f)
{
    uint64_t up = f->octets[v->up], down = f->octets[!v->up];
    return v->hosting || opens_behind(v, f) ||
           (up >= CARRIER_OCTETS && uploads(v, f) && down * CARRIER_BACK > up);
}

// From outside and answered, while mail goes out: perhaps the other half of it.
static enum priority inbound_priority(const struct view *v, const struct record_flow *f,
                                      const struct flow *m)
{
    bool answered = m->outcome == MINUTE_OUTCOME_ESTABLISHED ||
                    m->outcome == MINUTE_OUTCOME_GREETED;
    return answered && f->flow_start_ms <= v->active->mails_until_ms ? PRIORITY_BURST
                                                                     : PRIORITY_NONE;
}

static enum priority priority_of(const struct aggregate *g, struct view *v,
                                 const struct record_flow *f, const struct flow *m)
{
    if (v->direction == MINUTE_OUT && (v->role == MINUTE_MX || v->role == MINUTE_SUBMISSION))
        v->active->mails_until_ms = f->end_ms + MAIL_HOLD_MS;
    if (v->role != MINUTE_OTHER)
        return mail_priority(v, m);
    if (f->groups & RECORD_HAS_SOCKS)
        return PRIORITY_MAIL;
    if (v->direction != MINUTE_OUT)
        return inbound_priority(v, f, m);
    bool ordered = takes_orders(v, f);
    if (ordered || (may_carry(v, f) && f->end_ms - f->flow_start_ms >= g->options.long_flow_ms)) {
        bool behind = ordered || opens_behind(v, f);
        int64_t until_ms = f->end_ms + (behind ? BEHIND_HOLD_MS : CARRIER_HOLD_MS);
        if (until_ms > v->active->carrier_until_ms)
            v->active->carrier_until_ms = until_ms;
        return PRIORITY_LONG;
    }
    bool rest = (f->flags & RECORD_END) && (f->groups & RECORD_HAS_CARRIER) && v->up == 0;
    if (rest && f->end_ms <= v->active->carrier_until_ms)
        return PRIORITY_LONG;
    bool fresh = (f->flags & RECORD_START) && (m->counted & FLOW_NEW_DESTINATION);
    return fresh && f->flow_start_ms <= v->active->carrier_until_ms ? PRIORITY_BURST
                                                                    : PRIORITY_NONE;
}

static int32_t within(int64_t t_ms, int64_t minute)
{
    int64_t t = t_ms - minute * 60000;
    return t < INT32_MIN ? INT32_MIN : t > INT32_MAX ? INT32_MAX : (int32_t)t;
}

static void raise(uint32_t *sum, uint64_t n)
{
    *sum = n > UINT32_MAX - *sum ? UINT32_MAX : *sum + (uint32_t)n;
}

static uint32_t flags_of(const struct view *v, const struct record_flow *f, const struct flow *m)
{
    bool smtp = f->groups & RECORD_HAS_SMTP;
    // An AUTH whose answer is still out is no success: something must have followed it.
    bool authenticated = m->auth > m->auth_failed &&
                         (m->mail > 0 || (f->groups & RECORD_HAS_LOGIN) || (f->flags & RECORD_END));
    uint32_t flags = 0;
    if (f->incomplete & (RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER))
        flags |= MINUTE_DIGEST_ONE_SIDED;
    if (m->counted & FLOW_TLS)
        flags |= MINUTE_DIGEST_TLS;
    if (authenticated)
        flags |= MINUTE_DIGEST_AUTH;
    if (m->auth_failed > 0)
        flags |= MINUTE_DIGEST_AUTH_FAILED;
    if (smtp && f->smtp.null_sender > 0)
        flags |= MINUTE_DIGEST_NULL_SENDER;
    if (smtp && f->smtp.blocklist_policy > 0)
        flags |= MINUTE_DIGEST_POLICY_REPLY;
    if (v->hosting)
        flags |= MINUTE_DIGEST_HOSTING;
    if (m->counted & FLOW_SOCKS_GRANTED)
        flags |= MINUTE_DIGEST_SOCKS_GRANTED;
    if (v->suspect)
        flags |= MINUTE_DIGEST_SUSPECT_SPOOF;
    if (v->scan)
        flags |= MINUTE_DIGEST_SCAN;
    if (f->incomplete & (RECORD_GAP | RECORD_SLICED | RECORD_NO_MEMORY | RECORD_PARSER_LOST))
        flags |= MINUTE_DIGEST_GAP;
    return flags;
}

static void first_hashes(struct minute_digest *d, const struct record_flow *f)
{
    for (unsigned i = f->hash_count; i > 0; i--) {
        const struct keyed_hash *h = &f->hash[i - 1];
        if (h->kind == KEYED_HASH_RECIPIENT)
            d->recipient = h->value;
        else if (h->kind == KEYED_HASH_SENDER)
            d->sender = h->value;
        else if (h->kind == KEYED_HASH_AUTH_USER || h->kind == KEYED_HASH_LOGIN_USER)
            d->user = h->value;
    }
}

static uint16_t at_most(uint64_t n, uint16_t most)
{
    return n < most ? (uint16_t)n : most;
}

// A flow is seldom told of twice in a minute: then the chances count by what was opened.
static void add_carrier(struct minute_digest *d, const struct record_carrier *c)
{
    if (c->opened == 0 || c->watched_ms == 0)
        return;
    uint64_t chance = (uint64_t)c->covered_ms * 1000 / c->watched_ms;
    uint64_t before = d->carrier_opened, both = before + c->opened;
    chance = (before * d->carrier_chance + c->opened * chance) / both;
    d->carrier_opened = at_most(both, UINT16_MAX);
    d->carrier_behind = at_most((uint64_t)d->carrier_behind + c->behind, d->carrier_opened);
    d->carrier_chance = at_most(chance, 1000);
    d->carrier_networks |= c->networks;
}

// What the record adds, in the row that its counters belong to.
static void add_counts(struct aggregate *g, struct minute_digest *d, const struct view *v,
                       const struct record_flow *f, const struct flow *m)
{
    uint64_t recipient = d->recipient, sender = d->sender, user = d->user;
    first_hashes(d, f);
    d->recipient = recipient ? recipient : d->recipient; // the first stays
    d->sender = sender ? sender : d->sender;
    d->user = user ? user : d->user;
    d->flags |= flags_of(v, f, m);
    d->octets_up += f->octets[v->up];
    d->octets_down += f->octets[!v->up];
    if (v->up == 0 && f->to_first_reply_ms > 0)
        d->first_down_ms = f->to_first_reply_ms + f->rtt_us / 1000;
    if (f->groups & RECORD_HAS_SMTP) {
        raise(&d->rcpt, f->smtp.rcpt);
        raise(&d->rcpt_5xx, f->smtp.rcpt_5xx);
        raise(&d->messages_ok, f->smtp.messages_ok);
        raise(&d->messages_5xx, f->smtp.messages_5xx);
    }
    if ((f->groups & RECORD_HAS_TLS) && f->tls.ja4[0])
        d->tls_client = aggregate_ja4(g, f->tls.ja4);
    if (v->up == 0 && (f->groups & RECORD_HAS_CARRIER))
        add_carrier(d, &f->carrier);
    if (f->groups & RECORD_HAS_SOCKS) {
        d->socks_port = f->socks.target_port;
        d->socks_inner = f->socks.inner_app;
        if (f->socks.first_octets_hash)
            d->relay_first = f->socks.first_octets_hash;
    }
}

static void set_provider(const struct aggregate *g, struct minute_digest *d, const struct view *v,
                         const struct flow *m)
{
    if (v->direction == MINUTE_OUT) {
        d->provider_kind = m->provider_kind;
        d->provider = m->provider;
        return;
    }
    struct provider p = provider_of(g->part.providers, v->peer, "");
    d->provider_kind = p.kind;
    d->provider = p.hash;
}

// The outcome, in the row of the minute in which it was decided; rows before it do not know it.
static void set_outcome(struct minute_digest *d, int64_t minute, const struct record_flow *f,
                        const struct flow *m, const struct news *n)
{
    int64_t at_ms = n->outcome ? f->outcome_ms : f->end_ms;
    if ((n->outcome || n->greeted) && minute < minute_of(at_ms))
        return;
    d->outcome = m->outcome;
    if ((n->outcome || n->greeted) && minute == minute_of(at_ms)) {
        d->flags |= MINUTE_DIGEST_OUTCOME;
        d->outcome_ms = within(at_ms, minute);
    }
}

void digest_flow(struct aggregate *g, struct view *v, struct acc *at, const struct record_flow *f,
                 const struct flow *m, const struct news *n)
{
    struct minute_digest *d = acc_digest(at, f->flow_hash);
    if (!d) {
        enum priority priority = priority_of(g, v, f, m);
        if (priority == PRIORITY_NONE)
            return;
        d = acc_digest_new(at, f->flow_hash, (uint8_t)priority, g->part.limits);
        if (!d)
            return;
        d->end_ms = INT32_MIN;
    }
    d->peer = *v->peer;
    d->peer_port = v->peer_port;
    d->own_port = v->own_port;
    d->role = (uint8_t)v->role;
    d->direction = (uint8_t)v->direction;
    d->app = f->app;
    d->start_ms = within(f->flow_start_ms, at->minute);
    int64_t last_ms = (at->minute + 1) * 60000 - 1;
    int32_t end_ms = within(f->end_ms < last_ms ? f->end_ms : last_ms, at->minute);
    d->end_ms = end_ms > d->end_ms ? end_ms : d->end_ms;
    set_provider(g, d, v, m);
    set_outcome(d, at->minute, f, m, n);
    if ((f->flags & RECORD_START) && minute_of(f->flow_start_ms) == at->minute)
        d->flags |= MINUTE_DIGEST_START;
    if (at != v->now)
        return;
    add_counts(g, d, v, f, m);
    if (f->flags & RECORD_END)
        d->flags |= MINUTE_DIGEST_END;
}
