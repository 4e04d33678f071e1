// direct-mx: a line that is no mail server, and yet talks to mail providers' port 25 itself, round the
// clock.
//
// For the bot that keeps below every limit of spread, and for taps that may not read a dialogue: people
// sleep, and a device that mails directly knows one or two providers. Counted are the local hours of the
// last day in which sessions with mail providers were begun, those of the night, and the providers; a
// probe, which comes back to the same few all the time, and whoever reaches nobody are others'
// business. What it finds may be a club's server that only sends: never more than a ticket.
// docs/detectors/direct-mx.md.
#include "detector.h"

#include <stdio.h>

#include "calendar.h"

struct direct_conf {
    int64_t providers, hours, night, many, many_hours, many_night, revisits;
    int64_t campaign, campaign_hours, volume, volume_hours, rate, few;
    double at_limit, sign;
};

extern const struct detector_descriptor detector_direct_mx;

#define FIELD(m) offsetof(struct direct_conf, m)
#define COUNT(key, member, low, high, value, of, text)                                   \
    {                                                                                    \
        .name = key, .type = CONF_INT, .offset = FIELD(member), .min = low, .max = high, \
        .def = value, .unit = of, .help = text                                           \
    }
#define DAY_S            86400
#define HOUR_MS          3600000LL
#define NIGHT_FROM       2 // local hours in which people sleep
#define NIGHT_TO         6
#define SMALL_OCTETS     2500.0
#define VOLUME_PROVIDERS 4 // a relay elsewhere is one or two
#define FEW_PROVIDERS    2 // ... and so is what is sprayed over them, at twice the volume
#define RATE_PROVIDERS   3 // who submits to one relay elsewhere has one
#define HOUR_S           3600
#define HOURS_KEPT       24
#define SERVER_HOURS     168 // who was written to within a week may be a server

static const struct conf_key keys[] = {
    COUNT("providers", providers, 2, 1000, "6", "providers",
          "Mail providers in a day from which on a line may be a patient bot."),
    COUNT("hours", hours, 6, 24, "18", "hours",
          "Local hours of the last day with sessions, with so many."),
    COUNT("night", night, 1, 4, "3", "hours", "Of these between two and six, at least."),
    COUNT("many", many, 2, 1000, "20", "providers",
          "Providers in a day from which on fewer hours suffice."),
    COUNT("many_hours", many_hours, 2, 24, "6", "hours", "So many hours then."),
    COUNT("many_night", many_night, 1, 4, "3", "hours", "Of these between two and six."),
    COUNT("campaign", campaign, 10, 10000, "100", "providers",
          "Providers in a day from which on the night does not matter."),
    COUNT("campaign_hours", campaign_hours, 2, 24, "6", "hours",
          "So many hours then: a newsletter is sent within one or two."),
    COUNT("volume", volume, 10, 60000, "300", "sessions",
          "Sessions in a day with four providers and more that no household begins."),
    COUNT("volume_hours", volume_hours, 2, 24, "3", "hours", "In so many hours at least."),
    COUNT("rate", rate, 60, 60000, "600", "sessions",
          "Sessions in an hour with three providers and more that neither a household nor a probe "
          "begins, where there were some in three hours of the day."),
    COUNT("few", few, 30, 60000, "240", "sessions",
          "The same, large enough for mail, with however few providers."),
    COUNT("revisits", revisits, 2, 10000, "30", "sessions",
          "More sessions a provider and day are a probe's, where providers are few."),
    {.name = "weight",
     .type = CONF_REAL,
     .offset = FIELD(at_limit),
     .min = 0,
     .max = 12,
     .def = "11.7",
     .unit = "log-odds",
     .help = "What it weighs: with a household's prior just enough for a ticket."},
    {.name = "sign",
     .type = CONF_REAL,
     .offset = FIELD(sign),
     .min = 0,
     .max = 6,
     .def = "3",
     .unit = "log-odds",
     .help = "What half the hours weigh, beside other evidence."},
    {.name = NULL},
};

// The last day's local hours: bit 0 is the latest in which a session was begun.
struct direct_state {
    uint32_t latest; // hours since 1970 of the local clock; 0: none
    uint32_t hours;
    uint32_t server; // the latest in which it may have been a mail server; 0: none
};

