// A flow record and the one or two subscribers it speaks of: keys, minutes, the flow's memory and who has how
// many connections open.
#include "aggregate_parts.h"
#include "common/hash.h"
#include "log_merge.h"

#include <assert.h>
#include <stdlib.h>

#include "seen.h"

#define FORGET_AFTER_MS (60 * 60 * 1000)

// Where a flow counts as open; in `sweep` of struct flow.
enum { SWEEP_NONE, SWEEP_MX, SWEEP_SOCKS };

int64_t minute_of(int64_t t_ms)
{
    return t_ms / 60000 - (t_ms % 60000 < 0);
}

bool is_mail_port(uint16_t port)
{
    return port == 25 || port == 465 || port == 587 || port == 2525;
}

bool is_mail_app(uint8_t app)
{
    return app == RECORD_APP_SMTP || app == RECORD_APP_SMTPS || app == RECORD_APP_LMTP;
}

static bool is_access(uint16_t port, uint8_t app)
{
    return port == 110 || port == 143 || port == 993 || port == 995 || app == RECORD_APP_POP3 ||
           app == RECORD_APP_POP3S || app == RECORD_APP_IMAP || app == RECORD_APP_IMAPS;
}

enum minute_role role_of(uint16_t service_port, uint8_t app, bool peer_is_smarthost)
{
    if (!is_mail_port(service_port) && !is_mail_app(app))
        return is_access(service_port, app) ? MINUTE_ACCESS : MINUTE_OTHER;
    if (peer_is_smarthost)
        return MINUTE_SMARTHOST;
    bool submission = service_port == 465 || service_port == 587 || service_port == 2525;
    return submission ? MINUTE_SUBMISSION : MINUTE_MX;
}

// ---- Whole

// An open connection that is heard of no more ends in the subscriber's latest open minute.
static void close_sweep(struct aggregate *g, struct flow *m, unsigned side, int64_t t_ms)
{
    struct active *a = m->open[side];
    unsigned sweep = m->sweep == SWEEP_MX ? ACC_SWEEP_MX : ACC_SWEEP_SOCKS;
    if (!a)
        return;
    m->open[side] = NULL;
    a->flows--;
    struct acc *latest = NULL;
    for (struct acc *acc = a->acc; acc; acc = acc->of_key)
        if (!acc->amends && (acc->minute <= minute_of(t_ms) || !latest))
            latest = acc;
    if (latest)
        acc_sweep(latest, sweep, true, t_ms, g->part.limits);
    else if (a->open[sweep] > 0)
        a->open[sweep]--;
}

static void end_flow(struct flow *m, void *ctx)
{
    for (unsigned side = 0; side < 2; side++)
        close_sweep(ctx, m, side, m->last_ms);
}

struct aggregate *aggregate_new(const struct aggregate_options *options,
                                const struct aggregate_parts *parts, size_t flows_max)
{
    struct aggregate *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->options = *options;
    g->part = *parts;
    g->flows = flowmap_new(flows_max, end_flow, g);
    g->seen = seen_new();
    if (g->flows && g->seen)
        return g;
    aggregate_free(g);
    return NULL;
}

void aggregate_free(struct aggregate *g)
{
    if (!g)
        return;
    flowmap_free(g->flows);
    seen_free(g->seen);
    free(g);
}

void aggregate_doubt(struct aggregate *g, int process, uint32_t doubts)
{
    if (process >= 0 && process < WATERMARK_PROCESSES_MAX)
        g->doubts[process] = doubts;
}

void aggregate_expire(struct aggregate *g, int64_t now_ms)
{
    flowmap_expire(g->flows, now_ms - FORGET_AFTER_MS);
    actives_expire(g->part.actives, now_ms - FORGET_AFTER_MS);
}

// ---- Subscribers

static struct subscriber_key key_of(const struct aggregate *g, const struct realm *realm,
                                    const struct ip_addr *addr, const struct lease_answer *lease)
{
    int64_t len = addr->family == IP_V4 ? g->options.subscriber_len_v4
                                        : g->options.subscriber_len_v6;
    struct ip_prefix p = prefix_of(addr, (uint8_t)len);
    struct subscriber_key key = subscriber_key_of(realm, &p);
    if (lease->lease != LEASES_NONE) {
        key.port_first = lease->port_first;
        key.port_last = lease->port_last;
    }
    return key;
}

struct active *aggregate_active(struct aggregate *g, const struct realm *realm,
                                const struct ip_addr *addr, uint16_t port, int64_t t_ms,
                                struct lease_answer *answer)
{
    *answer = leases_find(g->part.leases, realm, addr, port, t_ms);
    struct subscriber_key key = key_of(g, realm, addr, answer);
    bool is_new;
    struct active *a = actives_get(g->part.actives, &key, answer, t_ms, &is_new);
    g->stats.no_room += !a;
    return a;
}

