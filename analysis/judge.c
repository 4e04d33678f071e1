// Judging a party: findings of the detectors, facts that are no evidence, and the life of its verdicts
// from opened to closed. See engine_parts.h.
#include "engine_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cause.h"
#include "hash.h"
#include "overrides.h"

#define FINDINGS_MAX (DETECTORS_MAX * 2)
#define DAY_S        86400
#define MINUTE_MS    60000LL
#define PAUSE_MAX_MS 21600000 // desired actions end after a day unless they are renewed
#define DOUBTS_HELD                                                                           \
    (IDENTITY_NEAR_CHANGE | IDENTITY_CLOCKS_DIFFER | IDENTITY_BNG_REBOOT | IDENTITY_NO_PORT | \
     IDENTITY_OVERLAP)

static size_t evaluate(const struct engine *e, struct party_state *p, struct detector_ctx *ctx,
                       struct detector_finding out[static FINDINGS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; detectors[i] && n + DETECTOR_FINDINGS_MAX <= FINDINGS_MAX; i++) {
        if (!engine_works(e, i))
            continue;
        ctx->conf = e->conf[i];
        size_t more = detectors[i]->evaluate(&p->window, engine_state(e, p, i), ctx, out + n);
        // Both times are rounded, each its own way.
        for (; more > 0; more--, n++)
            if (out[n].evidence.last_ms < out[n].evidence.first_ms)
                out[n].evidence.last_ms = out[n].evidence.first_ms;
    }
    return n;
}

static struct policy_facts facts_of(const struct engine *e, const struct party_state *p,
                                    const struct detector_ctx *ctx)
{
    const struct window *w = &p->window;
    const struct settings *s = e->options.settings;
    uint64_t tls = window_sum(w, FEATURE_MX_TLS, ctx->now_ms, DAY_S);
    return (struct policy_facts){
        .role = ctx->role,
        .provisional = p->party.kind == PARTY_PROVISIONAL,
        .provisional_ceiling = (uint8_t)s->provisional_ceiling,
        .identity_held = p->confidence == IDENTITY_AMBIGUOUS || p->confidence == IDENTITY_STALE ||
                         (p->doubts & DOUBTS_HELD),
        .source_validated = e->options.site->source_validated,
        .one_direction = e->site.one_direction,
        .flow_only = e->site.flow_only,
        .sampled = e->site.sampled,
        .relay_unseen = !(site_sight(&e->site, e->options.site->port25) & DETECTOR_OTHER_PORTS),
        .short_history =
            ctx->now_ms -
                w->first_ms<s->history_ms, .digests_cut = window_digests_cut(w, ctx->now_ms, 3600),
                            .tls = tls> 0 &&
            tls * 2 > window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, DAY_S),
        .site_failing = ctx->site_failing,
        .loss_ppm = window_loss_ppm(w, ctx->now_ms),
    };
}

static bool is_exempt(const struct engine *e, const struct party_state *p, unsigned class_,
                      int64_t now_ms)
{
    const struct overrides *said = e->options.overrides;
    const struct subscriber_key *key;
    for (size_t i = 0; (key = party_key(p, i)) != NULL; i++) {
        if (exempt_find(&e->options.settings->exemptions, class_, &p->party, key, now_ms) ||
            (said && overrides_is_exempt(said, class_, &p->party, key, now_ms)))
            return true;
    }
    return false;
}

static struct party_verdict **find_verdict(struct party_state *p, unsigned class_)
{
    struct party_verdict **at = &p->verdicts;
    while (*at && (*at)->verdict.class_ != class_)
        at = &(*at)->next;
    return at;
}

