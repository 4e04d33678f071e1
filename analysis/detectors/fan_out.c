// fan-out: more mail providers contacted on port 25 than a party of its role ever needs.
//
// Providers, not addresses: a large provider has many of those. Three windows, so that a slow bot is
// as visible as a fast one. It cannot convict alone (a newsletter contacts as many), except where
// port 25 is blocked: there failing says nothing, the block itself is the remedy, and a ticket is all
// that is left to do. For a ticket the same spread weighs more than for a quarantine when the line has
// never taken mail on port 25: hardly anybody but a bot goes to many mail providers from there.
// docs/detectors/fan-out.md.
#include "detector.h"
#include "site.h"

#include <math.h>
#include <stdio.h>

struct fan_out_conf {
    int64_t limit_10min, limit_hour, limit_day;
    int64_t blocked_hour, blocked_day;
    double unknown_factor, mail_server_factor;
    int64_t extreme;
    double cap, ticket_cap;
};

#define FIELD(m)     offsetof(struct fan_out_conf, m)
#define AT_LIMIT     2.3 // one over the limit: ten to one
#define PER_DOUBLING 2.0
// The same for a ticket, where the line takes no mail on port 25.
#define TICKET_AT_LIMIT     4.0
#define TICKET_PER_DOUBLING 3.0
// Behind a block: twice the limit suffices with a household's prior.
#define BLOCKED_AT_LIMIT     8.6
#define BLOCKED_PER_DOUBLING 3.0
// Of what one direction shows a fifth is taken off: 14.5 at twice the limit are 11.6, with a household's prior just 0.99.
#define ONE_SIDED_AT_LIMIT     11.5
#define ONE_SIDED_PER_DOUBLING 3.0
#define ONE_SIDED_CAP          15.0
#define HOUR_S                 3600
#define SCAN_SHOWS_MS          10000 // its silent SYNs are known after four seconds
#define BLOCKED_CAP            12.0

extern const struct detector_descriptor detector_fan_out;

static const struct conf_key keys[] = {
    {.name = "limit_10min",
     .type = CONF_INT,
     .offset = FIELD(limit_10min),
     .min = 1,
     .max = 100000,
     .def = "6",
     .unit = "providers",
     .help = "Mail providers a household may contact on port 25 in 10 minutes."},
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 100000,
     .def = "12",
     .unit = "providers",
     .help = "The same in an hour."},
    {.name = "limit_day",
     .type = CONF_INT,
     .offset = FIELD(limit_day),
     .min = 1,
     .max = 100000,
     .def = "24",
     .unit = "providers",
     .help = "The same in a day."},
    {.name = "blocked_hour",
     .type = CONF_INT,
     .offset = FIELD(blocked_hour),
     .min = 1,
     .max = 100000,
     .def = "5",
     .unit = "providers",
     .help = "Limit of an hour for a household behind a block; twice that is a ticket by itself."},
    {.name = "blocked_day",
     .type = CONF_INT,
     .offset = FIELD(blocked_day),
     .min = 1,
     .max = 100000,
     .def = "5",
     .unit = "providers",
     .help = "The same of a day."},
    {.name = "unknown_factor",
     .type = CONF_REAL,
     .offset = FIELD(unknown_factor),
     .min = 1,
     .max = 100000,
     .def = "10",
     .help = "Times the limits for a line that takes mail on port 25 and is no known mail server "
             "yet."},
    {.name = "mail_server_factor",
     .type = CONF_REAL,
     .offset = FIELD(mail_server_factor),
     .min = 1,
     .max = 100000,
     .def = "300",
     .help = "Times the limits for a mail server."},
    {.name = "extreme",
     .type = CONF_INT,
     .offset = FIELD(extreme),
     .min = 0,
     .max = 10000,
     .def = "60",
     .unit = "times",
     .help = "So many times its limit is a ticket by itself, for a household; 0: never."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 12,
     .def = "6",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = "ticket_cap",
     .type = CONF_REAL,
     .offset = FIELD(ticket_cap),
     .min = 0,
     .max = 11,
     .def = "7.5",
     .unit = "log-odds",
     .help = "The same for a ticket and no more, of a household."},
    {.name = NULL},
};

// The window that is exceeded most.
struct excess {
    double weight, measured, limit;
    double failed; // of the list
    int64_t first_ms;
    int32_t window_s;
};