void aggregate_fetch(const struct aggregate *g, const struct record_flow *f,
                     struct actives_hint *hint)
{
    bool in = f->side == RECORD_SIDE_RESPONDER;
    const struct ip_addr *addr = in ? &f->responder : &f->initiator;
    uint16_t port = in ? f->responder_port : f->initiator_port;
    struct lease_answer answer = leases_find(g->part.leases, &f->realm, addr, port, f->start_ms);
    struct subscriber_key key = key_of(g, &f->realm, addr, &answer);
    actives_fetch(g->part.actives, &key, &answer, hint);
}

struct acc *aggregate_acc(struct aggregate *g, struct active *a, const struct lease_answer *answer,
                          int64_t t_ms, int process, uint32_t flags)
{
    struct acc *acc = minutes_acc(g->part.minutes, a, minute_of(t_ms), process);
    if (!acc) {
        g->part.limits->out_of_memory++;
        return NULL;
    }
    uint32_t doubts = process < WATERMARK_PROCESSES_MAX ? g->doubts[process] : 0;
    acc->flags |= flags;
    acc->doubts |= answer->doubts | doubts;
    if (doubts && acc->confidence > IDENTITY_LIKELY)
        acc->confidence = IDENTITY_LIKELY;
    if (answer->confidence < acc->confidence)
        acc->confidence = answer->confidence;
    return acc;
}

uint64_t aggregate_ja4(struct aggregate *g,
                       const char ja4[static sizeof(((struct client *)0)->ja4)])
{
    uint64_t word[sizeof(((struct client *)0)->ja4) / sizeof(uint64_t)], h = 0;
    memcpy(word, ja4, sizeof word);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        h = (h ^ word[i]) * 0x9e3779b97f4a7c15u;
    struct client *c = &g->client[(h >> 32) % CLIENTS];
    if (c->ja4[0] == 0 || memcmp(c->ja4, ja4, sizeof c->ja4) != 0) {
        memcpy(c->ja4, ja4, sizeof c->ja4);
        c->hash = hash_octets(HASH_JA4, span_of_text(ja4));
    }
    return c->hash;
}

void aggregate_sent(struct aggregate *g, struct active *a)
{
    if (a->sent)
        return;
    a->sent = true;
    g->stats.subscribers += seen_add(g->seen, subscriber_key_hash(&a->key, 0));
}

// ---- Flows

static uint8_t side_of(const struct aggregate *g, const struct record_flow *f)
{
    if (f->side != RECORD_SIDE_NONE)
        return f->side;
    bool a = prefix_set_find(g->part.subscribers, &f->initiator, NULL);
    bool b = prefix_set_find(g->part.subscribers, &f->responder, NULL);
    return a && b ? RECORD_SIDE_BOTH
           : a    ? RECORD_SIDE_INITIATOR
           : b    ? RECORD_SIDE_RESPONDER
                  : RECORD_SIDE_NONE;
}

// When the record's counters count: from its start on; but when that minute is closed already and a later
// one is open, its end's.
static int64_t now_of(const struct aggregate *g, const struct record_flow *f)
{
    bool late = minutes_closed(g->part.minutes, minute_of(f->start_ms)) &&
                !minutes_closed(g->part.minutes, minute_of(f->end_ms));
    return late ? f->end_ms : f->start_ms;
}

struct times { // of one record
    int64_t now_ms;
    int process;
    uint32_t flags;
    struct lease_answer answer;
};

static bool make_view(struct aggregate *g, struct view *v, const struct record_flow *f,
                      const struct flow *m, unsigned up, struct times *t)
{
    const struct ip_addr *addr[2] = {&f->initiator, &f->responder};
    const uint16_t port[2] = {f->initiator_port, f->responder_port};
    *v = (struct view){
        .direction = up == 0 ? MINUTE_OUT : MINUTE_IN,
        .up = up,
        .peer = addr[!up],
        .own_port = port[up],
        .peer_port = port[!up],
        .process = t->process,
    };
    v->active = aggregate_active(g, &f->realm, addr[up], port[up], t->now_ms, &t->answer);
    if (!v->active)
        return false;
    v->now = aggregate_acc(g, v->active, &t->answer, t->now_ms, t->process, t->flags);
    if (!v->now)
        return false;
    v->hosting = prefix_set_find(g->part.hosting, v->peer, NULL);
    bool mail = m->role == MINUTE_MX || m->role == MINUTE_SUBMISSION;
    v->role = mail && prefix_set_find(g->part.smarthosts, v->peer, NULL) ? MINUTE_SMARTHOST
                                                                         : m->role;
    if (f->packets[up] > 0)
        aggregate_sent(g, v->active);
    return true;
}

static struct acc *acc_at(struct aggregate *g, struct view *v, int64_t t_ms, const struct times *t)
{
    if (minute_of(t_ms) == v->now->minute)
        return v->now;
    return aggregate_acc(g, v->active, &t->answer, t_ms, t->process, t->flags);
}

