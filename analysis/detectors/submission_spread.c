// submission-spread: submission servers of many unrelated providers.
//
// A person has a few mail accounts with a few providers; a program with a list of stolen accounts
// goes to as many submission servers as the list has. Seen through TLS, since only providers are
// counted. docs/detectors/submission-spread.md.
#include "detector.h"

#include <stdio.h>

struct spread_conf {
    int64_t limit_hour;
    double cap;
};

extern const struct detector_descriptor detector_submission_spread;

#define FIELD(m)       offsetof(struct spread_conf, m)
#define HOUR_S         3600
#define AT_LIMIT       2.5
#define PER_DOUBLING   2.0
#define PROVIDERS_HELD 24

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 100000,
     .def = "8",
     .unit = "providers",
     .help = "Submission providers contacted in an hour."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 20,
     .def = "6",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = NULL},
};

struct spread_state {
    uint32_t provider[PROVIDERS_HELD];
    uint32_t seen_s[PROVIDERS_HELD];
};

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct spread_state *s = state;
    uint32_t now_s = (uint32_t)(ctx->now_ms / 1000);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d->role != MINUTE_SUBMISSION || d->direction != MINUTE_OUT ||
            !(d->flags & MINUTE_DIGEST_START))
            continue;
        uint32_t provider = providers_hash(d);
        size_t place = 0;
        for (size_t k = 0; k < PROVIDERS_HELD; k++) {
            if (s->provider[k] == provider) {
                place = k;
                break;
            }
            if (s->seen_s[k] < s->seen_s[place])
                place = k;
        }
        s->provider[place] = provider;
        s->seen_s[place] = now_s;
    }
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct spread_conf *c = ctx->conf;
    const struct spread_state *s = state;
    double held = 0;
    for (size_t k = 0; k < PROVIDERS_HELD; k++)
        held += s->seen_s[k] != 0 && s->seen_s[k] >= ctx->now_ms / 1000 - HOUR_S;
    double set = (double)window_sum(w, FEATURE_PROVIDERS_OTHER, ctx->now_ms, HOUR_S);
    double measured = set > held ? set : held;
    double limit = (double)c->limit_hour * ctx->factor;
    double weight = detector_excess(measured, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight <= 0)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_submission_spread, measured, limit,
                                                    "providers", HOUR_S, weight);
    f.supports = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) |
                 DETECTOR_CLASS(VERDICT_AUTH_GUESSING) | DETECTOR_CLASS(VERDICT_SOCKS_RELAY);
    f.defines = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT);
    f.evidence.first_ms = window_first(w, FEATURE_PROVIDERS_OTHER, ctx->now_ms, HOUR_S);
    f.evidence.last_ms = ctx->now_ms;
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "Contacted the submission servers of %.0f mail providers in an hour; a person has "
             "accounts with fewer than %.0f.",
             measured, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_submission_spread = {
    .name = "submission-spread",
    .section = "submission_spread",
    .help = "Submission servers of many unrelated providers.",
    .family = VERDICT_FAMILY_SPREAD,
    .needs = 0,
    .keys = keys,
    .conf_size = sizeof(struct spread_conf),
    .state_size = sizeof(struct spread_state),
    .observe = observe,
    .evaluate = evaluate,
};