struct scale {
    int64_t limit[3];
    double factor, at_limit, per_doubling, cap;
    bool listed;  // by the list of contacts alone, which leaves out what may yet turn out a scan
    bool reached; // those alone that answered
};

static struct excess worst(const struct window *w, int64_t now_ms, const struct scale *scale)
{
    static const int32_t windows[] = {600, 3600, 86400};
    struct excess worst = {0};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        struct excess e = {.window_s = windows[i]};
        e.limit = (double)scale->limit[i] * scale->factor;
        if (scale->listed && e.limit * 2 < PROVIDERS_MAX)
            e.measured = providers_within(&w->providers, now_ms, windows[i] * 1000LL, &e.first_ms) -
                         providers_fresh(&w->providers, now_ms);
        else
            e.measured = window_providers(w, now_ms, windows[i], &e.first_ms);
        double held = providers_within(&w->providers, now_ms, windows[i] * 1000LL, NULL);
        e.failed = providers_failed(&w->providers, now_ms, windows[i] * 1000LL);
        // Of a full list the share holds for all.
        if (scale->reached && held > 0)
            e.measured = floor(
                e.measured * providers_answered(&w->providers, now_ms, windows[i] * 1000LL) / held);
        e.weight = detector_excess(e.measured, e.limit, scale->at_limit, scale->per_doubling,
                                   scale->cap);
        if (e.weight > worst.weight)
            worst = e;
    }
    return worst;
}

static struct detector_finding finding(const struct window *w, const struct detector_ctx *ctx,
                                       const struct excess *e, bool blocked)
{
    struct detector_finding f = detector_finding_of(&detector_fan_out, e->measured, e->limit,
                                                    "providers", e->window_s, e->weight);
    char span[DETECTOR_SPAN_MAX];
    f.supports = detector_classes_of(w, ctx->now_ms);
    f.defines = f.supports & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
    f.raw = DETECTOR_RAW_REACHED | (e->failed > 0 ? DETECTOR_RAW_FAILED : 0);
    f.rests_on_silence = window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, e->window_s) == 0;
    f.evidence.first_ms = e->first_ms;
    f.evidence.last_ms = window_last_contact(w, ctx->now_ms);
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "Contacted %.0f mail providers on port 25 in %s; %s%s is limited to %.0f.",
             e->measured, detector_span(e->window_s, span), detector_role_text(ctx->role),
             blocked ? " behind a block of it" : "", e->limit);
    return f;
}

// Behind a block: attempts alone, a ticket.
static size_t find_blocked(const struct window *w, const struct detector_ctx *ctx, double factor,
                           struct detector_finding *out)
{
    const struct fan_out_conf *c = ctx->conf;
    bool household = ctx->role == ROLE_HOUSEHOLD;
    struct scale scale = {.limit = {c->limit_10min, household ? c->blocked_hour : c->limit_hour,
                                    household ? c->blocked_day : c->limit_day},
                          .factor = factor,
                          .at_limit = BLOCKED_AT_LIMIT,
                          .per_doubling = BLOCKED_PER_DOUBLING,
                          .cap = BLOCKED_CAP,
                          .listed = true};
    struct excess e = worst(w, ctx->now_ms, &scale);
    if (e.weight <= 0)
        return 0;
    *out = finding(w, ctx, &e, true);
    out->evidence.conclusive = true;
    out->ceiling = VERDICT_TICKET;
    return 1;
}

// The same without those that failed: beside first-contact, which has heard of these.
static size_t find_reached(const struct window *w, const struct detector_ctx *ctx,
                           struct scale scale, struct detector_finding *out)
{
    scale.reached = true;
    struct excess e = worst(w, ctx->now_ms, &scale);
    if (e.weight <= 0 || e.failed == 0)
        return 0;
    char span[DETECTOR_SPAN_MAX];
    *out = finding(w, ctx, &e, false);
    out->raw = DETECTOR_RAW_REACHED;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Reached %.0f mail providers on port 25 in %s, besides those that failed; %s is "
             "limited to %.0f.",
             e.measured, detector_span(e.window_s, span), detector_role_text(ctx->role), e.limit);
    return 1;
}

