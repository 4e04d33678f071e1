// socks-relay: others send mail through a SOCKS server at the subscriber.
//
// Counted is what the subscriber itself granted, with port 25 as the target: scans from outside are
// refused or unanswered. It is sure when outbound mail flows follow the granted ones in time. An
// inbound side that is no SOCKS we can read is matched by time and octets of flows that begin and
// end together. docs/detectors/socks-relay.md.
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
#define OPAQUE_MS    2000
#define OPAQUE_SLACK 600 // octets that headers and handshake may differ by
#define OPAQUE_SHARE 0.2
#define GRANTS_MAX   12

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 10000,
     .def = "3",
     .unit = "sessions",
     .help = "Granted SOCKS sessions to port 25 in an hour."},
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
     .def = "8",
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

struct socks_state {
    struct {
        int64_t start_ms; // 0: empty
        uint32_t flow;
        uint32_t relay; // of the first relayed octets
        bool matched;
    } grant[GRANTS_MAX];
    double granted, matched, opaque; // decay by the hour
    int64_t decayed_ms, first_ms;
};

static bool is_socks(const struct minute_digest *d)
{
    return d->app == RECORD_APP_SOCKS4 || d->app == RECORD_APP_SOCKS4A ||
           d->app == RECORD_APP_SOCKS5;
}

static double faded(double v, int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? v * exp(-(double)(to_ms - from_ms) / HOUR_MS) : v;
}

static void fade(struct socks_state *s, int64_t now_ms)
{
    s->granted = faded(s->granted, s->decayed_ms, now_ms);
    s->matched = faded(s->matched, s->decayed_ms, now_ms);
    s->opaque = faded(s->opaque, s->decayed_ms, now_ms);
    s->decayed_ms = now_ms;
}

// A session counts once, however many rows tell of it.
static void grant(struct socks_state *s, int64_t start_ms, const struct minute_digest *d)
{
    uint32_t flow = (uint32_t)(d->flow_hash ^ d->flow_hash >> 32);
    size_t place = 0;
    for (size_t k = 0; k < GRANTS_MAX; k++) {
        if (s->grant[k].start_ms == start_ms && s->grant[k].flow == flow)
            return;
        if (s->grant[k].start_ms < s->grant[place].start_ms)
            place = k;
    }
    s->grant[place].start_ms = start_ms;
    s->grant[place].flow = flow;
    s->grant[place].matched = false;
    s->grant[place].relay = (uint32_t)(d->relay_first ^ d->relay_first >> 32);
    s->granted++;
    if (s->first_ms == 0 || s->granted < 1.5)
        s->first_ms = start_ms;
}

static void match(struct socks_state *s, int64_t start_ms, const struct minute_digest *d)
{
    uint32_t relay = (uint32_t)(d->relay_first ^ d->relay_first >> 32);
    for (size_t k = 0; k < GRANTS_MAX; k++) {
        int64_t since = s->grant[k].start_ms;
        if (s->grant[k].matched || since == 0 || start_ms < since || start_ms > since + FOLLOWS_MS)
            continue;
        if (relay != 0 && s->grant[k].relay != 0 && relay != s->grant[k].relay)
            continue;
        s->grant[k].matched = true;
        s->matched++;
        return;
    }
}

static bool near(uint64_t a, uint64_t b)
{
    double larger = (double)(a > b ? a : b), smaller = (double)(a > b ? b : a);
    return larger - smaller <= OPAQUE_SLACK + OPAQUE_SHARE * larger;
}

// Two whole flows that begin and end together, one's input being the other's output.
static bool mirrors(const struct minute_digest *in, const struct minute_digest *out)
{
    const uint32_t whole = MINUTE_DIGEST_START | MINUTE_DIGEST_END;
    if ((in->flags & whole) != whole || in->direction != MINUTE_IN || is_socks(in) ||
        in->role != MINUTE_OTHER)
        return false;
    int32_t begins = out->start_ms - in->start_ms, ends = in->end_ms - out->end_ms;
    return begins >= 0 && begins <= OPAQUE_MS && ends >= -OPAQUE_MS && ends <= OPAQUE_MS &&
           out->octets_up + out->octets_down > 2 * OPAQUE_SLACK &&
           near(in->octets_down, out->octets_up) && near(in->octets_up, out->octets_down);
}

static void match_opaque(struct socks_state *s, const struct minute_row *r,
                         const struct minute_digest *out)
{
    if (!(out->flags & MINUTE_DIGEST_START) || !(out->flags & MINUTE_DIGEST_END))
        return;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        if (!mirrors(&r->digest[i], out))
            continue;
        s->opaque++;
        if (s->first_ms == 0 || s->opaque < 1.5)
            s->first_ms = r->minute * 60000 + out->start_ms;
        return;
    }
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
        if (d->direction != MINUTE_OUT || d->role != MINUTE_MX)
            continue;
        if (d->flags & MINUTE_DIGEST_START)
            match(s, minute_ms + d->start_ms, d);
        match_opaque(s, r, d);
    }
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
    double granted = s.granted;
    if (window_digests_cut(w, ctx->now_ms, HOUR_S) && granted >= 1) {
        double most = counted < all ? counted : all;
        granted = most > granted ? most : granted;
    }
    double limit = (double)c->limit_hour * ctx->factor, measured = granted;
    double weight = detector_excess(granted, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    bool sure = s.matched >= (double)c->matched_min - 0.5;
    bool opaque = false;
    if (weight <= 0) {
        limit = (double)c->opaque_min - 0.5;
        measured = s.opaque;
        weight = detector_excess(s.opaque, limit, AT_LIMIT, PER_DOUBLING, c->cap);
        opaque = true;
    } else if (sure) {
        weight = c->cap;
    }
    if (weight <= 0)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_socks_relay, measured, limit,
                                                    opaque ? "flows" : "sessions", HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(VERDICT_SOCKS_RELAY);
    f.evidence.conclusive = sure && !opaque;
    f.evidence.first_ms = s.first_ms;
    f.evidence.last_ms = ctx->now_ms;
    if (opaque)
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "About %.0f connections from outside and as many to mail servers began and ended "
                 "together within an hour, with the same octets: what comes in goes out as mail.",
                 s.opaque);
    else
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "Granted about %.0f SOCKS sessions from outside to mail servers in an hour, and "
                 "made %.0f mail connections right behind them; %.0f are the limit.",
                 granted, s.matched, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_socks_relay = {
    .name = "socks-relay",
    .section = "socks_relay",
    .help = "Others send mail through a SOCKS server at the subscriber.",
    .family = VERDICT_FAMILY_RELAY,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_UNSAMPLED,
    .keys = keys,
    .conf_size = sizeof(struct socks_conf),
    .state_size = sizeof(struct socks_state),
    .observe = observe,
    .evaluate = evaluate,
};
