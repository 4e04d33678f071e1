// A verdict or its absence, explained. See explain.h.
#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "engine_parts.h"

#define SENTENCE_MAX 512

// Does the party's key cover what is asked for: a line's address, or the network of clients that are nobody's line?
static bool is_at(const struct party_state *p, const struct subscriber_key *k, bool client)
{
    if (p->key.kind != (client ? SUBSCRIBER_CLIENT : SUBSCRIBER_ADDRESS) ||
        (k->kind != SUBSCRIBER_ADDRESS && k->kind != p->key.kind))
        return false;
    return memcmp(&p->key.realm, &k->realm, sizeof k->realm) == 0 &&
           k->prefix.len >= p->key.prefix.len && prefix_contains(&p->key.prefix, &k->prefix.addr);
}

// 1: found; 0: never seen; -1: no party and no address.
static int find(const struct engine *e, const char *who, struct party_state **out)
{
    struct party party;
    struct subscriber_key key;
    *out = NULL;
    if (party_parse(who, &party) == 0) {
        *out = party_peek(e->parties, &party);
        return *out != NULL;
    }
    if (subscriber_key_parse(who, &key) != 0)
        return -1;
    // A line is meant before a network of clients.
    for (int client = 0; client <= 1 && !*out; client++) {
        struct party_state *p = NULL;
        while ((p = party_older(e->parties, p)) && !*out) {
            if (is_at(p, &key, client))
                *out = p;
        }
    }
    return *out != NULL;
}

// "-6.91 (prior) + 12.00 (first-contact) + 4.05 (fan-out) = 9.14"
static void write_sum(const struct judgement *j, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%.2f (prior)", j->prior);
    for (uint32_t i = 0; i < j->count && n < size; i++) {
        const struct verdict_evidence *ev = &j->evidence[i];
        if (ev->counted)
            n += (size_t)snprintf(out + n, size - n, " %c %.2f (%s)", ev->log_odds < 0 ? '-' : '+',
                                  ev->log_odds < 0 ? -ev->log_odds : ev->log_odds, ev->detector);
    }
    if (n < size)
        snprintf(out + n, size - n, " = %.2f", j->log_odds);
}

static void why_not(const struct judge_view *v, char out[static 200])
{
    const struct judgement *j = &v->judgement;
    if (v->explained_by)
        snprintf(out, 200, "its cause is named already: %s", v->explained_by);
    else if (v->deferred)
        snprintf(out, 200,
                 "mail fails for many parties now, so it opens by what does not rest on failures "
                 "alone, or when that is over");
    else if (j->found)
        snprintf(out, 200, "it is found now; the next row opens it");
    else if (!j->defines)
        snprintf(out, 200, "nothing was found that can open this class, only what supports it");
    else if (j->score < v->open)
        snprintf(out, 200, "the score is %.4f and opens at %.4f", j->score, v->open);
    else
        snprintf(out, 200, "one family of evidence alone does not suffice; two must agree");
}

static json_t *class_to_json(const struct judge_view *v)
{
    const struct judgement *j = &v->judgement;
    char sum[1024], reason[200];
    json_t *evidence = json_array(), *limitations = json_array();
    for (uint32_t i = 0; i < j->count; i++)
        json_array_append_new(evidence, verdict_evidence_to_json(&j->evidence[i]));
    for (uint32_t bit = 1; verdict_limitation_name(bit); bit <<= 1) {
        if (j->limitations & bit)
            json_array_append_new(limitations, json_string(verdict_limitation_name(bit)));
    }
    write_sum(j, sum, sizeof sum);
    why_not(v, reason);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s?, s:s?, s:s, s:o, s:s, s:o}", "class",
                     verdict_class_name(v->class_), "prior", json_number(j->prior, 4), "log_odds",
                     json_number(j->log_odds, 4), "score", json_number(j->score, 6), "opens_at",
                     json_number(v->open, 6), "verdict", v->verdict ? v->verdict->id : NULL,
                     "why_not", v->verdict ? NULL : reason, "ceiling",
                     verdict_ceiling_name(j->ceiling), "limitations", limitations, "sum", sum,
                     "evidence", evidence);
}

