// Looking up: the prefix lengths that occur, longest first; in each the narrowest port block with a lease at
// that time; then what makes the answer doubtful.
#include <assert.h>

#include "lease_index.h"

// How far back a lease that began earlier and still holds is looked for, before the one with the latest end is taken.
#define NESTED_MAX 16

static const struct lease_span *span_at(const struct leases *l, const struct group *g, uint32_t i)
{
    return &l->span[g->span[i]];
}

// How many of the group began at or before `t_ms`.
static uint32_t began_by(const struct leases *l, const struct group *g, int64_t t_ms)
{
    uint32_t low = 0, high = g->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (span_at(l, g, mid)->start_ms <= t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// The lease that holds at `t_ms` and began last, of the first `began`; NULL: none.
static const struct lease_span *holding(const struct leases *l, const struct group *g,
                                        uint32_t began, int64_t t_ms, uint32_t *at)
{
    if (began == 0 || t_ms >= span_at(l, g, began - 1)->until_all_ms)
        return NULL;
    // The last may be over while one that began before it is not.
    for (uint32_t i = began; i > 0 && i + NESTED_MAX > began; i--)
        if (t_ms < span_at(l, g, i - 1)->until_ms) {
            *at = i - 1;
            return span_at(l, g, i - 1);
        }
    *at = span_at(l, g, began - 1)->longest;
    return span_at(l, g, *at);
}

// Did a lease of another party end shortly before, or begin shortly after?
static bool near_change(const struct leases *l, const struct group *g, uint32_t began,
                        uint32_t party, int64_t t_ms)
{
    for (uint32_t i = began; i > 0 && i + NESTED_MAX > began; i--) {
        const struct lease_span *s = span_at(l, g, i - 1);
        if (s->party != party && s->until_ms <= t_ms && t_ms - s->until_ms < LEASES_NEAR_CHANGE_MS)
            return true;
    }
    for (uint32_t i = began; i < g->count; i++) {
        const struct lease_span *s = span_at(l, g, i);
        if (s->start_ms - t_ms > LEASES_NEAR_CHANGE_MS)
            return false;
        if (s->party != party)
            return true;
    }
    return false;
}

// What is known of the key at `t_ms` from one group. False: no lease then.
static bool ask_group(const struct leases *l, const struct group *g, int64_t t_ms,
                      struct lease_answer *a)
{
    uint32_t began = began_by(l, g, t_ms), at;
    const struct lease_span *s = holding(l, g, began, t_ms, &at);
    if (!s)
        return false;
    *a = (struct lease_answer){
        .lease = g->span[at], .port_first = g->key.port_first, .port_last = g->key.port_last};
    if (t_ms < span_at(l, g, began - 1)->until_other_ms)
        a->doubts |= IDENTITY_OVERLAP;
    if (near_change(l, g, began, s->party, t_ms))
        a->doubts |= IDENTITY_NEAR_CHANGE;
    if (s->lost_stop && t_ms > s->last_seen_ms)
        a->doubts |= IDENTITY_LOST_STOP;
    if (s->clock_differs)
        a->doubts |= IDENTITY_CLOCKS_DIFFER;
    return true;
}

static void judge(const struct leases *l, int64_t t_ms, struct lease_answer *a)
{
    const struct lease_span *s = &l->span[a->lease];
    // What a stop has ended was alive until then; what nobody ended must be seen again and again.
    bool ended = s->until_ms != INT64_MAX && !s->lost_stop;
    bool stale = !ended && s->interim_s > 0 &&
                 t_ms - s->last_seen_ms > 2000 * (int64_t)s->interim_s;
    if (s->pop_index >= 0 && lease_churn_reboot(l->churn[s->pop_index + 1], t_ms))
        a->doubts |= IDENTITY_BNG_REBOOT;
    if (a->doubts & (IDENTITY_OVERLAP | IDENTITY_NEAR_CHANGE | IDENTITY_NO_PORT))
        a->confidence = IDENTITY_AMBIGUOUS;
    else if (stale)
        a->confidence = IDENTITY_STALE;
    else
        a->confidence = a->doubts ? IDENTITY_LIKELY : IDENTITY_CERTAIN;
}

// The next group of the place, from group `g` of its chain on; 0: none.
static uint32_t of_place(const struct leases *l, uint32_t g, const struct span_key *place)
{
    while (g && !same_place(&l->group[g].key, place))
        g = l->group[g].next;
    return g;
}

static bool holds_port(const struct group *g, uint16_t port)
{
    return port == 0 || (port >= g->key.port_first && port <= g->key.port_last);
}

static bool is_within(const struct lease_answer *a, const struct lease_answer *b)
{
    return a->port_first >= b->port_first && a->port_last <= b->port_last;
}

// Does another party's block hold the port too, that is not merely a wider one around `best`?
static bool blocks_collide(const struct leases *l, const struct span_key *place, uint16_t port,
                           int64_t t_ms, const struct lease_answer *best)
{
    uint32_t g = l->place[place_hash(place) & l->place_mask];
    for (g = of_place(l, g, place); g; g = of_place(l, l->group[g].next, place)) {
        struct lease_answer a;
        if (holds_port(&l->group[g], port) && ask_group(l, &l->group[g], t_ms, &a) &&
            l->span[a.lease].party != l->span[best->lease].party && !is_within(best, &a))
            return true;
    }
    return false;
}

// Groups of one prefix. Of those whose port block holds `port` the narrowest with a lease is taken, of two
// as narrow the one of lower ports; with port blocks and no port any of them may be it.
static bool ask_place(const struct leases *l, const struct span_key *place, uint16_t port,
                      int64_t t_ms, struct lease_answer *best)
{
    unsigned fit = 0;
    uint32_t g = l->place[place_hash(place) & l->place_mask];
    for (g = of_place(l, g, place); g; g = of_place(l, l->group[g].next, place)) {
        struct lease_answer a;
        if (!holds_port(&l->group[g], port) || !ask_group(l, &l->group[g], t_ms, &a))
            continue;
        int wider = (a.port_last - a.port_first) - (best->port_last - best->port_first);
        if (fit == 0 || wider < 0 || (wider == 0 && a.port_first < best->port_first))
            *best = a;
        fit++;
    }
    bool whole = fit > 0 && best->port_first == 0 && best->port_last == 65535;
    if (fit > 0 && port == 0 && !whole)
        best->doubts |= IDENTITY_NO_PORT;
    if (fit > 1 && port != 0 && blocks_collide(l, place, port, t_ms, best))
        best->doubts |= IDENTITY_OVERLAP;
    return fit > 0;
}

static struct lease_answer find_direct(const struct leases *l, const struct realm *realm,
                                       const struct ip_addr *addr, uint16_t port, int64_t t_ms)
{
    struct lease_answer a = {.confidence = IDENTITY_UNKNOWN, .port_last = 65535};
    struct span_key place = {0};
    if (l->count == 0 || !strings_find(l->strings, realm->name, &place.realm))
        return a;
    int six = addr->family == IP_V6;
    for (size_t i = 0; i < l->length_count[six]; i++) {
        place.prefix = prefix_of(addr, l->lengths[six][i]);
        if (ask_place(l, &place, port, t_ms, &a)) {
            judge(l, t_ms, &a);
            return a;
        }
    }
    return a;
}

struct lease_answer leases_find(const struct leases *l, const struct realm *realm,
                                const struct ip_addr *addr, uint16_t port, int64_t t_ms)
{
    struct cgnat_inside in;
    switch (l->cgnat ? cgnat_find(l->cgnat, realm, addr, port, t_ms, &in) : CGNAT_NOT) {
    case CGNAT_NO_PORT:
        return (struct lease_answer){
            .confidence = IDENTITY_AMBIGUOUS, .doubts = IDENTITY_NO_PORT, .port_last = 65535};
    case CGNAT_UNUSED: return (struct lease_answer){.port_last = 65535};
    case CGNAT_INSIDE: break;
    default: return find_direct(l, realm, addr, port, t_ms);
    }
    // The row is of the outside block, the party of the inside address.
    struct lease_answer a = find_direct(l, &in.realm, &in.addr, 0, t_ms);
    if (in.near_change || in.overlap) {
        a.doubts |= in.near_change ? IDENTITY_NEAR_CHANGE : 0;
        a.doubts |= in.overlap ? IDENTITY_OVERLAP : 0;
        a.confidence = IDENTITY_AMBIGUOUS;
    }
    a.port_first = in.port_first;
    a.port_last = in.port_last;
    return a;
}

static void set_text(char *out, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);
    memcpy(out, text, len);
}

int64_t leases_seen_ms(const struct leases *l, const struct lease_answer *a)
{
    if (a->lease == LEASES_NONE)
        return INT64_MAX;
    const struct lease_span *s = &l->span[a->lease];
    if (s->source != LEASE_RADIUS || s->interim_s == 0)
        return INT64_MAX;
    bool ended = s->until_ms != INT64_MAX && !s->lost_stop;
    return ended && s->until_ms > s->last_seen_ms ? s->until_ms : s->last_seen_ms;
}

uint16_t leases_unseen_min(const struct leases *l, const struct lease_answer *a, int64_t t_ms)
{
    int64_t seen_ms = leases_seen_ms(l, a);
    int64_t unseen = seen_ms < t_ms ? (t_ms - seen_ms + 59999) / 60000 : 0;
    return unseen < UINT16_MAX ? (uint16_t)unseen : UINT16_MAX;
}

struct identity leases_identity(const struct leases *l, const struct lease_answer *a,
                                const struct subscriber_key *key)
{
    struct identity id = {.confidence = a->confidence, .doubts = a->doubts};
    id.party = party_provisional(key);
    if (a->lease == LEASES_NONE)
        return id;
    assert(a->lease <= l->used);
    const struct lease_span *s = &l->span[a->lease];
    set_text(id.pop, sizeof id.pop, strings_get(l->strings, s->pop));
    set_text(id.network_class, sizeof id.network_class, strings_get(l->strings, s->network_class));
    id.source = s->source;
    if (a->confidence != IDENTITY_AMBIGUOUS &&
        party_parse(strings_get(l->strings, s->party), &id.party) == 0)
        id.lease_start_ms = s->start_ms;
    return id;
}

void leases_get(const struct leases *l, uint32_t lease, struct lease *out)
{
    assert(lease >= 1 && lease <= l->used);
    const struct lease_span *s = &l->span[lease];
    const struct span_key *k = &l->group[s->group].key;
    *out = (struct lease){.source = s->source,
                          .start_ms = s->start_ms,
                          .end_ms = s->until_ms == INT64_MAX ? 0 : s->until_ms,
                          .last_seen_ms = s->last_seen_ms,
                          .interim_ms = 1000 * (int64_t)s->interim_s};
    out->key.kind = SUBSCRIBER_ADDRESS;
    out->key.prefix = k->prefix;
    out->key.port_first = k->port_first;
    out->key.port_last = k->port_last;
    set_text(out->key.realm.name, REALM_MAX, strings_get(l->strings, k->realm));
    party_parse(strings_get(l->strings, s->party), &out->party);
    set_text(out->nas, sizeof out->nas, strings_get(l->strings, s->nas));
    set_text(out->pop, sizeof out->pop, strings_get(l->strings, s->pop));
    set_text(out->network_class, sizeof out->network_class,
             strings_get(l->strings, s->network_class));
}

static int window_of_group(const struct leases *l, const struct group *g, int64_t from_ms,
                           int64_t to_ms, leases_fn fn, void *ctx)
{
    uint32_t last = began_by(l, g, to_ms);
    for (uint32_t i = 0; i < last; i++) {
        if (span_at(l, g, i)->until_ms <= from_ms)
            continue;
        struct lease lease;
        leases_get(l, g->span[i], &lease);
        int rc = fn(&lease, ctx);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int window_of_place(const struct leases *l, const struct realm *realm,
                           const struct ip_addr *addr, uint16_t port, int64_t from_ms,
                           int64_t to_ms, leases_fn fn, void *ctx)
{
    struct span_key place = {0};
    if (!strings_find(l->strings, realm->name, &place.realm))
        return 0;
    int six = addr->family == IP_V6, rc = 0;
    for (size_t i = 0; i < l->length_count[six] && rc == 0; i++) {
        place.prefix = prefix_of(addr, l->lengths[six][i]);
        uint32_t g = l->place[place_hash(&place) & l->place_mask];
        for (g = of_place(l, g, &place); g && rc == 0; g = of_place(l, l->group[g].next, &place))
            if (holds_port(&l->group[g], port))
                rc = window_of_group(l, &l->group[g], from_ms, to_ms, fn, ctx);
    }
    return rc;
}

struct inside_window {
    const struct leases *leases;
    leases_fn fn;
    void *ctx;
};

static int window_inside(const struct realm *realm, const struct ip_addr *addr, int64_t from_ms,
                         int64_t to_ms, void *ctx)
{
    const struct inside_window *w = ctx;
    return window_of_place(w->leases, realm, addr, 0, from_ms, to_ms, w->fn, w->ctx);
}

int leases_window(const struct leases *l, const struct realm *realm, const struct ip_addr *addr,
                  uint16_t port, int64_t from_ms, int64_t to_ms, leases_fn fn, void *ctx)
{
    struct inside_window w = {l, fn, ctx};
    int rc = window_of_place(l, realm, addr, port, from_ms, to_ms, fn, ctx);
    if (rc >= 0 && l->cgnat)
        rc = cgnat_window(l->cgnat, realm, addr, port, from_ms, to_ms, window_inside, &w);
    return rc;
}

uint32_t leases_party(const struct leases *l, const struct lease_answer *a)
{
    if (a->lease == LEASES_NONE || a->confidence == IDENTITY_AMBIGUOUS)
        return 0;
    return l->span[a->lease].party;
}

int leases_pop_of(const struct leases *l, const struct lease_answer *a)
{
    return a->lease == LEASES_NONE ? -1 : l->span[a->lease].pop_index;
}
