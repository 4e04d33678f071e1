// The index: a pool of leases, groups of them by key in order of start, and two hash tables: groups by realm
// and prefix, leases by access session. Putting one lease costs its group, not the whole.
#include "leases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lease_index.h"

struct leases *leases_new(void)
{
    struct leases *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->place_mask = l->session_mask = 1023;
    l->strings = strings_new();
    l->place = calloc((size_t)l->place_mask + 1, sizeof *l->place);
    l->session = calloc((size_t)l->session_mask + 1, sizeof *l->session);
    l->churn = calloc(1, sizeof(struct lease_churn *));
    if (l->churn)
        l->churn[0] = lease_churn_new();
    if (l->strings && l->place && l->session && l->churn && l->churn[0])
        return l;
    leases_free(l);
    return NULL;
}

void leases_free(struct leases *l)
{
    if (!l)
        return;
    for (size_t i = 0; l->churn && i <= l->pops; i++)
        lease_churn_free(l->churn[i]);
    for (uint32_t g = 1; g <= l->groups; g++)
        free(l->group[g].span);
    strings_free(l->strings);
    free(l->churn);
    free(l->span);
    free(l->group);
    free(l->place);
    free(l->session);
    free(l->pop);
    free(l);
}

size_t leases_count(const struct leases *l)
{
    return l->count;
}

void leases_cgnat(struct leases *l, const struct cgnat *cgnat)
{
    l->cgnat = cgnat;
}

// ---- Hash tables

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

uint64_t place_hash(const struct span_key *k)
{
    uint64_t word[2];
    memcpy(word, k->prefix.addr.octet, sizeof word);
    uint64_t h = mix(k->realm, (uint64_t)k->prefix.addr.family << 8 | k->prefix.len);
    return mix(mix(h, word[0]), word[1]);
}

bool same_place(const struct span_key *a, const struct span_key *b)
{
    return a->realm == b->realm && a->prefix.len == b->prefix.len &&
           a->prefix.addr.family == b->prefix.addr.family &&
           memcmp(a->prefix.addr.octet, b->prefix.addr.octet, 16) == 0;
}

uint64_t session_hash(const char *nas, const char *session_id)
{
    if (!session_id[0])
        return 0;
    uint64_t h = 1;
    for (const char *p = nas; *p; p++)
        h = mix(h, (uint8_t)*p);
    h = mix(h, 256);
    for (const char *p = session_id; *p; p++)
        h = mix(h, (uint8_t)*p);
    return h ? h : 1;
}

// Tables double with their entries; when memory is short they stay: slower, not wrong.
static void grow_places(struct leases *l)
{
    uint32_t mask = 2 * l->place_mask + 1;
    uint32_t *place = calloc((size_t)mask + 1, sizeof *place);
    if (!place)
        return;
    for (uint32_t g = l->groups; g >= 1; g--) {
        uint32_t *link = &place[place_hash(&l->group[g].key) & mask];
        l->group[g].next = *link;
        *link = g;
    }
    free(l->place);
    l->place = place;
    l->place_mask = mask;
}

static void link_session(struct leases *l, uint32_t s)
{
    struct lease_span *span = &l->span[s];
    if (span->session == 0)
        return;
    uint32_t *link = &l->session[span->session & l->session_mask];
    span->session_next = *link;
    *link = s;
}

static void grow_sessions(struct leases *l)
{
    uint32_t mask = 2 * l->session_mask + 1;
    uint32_t *session = calloc((size_t)mask + 1, sizeof *session);
    if (!session)
        return;
    free(l->session);
    l->session = session;
    l->session_mask = mask;
    for (uint32_t s = 1; s <= l->used; s++)
        if (l->span[s].used)
            link_session(l, s);
}

// ---- Groups

static void list_lengths(struct leases *l, int six)
{
    l->length_count[six] = 0;
    for (int len = 128; len >= 0; len--)
        if (l->lengths_used[six][len])
            l->lengths[six][l->length_count[six]++] = (uint8_t)len;
}

static uint32_t find_group(const struct leases *l, const struct span_key *k)
{
    uint32_t g = l->place[place_hash(k) & l->place_mask];
    while (g && (!same_place(&l->group[g].key, k) || l->group[g].key.port_first != k->port_first ||
                 l->group[g].key.port_last != k->port_last))
        g = l->group[g].next;
    return g;
}

