// recipient-burst: more recipients through smarthost and submission servers than a party needs.
//
// Where reply codes look healthy, volume is the first sign of a stolen account or of a bot behind the
// smarthost. Messages weigh sooner than recipients, for a ticket. A club's secretary with a long BCC looks the same, so volume never convicts alone.
// docs/detectors/recipient-burst.md.
#include "detector.h"

#include <stdio.h>

struct burst_conf {
    int64_t limit_10min, limit_hour, limit_day;
    int64_t messages_10min, messages_hour, messages_day;
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
    {.name = "messages_10min",
     .type = CONF_INT,
     .offset = FIELD(messages_10min),
     .min = 1,
     .max = 60000,
     .def = "30",
     .unit = "messages",
     .help = "Messages accepted in 10 minutes, for a ticket and no more, of a household."},
    {.name = "messages_hour",
     .type = CONF_INT,
     .offset = FIELD(messages_hour),
     .min = 1,
     .max = 60000,
     .def = "60",
     .unit = "messages",
     .help = "The same in an hour."},
    {.name = "messages_day",
     .type = CONF_INT,
     .offset = FIELD(messages_day),
     .min = 1,
     .max = 60000,
     .def = "300",
     .unit = "messages",
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

// One way of counting: features of the smarthost and of submission servers, and three limits.
struct measure {
    enum feature feature[2];
    int64_t limit[3];
    const char *unit, *text;
    uint8_t ceiling;
};

static bool find(const struct window *w, const struct detector_ctx *ctx, const struct measure *m,
                 struct detector_finding *out)
{
    static const int32_t windows[] = {600, 3600, 86400};
    const struct burst_conf *c = ctx->conf;
    double best = 0, measured = 0, limit = 0;
    int32_t window_s = 0;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        double n = (double)(window_sum(w, m->feature[0], ctx->now_ms, windows[i]) +
                            window_sum(w, m->feature[1], ctx->now_ms, windows[i]));
        double most = (double)m->limit[i] * ctx->factor;
        double weight = detector_excess(n, most, AT_LIMIT, PER_DOUBLING, c->cap);
        if (weight <= best)
            continue;
        best = weight;
        measured = n;
        limit = most;
        window_s = windows[i];
    }
    if (best <= 0)
        return false;
    *out = detector_finding_of(&detector_recipient_burst, measured, limit, m->unit, window_s, best);
    // Without a message through it nobody relays through the smarthost.
    out->supports = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) |
                    (detector_class_of_mail(w, ctx->now_ms) &
                     DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST));
    out->ceiling = m->ceiling;
    out->evidence.first_ms = detector_first(w, m->feature, 2, ctx->now_ms, window_s);
    out->evidence.last_ms = detector_last(w, m->feature, 2, ctx->now_ms, window_s);
    char span[DETECTOR_SPAN_MAX];
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Sent %s %.0f %s through mail services in %s; %.0f are the limit.", m->text, measured,
             m->unit, detector_span(window_s, span), limit);
    return true;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct burst_conf *c = ctx->conf;
    const struct measure recipients = {.feature = {FEATURE_OWN_RCPT_OK, FEATURE_OTHER_RCPT_OK},
                                       .limit = {c->limit_10min, c->limit_hour, c->limit_day},
                                       .unit = "recipients",
                                       .text = "to",
                                       .ceiling = VERDICT_QUARANTINE};
    // One message to many is a club's; many messages, hour after hour, are a program's.
    const struct measure messages = {
        .feature = {FEATURE_OWN_MESSAGES, FEATURE_OTHER_MESSAGES},
        .limit = {c->messages_10min, c->messages_hour, c->messages_day},
        .unit = "messages",
        .text = "off",
        .ceiling = VERDICT_TICKET};
    size_t n = find(w, ctx, &recipients, &out[0]) ? 1 : 0;
    if (ctx->role == ROLE_HOUSEHOLD && find(w, ctx, &messages, &out[n]) &&
        (n == 0 || out[1].evidence.log_odds > out[0].evidence.log_odds))
        n++;
    return n;
}

static const char *check(const void *conf, const char **key)
{
    const struct burst_conf *c = conf;
    *key = "limit_10min";
    if (c->limit_10min > c->limit_hour)
        return "is above limit_hour, so it says nothing; lower it";
    *key = "limit_hour";
    if (c->limit_hour > c->limit_day)
        return "is above limit_day, so it says nothing; lower it";
    *key = "messages_10min";
    if (c->messages_10min > c->messages_hour)
        return "is above messages_hour, so it says nothing; lower it";
    *key = "messages_hour";
    if (c->messages_hour > c->messages_day)
        return "is above messages_day, so it says nothing; lower it";
    return NULL;
}

const struct detector_descriptor detector_recipient_burst = {
    .name = "recipient-burst",
    .section = "recipient_burst",
    .help = "More recipients through smarthost and submission than a party needs.",
    .family = VERDICT_FAMILY_VOLUME,
    .needs = DETECTOR_OWN_DIALOGUE,
    .raw = DETECTOR_RAW_VOLUME,
    .reads = FEATURE_OWN | FEATURE_OTHER,
    .keys = keys,
    .conf_size = sizeof(struct burst_conf),
    .evaluate = evaluate,
    .check = check,
};