static uint32_t local_hour(const struct detector_ctx *ctx, int64_t t_ms)
{
    int64_t local_ms = t_ms + calendar_offset_ms(ctx->calendar, t_ms);
    return local_ms < 0 ? 0 : (uint32_t)(local_ms / HOUR_MS);
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct direct_state *s = state;
    if (r->minute < 0)
        return;
    uint32_t hour = local_hour(ctx, r->minute * 60000);
    if (ctx->role != ROLE_HOUSEHOLD && hour > s->server)
        s->server = hour;
    if (r->counter[MINUTE_MX][MINUTE_OUT][MINUTE_connections] == 0)
        return;
    if (hour >= s->latest) {
        uint32_t passed = hour - s->latest;
        s->hours = (passed < HOURS_KEPT ? s->hours << passed : 0) | 1;
        s->hours &= (1u << HOURS_KEPT) - 1;
        s->latest = hour;
    } else if (s->latest - hour < HOURS_KEPT) {
        s->hours |= 1u << (s->latest - hour);
    }
}

struct clock_hours {
    unsigned all, night;
};

static struct clock_hours hours_of(const struct direct_state *s, const struct detector_ctx *ctx)
{
    struct clock_hours h = {0};
    uint32_t now = local_hour(ctx, ctx->now_ms);
    for (uint32_t i = 0; i < HOURS_KEPT && i <= s->latest; i++) {
        uint32_t hour = s->latest - i, clock = hour % 24;
        if (!(s->hours & 1u << i) || hour > now || now - hour >= HOURS_KEPT)
            continue;
        h.all++;
        h.night += clock >= NIGHT_FROM && clock < NIGHT_TO;
    }
    return h;
}

// Sessions of the last hour are large enough for messages, on average: a probe's are not.
static bool carries_mail(const struct window *w, int64_t now_ms)
{
    double octets = FEATURE_OCTETS_UNIT * (double)window_sum(w, FEATURE_MX_OCTETS, now_ms, 3600);
    return octets > SMALL_OCTETS * (double)window_sum(w, FEATURE_MX_ESTABLISHED, now_ms, 3600);
}

// More sessions in the hour than a probe makes of a few servers, hour after hour.
static bool is_fast(const struct window *w, const struct detector_ctx *ctx,
                    const struct clock_hours *h)
{
    const struct direct_conf *c = ctx->conf;
    double reached = (double)window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, HOUR_S);
    return reached > (double)c->rate * ctx->factor && h->all >= (unsigned)c->volume_hours &&
           window_providers(w, ctx->now_ms, HOUR_S, NULL) >= RATE_PROVIDERS;
}

// Mail hour after hour, faster than a person or a device has any, and be it to one provider.
static bool is_spray(const struct window *w, const struct detector_ctx *ctx,
                     const struct clock_hours *h)
{
    const struct direct_conf *c = ctx->conf;
    double reached = (double)window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, HOUR_S);
    return reached > (double)c->few * ctx->factor && h->all >= (unsigned)c->volume_hours &&
           carries_mail(w, ctx->now_ms);
}

// What the last day's sessions come to, and which limits they pass.
struct day {
    double providers, sessions, reached;
    double limit, many; // of the providers
    struct clock_hours hours;
    bool volume, fast, spray, steady, patient, busy;
    bool campaign; // told by its volume or its providers, whatever the clock says
    bool whole, half;
};

// Who is written to is a server, or may become one; a scan is no mail, and neither is a question for a sender.
static bool is_others_business(const struct window *w, const struct direct_state *s,
                               const struct detector_ctx *ctx)
{
    int64_t now = ctx->now_ms;
    if (window_verifies(w, now) && !carries_mail(w, now))
        return true;
    if (ctx->role != ROLE_HOUSEHOLD || window_scans(w, now))
        return true;
    return s->server != 0 && local_hour(ctx, now) - s->server < SERVER_HOURS;
}

// What needs no night: so much of it, or so fast, that nobody at home does it by hand.
static void judge_volume(const struct window *w, const struct detector_ctx *ctx, struct day *d)
{
    const struct direct_conf *c = ctx->conf;
    double volume = (double)c->volume * ctx->factor;
    unsigned hours = d->hours.all;
    int64_t now = ctx->now_ms;
    d->volume = d->providers >= VOLUME_PROVIDERS && d->sessions >= volume &&
                hours >= (unsigned)c->volume_hours && carries_mail(w, now);
    d->steady = d->providers >= FEW_PROVIDERS && d->sessions >= 2 * volume &&
                hours >= (unsigned)c->many_hours && carries_mail(w, now);
    d->fast = is_fast(w, ctx, &d->hours);
    d->spray = is_spray(w, ctx, &d->hours);
}

// What is told by the providers, and by the hours in which people sleep.
static void judge_clock(const struct window *w, const struct detector_ctx *ctx, struct day *d)
{
    const struct direct_conf *c = ctx->conf;
    const struct clock_hours *h = &d->hours;
    d->patient = d->providers >= d->limit && carries_mail(w, ctx->now_ms) &&
                 d->sessions <= (double)c->revisits * d->providers &&
                 h->all >= (unsigned)c->hours && h->night >= (unsigned)c->night;
    d->busy = d->providers >= d->many && h->all >= (unsigned)c->many_hours &&
              h->night >= (unsigned)c->many_night;
    d->campaign = d->providers >= (double)c->campaign * ctx->factor &&
                  h->all >= (unsigned)c->campaign_hours;
    d->campaign |= d->volume || d->fast || d->spray || d->steady;
    d->half = d->providers >= d->many && h->night >= 2;
    d->whole = d->patient || d->busy || d->campaign;
}