static uint32_t get_group(struct leases *l, const struct span_key *k)
{
    uint32_t g = find_group(l, k);
    if (g)
        return g;
    if (l->groups + 1 >= l->group_cap) {
        uint32_t cap = l->group_cap ? 2 * l->group_cap : 256;
        struct group *more = realloc(l->group, cap * sizeof *more);
        if (!more)
            return 0;
        l->group = more;
        l->group_cap = cap;
    }
    if (l->groups > l->place_mask)
        grow_places(l);
    g = ++l->groups;
    l->group[g] = (struct group){.key = *k};
    uint32_t *link = &l->place[place_hash(k) & l->place_mask];
    l->group[g].next = *link;
    *link = g;
    int six = k->prefix.addr.family == IP_V6;
    if (l->lengths_used[six][k->prefix.len]++ == 0)
        list_lengths(l, six);
    return g;
}

static uint32_t new_span(struct leases *l)
{
    uint32_t s = l->free;
    if (s) {
        l->free = l->span[s].group;
        return s;
    }
    if (l->used + 1 >= l->cap) {
        uint32_t cap = l->cap ? l->cap + l->cap / 2 : 256;
        struct lease_span *more = realloc(l->span, cap * sizeof *more);
        if (!more)
            return 0;
        l->span = more;
        l->cap = cap;
    }
    return ++l->used;
}

static bool before(const struct lease_span *a, const struct lease_span *b)
{
    if (a->start_ms != b->start_ms)
        return a->start_ms < b->start_ms;
    return a->end_ms != b->end_ms ? a->end_ms < b->end_ms : a->party < b->party;
}

// Most begin after all that are there.
static bool insert(struct leases *l, struct group *g, uint32_t s)
{
    if (g->count == g->cap) {
        uint32_t cap = g->cap ? 2 * g->cap : 1;
        uint32_t *more = realloc(g->span, cap * sizeof *more);
        if (!more)
            return false;
        g->span = more;
        g->cap = cap;
    }
    uint32_t at = g->count++;
    while (at > 0 && before(&l->span[s], &l->span[g->span[at - 1]])) {
        g->span[at] = g->span[at - 1];
        at--;
    }
    g->span[at] = s;
    return true;
}

// ---- Putting

static bool intern(struct leases *l, const struct lease *in, struct span_key *k,
                   struct lease_span *s)
{
    char party[PARTY_TEXT_MAX];
    k->prefix = in->key.prefix;
    k->port_first = in->key.port_first;
    k->port_last = in->key.port_last;
    return strings_put(l->strings, in->key.realm.name, &k->realm) &&
           strings_put(l->strings, party_format(&in->party, party), &s->party) &&
           strings_put(l->strings, in->pop, &s->pop) && strings_put(l->strings, in->nas, &s->nas) &&
           strings_put(l->strings, in->network_class, &s->network_class);
}

static uint32_t find_span(const struct leases *l, const struct group *g, const struct lease_span *s)
{
    for (uint32_t i = g->count; i > 0; i--) {
        const struct lease_span *x = &l->span[g->span[i - 1]];
        if (x->start_ms == s->start_ms && x->party == s->party)
            return g->span[i - 1];
        if (x->start_ms < s->start_ms)
            break;
    }
    return 0;
}

// What was said later counts; of two things said of one time, that it ended.
static void update(struct leases *l, struct group *g, uint32_t known, const struct lease_span *s)
{
    struct lease_span *x = &l->span[known];
    bool later = s->last_seen_ms > x->last_seen_ms ||
                 (s->last_seen_ms == x->last_seen_ms && s->end_ms < x->end_ms);
    // A file that is read again says what stands in it now, whatever it said before.
    bool again = s->file != 0 && x->file == s->file && x->round != s->round;
    if (x->file != s->file)
        x->file = 0;
    x->round = s->round;
    if (!later && !again)
        return;
    if (again) {
        x->pop = s->pop;
        x->nas = s->nas;
        x->network_class = s->network_class;
    }
    x->last_seen_ms = s->last_seen_ms;
    x->interim_s = s->interim_s;
    if (x->end_ms == s->end_ms)
        return;
    x->end_ms = s->end_ms;
    uint32_t at = 0;
    while (g->span[at] != known)
        at++;
    group_take_out(g, at);
    insert(l, g, known); // its place among those of the same start
}

