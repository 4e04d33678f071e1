// Rows to verdicts. See engine.h.
#include "engine_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "calendar.h"
#include "common/addr.h"
#include "overrides.h"

#define EXPIRE_MS 3600000
#define LOOK_MS   60000 // how often quiet verdicts are looked for
#define MINUTE_MS 60000LL
#define DAY_MS    86400000LL
// An address behind which nobody can tell the lines apart is that many of them.
#define SHARED_FACTOR 16

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

static int configure(struct engine *e, const struct engine_options *options)
{
    const struct settings *s = options->settings;
    struct prefix_set *servers = servers_of(options->site);
    if (!servers)
        return -ENOMEM;
    prefix_set_free(e->servers);
    e->servers = servers;
    calendar_init(e->calendar, options->site->timezone);
    e->options = *options;
    snprintf(e->conf_hash, sizeof e->conf_hash, "%s", options->conf_hash);
    e->options.conf_hash = e->conf_hash;
    e->ballot.rule = s->site_failure;
    e->close_ms = 0; // rules of closing may have changed
    e->exempts = true;
    for (unsigned c = 0; c < VERDICT_CLASSES; c++)
        e->rules[c] = settings_class_rule(s, c);
    for (size_t i = 0; detectors[i]; i++) {
        e->on[i] = settings_detector_on(s, i);
        e->state_offset[i] = detector_state_offset(i);
        e->conf[i] = settings_detector(s, i);
    }
    return 0;
}

struct engine *engine_new(const struct engine_options *options, engine_verdict_fn fn, void *ctx)
{
    const struct settings *s = options->settings;
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->fn = fn;
    e->ctx = ctx;
    e->parties = party_table_new((size_t)s->parties_max, detector_state_size());
    e->calendar = calloc(1, sizeof *e->calendar);
    e->prints = calloc(1, sizeof *e->prints);
    if (!e->parties || !e->calendar || !e->prints || configure(e, options) != 0) {
        engine_free(e);
        return NULL;
    }
    return e;
}

int engine_reconfigure(struct engine *e, const struct engine_options *options)
{
    return configure(e, options);
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    party_table_free(e->parties);
    prefix_set_free(e->servers);
    free(e->calendar);
    free(e->prints);
    free(e);
}

void engine_coverage(struct engine *e, const struct coverage_minute *c)
{
    site_coverage(&e->site, c);
}

// By any of its addresses: a server named by its IPv4 address speaks IPv6, too.
static bool is_named_server(const struct engine *e, const struct party_state *p)
{
    const struct subscriber_key *k;
    for (size_t i = 0; (k = party_key(p, i)) != NULL; i++) {
        if (k->kind == SUBSCRIBER_ADDRESS && prefix_set_find(e->servers, &k->prefix.addr, NULL))
            return true;
    }
    return false;
}

bool engine_works(const struct engine *e, size_t detector)
{
    uint32_t sight = site_sight(&e->site, e->options.site->port25);
    return e->on[detector] && (detectors[detector]->needs & ~sight) == 0;
}

bool engine_has_state(const struct party_state *p, size_t detector)
{
    unsigned whose = detectors[detector]->whose;
    return whose == DETECTOR_OF_ALL ||
           (whose == DETECTOR_OF_MAILBOXES) == (p->party.kind == PARTY_MAILBOX);
}

const void *engine_state(const struct engine *e, struct party_state *p, size_t detector)
{
    static const uint64_t none[DETECTOR_STATES_MAX / sizeof(uint64_t)];
    return engine_has_state(p, detector) ? party_detector_state(p, e->state_offset[detector])
                                         : none;
}

