// auth-guessing: tries at passwords of mail accounts, over many accounts or providers.
//
// A telephone with an old password fails for ever, for one account at one server; a guesser fails for
// many accounts, or one account at many servers. The latest failed pairs of account and provider are
// remembered; a share of failures is asked for, since a migration of mailboxes logs in five hundred
// times with success. Where replies cannot be read (TLS, the legal profile), a list of servers that somebody
// else has made shows by the servers on it that are gone: a sequential test over first contacts with
// submission and mailbox servers. docs/detectors/auth-guessing.md.
#include "detector.h"
#include "recent.h"
#include "sprt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct guessing_conf {
    int64_t accounts, providers, failures_hour, accounts_day;
    double share, cap;
};

extern const struct detector_descriptor detector_auth_guessing;

#define FIELD(m)     offsetof(struct guessing_conf, m)
#define HOUR_S       3600
#define DAY_S        86400
#define AT_LIMIT     11.6 // more of it than any person has accounts: conclusive
#define PER_DOUBLING 1.0
#define TRIES_MAX    24
#define SURE         1.25 // times the limit of accounts: a school's forgetful morning ends below

static const struct conf_key keys[] = {
    {.name = "accounts",
     .type = CONF_INT,
     .offset = FIELD(accounts),
     .min = 2,
     .max = 22,
     .def = "19",
     .unit = "accounts",
     .help = "Accounts that fail in an hour."},
    {.name = "providers",
     .type = CONF_INT,
     .offset = FIELD(providers),
     .min = 2,
     .max = 22,
     .def = "9",
     .unit = "providers",
     .help = "Providers at which logins fail in an hour."},
    {.name = "failures_hour",
     .type = CONF_INT,
     .offset = FIELD(failures_hour),
     .min = 5,
     .max = 60000,
     .def = "90",
     .unit = "tries",
     .help = "Failed tries in an hour over two accounts or providers and more: a ticket."},
    {.name = "accounts_day",
     .type = CONF_INT,
     .offset = FIELD(accounts_day),
     .min = 2,
     .max = 22,
     .def = "12",
     .unit = "accounts",
     .help = "Accounts of one provider that fail in a day: a ticket."},
    {.name = "share",
     .type = CONF_REAL,
     .offset = FIELD(share),
     .min = 0.1,
     .max = 1,
     .def = "0.8",
     .unit = "share",
     .help = "Share of all tries that fail, at least."},
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

#define MET_MAX     32
#define REACHED_MIN 5   // a line that is down reaches nobody
#define NOBODY_MIN  30  // of nobody's accounts: not even an office that is down tries so many
#define THETA0      0.9 // share of a person's mail servers that answer
#define THETA1      0.6 // of a list's
#define ALPHA       1e-5
#define BETA        0.01
#define HALF_LIFE   43200000

struct guessing_state {
    struct sprt list; // first contacts with servers of accounts
    uint32_t met[MET_MAX];
    uint8_t met_next;
    uint8_t wide; // detector_is_wide
    uint16_t reached;
    // Failed pairs of account and provider, the latest.
    uint32_t user[TRIES_MAX], provider[TRIES_MAX], base_s;
    uint16_t seen[TRIES_MAX]; // recent.h
    // Sessions of the day in which somebody logged in or may have, and failures; fading.
    float tries, failed;
    uint32_t faded_s;
};

static void fade(struct guessing_state *s, uint32_t now_s)
{
    if (now_s > s->faded_s) {
        float k = (float)exp(-(double)(now_s - s->faded_s) / DAY_S);
        s->tries *= k;
        s->failed *= k;
        s->faded_s = now_s;
    }
}

// The latest providers, in a ring: whether this one was met before.
static bool is_met(struct guessing_state *s, uint32_t provider)
{
    for (size_t i = 0; i < MET_MAX; i++) {
        if (s->met[i] == provider)
            return true;
    }
    s->met[s->met_next++ % MET_MAX] = provider;
    return false;
}

static void try_list(struct guessing_state *s, const struct minute_row *r,
                     const struct minute_digest *d)
{
    struct sprt_rule rule = sprt_rule(THETA0, THETA1, ALPHA, BETA);
    int64_t t_ms = r->minute * 60000 + d->outcome_ms, start_ms = r->minute * 60000 + d->start_ms;
    bool reached = d->outcome == MINUTE_OUTCOME_ESTABLISHED || d->outcome == MINUTE_OUTCOME_GREETED;
    bool failed = d->outcome == MINUTE_OUTCOME_UNANSWERED || d->outcome == MINUTE_OUTCOME_REFUSED ||
                  d->outcome == MINUTE_OUTCOME_ICMP;
    if ((!reached && !failed) || (d->flags & (MINUTE_DIGEST_SCAN | MINUTE_DIGEST_SUSPECT_SPOOF)) ||
        is_met(s, providers_hash(d)))
        return;
    sprt_decay(&s->list, t_ms, HALF_LIFE);
    // A reset came from somewhere: the line is up.
    if ((reached || d->outcome == MINUTE_OUTCOME_REFUSED) && s->reached < UINT16_MAX)
        s->reached++;
    if (reached)
        sprt_succeed(&s->list, &rule, t_ms, 1);
    else
        sprt_fail(&s->list, &rule, t_ms, start_ms, 1);
}

static void note(struct guessing_state *s, const struct minute_digest *d, uint32_t now_s)
{
    uint32_t user = (uint32_t)(d->user ^ d->user >> 32), provider = providers_hash(d);
    size_t place = 0;
    for (size_t k = 0; k < TRIES_MAX; k++) {
        if (s->seen[k] != 0 && s->user[k] == user && s->provider[k] == provider) {
            place = k;
            break;
        }
        if (s->seen[k] < s->seen[place])
            place = k;
    }
    s->user[place] = user;
    s->provider[place] = provider;
    recent_set(&s->base_s, s->seen, TRIES_MAX, place, now_s);
}

// Logins of the row, those too that TLS hides: who fails in the clear now and then and reads its mail under TLS succeeds.
static uint64_t sessions_of(const struct minute_row *r)
{
    uint64_t tries = minute_sum(r, MINUTE_OUT, MINUTE_auth);
    uint64_t sessions = r->counter[MINUTE_ACCESS][MINUTE_OUT][MINUTE_established] +
                        r->counter[MINUTE_SUBMISSION][MINUTE_OUT][MINUTE_established] +
                        r->counter[MINUTE_SMARTHOST][MINUTE_OUT][MINUTE_established];
    return tries > sessions ? tries : sessions;
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct guessing_state *s = state;
    uint32_t now_s = (uint32_t)(ctx->now_ms / 1000);
    bool wide = detector_is_wide(&s->wide, r);
    fade(s, now_s);
    s->tries += (float)sessions_of(r);
    s->failed += (float)minute_sum(r, MINUTE_OUT, MINUTE_auth_failed);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d->direction != MINUTE_OUT)
            continue;
        bool of_account = d->role == MINUTE_SUBMISSION || d->role == MINUTE_ACCESS;
        if (of_account && (d->flags & MINUTE_DIGEST_OUTCOME) && !ctx->site_failing && !wide)
            try_list(s, r, d);
        if (d->flags & MINUTE_DIGEST_AUTH_FAILED)
            note(s, d, now_s);
    }
}