// Does the day say anything?
static bool judge(const struct window *w, const struct direct_state *s,
                  const struct detector_ctx *ctx, struct day *d)
{
    const struct direct_conf *c = ctx->conf;
    int64_t now = ctx->now_ms;
    *d = (struct day){.hours = hours_of(s, ctx)};
    if (d->hours.all < 2)
        return false;
    d->providers = window_providers(w, now, DAY_S, NULL);
    d->sessions = (double)window_sum(w, FEATURE_MX_CONNECTIONS, now, DAY_S);
    d->reached = (double)window_sum(w, FEATURE_MX_ESTABLISHED, now, DAY_S);
    d->limit = (double)c->providers * ctx->factor;
    d->many = (double)c->many * ctx->factor;
    judge_volume(w, ctx, d);
    bool much = d->volume || d->fast || d->spray || d->steady;
    if (d->reached * 2 < d->sessions || (d->providers < d->limit && !much))
        return false;
    judge_clock(w, ctx, d);
    return d->whole || d->half;
}

// The hours that its kind asks for.
static int64_t hours_asked(const struct direct_conf *c, const struct day *d)
{
    if (d->patient || !d->whole)
        return c->hours;
    if (d->busy)
        return c->many_hours;
    if (d->volume || d->fast || d->spray)
        return c->volume_hours;
    return d->steady ? c->many_hours : c->campaign_hours;
}

static void tell(const struct detector_ctx *ctx, const struct day *d, size_t size, char *sentence)
{
    const struct direct_conf *c = ctx->conf;
    const struct {
        bool holds;
        double limit;
        const char *text;
    } kinds[] = {
        {!d->whole, d->many, "providers with two hours of the night are a sign"},
        {d->patient, d->limit, "providers by day and night are the limit"},
        {d->busy, d->many, "providers by day and night are the limit"},
        {d->volume, (double)c->volume * ctx->factor, "sessions in a day are the limit"},
        {d->fast, (double)c->rate * ctx->factor, "sessions in an hour are the limit"},
        {d->spray, (double)c->few * ctx->factor, "sessions with mail in an hour are the limit"},
        {d->steady, 2 * (double)c->volume * ctx->factor,
         "sessions in a day with so few are the limit"},
        {true, (double)c->campaign * ctx->factor, "providers in a day are the limit"},
    };
    size_t kind = 0;
    while (!kinds[kind].holds)
        kind++;
    snprintf(sentence, size,
             "Began %.0f sessions with %.0f mail providers on port 25 in %u hours of the last day, "
             "%u of them between two and six; nobody writes to this line, people sleep, and %.0f "
             "%s.",
             d->sessions, d->providers, d->hours.all, d->hours.night, kinds[kind].limit,
             kinds[kind].text);
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct direct_conf *c = ctx->conf;
    int64_t now = ctx->now_ms;
    struct day d;
    if (is_others_business(w, state, ctx) || !judge(w, state, ctx, &d))
        return 0;
    struct detector_finding f = detector_finding_of(&detector_direct_mx, d.hours.all,
                                                    (double)hours_asked(c, &d), "hours", DAY_S,
                                                    d.whole ? c->at_limit : c->sign);
    // A campaign is told by its volume and by its providers; the clock is another matter.
    if (d.whole && !d.patient && !d.busy)
        f.raw |= DETECTOR_RAW_REACHED;
    f.supports = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
    f.defines = d.whole ? f.supports : 0;
    f.ceiling = VERDICT_TICKET;
    f.evidence.conclusive = d.whole;
    f.evidence.first_ms = window_first(w, FEATURE_MX_CONNECTIONS, now, DAY_S);
    f.evidence.last_ms = window_last(w, FEATURE_MX_CONNECTIONS, now);
    tell(ctx, &d, sizeof f.evidence.sentence, f.evidence.sentence);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_direct_mx = {
    .name = "direct-mx",
    .section = "direct_mx",
    .help = "A line that is no mail server talks to mail providers round the clock.",
    .family = VERDICT_FAMILY_BEHAVIOUR,
    .needs = DETECTOR_PORT25 | DETECTOR_ANSWERS,
    .raw = DETECTOR_RAW_HOURS,
    .keys = keys,
    .conf_size = sizeof(struct direct_conf),
    .state_size = sizeof(struct direct_state),
    .observe = observe,
    .evaluate = evaluate,
};
