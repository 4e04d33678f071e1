// rejections: what the recipients' servers say of the recipients.
//
// A sequential test over recipients and messages answered for good (2xx against 5xx; 4xx is left out,
// greylisting says nothing). One session may add five refusals at most: a dead domain on a list is
// one fact, not fifty. Straight to mail providers it speaks of a bot, at the smarthost of a bot that
// relays there. docs/detectors/rejections.md.
#include "detector.h"
#include "sprt.h"

#include <math.h>
#include <stdio.h>

struct rejections_conf {
    double theta0, theta1, alpha, beta, cap;
    int64_t half_life_ms, session_max, providers_min;
};

extern const struct detector_descriptor detector_rejections;

#define FIELD(m) offsetof(struct rejections_conf, m)

static const struct conf_key keys[] = {
    {.name = "theta0",
     .type = CONF_REAL,
     .offset = FIELD(theta0),
     .min = 0.5,
     .max = 0.99,
     .def = "0.75",
     .unit = "probability",
     .help = "Share of recipients that are accepted, innocent party: a list nobody cleaned."},
    {.name = "theta1",
     .type = CONF_REAL,
     .offset = FIELD(theta1),
     .min = 0.01,
     .max = 0.7,
     .def = "0.4",
     .unit = "probability",
     .help = "The same of a bot."},
    {.name = "alpha",
     .type = CONF_REAL,
     .offset = FIELD(alpha),
     .min = 1e-9,
     .max = 0.1,
     .def = "1e-05",
     .unit = "probability",
     .help = "Chance that a test convicts an innocent."},
    {.name = "beta",
     .type = CONF_REAL,
     .offset = FIELD(beta),
     .min = 1e-6,
     .max = 0.5,
     .def = "0.01",
     .unit = "probability",
     .help = "Chance that a bot is missed."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 20,
     .def = "10",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = "half_life",
     .type = CONF_DURATION,
     .offset = FIELD(half_life_ms),
     .min = 600000,
     .max = 604800000,
     .def = "12h",
     .help = "Time in which old refusals lose half their weight."},
    {.name = "session_max",
     .type = CONF_INT,
     .offset = FIELD(session_max),
     .min = 1,
     .max = 1000,
     .def = "5",
     .unit = "refusals",
     .help = "Most refusals that one session adds."},
    {.name = "providers_min",
     .type = CONF_INT,
     .offset = FIELD(providers_min),
     .min = 1,
     .max = 1000,
     .def = "3",
     .unit = "providers",
     .help = "So many mail providers must have been contacted in the hour."},
    {.name = NULL},
};

struct rejections_state {
    struct sprt direct;    // at anybody's servers
    struct sprt smarthost; // at ours
    bool is_mailbox;
};

#define HOUR_S 3600

// Refusals of a role in the row, each session's cut to `most`. What names a blocklist is said of the sender and counts
// as that (blocklist.c); listings of a greeting are none of these.
static uint64_t refusals(const struct minute_row *r, unsigned role, uint64_t most)
{
    const uint64_t *c = r->counter[role][MINUTE_OUT];
    uint64_t all = c[MINUTE_rcpt_5xx] + c[MINUTE_mail_5xx];
    uint64_t listed = 0, cut = 0;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d->role != role || d->direction != MINUTE_OUT)
            continue;
        listed += d->rcpt_5xx;
        cut += d->rcpt_5xx < most ? d->rcpt_5xx : most;
    }
    // What no digest lists counts as it is.
    uint64_t bad = (all > listed ? all - listed : 0) + cut + c[MINUTE_messages_5xx];
    uint64_t named = c[MINUTE_blocklist_policy] + c[MINUTE_blocklist_exploit] +
                     c[MINUTE_blocklist_unknown];
    named -= named < c[MINUTE_banner_5xx] ? named : c[MINUTE_banner_5xx];
    return bad > named ? bad - named : 0;
}

// When the first of the row's sessions with a refusal began; without a digest, the row's minute.
static int64_t first_refusal(const struct minute_row *r, unsigned role)
{
    int32_t first = INT32_MAX;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        bool refused = d->rcpt_5xx + d->messages_5xx > 0;
        if (d->role == role && d->direction == MINUTE_OUT && refused && d->start_ms < first)
            first = d->start_ms;
    }
    return r->minute * 60000 + (first == INT32_MAX ? 0 : first);
}