// Different accounts and providers of the pairs that failed since then, and when the first of them did.
static int64_t count(const struct guessing_state *s, int64_t now_ms, int64_t window_s,
                     double *accounts, double *providers)
{
    int64_t since_s = now_ms / 1000 - window_s, first_s = now_ms / 1000;
    *accounts = *providers = 0;
    for (size_t k = 0; k < TRIES_MAX; k++) {
        int64_t seen_s = recent_s(s->base_s, s->seen[k]);
        if (s->seen[k] == 0 || seen_s < since_s)
            continue;
        bool new_user = s->user[k] != 0, new_provider = true;
        for (size_t i = 0; i < k; i++) {
            if (s->seen[i] == 0 || recent_s(s->base_s, s->seen[i]) < since_s)
                continue;
            new_user = new_user && s->user[i] != s->user[k];
            new_provider = new_provider && s->provider[i] != s->provider[k];
        }
        *accounts += new_user;
        *providers += new_provider;
        if (seen_s < first_s)
            first_s = seen_s;
    }
    return first_s * 1000;
}

static size_t find_list(const struct guessing_state *state, const struct detector_ctx *ctx,
                        struct detector_finding *out)
{
    const struct guessing_conf *c = ctx->conf;
    struct sprt_rule rule = sprt_rule(THETA0, THETA1, ALPHA, BETA);
    struct sprt s = state->list;
    char span[DETECTOR_SPAN_MAX];
    sprt_decay(&s, ctx->now_ms, HALF_LIFE);
    if (!sprt_convicts(&s, &rule) || (state->reached < REACHED_MIN && s.failures < NOBODY_MIN))
        return 0;
    int64_t window_s = (s.last_ms - s.first_ms + 999) / 1000;
    // The walk ends where it decides; what it may weigh is enough for that and no more.
    double weight = s.walk < c->cap ? s.walk : c->cap;
    *out = detector_finding_of(&detector_auth_guessing,
                               100.0 * s.failures / (s.failures + s.successes), 100 * (1 - THETA0),
                               "percent failed", (int32_t)window_s, weight);
    out->supports = out->defines = DETECTOR_CLASS(VERDICT_AUTH_GUESSING);
    out->raw = DETECTOR_RAW_SERVICES;
    out->ceiling = VERDICT_TICKET;
    out->evidence.conclusive = true;
    out->evidence.first_ms = s.first_ms;
    out->evidence.last_ms = s.last_ms;
    snprintf(
        out->evidence.sentence, sizeof out->evidence.sentence,
        "%u of %u first contacts with submission and mailbox servers failed within %s; servers "
        "of one's own accounts answer, and fewer than %.0f of 100 do not.",
        s.failures, s.failures + s.successes, detector_span(window_s, span), 100 * (1 - THETA0));
    return 1;
}

