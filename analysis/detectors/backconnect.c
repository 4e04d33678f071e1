// backconnect: a residential proxy that dials out and serves whoever sits at the other end.
//
// A flow of half an hour and more that mostly uploads, new destinations opened again and again, and
// octets that match minute by minute: what comes down the long flow goes up to the destinations, what
// they say goes up the long flow. A VPN downloads; a household beside it does not keep its pace. Where
// the peer is not known for a hosting network, most single minutes have to match, not only their sum,
// or the destinations have to be opened within 300 ms of what comes down, far more often than chance gives.
// Flows that are dialled anew, and those to several relays side by side, add up for the latter.
// The owner may have agreed to it: never more than a ticket. docs/detectors/backconnect.md.
#include "detector.h"

#include <math.h>
#include <stdio.h>

#include "detectors/behind.h"

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

_Static_assert(sizeof(struct backconnect_state) <= 112,
               "all detectors share what a party may take");

static uint32_t second_of(int64_t t_ms)
{
    return t_ms > 0 ? (uint32_t)(t_ms / 1000) : 0;
}

static void fade(struct backconnect_state *s, int64_t now_ms)
{
    uint32_t now_s = second_of(now_ms);
    float k = now_s > s->faded_s ? (float)exp(-(double)(now_s - s->faded_s) / HOUR_S) : 1;
    float *all[] = {
        &s->to_peers.both, &s->to_peers.most, &s->from_peers.both, &s->from_peers.most, &s->up,
        &s->down,          &s->opened,        &s->reverse,         &s->hosted,          &s->minutes,
        &s->paired};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] *= k;
    behind_fade(&s->behind, k);
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
    behind_observe(&s->behind, r, c->long_ms, c->carried);
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
    if (weight <= 0 || !behind_is_carrier(b, c->long_ms, (double)c->networks))
        return 0;
    weight += hosted ? HOSTING : 0;
    *out = finding(s, b->behind, limit, weight < c->cap ? weight : c->cap, ctx->now_ms);
    out->evidence.last_ms = b->told_s * 1000LL;
    if (out->evidence.first_ms > out->evidence.last_ms)
        out->evidence.first_ms = out->evidence.last_ms;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Opened something %.0f times in an hour within 300 ms of data down %s%s "
             "(by chance: %.0f), in about %.0f networks; it takes orders from there.",
             (double)b->behind,
             b->odds >= BEHIND_SURE ? "a flow that it keeps up" : "flows that it keeps up",
             hosted ? " to a hosting network" : "", (double)b->expected, behind_networks(b));
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
    bool uploads = s.up >= BEHIND_UPLOADS * s.down && s.up >= OCTETS_MIN;
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
