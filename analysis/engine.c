// Rows to verdicts. See engine.h.
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "hash.h"
#include "party.h"

#define FINDINGS_MAX (DETECTORS_MAX * 2)
#define DAY_S        86400
#define EXPIRE_MS    3600000
#define PAUSE_MAX_MS 21600000 // desired actions end after a day unless they are renewed
#define LOOK_MS      60000    // how often quiet verdicts are looked for
#define MINUTE_MS    60000LL
#define DAY_MS       86400000LL
#define DOUBTS_HELD                                                                           \
    (IDENTITY_NEAR_CHANGE | IDENTITY_CLOCKS_DIFFER | IDENTITY_BNG_REBOOT | IDENTITY_NO_PORT | \
     IDENTITY_OVERLAP)

struct engine {
    struct engine_options options;
    engine_verdict_fn fn;
    void *ctx;
    struct site site;
    struct party_table *parties;
    struct prefix_set *servers; // site.mail_servers
    struct policy_class rules[VERDICT_CLASSES];
    bool on[DETECTORS_MAX];
    size_t state_offset[DETECTORS_MAX];
    int64_t expired_ms, looked_ms;
    struct window_contacts contacts; // of the row at hand
    uint64_t rows, amendments, opened, updated, closed, exempted, expired, unobserved, retracted;
};

static struct prefix_set *servers_of(const struct conf_site *site)
{
    struct prefix_set *set = prefix_set_new();
    if (!set)
        return NULL;
    for (size_t i = 0; i < site->mail_servers.count; i++) {
        if (prefix_set_add(set, &site->mail_servers.item[i], 1) != 0) {
            prefix_set_free(set);
            return NULL;
        }
    }
    prefix_set_freeze(set);
    return set;
}

struct engine *engine_new(const struct engine_options *options, engine_verdict_fn fn, void *ctx)
{
    const struct settings *s = options->settings;
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->options = *options;
    e->fn = fn;
    e->ctx = ctx;
    site_init(&e->site, &s->site_failure);
    for (unsigned c = 0; c < VERDICT_CLASSES; c++)
        e->rules[c] = settings_class_rule(s, c);
    for (size_t i = 0; detectors[i]; i++) {
        e->on[i] = settings_detector_on(s, i);
        e->state_offset[i] = detector_state_offset(i);
    }
    e->parties = party_table_new((size_t)s->parties_max, detector_state_size());
    e->servers = servers_of(options->site);
    if (!e->parties || !e->servers) {
        engine_free(e);
        return NULL;
    }
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    party_table_free(e->parties);
    prefix_set_free(e->servers);
    free(e);
}

void engine_coverage(struct engine *e, const struct coverage_minute *c)
{
    site_coverage(&e->site, c);
}

static bool is_named_server(const struct engine *e, const struct subscriber_key *k)
{
    return k->kind == SUBSCRIBER_ADDRESS && prefix_set_find(e->servers, &k->prefix.addr, NULL);
}

static bool works(const struct engine *e, size_t detector)
{
    uint32_t sight = site_sight(&e->site, e->options.site->port25);
    return e->on[detector] && (detectors[detector]->needs & ~sight) == 0;
}

static struct detector_ctx context(const struct engine *e, const struct party_state *p,
                                   int64_t now_ms)
{
    return (struct detector_ctx){
        .now_ms = now_ms,
        .role = role_of(&p->window.role, now_ms),
        .factor = settings_limit_factor(e->options.settings, p->network_class),
        .site_failing = site_failing(&e->site, now_ms),
        .site_failing_since_ms = e->site.failing_since * MINUTE_MS,
        .port25_blocked = e->options.site->port25 != SITE_PORT25_OPEN,
    };
}

static void observe(struct engine *e, struct party_state *p, const struct minute_row *r,
                    struct detector_ctx *ctx)
{
    for (size_t i = 0; detectors[i]; i++) {
        if (!detectors[i]->observe || !works(e, i))
            continue;
        ctx->conf = settings_detector(e->options.settings, i);
        detectors[i]->observe(party_detector_state(p, e->state_offset[i]), &p->window, r,
                              &e->contacts, ctx);
    }
}

