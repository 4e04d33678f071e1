// recipient-burst: more recipients through smarthost and submission servers than a party needs.
//
// Where reply codes look healthy, volume is the first sign of a stolen account or of a bot behind the
// smarthost. A club's secretary with a long BCC looks the same, so volume never convicts alone.
// docs/detectors/recipient-burst.md.
#include "detector.h"

#include <stdio.h>

struct burst_conf {
    int64_t limit_10min, limit_hour, limit_day;
    double cap;
};

extern const struct detector_descriptor detector_recipient_burst;

#define FIELD(m)     offsetof(struct burst_conf, m)
#define AT_LIMIT     2.5
#define PER_DOUBLING 2.0

static const struct conf_key keys[] = {
    {.name = "limit_10min",
     .type = CONF_INT,
     .offset = FIELD(limit_10min),
     .min = 1,
     .max = 1000000,
     .def = "100",
     .unit = "recipients",
     .help = "Recipients accepted in 10 minutes."},
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 1000000,
     .def = "300",
     .unit = "recipients",
     .help = "The same in an hour."},
    {.name = "limit_day",
     .type = CONF_INT,
     .offset = FIELD(limit_day),
     .min = 1,
     .max = 60000,
     .def = "1000",
     .unit = "recipients",
     .help = "The same in a day."},
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

static double recipients(const struct window *w, int64_t now_ms, int32_t window_s)
{
    return (double)(window_sum(w, FEATURE_OWN_RCPT_OK, now_ms, window_s) +
                    window_sum(w, FEATURE_OTHER_RCPT_OK, now_ms, window_s));
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct burst_conf *c = ctx->conf;
    const struct {
        int32_t window_s;
        int64_t limit;
    } windows[] = {{600, c->limit_10min}, {3600, c->limit_hour}, {86400, c->limit_day}};
    double best = 0, measured = 0, limit = 0;
    int32_t window_s = 0;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        double n = recipients(w, ctx->now_ms, windows[i].window_s);
        double most = (double)windows[i].limit * ctx->factor;
        double weight = detector_excess(n, most, AT_LIMIT, PER_DOUBLING, c->cap);
        if (weight <= best)
            continue;
        best = weight;
        measured = n;
        limit = most;
        window_s = windows[i].window_s;
    }
    if (best <= 0)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_recipient_burst, measured, limit,
                                                    "recipients", window_s, best);
    f.supports = DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST) |
                 DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT);
    static const enum feature counted[] = {FEATURE_OWN_RCPT_OK, FEATURE_OTHER_RCPT_OK};
    f.evidence.first_ms = detector_first(w, counted, 2, ctx->now_ms, window_s);
    f.evidence.last_ms = ctx->now_ms;
    char span[DETECTOR_SPAN_MAX];
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "Sent to %.0f recipients through mail services in %s; %.0f are the limit.", measured,
             detector_span(window_s, span), limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_recipient_burst = {
    .name = "recipient-burst",
    .section = "recipient_burst",
    .help = "More recipients through smarthost and submission than a party needs.",
    .family = VERDICT_FAMILY_VOLUME,
    .needs = DETECTOR_OWN_DIALOGUE,
    .keys = keys,
    .conf_size = sizeof(struct burst_conf),
    .evaluate = evaluate,
};
