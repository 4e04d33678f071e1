// backconnect: a residential proxy that dials out and serves whoever sits at the other end.
//
// A flow of half an hour and more that mostly uploads, new destinations opened again and again, and
// octets that match minute by minute: what comes down the long flow goes up to the destinations, what
// they say goes up the long flow. A VPN downloads; a household beside it does not keep its pace. Where
// the peer is not known for a hosting network, most single minutes have to match, not only their sum,
// or the destinations have to be opened within 300 ms of what comes down, far more often than chance gives.
// The owner may have agreed to it: never more than a ticket. docs/detectors/backconnect.md.
#include "detector.h"

#include <math.h>
#include <stdio.h>

struct backconnect_conf {
    int64_t limit_hour, long_ms;
    double mirrored, cap;
    double pace, minutes;
    int64_t limit_behind, networks;
    double carried;
};

extern const struct detector_descriptor detector_backconnect;

#define FIELD(m)     offsetof(struct backconnect_conf, m)
#define AT_LIMIT     11.6 // conclusive: three conditions hold together
#define PER_DOUBLING 1.5
#define HOUR_S       3600
#define OCTETS_MIN   20000.0f
#define HOSTING      0.4    // more where the peer is in a hosting network
#define MINUTE_MIN   2000.0 // octets up the long flow: below, a minute says nothing
#define MINUTES_MIN  8.0f
#define STEADY       0.75
#define UPLOADS      1.5f
// Of what is opened behind data: when a carrier is at work, half and more; a twentieth without one, and what the
// share of the time gives and a quarter of that.
#define BEHIND_CARRIER 0.5
#define BEHIND_LEAST   0.05
#define BEHIND_MORE    1.25
#define BEHIND_ROW     3.0   // log-odds of a row at most, either way: no single minute decides
#define BEHIND_SURE    11.5f // log(1e5), as the sequential tests: four rows at least
#define CARRIED_MIN    2000.0f
#define HALF_HOUR_S    1800
#define NETWORK_BITS   32

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 5,
     .max = 10000,
     .def = "20",
     .unit = "destinations",
     .help = "Destinations opened in an hour beside a long flow."},
    {.name = "long",
     .type = CONF_DURATION,
     .offset = FIELD(long_ms),
     .min = 60000,
     .max = 86400000,
     .def = "30m",
     .help = "Age from which such a flow is long."},
    {.name = "mirrored",
     .type = CONF_REAL,
     .offset = FIELD(mirrored),
     .min = 0.05,
     .max = 1,
     .def = "0.25",
     .help = "Share of the octets that match minute by minute, in both directions, at least."},
    {.name = "pace",
     .type = CONF_REAL,
     .offset = FIELD(pace),
     .min = 0.3,
     .max = 1,
     .def = "0.65",
     .help = "Peer of no known hosting network: a minute matches when the smaller of both sides is "
             "so much of the larger, in both directions."},
    {.name = "minutes",
     .type = CONF_REAL,
     .offset = FIELD(minutes),
     .min = 0.1,
     .max = 1,
     .def = "0.5",
     .help = "Share of such minutes, of those in which its pace changed, at least."},
    {.name = "limit_behind",
     .type = CONF_INT,
     .offset = FIELD(limit_behind),
     .min = 5,
     .max = 10000,
     .def = "10",
     .unit = "destinations",
     .help =
         "Destinations opened in an hour within 300 ms of data that came down one long flow, at "
         "most one a second counted."},
    {.name = "networks",
     .type = CONF_INT,
     .offset = FIELD(networks),
     .min = 2,
     .max = 100,
     .def = "8",
     .unit = "networks",
     .help = "Networks (/24, /48) opened so within an hour, at least."},
    {.name = "carried",
     .type = CONF_REAL,
     .offset = FIELD(carried),
     .min = 0,
     .max = 1,
     .def = "0.3",
     .help = "Share of that flow's octets that the destinations' match by the minute, at least."},
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

// Octets of both sides in one direction: what matched within the rows, and the larger of both.
struct match {
    float both, most;
};

// What was opened behind the data of one long flow, or of those to the same provider. Small: a party has 8 kB.
struct behind {
    float opened, behind, expected; // expected: behind, by chance
    float odds;                     // log-odds that it is no chance; never below 0
    float carried; // octets that matched beyond the share there must be, both directions together
    uint32_t provider;    // whose, folded; 0: nobody's
    uint32_t told_s;      // the latest row that told of it
    uint32_t networks[2]; // bits of this half hour, and of the one before
};