// What a verdict says besides its evidence.
static void describe(const struct engine *e, const struct party_state *p,
                     const struct detector_ctx *ctx, const struct journal_cursor *to,
                     struct verdict *v)
{
    v->party = p->party;
    v->key = p->key;
    const struct names *names = party_names(e->parties);
    snprintf(v->pop, sizeof v->pop, "%s", names_text(names, p->pop));
    snprintf(v->network_class, sizeof v->network_class, "%s", names_text(names, p->network_class));
    v->confidence = p->confidence;
    v->doubts = p->doubts;
    v->made_ms = ctx->now_ms;
    const struct party_verdict *other = cause_beside(p, v->class_);
    v->other_class = other ? (uint8_t)(other->verdict.class_ + 1) : 0;
    v->loss_ppm = window_loss_ppm(&p->window, ctx->now_ms);
    snprintf(v->role, sizeof v->role, "%s", role_name(ctx->role));
    snprintf(v->rules_version, sizeof v->rules_version, "%s", ENGINE_RULES_VERSION);
    snprintf(v->conf_hash, sizeof v->conf_hash, "%s", e->options.conf_hash);
    char from_text[JOURNAL_CURSOR_MAX], to_text[JOURNAL_CURSOR_MAX];
    snprintf(v->inputs, sizeof v->inputs, "%.31s-%.31s", journal_cursor_format(&p->from, from_text),
             journal_cursor_format(to, to_text));
}

static void weigh(const struct engine *e, const struct party_state *p, const struct judgement *j,
                  struct verdict *v)
{
    v->prior = j->prior;
    v->log_odds = j->log_odds;
    v->score = j->score;
    v->ceiling = j->ceiling;
    v->limitations = j->limitations;
    v->evidence_count = j->count;
    memcpy(v->evidence, j->evidence, sizeof v->evidence);
    int64_t first_ms = v->made_ms, last_ms = 0;
    for (uint32_t i = 0; i < j->count; i++) {
        // What makes the party less suspect is none of what was seen of it.
        if (!j->evidence[i].counted || j->evidence[i].log_odds <= 0)
            continue;
        if (j->evidence[i].first_ms < first_ms)
            first_ms = j->evidence[i].first_ms;
        if (j->evidence[i].last_ms > last_ms)
            last_ms = j->evidence[i].last_ms;
    }
    if (v->first_ms == 0 || first_ms < v->first_ms)
        v->first_ms = first_ms;
    if (last_ms > v->last_ms)
        v->last_ms = last_ms;
    int64_t span_s = (v->made_ms - v->first_ms + 999) / 1000;
    v->window_s = span_s < 1 ? 1 : span_s > UINT32_MAX ? UINT32_MAX : (uint32_t)span_s;
    v->sources = window_sources(&p->window, v->first_ms);
    v->observed_s = site_watched(&e->site, v->first_ms, v->made_ms);
}

// Of party, class and the time it was opened, so that a replay gives the same one. The first event would not do: what is
// not yet forgotten may be part of the next verdict too.
void judge_name(const struct party *party, unsigned class_, int64_t opened_ms,
                char out[static JUDGE_ID_MAX])
{
    char text[PARTY_TEXT_MAX];
    party_format(party, text);
    uint64_t who = hash_octets(text, strlen(text), class_);
    snprintf(out, JUDGE_ID_MAX, "v%016" PRIx64 "-%011" PRIx64, who,
             (uint64_t)opened_ms & 0xfffffffffffu);
}

static void emit(struct engine *e, struct party_verdict *pv, enum verdict_event event)
{
    pv->verdict.event = (uint8_t)event;
    pv->written_ms = pv->verdict.made_ms;
    if (event == VERDICT_OPENED)
        e->counters.opened++;
    else if (event == VERDICT_UPDATED)
        e->counters.updated++;
    else
        e->counters.closed++;
    e->fn(&pv->verdict, e->ctx);
}

// What waits for a sign of the lease is a ticket, and what it would be is kept.
static void hold_back(struct judgement *j, bool held)
{
    if (!held)
        return;
    j->limitations |= VERDICT_IDENTITY_HELD;
    if (j->ceiling > VERDICT_TICKET)
        j->ceiling = VERDICT_TICKET;
}

static void set_hold(struct party_verdict *pv, const struct judgement *j)
{
    struct judgement held = *j;
    hold_back(&held, pv->hold.since_ms != 0);
    pv->sure_ceiling = j->ceiling;
    pv->sure_limitations = j->limitations;
    pv->verdict.ceiling = held.ceiling;
    pv->verdict.limitations = held.limitations;
    if (pv->hold.since_ms != 0)
        pv->verdict.doubts |= IDENTITY_UNCONFIRMED;
}