static int add_span(struct leases *l, uint32_t g, const struct lease_span *in)
{
    uint32_t s = new_span(l);
    if (s == 0)
        return -ENOMEM;
    l->span[s] = *in;
    l->span[s].group = g;
    l->span[s].used = true;
    l->span[s].until_ms = INT64_MAX;
    l->span[s].pop_index = l->loading ? -1 : pop_index(l, in->pop);
    if (!insert(l, &l->group[g], s)) {
        l->span[s].used = false;
        l->span[s].group = l->free;
        l->free = s;
        return -ENOMEM;
    }
    l->count++;
    if (l->count > l->session_mask)
        grow_sessions(l);
    else
        link_session(l, s);
    if (l->loading)
        return 0;
    int32_t pop = l->span[s].pop_index;
    return lease_churn_start(l->churn[0], in->start_ms) &&
                   (pop < 0 || lease_churn_start(l->churn[pop + 1], in->start_ms))
               ? 0
               : -ENOMEM;
}

int leases_put(struct leases *l, const struct lease *in)
{
    struct lease_span s = {
        .start_ms = in->start_ms,
        .end_ms = in->end_ms ? in->end_ms : INT64_MAX,
        .last_seen_ms = in->last_seen_ms,
        .interim_s = (uint32_t)(in->interim_ms / 1000),
        .until_other_ms = INT64_MIN,
        .session = session_hash(in->nas, in->session_id),
        .source = in->source ? in->source : LEASE_CSV,
        .file = l->file,
        .round = l->round,
    };
    struct span_key k = {0};
    if (!intern(l, in, &k, &s))
        return -ENOMEM;
    uint32_t g = get_group(l, &k);
    if (g == 0)
        return -ENOMEM;
    uint32_t known = find_span(l, &l->group[g], &s);
    int rc = 0;
    if (known)
        update(l, &l->group[g], known, &s);
    else
        rc = add_span(l, g, &s);
    if (rc == 0 && !l->loading)
        rc = mend_group(l, &l->group[g]);
    return rc;
}

bool leases_renewal(const struct leases *l, struct lease *lease)
{
    struct span_key k = {.prefix = lease->key.prefix,
                         .port_first = lease->key.port_first,
                         .port_last = lease->key.port_last};
    char text[PARTY_TEXT_MAX];
    uint32_t party;
    if (!strings_find(l->strings, lease->key.realm.name, &k.realm) ||
        !strings_find(l->strings, party_format(&lease->party, text), &party))
        return false;
    uint32_t g = find_group(l, &k);
    for (uint32_t i = g ? l->group[g].count : 0; i > 0; i--) {
        const struct lease_span *s = &l->span[l->group[g].span[i - 1]];
        if (s->start_ms > lease->start_ms)
            continue;
        // Somebody else's in between, or a pause: a lease of its own.
        if (s->party != party || s->end_ms < lease->start_ms)
            return false;
        lease->start_ms = s->start_ms;
        return true;
    }
    return false;
}

uint32_t leases_span_of(const struct leases *l, const struct lease *lease)
{
    struct span_key k = {.prefix = lease->key.prefix,
                         .port_first = lease->key.port_first,
                         .port_last = lease->key.port_last};
    struct lease_span s = {.start_ms = lease->start_ms};
    char text[PARTY_TEXT_MAX];
    if (!strings_find(l->strings, lease->key.realm.name, &k.realm) ||
        !strings_find(l->strings, party_format(&lease->party, text), &s.party))
        return 0;
    uint32_t g = find_group(l, &k);
    return g ? find_span(l, &l->group[g], &s) : 0;
}

bool leases_known(const struct leases *l, struct lease *lease)
{
    uint32_t known = leases_span_of(l, lease);
    if (known == 0)
        return false;
    lease->last_seen_ms = l->span[known].last_seen_ms;
    lease->end_ms = l->span[known].end_ms == INT64_MAX ? 0 : l->span[known].end_ms;
    return true;
}
