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

#define FIELD(m)     offsetof(struct mailbox_conf, m)
#define HOUR_S       3600
#define AT_LIMIT     11.6 // with the recipients it suffices alone
#define PER_DOUBLING 1.5
#define CAP          13.5
#define FILTER_LEAST 4.0
#define PUT_OFF_SHARE \
    4 // so many recipients put off count as one refused: greylisting puts off honest mail
#define NETWORKS_HELD  12
#define COUNTRIES_HELD 6

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
     .max = COUNTRIES_HELD - 1,
     .def = "2",
     .unit = "countries",
     .help = "Countries from which it may be used within an hour."},
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

// Where the account is used from: since when without an hour's pause, and when last.
struct place {
    uint32_t hash;
    uint32_t first_s, seen_s; // seen_s 0: free
};

struct mailbox_state {
    struct place network[NETWORKS_HELD];
    struct place country[COUNTRIES_HELD];
    bool is_mailbox;
};

// The one that was not seen for longest gives way. Rows may come late.
static void note(struct place *held, size_t count, uint32_t hash, uint32_t t_s)
{
    size_t at = 0;
    for (size_t k = 0; k < count; k++) {
        if (held[k].seen_s != 0 && held[k].hash == hash) {
            at = k;
            break;
        }
        if (held[k].seen_s < held[at].seen_s)
            at = k;
    }
    struct place *p = &held[at];
    if (p->seen_s == 0 || p->hash != hash || t_s > p->seen_s + HOUR_S)
        *p = (struct place){hash, t_s, t_s};
    else if (t_s + HOUR_S >= p->first_s) {
        p->first_s = t_s < p->first_s ? t_s : p->first_s;
        p->seen_s = t_s > p->seen_s ? t_s : p->seen_s;
    }
}

// How many since then.
static size_t seen(const struct place *held, size_t count, int64_t since_s)
{
    size_t n = 0;
    for (size_t k = 0; k < count; k++)
        n += held[k].seen_s != 0 && held[k].seen_s >= since_s;
    return n;
}

static uint32_t latest(const struct place *held, size_t count)
{
    uint32_t t_s = 0;
    for (size_t k = 0; k < count; k++)
        t_s = held[k].seen_s > t_s ? held[k].seen_s : t_s;
    return t_s;
}

// When the first of those came that came one after another, less than an hour between two: the thief's places.
// The owner's, in use for longer, are not among them.
static int64_t burst_began(const struct place *held, size_t count, int64_t since_s)
{
    int64_t began_s = 0, earlier_s;
    for (size_t k = 0; k < count; k++)
        if (held[k].seen_s >= since_s && held[k].first_s > began_s)
            began_s = held[k].first_s;
    for (size_t steps = 0; steps < count; steps++) {
        earlier_s = began_s;
        for (size_t k = 0; k < count; k++)
            if (held[k].seen_s >= since_s && held[k].first_s < earlier_s &&
                held[k].first_s + HOUR_S >= began_s)
                earlier_s = held[k].first_s;
        if (earlier_s == began_s)
            break;
        began_s = earlier_s;
    }
    return began_s;
}

static void note_countries(struct mailbox_state *s, const struct minute_row *r)
{
    const struct distinct *d = &r->set[MINUTE_SET_client_countries];
    uint64_t value[COUNTRIES_HELD];
    size_t n = distinct_values(d, value, COUNTRIES_HELD);
    while (d->is_hll && n < COUNTRIES_HELD) { // more than can be named in a minute
        value[n] = (uint64_t)n << 32;
        n++;
    }
    for (size_t i = 0; i < n; i++)
        note(s->country, COUNTRIES_HELD, (uint32_t)(value[i] >> 32), (uint32_t)(r->minute * 60));
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    (void)ctx;
    struct mailbox_state *s = state;
    s->is_mailbox = r->key.kind == SUBSCRIBER_MAILBOX;
    if (!s->is_mailbox)
        return;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if ((d->flags & MINUTE_DIGEST_FROM_LOG) && (d->flags & MINUTE_DIGEST_AUTH))
            note(s->network, NETWORKS_HELD, providers_hash(d),
                 (uint32_t)((r->minute * 60000 + d->start_ms) / 1000));
    }
    note_countries(s, r);
}

