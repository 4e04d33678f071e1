// ratware: programs that speak SMTP as no mail server does.
//
// Speaking before the greeting, sending commands ahead unasked, HELO with an address or the server's
// own name, never asking for the STARTTLS that is offered, leaving without QUIT, and, under TLS,
// sessions too small to carry a message. One family: a bot that does all of it is one bot. Each sign
// counts by the share of sessions that show it, from ten providers on.
// docs/detectors/ratware.md.
#include "detector.h"

#include <stdio.h>

struct ratware_conf {
    int64_t providers_min;
    double share;
    double early, pipelining, helo, unasked, no_quit, tls_short, tls_short_long;
    int64_t small_octets;
    int64_t long_ms;
    double cap;
};

extern const struct detector_descriptor detector_ratware;

#define FIELD(m) offsetof(struct ratware_conf, m)
#define WEIGHT(key, member, value, text)                                                           \
    {                                                                                              \
        .name = key, .type = CONF_REAL, .offset = FIELD(member), .min = 0, .max = 8, .def = value, \
        .unit = "log-odds", .help = text                                                           \
    }

static const struct conf_key keys[] = {
    {.name = "providers_min",
     .type = CONF_INT,
     .offset = FIELD(providers_min),
     .min = 2,
     .max = 1000,
     .def = "10",
     .unit = "providers",
     .help = "Mail providers contacted in the hour before any of this counts."},
    {.name = "share",
     .type = CONF_REAL,
     .offset = FIELD(share),
     .min = 0.1,
     .max = 1,
     .def = "0.5",
     .help = "Share of the sessions that must show a sign."},
    WEIGHT("early", early, "4", "Weight of speaking before the greeting."),
    WEIGHT("pipelining", pipelining, "2", "Weight of commands sent ahead without an offer."),
    WEIGHT("helo", helo, "1.5", "Weight of HELO with an address or the server's own name."),
    WEIGHT("unasked", unasked, "2", "Weight of STARTTLS that is offered and never asked for."),
    WEIGHT("no_quit", no_quit, "1.5", "Weight of sessions without QUIT."),
    WEIGHT("tls_short", tls_short, "3", "Weight of TLS sessions too small for a message."),
    WEIGHT("tls_short_long", tls_short_long, "6",
           "The same once it has lasted, without inbound mail and without coming back."),
    {.name = "small",
     .type = CONF_INT,
     .offset = FIELD(small_octets),
     .min = 0,
     .max = 100000,
     .def = "2000",
     .unit = "octets",
     .help =
         "Where dialogues may not be read: sessions that send fewer on average, headers included, "
         "carry no messages, and weigh as tls_short; 0: never."},
    {.name = "long",
     .type = CONF_DURATION,
     .offset = FIELD(long_ms),
     .min = 600000,
     .max = 86400000,
     .def = "30m",
     .help = "Time after which it has lasted."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 10,
     .def = "6",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = NULL},
};

#define HOUR_S 3600
#define BLIND_CAP \
    3.9 // a verifier of senders, unread, looks the same: spread and size do not suffice
#define REVISITS_MAX 3 // a probe comes back to the same few servers, a bot does not

// Too small for mail, for half an hour, by one whom nobody writes to (a verifier of senders acts on
// inbound mail) and who hardly returns (a monitor does nothing else).
static double short_weight(const struct window *w, const struct ratware_conf *c,
                           const struct detector_ctx *ctx, double sessions, double providers,
                           int64_t first_ms)
{
    bool lasted = ctx->now_ms - first_ms >= c->long_ms;
    bool written_to = ctx->role != ROLE_HOUSEHOLD ||
                      window_sum(w, FEATURE_IN25_DELIVERED, ctx->now_ms, HOUR_S) > 0;
    bool returns = sessions > REVISITS_MAX * providers;
    return lasted && !written_to && !returns ? c->tls_short_long : c->tls_short;
}