static void try_row(struct sprt *s, const struct sprt_rule *rule, const struct minute_row *r,
                    unsigned role, const struct rejections_conf *c)
{
    uint64_t bad = refusals(r, role, (uint64_t)c->session_max);
    uint64_t good = r->counter[role][MINUTE_OUT][MINUTE_rcpt_ok];
    if (bad + good == 0)
        return;
    int64_t began_ms = first_refusal(r, role);
    sprt_decay(s, r->cut_ms, c->half_life_ms);
    // Their order within the row is not known: evenly mixed.
    for (uint64_t i = 0, put = 0; i < good; i++) {
        for (; put * good <= i * bad && put < bad; put++)
            sprt_fail(s, rule, r->cut_ms, began_ms, 1);
        sprt_succeed(s, rule, r->cut_ms, 1);
        if (i == good - 1) {
            for (; put < bad; put++)
                sprt_fail(s, rule, r->cut_ms, began_ms, 1);
        }
    }
    if (good == 0) {
        for (uint64_t i = 0; i < bad; i++)
            sprt_fail(s, rule, r->cut_ms, began_ms, 1);
    }
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    const struct rejections_conf *c = ctx->conf;
    struct rejections_state *s = state;
    s->is_mailbox = r->key.kind == SUBSCRIBER_MAILBOX;
    struct sprt_rule rule = sprt_rule(c->theta0, c->theta1, c->alpha, c->beta);
    try_row(&s->direct, &rule, r, MINUTE_MX, c);
    try_row(&s->smarthost, &rule, r, MINUTE_SMARTHOST, c);
}

static bool find(const struct sprt *walk, const struct rejections_conf *c,
                 const struct detector_ctx *ctx, const char *where, struct detector_finding *out)
{
    struct sprt s = *walk;
    struct sprt_rule rule = sprt_rule(c->theta0, c->theta1, c->alpha, c->beta);
    char span[DETECTOR_SPAN_MAX];
    sprt_decay(&s, ctx->now_ms, c->half_life_ms);
    if (!sprt_convicts(&s, &rule))
        return false;
    uint32_t trials = s.failures + s.successes;
    double share = 100.0 * s.failures / trials;
    // The share that neither hypothesis prefers: above it the test moves against the party.
    double even = 100 * rule.success / (rule.success - rule.failure);
    int64_t window_s = (s.last_ms - s.first_ms + 999) / 1000;
    double weight = s.walk < c->cap ? s.walk : c->cap;
    *out = detector_finding_of(&detector_rejections, share, even, "percent refused",
                               (int32_t)(window_s > INT32_MAX ? INT32_MAX : window_s), weight);
    out->evidence.first_ms = s.first_ms;
    out->evidence.last_ms = s.last_ms;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "%s refused %u of %u recipients and messages for good in %s (%.0f %%); a list nobody "
             "cleaned stays near %.0f %%.",
             where, s.failures, trials, detector_span(window_s, span), share,
             100 * (1 - c->theta0));
    return true;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct rejections_conf *c = ctx->conf;
    const struct rejections_state *s = state;
    size_t n = 0;
    uint32_t providers = providers_within(&w->providers, ctx->now_ms, (int64_t)HOUR_S * 1000, NULL);
    if (providers >= c->providers_min && find(&s->direct, c, ctx, "Mail servers", &out[n])) {
        out[n].supports = detector_classes_of(w, ctx->now_ms);
        out[n].defines = out[n].supports & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
        n++;
    }
    if (find(&s->smarthost, c, ctx, "The smarthost", &out[n])) {
        // A mailbox is no line: what stops it is its lock.
        out[n].supports = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT);
        if (!s->is_mailbox)
            out[n].supports |= DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
        out[n].defines = s->is_mailbox ? DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT)
                                       : DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
        n++;
    }
    return n;
}

static const char *check(const void *conf, const char **key)
{
    const struct rejections_conf *c = conf;
    *key = "theta1";
    if (c->theta1 >= c->theta0)
        return "is not below theta0, so refusals would speak for the party; lower it";
    return NULL;
}

const struct detector_descriptor detector_rejections = {
    .name = "rejections",
    .section = "rejections",
    .help = "Recipients and messages refused for good, far above what a stale list earns.",
    .family = VERDICT_FAMILY_REJECTION,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_OWN_DIALOGUE,
    .raw = DETECTOR_RAW_REFUSALS,
    .reads = FEATURE_MX | FEATURE_OWN,
    .keys = keys,
    .conf_size = sizeof(struct rejections_conf),
    .state_size = sizeof(struct rejections_state),
    .observe = observe,
    .evaluate = evaluate,
    .check = check,
};
