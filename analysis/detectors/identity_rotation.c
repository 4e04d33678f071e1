// identity-rotation: one party under many names.
//
// AUTH users, sender domains and HELO names that change: a stolen list of accounts, or forged
// senders. An office behind one address has many users too: it never convicts alone. Names are keyed
// hashes; only their number counts. docs/detectors/identity-rotation.md.
#include "detector.h"
#include "recent.h"

#include <stdio.h>

struct rotation_conf {
    int64_t auth_users, sender_domains, senders_day, senders_of_one, helo_names;
    double cap, ticket_cap;
};

extern const struct detector_descriptor detector_identity_rotation;

#define FIELD(m)     offsetof(struct rotation_conf, m)
#define HOUR_S       3600
#define DAY_S        86400
#define AT_LIMIT     4.0
#define PER_DOUBLING 2.0
#define NAMES_MAX    24
#define USERS        0 // index of the kind: mail accounts
#define SENDERS      2 // index of the kind that one account can show
#define DOMAINS_MANY 3 // in a minute

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
    {.name = "senders_day",
     .type = CONF_INT,
     .offset = FIELD(senders_day),
     .min = 1,
     .max = 20,
     .def = "12",
     .unit = "senders",
     .help = "Sender addresses in a day, when a minute has seen several sender domains."},
    {.name = "senders_of_one",
     .type = CONF_INT,
     .offset = FIELD(senders_of_one),
     .min = 1,
     .max = 20,
     .def = "4",
     .unit = "senders",
     .help = "The same where one and the same account logged in for all of them."},
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
    {.name = "ticket_cap",
     .type = CONF_REAL,
     .offset = FIELD(ticket_cap),
     .min = 0,
     .max = 11,
     .def = "9",
     .unit = "log-odds",
     .help = "The same for a ticket and no more: one account of a household, many senders of "
             "several domains."},
    {.name = NULL},
};

// The latest names: a minute's set ends with its row.
struct names {
    uint32_t name[NAMES_MAX];
    uint32_t base_s;
    uint16_t seen[NAMES_MAX]; // recent.h
};

struct rotation_state {
    struct names users;
    struct names senders; // at mail services
};

static void note(struct names *n, uint64_t hash, uint32_t now_s)
{
    uint32_t name = (uint32_t)(hash ^ hash >> 32);
    size_t place = 0;
    for (size_t k = 0; k < NAMES_MAX; k++) {
        if (n->seen[k] != 0 && n->name[k] == name) {
            place = k;
            break;
        }
        if (n->seen[k] < n->seen[place])
            place = k;
    }
    n->name[place] = name;
    recent_set(&n->base_s, n->seen, NAMES_MAX, place, now_s);
}

static double names_within(const struct names *n, int64_t now_ms, int64_t window_s)
{
    double count = 0;
    for (size_t k = 0; k < NAMES_MAX; k++)
        count += n->seen[k] != 0 && recent_s(n->base_s, n->seen[k]) >= now_ms / 1000 - window_s;
    return count;
}

