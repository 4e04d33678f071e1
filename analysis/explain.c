// A verdict or its absence, explained. See explain.h.
#include "explain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "engine_parts.h"
#include "unread.h"

#define SENTENCE_MAX 1024
#define PLACES_MAX   64

#define PLACES_SAID 4 // of an address that several have, in the sentence

// Who has an address: in one realm or in several, whole or by port blocks; the latest first, each key once.
struct places {
    struct party_state *party[PLACES_MAX];
    size_t key[PLACES_MAX]; // which of its keys it is
    size_t count, more;     // `more`: found and not held
};

// Does a key of the party cover what is asked for: a line's address, or the network of clients that are nobody's line?
static bool covers(const struct subscriber_key *has, const struct subscriber_key *k, bool client)
{
    if (has->kind != (client ? SUBSCRIBER_CLIENT : SUBSCRIBER_ADDRESS) ||
        (k->kind != SUBSCRIBER_ADDRESS && k->kind != has->kind))
        return false;
    return k->port_first <= has->port_last && has->port_first <= k->port_last &&
           k->prefix.len >= has->prefix.len && prefix_contains(&has->prefix, &k->prefix.addr);
}

static bool is_there(const struct party_state *p, const struct realm *realm)
{
    return memcmp(&p->key.realm, realm, sizeof *realm) == 0;
}

// The party has what is asked for as its key `k`.
static void note_place(struct places *all, struct party_state *p, size_t k)
{
    for (size_t i = 0; i < all->count; i++) {
        size_t has = all->key[i];
        if (memcmp(party_key(all->party[i], has), party_key(p, k), sizeof p->key) != 0)
            continue;
        // One of the two had it before.
        if (p->key_minute[k] > all->party[i]->key_minute[has]) {
            all->party[i] = p;
            all->key[i] = k;
        }
        return;
    }
    if (all->count < PLACES_MAX) {
        all->key[all->count] = k;
        all->party[all->count++] = p;
    } else {
        all->more++;
    }
}

static void find_places(const struct engine *e, const struct subscriber_key *k, struct places *all)
{
    // A line is meant before a network of clients.
    for (int client = 0; client <= 1 && all->count == 0; client++) {
        for (struct party_state *p = NULL; (p = party_older(e->parties, p));) {
            const struct subscriber_key *has;
            for (size_t i = 0; (has = party_key(p, i)) != NULL; i++) {
                if (!covers(has, k, client))
                    continue;
                note_place(all, p, i);
                break;
            }
        }
    }
}

// Of those in the realm that was asked for, the only one; where no realm was named and the sensor's own has none, the
// only one of all. NULL: none, or several.
static struct party_state *only_one(const struct places *all, const struct realm *realm)
{
    struct party_state *there = NULL;
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (is_there(all->party[i], realm)) {
            there = all->party[i];
            n++;
        }
    }
    if (n == 0 && realm->name[0] == '\0' && all->count == 1)
        return all->party[0];
    return n == 1 ? there : NULL;
}

// 0: a party or an address, `*out` NULL: not known or not the only one (`all`); -1: neither.
static int find(const struct engine *e, const char *who, struct party_state **out,
                struct places *all, struct realm *realm)
{
    struct party party;
    struct subscriber_key key;
    *out = NULL;
    if (party_parse(who, &party) == 0) {
        *out = party_peek(e->parties, &party);
        return 0;
    }
    if (subscriber_key_parse(who, &key) != 0 || realm_check(key.realm.name) != NULL)
        return -1;
    find_places(e, &key, all);
    *realm = key.realm;
    *out = only_one(all, realm);
    return 0;
}

// Who has the same address besides, as a list.
static json_t *others(const struct places *all, const struct party_state *but)
{
    char key[SUBSCRIBER_TEXT_MAX], party[PARTY_TEXT_MAX];
    json_t *list = json_array();
    for (size_t i = 0; i < all->count; i++) {
        const struct party_state *p = all->party[i];
        if (p != but)
            json_array_append_new(list, json_pack("{s:s, s:s}", "subscriber",
                                                  subscriber_key_format(&p->key, key), "party",
                                                  party_format(&p->party, party)));
    }
    return list;
}

static double hundredths(double v)
{
    return round(v * 100) / 100;
}

