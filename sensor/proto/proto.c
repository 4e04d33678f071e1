// The trackers' registry and the entry points of the flow layer: who gets the octets, how dialogues
// nest, and how what was counted reaches the record.
//
// The legal profile is enforced here and in ident.c: with flow-only nothing is ever opened; with
// own-smarthost-content only dialogues with the operator's own mail servers are followed, of other
// peers no more than TLS handshakes.
#include "proto/proto.h"

#include <assert.h>

#include "ident.h"
#include "proto/dns.h"
#include "proto/pool.h"

const struct proto_descriptor *const proto_registry[] = {
    &proto_tls,          &proto_socks4, &proto_socks5, &proto_socks5_reverse,
    &proto_http_connect, &proto_smtp,   &proto_pop3,   &proto_imap,
    &proto_dns,          NULL,
};

static const char *const counter_name[PROTO_COUNTER_N] = {
#define X(name, text) #name,
    PROTO_COUNTERS(X)
#undef X
};

const char *proto_counter_name(unsigned counter)
{
    return counter < PROTO_COUNTER_N ? counter_name[counter] : NULL;
}

bool proto_may_look(const struct proto_flow *f)
{
    switch (f->context->profile) {
    case COVERAGE_FULL_ENVELOPE: return true;
    case COVERAGE_OWN_SMARTHOST_CONTENT: return f->peer_is_smarthost;
    default: return false;
    }
}

void proto_set_app(struct proto_flow *f, uint8_t app, uint8_t app_source)
{
    if (f->depth <= 1) {
        f->app = app;
        f->app_source = app_source;
        f->named = true;
        return;
    }
    const struct proto_descriptor *below = f->stack[f->depth - 2].proto;
    if (below->inner)
        below->inner(f, f->stack[f->depth - 2].state, app);
}

// ---- The stack.

static bool push(struct proto_flow *f, struct proto_pool *pool, const struct proto_descriptor *d,
                 int64_t t_us)
{
    if (f->depth == PROTO_DEPTH_MAX) {
        f->context->counters[PROTO_nested_too_deep]++;
        f->deaf = true;
        return false;
    }
    void *state = pool_take(pool, d->state_size);
    if (!state) {
        f->context->counters[PROTO_pool_empty]++;
        f->deaf = true;
        return false;
    }
    for (const uint16_t *o = d->touched; *o != 0; o++)
        __builtin_prefetch((const char *)state + *o, 1);
    f->stack[f->depth].proto = d;
    f->stack[f->depth].state = state;
    f->depth++;
    f->overheard |= d->passed != NULL;
    if (d->open)
        d->open(f, state, t_us);
    return true;
}

static void pop(struct proto_flow *f)
{
    f->depth--;
    void *state = f->stack[f->depth].state;
    void (*wipe)(void *) = f->stack[f->depth].proto->wipe;
    if (wipe) {
        wipe(state);
        pool_give_wiped(state);
    } else {
        pool_give(state);
    }
    f->stack[f->depth].state = NULL;
    f->stack[f->depth].proto = NULL;
}

// The trackers below `top` learn how much passes over them.
static void tell_passed(struct proto_flow *f, uint8_t from, uint8_t top, enum proto_side side,
                        struct span data)
{
    for (uint8_t i = from; i < top; i++)
        if (f->stack[i].proto->passed)
            f->stack[i].proto->passed(f, f->stack[i].state, side, data);
}

void proto_switch(struct proto_flow *f, const struct proto_descriptor *next, enum proto_side side,
                  struct span rest, int64_t t_us)
{
    assert(f->depth > 0);
    uint8_t below = (uint8_t)(f->depth - 1);
    struct proto_pool *pool = pool_of(f->stack[below].state);
    if (rest.len > 0)
        tell_passed(f, below, f->depth, side, rest);
    if (push(f, pool, next, t_us) && rest.len > 0)
        next->feed(f, f->stack[f->depth - 1].state, side, rest, t_us);
}

void proto_pass(struct proto_flow *f, enum proto_side side, struct span rest, int64_t t_us)
{
    if (rest.len == 0 || f->depth == 0 || f->deaf)
        return;
    uint8_t top = (uint8_t)(f->depth - 1);
    f->stack[top].proto->feed(f, f->stack[top].state, side, rest, t_us);
}

