// mailbox: what our own mail server's log says of an account: from where it is used, and what its filters
// and the recipients' servers think of its mail.
//
// The commonest reason why a smarthost is listed: stolen credentials, used from abroad. A person is at home, at
// work and on the road, in three networks within an hour at most; a stolen account is used by a botnet. For
// lines only the second half speaks. docs/detectors/mailbox.md.
#include "detector.h"

#include <stdio.h>

struct mailbox_conf {
    int64_t networks, countries, recipients;
    int64_t filtered;
    double share, cap;
};

extern const struct detector_descriptor detector_mailbox;

#define FIELD(m)      offsetof(struct mailbox_conf, m)
#define HOUR_S        3600
#define AT_LIMIT      11.6 // with the recipients it suffices alone
#define PER_DOUBLING  1.5
#define CAP           13.5
#define FILTER_LEAST  4.0
#define NETWORKS_HELD 12

static const struct conf_key keys[] = {
    {.name = "networks",
     .type = CONF_INT,
     .offset = FIELD(networks),
     .min = 2,
     .max = 11,
     .def = "3",
     .unit = "networks",
     .help = "Networks (ASN, else /24 or /48) from which an account may log in within an hour."},
    {.name = "countries",
     .type = CONF_INT,
     .offset = FIELD(countries),
     .min = 1,
     .max = 100,
     .def = "2",
     .unit = "countries",
     .help = "Countries from which it may be used within a minute."},
    {.name = "recipients",
     .type = CONF_INT,
     .offset = FIELD(recipients),
     .min = 1,
     .max = 60000,
     .def = "50",
     .unit = "recipients",
     .help = "In an hour, for either of these to count."},
    {.name = "filtered",
     .type = CONF_INT,
     .offset = FIELD(filtered),
     .min = 1,
     .max = 60000,
     .def = "10",
     .unit = "messages",
     .help = "Messages an hour that filters stop or recipients' servers refuse."},
    {.name = "share",
     .type = CONF_REAL,
     .offset = FIELD(share),
     .min = 0.01,
     .max = 1,
     .def = "0.2",
     .help = "Of all its messages, at least."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 10,
     .def = "7",
     .unit = "log-odds",
     .help = "Most that filters and refusals may weigh."},
    {.name = NULL},
};

struct mailbox_state {
    uint32_t network[NETWORKS_HELD];
    uint32_t seen_s[NETWORKS_HELD];
    uint32_t countries_s; // when the last minute with so many was
    uint16_t countries;
    bool is_mailbox;
};

static void note(struct mailbox_state *s, uint32_t network, uint32_t seen_s)
{
    size_t place = 0;
    for (size_t k = 0; k < NETWORKS_HELD; k++) {
        if (s->seen_s[k] != 0 && s->network[k] == network) {
            place = k;
            break;
        }
        if (s->seen_s[k] < s->seen_s[place])
            place = k;
    }
    s->network[place] = network;
    s->seen_s[place] = seen_s;
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    const struct mailbox_conf *c = ctx->conf;
    struct mailbox_state *s = state;
    s->is_mailbox = r->key.kind == SUBSCRIBER_MAILBOX;
    if (!s->is_mailbox)
        return;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if ((d->flags & MINUTE_DIGEST_FROM_LOG) && (d->flags & MINUTE_DIGEST_AUTH))
            note(s, providers_hash(d), (uint32_t)((r->minute * 60000 + d->start_ms) / 1000));
    }
    double countries = distinct_count(&r->set[MINUTE_SET_client_countries]);
    if (countries > (double)c->countries) {
        s->countries = (uint16_t)(countries > 1000 ? 1000 : countries);
        s->countries_s = (uint32_t)(r->minute * 60);
    }
}

static bool find_places(const struct mailbox_state *s, const struct window *w,
                        const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct mailbox_conf *c = ctx->conf;
    double recipients = (double)window_sum(w, FEATURE_OWN_RCPT_OK, ctx->now_ms, HOUR_S);
    double networks = 0;
    int64_t since_s = ctx->now_ms / 1000 - HOUR_S, first_s = ctx->now_ms / 1000;
    for (size_t k = 0; k < NETWORKS_HELD; k++) {
        if (s->seen_s[k] == 0 || s->seen_s[k] < since_s)
            continue;
        networks++;
        first_s = s->seen_s[k] < first_s ? s->seen_s[k] : first_s;
    }
    double measured = networks, limit = (double)c->networks;
    const char *unit = "networks";
    if (networks <= limit && s->countries_s >= since_s) {
        measured = s->countries;
        limit = (double)c->countries;
        unit = "countries";
    }
    double weight = detector_excess(measured, limit, AT_LIMIT, PER_DOUBLING, CAP);
    if (weight <= 0 || recipients < (double)c->recipients)
        return false;
    *out = detector_finding_of(&detector_mailbox, measured, limit, unit, HOUR_S, weight);
    out->supports = out->defines = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT);
    out->evidence.family = VERDICT_FAMILY_IDENTITY;
    out->evidence.conclusive = true;
    out->evidence.first_ms = first_s * 1000;
    out->evidence.last_ms = ctx->now_ms;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Logged in from %.0f %s%s in an hour and sent to %.0f recipients; a person is in %.0f "
             "at most.",
             measured, measured >= NETWORKS_HELD ? "and more " : "", unit, recipients, limit);
    return true;
}

static bool find_filtered(const struct mailbox_state *s, const struct window *w,
                          const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct mailbox_conf *c = ctx->conf;
    static const enum feature kinds[] = {FEATURE_FILTERED, FEATURE_REFUSED_THERE};
    double stopped = (double)window_sum(w, FEATURE_FILTERED, ctx->now_ms, HOUR_S);
    double refused = (double)window_sum(w, FEATURE_REFUSED_THERE, ctx->now_ms, HOUR_S);
    double sent = (double)window_sum(w, FEATURE_OWN_MESSAGES, ctx->now_ms, HOUR_S);
    double bad = stopped + refused, limit = (double)c->filtered * ctx->factor;
    double weight = detector_excess(bad, limit, FILTER_LEAST, PER_DOUBLING, c->cap);
    if (weight <= 0 || bad < c->share * (sent + stopped))
        return false;
    *out = detector_finding_of(&detector_mailbox, bad, limit, "messages", HOUR_S, weight);
    out->supports = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) |
                    DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
    out->defines = s->is_mailbox ? DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT)
                                 : DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
    out->evidence.first_ms = detector_first(w, kinds, 2, ctx->now_ms, HOUR_S);
    out->evidence.last_ms = ctx->now_ms;
    snprintf(
        out->evidence.sentence, sizeof out->evidence.sentence,
        "Our filters stopped %.0f messages in an hour and the recipients' servers refused %.0f; "
        "%.0f together are the limit.",
        stopped, refused, limit);
    return true;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct mailbox_state *s = state;
    size_t n = 0;
    if (s->is_mailbox && find_places(s, w, ctx, &out[n]))
        n++;
    if (find_filtered(s, w, ctx, &out[n]))
        n++;
    return n;
}

const struct detector_descriptor detector_mailbox = {
    .name = "mailbox",
    .section = "mailbox",
    .help = "From where an account is used, and what filters and recipients' servers think of it.",
    .family = VERDICT_FAMILY_FILTER,
    .needs = 0,
    .keys = keys,
    .conf_size = sizeof(struct mailbox_conf),
    .state_size = sizeof(struct mailbox_state),
    .observe = observe,
    .evaluate = evaluate,
};
