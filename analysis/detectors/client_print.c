// client-print: the TLS client (JA4) that confirmed bots of this very site show, and hardly anybody else.
//
// Programs differ in how they begin TLS, and a bot's program is the same on all its machines. Nothing is
// known beforehand: the site's own confirmed bots teach it (prints.h), a verdict that rests on this
// evidence teaches nothing. Never more than a ticket, since two programs may share a library.
// docs/detectors/client-print.md.
#include "detector.h"

#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "prints.h"

struct client_conf {
    double least, cap;
};

extern const struct detector_descriptor detector_client_print;

#define FIELD(m)   offsetof(struct client_conf, m)
#define HELD       6
#define DAY_MS     86400000LL
#define RECENT_MIN 1440 // shown within a day

static const struct conf_key keys[] = {
    {.name = "least",
     .type = CONF_REAL,
     .offset = FIELD(least),
     .min = 0.1,
     .max = 6,
     .def = "1.5",
     .unit = "log-odds",
     .help = "Below this it says nothing."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 6,
     .def = "4.5",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = NULL},
};

// The latest clients a party showed.
struct client_state {
    struct {
        uint32_t hash;
        uint32_t counted_day : 20; // when it was counted for the site
        uint32_t confirmed : 1;
        uint32_t shown_min; // when it was shown last, minutes since 1970
    } held[HELD];
};

static bool is_mail(const struct minute_digest *d)
{
    return d->direction == MINUTE_OUT && d->role != MINUTE_OTHER && d->tls_client != 0;
}

static void note(struct client_state *s, const struct minute_digest *d, struct prints *prints,
                 int64_t now_ms)
{
    uint32_t hash = hash_short(d->tls_client), day = (uint32_t)(now_ms / DAY_MS);
    size_t place = 0;
    bool any = false;
    for (size_t i = 0; i < HELD; i++) {
        any |= s->held[i].hash != 0 && day - s->held[i].counted_day < PRINTS_DAYS;
        if (s->held[i].hash == hash)
            place = i;
        else if (s->held[place].hash != hash && s->held[i].shown_min < s->held[place].shown_min)
            place = i;
    }
    if (s->held[place].hash != hash) {
        memset(&s->held[place], 0, sizeof s->held[place]);
        s->held[place].hash = hash;
    }
    if (s->held[place].counted_day == 0 || day - s->held[place].counted_day >= PRINTS_DAYS) {
        s->held[place].counted_day = day & 0xfffff;
        s->held[place].confirmed = 0;
        prints_see(prints, hash, !any, now_ms);
    }
    s->held[place].shown_min = (uint32_t)(now_ms / 60000);
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        if (is_mail(&r->digest[i]))
            note(state, &r->digest[i], ctx->prints, ctx->now_ms);
    }
}

// It was found to be a bot by other evidence: so are the programs it shows, perhaps.
static void confirm(void *state, const struct detector_ctx *ctx)
{
    struct client_state *s = state;
    bool first = true;
    for (size_t i = 0; i < HELD; i++)
        first &= !s->held[i].confirmed;
    for (size_t i = 0; i < HELD; i++) {
        if (s->held[i].hash == 0 || s->held[i].confirmed ||
            ctx->now_ms / 60000 - s->held[i].shown_min > RECENT_MIN)
            continue;
        s->held[i].confirmed = 1;
        prints_confirm(ctx->prints, s->held[i].hash, first, ctx->now_ms);
        first = false;
    }
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)w;
    const struct client_conf *c = ctx->conf;
    const struct client_state *s = state;
    double weight = 0, bots = 0, others = 0;
    uint32_t shown_min = 0;
    for (size_t i = 0; i < HELD; i++) {
        double b, o;
        if (s->held[i].hash == 0 || ctx->now_ms / 60000 - s->held[i].shown_min > RECENT_MIN)
            continue;
        double k = prints_weight(ctx->prints, s->held[i].hash, s->held[i].confirmed, ctx->now_ms,
                                 &b, &o);
        if (k <= weight)
            continue;
        weight = k;
        bots = b;
        others = o;
        shown_min = s->held[i].shown_min;
    }
    if (weight < c->least)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_client_print, bots, PRINTS_BOTS_MIN,
                                                    "confirmed bots", RECENT_MIN * 60,
                                                    weight < c->cap ? weight : c->cap);
    f.supports = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT) |
                 DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST) | DETECTOR_CLASS(VERDICT_HARVESTER) |
                 DETECTOR_CLASS(VERDICT_AUTH_GUESSING);
    f.ceiling = VERDICT_TICKET;
    // Known to the minute; no earlier than it was.
    int64_t shown_ms = ((int64_t)shown_min + 1) * 60000;
    f.evidence.first_ms = f.evidence.last_ms = shown_ms < ctx->now_ms ? shown_ms : ctx->now_ms;
    snprintf(
        f.evidence.sentence, sizeof f.evidence.sentence,
        "Shows the TLS client that %.0f confirmed bots of this site show, and %.0f of its other "
        "parties.",
        bots, others);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_client_print = {
    .name = "client-print",
    .section = "client_print",
    .help = "The TLS client that confirmed bots of this site show.",
    .family = VERDICT_FAMILY_BEHAVIOUR,
    .needs = DETECTOR_HANDSHAKES | DETECTOR_UNSAMPLED | DETECTOR_OWN_DIALOGUE,
    .raw = DETECTOR_RAW_TLS_CLIENT,
    .keys = keys,
    .conf_size = sizeof(struct client_conf),
    .state_size = sizeof(struct client_state),
    .observe = observe,
    .evaluate = evaluate,
    .confirm = confirm,
};
