// backscatter: mail with the null sender, to many providers: bounces to people who never wrote.
//
// A mail server bounces now and then; one that takes everything and bounces later sends little else.
// Verifiers of senders also use the null sender: they send no message, and are left alone. Only a
// mail server can bounce, so its role is no excuse here. docs/detectors/backscatter.md.
#include "detector.h"

#include <stdio.h>

struct backscatter_conf {
    int64_t limit_hour, providers_min;
    double share, cap;
};

extern const struct detector_descriptor detector_backscatter;

#define FIELD(m)     offsetof(struct backscatter_conf, m)
#define HOUR_S       3600
#define AT_LIMIT     7.0
#define PER_DOUBLING 3.0

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 100000,
     .def = "30",
     .unit = "bounces",
     .help = "Bounces an hour that a mail server may send."},
    {.name = "providers_min",
     .type = CONF_INT,
     .offset = FIELD(providers_min),
     .min = 2,
     .max = 1000,
     .def = "10",
     .unit = "providers",
     .help = "To so many mail providers at least."},
    {.name = "share",
     .type = CONF_REAL,
     .offset = FIELD(share),
     .min = 0.1,
     .max = 1,
     .def = "0.5",
     .unit = "share",
     .help = "Share of its mail that are bounces, at least."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 20,
     .def = "14",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = NULL},
};

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct backscatter_conf *c = ctx->conf;
    int64_t now = ctx->now_ms, first_ms = now;
    double mail = (double)window_sum(w, FEATURE_MX_MAIL, now, HOUR_S);
    double bounces = (double)window_sum(w, FEATURE_MX_NULL_SENDER, now, HOUR_S);
    double sent = (double)window_sum(w, FEATURE_MX_MESSAGES, now, HOUR_S);
    double providers = window_providers(w, now, HOUR_S, &first_ms);
    double limit = (double)c->limit_hour * ctx->factor;
    double weight = detector_excess(bounces, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    // A verifier of senders, or a harvester, leaves before DATA.
    bool silent = sent * 10 < bounces;
    if (weight <= 0 || bounces < c->share * mail || providers < (double)c->providers_min || silent)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_backscatter, bounces, limit,
                                                    "bounces", HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(VERDICT_BACKSCATTER);
    f.evidence.conclusive = true;
    f.evidence.first_ms = first_ms;
    f.evidence.last_ms = window_last(w, FEATURE_MX_NULL_SENDER, now);
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "Sent %.0f bounces to %.0f mail providers in an hour, %.0f %% of all its mail; a mail "
             "server stays below %.0f.",
             bounces, providers, 100 * bounces / mail, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_backscatter = {
    .name = "backscatter",
    .section = "backscatter",
    .help = "Bounces to people who never wrote.",
    .family = VERDICT_FAMILY_BEHAVIOUR,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_ENVELOPE,
    .raw = DETECTOR_RAW_NULL_SENDERS,
    .reads = FEATURE_MX,
    .keys = keys,
    .conf_size = sizeof(struct backscatter_conf),
    .evaluate = evaluate,
};
