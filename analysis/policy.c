// Evidence to judgement. See policy.h.
#include "policy.h"

#include <math.h>
#include <string.h>

#define LOSS_SAID_PPM 1000 // one packet in a thousand is worth saying
// Up to this what is counted is too low by as much, and no finding that rests on it is wrong. Beyond, each
// per cent takes five off what evidence weighs, and nothing goes further than a ticket.
#define LOSS_FREE_PPM 20000
#define LOSS_WEIGHT   5.0
#define LOSS_CUT_MAX  0.5
#define ONE_SIDED_CUT 0.2

double policy_log_odds(double probability)
{
    return log(probability / (1 - probability));
}

double policy_score(double log_odds)
{
    return 1 / (1 + exp(-log_odds));
}

static double confidence(const struct policy_facts *facts)
{
    uint32_t much = facts->loss_ppm > LOSS_FREE_PPM ? facts->loss_ppm - LOSS_FREE_PPM : 0;
    double cut = LOSS_WEIGHT * much / 1e6;
    // What is missing of the other direction looks lost, and is said already.
    if (facts->one_direction)
        cut = ONE_SIDED_CUT;
    return 1 - (cut < LOSS_CUT_MAX ? cut : LOSS_CUT_MAX);
}

// What a set of findings comes to.
struct sum {
    double log_odds;
    uint32_t families;     // counted
    unsigned family_count; // of these, witnesses
    unsigned heard;        // families that say something, though of the same events
    bool conclusive, defines;
    bool answered;   // some of it rests on what came back
    uint8_t ceiling; // highest that one of them allows
    uint32_t limitations;
};

// One finding of each family at most, and none that rests on what another rests on: the choice that weighs most.
struct choice {
    const struct detector_finding *findings;
    size_t family_of[VERDICT_FAMILIES][DETECTOR_FINDINGS_MAX * 2]; // indexes, the strongest first
    size_t family_n[VERDICT_FAMILIES];
    uint64_t now, best;
    double now_weight, best_weight;
};

static void choose(struct choice *c, unsigned family, uint32_t raw)
{
    while (family < VERDICT_FAMILIES && c->family_n[family] == 0)
        family++;
    if (family == VERDICT_FAMILIES) {
        if (c->now_weight > c->best_weight) {
            c->best_weight = c->now_weight;
            c->best = c->now;
        }
        return;
    }
    for (size_t i = 0; i < c->family_n[family]; i++) {
        const struct detector_finding *f = &c->findings[c->family_of[family][i]];
        if (f->raw & raw)
            continue;
        c->now |= (uint64_t)1 << c->family_of[family][i];
        c->now_weight += f->evidence.log_odds;
        choose(c, family + 1, raw | f->raw);
        c->now &= ~((uint64_t)1 << c->family_of[family][i]);
        c->now_weight -= f->evidence.log_odds;
    }
    // To leave a family out may help another that rests on the same.
    choose(c, family + 1, raw);
}

// Do findings of two families share what they rest on? Seldom.
static bool clashes(const struct choice *c)
{
    uint32_t before = 0;
    for (unsigned family = 0; family < VERDICT_FAMILIES; family++) {
        uint32_t raw = 0;
        for (size_t i = 0; i < c->family_n[family]; i++)
            raw |= c->findings[c->family_of[family][i]].raw;
        if (raw & before)
            return true;
        before |= raw;
    }
    return false;
}

static void choose_strongest(struct choice *c)
{
    for (unsigned family = 0; family < VERDICT_FAMILIES; family++) {
        if (c->family_n[family] > 0)
            c->best |= (uint64_t)1 << c->family_of[family][0];
    }
}

static bool is_of(const struct detector_finding *f, unsigned class_, uint8_t ceiling_min)
{
    return (f->supports & DETECTOR_CLASS(class_)) && f->ceiling >= ceiling_min;
}

// The strongest of each family, in front the first found; those below zero stand for themselves.
static void sort_in(struct choice *c, size_t i)
{
    unsigned family = c->findings[i].evidence.family;
    size_t *list = c->family_of[family], at = c->family_n[family];
    if (at == DETECTOR_FINDINGS_MAX * 2)
        return;
    c->family_n[family]++;
    while (at > 0 &&
           c->findings[list[at - 1]].evidence.log_odds < c->findings[i].evidence.log_odds) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = i;
}

