// socks-relay: others send mail through a SOCKS server at the subscriber.
//
// Counted is what the subscriber itself granted, with port 25 as the target: scans from outside are
// refused or unanswered. It is sure when outbound mail flows follow the granted ones in time. An
// inbound side that cannot be read is matched by the beginnings, ends and octets of whole flows, and held
// against chance: as many pairs the other way round, an outbound flow before the inbound one, would
// be coincidence. docs/detectors/socks-relay.md.
#include "detector.h"

#include <math.h>
#include <stdio.h>

#include "common/record.h"

struct socks_conf {
    int64_t limit_hour, matched_min, opaque_min;
    double cap;
};

extern const struct detector_descriptor detector_socks_relay;

#define FIELD(m)     offsetof(struct socks_conf, m)
#define HOUR_MS      3600000.0
#define HOUR_S       3600
#define AT_LIMIT     7.0
#define PER_DOUBLING 2.5
#define FOLLOWS_MS   5000 // the outbound side begins within this
#define ENDS_EARLY   2000 // the inbound side ends no earlier before the outbound one
#define ENDS_LATE    10000
#define OPAQUE_SLACK 600 // octets that headers and handshake may differ by
#define OPAQUE_SHARE 0.2
#define OPAQUE_UNIT  32   // octets are kept in units of so many
#define CHANCE_TIMES 3    // so many times the pairs that run backwards
#define ALONE_TIMES  1.5  // times its limit, it is a ticket by itself
#define ALONE_WEIGHT 11.7 // with a household's prior just enough
#define SIDES_MAX    20

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 10000,
     .def = "3",
     .unit = "sessions",
     .help = "Granted SOCKS (or HTTP CONNECT) sessions to port 25 in an hour."},
    {.name = "matched_min",
     .type = CONF_INT,
     .offset = FIELD(matched_min),
     .min = 1,
     .max = 1000,
     .def = "3",
     .unit = "flows",
     .help = "Outbound mail flows that follow a granted session, from which on it is sure."},
    {.name = "opaque_min",
     .type = CONF_INT,
     .offset = FIELD(opaque_min),
     .min = 2,
     .max = 1000,
     .def = "6",
     .unit = "flows",
     .help = "The same where the inbound side cannot be read."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 20,
     .def = "12",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = NULL},
};

enum side_kind {
    SIDE_NONE,
    SIDE_GRANT,  // SOCKS from outside, granted
    SIDE_IN,     // from outside, not to be read
    SIDE_OUT,    // to a mail server's port 25
    SIDE_OUT_LOG // to servers of mail accounts
};

// One flow of a pair. Times are the low 32 bits of milliseconds: only differences count.
struct side {
    uint32_t flow, start;
    uint32_t end;      // of a grant: hash of the first relayed octets
    uint16_t up, down; // units; stay at 65,535
    uint8_t kind;      // enum side_kind
    bool ended, matched, reversed;
};

struct socks_state {
    struct side side[SIDES_MAX];
    float granted, matched;         // decay by the hour
    float opaque, accounts, chance; // pairs to mail servers, to servers of accounts, backwards
    int64_t decayed_ms, first_ms, last_ms; // latest: a session began, or a pair ended
};

// A tunnel that HTTP CONNECT was granted is as good a session.
static bool is_socks(const struct minute_digest *d)
{
    return (d->flags & MINUTE_DIGEST_SOCKS_GRANTED) || d->app == RECORD_APP_SOCKS4 ||
           d->app == RECORD_APP_SOCKS4A || d->app == RECORD_APP_SOCKS5;
}

static void fade(struct socks_state *s, int64_t now_ms)
{
    float k = now_ms > s->decayed_ms ? (float)exp(-(double)(now_ms - s->decayed_ms) / HOUR_MS) : 1;
    float *all[] = {&s->granted, &s->matched, &s->opaque, &s->accounts, &s->chance};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] *= k;
    s->decayed_ms = now_ms;
}

