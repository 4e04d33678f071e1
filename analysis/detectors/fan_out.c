// fan-out: more mail providers contacted on port 25 than a party of its role ever needs.
//
// Providers, not addresses: a large provider has many of those. Three windows, so that a slow bot is
// as visible as a fast one. It cannot convict alone (a newsletter contacts as many), except where
// port 25 is blocked: there failing says nothing, the block itself is the remedy, and a ticket is all
// that is left to do. docs/detectors/fan-out.md.
#include "detector.h"

#include <stdio.h>

struct fan_out_conf {
    int64_t limit_10min, limit_hour, limit_day;
    double unknown_factor, mail_server_factor;
    int64_t extreme;
    double cap;
};

#define FIELD(m)     offsetof(struct fan_out_conf, m)
#define AT_LIMIT     2.3 // one over the limit: ten to one
#define PER_DOUBLING 2.0
// Behind a block: twice the limit suffices with a household's prior.
#define BLOCKED_AT_LIMIT     8.6
#define BLOCKED_PER_DOUBLING 3.0
#define BLOCKED_CAP          12.0

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
    {.name = "unknown_factor",
     .type = CONF_REAL,
     .offset = FIELD(unknown_factor),
     .min = 1,
     .max = 100000,
     .def = "10",
     .help = "Times the limits for a line that was answered on port 25 and is no known mail server "
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
    {.name = NULL},
};

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct fan_out_conf *c = ctx->conf;
    const struct {
        int32_t window_s;
        int64_t limit;
    } windows[] = {{600, c->limit_10min}, {3600, c->limit_hour}, {86400, c->limit_day}};
    double factor = ctx->role == ROLE_MAIL_SERVER ? c->mail_server_factor
                    : ctx->role == ROLE_UNKNOWN   ? c->unknown_factor
                                                  : 1;
    bool blocked = ctx->port25_blocked && window_is_cut_off(w, ctx->now_ms);
    double at_limit = blocked ? BLOCKED_AT_LIMIT : AT_LIMIT;
    double per_doubling = blocked ? BLOCKED_PER_DOUBLING : PER_DOUBLING;
    double cap = blocked ? BLOCKED_CAP : c->cap;
    if (window_scans(w, ctx->now_ms))
        return 0;
    double best = 0, best_measured = 0, best_limit = 0;
    int64_t best_first = 0;
    int32_t best_window = 0;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        int64_t first_ms = 0;
        double measured = window_providers(w, ctx->now_ms, windows[i].window_s, &first_ms);
        double limit = (double)windows[i].limit * factor * ctx->factor;
        double weight = detector_excess(measured, limit, at_limit, per_doubling, cap);
        if (weight <= best)
            continue;
        best = weight;
        best_measured = measured;
        best_limit = limit;
        best_window = windows[i].window_s;
        best_first = first_ms;
    }
    if (best <= 0)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_fan_out, best_measured, best_limit,
                                                    "providers", best_window, best);
    f.supports = detector_classes_of(w, ctx->now_ms);
    f.defines = f.supports & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
    f.rests_on_silence = window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, best_window) == 0;
    bool extreme = c->extreme > 0 && ctx->role == ROLE_HOUSEHOLD &&
                   best_measured > best_limit * (double)c->extreme;
    if (extreme && !blocked)
        f.evidence.log_odds = BLOCKED_CAP;
    if (blocked || extreme) {
        f.evidence.conclusive = true;
        f.ceiling = VERDICT_TICKET;
    }
    f.evidence.first_ms = best_first;
    f.evidence.last_ms = ctx->now_ms;
    char span[DETECTOR_SPAN_MAX];
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "Contacted %.0f mail providers on port 25 in %s; %s is limited to %.0f.",
             best_measured, detector_span(best_window, span), detector_role_text(ctx->role),
             best_limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_fan_out = {
    .name = "fan-out",
    .section = "fan_out",
    .help = "More mail providers contacted on port 25 than a party of its role needs.",
    .family = VERDICT_FAMILY_SPREAD,
    .needs = DETECTOR_PORT25,
    .keys = keys,
    .conf_size = sizeof(struct fan_out_conf),
    .evaluate = evaluate,
};