static size_t evaluate(const struct engine *e, struct party_state *p, struct detector_ctx *ctx,
                       struct detector_finding out[static FINDINGS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; detectors[i] && n + DETECTOR_FINDINGS_MAX <= FINDINGS_MAX; i++) {
        if (!works(e, i))
            continue;
        ctx->conf = settings_detector(e->options.settings, i);
        n += detectors[i]->evaluate(&p->window, party_detector_state(p, e->state_offset[i]), ctx,
                                    out + n);
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
        .short_history =
            ctx->now_ms -
                w->first_ms<s->history_ms, .digests_cut = window_digests_cut(w, ctx->now_ms, 3600),
                            .tls = tls> 0 &&
            tls * 2 > window_sum(w, FEATURE_MX_ESTABLISHED, ctx->now_ms, DAY_S),
        .site_failing = ctx->site_failing,
        .loss_ppm = window_loss_ppm(w, ctx->now_ms),
    };
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
                     const struct detector_ctx *ctx, const char *to, struct verdict *v)
{
    v->party = p->party;
    v->key = p->key;
    memcpy(v->pop, p->pop, sizeof v->pop);
    memcpy(v->network_class, p->network_class, sizeof v->network_class);
    v->confidence = p->confidence;
    v->doubts = p->doubts;
    v->made_ms = ctx->now_ms;
    v->loss_ppm = window_loss_ppm(&p->window, ctx->now_ms);
    uint32_t flags = p->window.flags;
    v->sources = (flags & MINUTE_FROM_LOG ? (uint32_t)VERDICT_FROM_LOG : 0) |
                 (flags & MINUTE_FROM_EXPORT ? (uint32_t)VERDICT_FROM_EXPORT : 0);
    if ((flags & MINUTE_FROM_PACKETS) || v->sources == 0)
        v->sources |= VERDICT_FROM_PACKETS;
    snprintf(v->role, sizeof v->role, "%s", role_name(ctx->role));
    snprintf(v->rules_version, sizeof v->rules_version, "%s", ENGINE_RULES_VERSION);
    snprintf(v->conf_hash, sizeof v->conf_hash, "%s", e->options.conf_hash);
    snprintf(v->inputs, sizeof v->inputs, "%.31s-%.31s", p->from, to);
}

static void weigh(const struct engine *e, const struct judgement *j, struct verdict *v)
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
        if (!j->evidence[i].counted)
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
    v->observed_s = site_watched(&e->site, v->first_ms, v->made_ms);
}

// Of party, class and first time, so that a replay gives the same one.
static void name(struct verdict *v)
{
    char party[PARTY_TEXT_MAX];
    party_format(&v->party, party);
    uint64_t who = hash_octets(party, strlen(party), v->class_);
    snprintf(v->id, sizeof v->id, "v%016" PRIx64 "-%011" PRIx64, who,
             (uint64_t)v->first_ms & 0xfffffffffffu);
}

static void emit(struct engine *e, struct party_verdict *pv, enum verdict_event event)
{
    pv->verdict.event = (uint8_t)event;
    pv->written_ms = pv->verdict.made_ms;
    if (event == VERDICT_OPENED)
        e->opened++;
    else if (event == VERDICT_UPDATED)
        e->updated++;
    else
        e->closed++;
    e->fn(&pv->verdict, e->ctx);
}

static int open_verdict(struct engine *e, struct party_state *p, unsigned class_,
                        const struct judgement *j, const struct detector_ctx *ctx, const char *to)
{
    struct party_verdict *pv = calloc(1, sizeof *pv);
    if (!pv)
        return -ENOMEM;
    pv->next = p->verdicts;
    p->verdicts = pv;
    pv->verdict.class_ = (uint8_t)class_;
    describe(e, p, ctx, to, &pv->verdict);
    weigh(e, j, &pv->verdict);
    name(&pv->verdict);
    pv->supported_ms = pv->opened_ms = ctx->now_ms;
    pv->families = j->families;
    if (j->limitations & VERDICT_EXEMPT)
        e->exempted++;
    emit(e, pv, VERDICT_OPENED);
    return 0;
}