static void take(struct sum *s, const struct detector_finding *f, unsigned class_)
{
    s->log_odds += f->evidence.log_odds;
    if (f->evidence.log_odds > 0) {
        s->families |= 1u << f->evidence.family;
        // Its own past raises or lowers; two witnesses it does not make.
        s->family_count += f->evidence.family != VERDICT_FAMILY_BASELINE;
    }
    s->defines |= (f->defines & DETECTOR_CLASS(class_)) != 0;
    s->answered |= !f->rests_on_silence;
    s->limitations |= f->limitations;
    if (f->ceiling > s->ceiling)
        s->ceiling = f->ceiling;
}

// Adds up the findings that allow at least `ceiling_min`. `counted` (may be NULL) gets a bit for each that was taken.
static struct sum add_up(unsigned class_, const struct detector_finding *findings, size_t count,
                         uint8_t ceiling_min, uint64_t *counted)
{
    struct sum s = {.ceiling = VERDICT_OBSERVE};
    struct choice c = {.findings = findings};
    bool conclusive = false; // whatever its ceiling
    for (size_t i = 0; i < count; i++) {
        const struct detector_finding *f = &findings[i];
        conclusive |= f->evidence.conclusive && is_of(f, class_, VERDICT_OBSERVE);
        if (!is_of(f, class_, ceiling_min) || f->evidence.log_odds <= 0)
            continue;
        s.conclusive |= f->evidence.conclusive;
        sort_in(&c, i);
    }
    for (unsigned family = 0; family < VERDICT_FAMILIES; family++)
        s.heard += c.family_n[family] > 0 && family != VERDICT_FAMILY_BASELINE;
    if (clashes(&c))
        choose(&c, 0, 0);
    else
        choose_strongest(&c);
    // What is usual for a party is no excuse for what is conclusive.
    for (size_t i = 0; i < count && !conclusive; i++) {
        const struct detector_finding *f = &findings[i];
        if (is_of(f, class_, ceiling_min) && f->evidence.log_odds < 0 &&
            c.family_n[f->evidence.family] == 0)
            c.best |= (uint64_t)1 << i;
    }
    for (size_t i = 0; i < count; i++) {
        if (c.best & (uint64_t)1 << i)
            take(&s, &findings[i], class_);
    }
    if (counted)
        *counted = c.best;
    return s;
}

// Two witnesses, or one that is beyond doubt. For a ticket, which a person looks at, a second family that looks at the
// same events confirms the first, though it weighs nothing more; for a remedy it does not.
static bool convicts(const struct sum *s, double prior, double threshold, uint8_t ceiling)
{
    unsigned witnesses = ceiling <= VERDICT_TICKET ? s->heard : s->family_count;
    return s->defines && (witnesses >= 2 || s->conclusive) &&
           policy_score(prior + s->log_odds) >= threshold;
}

static bool supports(const struct sum *s, double prior, double threshold)
{
    return s->families != 0 && policy_score(prior + s->log_odds) >= threshold;
}

