// policy-limits: so many messages or recipients in ten minutes, an hour, a day: the ISP's own rule.
//
// Plain counts over all ways out that are visible, no inference; 0 means no limit, which is the
// default. Limits scale with the network class (analysis.profiles). docs/detectors/policy-limits.md.
#include "detector.h"

#include <stdio.h>

struct limits_conf {
    int64_t messages_10min, messages_hour, messages_day;
    int64_t recipients_10min, recipients_hour, recipients_day;
};

extern const struct detector_descriptor detector_policy_limits;

#define FIELD(m) offsetof(struct limits_conf, m)
#define WEIGHT   8.0 // it is a count, not a guess

static const struct conf_key keys[] = {
    {.name = "messages_10min",
     .type = CONF_INT,
     .offset = FIELD(messages_10min),
     .min = 0,
     .max = 60000,
     .def = "0",
     .unit = "messages",
     .help = "Messages in 10 minutes; 0: no limit."},
    {.name = "messages_hour",
     .type = CONF_INT,
     .offset = FIELD(messages_hour),
     .min = 0,
     .max = 60000,
     .def = "0",
     .unit = "messages",
     .help = "Messages in an hour; 0: no limit."},
    {.name = "messages_day",
     .type = CONF_INT,
     .offset = FIELD(messages_day),
     .min = 0,
     .max = 60000,
     .def = "0",
     .unit = "messages",
     .help = "Messages in a day of the site's time zone; 0: no limit."},
    {.name = "recipients_10min",
     .type = CONF_INT,
     .offset = FIELD(recipients_10min),
     .min = 0,
     .max = 60000,
     .def = "0",
     .unit = "recipients",
     .help = "Recipients in 10 minutes; 0: no limit."},
    {.name = "recipients_hour",
     .type = CONF_INT,
     .offset = FIELD(recipients_hour),
     .min = 0,
     .max = 60000,
     .def = "0",
     .unit = "recipients",
     .help = "Recipients in an hour; 0: no limit."},
    {.name = "recipients_day",
     .type = CONF_INT,
     .offset = FIELD(recipients_day),
     .min = 0,
     .max = 60000,
     .def = "0",
     .unit = "recipients",
     .help = "Recipients in a day of the site's time zone; 0: no limit."},
    {.name = NULL},
};

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct limits_conf *c = ctx->conf;
    static const enum feature messages[] = {FEATURE_OWN_MESSAGES, FEATURE_OTHER_MESSAGES,
                                            FEATURE_MX_MESSAGES};
    static const enum feature recipients[] = {FEATURE_OWN_RCPT_OK, FEATURE_OTHER_RCPT_OK,
                                              FEATURE_MX_RCPT_OK};
    // A day is the site's own, from midnight: 23 hours long in one night of the year, 25 in another.
    int32_t day_s = (int32_t)((ctx->now_ms - ctx->day_ms) / 1000);
    const struct {
        int64_t limit;
        int32_t window_s;
        const enum feature *features;
        const char *unit, *sent, *span, *each;
    } rules[] = {
        {c->messages_10min, 600, messages, "messages", "Sent", "in 10 minutes", "10 minutes"},
        {c->messages_hour, 3600, messages, "messages", "Sent", "in an hour", "an hour"},
        {c->messages_day, day_s, messages, "messages", "Sent", "since midnight", "a day"},
        {c->recipients_10min, 600, recipients, "recipients", "Sent to", "in 10 minutes",
         "10 minutes"},
        {c->recipients_hour, 3600, recipients, "recipients", "Sent to", "in an hour", "an hour"},
        {c->recipients_day, day_s, recipients, "recipients", "Sent to", "since midnight", "a day"},
    };
    double worst = 1;
    size_t n = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        double limit = (double)rules[i].limit * ctx->factor, measured = 0;
        for (size_t k = 0; k < 3; k++)
            measured += (double)window_sum(w, rules[i].features[k], ctx->now_ms, rules[i].window_s);
        if (limit <= 0 || measured / limit <= worst)
            continue;
        worst = measured / limit;
        struct detector_finding f = detector_finding_of(&detector_policy_limits, measured, limit,
                                                        rules[i].unit, rules[i].window_s, WEIGHT);
        f.supports = f.defines = DETECTOR_CLASS(VERDICT_POLICY_LIMIT);
        f.evidence.conclusive = true;
        f.evidence.first_ms = detector_first(w, rules[i].features, 3, ctx->now_ms,
                                             rules[i].window_s);
        f.evidence.last_ms = detector_last(w, rules[i].features, 3, ctx->now_ms, rules[i].window_s);
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "%s %.0f %s %s; its contract allows %.0f in %s.", rules[i].sent, measured,
                 rules[i].unit, rules[i].span, limit, rules[i].each);
        out[0] = f;
        n = 1;
    }
    return n;
}

// Limits of longer times that are lower than those of shorter ones: the shorter can never be reached.
static const char *check(const void *conf, const char **key)
{
    const struct limits_conf *c = conf;
    const struct {
        int64_t shorter, longer;
        const char *key, *why;
    } pairs[] = {
        {c->messages_10min, c->messages_hour, "messages_10min",
         "is above messages_hour, so it never holds; lower it, or raise messages_hour (0: none)"},
        {c->messages_hour, c->messages_day, "messages_hour",
         "is above messages_day, so it never holds; lower it, or raise messages_day (0: none)"},
        {c->messages_10min, c->messages_day, "messages_10min",
         "is above messages_day, so it never holds; lower it, or raise messages_day (0: none)"},
        {c->recipients_10min, c->recipients_hour, "recipients_10min",
         "is above recipients_hour, so it never holds; lower it, or raise recipients_hour (0: "
         "none)"},
        {c->recipients_hour, c->recipients_day, "recipients_hour",
         "is above recipients_day, so it never holds; lower it, or raise recipients_day (0: none)"},
        {c->recipients_10min, c->recipients_day, "recipients_10min",
         "is above recipients_day, so it never holds; lower it, or raise recipients_day (0: none)"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i].longer == 0 || pairs[i].shorter <= pairs[i].longer)
            continue;
        *key = pairs[i].key;
        return pairs[i].why;
    }
    return NULL;
}

const struct detector_descriptor detector_policy_limits = {
    .name = "policy-limits",
    .section = "policy_limits",
    .help = "The site's own limits of messages and recipients.",
    .family = VERDICT_FAMILY_VOLUME,
    .needs = DETECTOR_OWN_DIALOGUE,
    .raw = DETECTOR_RAW_VOLUME,
    .reads = FEATURE_MX | FEATURE_OWN | FEATURE_OTHER,
    .keys = keys,
    .conf_size = sizeof(struct limits_conf),
    .evaluate = evaluate,
    .check = check,
};