static void go_on(struct engine *e, struct party_state *p, struct party_verdict *pv,
                  const struct judgement *j, const struct detector_ctx *ctx, const char *to)
{
    if (!j->supported)
        return;
    pv->supported_ms = ctx->now_ms;
    struct verdict *v = &pv->verdict;
    bool news = (j->families & ~pv->families) != 0 || j->ceiling > v->ceiling;
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
    weigh(e, j, v);
    pv->families |= j->families;
    emit(e, pv, VERDICT_UPDATED);
}

// Causes before effects: who relays for others sends straight to mail providers because of it, and one
// ticket that names the cause is worth more than two.
static const uint8_t order[VERDICT_CLASSES] = {
    VERDICT_SOCKS_RELAY,       VERDICT_OPEN_RELAY,          VERDICT_BACKSCATTER,
    VERDICT_HARVESTER,         VERDICT_AUTH_GUESSING,       VERDICT_PROXY_ABUSE,
    VERDICT_SPAMBOT_SMARTHOST, VERDICT_COMPROMISED_ACCOUNT, VERDICT_SPAMBOT_DIRECT,
    VERDICT_POLICY_LIMIT,
};

static bool is_explained(struct party_state *p, unsigned class_)
{
    if (class_ == VERDICT_SPAMBOT_DIRECT)
        return *find_verdict(p, VERDICT_SOCKS_RELAY) || *find_verdict(p, VERDICT_OPEN_RELAY);
    if (class_ == VERDICT_COMPROMISED_ACCOUNT)
        return *find_verdict(p, VERDICT_SPAMBOT_SMARTHOST) != NULL;
    return false;
}

static int decide(struct engine *e, struct party_state *p, struct detector_ctx *ctx, const char *to)
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
        unsigned c = order[i];
        if (!(supported & DETECTOR_CLASS(c)))
            continue;
        struct judgement j;
        struct party_verdict *pv = *find_verdict(p, c);
        facts.exempt = exempt_find(&e->options.settings->exemptions, c, &p->party, &p->key,
                                   ctx->now_ms) != NULL;
        policy_judge(c, &e->rules[c], &e->options.settings->priors, &facts, findings, n, &j);
        if (pv)
            go_on(e, p, pv, &j, ctx, to);
        else if (j.found && !is_explained(p, c) && open_verdict(e, p, c, &j, ctx, to) != 0)
            return -ENOMEM;
    }
    return 0;
}

static void update_party(struct party_state *p, const struct minute_row *r, const char *from)
{
    p->key = r->key;
    memcpy(p->pop, r->pop, sizeof p->pop);
    memcpy(p->network_class, r->network_class, sizeof p->network_class);
    p->confidence = r->confidence;
    p->doubts = r->doubts;
    // What a verdict rests on reaches back a day: the cursor moves on once a day.
    if (p->from[0] == '\0' || r->cut_ms - p->from_ms > DAY_MS) {
        snprintf(p->from, sizeof p->from, "%s", from);
        p->from_ms = r->cut_ms;
    }
}

int engine_row(struct engine *e, const struct minute_row *r, const char *from, const char *to)
{
    e->rows++;
    if (r->flags & MINUTE_AMENDMENT)
        e->amendments++;
    if (r->flags & MINUTE_UNOBSERVED)
        e->unobserved++;
    struct party_state *p = party_get(e->parties, &r->party);
    if (!p)
        return -ENOMEM;
    // A line keeps its past when it dials in again; a bare address does not.
    if ((r->flags & MINUTE_LEASE_START) && p->party.kind == PARTY_PROVISIONAL)
        party_forget(e->parties, p);
    update_party(p, r, from);
    struct window_options options = {
        .memory_ms = e->options.settings->memory_ms,
        .source_validated = e->options.site->source_validated,
        .named_server = is_named_server(e, &r->key),
    };
    window_add(&p->window, r, &options, &e->contacts);
    struct detector_ctx ctx = context(e, p, r->cut_ms);
    observe(e, p, r, &ctx);
    return decide(e, p, &ctx, to);
}

