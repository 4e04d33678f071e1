// first-contact: a machine that knows its mail servers reaches them; one that guesses does not.
//
// Threshold random walk over the first contact with each provider (Jung et al. 2004), with a slow
// variant for few providers tried again and again: a queue for dead destinations looks the same, so
// that ends at a ticket. Nothing is counted while mail fails for the whole site, or for providers
// that used to answer this very party: then it is the line that is broken.
// docs/detectors/first-contact.md.
#include "detector.h"
#include "sprt.h"

#include <math.h>
#include <stdio.h>

struct first_contact_conf {
    double theta0, theta1, alpha, beta;
    int64_t half_life_ms;
    double cap;
    double steady0, steady1, steady_min, steady_cap;
    double retry_dead, retry_innocent;
    int64_t slow_providers, slow_tries, blocked_pace;
};

#define FIELD(m) offsetof(struct first_contact_conf, m)

extern const struct detector_descriptor detector_first_contact;

static const struct conf_key keys[] = {
    {.name = "theta0",
     .type = CONF_REAL,
     .offset = FIELD(theta0),
     .min = 0.5,
     .max = 0.99,
     .def = "0.8",
     .unit = "probability",
     .help = "Share of first contacts that are answered, innocent party."},
    {.name = "theta1",
     .type = CONF_REAL,
     .offset = FIELD(theta1),
     .min = 0.01,
     .max = 0.5,
     .def = "0.2",
     .unit = "probability",
     .help = "The same of a bot."},
    {.name = "alpha",
     .type = CONF_REAL,
     .offset = FIELD(alpha),
     .min = 1e-9,
     .max = 0.1,
     .def = "1e-05",
     .unit = "probability",
     .help = "Chance that a test convicts an innocent; an ISP runs millions of tests."},
    {.name = "beta",
     .type = CONF_REAL,
     .offset = FIELD(beta),
     .min = 1e-6,
     .max = 0.5,
     .def = "0.01",
     .unit = "probability",
     .help = "Chance that a bot is missed."},
    {.name = "half_life",
     .type = CONF_DURATION,
     .offset = FIELD(half_life_ms),
     .min = 600000,
     .max = 604800000,
     .def = "12h",
     .help = "Time in which old failures lose half their weight."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 20,
     .def = "12",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = "steady0",
     .type = CONF_REAL,
     .offset = FIELD(steady0),
     .min = 0.5,
     .max = 0.99,
     .def = "0.88",
     .unit = "probability",
     .help =
         "Steady variant: share of first contacts that a mail server with an old list reaches."},
    {.name = "steady1",
     .type = CONF_REAL,
     .offset = FIELD(steady1),
     .min = 0.1,
     .max = 0.95,
     .def = "0.68",
     .unit = "probability",
     .help = "The same of a bot whose port 25 is open."},
    {.name = "steady_min",
     .type = CONF_REAL,
     .offset = FIELD(steady_min),
     .min = 1,
     .max = 12,
     .def = "3",
     .unit = "log-odds",
     .help = "Steady variant: below this it says nothing."},
    {.name = "steady_cap",
     .type = CONF_REAL,
     .offset = FIELD(steady_cap),
     .min = 0,
     .max = 6.5,
     .def = "6",
     .unit = "log-odds",
     .help = "Most that the steady variant may weigh: never enough alone."},
    {.name = "retry_dead",
     .type = CONF_REAL,
     .offset = FIELD(retry_dead),
     .min = 0.01,
     .max = 1,
     .def = "0.98",
     .unit = "probability",
     .help = "Slow variant: chance that trying a silent provider again fails, bot."},
    {.name = "retry_innocent",
     .type = CONF_REAL,
     .offset = FIELD(retry_innocent),
     .min = 0.01,
     .max = 1,
     .def = "0.7",
     .unit = "probability",
     .help = "The same, innocent party: lower, since outages end."},
    {.name = "slow_providers",
     .type = CONF_INT,
     .offset = FIELD(slow_providers),
     .min = 2,
     .max = 50,
     .def = "4",
     .unit = "providers",
     .help = "Slow variant: so many providers at least, each tried slow_tries times in vain."},
    {.name = "slow_tries",
     .type = CONF_INT,
     .offset = FIELD(slow_tries),
     .min = 2,
     .max = 50,
     .def = "3",
     .unit = "tries",
     .help = "Slow variant: see slow_providers."},
    {.name = "blocked_pace",
     .type = CONF_INT,
     .offset = FIELD(blocked_pace),
     .min = 1,
     .max = 10000,
     .def = "75",
     .unit = "connections",
     .help = "Slow variant behind a block that is declared: so many connections an hour, unless "
             "the line "
             "was known for a day before it began; a monitor has a calmer pace and no beginning."},
    {.name = NULL},
};

