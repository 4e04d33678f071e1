// submission-spread: submission servers of many unrelated providers.
//
// A person has a few mail accounts with a few providers; a program with a list of stolen accounts
// goes to as many submission servers as the list has. Seen through TLS, since only providers are
// counted; far above the limit the number alone suffices for a ticket, servers of POP3 and IMAP included,
// and the size of the sessions tells mail from guessing. docs/detectors/submission-spread.md.
#include "detector.h"
#include "recent.h"

#include <math.h>
#include <stdio.h>

struct spread_conf {
    int64_t sessions_hour, guesses_hour, smarthost_day;
    int64_t limit_hour, extreme, small_octets;
    double cap;
};

extern const struct detector_descriptor detector_submission_spread;

#define FIELD(m)       offsetof(struct spread_conf, m)
#define HOUR_S         3600
#define DAY_S          86400
#define AT_LIMIT       2.5
#define PER_DOUBLING   2.0
#define PROVIDERS_HELD 48
#define SUFFICES       11.6 // alone, with a household's prior
#define SUFFICES_CAP   12.5
#define READ_OCTETS    8000.0f // down a session: more than a handshake and an error
#define MANY_SESSIONS  30
#define GUESSED_MIN    3  // servers, before small sessions are guesses
#define SUBMITS        1u // bit of a provider at which mail was submitted

static const struct conf_key keys[] = {
    {.name = "limit_hour",
     .type = CONF_INT,
     .offset = FIELD(limit_hour),
     .min = 1,
     .max = 100000,
     .def = "8",
     .unit = "providers",
     .help = "Submission providers contacted in an hour."},
    {.name = "extreme",
     .type = CONF_INT,
     .offset = FIELD(extreme),
     .min = 2,
     .max = 47,
     .def = "32",
     .unit = "providers",
     .help = "Submission and mailbox providers together from which the number alone is a ticket."},
    {.name = "sessions_hour",
     .type = CONF_INT,
     .offset = FIELD(sessions_hour),
     .min = 10,
     .max = 100000,
     .def = "240",
     .unit = "sessions",
     .help = "Submission sessions in an hour that no person begins, in the clear or not."},
    {.name = "guesses_hour",
     .type = CONF_INT,
     .offset = FIELD(guesses_hour),
     .min = 10,
     .max = 100000,
     .def = "120",
     .unit = "sessions",
     .help = "The same of sessions too small to carry mail, with three providers and more."},
    {.name = "smarthost_day",
     .type = CONF_INT,
     .offset = FIELD(smarthost_day),
     .min = 10,
     .max = 1000000,
     .def = "600",
     .unit = "sessions",
     .help = "Sessions with our smarthost through TLS in a day, large enough for mail, that no "
             "person begins; in an hour they are sessions_hour."},
    {.name = "small",
     .type = CONF_INT,
     .offset = FIELD(small_octets),
     .min = 0,
     .max = 100000,
     .def = "2000",
     .unit = "octets",
     .help = "Sessions that send fewer on average, headers included, carry no mail: passwords are "
             "tried."},
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

struct spread_state {
    uint32_t provider[PROVIDERS_HELD];
    uint32_t since_s, latest_s; // contacts that follow one another within the hour; the latest
    uint32_t base_s;
    uint16_t seen[PROVIDERS_HELD]; // recent.h
    uint8_t wide;                  // detector_is_wide
    float octets, sessions; // of established ones with submission servers, fading by the hour
    float down, answered;   // the same with mailbox servers too
    // Through TLS with our own smarthost: by the hour, and sessions by the day too.
    float own_octets, own_sessions, own_day;
    uint32_t own_latest_s;
    uint32_t faded_s;
};

static void fade(struct spread_state *s, int64_t now_ms)
{
    uint32_t now_s = now_ms > 0 ? (uint32_t)(now_ms / 1000) : 0;
    float k = now_s > s->faded_s ? (float)exp(-(double)(now_s - s->faded_s) / HOUR_S) : 1;
    s->octets *= k;
    s->sessions *= k;
    s->down *= k;
    s->answered *= k;
    s->own_octets *= k;
    s->own_sessions *= k;
    s->own_day *= now_s > s->faded_s ? (float)exp(-(double)(now_s - s->faded_s) / DAY_S) : 1;
    s->faded_s = now_s;
}

static void note(struct spread_state *s, uint32_t provider, bool submits, uint32_t now_s)
{
    size_t place = 0;
    for (size_t k = 0; k < PROVIDERS_HELD; k++) {
        if (s->seen[k] != 0 && (s->provider[k] | SUBMITS) == (provider | SUBMITS)) {
            place = k;
            break;
        }
        if (s->seen[k] < s->seen[place])
            place = k;
    }
    bool same = (s->provider[place] | SUBMITS) == (provider | SUBMITS);
    uint32_t before = same ? s->provider[place] & SUBMITS : 0;
    s->provider[place] = (provider & ~SUBMITS) | before | (submits ? SUBMITS : 0);
    recent_set(&s->base_s, s->seen, PROVIDERS_HELD, place, now_s);
    if (s->latest_s == 0 || now_s > s->latest_s + HOUR_S || now_s < s->since_s)
        s->since_s = now_s;
    if (now_s > s->latest_s)
        s->latest_s = now_s;
}

static bool is_reached(const struct minute_digest *d)
{
    return (d->flags & MINUTE_DIGEST_OUTCOME) &&
           (d->outcome == MINUTE_OUTCOME_ESTABLISHED || d->outcome == MINUTE_OUTCOME_GREETED);
}

// What is read of the smarthost's dialogue is counted by message; through TLS there are sessions.
static void note_own(struct spread_state *s, const struct minute_digest *d, int64_t minute_ms)
{
    if (!(d->flags & MINUTE_DIGEST_TLS) || d->messages_ok > 0)
        return;
    s->own_octets += (float)d->octets_up;
    s->own_sessions += is_reached(d);
    s->own_day += is_reached(d);
    uint32_t end_s = (uint32_t)((minute_ms + d->end_ms) / 1000);
    s->own_latest_s = end_s > s->own_latest_s ? end_s : s->own_latest_s;
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct spread_state *s = state;
    bool wide = detector_is_wide(&s->wide, r);
    fade(s, ctx->now_ms);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        bool submits = d->role == MINUTE_SUBMISSION;
        if (d->role == MINUTE_SMARTHOST && d->direction == MINUTE_OUT)
            note_own(s, d, r->minute * 60000);
        if ((!submits && d->role != MINUTE_ACCESS) || d->direction != MINUTE_OUT)
            continue;
        bool reached = is_reached(d);
        s->octets += submits ? (float)d->octets_up : 0;
        s->sessions += submits && reached;
        s->down += (float)d->octets_down;
        s->answered += reached;
        bool nobody = d->outcome != MINUTE_OUTCOME_ESTABLISHED &&
                      d->outcome != MINUTE_OUTCOME_GREETED;
        if ((d->flags & MINUTE_DIGEST_START) && !(wide && nobody))
            note(s, providers_hash(d), submits,
                 (uint32_t)((r->minute * 60000 + d->start_ms) / 1000));
    }
}