struct detector_ctx engine_context(const struct engine *e, const struct party_state *p,
                                   int64_t now_ms)
{
    const struct overrides *said = e->options.overrides;
    enum role role = role_of(&p->window.role, now_ms);
    return (struct detector_ctx){
        .now_ms = now_ms,
        .role = said ? overrides_role_of(said, &p->party, role, now_ms) : role,
        .factor = settings_limit_factor(e->options.settings,
                                        names_text(party_names(e->parties), p->network_class)) *
                  (p->doubts & IDENTITY_NO_PORT ? SHARED_FACTOR : 1),
        .site_failing = ballot_failing(&e->ballot, now_ms),
        .site_failing_since_ms = e->ballot.failing_since * MINUTE_MS,
        .port25_blocked = e->options.site->port25 != SITE_PORT25_OPEN,
        .flagged = p->verdicts != NULL,
        .site = &e->site,
        .calendar = e->calendar,
        .day_ms = calendar_day_ms(e->calendar, now_ms),
        .prints = e->prints,
    };
}

static void observe(struct engine *e, struct party_state *p, const struct minute_row *r,
                    struct detector_ctx *ctx)
{
    for (size_t i = 0; detectors[i]; i++) {
        if (!detectors[i]->observe || !engine_works(e, i) || !engine_has_state(p, i))
            continue;
        ctx->conf = e->conf[i];
        detectors[i]->observe(party_detector_state(p, e->state_offset[i]), &p->window, r,
                              &e->contacts, ctx);
    }
}

// Hardly ever another than before: the text is compared before it is looked up.
static void update_name(struct names *names, uint16_t *number, const char *name)
{
    if (strcmp(names_text(names, *number), name) != 0)
        *number = names_number(names, name);
}

static void update_party(struct engine *e, struct party_state *p, const struct minute_row *r,
                         const struct journal_cursor *from)
{
    party_note_key(p, &r->key, r->minute);
    update_name(party_names(e->parties), &p->pop, r->pop);
    update_name(party_names(e->parties), &p->network_class, r->network_class);
    p->confidence = r->confidence;
    p->doubts = r->doubts;
    p->lease_unseen = r->lease_unseen;
    hold_note(&p->leases, r);
    // What a verdict rests on reaches back a day: the cursor moves on once a day.
    if (p->from_ms == 0 || r->cut_ms - p->from_ms > DAY_MS) {
        p->from = *from;
        p->from_ms = r->cut_ms;
    }
}

// Who is under suspicion has no vote, nor who is told of late or by a log.
static void vote(struct engine *e, struct party_state *p, const struct minute_row *r)
{
    if (r->key.kind != SUBSCRIBER_ADDRESS || (r->flags & (MINUTE_AMENDMENT | MINUTE_FROM_LOG)))
        return;
    bool household = role_of(&p->window.role, r->cut_ms) == ROLE_HOUSEHOLD;
    bool may_vote = !p->verdicts && ballot_trusts(&p->window, r->cut_ms, household);
    ballot_take(&e->ballot, &p->ballot, r, &e->contacts, may_vote);
}

int engine_row(struct engine *e, const struct minute_row *r, const struct journal_cursor *from,
               const struct journal_cursor *to)
{
    e->counters.rows++;
    if (r->flags & MINUTE_AMENDMENT)
        e->counters.amendments++;
    if (r->flags & MINUTE_UNOBSERVED)
        e->counters.unobserved++;
    struct party_state *p = party_find(e->parties, &r->party);
    if (!p && !window_concerns(r)) {
        e->counters.passed_over++;
        return 0;
    }
    if (!p && !(p = party_get(e->parties, &r->party)))
        return -ENOMEM;
    // A line keeps its past when it dials in again; a bare address does not.
    if ((r->flags & MINUTE_LEASE_START) && p->party.kind == PARTY_PROVISIONAL) {
        judge_end(e, p, r->cut_ms);
        party_forget(e->parties, p);
    }
    update_party(e, p, r, from);
    struct window_options options = {
        .memory_ms = e->options.settings->memory_ms,
        .source_validated = e->options.site->source_validated,
        .named_server = is_named_server(e, p),
        .site_failing = ballot_failing(&e->ballot, r->cut_ms),
    };
    window_add(&p->window, r, &options, &e->contacts);
    judge_confirm(e, p, r);
    if (!window_moves(r))
        return 0;
    vote(e, p, r);
    struct detector_ctx ctx = engine_context(e, p, r->cut_ms);
    observe(e, p, r, &ctx);
    return window_tells(r) ? judge_party(e, p, &ctx, to) : 0;
}

