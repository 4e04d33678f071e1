// Identification: the peek buffer, the order in which rules are asked, and the end of waiting.
//
// A rule sees at most PROTO_PEEK_MAX octets a side. While some rule says MAYBE and there is room the
// octets wait here, with the order of both sides' runs and gaps remembered; then the chosen tracker
// is fed all of it as if it had been there from the start. When a side's room is used up, the runs
// are, or the flow ends, a MAYBE counts as no.
#include "ident.h"

#include <string.h>

#include "ident_ndpi.h"
#include "proto/pool.h"

#define IDENT_RUNS_MAX 24

struct ident_run {
    uint8_t side;
    bool gap;
    uint16_t len;     // octets of this run
    uint64_t missing; // of a gap
};

struct ident_peek_state {
    uint16_t len[2];
    uint8_t runs;
    bool responder_first;
    bool beginning_lost; // a gap stood before the first octet
    struct ident_run run[IDENT_RUNS_MAX];
    uint8_t octet[2][PROTO_PEEK_MAX];
};

bool ident_is_mail_port(uint16_t port)
{
    return port == 25 || port == 465 || port == 587 || port == 2525;
}

uint8_t ident_app_of_port(uint16_t port, uint8_t ip_proto)
{
    static const struct {
        uint16_t port;
        uint8_t app;
    } usual[] = {
        {22, RECORD_APP_SSH},    {25, RECORD_APP_SMTP},   {53, RECORD_APP_DNS},
        {80, RECORD_APP_HTTP},   {110, RECORD_APP_POP3},  {143, RECORD_APP_IMAP},
        {443, RECORD_APP_TLS},   {465, RECORD_APP_SMTPS}, {587, RECORD_APP_SMTP},
        {993, RECORD_APP_IMAPS}, {995, RECORD_APP_POP3S}, {1080, RECORD_APP_SOCKS5},
        {2525, RECORD_APP_SMTP},
    };
    if (ip_proto == 17)
        return port == 53 ? RECORD_APP_DNS : RECORD_APP_UNKNOWN;
    if (ip_proto != 6)
        return RECORD_APP_UNKNOWN;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (usual[i].port == port)
            return usual[i].app;
    return RECORD_APP_UNKNOWN;
}

uint8_t ident_common_app(const struct proto_peek *p)
{
    static const char *const request[] = {
        "GET ",    "POST ",  "HEAD ",   "PUT ",   "OPTIONS ",  "CONNECT ",  "PROPFIND ",
        "REPORT ", "PATCH ", "DELETE ", "TRACE ", "M-SEARCH ", "SUBSCRIBE "};
    struct span c = p->first[0], s = p->first[1];
    uint8_t letter = c.len > 0 ? c.data[0] & 0xdf : 0, answer = s.len > 0 ? s.data[0] & 0xdf : 0;
    if ((letter == 'S' && span_begins(c, "SSH-")) || (answer == 'S' && span_begins(s, "SSH-")))
        return RECORD_APP_SSH;
    if (answer == 'H' && span_begins(s, "HTTP/1."))
        return RECORD_APP_HTTP;
    if (letter < 'A' || letter > 'Z')
        return RECORD_APP_UNKNOWN;
    for (size_t i = 0; i < sizeof request / sizeof *request; i++) {
        if (c.data[0] != (uint8_t)request[i][0])
            continue;
        size_t n = strlen(request[i]);
        // Methods are upper case; what follows is a path, a URL, a host or `*`.
        if (c.len > n + 1 && memcmp(c.data, request[i], n) == 0 && c.data[n] > ' ' &&
            (c.data[n] == '/' || c.data[n] == '*' || memmem(c.data, c.len, " HTTP/", 6)))
            return RECORD_APP_HTTP;
    }
    return RECORD_APP_UNKNOWN;
}

// Inside a SOCKS session the sides and the port are those of what is relayed.
static void view(const struct proto_flow *f, const struct ident_peek_state *s, struct proto_peek *p)
{
    bool inner = f->depth > 1 && f->out && (f->out->groups & RECORD_HAS_SOCKS);
    bool swapped = inner && f->out->socks.reverse;
    *p = (struct proto_peek){.ip_proto = f->ip_proto,
                             .midstream = (f->midstream && !inner) || s->beginning_lost};
    for (int i = 0; i < 2; i++) {
        p->first[swapped ? 1 - i : i] = span_of(s->octet[i], s->len[i]);
        p->port[i] = f->port[i];
    }
    if (inner) {
        p->port[0] = 0;
        p->port[1] = f->out->socks.target_port;
    }
    p->responder_spoke_first = swapped ? !s->responder_first : s->responder_first;
}

// YES with the tracker in `*out`, MAYBE, or NO.
static enum proto_match ask_rules(const struct proto_peek *p, const struct proto_descriptor **out)
{
    enum proto_match best = PROTO_NO;
    for (size_t i = 0; proto_registry[i]; i++) {
        enum proto_match m = proto_registry[i]->match(p);
        if (m == PROTO_YES) {
            *out = proto_registry[i];
            return PROTO_YES;
        }
        if (m == PROTO_MAYBE)
            best = PROTO_MAYBE;
    }
    return best;
}