struct first_contact_state {
    struct sprt first;              // first contacts
    struct sprt slow;               // first contacts and repeats, while nobody answers
    struct sprt steady;             // first contacts of one who reaches most of them
    uint32_t mixed_s;               // the slow climb last saw silence beside refusals; 0: never
    uint32_t since_min, latest_min; // port 25: since when, a day's pause apart; 0: never
    // Failures with providers that used to answer, since anybody answered, and the first of them.
    uint32_t known_failed_s;
    uint16_t known_failed;
    bool slow_silent, slow_refused;
};

#define LINE_BROKEN_MIN 2
#define LINE_BROKEN_MS  21600000 // a line that stays so for six hours is how things are
#define DAY_S           86400
#define HOUR_S          3600
#define STEADY_REACHED  10 // whom nobody answers is the first test's business
#define SLOW_RECENT_MS  600000
#define MIXED_MS        21600000
#define QUEUE_S         600
#define QUEUE_MOST      45
#define PACED_MIN       20 // connections, before their pace means anything
#define HOUR_MINUTES    60

// Providers that used to answer this party have gone silent, and nobody has answered since: the line
// or the site is broken.
static bool line_broken(const struct first_contact_state *s, int64_t t_ms)
{
    return s->known_failed >= LINE_BROKEN_MIN && t_ms - s->known_failed_s * 1000LL < LINE_BROKEN_MS;
}

// A block, before the mirror or behind it, answers all alike; a queue for dead destinations meets
// hosts that are gone and hosts that refuse. So a mixture is no slow bot.
static void note_mixture(struct first_contact_state *s, const struct contact *k, bool queue_pace)
{
    if (k->kind != CONTACT_FIRST_FAILED && k->kind != CONTACT_AGAIN_FAILED)
        return;
    s->slow_silent |= k->silent;
    s->slow_refused |= k->refused;
    if (!s->slow_silent || !s->slow_refused)
        return;
    s->slow_silent = s->slow_refused = false;
    s->mixed_s = (uint32_t)(k->t_ms / 1000);
    if (queue_pace)
        s->slow = (struct sprt){0};
}

static void note_known(struct first_contact_state *s, const struct contact *k)
{
    bool answered = k->kind == CONTACT_FIRST_ANSWERED || k->kind == CONTACT_AGAIN_ANSWERED ||
                    k->kind == CONTACT_CORRECTED;
    if (answered) {
        s->known_failed = 0;
    } else if (k->kind == CONTACT_AGAIN_FAILED && k->answered_since && k->silent) {
        if (s->known_failed == 0)
            s->known_failed_s = (uint32_t)(k->t_ms / 1000);
        if (s->known_failed < UINT16_MAX)
            s->known_failed++;
    }
}