// All fade by the hour.
struct backconnect_state {
    struct match to_peers;   // down the long flow, up to the destinations
    struct match from_peers; // down from the destinations, up the long flow
    float up, down;          // of the long flow
    float opened;
    float reverse; // the subscriber dialled out and served SOCKS there
    float hosted;  // octets up, to a hosting network
    float minutes,
        paired;    // in which the long flow changed its pace; in which the other side followed
    float last_up; // of the minute before
    uint32_t faded_s, first_s;
    uint32_t last_s; // when the latest destination was opened, or SOCKS was served
    struct behind behind;
};

_Static_assert(sizeof(struct backconnect_state) <= 96, "all detectors share what a party may take");

static uint32_t second_of(int64_t t_ms)
{
    return t_ms > 0 ? (uint32_t)(t_ms / 1000) : 0;
}

static void fade(struct backconnect_state *s, int64_t now_ms)
{
    uint32_t now_s = second_of(now_ms);
    float k = now_s > s->faded_s ? (float)exp(-(double)(now_s - s->faded_s) / HOUR_S) : 1;
    struct behind *b = &s->behind;
    float *all[] = {
        &s->to_peers.both, &s->to_peers.most, &s->from_peers.both, &s->from_peers.most, &s->up,
        &s->down,          &s->opened,        &s->reverse,         &s->hosted,          &s->minutes,
        &s->paired,        &b->opened,        &b->behind,          &b->expected,        &b->odds,
        &b->carried};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] *= k;
    if (s->opened < 0.5f)
        s->first_s = 0;
    s->faded_s = now_s;
}

static void note_last(struct backconnect_state *s, int64_t t_ms)
{
    if (t_ms > s->last_s * 1000LL)
        s->last_s = (uint32_t)((t_ms + 999) / 1000);
}

static void match(struct match *m, uint64_t a, uint64_t b)
{
    m->both += (float)(a < b ? a : b);
    m->most += (float)(a > b ? a : b);
}

static double share(const struct match *m)
{
    return m->most > 0 ? (double)(m->both / m->most) : 0;
}

static bool is_long(const struct minute_digest *d, const struct minute_row *r, int64_t long_ms)
{
    bool mail = d->role == MINUTE_MX || d->role == MINUTE_SMARTHOST ||
                d->role == MINUTE_SUBMISSION || d->role == MINUTE_ACCESS;
    return d->direction == MINUTE_OUT && !mail &&
           r->cut_ms - (r->minute * 60000 + d->start_ms) >= long_ms;
}

// What carries: long flows to hosting networks, else the long flow that uploads most. The digest's index, or a
// number of no digest: those of hosting networks, all of them.
#define HOSTED  UINT32_MAX
#define NOTHING (UINT32_MAX - 1)

static uint32_t carrier(const struct minute_row *r, int64_t long_ms)
{
    uint32_t most = NOTHING;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (!is_long(d, r, long_ms))
            continue;
        if (d->flags & MINUTE_DIGEST_HOSTING)
            return HOSTED;
        if (most == NOTHING || d->octets_up > r->digest[most].octets_up)
            most = i;
    }
    return most;
}

// ---- Opened behind data.

static uint32_t whose(const struct minute_digest *d)
{
    uint64_t h = d->provider ? d->provider : d->flow_hash;
    uint32_t folded = (uint32_t)(h ^ h >> 32);
    return folded ? folded : 1;
}

// The long flow that tells of it in this row: that of the provider looked at, else the one that uploads most. One that
// downloads carries nothing: a resolver over TLS answers before whatever is opened.
static const struct minute_digest *teller(const struct behind *b, const struct minute_row *r,
                                          int64_t long_ms)
{
    const struct minute_digest *most = NULL;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d->carrier_opened == 0 || !is_long(d, r, long_ms) ||
            (float)d->octets_up < UPLOADS * (float)d->octets_down)
            continue;
        bool same = whose(d) == b->provider, held = most && whose(most) == b->provider;
        if (!most || same > held || (same == held && d->octets_up > most->octets_up))
            most = d;
    }
    return most;
}