const struct proto_descriptor *ident_first(struct proto_flow *f, enum proto_side side,
                                           struct span data)
{
    struct proto_peek peek = {.port = {f->port[0], f->port[1]},
                              .ip_proto = f->ip_proto,
                              .responder_spoke_first = side == PROTO_RESPONDER,
                              .midstream = f->midstream,
                              .final = data.len >= PROTO_PEEK_MAX};
    peek.first[side] = span_cut(data, 0, PROTO_PEEK_MAX);
    const struct proto_descriptor *d = NULL;
    enum proto_match m = ask_rules(&peek, &d);
    if (m == PROTO_MAYBE || (m == PROTO_YES && !d->handshake_only && !proto_may_look(f)))
        return &ident_peek;
    uint8_t app = m == PROTO_YES ? d->app : ident_common_app(&peek);
    if (app == RECORD_APP_UNKNOWN)
        return &ident_peek;
    proto_set_app(f, app, RECORD_APP_BY_CONTENT);
    if (m == PROTO_YES && (!d->wanted || d->wanted(f->port[PROTO_RESPONDER])))
        return d;
    f->decided = true;
    return NULL;
}

static void ask_ndpi(struct proto_flow *f, const struct proto_peek *p)
{
    struct ident_ndpi *ndpi = pool_ndpi(pool_of(f->stack[f->depth - 1].state));
    if (!ndpi || f->ip_proto != 6 || f->ident_calls > 0)
        return;
    struct ident_ndpi_question q = {.port = {f->port[0], f->port[1]},
                                    .first = {p->first[0], p->first[1]},
                                    .responder_first = p->responder_spoke_first};
    struct ident_ndpi_answer a = ident_ndpi_ask(ndpi, &q);
    f->ident_calls = (uint8_t)(f->ident_calls + a.calls);
    f->context->counters[PROTO_ndpi_calls] += a.calls;
    if (a.app == RECORD_APP_UNKNOWN)
        return;
    if (f->depth == 1)
        f->ndpi_protocol = a.protocol;
    proto_set_app(f, a.app, RECORD_APP_BY_NDPI);
}

static void peek_wipe(void *state)
{
    struct ident_peek_state *s = state;
    for (size_t i = 0; i < 2; i++)
        explicit_bzero(s->octet[i], s->len[i]);
    memset(s, 0, offsetof(struct ident_peek_state, run) + s->runs * sizeof *s->run);
}

// As much as it holds.
static void peek_copy(struct ident_peek_state *to, const struct ident_peek_state *from)
{
    memcpy(to, from, offsetof(struct ident_peek_state, run) + from->runs * sizeof *from->run);
    for (size_t i = 0; i < 2; i++)
        memcpy(to->octet[i], from->octet[i], from->len[i]);
}

// Gives what was held to the tracker on top, in the order in which it came.
static void replay(struct proto_flow *f, const struct ident_peek_state *s, int64_t t_us)
{
    size_t at[2] = {0, 0};
    for (uint8_t i = 0; i < s->runs && f->depth > 0 && !f->deaf; i++) {
        const struct ident_run *run = &s->run[i];
        // The tracker may have handed over in the meantime (STARTTLS): always the innermost.
        uint8_t top = (uint8_t)(f->depth - 1);
        const struct proto_descriptor *d = f->stack[top].proto;
        if (run->gap) {
            d->gap(f, f->stack[top].state, run->side, run->missing, t_us);
            continue;
        }
        struct span part = span_of(s->octet[run->side] + at[run->side], run->len);
        at[run->side] += run->len;
        d->feed(f, f->stack[top].state, run->side, part, t_us);
    }
}

// The flow's dialogue is `d`: open it (or what stands for it where nobody may look).
static void choose(struct proto_flow *f, struct ident_peek_state *s,
                   const struct proto_descriptor *d, uint16_t port, int64_t t_us)
{
    proto_set_app(f, d->app, f->depth > 1 ? RECORD_APP_BY_PARENT : RECORD_APP_BY_CONTENT);
    if (d->wanted && !d->wanted(port)) {
        proto_replace(f, NULL, t_us);
        return;
    }
    if (!d->handshake_only && !proto_may_look(f)) {
        proto_result(f)->incomplete |= RECORD_FLOW_ONLY;
        proto_replace(f, &ident_watch, t_us);
        return;
    }
    struct ident_peek_state held;
    peek_copy(&held, s);
    uint8_t depth = f->depth;
    proto_replace(f, d, t_us);
    if (f->depth == depth)
        replay(f, &held, t_us);
    peek_wipe(&held);
}