static void note_beginning(struct first_contact_state *s, const struct minute_row *r)
{
    if (r->minute <= 0 || r->counter[MINUTE_MX][MINUTE_OUT][MINUTE_connections] == 0)
        return;
    uint32_t minute = (uint32_t)r->minute;
    if (s->latest_min == 0 || minute > s->latest_min + DAY_S / 60)
        s->since_min = minute;
    if (minute > s->latest_min)
        s->latest_min = minute;
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    const struct first_contact_conf *c = ctx->conf;
    struct first_contact_state *s = state;
    note_beginning(s, r);
    struct sprt_rule rule = sprt_rule(c->theta0, c->theta1, c->alpha, c->beta);
    struct sprt_rule steady = sprt_rule(c->steady0, c->steady1, c->alpha, c->beta);
    double retry = log(c->retry_dead / c->retry_innocent) / rule.failure;
    if (window_scans(w, ctx->now_ms)) {
        s->first = s->slow = s->steady = (struct sprt){0};
        return;
    }
    // Climbs that began with the failure, before it was known, are void.
    if (ctx->site_failing && s->first.first_ms >= ctx->site_failing_since_ms)
        s->first = (struct sprt){0};
    if (ctx->site_failing && s->steady.first_ms >= ctx->site_failing_since_ms)
        s->steady = (struct sprt){0};
    if (ctx->site_failing && s->slow.first_ms >= ctx->site_failing_since_ms)
        s->slow = (struct sprt){0};
    bool blocked = ctx->port25_blocked && window_is_cut_off(w, ctx->now_ms);
    bool site_mute = ctx->site_failing || blocked;
    // Failing says nothing behind a block; the same few tried on and on still does, unless it may be a
    // server's queue.
    bool slow_site_mute = ctx->site_failing || (blocked && ctx->role != ROLE_HOUSEHOLD);
    // A mail server waits minutes before it tries a destination again; this pace is no queue's.
    bool queue_pace = window_sum(w, FEATURE_MX_CONNECTIONS, ctx->now_ms, QUEUE_S) < QUEUE_MOST;
    for (size_t i = 0; i < contacts->count; i++) {
        const struct contact *k = &contacts->contact[i];
        note_known(s, k);
        note_mixture(s, k, queue_pace);
        bool slow_mute = queue_pace && s->mixed_s != 0 && k->t_ms - s->mixed_s * 1000LL < MIXED_MS;
        bool broken = line_broken(s, k->t_ms), mute = site_mute || broken;
        slow_mute |= slow_site_mute || broken;
        sprt_decay(&s->first, k->t_ms, c->half_life_ms);
        sprt_decay(&s->slow, k->t_ms, c->half_life_ms);
        sprt_decay(&s->steady, k->t_ms, 2 * c->half_life_ms);
        switch (k->kind) {
        case CONTACT_FIRST_FAILED:
            if (!mute) {
                sprt_fail(&s->first, &rule, k->t_ms, k->start_ms, 1);
                sprt_fail(&s->steady, &steady, k->t_ms, k->start_ms, 1);
            }
            if (!slow_mute)
                sprt_fail(&s->slow, &rule, k->t_ms, k->start_ms, 1);
            break;
        case CONTACT_AGAIN_FAILED:
            // Closed early or turned away is an answer: a monitor that reads greetings earns it.
            if (!slow_mute && !k->answered_since && (k->silent || k->refused))
                sprt_fail(&s->slow, &rule, k->t_ms, k->start_ms, retry);
            break;
        case CONTACT_CORRECTED:
            // Taken back, then counted as what it was.
            sprt_succeed(&s->first, &rule, k->t_ms, 2);
            sprt_succeed(&s->steady, &steady, k->t_ms, 1 - steady.failure / steady.success);
            s->slow = (struct sprt){0};
            break;
        case CONTACT_FIRST_ANSWERED:
            sprt_succeed(&s->first, &rule, k->t_ms, 1);
            sprt_succeed(&s->steady, &steady, k->t_ms, 1);
            s->slow = (struct sprt){0};
            break;
        case CONTACT_AGAIN_ANSWERED: s->slow = (struct sprt){0}; break;
        default: break;
        }
    }
}

static struct detector_finding finding(const struct window *w, const struct detector_ctx *ctx,
                                       const struct sprt *s, double limit, const char *unit,
                                       double cap)
{
    int64_t window_s = (s->last_ms - s->first_ms + 999) / 1000;
    double weight = s->walk < cap ? s->walk : cap;
    struct detector_finding f = detector_finding_of(
        &detector_first_contact, s->failures, limit, unit,
        (int32_t)(window_s > INT32_MAX ? INT32_MAX : window_s), weight);
    // Whoever asks for addresses or tries passwords off a list fails alike, and is no bot that sends mail.
    f.supports = detector_classes_of(w, ctx->now_ms) & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
    f.defines = f.supports;
    f.evidence.first_ms = s->first_ms;
    f.evidence.last_ms = s->last_ms;
    return f;
}

// How many failures the climb needed, with the successes that lay in its way.
static double failures_needed(const struct sprt *s, const struct sprt_rule *rule)
{
    double height = rule->upper - s->start - s->successes * rule->success;
    return ceil(height / rule->failure);
}

// Most are reached, and yet more fail than a list of real correspondents has dead ones: for a bot whose
// port 25 is open that is all that shows where the dialogue may not be read.
static bool find_steady(const struct window *w, const struct first_contact_state *state,
                        const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct first_contact_conf *c = ctx->conf;
    struct sprt s = state->steady;
    char span[DETECTOR_SPAN_MAX];
    sprt_decay(&s, ctx->now_ms, 2 * c->half_life_ms);
    if (s.walk < c->steady_min ||
        window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, DAY_S) < STEADY_REACHED)
        return false;
    double share = 100.0 * s.failures / (s.failures + s.successes);
    *out = finding(w, ctx, &s, 100 * (1 - c->steady0), "percent failed", c->steady_cap);
    out->evidence.measured = share;
    out->supports = detector_classes_of(w, ctx->now_ms);
    out->defines = out->supports & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
    snprintf(
        out->evidence.sentence, sizeof out->evidence.sentence,
        "%u of %u first contacts with mail providers failed within %s (%.0f %%); a mail server "
        "with an old list stays near %.0f %%.",
        s.failures, s.failures + s.successes, detector_span(out->evidence.window_s, span), share,
        100 * (1 - c->steady0));
    return true;
}