static uint32_t short_of(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

// The flow's place: where it stands, else a free one, else that of the one that began first.
static struct side *place_of(struct socks_state *s, uint32_t flow, uint32_t start, uint8_t kind)
{
    struct side *place = &s->side[0];
    for (size_t k = 0; k < SIDES_MAX; k++) {
        struct side *at = &s->side[k];
        if (at->kind == kind && at->start == start && at->flow == flow)
            return at;
        if (place->kind != SIDE_NONE &&
            (at->kind == SIDE_NONE || (int32_t)(at->start - place->start) < 0))
            place = at;
    }
    *place = (struct side){.flow = flow, .start = start};
    return place;
}

static void began(struct socks_state *s, float count, int64_t start_ms, int64_t last_ms)
{
    if (s->first_ms == 0 || count < 1.5f)
        s->first_ms = start_ms;
    if (last_ms > s->last_ms)
        s->last_ms = last_ms;
}

static int64_t last_of(const struct socks_state *s, int64_t now_ms)
{
    return s->last_ms > 0 && s->last_ms < now_ms ? s->last_ms : now_ms;
}

// A session counts once, however many rows tell of it.
static void grant(struct socks_state *s, int64_t start_ms, const struct minute_digest *d)
{
    struct side *at = place_of(s, short_of(d->flow_hash), (uint32_t)start_ms, SIDE_GRANT);
    if (at->kind == SIDE_GRANT)
        return;
    at->kind = SIDE_GRANT;
    at->end = short_of(d->relay_first);
    s->granted++;
    began(s, s->granted, start_ms, start_ms);
}

static void match(struct socks_state *s, int64_t start_ms, const struct minute_digest *d)
{
    uint32_t relay = short_of(d->relay_first);
    for (size_t k = 0; k < SIDES_MAX; k++) {
        struct side *at = &s->side[k];
        uint32_t later = (uint32_t)start_ms - at->start;
        if (at->kind != SIDE_GRANT || at->matched || later > FOLLOWS_MS)
            continue;
        if (relay != 0 && at->end != 0 && relay != at->end)
            continue;
        at->matched = true;
        s->matched++;
        return;
    }
}

static bool near(uint32_t a, uint32_t b)
{
    double larger = OPAQUE_UNIT * (double)(a > b ? a : b);
    double smaller = OPAQUE_UNIT * (double)(a > b ? b : a);
    return larger - smaller <= OPAQUE_SLACK + OPAQUE_SHARE * larger;
}

// Two whole flows that end together, one's input being the other's output.
static bool mirrors(const struct side *in, const struct side *out)
{
    int32_t ends = (int32_t)(in->end - out->end);
    return in->ended && out->ended && ends >= -ENDS_EARLY && ends <= ENDS_LATE &&
           OPAQUE_UNIT * ((uint32_t)out->up + out->down) > 2 * OPAQUE_SLACK &&
           near(in->down, out->up) && near(in->up, out->down);
}

static bool is_out(const struct side *a)
{
    return a->kind == SIDE_OUT || a->kind == SIDE_OUT_LOG;
}

// A flow has ended: is the other side known? Each flow is part of one pair, and of one backwards.
static void pair(struct socks_state *s, struct side *a, int64_t now_ms)
{
    for (size_t k = 0; k < SIDES_MAX; k++) {
        struct side *b = &s->side[k];
        struct side *in = is_out(a) ? b : a, *out = is_out(a) ? a : b;
        if (in->kind != SIDE_IN || !is_out(out) || !mirrors(in, out))
            continue;
        int32_t later = (int32_t)(out->start - in->start);
        if (later < 0 && later >= -FOLLOWS_MS && !in->reversed && !out->reversed) {
            in->reversed = out->reversed = true;
            s->chance++;
        } else if (later >= 0 && later <= FOLLOWS_MS && !in->matched && !out->matched) {
            in->matched = out->matched = true;
            *(out->kind == SIDE_OUT ? &s->opaque : &s->accounts) += 1;
            began(s, s->opaque + s->accounts, now_ms - (int32_t)((uint32_t)now_ms - in->start),
                  now_ms);
            return;
        }
    }
}

static uint16_t more(uint16_t units, uint64_t octets)
{
    uint64_t sum = units + (octets + OPAQUE_UNIT - 1) / OPAQUE_UNIT;
    return sum < UINT16_MAX ? (uint16_t)sum : UINT16_MAX;
}

static void follow(struct socks_state *s, int64_t minute_ms, const struct minute_digest *d,
                   uint8_t kind, int64_t now_ms)
{
    bool failed = d->outcome == MINUTE_OUTCOME_UNANSWERED || d->outcome == MINUTE_OUTCOME_REFUSED ||
                  d->outcome == MINUTE_OUTCOME_ICMP;
    struct side *at = NULL;
    uint32_t start = (uint32_t)(minute_ms + d->start_ms), flow = short_of(d->flow_hash);
    if (failed)
        return;
    if (d->flags & MINUTE_DIGEST_START)
        at = place_of(s, flow, start, kind);
    for (size_t k = 0; k < SIDES_MAX && !at; k++) {
        if (s->side[k].kind == kind && s->side[k].flow == flow && s->side[k].start == start)
            at = &s->side[k];
    }
    if (!at || at->ended)
        return;
    at->kind = kind;
    at->up = more(at->up, d->octets_up);
    at->down = more(at->down, d->octets_down);
    at->end = (uint32_t)(minute_ms + d->end_ms);
    at->ended = (d->flags & MINUTE_DIGEST_END) != 0;
    if (at->ended)
        pair(s, at, now_ms);
}

static uint8_t side_of(const struct minute_digest *d)
{
    if (d->direction == MINUTE_IN)
        return d->role == MINUTE_OTHER && !is_socks(d) ? SIDE_IN : SIDE_NONE;
    return d->role == MINUTE_MX                                       ? SIDE_OUT
           : d->role == MINUTE_SUBMISSION || d->role == MINUTE_ACCESS ? SIDE_OUT_LOG
                                                                      : SIDE_NONE;
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct socks_state *s = state;
    int64_t minute_ms = r->minute * 60000;
    fade(s, ctx->now_ms);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        bool mail = d->socks_port == 25 || d->socks_inner == RECORD_APP_SMTP;
        if (d->direction == MINUTE_IN && is_socks(d) && mail &&
            (d->flags & MINUTE_DIGEST_SOCKS_GRANTED))
            grant(s, minute_ms + d->start_ms, d);
    }
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        uint8_t side = side_of(d);
        if (side == SIDE_OUT && (d->flags & MINUTE_DIGEST_START))
            match(s, minute_ms + d->start_ms, d);
        if (side != SIDE_NONE)
            follow(s, minute_ms, d, side, ctx->now_ms);
    }
}