static void note_networks(struct behind *b, uint64_t bits, uint32_t now_s)
{
    uint32_t turns = now_s / HALF_HOUR_S - b->told_s / HALF_HOUR_S;
    if (turns > 0) {
        b->networks[1] = turns == 1 ? b->networks[0] : 0;
        b->networks[0] = 0;
    }
    b->networks[0] |= (uint32_t)(bits | bits >> NETWORK_BITS);
}

static double log_odds(const struct minute_digest *d)
{
    double chance = BEHIND_LEAST + BEHIND_MORE * d->carrier_chance / 1000;
    double behind = d->carrier_behind, other = d->carrier_opened - behind;
    if (chance >= BEHIND_CARRIER)
        return 0; // what is always just behind data says nothing
    double odds = behind * log(BEHIND_CARRIER / chance) +
                  other * log((1 - BEHIND_CARRIER) / (1 - chance));
    return odds > BEHIND_ROW ? BEHIND_ROW : odds < -BEHIND_ROW ? -BEHIND_ROW : odds;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void observe_behind(struct behind *b, const struct minute_row *r,
                           const struct backconnect_conf *c)
{
    const struct minute_digest *by = teller(b, r, c->long_ms);
    uint32_t now_s = second_of(r->cut_ms);
    uint64_t up = 0, down = 0;
    if (!by)
        return;
    if (whose(by) != b->provider) {
        if (b->provider != 0 && now_s - b->told_s < HALF_HOUR_S)
            return; // the one looked at may go on
        *b = (struct behind){.provider = whose(by), .told_s = now_s};
    }
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d == by || d->direction != MINUTE_OUT)
            continue;
        up += d->octets_up;
        down += d->octets_down;
    }
    note_networks(b, by->carrier_networks, now_s);
    b->told_s = now_s;
    // What goes up a tunnel came down from somewhere. More may come down: of a household beside it.
    uint64_t own_up = by->octets_up, own_down = by->octets_down;
    b->carried += (float)(lesser(own_up, down) + lesser(own_down, up)) -
                  (float)c->carried * (float)(own_up + own_down);
    b->opened += by->carrier_opened;
    b->behind += by->carrier_behind;
    b->expected += (float)by->carrier_opened * by->carrier_chance / 1000;
    b->odds += (float)log_odds(by);
    if (b->odds < 0)
        b->odds = 0;
}

// How many networks fill so many of the bits (linear counting).
static double networks(const struct behind *b)
{
    int set = __builtin_popcount(b->networks[0] | b->networks[1]);
    return set == NETWORK_BITS ? 100 : -NETWORK_BITS * log(1 - set / (double)NETWORK_BITS);
}

static bool is_carrier(const struct behind *b, const struct backconnect_conf *c)
{
    return b->odds >= BEHIND_SURE && networks(b) >= (double)c->networks &&
           b->carried >= CARRIED_MIN;
}

static double lesser_share(const struct match *a, const struct match *b)
{
    double x = share(a), y = share(b);
    return x < y ? x : y;
}

static bool keeps_pace(uint64_t a, uint64_t b, double pace)
{
    return (double)(a < b ? a : b) >= pace * (double)(a < b ? b : a);
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    const struct backconnect_conf *c = ctx->conf;
    struct backconnect_state *s = state;
    uint64_t tunnel_up = 0, tunnel_down = 0, up = 0, down = 0;
    fade(s, ctx->now_ms);
    s->reverse += (float)r->gauge[MINUTE_socks_reverse];
    if (r->gauge[MINUTE_socks_reverse] > 0)
        note_last(s, ctx->now_ms);
    observe_behind(&s->behind, r, c);
    uint32_t by = carrier(r, c->long_ms);
    if (by == NOTHING)
        return;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        bool hosting = (d->flags & MINUTE_DIGEST_HOSTING) != 0;
        if (i == by || (by == HOSTED && hosting && is_long(d, r, c->long_ms))) {
            tunnel_up += d->octets_up;
            tunnel_down += d->octets_down;
            continue;
        }
        if (d->direction != MINUTE_OUT || (by == HOSTED && hosting))
            continue;
        up += d->octets_up;
        down += d->octets_down;
        if (!(d->flags & MINUTE_DIGEST_START))
            continue;
        s->opened++;
        note_last(s, r->minute * 60000 + d->start_ms);
        if (s->first_s == 0)
            s->first_s = second_of(r->minute * 60000 + d->start_ms);
    }
    match(&s->to_peers, tunnel_down, up);
    match(&s->from_peers, tunnel_up, down);
    s->up += (float)tunnel_up;
    s->down += (float)tunnel_down;
    s->hosted += by == HOSTED ? (float)tunnel_up : 0;
    if ((double)tunnel_up < MINUTE_MIN)
        return;
    // What is steady on both sides matches by chance: a camera beside a film.
    bool moved = !keeps_pace(tunnel_up, (uint64_t)s->last_up, STEADY);
    s->last_up = (float)tunnel_up;
    if (!moved)
        return;
    s->minutes++;
    s->paired += keeps_pace(tunnel_up, down, c->pace) && keeps_pace(tunnel_down, up, c->pace);
}

