// harvest: trying out which addresses exist, with no message meant.
//
// VRFY and EXPN, and recipients refused in sessions that never got to DATA. A mail server that
// verifies senders does the same with the null sender and one recipient a session, and a printer that may not send
// asks one server for one recipient on and on: both are recognised and left alone. docs/detectors/harvest.md.
#include "detector.h"

#include <stdio.h>

struct harvest_conf {
    int64_t limit_hour, limit_vrfy;
    double share, cap;
};

extern const struct detector_descriptor detector_harvest;

#define FIELD(m)     offsetof(struct harvest_conf, m)
#define HOUR_S       3600
#define AT_LIMIT     10.0
#define PER_DOUBLING 2.5
#define ONE_EACH     1.5 // recipients a session, at most

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 100000,
     .def = "30",
     .unit = "sessions",
     .help = "Sessions an hour with refused recipients and no DATA."},
    {.name = "limit_vrfy",
     .type = CONF_INT,
     .offset = FIELD(limit_vrfy),
     .min = 1,
     .max = 100000,
     .def = "20",
     .unit = "commands",
     .help = "VRFY and EXPN commands an hour."},
    {.name = "share",
     .type = CONF_REAL,
     .offset = FIELD(share),
     .min = 0.1,
     .max = 1,
     .def = "0.7",
     .help = "Share of recipients that are refused, at least."},
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

static struct detector_finding finding(const struct window *w, enum feature counted,
                                       double measured, double limit, const char *unit,
                                       double weight, int64_t now_ms)
{
    struct detector_finding f = detector_finding_of(&detector_harvest, measured, limit, unit,
                                                    HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(VERDICT_HARVESTER);
    f.evidence.conclusive = true;
    f.evidence.first_ms = window_first(w, counted, now_ms, HOUR_S);
    f.evidence.last_ms = window_last(w, counted, now_ms);
    return f;
}

// Sessions with refused recipients and no message, and what they asked for. What names a blocklist says nothing of
// the recipient.
struct asked {
    double sessions, refused, accepted;
};

static struct asked asked_for(const struct window *w, int64_t now_ms)
{
    static const enum feature listed[] = {FEATURE_LISTED_POLICY, FEATURE_LISTED_EXPLOIT,
                                          FEATURE_LISTED_UNKNOWN};
    double named = 0;
    for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++)
        named += (double)window_sum(w, listed[i], now_ms, HOUR_S);
    struct asked a = {.sessions = (double)window_sum(w, FEATURE_MX_550_NO_DATA, now_ms, HOUR_S),
                      .refused = (double)window_sum(w, FEATURE_MX_RCPT_5XX, now_ms, HOUR_S),
                      .accepted = (double)window_sum(w, FEATURE_MX_RCPT_OK, now_ms, HOUR_S)};
    a.sessions = a.sessions > named ? a.sessions - named : 0;
    a.refused = a.refused > named ? a.refused - named : 0;
    return a;
}

// One provider, one recipient a session: a device that is turned away and tries again.
static bool is_stubborn(const struct window *w, const struct asked *a, int64_t now_ms)
{
    int64_t first_ms;
    return a->refused + a->accepted <= ONE_EACH * a->sessions &&
           window_providers(w, now_ms, HOUR_S, &first_ms) < 2;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct harvest_conf *c = ctx->conf;
    int64_t now = ctx->now_ms;
    struct asked a = asked_for(w, now);
    double sessions = a.sessions, refused = a.refused, accepted = a.accepted;
    double vrfy = (double)window_sum(w, FEATURE_VRFY_EXPN, now, HOUR_S);
    size_t n = 0;
    double limit = (double)c->limit_hour * ctx->factor;
    double weight = detector_excess(sessions, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight > 0 && !window_verifies(w, now) && refused >= c->share * (refused + accepted) &&
        !is_stubborn(w, &a, now)) {
        out[n] = finding(w, FEATURE_MX_550_NO_DATA, sessions, limit, "sessions", weight, now);
        snprintf(out[n].evidence.sentence, sizeof out[n].evidence.sentence,
                 "Asked for %.0f recipients in %.0f sessions that never sent a message, within an "
                 "hour; %.0f %% do not exist, and %.0f such sessions are the limit.",
                 refused + accepted, sessions, 100 * refused / (refused + accepted), limit);
        n++;
    }
    limit = (double)c->limit_vrfy * ctx->factor;
    weight = detector_excess(vrfy, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight > 0) {
        out[n] = finding(w, FEATURE_VRFY_EXPN, vrfy, limit, "commands", weight, now);
        snprintf(out[n].evidence.sentence, sizeof out[n].evidence.sentence,
                 "Sent %.0f VRFY and EXPN commands in an hour; the limit is %.0f.", vrfy, limit);
        n++;
    }
    return n;
}

const struct detector_descriptor detector_harvest = {
    .name = "harvest",
    .section = "harvest",
    .help = "Trying out which addresses exist, with no message meant.",
    .family = VERDICT_FAMILY_REJECTION,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_ENVELOPE,
    .raw = DETECTOR_RAW_REFUSALS,
    .reads = FEATURE_MX,
    .keys = keys,
    .conf_size = sizeof(struct harvest_conf),
    .evaluate = evaluate,
};