// A bot beyond doubt: what it shows may help to know others. Evidence that allows a ticket at most took no part in
// that ceiling, so who learns here and says no more than that does not confirm itself.
static void confirm(struct engine *e, struct party_state *p, const struct verdict *v,
                    struct detector_ctx *ctx)
{
    const uint32_t bots = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT) |
                          DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST) |
                          DETECTOR_CLASS(VERDICT_SOCKS_RELAY) | DETECTOR_CLASS(VERDICT_HARVESTER) |
                          DETECTOR_CLASS(VERDICT_AUTH_GUESSING);
    if (v->ceiling != VERDICT_QUARANTINE || !(DETECTOR_CLASS(v->class_) & bots))
        return;
    for (size_t i = 0; detectors[i]; i++) {
        if (!detectors[i]->confirm || !engine_works(e, i) || !engine_has_state(p, i))
            continue;
        ctx->conf = e->conf[i];
        detectors[i]->confirm(party_detector_state(p, e->state_offset[i]), ctx);
    }
}

// Would the class be found by what was told by the lease at hand alone?
static bool is_own(const struct engine *e, const struct party_state *p, unsigned class_,
                   int64_t now_ms, const struct policy_facts *facts,
                   const struct detector_finding *findings, size_t count)
{
    struct detector_finding own[FINDINGS_MAX];
    struct judgement j;
    size_t n = 0;
    int64_t from_ms = hold_from_ms(&p->leases, &p->key, now_ms);
    for (size_t i = 0; i < count; i++) {
        if (findings[i].evidence.first_ms >= from_ms)
            own[n++] = findings[i];
    }
    policy_judge(class_, &e->rules[class_], &e->options.settings->priors, facts, own, n, &j);
    return j.found;
}

static int open_verdict(struct engine *e, struct party_state *p, unsigned class_,
                        const struct judgement *j, bool own, struct detector_ctx *ctx,
                        const struct journal_cursor *to)
{
    struct party_verdict *pv = calloc(1, sizeof *pv);
    if (!pv)
        return -ENOMEM;
    pv->next = p->verdicts;
    p->verdicts = pv;
    pv->verdict.class_ = (uint8_t)class_;
    hold_begin(&pv->hold, &p->key, p->lease_unseen, own, ctx->now_ms);
    describe(e, p, ctx, to, &pv->verdict);
    weigh(e, p, j, &pv->verdict);
    pv->verdict.first_ms = cause_first(p, class_, pv->verdict.first_ms);
    set_hold(pv, j);
    judge_name(&p->party, class_, ctx->now_ms, pv->verdict.id);
    pv->supported_ms = pv->opened_ms = ctx->now_ms;
    pv->families = j->families;
    pv->two = cause_beside(p, class_) != NULL;
    int64_t end_ms = ctx->now_ms + e->rules[class_].quiet_ms;
    if (end_ms < e->close_ms)
        e->close_ms = end_ms;
    if (j->limitations & VERDICT_EXEMPT)
        e->counters.exempted++;
    confirm(e, p, &pv->verdict, ctx);
    emit(e, pv, VERDICT_OPENED);
    return 0;
}

static void go_on(struct engine *e, struct party_state *p, struct party_verdict *pv,
                  const struct judgement *j, struct detector_ctx *ctx,
                  const struct journal_cursor *to)
{
    if (!j->supported)
        return;
    pv->supported_ms = ctx->now_ms;
    struct verdict *v = &pv->verdict;
    struct judgement held = *j;
    hold_back(&held, pv->hold.since_ms != 0);
    bool news = (j->families & ~pv->families) != 0 || held.ceiling > v->ceiling ||
                ((j->limitations ^ v->limitations) & VERDICT_EXEMPT);
    // The longer it lasts the less news is in it: a sixth of its age, at least update_every.
    int64_t pause_ms = (ctx->now_ms - pv->opened_ms) / 6;
    if (pause_ms > PAUSE_MAX_MS)
        pause_ms = PAUSE_MAX_MS;
    if (pause_ms < e->options.settings->update_ms)
        pause_ms = e->options.settings->update_ms;
    bool due = ctx->now_ms - pv->written_ms >= pause_ms;
    if (!news && !due)
        return;
    describe(e, p, ctx, to, v);
    weigh(e, p, j, v);
    set_hold(pv, j);
    pv->families |= j->families;
    confirm(e, p, v, ctx);
    emit(e, pv, VERDICT_UPDATED);
}