// What both ways of finding one have in common.
static struct detector_finding finding(const struct backconnect_state *s, double measured,
                                       double limit, double weight, int64_t now_ms)
{
    struct detector_finding f = detector_finding_of(&detector_backconnect, measured, limit,
                                                    "destinations", HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(VERDICT_PROXY_ABUSE);
    f.ceiling = VERDICT_TICKET;
    f.evidence.conclusive = true;
    f.evidence.first_ms = s->first_s ? s->first_s * 1000LL : now_ms;
    int64_t last_ms = s->last_s * 1000LL;
    f.evidence.last_ms = last_ms > 0 && last_ms < now_ms ? last_ms : now_ms;
    return f;
}

// Within 300 ms of data: the number, not the octets, convicts.
static size_t evaluate_behind(const struct backconnect_state *s, bool hosted,
                              const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct backconnect_conf *c = ctx->conf;
    const struct behind *b = &s->behind;
    double limit = (double)c->limit_behind * ctx->factor;
    double weight = detector_excess(b->behind, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight <= 0 || !is_carrier(b, c))
        return 0;
    weight += hosted ? HOSTING : 0;
    *out = finding(s, b->behind, limit, weight < c->cap ? weight : c->cap, ctx->now_ms);
    out->evidence.last_ms = b->told_s * 1000LL;
    if (out->evidence.first_ms > out->evidence.last_ms)
        out->evidence.first_ms = out->evidence.last_ms;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "%.0f of %.0f times that it opened something beside a long flow%s in an hour came "
             "within 300 ms of data "
             "down it (chance: %.0f), in about %.0f networks.",
             (double)b->behind, (double)b->opened, hosted ? " to a hosting network" : "",
             (double)b->expected, networks(b));
    return 1;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)w;
    const struct backconnect_conf *c = ctx->conf;
    struct backconnect_state s = *(const struct backconnect_state *)state;
    fade(&s, ctx->now_ms);
    double limit = (double)c->limit_hour * ctx->factor;
    double weight = detector_excess(s.opened, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    double mirrored = lesser_share(&s.to_peers, &s.from_peers);
    bool served = s.reverse >= 1;
    bool uploads = s.up >= UPLOADS * s.down && s.up >= OCTETS_MIN;
    bool hosted = s.hosted * 2 >= s.up && s.hosted > 0;
    bool paced = s.minutes >= MINUTES_MIN && (double)s.paired >= c->minutes * (double)s.minutes;
    if (weight <= 0 || (!served && (!uploads || mirrored < c->mirrored || (!hosted && !paced))))
        return evaluate_behind(&s, hosted, ctx, &out[0]);
    weight += hosted ? HOSTING : 0;
    if (served || weight > c->cap)
        weight = c->cap;
    out[0] = finding(&s, s.opened, limit, weight, ctx->now_ms);
    snprintf(out[0].evidence.sentence, sizeof out[0].evidence.sentence,
             "Opened about %.0f destinations in an hour beside a long flow%s; %.0f %% of the "
             "octets of both "
             "sides match by the minute, so it carries for somebody else.",
             (double)s.opened, hosted ? " to a hosting network" : "", 100 * mirrored);
    return 1;
}

const struct detector_descriptor detector_backconnect = {
    .name = "backconnect",
    .section = "backconnect",
    .help = "A residential proxy that dials out.",
    .family = VERDICT_FAMILY_RELAY,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_UNSAMPLED | DETECTOR_OTHER_PORTS,
    .raw = DETECTOR_RAW_LONG_FLOW,
    .keys = keys,
    .conf_size = sizeof(struct backconnect_conf),
    .state_size = sizeof(struct backconnect_state),
    .whose = DETECTOR_OF_LINES,
    .observe = observe,
    .evaluate = evaluate,
};