static int64_t last_of(const struct spread_state *s, int64_t now_ms)
{
    int64_t last_ms = s->latest_s * 1000LL;
    return last_ms > 0 && last_ms < now_ms ? last_ms : now_ms;
}

// Far more providers than anybody has accounts with.
static bool find_extreme(const struct spread_state *state, const struct detector_ctx *ctx,
                         double all, double held, struct detector_finding *out)
{
    const struct spread_conf *c = ctx->conf;
    struct spread_state s = *state;
    double limit = (double)c->extreme * ctx->factor;
    double weight = detector_excess(all, limit, SUFFICES, 2, SUFFICES_CAP);
    if (weight <= 0)
        return false;
    fade(&s, ctx->now_ms);
    bool mail = s.sessions >= 1 && s.octets >= (float)c->small_octets * s.sessions;
    bool reads = s.answered >= 1 && s.down >= READ_OCTETS * s.answered;
    // Its owner's own mail goes to few.
    mail = mail && (!reads || held * 3 > all * 2);
    reads = reads && !mail;
    *out = detector_finding_of(&detector_submission_spread, all, limit, "providers", HOUR_S,
                               weight);
    out->supports = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) |
                    DETECTOR_CLASS(VERDICT_AUTH_GUESSING) |
                    (reads ? DETECTOR_CLASS(VERDICT_PROXY_ABUSE) : 0);
    out->defines = DETECTOR_CLASS(mail    ? VERDICT_COMPROMISED_ACCOUNT
                                  : reads ? VERDICT_PROXY_ABUSE
                                          : VERDICT_AUTH_GUESSING);
    out->ceiling = VERDICT_TICKET;
    out->evidence.conclusive = true;
    int64_t from_ms = ctx->now_ms - HOUR_S * 1000LL, since_ms = s.since_s * 1000LL;
    out->evidence.first_ms = since_ms > from_ms ? since_ms : from_ms;
    out->evidence.last_ms = last_of(&s, ctx->now_ms);
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Contacted submission and mailbox servers of %.0f%s mail providers in an hour, %s; "
             "nobody has accounts with more than %.0f.",
             all, all >= PROVIDERS_HELD ? " and more" : "",
             mail    ? "and sent mail"
             : reads ? "and read mail there, as many people's programs would"
                     : "in sessions that carried no mail",
             limit);
    return true;
}