static int64_t names_last_ms(const struct names *n, int64_t now_ms)
{
    int64_t last_s = 0;
    for (size_t k = 0; k < NAMES_MAX; k++) {
        int64_t t_s = recent_s(n->base_s, n->seen[k]);
        last_s = t_s > last_s ? t_s : last_s;
    }
    return last_s * 1000 < now_ms ? last_s * 1000 : now_ms;
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct rotation_state *s = state;
    uint32_t now_s = (uint32_t)(ctx->now_ms / 1000);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d->direction != MINUTE_OUT)
            continue;
        if (d->user != 0 && (d->flags & MINUTE_DIGEST_AUTH))
            note(&s->users, d->user, now_s);
        if (d->sender != 0 && (d->role == MINUTE_SMARTHOST || d->role == MINUTE_SUBMISSION))
            note(&s->senders, d->sender, now_s);
    }
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct rotation_conf *c = ctx->conf;
    const struct rotation_state *s = state;
    double users = names_within(&s->users, ctx->now_ms, HOUR_S);
    // A newsletter gives each recipient a sender of its own, all of one domain.
    double domains = (double)window_sum(w, FEATURE_SENDER_DOMAINS, ctx->now_ms, DAY_S);
    double senders = domains >= 2 ? names_within(&s->senders, ctx->now_ms, DAY_S) : 0;
    // A person has a few addresses behind an account, an office has as many accounts as addresses.
    bool of_one = names_within(&s->users, ctx->now_ms, DAY_S) == 1;
    double set = (double)window_sum(w, FEATURE_AUTH_USERS, ctx->now_ms, HOUR_S);
    const struct {
        double measured, limit;
        const char *unit, *text;
        int32_t window_s;
        enum feature feature;
    } kinds[] = {
        {set > users ? set : users, (double)c->auth_users, "users", "mail accounts in an hour",
         HOUR_S, FEATURE_AUTH_USERS},
        {(double)window_sum(w, FEATURE_SENDER_DOMAINS, ctx->now_ms, HOUR_S),
         (double)c->sender_domains, "domains", "sender domains in a minute of the last hour",
         HOUR_S, FEATURE_SENDER_DOMAINS},
        {senders, (double)(of_one ? c->senders_of_one : c->senders_day), "senders",
         "sender addresses of several domains in a day", DAY_S, FEATURE_SENDER_DOMAINS},
        {(double)window_sum(w, FEATURE_HELO_NAMES, ctx->now_ms, HOUR_S), (double)c->helo_names,
         "names", "HELO names in a minute of the last hour", HOUR_S, FEATURE_HELO_NAMES},
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
                                                    kinds[best].window_s, weight);
    f.supports = DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST) |
                 DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) | detector_classes_of(w, ctx->now_ms);
    // One cause, one class: that of the way that its mail goes.
    f.defines = best == USERS ? DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT)
                              : f.supports & detector_class_of_mail(w, ctx->now_ms);
    if (best == USERS)
        f.raw = DETECTOR_RAW_ACCOUNTS;
    f.evidence.first_ms = window_first(w, kinds[best].feature, ctx->now_ms, kinds[best].window_s);
    f.evidence.last_ms = best == SENDERS ? names_last_ms(&s->senders, ctx->now_ms)
                         : best == USERS && users > 0
                             ? names_last_ms(&s->users, ctx->now_ms)
                             : window_last(w, kinds[best].feature, ctx->now_ms);
    // A full list says no more than that it is full.
    bool more_than_held = best == SENDERS || (best == USERS && users >= set);
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence, "Used %.0f %s%s; %.0f are the limit.",
             kinds[best].measured,
             more_than_held && kinds[best].measured >= NAMES_MAX ? "and more " : "",
             kinds[best].text, limit);
    out[0] = f;
    double more = detector_excess(senders, (double)c->senders_of_one * ctx->factor, AT_LIMIT,
                                  PER_DOUBLING, c->ticket_cap);
    if (best != SENDERS || !of_one || domains < DOMAINS_MANY || ctx->role != ROLE_HOUSEHOLD ||
        more <= weight)
        return 1;
    f.evidence.log_odds = more;
    f.ceiling = VERDICT_TICKET;
    out[1] = f;
    return 2;
}

const struct detector_descriptor detector_identity_rotation = {
    .name = "identity-rotation",
    .section = "identity_rotation",
    .help = "One party under many names.",
    .family = VERDICT_FAMILY_IDENTITY,
    .needs = DETECTOR_OWN_DIALOGUE,
    .raw = DETECTOR_RAW_NAMES,
    .reads = FEATURE_OWN | FEATURE_OTHER,
    .keys = keys,
    .conf_size = sizeof(struct rotation_conf),
    .state_size = sizeof(struct rotation_state),
    .observe = observe,
    .evaluate = evaluate,
};