static bool find_places(const struct mailbox_state *s, const struct window *w,
                        const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct mailbox_conf *c = ctx->conf;
    double recipients = (double)window_sum(w, FEATURE_OWN_RCPT_OK, ctx->now_ms, HOUR_S);
    int64_t since_s = ctx->now_ms / 1000 - HOUR_S;
    const struct place *place = s->network;
    size_t held = NETWORKS_HELD;
    double measured = (double)seen(place, held, since_s), limit = (double)c->networks;
    const char *unit = "networks";
    if (measured <= limit) {
        place = s->country;
        held = COUNTRIES_HELD;
        measured = (double)seen(place, held, since_s);
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
    out->evidence.first_ms = burst_began(place, held, since_s) * 1000;
    int64_t last_ms = latest(place, held) * 1000LL;
    out->evidence.last_ms = last_ms < ctx->now_ms ? last_ms : ctx->now_ms;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Logged in from %.0f %s%s in an hour and sent to %.0f recipients; a person is in %.0f "
             "at most.",
             measured, measured >= (double)held ? "and more " : "", unit, recipients, limit);
    return true;
}

// What was put off counts only beside what was refused, and no more than that: alone it is greylisting.
static bool find_filtered(const struct mailbox_state *s, const struct window *w,
                          const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct mailbox_conf *c = ctx->conf;
    static const enum feature kinds[] = {FEATURE_FILTERED, FEATURE_REFUSED_THERE,
                                         FEATURE_PUT_OFF_THERE};
    double stopped = (double)window_sum(w, FEATURE_FILTERED, ctx->now_ms, HOUR_S);
    double refused = (double)window_sum(w, FEATURE_REFUSED_THERE, ctx->now_ms, HOUR_S);
    double put_off = (double)window_sum(w, FEATURE_PUT_OFF_THERE, ctx->now_ms, HOUR_S);
    double sent = (double)window_sum(w, FEATURE_OWN_MESSAGES, ctx->now_ms, HOUR_S);
    double asked = (double)window_sum(w, FEATURE_OWN_RCPT_OK, ctx->now_ms, HOUR_S);
    double bad = stopped + refused, limit = (double)c->filtered * ctx->factor;
    bad += put_off / PUT_OFF_SHARE < bad ? put_off / PUT_OFF_SHARE : bad;
    double weight = detector_excess(bad, limit, FILTER_LEAST, PER_DOUBLING, c->cap);
    // Filters stop messages, destinations refuse recipients: these count as the messages they would fill.
    double of_one = sent > 0 && asked > sent ? asked / sent : 1;
    double messages = stopped + (bad - stopped) / of_one;
    if (weight <= 0 || messages < c->share * (sent + stopped))
        return false;
    *out = detector_finding_of(&detector_mailbox, bad, limit, "messages", HOUR_S, weight);
    out->supports = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) |
                    DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
    out->defines = s->is_mailbox ? DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT)
                                 : DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
    out->evidence.first_ms = detector_first(w, kinds, 2, ctx->now_ms, HOUR_S);
    out->evidence.last_ms = detector_last(w, kinds, 3, ctx->now_ms, HOUR_S);
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Our filters stopped %.0f messages in an hour, the recipients' servers refused %.0f "
             "and put off %.0f; more than %.0f are too many, of those put off a quarter counts.",
             stopped, refused, put_off, limit);
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
    .raw = DETECTOR_RAW_FILTERED,
    .keys = keys,
    .conf_size = sizeof(struct mailbox_conf),
    .state_size = sizeof(struct mailbox_state),
    .whose = DETECTOR_OF_MAILBOXES,
    .observe = observe,
    .evaluate = evaluate,
};