// The most accounts that failed at one and the same provider in a day: a school forgets passwords at many.
static int64_t count_at_one(const struct guessing_state *s, int64_t now_ms, double *accounts)
{
    int64_t since_s = now_ms / 1000 - DAY_S, first_s = now_ms / 1000;
    *accounts = 0;
    for (size_t k = 0; k < TRIES_MAX; k++) {
        double here = 0;
        int64_t begin_s = now_ms / 1000;
        // Each pair stands once, so the pairs of a provider are its accounts.
        for (size_t i = 0; i < TRIES_MAX && s->seen[k] != 0; i++) {
            int64_t seen_s = recent_s(s->base_s, s->seen[i]);
            if (s->seen[i] == 0 || seen_s < since_s || s->user[i] == 0 ||
                s->provider[i] != s->provider[k])
                continue;
            here++;
            begin_s = seen_s < begin_s ? seen_s : begin_s;
        }
        if (here > *accounts) {
            *accounts = here;
            first_s = begin_s;
        }
    }
    return first_s * 1000;
}

// Fewer accounts than a list has, and more tries than a program makes that has forgotten one password; or a list worked
// off so slowly that no hour shows it. One account at one provider is neither, however often it fails.
static size_t find_slow(const struct window *w, const struct guessing_state *state,
                        const struct detector_ctx *ctx, struct detector_finding *out)
{
    const struct guessing_conf *c = ctx->conf;
    struct guessing_state s = *state;
    int64_t now = ctx->now_ms;
    double tries = (double)window_sum(w, FEATURE_LOGIN_TRIES, now, HOUR_S);
    double failed = (double)window_sum(w, FEATURE_LOGIN_FAILED, now, HOUR_S);
    double accounts, providers, limit = (double)c->failures_hour * ctx->factor;
    count(&s, now, HOUR_S, &accounts, &providers);
    double weight = detector_excess(failed, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    if (weight > 0 && failed >= c->share * tries && (accounts >= 2 || providers >= 2)) {
        *out = detector_finding_of(&detector_auth_guessing, failed, limit, "tries", HOUR_S, weight);
        out->raw = DETECTOR_RAW_TRIES;
        out->evidence.first_ms = window_first(w, FEATURE_LOGIN_FAILED, now, HOUR_S);
        snprintf(out->evidence.sentence, sizeof out->evidence.sentence,
                 "%.0f of %.0f logins failed in an hour, over %.0f accounts at %.0f providers; "
                 "forgotten passwords stay below %.0f.",
                 failed, tries, accounts, providers, limit);
    } else {
        fade(&s, (uint32_t)(now / 1000));
        limit = (double)c->accounts_day * ctx->factor;
        int64_t first_ms = count_at_one(&s, now, &accounts);
        weight = detector_excess(accounts, limit, AT_LIMIT, PER_DOUBLING, c->cap);
        if (weight <= 0 || (double)s.failed < c->share * (double)s.tries)
            return 0;
        *out = detector_finding_of(&detector_auth_guessing, accounts, limit, "accounts", DAY_S,
                                   weight);
        out->evidence.first_ms = first_ms;
        snprintf(
            out->evidence.sentence, sizeof out->evidence.sentence,
            "Logins of %.0f%s accounts of one provider failed in a day, nearly none succeeded; "
            "forgotten passwords stay below %.0f.",
            accounts, accounts >= TRIES_MAX ? " and more" : "", limit);
    }
    out->supports = out->defines = DETECTOR_CLASS(VERDICT_AUTH_GUESSING);
    out->ceiling = VERDICT_TICKET;
    out->evidence.conclusive = true;
    out->evidence.last_ms = window_last(w, FEATURE_LOGIN_FAILED, now);
    return 1;
}

static size_t find_other(const struct window *w, const struct guessing_state *s,
                         const struct detector_ctx *ctx, struct detector_finding *out)
{
    return find_list(s, ctx, out) ? 1 : find_slow(w, s, ctx, out);
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    const struct guessing_conf *c = ctx->conf;
    const struct guessing_state *s = state;
    int64_t now = ctx->now_ms;
    double tries = (double)window_sum(w, FEATURE_LOGIN_TRIES, now, HOUR_S);
    double failed = (double)window_sum(w, FEATURE_LOGIN_FAILED, now, HOUR_S);
    double accounts, providers;
    if (failed == 0 || failed < c->share * tries)
        return find_other(w, s, ctx, out);
    count(s, now, HOUR_S, &accounts, &providers);
    // With so few successes, nearly all of a minute's accounts are failed ones.
    double set = (double)(window_sum(w, FEATURE_AUTH_USERS, now, HOUR_S) +
                          window_sum(w, FEATURE_LOGIN_USERS, now, HOUR_S));
    set -= tries - failed;
    if (set > accounts)
        accounts = set;
    double limit = (double)c->accounts * ctx->factor, measured = accounts;
    double weight = detector_excess(accounts, limit, AT_LIMIT, PER_DOUBLING, c->cap);
    const char *unit = "accounts";
    double other = (double)c->providers * ctx->factor;
    double by_provider = detector_excess(providers, other, AT_LIMIT, PER_DOUBLING, c->cap);
    if (by_provider > weight) {
        weight = by_provider;
        measured = providers;
        limit = other;
        unit = "providers";
    }
    bool by_providers = strcmp(unit, "providers") == 0;
    if (weight <= 0)
        return find_other(w, s, ctx, out);
    struct detector_finding f = detector_finding_of(&detector_auth_guessing, measured, limit, unit,
                                                    HOUR_S, weight);
    f.supports = f.defines = DETECTOR_CLASS(VERDICT_AUTH_GUESSING);
    if (by_providers)
        f.raw = DETECTOR_RAW_SERVICES;
    f.evidence.conclusive = true;
    if (!by_providers && measured < SURE * limit)
        f.ceiling = VERDICT_TICKET;
    f.evidence.first_ms = window_first(w, FEATURE_LOGIN_FAILED, now, HOUR_S);
    f.evidence.last_ms = window_last(w, FEATURE_LOGIN_FAILED, now);
    // Pairs are as old as an hour, sums less: the oldest login is among the former alone.
    double unsummed = measured > failed ? measured - failed : 0;
    snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
             "%.0f of %.0f logins failed in an hour, over %.0f %s; forgotten passwords stay below "
             "%.0f.",
             failed + unsummed, tries + unsummed, measured, unit, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_auth_guessing = {
    .name = "auth-guessing",
    .section = "auth_guessing",
    .help = "Failed logins over many mail accounts or providers.",
    .family = VERDICT_FAMILY_LOGIN,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_UNSAMPLED,
    .raw = DETECTOR_RAW_ACCOUNTS,
    .keys = keys,
    .conf_size = sizeof(struct guessing_conf),
    .state_size = sizeof(struct guessing_state),
    .observe = observe,
    .evaluate = evaluate,
};