// "-6.91 (prior) + 12.00 (first-contact) + 4.05 (fan-out) = 9.14": of what is shown, so that it adds up on paper.
static void write_sum(const struct judgement *j, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%.2f (prior)", j->prior);
    double sum = hundredths(j->prior);
    for (uint32_t i = 0; i < j->count && n < size; i++) {
        const struct verdict_evidence *ev = &j->evidence[i];
        if (!ev->counted)
            continue;
        n += (size_t)snprintf(out + n, size - n, " %c %.2f (%s)", ev->log_odds < 0 ? '-' : '+',
                              fabs(ev->log_odds), ev->detector);
        sum += hundredths(ev->log_odds);
    }
    if (n < size)
        snprintf(out + n, size - n, " = %.2f", sum);
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
        snprintf(out, 200, "what is remembered would open it again when the party next sends mail");
    else if (!j->defines)
        snprintf(out, 200, "nothing was found that can open this class, only what supports it");
    else if (j->score < v->open)
        snprintf(out, 200, "the score is %.4f and opens at %.4f", j->score, v->open);
    else
        snprintf(out, 200, "one family of evidence alone does not suffice; two must agree");
}

// A verdict that nothing supports any more is what it was when it was last written; what its windows still hold would
// explain nothing.
static bool has_faded(const struct judge_view *v)
{
    return v->verdict && !v->judgement.supported;
}

static struct judgement as_written(const struct verdict *v)
{
    struct judgement j = {.prior = v->prior,
                          .log_odds = v->log_odds,
                          .score = v->score,
                          .ceiling = v->ceiling,
                          .limitations = v->limitations,
                          .count = v->evidence_count};
    memcpy(j.evidence, v->evidence, sizeof j.evidence);
    return j;
}

static void put_verdict(json_t *out, const struct judge_view *v, int64_t now_ms)
{
    char of[TIME_TEXT_MAX], supported[TIME_TEXT_MAX], closes[TIME_TEXT_MAX], now[1024];
    write_sum(&v->judgement, now, sizeof now);
    json_t *more = json_pack("{s:s, s:s, s:s}", "as_of",
                             time_format(has_faded(v) ? v->verdict->made_ms : now_ms, of),
                             "supported", time_format(v->supported_ms, supported), "closes",
                             time_format(v->closes_ms, closes));
    if (has_faded(v))
        json_object_set_new(more, "sum_now", json_string(now));
    json_object_update(out, more);
    json_decref(more);
}

static json_t *class_to_json(const struct judge_view *v, int64_t now_ms)
{
    struct judgement j = has_faded(v) ? as_written(v->verdict) : v->judgement;
    char sum[1024], reason[200];
    json_t *evidence = json_array(), *limitations = json_array();
    for (uint32_t i = 0; i < j.count; i++)
        json_array_append_new(evidence, verdict_evidence_to_json(&j.evidence[i]));
    for (uint32_t bit = 1; verdict_limitation_name(bit); bit <<= 1) {
        if (j.limitations & bit)
            json_array_append_new(limitations, json_string(verdict_limitation_name(bit)));
    }
    write_sum(&j, sum, sizeof sum);
    why_not(v, reason);
    json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:s?, s:s?, s:s, s:o, s:s, s:o}", "class",
                            verdict_class_name(v->class_), "prior", json_number(j.prior, 4),
                            "log_odds", json_number(j.log_odds, 4), "score",
                            json_number(j.score, 6), "opens_at", json_number(v->open, 6), "verdict",
                            v->verdict ? v->verdict->id : NULL, "why_not",
                            v->verdict ? NULL : reason, "ceiling", verdict_ceiling_name(j.ceiling),
                            "limitations", limitations, "sum", sum, "evidence", evidence);
    if (out && v->verdict)
        put_verdict(out, v, now_ms);
    return out;
}