// One direction: who answered is not visible, and no other family can speak. Twice what a household may contact is a
// ticket by itself.
static size_t find_one_sided(const struct window *w, const struct detector_ctx *ctx,
                             struct scale scale, struct detector_finding *out)
{
    scale.at_limit = ONE_SIDED_AT_LIMIT;
    scale.per_doubling = ONE_SIDED_PER_DOUBLING;
    scale.cap = ONE_SIDED_CAP;
    scale.listed = true;
    struct excess e = worst(w, ctx->now_ms, &scale);
    // Answers alone are no word of whom the line called: somebody else may have, or a scan.
    if (e.weight <= 0 || window_sum(w, FEATURE_MX_OCTETS, ctx->now_ms, HOUR_S) == 0)
        return 0;
    char span[DETECTOR_SPAN_MAX];
    *out = finding(w, ctx, &e, false);
    out->evidence.conclusive = e.measured >= 2 * e.limit;
    out->ceiling = VERDICT_TICKET;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Contacted %.0f mail providers on port 25 in %s, one direction seen, so whether they "
             "answered is not known; %s is limited to %.0f.",
             e.measured, detector_span(e.window_s, span), detector_role_text(ctx->role), e.limit);
    return 1;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct fan_out_conf *c = ctx->conf;
    double factor = ctx->role == ROLE_MAIL_SERVER ? c->mail_server_factor
                    : ctx->role == ROLE_UNKNOWN   ? c->unknown_factor
                                                  : 1;
    factor *= ctx->factor;
    if (window_scans(w, ctx->now_ms))
        return 0;
    struct scale scale = {.limit = {c->limit_10min, c->limit_hour, c->limit_day},
                          .factor = factor,
                          .at_limit = AT_LIMIT,
                          .per_doubling = PER_DOUBLING,
                          .cap = c->cap};
    if (ctx->site->one_direction && ctx->role == ROLE_HOUSEHOLD)
        return find_one_sided(w, ctx, scale, out);
    if (ctx->port25_blocked && window_is_cut_off(w, ctx->now_ms))
        return find_blocked(w, ctx, factor, out);
    struct excess e = worst(w, ctx->now_ms, &scale);
    if (e.weight <= 0)
        return 0;
    size_t n = 1;
    out[0] = finding(w, ctx, &e, false);
    n += find_reached(w, ctx, scale, &out[n]);
    if (ctx->role != ROLE_HOUSEHOLD)
        return n;
    scale.at_limit = TICKET_AT_LIMIT;
    scale.per_doubling = TICKET_PER_DOUBLING;
    scale.cap = c->ticket_cap;
    e = worst(w, ctx->now_ms, &scale);
    // What began within seconds may yet turn out a scan.
    bool young = ctx->now_ms - window_first(w, FEATURE_MX_CONNECTIONS, ctx->now_ms, e.window_s) <
                 SCAN_SHOWS_MS;
    bool extreme = c->extreme > 0 && !young && e.measured > e.limit * (double)c->extreme;
    if (extreme)
        e.weight = BLOCKED_CAP;
    if (e.weight > out[0].evidence.log_odds) {
        out[n] = finding(w, ctx, &e, false);
        out[n].evidence.conclusive = extreme;
        out[n++].ceiling = VERDICT_TICKET;
    }
    if (find_reached(w, ctx, scale, &out[n]))
        out[n++].ceiling = VERDICT_TICKET;
    return n;
}

static const char *check(const void *conf, const char **key)
{
    const struct fan_out_conf *c = conf;
    *key = "limit_10min";
    if (c->limit_10min > c->limit_hour)
        return "is above limit_hour, so it says nothing; lower it";
    *key = "limit_hour";
    if (c->limit_hour > c->limit_day)
        return "is above limit_day, so it says nothing; lower it";
    *key = "blocked_hour";
    if (c->blocked_hour > c->blocked_day)
        return "is above blocked_day, so it says nothing; lower it";
    return NULL;
}

const struct detector_descriptor detector_fan_out = {
    .name = "fan-out",
    .section = "fan_out",
    .help = "More mail providers contacted on port 25 than a party of its role needs.",
    .family = VERDICT_FAMILY_SPREAD,
    .needs = DETECTOR_PORT25,
    .raw = DETECTOR_RAW_FAILED | DETECTOR_RAW_REACHED,
    .keys = keys,
    .conf_size = sizeof(struct fan_out_conf),
    .evaluate = evaluate,
    .check = check,
};