// As many sessions as only a program begins. Where they carry mail, an account sends it; where they do not, and there
// are several servers, passwords are tried.
static bool find_volume(const struct window *w, const struct spread_state *state,
                        const struct detector_ctx *ctx, double providers,
                        struct detector_finding *out)
{
    const struct spread_conf *c = ctx->conf;
    struct spread_state s = *state;
    fade(&s, ctx->now_ms);
    bool mail = s.octets >= (float)c->small_octets * s.sessions;
    double limit = (double)(mail ? c->sessions_hour : c->guesses_hour) * ctx->factor;
    double weight = detector_excess((double)s.sessions, limit, SUFFICES, 2, SUFFICES_CAP);
    if (weight <= 0 || ctx->role != ROLE_HOUSEHOLD || (!mail && providers < GUESSED_MIN))
        return false;
    *out = detector_finding_of(&detector_submission_spread, (double)s.sessions, limit, "sessions",
                               HOUR_S, weight);
    out->raw = DETECTOR_RAW_SERVICE_SESSIONS;
    out->supports = out->defines = DETECTOR_CLASS(mail ? VERDICT_COMPROMISED_ACCOUNT
                                                       : VERDICT_AUTH_GUESSING);
    out->ceiling = VERDICT_TICKET;
    out->evidence.conclusive = true;
    out->evidence.first_ms = window_first(w, FEATURE_PROVIDERS_OTHER, ctx->now_ms, HOUR_S);
    out->evidence.last_ms = last_of(&s, ctx->now_ms);
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Began about %.0f sessions with submission servers of %.0f mail providers in an hour, "
             "%s; a person stays below %.0f.",
             (double)s.sessions, providers,
             mail ? "large enough for mail" : "too small to carry mail", limit);
    return true;
}

// Mail through twice as many providers as a person may have: accounts that somebody has collected.
static bool find_many(const struct window *w, const struct spread_state *state,
                      const struct detector_ctx *ctx, double providers,
                      struct detector_finding *out)
{
    const struct spread_conf *c = ctx->conf;
    struct spread_state s = *state;
    double limit = 2 * (double)c->limit_hour * ctx->factor;
    fade(&s, ctx->now_ms);
    double weight = detector_excess(providers, limit, SUFFICES, 2, SUFFICES_CAP);
    if (weight <= 0 || ctx->role != ROLE_HOUSEHOLD || s.sessions < MANY_SESSIONS ||
        s.octets < (float)c->small_octets * s.sessions)
        return false;
    *out = detector_finding_of(&detector_submission_spread, providers, limit, "providers", HOUR_S,
                               weight);
    out->supports = out->defines = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT);
    out->ceiling = VERDICT_TICKET;
    out->evidence.conclusive = true;
    out->evidence.first_ms = window_first(w, FEATURE_PROVIDERS_OTHER, ctx->now_ms, HOUR_S);
    out->evidence.last_ms = last_of(&s, ctx->now_ms);
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Sent mail through the submission servers of %.0f mail providers in an hour, about "
             "%.0f times; nobody has accounts with more than %.0f.",
             providers, (double)s.sessions, limit);
    return true;
}