static uint8_t lower(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

static void limit(struct judgement *j, const struct policy_facts *facts, bool answered)
{
    const struct {
        bool holds;
        uint32_t bit;
        uint8_t ceiling;
    } limits[] = {
        {facts->loss_ppm > LOSS_SAID_PPM, VERDICT_LOSS, VERDICT_QUARANTINE},
        {facts->loss_ppm > LOSS_FREE_PPM, VERDICT_LOSS, VERDICT_TICKET},
        {facts->one_direction, VERDICT_ONE_SIDED, VERDICT_TICKET},
        {facts->tls, VERDICT_TLS, VERDICT_QUARANTINE},
        {facts->flow_only, VERDICT_FLOW_ONLY, VERDICT_QUARANTINE},
        {facts->provisional, VERDICT_PROVISIONAL, facts->provisional_ceiling},
        {facts->identity_held, VERDICT_IDENTITY_HELD, VERDICT_TICKET},
        {!answered && !facts->source_validated, VERDICT_UNVALIDATED, VERDICT_TICKET},
        {facts->exempt, VERDICT_EXEMPT, VERDICT_OBSERVE},
        {facts->site_failing, VERDICT_SITE_FAILURE, VERDICT_TICKET},
        {facts->digests_cut, VERDICT_DIGESTS_CUT, VERDICT_QUARANTINE},
        {facts->sampled, VERDICT_SAMPLED, VERDICT_TICKET},
        {facts->short_history, VERDICT_SHORT_HISTORY, VERDICT_QUARANTINE},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (!limits[i].holds)
            continue;
        j->limitations |= limits[i].bit;
        j->ceiling = lower(j->ceiling, limits[i].ceiling);
    }
}

// The same observation once more: a detector weighs it differently for a ticket and for more.
static bool is_repeated(const struct detector_finding *findings, size_t count, uint64_t counted,
                        size_t i)
{
    const struct verdict_evidence *e = &findings[i].evidence;
    for (size_t k = 0; k < count; k++) {
        const struct verdict_evidence *other = &findings[k].evidence;
        bool first = (counted & (uint64_t)1 << k) || (k < i && !(counted & (uint64_t)1 << i));
        if (k != i && first && !(counted & (uint64_t)1 << i) &&
            strcmp(other->sentence, e->sentence) == 0 && strcmp(other->detector, e->detector) == 0)
            return true;
    }
    return false;
}

// Counted evidence first, the strongest in front: the order in which people read it.
static void list(struct judgement *j, const struct detector_finding *findings, size_t count,
                 unsigned class_, uint64_t counted)
{
    for (size_t i = 0; i < count && j->count < VERDICT_EVIDENCE_MAX; i++) {
        if (!(findings[i].supports & DETECTOR_CLASS(class_)) ||
            is_repeated(findings, count, counted, i))
            continue;
        struct verdict_evidence e = findings[i].evidence;
        e.counted = (counted & (uint64_t)1 << i) != 0;
        uint32_t at = j->count++;
        while (at > 0 && (j->evidence[at - 1].counted < e.counted ||
                          (j->evidence[at - 1].counted == e.counted &&
                           j->evidence[at - 1].log_odds < e.log_odds))) {
            j->evidence[at] = j->evidence[at - 1];
            at--;
        }
        j->evidence[at] = e;
    }
}

// Only a mail server can bounce or relay: for these classes its role is no excuse.
static double prior_of(unsigned class_, const struct policy_priors *priors, enum role role)
{
    if (class_ == VERDICT_POLICY_LIMIT)
        return priors->policy_limit;
    if (class_ == VERDICT_BACKSCATTER || class_ == VERDICT_OPEN_RELAY)
        return priors->by_role[ROLE_HOUSEHOLD];
    return priors->by_role[role];
}

void policy_judge(unsigned class_, const struct policy_class *rule,
                  const struct policy_priors *priors, const struct policy_facts *facts,
                  const struct detector_finding *findings, size_t count, struct judgement *out)
{
    struct detector_finding weighed[64];
    uint64_t counted = 0;
    *out = (struct judgement){.ceiling = (uint8_t)rule->ceiling};
    if (count > sizeof weighed / sizeof weighed[0])
        count = sizeof weighed / sizeof weighed[0];
    double trust = confidence(facts);
    for (size_t i = 0; i < count; i++) {
        weighed[i] = findings[i];
        weighed[i].evidence.log_odds *= trust;
    }
    out->prior = policy_log_odds(prior_of(class_, priors, facts->role));
    struct sum all = add_up(class_, weighed, count, VERDICT_OBSERVE, &counted);
    out->log_odds = out->prior + all.log_odds;
    out->score = policy_score(out->log_odds);
    out->families = all.families;
    out->defines = all.defines;
    out->found = convicts(&all, out->prior, rule->open, VERDICT_TICKET);
    out->supported = supports(&all, out->prior, rule->close);
    out->limitations = all.limitations;
    // Evidence that allows little limits the whole, unless the rest suffices without it.
    uint8_t allowed = VERDICT_OBSERVE;
    for (uint8_t c = VERDICT_QUARANTINE; c > VERDICT_OBSERVE && allowed == VERDICT_OBSERVE; c--) {
        struct sum part = add_up(class_, weighed, count, c, NULL);
        if (!(out->found ? convicts(&part, out->prior, rule->open, c)
                         : supports(&part, out->prior, rule->close)))
            continue;
        allowed = c;
        out->limitations = part.limitations;
    }
    out->ceiling = lower(out->ceiling, allowed);
    limit(out, facts, all.answered);
    if (class_ == VERDICT_SPAMBOT_DIRECT && facts->relay_unseen)
        out->limitations |= VERDICT_RELAY_UNSEEN;
    list(out, weighed, count, class_, counted);
}