void judge_confirm(struct engine *e, struct party_state *p, const struct minute_row *r)
{
    for (struct party_verdict *pv = p->verdicts; pv; pv = pv->next) {
        struct verdict *v = &pv->verdict;
        if (!hold_row(&pv->hold, r) || pv->sure_ceiling <= v->ceiling)
            continue;
        struct detector_ctx ctx = engine_context(e, p, r->cut_ms);
        v->ceiling = pv->sure_ceiling;
        v->limitations = pv->sure_limitations;
        v->doubts &= ~(uint32_t)IDENTITY_UNCONFIRMED;
        v->made_ms = ctx.now_ms;
        confirm(e, p, v, &ctx);
        emit(e, pv, VERDICT_UPDATED);
    }
}

static const char *explained_by(const struct party_state *p, unsigned class_,
                                const struct judgement *j, int64_t now_ms)
{
    const struct party_verdict *cause = cause_of(p, class_, j, now_ms);
    return cause ? verdict_class_name(cause->verdict.class_) : NULL;
}

// Closes a verdict and takes it out of the list. `cause`: what tells the same events from now on; NULL: nothing does,
// whatever the verdict stood beside.
static void close_verdict(struct engine *e, struct party_state *p, struct party_verdict **at,
                          const struct party_verdict *cause, int64_t now_ms)
{
    struct party_verdict *pv = *at;
    pv->verdict.other_class = cause ? (uint8_t)(cause->verdict.class_ + 1) : 0;
    pv->verdict.made_ms = now_ms;
    emit(e, pv, VERDICT_CLOSED);
    p->past = (struct party_past){
        .opened_ms = pv->opened_ms, .closed_ms = now_ms, .class_ = pv->verdict.class_};
    *at = pv->next;
    free(pv);
}

// The same events are told as their cause from now on: one cause, one open verdict. Not before the cause allows as much
// as it will: a remedy is not taken back for one that waits. True: closed, and `*at` is the next.
static bool told_as_cause(struct engine *e, struct party_state *p, struct party_verdict **at,
                          const struct judgement *j, int64_t now_ms)
{
    const struct party_verdict *pv = *at;
    const struct party_verdict *cause = cause_of(p, pv->verdict.class_, j, now_ms);
    if (!cause || pv->two ||
        (cause->verdict.ceiling < pv->verdict.ceiling &&
         cause->verdict.ceiling < cause->sure_ceiling))
        return false;
    close_verdict(e, p, at, cause, now_ms);
    return true;
}

// Would it open without the contacts that failed? While mail fails for the whole site it has to.
static bool is_deferred(const struct engine *e, unsigned class_, const struct policy_facts *facts,
                        const struct detector_finding *findings, size_t count)
{
    struct detector_finding rest[FINDINGS_MAX];
    struct judgement j;
    size_t n = 0;
    if (!facts->site_failing)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (findings[i].evidence.family != VERDICT_FAMILY_CONTACT && !findings[i].rests_on_silence)
            rest[n++] = findings[i];
    }
    policy_judge(class_, &e->rules[class_], &e->options.settings->priors, facts, rest, n, &j);
    return !j.found;
}

// When it is closed unless something supports it until then. While mail fails for all, silence of the evidence is none
// of the party.
static int64_t closes_ms(const struct engine *e, const struct party_verdict *pv)
{
    int64_t failed_ms = e->ballot.failing_until * MINUTE_MS;
    int64_t since_ms = failed_ms > pv->supported_ms ? failed_ms : pv->supported_ms;
    return since_ms + e->rules[pv->verdict.class_].quiet_ms;
}

size_t judge_look(const struct engine *e, struct party_state *p, int64_t now_ms,
                  struct judge_view out[static VERDICT_CLASSES])
{
    struct detector_finding findings[FINDINGS_MAX];
    struct detector_ctx ctx = engine_context(e, p, now_ms);
    size_t n = evaluate(e, p, &ctx, findings), views = 0;
    struct policy_facts facts = facts_of(e, p, &ctx);
    uint32_t supported = 0;
    for (size_t i = 0; i < n; i++)
        supported |= findings[i].supports;
    for (size_t i = 0; i < VERDICT_CLASSES; i++) {
        unsigned c = cause_order[i];
        const struct party_verdict *pv = *find_verdict(p, c);
        if (!pv && !(supported & DETECTOR_CLASS(c)))
            continue;
        struct judge_view *v = &out[views++];
        *v = (struct judge_view){.class_ = c,
                                 .open = e->rules[c].open,
                                 .verdict = pv ? &pv->verdict : NULL,
                                 .supported_ms = pv ? pv->supported_ms : 0,
                                 .closes_ms = pv ? closes_ms(e, pv) : 0};
        facts.exempt = is_exempt(e, p, c, now_ms);
        policy_judge(c, &e->rules[c], &e->options.settings->priors, &facts, findings, n,
                     &v->judgement);
        v->explained_by = pv ? NULL : explained_by(p, c, &v->judgement, now_ms);
        hold_back(&v->judgement, pv ? pv->hold.since_ms != 0 : p->lease_unseen > 0);
        v->deferred = !pv && v->judgement.found && is_deferred(e, c, &facts, findings, n);
    }
    return views;
}