// The verdict's sentence with the numbers of now, which stand below it.
static void sentence_of_verdict(const struct judge_view *view, char out[static SENTENCE_MAX])
{
    char text[VERDICT_SENTENCE_MAX] = "";
    struct verdict *v = malloc(sizeof *v);
    if (v) {
        *v = *view->verdict;
        if (view->judgement.count > 0 && view->judgement.evidence[0].counted) {
            v->evidence_count = view->judgement.count;
            memcpy(v->evidence, view->judgement.evidence, sizeof v->evidence);
        }
        verdict_sentence(v, text);
    }
    snprintf(out, SENTENCE_MAX, "%s", text);
    free(v);
}

// Is `a` nearer to a verdict than `b`? What could open it comes before what is only supported.
static bool is_nearer(const struct judge_view *a, const struct judge_view *b)
{
    if (a->judgement.defines != b->judgement.defines)
        return a->judgement.defines;
    return a->judgement.log_odds > b->judgement.log_odds;
}

static void sentence_of(const char *who, const char *at, const struct judge_view *views, size_t n,
                        char out[static SENTENCE_MAX])
{
    const struct judge_view *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (views[i].verdict) {
            sentence_of_verdict(&views[i], out);
            return;
        }
        if (!best || is_nearer(&views[i], best))
            best = &views[i];
    }
    char reason[200];
    if (!best) {
        snprintf(out, SENTENCE_MAX, "%.140s has no verdict at %s: no detector finds anything.", who,
                 at);
        return;
    }
    why_not(best, reason);
    snprintf(out, SENTENCE_MAX, "%.140s has no verdict at %s; nearest is %s: %s.", who, at,
             verdict_class_name(best->class_), reason);
}

static json_t *not_visible(const struct engine *e)
{
    json_t *list = json_array();
    for (size_t i = 0; detectors[i]; i++) {
        char why[200];
        if (engine_why_off(e, i, why))
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "detector", detectors[i]->name, "why", why));
    }
    return list;
}

static json_t *known(const struct engine *e, const char *who, struct party_state *p, int64_t now_ms)
{
    struct judge_view *views = calloc(VERDICT_CLASSES, sizeof *views);
    char at[TIME_TEXT_MAX], first[TIME_TEXT_MAX], last[TIME_TEXT_MAX], party[PARTY_TEXT_MAX];
    char key[SUBSCRIBER_TEXT_MAX], sentence[SENTENCE_MAX];
    if (!views)
        return NULL;
    size_t n = judge_look(e, p, now_ms, views);
    json_t *classes = json_array(), *open = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(classes, class_to_json(&views[i]));
        if (views[i].verdict)
            json_array_append_new(open, json_string(views[i].verdict->id));
    }
    sentence_of(who, time_format(now_ms, at), views, n, sentence);
    free(views);
    return json_pack(
        "{s:i, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "v", 1,
        "who", who, "sentence", sentence, "at", at, "known", 1, "party",
        party_format(&p->party, party), "subscriber", subscriber_key_format(&p->key, key), "role",
        role_name(engine_context(e, p, now_ms).role), "first_row",
        time_format(p->window.first_ms, first), "last_row", time_format(p->window.last_ms, last),
        "rules_version", ENGINE_RULES_VERSION, "conf_hash", e->options.conf_hash, "open_verdicts",
        open, "classes", classes, "not_visible", not_visible(e));
}

json_t *explain(const struct engine *e, const char *who, int64_t now_ms)
{
    struct party_state *p;
    char at[TIME_TEXT_MAX], sentence[SENTENCE_MAX];
    int found = find(e, who, &p);
    if (found < 0)
        return NULL;
    if (found)
        return known(e, who, p, now_ms);
    snprintf(
        sentence, sizeof sentence,
        "%.140s has no verdict at %s: it has done nothing on mail ports that analysis knows of.",
        who, time_format(now_ms, at));
    return json_pack("{s:i, s:s, s:s, s:s, s:b, s:s, s:s, s:o, s:o, s:o}", "v", 1, "who", who,
                     "sentence", sentence, "at", at, "known", 0, "rules_version",
                     ENGINE_RULES_VERSION, "conf_hash", e->options.conf_hash, "open_verdicts",
                     json_array(), "classes", json_array(), "not_visible", not_visible(e));
}