// Looks at what is held. `force`: no more will come.
static void decide(struct proto_flow *f, struct ident_peek_state *s, bool force, int64_t t_us)
{
    struct proto_peek peek;
    view(f, s, &peek);
    peek.final = force;
    const struct proto_descriptor *d = NULL;
    enum proto_match m = ask_rules(&peek, &d);
    if (m == PROTO_YES) {
        choose(f, s, d, peek.port[PROTO_RESPONDER], t_us);
        return;
    }
    if (m == PROTO_MAYBE && !force)
        return;
    uint8_t app = ident_common_app(&peek);
    if (app != RECORD_APP_UNKNOWN) {
        proto_set_app(f, app, RECORD_APP_BY_CONTENT);
    } else if (force || (s->len[0] > 0 && s->len[1] > 0)) {
        ask_ndpi(f, &peek);
    } else {
        return; // what the other side says may tell
    }
    proto_replace(f, NULL, t_us);
}

static void peek_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                      int64_t t_us)
{
    struct ident_peek_state *s = state;
    uint8_t own_depth = f->depth;
    if (s->len[0] == 0 && s->len[1] == 0)
        s->responder_first = side == PROTO_RESPONDER;
    while (data.len > 0) {
        bool same = s->runs > 0 && s->run[s->runs - 1].side == side && !s->run[s->runs - 1].gap;
        size_t room = PROTO_PEEK_MAX - s->len[side];
        size_t take = data.len < room ? data.len : room;
        if (take > 0 && (same || s->runs < IDENT_RUNS_MAX)) {
            if (!same)
                s->run[s->runs++] = (struct ident_run){.side = (uint8_t)side};
            memcpy(s->octet[side] + s->len[side], data.data, take);
            s->len[side] = (uint16_t)(s->len[side] + take);
            s->run[s->runs - 1].len = (uint16_t)(s->run[s->runs - 1].len + take);
            data = span_cut(data, take, data.len);
        }
        bool force = s->len[side] == PROTO_PEEK_MAX || s->runs == IDENT_RUNS_MAX;
        uint8_t depth = f->depth;
        decide(f, s, force, t_us);
        if (f->depth != depth || f->stack[depth - 1].state != state ||
            f->stack[depth - 1].proto != &ident_peek)
            break;
    }
    // Decided: the rest of this call goes on to whom it belongs now. With nobody on top, the tracker
    // below was told of these octets when they came.
    if (f->depth >= own_depth)
        proto_pass(f, side, data, t_us);
}

static void peek_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
                     int64_t t_us)
{
    struct ident_peek_state *s = state;
    if (s->runs < IDENT_RUNS_MAX)
        s->run[s->runs++] = (struct ident_run){
            .side = (uint8_t)side, .gap = true, .missing = missing};
    // The rules want first octets in a row: what stands behind a gap is not that.
    if (s->len[side] > 0)
        decide(f, s, true, t_us);
    else
        s->beginning_lost = true;
}

static void peek_close(struct proto_flow *f, void *state, enum proto_end end, int64_t t_us)
{
    (void)end;
    struct ident_peek_state *s = state;
    if (s->len[0] > 0 || s->len[1] > 0)
        decide(f, s, true, t_us);
}

static enum proto_match peek_match(const struct proto_peek *p)
{
    (void)p;
    return PROTO_NO;
}

const struct proto_descriptor ident_peek = {
    .name = "peek",
    .state_size = sizeof(struct ident_peek_state),
    .match = peek_match,
    .feed = peek_feed,
    .gap = peek_gap,
    .close = peek_close,
    .wipe = peek_wipe,
};

// ---- Where nobody may look: does a TLS handshake begin?

#define WATCH_HEAD 6 // of a record with a ClientHello

struct ident_watch_state {
    uint8_t len; // octets of the client's that may begin one, at the start of what it sent at once
    uint8_t head[WATCH_HEAD];
};

static bool fits(uint8_t at, uint8_t octet)
{
    switch (at) {
    case 0: return octet == 0x16;
    case 1: return octet == 3;
    case 2: return octet <= 4;
    case 5: return octet == 1;
    default: return true; // the record's length
    }
}

static void watch_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                       int64_t t_us)
{
    struct ident_watch_state *s = state;
    if (side != PROTO_INITIATOR)
        return;
    uint8_t held = s->len;
    size_t used = 0;
    while (s->len < WATCH_HEAD && used < data.len && fits(s->len, data.data[used]))
        s->head[s->len++] = data.data[used++];
    if (s->len == WATCH_HEAD) {
        s->len = 0;
        proto_switch(f, &proto_tls, side, span_of(s->head, held), t_us);
        proto_pass(f, side, data, t_us);
    } else if (used < data.len && s->len > 0) {
        explicit_bzero(s, sizeof *s);
        if (held > 0) // not what was held, but this may begin one
            watch_feed(f, state, side, data, t_us);
    }
}

static void watch_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
                      int64_t t_us)
{
    (void)f;
    (void)missing;
    (void)t_us;
    struct ident_watch_state *s = state;
    if (side == PROTO_INITIATOR)
        s->len = 0;
}

const struct proto_descriptor ident_watch = {
    .name = "watch",
    .state_size = sizeof(struct ident_watch_state),
    .match = peek_match,
    .feed = watch_feed,
    .gap = watch_gap,
};