// The verdict's sentence with the numbers that stand below it.
static void sentence_of_verdict(const struct judge_view *view, char out[static SENTENCE_MAX])
{
    char text[VERDICT_SENTENCE_MAX] = "";
    struct verdict *v = malloc(sizeof *v);
    if (v) {
        *v = *view->verdict;
        if (!has_faded(view)) {
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

// "; its last one, harvester since T, was closed at T"; "" when there was none.
static void past_of(const struct party_state *p, char out[static 160])
{
    char opened[TIME_TEXT_MAX], closed[TIME_TEXT_MAX];
    out[0] = '\0';
    if (p->past.opened_ms != 0)
        snprintf(out, 160, "; its last one, %s of %s, was closed at %s",
                 verdict_class_name(p->past.class_), time_format(p->past.opened_ms, opened),
                 time_format(p->past.closed_ms, closed));
}

// `unread`: most of its sessions were under TLS.
static void sentence_of(const char *who, const char *at, const struct party_state *p,
                        const struct judge_view *views, size_t n, bool unread,
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
    char reason[200], past[160];
    snprintf(reason, sizeof reason, "no detector finds anything%s",
             unread ? ", and most of its sessions could not be read (TLS)" : "");
    past_of(p, past);
    if (best)
        why_not(best, reason);
    snprintf(out, SENTENCE_MAX, "%.140s has no verdict at %s%s%s%s: %s.", who, at, past,
             best ? "; nearest is " : "", best ? verdict_class_name(best->class_) : "", reason);
}

static json_t *past_to_json(const struct party_state *p)
{
    char id[JUDGE_ID_MAX], opened[TIME_TEXT_MAX], closed[TIME_TEXT_MAX];
    if (p->past.opened_ms == 0)
        return json_null();
    judge_name(&p->party, p->past.class_, p->past.opened_ms, id);
    return json_pack("{s:s, s:s, s:s, s:s}", "verdict", id, "class",
                     verdict_class_name(p->past.class_), "opened",
                     time_format(p->past.opened_ms, opened), "closed",
                     time_format(p->past.closed_ms, closed));
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

static json_t *known(const struct engine *e, const char *who, struct party_state *p,
                     const struct places *all, int64_t now_ms)
{
    struct judge_view *views = calloc(VERDICT_CLASSES, sizeof *views);
    char at[TIME_TEXT_MAX], first[TIME_TEXT_MAX], last[TIME_TEXT_MAX], party[PARTY_TEXT_MAX];
    char key[SUBSCRIBER_TEXT_MAX], sentence[SENTENCE_MAX];
    if (!views)
        return NULL;
    size_t n = judge_look(e, p, now_ms, views);
    json_t *classes = json_array(), *open = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(classes, class_to_json(&views[i], now_ms));
        if (views[i].verdict)
            json_array_append_new(open, json_string(views[i].verdict->id));
    }
    bool most;
    json_t *unread = unread_to_json(e, p, now_ms, &most);
    sentence_of(who, time_format(now_ms, at), p, views, n, most, sentence);
    free(views);
    return json_pack("{s:i, s:s, s:s, s:s, s:b, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, "
                     "s:o, s:o, s:o}",
                     "v", 1, "who", who, "sentence", sentence, "at", at, "known", 1, "party",
                     party_format(&p->party, party), "subscriber",
                     subscriber_key_format(&p->key, key), "also_at", others(all, p), "role",
                     role_name(engine_context(e, p, now_ms).role), "first_row",
                     time_format(p->window.first_ms, first), "last_row",
                     time_format(p->window.last_ms, last), "rules_version", ENGINE_RULES_VERSION,
                     "conf_hash", e->options.conf_hash, "open_verdicts", open, "classes", classes,
                     "not_visible", not_visible(e), "unread", unread, "closed", past_to_json(p));
}

// "10.0.0.7 is the address of 2 subscribers: vlan:101/10.0.0.7 (line:7), vlan:102/10.0.0.7 (line:9); name one."
static void sentence_of_several(const char *who, const struct realm *realm,
                                const struct places *all, char out[static SENTENCE_MAX])
{
    size_t n = 0, said = 0, there = 0;
    for (size_t i = 0; i < all->count; i++)
        there += is_there(all->party[i], realm);
    // In the realm that was asked for it is nobody's.
    if (there == 0 && realm->name[0] != '\0')
        n = (size_t)snprintf(out, SENTENCE_MAX, "%.140s is not known; the address is known as",
                             who);
    else
        n = (size_t)snprintf(out, SENTENCE_MAX, "%.140s is the address of %zu subscribers:", who,
                             (there ? there : all->count) + all->more);
    for (size_t i = 0; i < all->count && said < PLACES_SAID; i++) {
        const struct party_state *p = all->party[i];
        char key[SUBSCRIBER_TEXT_MAX], party[PARTY_TEXT_MAX];
        if (there > 0 && !is_there(p, realm))
            continue;
        n += (size_t)snprintf(out + n, SENTENCE_MAX - n, "%s %.126s", said++ ? "," : "",
                              subscriber_key_format(&p->key, key));
        if (p->party.kind != PARTY_PROVISIONAL)
            n += (size_t)snprintf(out + n, SENTENCE_MAX - n, " (%.80s)",
                                  party_format(&p->party, party));
    }
    size_t rest = (there ? there : all->count) + all->more - said;
    if (rest > 0)
        n += (size_t)snprintf(out + n, SENTENCE_MAX - n, " and %zu more", rest);
    snprintf(out + n, SENTENCE_MAX - n, "; name %s.", said + rest > 1 ? "one of them" : "that");
}

// Whether site.subscribers, or what stands for it, leaves the address out.
static bool is_outside(const struct conf_prefixes *ours, const struct ip_addr *a)
{
    if (ours->count > 0) {
        for (size_t i = 0; i < ours->count; i++)
            if (prefix_contains(&ours->item[i], a))
                return false;
        return true;
    }
    struct prefix_set *private = prefix_set_new();
    bool built = private && prefix_set_add_private(private, 1) == 0;
    if (built)
        prefix_set_freeze(private);
    bool outside = built && !prefix_set_find(private, a, NULL);
    prefix_set_free(private);
    return outside;
}

// "the sensor's own realm, vlan:101": all realms that a party is known in, the sensor's own among them in any case.
static void realms_of(const struct engine *e, char out[static SENTENCE_MAX / 2])
{
    struct realm said[PLACES_SAID];
    size_t n = 0, at = (size_t)snprintf(out, SENTENCE_MAX / 2, "the sensor's own realm");
    for (struct party_state *p = NULL; (p = party_older(e->parties, p));) {
        size_t i = 0;
        while (i < n && !is_there(p, &said[i]))
            i++;
        if (i < n || p->key.realm.name[0] == '\0')
            continue;
        if (n == PLACES_SAID) {
            snprintf(out + at, SENTENCE_MAX / 2 - at, " and others");
            return;
        }
        said[n++] = p->key.realm;
        at += (size_t)snprintf(out + at, SENTENCE_MAX / 2 - at, ", %s", p->key.realm.name);
    }
}

// Nobody is known by that name.
static void sentence_of_nobody(const struct engine *e, const char *who, const char *at,
                               char out[static SENTENCE_MAX])
{
    const struct conf_prefixes *ours = &e->options.site->subscribers;
    struct subscriber_key key;
    struct party party;
    char realms[SENTENCE_MAX / 2];
    if (party_parse(who, &party) != 0 && subscriber_key_parse(who, &key) == 0 &&
        key.kind == SUBSCRIBER_ADDRESS && is_outside(ours, &key.prefix.addr)) {
        realms_of(e, realms);
        snprintf(out, SENTENCE_MAX,
                 "%.140s is no subscriber's address: it is not in site.subscribers%s, and nobody "
                 "has it in %s.",
                 who, ours->count > 0 ? "" : " (private networks, as none are named)", realms);
        return;
    }
    snprintf(out, SENTENCE_MAX,
             "%.140s has no verdict at %s: it has done nothing on mail ports that analysis "
             "knows of.",
             who, at);
}

json_t *explain(const struct engine *e, const char *who, int64_t now_ms)
{
    struct party_state *p;
    struct places all = {.count = 0};
    struct realm realm = {0};
    char at[TIME_TEXT_MAX], sentence[SENTENCE_MAX];
    if (find(e, who, &p, &all, &realm) < 0)
        return NULL;
    time_format(now_ms, at);
    if (p)
        return known(e, who, p, &all, now_ms);
    if (all.count > 0)
        sentence_of_several(who, &realm, &all, sentence);
    else
        sentence_of_nobody(e, who, at, sentence);
    return json_pack("{s:i, s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:o, s:o, s:o}", "v", 1, "who", who,
                     "sentence", sentence, "at", at, "known", 0, "also_at", others(&all, NULL),
                     "rules_version", ENGINE_RULES_VERSION, "conf_hash", e->options.conf_hash,
                     "open_verdicts", json_array(), "classes", json_array(), "not_visible",
                     not_visible(e));
}
