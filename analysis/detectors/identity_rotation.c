// identity-rotation: one party under many names.
//
// AUTH users, sender domains and HELO names that change: a stolen list of accounts, or forged
// senders. An office behind one address has many users too: it never convicts alone. Names are keyed
// hashes; only their number counts. docs/detectors/identity-rotation.md.
#include "detector.h"

#include <stdio.h>

struct rotation_conf {
    int64_t auth_users, sender_domains, helo_names;
    double cap;
};

extern const struct detector_descriptor detector_identity_rotation;

#define FIELD(m)     offsetof(struct rotation_conf, m)
#define HOUR_S       3600
#define AT_LIMIT     3.0
#define PER_DOUBLING 1.5
#define USERS_MAX    24

static const struct conf_key keys[] = {
    {.name = "auth_users",
     .type = CONF_INT,
     .offset = FIELD(auth_users),
     .min = 1,
     .max = 100000,
     .def = "5",
     .unit = "users",
     .help = "AUTH users in an hour."},
    {.name = "sender_domains",
     .type = CONF_INT,
     .offset = FIELD(sender_domains),
     .min = 1,
     .max = 100000,
     .def = "8",
     .unit = "domains",
     .help = "Sender domains in a minute."},
    {.name = "helo_names",
     .type = CONF_INT,
     .offset = FIELD(helo_names),
     .min = 1,
     .max = 100000,
     .def = "5",
     .unit = "names",
     .help = "HELO names in a minute."},
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

// The latest AUTH users: a minute's set ends with its row.
struct rotation_state {
    uint32_t user[USERS_MAX];
    uint32_t seen_s[USERS_MAX]; // seconds since 1970, good for another 80 years
};

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct rotation_state *s = state;
    uint32_t now_s = (uint32_t)(ctx->now_ms / 1000);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d->user == 0 || d->direction != MINUTE_OUT || !(d->flags & MINUTE_DIGEST_AUTH))
            continue;
        uint32_t user = (uint32_t)(d->user ^ d->user >> 32);
        size_t place = 0;
        for (size_t k = 0; k < USERS_MAX; k++) {
            if (s->user[k] == user) {
                place = k;
                break;
            }
            if (s->seen_s[k] < s->seen_s[place])
                place = k;
        }
        s->user[place] = user;
        s->seen_s[place] = now_s;
    }
}

static double users_within(const struct rotation_state *s, int64_t now_ms)
{
    double n = 0;
    int64_t since_s = now_ms / 1000 - HOUR_S;
    for (size_t k = 0; k < USERS_MAX; k++)
        n += s->seen_s[k] != 0 && s->seen_s[k] >= since_s;
    return n;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct rotation_conf *c = ctx->conf;
    double users = users_within(state, ctx->now_ms);
    double set = (double)window_sum(w, FEATURE_AUTH_USERS, ctx->now_ms, HOUR_S);
    const struct {
        double measured, limit;
        const char *unit, *text;
    } kinds[] = {
        {set > users ? set : users, (double)c->auth_users, "users", "mail accounts in an hour"},
        {(double)window_sum(w, FEATURE_SENDER_DOMAINS, ctx->now_ms, HOUR_S),
         (double)c->sender_domains, "domains", "sender domains in a minute"},
        {(double)window_sum(w, FEATURE_HELO_NAMES, ctx->now_ms, HOUR_S), (double)c->helo_names,
         "names", "HELO names in a minute"},
    };
    size_t best = 0;
    double weight = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        double limit = kinds[i].limit * ctx->factor;
        double k = detector_excess(kinds[i].measured, limit, AT_LIMIT, PER_DOUBLING, c->cap);
        if (k > weight) {
            weight = k;
            best = i;
        }
    }
    if (weight <= 0)
        return 0;
    double limit = kinds[best].limit * ctx->factor;
    struct detector_finding f = detector_finding_of(&detector_identity_rotation,
                                                    kinds[best].measured, limit, kinds[best].unit,
                                                    best == 0 ? HOUR_S : 60, weight);
    f.supports = DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST) |
                 DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) |
                 DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT) | DETECTOR_CLASS(VERDICT_SOCKS_RELAY);
    f.defines = best == 0 ? DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT)
                          : DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
    f.evidence.first_ms = ctx->now_ms - HOUR_S * 1000;
    if (f.evidence.first_ms < w->first_ms)
        f.evidence.first_ms = w->first_ms;
    f.evidence.last_ms = ctx->now_ms;
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence, "Used %.0f %s; %.0f are the limit.",
             kinds[best].measured, kinds[best].text, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_identity_rotation = {
    .name = "identity-rotation",
    .section = "identity_rotation",
    .help = "One party under many names.",
    .family = VERDICT_FAMILY_IDENTITY,
    .needs = DETECTOR_OWN_DIALOGUE,
    .keys = keys,
    .conf_size = sizeof(struct rotation_conf),
    .state_size = sizeof(struct rotation_state),
    .observe = observe,
    .evaluate = evaluate,
};