void engine_site(struct engine *e, const struct minute_site *m)
{
    if (m->pop[0] == '\0')
        ballot_minute(&e->ballot, m->minute);
}

// An exemption that begins while a verdict is open holds at once, not when the verdict has news.
static void look_at_exemptions(struct engine *e, int64_t from_ms, int64_t to_ms)
{
    const struct overrides *said = e->options.overrides;
    if (!e->exempts && !(said && overrides_began(said, from_ms, to_ms)))
        return;
    e->exempts = false;
    for (struct party_state *p = NULL; (p = party_older(e->parties, p));) {
        if (p->verdicts)
            judge_exempt(e, p, to_ms);
    }
}

void engine_mark(struct engine *e, int64_t mark_ms)
{
    if (e->counters.opened > e->counters.closed)
        look_at_exemptions(e, e->mark_ms, mark_ms);
    e->mark_ms = mark_ms;
    if (e->counters.opened > e->counters.closed && mark_ms >= e->close_ms &&
        mark_ms - e->looked_ms >= LOOK_MS) {
        struct party_state *p = NULL;
        e->close_ms = INT64_MAX;
        while ((p = party_older(e->parties, p))) {
            int64_t next_ms = p->verdicts ? judge_close_quiet(e, p, mark_ms) : INT64_MAX;
            if (next_ms < e->close_ms)
                e->close_ms = next_ms;
        }
        e->looked_ms = mark_ms;
    }
    if (mark_ms - e->expired_ms >= EXPIRE_MS) {
        e->counters.expired += party_expire(e->parties, mark_ms - e->options.settings->memory_ms);
        e->expired_ms = mark_ms;
    }
}

bool engine_why_off(const struct engine *e, size_t detector, char out[static 200])
{
    uint32_t sight = site_sight(&e->site, e->options.site->port25);
    if (engine_works(e, detector))
        return false;
    if (e->on[detector])
        snprintf(out, 200, "off: not visible: %s", site_why(detectors[detector]->needs & ~sight));
    else
        snprintf(out, 200, "%s", site_why(0));
    return true;
}

void engine_status(const struct engine *e, struct control_status *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"rows", e->counters.rows},
        {"rows_amended", e->counters.amendments},
        {"rows_passed_over", e->counters.passed_over},
        {"rows_unobserved", e->counters.unobserved},
        {"parties", party_count(e->parties)},
        {"parties_evicted", party_evicted(e->parties)},
        {"parties_expired", e->counters.expired},
        {"party_octets", party_octets(e->parties)},
        {"verdicts_opened", e->counters.opened},
        {"verdicts_updated", e->counters.updated},
        {"verdicts_closed", e->counters.closed},
        {"verdicts_exempt", e->counters.exempted},
        {"verdicts_deferred", e->counters.deferred},
        {"site_failing_minutes", e->ballot.failing_minutes},
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        control_status_counter(out, counters[i].name, counters[i].value);
    for (size_t i = 0; detectors[i]; i++) {
        char why[200];
        if (engine_why_off(e, i, why))
            control_status_not_visible(out, detectors[i]->name, why);
    }
    if (ballot_failing(&e->ballot, e->mark_ms))
        control_status_problem(out, 1, "site-failing",
                               "parties no longer reach who answered them before: failed contacts "
                               "are not counted, and verdicts that rest on them are put off",
                               "look at the border; a block of port 25 belongs into site.port25");
    if (party_evicted(e->parties) > 0)
        control_status_problem(out, 1, "parties-evicted",
                               "the table of parties was full and forgot some",
                               "raise analysis.parties_max");
}
