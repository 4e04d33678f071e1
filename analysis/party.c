// The table of parties. See party.h.
#include "party.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "detector.h"
#include "hash.h"

struct party_table {
    struct party_state **bucket;
    size_t buckets; // a power of two
    size_t count, max;
    size_t state_size; // of the detectors
    uint64_t evicted;
    struct party_state *newest, *oldest;
    struct names names;
};

#define ALIGN(n)       (((n) + 7) / 8 * 8)
#define PARTY_OCTETS   8192 // what may be remembered of a party, whatever it does
#define EVICT_LOOK_MAX 64   // parties with open verdicts that eviction steps over

static_assert(ALIGN(sizeof(struct party_state)) + DETECTOR_STATES_MAX <= PARTY_OCTETS,
              "a party takes more than 8 kB");

struct party_table *party_table_new(size_t parties_max, size_t state_size)
{
    struct party_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->buckets = 16;
    while (t->buckets < parties_max)
        t->buckets *= 2;
    t->max = parties_max;
    t->state_size = state_size;
    t->bucket = calloc(t->buckets, sizeof t->bucket[0]);
    if (!t->bucket) {
        free(t);
        return NULL;
    }
    return t;
}

static void state_free(struct party_state *s)
{
    while (s->verdicts) {
        struct party_verdict *v = s->verdicts;
        s->verdicts = v->next;
        free(v);
    }
    free(s);
}

void party_table_free(struct party_table *t)
{
    if (!t)
        return;
    while (t->newest) {
        struct party_state *s = t->newest;
        t->newest = s->older;
        state_free(s);
    }
    names_fini(&t->names);
    free(t->bucket);
    free(t);
}

struct names *party_names(struct party_table *t)
{
    return &t->names;
}

static size_t place(const struct party_table *t, const struct party *p)
{
    return (size_t)hash_octets(p->id, strlen(p->id), p->kind) & (t->buckets - 1);
}

static void unlink_use(struct party_table *t, struct party_state *s)
{
    if (s->newer)
        s->newer->older = s->older;
    else
        t->newest = s->older;
    if (s->older)
        s->older->newer = s->newer;
    else
        t->oldest = s->newer;
    s->newer = s->older = NULL;
}

static void link_newest(struct party_table *t, struct party_state *s)
{
    s->older = t->newest;
    s->newer = NULL;
    if (t->newest)
        t->newest->newer = s;
    else
        t->oldest = s;
    t->newest = s;
}

static void drop(struct party_table *t, struct party_state *s)
{
    struct party_state **at = &t->bucket[place(t, &s->party)];
    while (*at != s)
        at = &(*at)->chain;
    *at = s->chain;
    unlink_use(t, s);
    t->count--;
    state_free(s);
}

static void evict(struct party_table *t)
{
    struct party_state *s = t->oldest;
    for (unsigned i = 0; s && s->verdicts && i < EVICT_LOOK_MAX; i++)
        s = s->newer;
    if (!s)
        s = t->oldest;
    drop(t, s);
    t->evicted++;
}

struct party_state *party_peek(const struct party_table *t, const struct party *p)
{
    struct party_state *s = t->bucket[place(t, p)];
    while (s && (s->party.kind != p->kind || strcmp(s->party.id, p->id) != 0))
        s = s->chain;
    return s;
}

struct party_state *party_find(struct party_table *t, const struct party *p)
{
    struct party_state *s = party_peek(t, p);
    if (s && t->newest != s) {
        unlink_use(t, s);
        link_newest(t, s);
    }
    return s;
}

struct party_state *party_get(struct party_table *t, const struct party *p)
{
    struct party_state *s = party_find(t, p);
    if (s)
        return s;
    if (t->count >= t->max)
        evict(t);
    s = calloc(1, ALIGN(sizeof *s) + t->state_size);
    if (!s)
        return NULL;
    struct party_state **bucket = &t->bucket[place(t, p)];
    s->party = *p;
    s->chain = *bucket;
    *bucket = s;
    link_newest(t, s);
    t->count++;
    return s;
}

// An address that is leased anew replaces the one before, and leaves the line's address of the other family.
static bool same_kind(const struct subscriber_key *a, const struct subscriber_key *b)
{
    return a->prefix.addr.family == b->prefix.addr.family && a->prefix.len == b->prefix.len;
}

void party_note_key(struct party_state *s, const struct subscriber_key *key, int64_t minute)
{
    const struct subscriber_key last = s->key;
    const uint32_t last_minute = s->key_minute[0];
    s->key = *key;
    s->key_minute[0] = (uint32_t)minute;
    if (s->party.kind != PARTY_LINE || same_kind(&last, key) || last.prefix.addr.family == IP_NONE)
        return;
    // What was last moves behind, in the place of the one that is back, else of the oldest.
    size_t at = 0;
    while (at < PARTY_OTHER_KEYS - 1 && s->other_key[at].prefix.addr.family != IP_NONE &&
           !same_kind(&s->other_key[at], key))
        at++;
    for (; at > 0; at--) {
        s->other_key[at] = s->other_key[at - 1];
        s->key_minute[at + 1] = s->key_minute[at];
    }
    s->other_key[0] = last;
    s->key_minute[1] = last_minute;
}

const struct subscriber_key *party_key(const struct party_state *s, size_t i)
{
    if (i == 0)
        return &s->key;
    if (i > PARTY_OTHER_KEYS || s->other_key[i - 1].prefix.addr.family == IP_NONE)
        return NULL;
    return &s->other_key[i - 1];
}

void party_forget(struct party_table *t, struct party_state *s)
{
    memset(&s->window, 0, sizeof s->window);
    memset(party_detector_state(s, 0), 0, t->state_size);
    s->past = (struct party_past){0};
    s->from_ms = 0;
}

void *party_detector_state(struct party_state *s, size_t offset)
{
    return (char *)s + ALIGN(sizeof *s) + offset;
}

size_t party_count(const struct party_table *t)
{
    return t->count;
}

uint64_t party_evicted(const struct party_table *t)
{
    return t->evicted;
}

size_t party_octets(const struct party_table *t)
{
    return ALIGN(sizeof(struct party_state)) + t->state_size;
}

size_t party_expire(struct party_table *t, int64_t before_ms)
{
    size_t n = 0;
    struct party_state *s = t->oldest;
    while (s && s->window.last_ms < before_ms) {
        struct party_state *newer = s->newer;
        if (!s->verdicts) {
            drop(t, s);
            n++;
        }
        s = newer;
    }
    return n;
}

struct party_state *party_older(const struct party_table *t, const struct party_state *s)
{
    return s ? s->older : t->newest;
}

struct party_state *party_newer(const struct party_table *t, const struct party_state *s)
{
    return s ? s->newer : t->oldest;
}

struct party_state *party_restore(struct party_table *t, const struct party_state *saved)
{
    struct party_state *s = party_get(t, &saved->party);
    if (!s)
        return NULL;
    struct party_state links = {
        .chain = s->chain, .newer = s->newer, .older = s->older, .verdicts = s->verdicts};
    memcpy(s, saved, party_octets(t));
    s->chain = links.chain;
    s->newer = links.newer;
    s->older = links.older;
    s->verdicts = links.verdicts;
    return s;
}
