// open-relay: mail taken from outside without AUTH that goes on to the same recipient elsewhere.
//
// A forwarder rewrites the recipient, a mailing list the list's address, a backup server passes all
// to one provider: none of them sends the very recipient on to many. docs/detectors/open-relay.md.
#include "detector.h"

#include <math.h>
#include <stdio.h>

#include "hash.h"

struct relay_conf {
    int64_t limit_hour, providers_min;
    double cap;
};

extern const struct detector_descriptor detector_open_relay;

#define FIELD(m)       offsetof(struct relay_conf, m)
#define AT_LIMIT       9.0
#define PER_DOUBLING   2.5
#define HOUR_S         3600
#define HELD_MS        600000 // what comes in goes out within this
#define TAKEN_MAX      24
#define PROVIDERS_HELD 8

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 10000,
     .def = "5",
     .unit = "recipients",
     .help = "Recipients passed on in an hour."},
    {.name = "providers_min",
     .type = CONF_INT,
     .offset = FIELD(providers_min),
     .min = 2,
     .max = 8,
     .def = "3",
     .unit = "providers",
     .help = "To so many mail providers at least."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 20,
     .def = "13",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = NULL},
};

struct relay_state {
    struct {
        uint32_t recipient;
        uint32_t seen_s;
    } taken[TAKEN_MAX];
    uint32_t provider[PROVIDERS_HELD]; // where it went on to, latest first
    uint32_t provider_s[PROVIDERS_HELD];
    double passed; // decays by the hour
    int64_t passed_ms, first_ms;
};

static void take(struct relay_state *s, uint64_t recipient, int64_t now_ms)
{
    size_t place = 0;
    for (size_t k = 1; k < TAKEN_MAX; k++) {
        if (s->taken[k].seen_s < s->taken[place].seen_s)
            place = k;
    }
    s->taken[place].recipient = hash_short(recipient);
    s->taken[place].seen_s = (uint32_t)(now_ms / 1000);
}

static bool was_taken(struct relay_state *s, uint64_t recipient, int64_t now_ms)
{
    uint32_t h = hash_short(recipient);
    for (size_t k = 0; k < TAKEN_MAX; k++) {
        if (s->taken[k].recipient != h || s->taken[k].seen_s * 1000LL < now_ms - HELD_MS)
            continue;
        s->taken[k].seen_s = 0; // each is passed on once
        s->taken[k].recipient = 0;
        return true;
    }
    return false;
}

static void pass(struct relay_state *s, uint32_t provider, int64_t start_ms, int64_t now_ms)
{
    double age = (double)(now_ms - s->passed_ms) / (HOUR_S * 1000.0);
    s->passed = s->passed * exp(-(age > 0 ? age : 0)) + 1;
    s->passed_ms = now_ms;
    if (s->passed < 1.5)
        s->first_ms = start_ms;
    size_t place = 0;
    for (size_t k = 0; k < PROVIDERS_HELD; k++) {
        if (s->provider[k] == provider) {
            place = k;
            break;
        }
        if (s->provider_s[k] < s->provider_s[place])
            place = k;
    }
    s->provider[place] = provider;
    s->provider_s[place] = (uint32_t)(now_ms / 1000);
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct relay_state *s = state;
    // First what came in, then what went out: within a row their order is not told by the list.
    for (int direction = MINUTE_IN; direction >= MINUTE_OUT; direction--) {
        for (uint32_t i = 0; i < r->digest_count; i++) {
            const struct minute_digest *d = &r->digest[i];
            if (d->direction != direction || d->role != MINUTE_MX || d->recipient == 0)
                continue;
            if (direction == MINUTE_IN && d->messages_ok > 0 && !(d->flags & MINUTE_DIGEST_AUTH))
                take(s, d->recipient, ctx->now_ms);
            else if (direction == MINUTE_OUT && was_taken(s, d->recipient, ctx->now_ms))
                pass(s, providers_hash(d), r->minute * 60000 + d->start_ms, ctx->now_ms);
        }
    }
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)w;
    const struct relay_conf *c = ctx->conf;
    const struct relay_state *s = state;
    double age = (double)(ctx->now_ms - s->passed_ms) / (HOUR_S * 1000.0);
    double passed = s->passed * exp(-(age > 0 ? age : 0));
    double limit = (double)c->limit_hour * ctx->factor, providers = 0;
    double weight = detector_excess(passed, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    for (size_t k = 0; k < PROVIDERS_HELD; k++)
        providers += s->provider_s[k] != 0 && s->provider_s[k] >= ctx->now_ms / 1000 - HOUR_S;
    if (weight <= 0 || providers < (double)c->providers_min)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_open_relay, passed, limit,
                                                    "recipients", HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(VERDICT_OPEN_RELAY);
    f.evidence.conclusive = true;
    f.evidence.first_ms = s->first_ms;
    f.evidence.last_ms = s->passed_ms;
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "About %.0f recipients of mail from outside, taken without a login, were passed on to "
             "%s%.0f other providers within an hour; %.0f are the limit.",
             passed, providers >= PROVIDERS_HELD ? "at least " : "", providers, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_open_relay = {
    .name = "open-relay",
    .section = "open_relay",
    .help = "Mail from outside that goes on to the same recipient elsewhere.",
    .family = VERDICT_FAMILY_RELAY,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_ENVELOPE,
    .raw = DETECTOR_RAW_RELAYED,
    .reads = FEATURE_MX,
    .keys = keys,
    .conf_size = sizeof(struct relay_conf),
    .state_size = sizeof(struct relay_state),
    .observe = observe,
    .evaluate = evaluate,
};