// Octets a session sends on average, where nothing else is seen of it; 0: dialogues are read.
static double blind_size(const struct window *w, const struct detector_ctx *ctx, double established)
{
    if (established <= 0 || window_sum(w, FEATURE_MX_GREETED, ctx->now_ms, HOUR_S) > 0)
        return 0;
    return FEATURE_OCTETS_UNIT * (double)window_sum(w, FEATURE_MX_OCTETS, ctx->now_ms, HOUR_S) /
           established;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct ratware_conf *c = ctx->conf;
    int64_t now = ctx->now_ms, first_ms = now;
    double providers = window_providers(w, now, HOUR_S, &first_ms);
    double sessions = (double)window_sum(w, FEATURE_MX_HELO, now, HOUR_S);
    double tls = (double)window_sum(w, FEATURE_MX_TLS, now, HOUR_S);
    double greeted = (double)window_sum(w, FEATURE_MX_GREETED, now, HOUR_S);
    if (providers < (double)c->providers_min)
        return 0;
    double established = (double)window_sum(w, FEATURE_MX_ESTABLISHED, now, HOUR_S);
    double size = blind_size(w, ctx, established);
    if (established >= (double)c->providers_min && size > 0 && size < (double)c->small_octets) {
        double weight = short_weight(w, c, ctx, established, providers, first_ms);
        *out = detector_finding_of(&detector_ratware, size, (double)c->small_octets, "octets",
                                   HOUR_S, weight < BLIND_CAP ? weight : BLIND_CAP);
        out->raw = DETECTOR_RAW_SIZES;
        out->supports = detector_classes_of(w, now);
        out->defines = out->supports & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
        out->evidence.first_ms = first_ms;
        out->evidence.last_ms = window_last(w, FEATURE_MX_ESTABLISHED, now);
        snprintf(
            out->evidence.sentence, sizeof out->evidence.sentence,
            "%.0f sessions with %.0f mail providers sent %.0f octets each on average within an "
            "hour; a session that carries a message sends more than %.0f.",
            established, providers, size, (double)c->small_octets);
        return 1;
    }
    const struct {
        enum feature feature;
        double of; // sessions that could have shown it
        double weight;
        const char *text;
    } signs[] = {
        {FEATURE_MX_EARLY, greeted, c->early, "spoke before the greeting"},
        {FEATURE_MX_PIPELINING, sessions, c->pipelining, "sent commands ahead unasked"},
        {FEATURE_MX_HELO_ODD, sessions, c->helo, "gave an address as their name"},
        {FEATURE_MX_UNASKED, sessions, c->unasked, "ignored STARTTLS"},
        {FEATURE_MX_QUIT_MISSING, sessions, c->no_quit, "left without QUIT"},
        {FEATURE_MX_TLS_SHORT, tls, short_weight(w, c, ctx, tls, providers, first_ms),
         "were too small to carry a message"},
    };
    double weight = 0, most = 0, most_of = 1;
    const char *text = NULL;
    double best = 0;
    enum feature shown_by[sizeof signs / sizeof signs[0]];
    size_t shown_count = 0;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        double shown = (double)window_sum(w, signs[i].feature, now, HOUR_S);
        if (signs[i].of < (double)c->providers_min || shown < c->share * signs[i].of)
            continue;
        weight += signs[i].weight;
        shown_by[shown_count++] = signs[i].feature;
        if (signs[i].weight > best) {
            best = signs[i].weight;
            most = shown;
            most_of = signs[i].of;
            text = signs[i].text;
        }
    }
    if (!text || weight <= 0)
        return 0;
    if (weight > c->cap)
        weight = c->cap;
    struct detector_finding f = detector_finding_of(&detector_ratware, 100 * most / most_of,
                                                    100 * c->share, "percent", HOUR_S, weight);
    f.supports = detector_classes_of(w, now);
    f.defines = f.supports & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
    f.evidence.first_ms = first_ms;
    f.evidence.last_ms = detector_last(w, shown_by, shown_count, now, HOUR_S);
    snprintf(
        f.evidence.sentence, sizeof f.evidence.sentence,
        "%.0f of %.0f sessions with %.0f mail providers %s within an hour; mail servers do not "
        "do that.",
        most < most_of ? most : most_of, most_of, providers, text);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_ratware = {
    .name = "ratware",
    .section = "ratware",
    .help = "Programs that speak SMTP as no mail server does.",
    .family = VERDICT_FAMILY_BEHAVIOUR,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_UNSAMPLED,
    .raw = DETECTOR_RAW_SPEECH,
    .keys = keys,
    .conf_size = sizeof(struct ratware_conf),
    .evaluate = evaluate,
};