int judge_party(struct engine *e, struct party_state *p, struct detector_ctx *ctx,
                const struct journal_cursor *to)
{
    struct detector_finding findings[FINDINGS_MAX];
    size_t n = evaluate(e, p, ctx, findings);
    uint32_t supported = 0;
    for (size_t i = 0; i < n; i++)
        supported |= findings[i].supports;
    if (supported == 0)
        return 0;
    struct policy_facts facts = facts_of(e, p, ctx);
    for (size_t i = 0; i < VERDICT_CLASSES; i++) {
        unsigned c = cause_order[i];
        struct judgement j;
        struct party_verdict **at = find_verdict(p, c), *pv = *at;
        if (!pv && !(supported & DETECTOR_CLASS(c)))
            continue;
        facts.exempt = is_exempt(e, p, c, ctx->now_ms);
        policy_judge(c, &e->rules[c], &e->options.settings->priors, &facts, findings, n, &j);
        if (pv && told_as_cause(e, p, at, &j, ctx->now_ms))
            continue;
        if (pv) {
            pv->two |= cause_beside(p, c) && !cause_of(p, c, &j, ctx->now_ms);
            // The lease has changed that it waits for: it waits for the new one, once that would do alone.
            if (hold_is_past(&pv->hold, &p->key) &&
                is_own(e, p, c, ctx->now_ms, &facts, findings, n))
                hold_begin(&pv->hold, &p->key, p->lease_unseen, true, ctx->now_ms);
            go_on(e, p, pv, &j, ctx, to);
            continue;
        }
        if (!j.found || cause_of(p, c, &j, ctx->now_ms))
            continue;
        bool own = p->lease_unseen == 0 || is_own(e, p, c, ctx->now_ms, &facts, findings, n);
        if (is_deferred(e, c, &facts, findings, n))
            e->counters.deferred++;
        else if (open_verdict(e, p, c, &j, own, ctx, to) != 0)
            return -ENOMEM;
    }
    return 0;
}

void judge_exempt(struct engine *e, struct party_state *p, int64_t now_ms)
{
    for (struct party_verdict *pv = p->verdicts; pv; pv = pv->next) {
        struct verdict *v = &pv->verdict;
        if ((v->limitations & VERDICT_EXEMPT) || !is_exempt(e, p, v->class_, now_ms))
            continue;
        v->limitations |= VERDICT_EXEMPT;
        pv->sure_limitations |= VERDICT_EXEMPT;
        v->ceiling = pv->sure_ceiling = VERDICT_OBSERVE;
        v->made_ms = now_ms;
        snprintf(v->conf_hash, sizeof v->conf_hash, "%s", e->options.conf_hash);
        emit(e, pv, VERDICT_UPDATED);
    }
}

void judge_end(struct engine *e, struct party_state *p, int64_t now_ms)
{
    while (p->verdicts)
        close_verdict(e, p, &p->verdicts, NULL, now_ms);
}

int64_t judge_close_quiet(struct engine *e, struct party_state *p, int64_t now_ms)
{
    struct party_verdict **at = &p->verdicts;
    int64_t next_ms = INT64_MAX;
    while (*at) {
        struct party_verdict *pv = *at;
        int64_t end_ms = closes_ms(e, pv);
        if (now_ms < end_ms) {
            if (end_ms < next_ms)
                next_ms = end_ms;
            at = &pv->next;
            continue;
        }
        close_verdict(e, p, at, NULL, now_ms);
    }
    return next_ms;
}