void proto_replace(struct proto_flow *f, const struct proto_descriptor *next, int64_t t_us)
{
    struct proto_pool *pool = pool_of(f->stack[f->depth - 1].state);
    pop(f);
    if (next) {
        push(f, pool, next, t_us);
    } else if (f->depth == 0) {
        f->decided = true;
    }
}

// Of the hashes only those that were not told yet are there (clear_deltas).
static void give_result(struct proto_result *r)
{
    if (!r)
        return;
    memset(r->hash, 0, r->hash_count * sizeof *r->hash);
    if (r->groups & RECORD_HAS_TLS)
        memset(&r->tls, 0, sizeof r->tls);
    if (r->groups & RECORD_HAS_SOCKS)
        memset(&r->socks, 0, sizeof r->socks);
    if (r->groups & RECORD_HAS_DNS)
        memset(&r->dns, 0, sizeof r->dns);
    if (r->groups & RECORD_HAS_LOGIN)
        memset(&r->login, 0, sizeof r->login);
    memset(r, 0, offsetof(struct proto_result, hash));
    pool_give_wiped(r);
}

// ---- What the flow layer calls.

// With nobody on the stack: shall there be a tracker for what comes now? `data` is empty when that is missing.
static __attribute__((noinline)) bool begin(struct proto_flow *f, struct proto_pool *pool,
                                            enum proto_side side, struct span data, int64_t t_us)
{
    if (f->decided)
        return false;
    if (f->context->profile == COVERAGE_FLOW_ONLY) {
        f->decided = true;
        return false;
    }
    const struct proto_descriptor *d = data.len > 0 ? ident_first(f, side, data) : &ident_peek;
    if (!d)
        return false;
    if (!push(f, pool, d, t_us))
        f->decided = true;
    return f->depth > 0;
}

void proto_feed(struct proto_flow *f, struct proto_pool *pool, enum proto_side side,
                struct span data, int64_t t_us)
{
    if (data.len == 0 || (f->depth == 0 && !begin(f, pool, side, data, t_us)))
        return;
    uint8_t top = (uint8_t)(f->depth - 1);
    if (f->overheard)
        tell_passed(f, 0, f->deaf ? f->depth : top, side, data);
    if (!f->deaf)
        f->stack[top].proto->feed(f, f->stack[top].state, side, data, t_us);
}

void proto_gap(struct proto_flow *f, struct proto_pool *pool, enum proto_side side,
               uint64_t missing, int64_t t_us)
{
    if (missing == 0 || f->deaf || (f->depth == 0 && !begin(f, pool, side, (struct span){0}, t_us)))
        return;
    uint8_t top = (uint8_t)(f->depth - 1);
    f->stack[top].proto->gap(f, f->stack[top].state, side, missing, t_us);
}

void proto_datagram(struct proto_flow *f, struct proto_pool *pool, enum proto_side side,
                    struct span data, int64_t t_us)
{
    if (!f->decided) {
        // A datagram is whole: the rule is asked once, with this one.
        f->decided = true;
        struct proto_peek peek = {.port = {f->port[0], f->port[1]},
                                  .ip_proto = f->ip_proto,
                                  .responder_spoke_first = side == PROTO_RESPONDER,
                                  .midstream = f->midstream};
        peek.first[side] = data;
        if (f->context->profile != COVERAGE_FLOW_ONLY && proto_dns.match(&peek) == PROTO_YES)
            proto_set_app(f, RECORD_APP_DNS, RECORD_APP_BY_CONTENT);
    }
    if (f->app != RECORD_APP_DNS || f->deaf || data.len == 0 || !proto_may_look(f))
        return;
    if (f->depth == 0 && (!dns_asks_mx(data) || !push(f, pool, &proto_dns, t_us)))
        return;
    proto_dns.feed(f, f->stack[0].state, side, data, t_us);
}

void proto_close(struct proto_flow *f, struct proto_pool *pool, enum proto_end end, int64_t t_us)
{
    (void)pool;
    // Of one that ends by its time-out both lie long untouched: they are fetched at once, not one behind the other.
    if (f->depth > 0)
        __builtin_prefetch(f->stack[f->depth - 1].state, 1);
    if (f->out)
        __builtin_prefetch(f->out, 1);
    while (f->depth > 0) {
        uint8_t top = (uint8_t)(f->depth - 1);
        const struct proto_descriptor *d = f->stack[top].proto;
        uint8_t depth = f->depth;
        if (d->close)
            d->close(f, f->stack[top].state, end, t_us);
        // A peek may have found its tracker only now: that one wants to be closed, too.
        if (f->depth == depth && f->stack[top].proto == d)
            pop(f);
    }
}