// A connection counts as open from its start to its end or failure. `from` is the minute it began in.
static void open_sweep(struct aggregate *g, struct view *v, struct flow *m, struct acc *from,
                       const struct record_flow *f, const struct news *n)
{
    bool mx = (n->begun || n->midstream) && v->direction == MINUTE_OUT && v->role == MINUTE_MX;
    if (m->open[v->up] || (m->sweep != SWEEP_NONE && !mx) || (!mx && !n->socks))
        return;
    struct acc *acc = mx ? from : v->now;
    if (!acc || acc->amends)
        return;
    m->sweep = mx ? SWEEP_MX : SWEEP_SOCKS;
    m->open[v->up] = v->active;
    v->active->flows++;
    acc_sweep(acc, mx ? ACC_SWEEP_MX : ACC_SWEEP_SOCKS, false, mx ? f->flow_start_ms : f->start_ms,
              g->part.limits);
}

static void apply(struct aggregate *g, struct view *v, const struct record_flow *f, struct flow *m,
                  const struct news *n, const struct times *t)
{
    struct acc *begun = NULL, *decided = NULL;
    if (n->begun || n->midstream) {
        begun = acc_at(g, v, f->flow_start_ms, t);
        if (begun)
            count_begin(g, v, begun, f, m, n);
    }
    if (n->outcome) {
        decided = acc_at(g, v, f->outcome_ms, t);
        if (decided)
            count_outcome(g, v, decided, f, n);
    }
    count_now(g, v, f, m, n);
    open_sweep(g, v, m, begun, f, n);
    if (v->role == MINUTE_SMARTHOST && v->direction == MINUTE_OUT) {
        bool envelopes = (f->groups & RECORD_HAS_SMTP) &&
                         f->smtp.mail + f->smtp.rcpt + f->smtp.auth > 0;
        if (envelopes && f->end_ms > v->active->envelopes_ms)
            v->active->envelopes_ms = f->end_ms;
        log_merge_packets(v->now, v->own_port, v->peer_port, envelopes, g->part.limits);
    }
    digest_flow(g, v, v->now, f, m, n);
    if (begun && begun != v->now)
        digest_flow(g, v, begun, f, m, n);
    if (decided && decided != v->now && decided != begun)
        digest_flow(g, v, decided, f, m, n);
}

static void learn_provider(struct aggregate *g, struct flow *m, const struct record_flow *f)
{
    const char *sni = f->groups & RECORD_HAS_TLS ? f->tls.sni_domain : "";
    if (m->provider_kind != MINUTE_PROVIDER_NONE && !sni[0])
        return;
    struct provider p = provider_of(g->part.providers, &f->responder, sni);
    m->provider_kind = p.kind;
    m->provider = p.hash;
}

// Keeps what the next record of the flow will need, or lets it go.
static void settle_flow(struct aggregate *g, struct flow *known, struct flow *m,
                        const struct record_flow *f, const struct news *n)
{
    bool failed = n->outcome && is_failure(f->handshake);
    if (n->ended || failed)
        for (unsigned side = 0; side < 2; side++)
            close_sweep(g, m, side, failed && !n->ended ? f->outcome_ms : f->end_ms);
    if (n->ended) {
        if (known)
            flowmap_drop(g->flows, known);
    } else if (known) {
        flowmap_touch(g->flows, known, f->end_ms);
    } else if (m->role != MINUTE_OTHER || (m->counted & FLOW_SOCKS)) {
        m->last_ms = f->end_ms;
        flowmap_put(g->flows, m);
    }
}

void aggregate_flow(struct aggregate *g, const struct record_flow *f, int process, bool exported)
{
    uint8_t side = side_of(g, f);
    if (side == RECORD_SIDE_NONE) {
        g->stats.no_subscriber++;
        return;
    }
    struct flow fresh = {.hash = f->flow_hash, .role = MINUTE_OTHER};
    struct flow *known = flowmap_find(g->flows, f->flow_hash);
    struct flow *m = known ? known : &fresh;
    if (m->role == MINUTE_OTHER)
        m->role = (uint8_t)role_of(f->responder_port, f->app, false);
    learn_provider(g, m, f);
    struct news n;
    news_of(f, m, &n);
    g->stats.flows += n.begun || n.midstream;
    for (unsigned up = 0; up < 2; up++) {
        bool ours = side == RECORD_SIDE_BOTH || (side == RECORD_SIDE_RESPONDER) == (up == 1);
        struct times t = {.now_ms = now_of(g, f),
                          .process = process,
                          .flags = exported ? MINUTE_FROM_EXPORT : MINUTE_FROM_PACKETS};
        struct view v;
        if (ours && make_view(g, &v, f, m, up, &t))
            apply(g, &v, f, m, &n, &t);
    }
    settle_flow(g, known, m, f, &n);
}

const struct aggregate_stats *aggregate_stats(const struct aggregate *g)
{
    return &g->stats;
}

const struct flowmap *aggregate_flows(const struct aggregate *g)
{
    return g->flows;
}