// Rests on contacts that began to fail when the whole site's did?
static bool rests_on_failure(const struct verdict *v, int64_t since_ms)
{
    for (uint32_t i = 0; i < v->evidence_count; i++) {
        const struct verdict_evidence *e = &v->evidence[i];
        if (e->counted && e->family == VERDICT_FAMILY_CONTACT && e->first_ms >= since_ms)
            return true;
    }
    return false;
}

// Verdicts made in the minute in which the site broke, before that could be known, are taken back.
static void retract(struct engine *e, struct party_state *p, int64_t since_ms, int64_t now_ms)
{
    struct party_verdict **at = &p->verdicts;
    while (*at) {
        struct party_verdict *pv = *at;
        if (!rests_on_failure(&pv->verdict, since_ms)) {
            at = &pv->next;
            continue;
        }
        if (now_ms > pv->verdict.made_ms)
            pv->verdict.made_ms = now_ms;
        pv->verdict.limitations |= VERDICT_SITE_FAILURE;
        emit(e, pv, VERDICT_CLOSED);
        e->retracted++;
        *at = pv->next;
        free(pv);
    }
}

void engine_site(struct engine *e, const struct minute_site *m)
{
    int64_t since = e->site.failing_since;
    site_minute(&e->site, m);
    if (e->site.failing_since == since)
        return;
    struct party_state *p = NULL;
    while ((p = party_older(e->parties, p))) {
        if (p->verdicts)
            retract(e, p, e->site.failing_since * MINUTE_MS, (m->minute + 1) * MINUTE_MS);
    }
}

static void close_quiet(struct engine *e, struct party_state *p, int64_t now_ms)
{
    struct party_verdict **at = &p->verdicts;
    while (*at) {
        struct party_verdict *pv = *at;
        if (now_ms - pv->supported_ms < e->rules[pv->verdict.class_].quiet_ms) {
            at = &pv->next;
            continue;
        }
        pv->verdict.made_ms = now_ms;
        emit(e, pv, VERDICT_CLOSED);
        *at = pv->next;
        free(pv);
    }
}

void engine_mark(struct engine *e, int64_t mark_ms)
{
    if (e->opened > e->closed && mark_ms - e->looked_ms >= LOOK_MS) {
        struct party_state *p = NULL;
        while ((p = party_older(e->parties, p))) {
            if (p->verdicts)
                close_quiet(e, p, mark_ms);
        }
        e->looked_ms = mark_ms;
    }
    if (mark_ms - e->expired_ms >= EXPIRE_MS) {
        e->expired += party_expire(e->parties, mark_ms - e->options.settings->memory_ms);
        e->expired_ms = mark_ms;
    }
}

void engine_status(const struct engine *e, struct control_status *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"rows", e->rows},
        {"rows_amended", e->amendments},
        {"rows_unobserved", e->unobserved},
        {"parties", party_count(e->parties)},
        {"parties_evicted", party_evicted(e->parties)},
        {"parties_expired", e->expired},
        {"party_octets", party_octets(e->parties)},
        {"verdicts_opened", e->opened},
        {"verdicts_updated", e->updated},
        {"verdicts_closed", e->closed},
        {"verdicts_exempt", e->exempted},
        {"verdicts_retracted", e->retracted},
        {"site_failing_minutes", e->site.failing_minutes},
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        control_status_counter(out, counters[i].name, counters[i].value);
    uint32_t sight = site_sight(&e->site, e->options.site->port25);
    for (size_t i = 0; detectors[i]; i++) {
        char why[200];
        if (works(e, i))
            continue;
        snprintf(why, sizeof why, "off: not visible: %s",
                 site_why(e->on[i] ? detectors[i]->needs & ~sight : 0));
        control_status_not_visible(out, detectors[i]->name, e->on[i] ? why : site_why(0));
    }
    if (party_evicted(e->parties) > 0)
        control_status_problem(out, 1, "parties-evicted",
                               "the table of parties was full and forgot some",
                               "raise analysis.parties_max");
}