// What comes in goes out, though nobody can say what it is.
static size_t find_opaque(const struct socks_state *s, const struct detector_ctx *ctx,
                          struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct socks_conf *c = ctx->conf;
    double pairs = (double)(s->opaque + s->accounts), limit = (double)c->opaque_min - 0.5;
    double weight = detector_excess(pairs, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight <= 0 || pairs < CHANCE_TIMES * (double)s->chance)
        return 0;
    bool mail = s->opaque * 2 >= s->accounts;
    struct detector_finding f = detector_finding_of(&detector_socks_relay, pairs, limit, "flows",
                                                    HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(mail ? VERDICT_SOCKS_RELAY : VERDICT_PROXY_ABUSE);
    f.evidence.first_ms = s->first_ms;
    f.evidence.last_ms = last_of(s, ctx->now_ms);
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "About %.0f connections from outside and as many to %s began and ended together in an "
             "hour, with the same octets; what comes in goes out%s.",
             pairs, mail ? "mail servers" : "servers of mail accounts", mail ? " as mail" : "");
    out[0] = f;
    if (ctx->role != ROLE_HOUSEHOLD || pairs < ALONE_TIMES * limit || weight >= ALONE_WEIGHT)
        return 1;
    f.evidence.log_odds = ALONE_WEIGHT;
    f.evidence.conclusive = true;
    f.ceiling = VERDICT_TICKET;
    out[1] = f;
    return 2;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct socks_conf *c = ctx->conf;
    struct socks_state s = *(const struct socks_state *)state;
    fade(&s, ctx->now_ms);
    // What the digests of a busy minute left out, the counts still have.
    double counted = (double)window_sum(w, FEATURE_SOCKS_MAIL, ctx->now_ms, HOUR_S);
    double all = (double)window_sum(w, FEATURE_SOCKS_GRANTED, ctx->now_ms, HOUR_S);
    double granted = (double)s.granted;
    if (window_digests_cut(w, ctx->now_ms, HOUR_S) && granted >= 1) {
        double most = counted < all ? counted : all;
        granted = most > granted ? most : granted;
    }
    double limit = (double)c->limit_hour * ctx->factor;
    double weight = detector_excess(granted, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight <= 0)
        return find_opaque(&s, ctx, out);
    bool sure = (double)s.matched >= (double)c->matched_min - 0.5;
    if (sure)
        weight = c->cap;
    struct detector_finding f = detector_finding_of(&detector_socks_relay, granted, limit,
                                                    "sessions", HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(VERDICT_SOCKS_RELAY);
    f.evidence.conclusive = sure;
    f.evidence.first_ms = s.first_ms;
    f.evidence.last_ms = last_of(&s, ctx->now_ms);
    snprintf(
        f.evidence.sentence, sizeof f.evidence.sentence,
        "Granted about %.0f SOCKS or CONNECT sessions from outside to mail servers in an hour, and "
        "made %.0f mail connections right behind them; %.0f are the limit.",
        granted, (double)s.matched, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_socks_relay = {
    .name = "socks-relay",
    .section = "socks_relay",
    .help = "Others send mail through a SOCKS server at the subscriber.",
    .family = VERDICT_FAMILY_RELAY,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_UNSAMPLED | DETECTOR_OTHER_PORTS,
    .raw = DETECTOR_RAW_RELAYED,
    .keys = keys,
    .conf_size = sizeof(struct socks_conf),
    .state_size = sizeof(struct socks_state),
    .whose = DETECTOR_OF_LINES,
    .observe = observe,
    .evaluate = evaluate,
};