// The same through our own smarthost, where TLS hides recipients and replies: hour after hour what no person writes.
static bool find_smarthost(const struct window *w, const struct spread_state *state,
                           const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct spread_conf *c = ctx->conf;
    struct spread_state s = *state;
    fade(&s, ctx->now_ms);
    double hour = (double)c->sessions_hour * ctx->factor;
    double day = (double)c->smarthost_day * ctx->factor;
    double by_hour = detector_excess((double)s.own_sessions, hour, SUFFICES, 2, SUFFICES_CAP);
    double by_day = detector_excess((double)s.own_day, day, SUFFICES, 2, SUFFICES_CAP);
    int64_t last_ms = s.own_latest_s * 1000LL;
    if ((by_hour <= 0 && by_day <= 0) || ctx->role != ROLE_HOUSEHOLD ||
        ctx->now_ms - last_ms > HOUR_S * 1000LL ||
        s.own_octets < (float)c->small_octets * s.own_sessions)
        return false;
    bool daily = by_day > by_hour;
    *out = detector_finding_of(&detector_submission_spread,
                               (double)(daily ? s.own_day : s.own_sessions), daily ? day : hour,
                               "sessions", daily ? DAY_S : HOUR_S, daily ? by_day : by_hour);
    out->raw = DETECTOR_RAW_SERVICE_SESSIONS;
    out->supports = out->defines = DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
    out->ceiling = VERDICT_TICKET;
    out->limitations = VERDICT_TLS;
    out->evidence.family = VERDICT_FAMILY_VOLUME;
    out->evidence.conclusive = true;
    int64_t first_ms = ctx->now_ms - (daily ? DAY_S : HOUR_S) * 1000LL;
    out->evidence.first_ms = first_ms > w->first_ms ? first_ms : w->first_ms;
    out->evidence.last_ms = last_ms < ctx->now_ms ? last_ms : ctx->now_ms;
    snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
             "Began about %.0f sessions with the smarthost in %s, all through TLS and large enough "
             "for mail; a person stays below %.0f. Recipients and replies are not visible (TLS).",
             out->evidence.measured, daily ? "a day" : "an hour", out->evidence.limit);
    return true;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct spread_conf *c = ctx->conf;
    const struct spread_state *s = state;
    double held = 0, all = 0;
    for (size_t k = 0; k < PROVIDERS_HELD; k++) {
        bool recent = s->seen[k] != 0 &&
                      recent_s(s->base_s, s->seen[k]) >= ctx->now_ms / 1000 - HOUR_S;
        all += recent;
        held += recent && (s->provider[k] & SUBMITS);
    }
    size_t own = find_smarthost(w, s, ctx, out) ? 1 : 0;
    out += own;
    if (find_extreme(s, ctx, all, held, out) || find_volume(w, s, ctx, held, out) ||
        find_many(w, s, ctx, held, out))
        return own + 1;
    double set = (double)window_sum(w, FEATURE_PROVIDERS_OTHER, ctx->now_ms, HOUR_S);
    double measured = set > held ? set : held;
    double limit = (double)c->limit_hour * ctx->factor;
    double weight = detector_excess(measured, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight <= 0)
        return own;
    struct detector_finding f = detector_finding_of(&detector_submission_spread, measured, limit,
                                                    "providers", HOUR_S, weight);
    f.supports = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT) |
                 DETECTOR_CLASS(VERDICT_AUTH_GUESSING) | DETECTOR_CLASS(VERDICT_SOCKS_RELAY);
    f.defines = DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT);
    f.evidence.first_ms = window_first(w, FEATURE_PROVIDERS_OTHER, ctx->now_ms, HOUR_S);
    f.evidence.last_ms = window_last(w, FEATURE_PROVIDERS_OTHER, ctx->now_ms);
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "Contacted the submission servers of %.0f mail providers in an hour; a person has "
             "accounts with fewer than %.0f.",
             measured, limit);
    out[0] = f;
    return own + 1;
}

const struct detector_descriptor detector_submission_spread = {
    .name = "submission-spread",
    .section = "submission_spread",
    .help = "Submission servers of many unrelated providers.",
    .family = VERDICT_FAMILY_SPREAD,
    .needs = 0,
    .raw = DETECTOR_RAW_SERVICES,
    .keys = keys,
    .conf_size = sizeof(struct spread_conf),
    .state_size = sizeof(struct spread_state),
    .observe = observe,
    .evaluate = evaluate,
};