void proto_drop(struct proto_flow *f, struct proto_pool *pool)
{
    (void)pool;
    while (f->depth > 0)
        pop(f);
    give_result(f->out);
    f->out = NULL;
    f->decided = true;
}

// ---- Results.

struct proto_result *proto_result_new(struct proto_flow *f)
{
    assert(f->depth > 0);
    struct proto_pool *pool = pool_of(f->stack[f->depth - 1].state);
    f->out = pool_take(pool, sizeof *f->out);
    if (!f->out) {
        f->context->counters[PROTO_pool_empty]++;
        return pool_dummy_result(pool);
    }
    f->out->fresh = true;
    return f->out;
}

void proto_result_begin(struct proto_result *r, uint8_t group)
{
    r->groups |= group;
    if (group == RECORD_HAS_TLS) {
        r->tls.alert = 255;
    } else if (group == RECORD_HAS_SOCKS) {
        r->socks.reply = 0xff;
        r->socks.method = 0xff;
    }
}

struct keyed_hash proto_hash_of(struct proto_flow *f, enum keyed_hash_kind kind, struct span name)
{
    return keyed_hash(f->context->key, kind, name);
}

void proto_hash(struct proto_flow *f, enum keyed_hash_kind kind, struct span name)
{
    proto_hash_note(f, proto_hash_of(f, kind, name));
}

void proto_hash_note(struct proto_flow *f, struct keyed_hash h)
{
    struct proto_result *r = proto_result(f);
    for (uint8_t i = 0; i < r->hash_count; i++)
        if (r->hash[i].kind == h.kind && r->hash[i].value == h.value)
            return;
    if (r->hash_count == RECORD_HASHES_MAX) {
        r->incomplete |= RECORD_HASHES_CUT;
        return;
    }
    r->hash[r->hash_count++] = h;
}

static void clear_deltas(struct proto_result *r)
{
    // Without SMTP they are zero, but stand in front.
#define X(name, element, text) r->smtp.name = 0;
    RECORD_SMTP_COUNTERS(X)
#undef X
    if (r->groups & RECORD_HAS_TLS)
        memset(r->tls.application_octets, 0, sizeof r->tls.application_octets);
    if (r->groups & RECORD_HAS_SOCKS)
        memset(r->socks.relayed_octets, 0, sizeof r->socks.relayed_octets);
    if (r->groups & RECORD_HAS_DNS)
        memset(&r->dns, 0, sizeof r->dns);
    if (r->groups & RECORD_HAS_LOGIN)
        memset(&r->login, 0, sizeof r->login);
    memset(r->hash, 0, r->hash_count * sizeof *r->hash);
    r->hash_count = 0;
    r->incomplete &= ~(uint32_t)RECORD_HASHES_CUT;
    r->fresh = false;
}

bool proto_report(struct proto_flow *f, struct record_flow *out)
{
    bool flow_only = f->context->profile == COVERAGE_FLOW_ONLY;
    if (f->app_source == RECORD_APP_BY_NOTHING && (!f->decided || flow_only)) {
        out->app = ident_app_of_port(f->port[PROTO_RESPONDER], f->ip_proto);
        out->app_source = out->app == RECORD_APP_UNKNOWN ? RECORD_APP_BY_NOTHING
                                                         : RECORD_APP_BY_PORT;
    } else {
        out->app = f->app;
        out->app_source = f->app_source;
    }
    out->ndpi_protocol = f->ndpi_protocol;
    if (flow_only)
        out->incomplete |= RECORD_FLOW_ONLY;
    struct proto_result *r = f->out;
    if (!r)
        return false;
    bool fresh = r->fresh;
    out->groups |= r->groups;
    out->incomplete |= r->incomplete;
    if (r->groups & RECORD_HAS_SMTP)
        out->smtp = r->smtp;
    if (r->groups & RECORD_HAS_TLS)
        out->tls = r->tls;
    if (r->groups & RECORD_HAS_SOCKS)
        out->socks = r->socks;
    if (r->groups & RECORD_HAS_DNS)
        out->dns = r->dns;
    if (r->groups & RECORD_HAS_LOGIN)
        out->login = r->login;
    out->hash_count = r->hash_count;
    memcpy(out->hash, r->hash, r->hash_count * sizeof *r->hash);
    clear_deltas(r);
    return fresh;
}