// Behind a block everybody fails, and a monitor of a few servers does for ever. What sets a bot apart is
// that it began: a line known for a day had none of it before. Else its pace.
static bool is_calm(const struct window *w, const struct first_contact_state *state,
                    const struct detector_ctx *ctx)
{
    const struct first_contact_conf *c = ctx->conf;
    if (!ctx->port25_blocked || !window_is_cut_off(w, ctx->now_ms))
        return false;
    int64_t since_ms = state->since_min * 60000LL;
    if (since_ms != 0 && w->first_ms + DAY_S * 1000LL <= since_ms)
        return false;
    // Of the last day, or of what there is since it began: chance crowds an hour, not a day.
    double minutes = (double)(ctx->now_ms - since_ms) / 60000.0;
    bool young = minutes < HOUR_MINUTES;
    double n = (double)window_sum(w, FEATURE_MX_CONNECTIONS, ctx->now_ms, young ? HOUR_S : DAY_S);
    double hours = (minutes < DAY_S / 60 ? minutes : DAY_S / 60) / HOUR_MINUTES;
    return n < PACED_MIN || n < (double)c->blocked_pace * ctx->factor * hours;
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct first_contact_conf *c = ctx->conf;
    const struct first_contact_state *s = state;
    struct sprt_rule rule = sprt_rule(c->theta0, c->theta1, c->alpha, c->beta);
    struct sprt first = s->first, slow = s->slow;
    char span[DETECTOR_SPAN_MAX];
    sprt_decay(&first, ctx->now_ms, c->half_life_ms);
    sprt_decay(&slow, ctx->now_ms, c->half_life_ms);
    // A server that has just reached everybody and now reaches nobody is cut off.
    bool cut_off = ctx->role != ROLE_HOUSEHOLD && first.successes == 0;
    struct sprt sure = first; // without what may turn out a scan
    sure.walk -= providers_fresh(&w->providers, ctx->now_ms) * rule.failure;
    if (sprt_convicts(&sure, &rule) && !cut_off) {
        double needed = failures_needed(&first, &rule);
        struct detector_finding f = finding(w, ctx, &first, needed, "failed first contacts",
                                            c->cap);
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "%u of %u first contacts with mail providers failed within %s; who knows its mail "
                 "servers fails in fewer than %.0f of 100, and %.0f failures convict.",
                 first.failures, first.failures + first.successes,
                 detector_span(f.evidence.window_s, span), 100 * (1 - c->theta0), needed);
        f.rests_on_silence = window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms,
                                        f.evidence.window_s) == 0;
        // At night a failure of transit strikes too few servers to be known as the site's.
        if (ctx->role != ROLE_HOUSEHOLD)
            f.ceiling = VERDICT_TICKET;
        out[0] = f;
        return 1;
    }
    uint32_t dead = providers_dead(&w->providers, ctx->now_ms, SLOW_RECENT_MS,
                                   (uint8_t)c->slow_tries);
    if (!sprt_convicts(&slow, &rule) || dead < c->slow_providers || is_calm(w, s, ctx))
        return find_steady(w, s, ctx, out);
    struct detector_finding f = finding(w, ctx, &slow, (double)(c->slow_providers * c->slow_tries),
                                        "failed contacts", c->cap);
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "Tried %u mail providers again and again, %u times in %s, and was never answered; a "
             "queue for dead destinations looks the same, a household has none.",
             dead, slow.failures, detector_span(f.evidence.window_s, span));
    f.evidence.conclusive = true;
    f.ceiling = VERDICT_TICKET;
    f.limitations = VERDICT_LOOKS_LIKE_DEAD_QUEUE;
    f.rests_on_silence = window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, f.evidence.window_s) ==
                         0;
    out[0] = f;
    return 1;
}

static const char *check(const void *conf, const char **key)
{
    const struct first_contact_conf *c = conf;
    *key = "theta1";
    if (c->theta1 >= c->theta0)
        return "is not below theta0, so failures would speak for the party; lower it";
    *key = "steady1";
    if (c->steady1 >= c->steady0)
        return "is not below steady0, so failures would speak for the party; lower it";
    *key = "retry_dead";
    if (c->retry_dead <= c->retry_innocent)
        return "is not above retry_innocent, so failures would speak for the party; raise it";
    return NULL;
}

const struct detector_descriptor detector_first_contact = {
    .name = "first-contact",
    .section = "first_contact",
    .help = "First contacts with mail providers fail, as they do for one who guesses.",
    .family = VERDICT_FAMILY_CONTACT,
    .needs = DETECTOR_PORT25 | DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_UNSAMPLED,
    .raw = DETECTOR_RAW_FAILED,
    .keys = keys,
    .conf_size = sizeof(struct first_contact_conf),
    .state_size = sizeof(struct first_contact_state),
    .observe = observe,
    .evaluate = evaluate,
    .check = check,
};
