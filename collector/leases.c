// The index: spans sorted by realm, prefix, port block and start; spans of one key are a group. A look-up
// tries the prefix lengths that occur, longest first.
#include "leases.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lease_churn.h"
#include "strings.h"

// How far back a lease that began earlier and still holds is looked for.
#define NESTED_MAX 16

struct span_key {
    uint32_t realm; // string
    struct ip_prefix prefix;
    uint16_t port_first, port_last;
};

// One lease, texts as numbers.
struct lease_span {
    struct span_key key;
    int64_t start_ms;
    int64_t end_ms; // INT64_MAX: open
    int64_t last_seen_ms, interim_ms;
    // Until when a lease of another party that began earlier holds the key too.
    int64_t overlap_until_ms;
    uint32_t party; // string, as party_format writes it
    uint32_t pop, network_class;
    int32_t pop_index; // into the sorted POPs; -1: none
    uint8_t source;
    bool lost_stop;
};

struct group { // spans of one key, in order of start
    uint32_t first, count;
};

struct leases {
    struct strings *strings;
    struct lease_span *span;
    size_t count, cap;
    struct group *group;
    size_t groups;
    uint8_t lengths[2][129]; // IPv4, IPv6: prefix lengths that occur, longest first
    size_t length_count[2];
    uint32_t *pop; // strings, sorted by text
    size_t pops;
    struct lease_churn **churn; // the site's, then one a POP
};

// ---- Order

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

// Realm, family, length, address: what a look-up knows.
static int compare_place(const struct span_key *a, const struct span_key *b)
{
    int order = compare_u64(a->realm, b->realm);
    if (order == 0)
        order = compare_u64(a->prefix.addr.family, b->prefix.addr.family);
    if (order == 0)
        order = compare_u64(a->prefix.len, b->prefix.len);
    return order ? order : memcmp(a->prefix.addr.octet, b->prefix.addr.octet, 16);
}

static int compare_key(const struct span_key *a, const struct span_key *b)
{
    int order = compare_place(a, b);
    if (order == 0)
        order = compare_u64(a->port_first, b->port_first);
    return order ? order : compare_u64(a->port_last, b->port_last);
}

static int compare_span(const void *a, const void *b)
{
    const struct lease_span *x = a, *y = b;
    int order = compare_key(&x->key, &y->key);
    if (order == 0)
        order = (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
    if (order == 0)
        order = (x->end_ms > y->end_ms) - (x->end_ms < y->end_ms);
    return order ? order : compare_u64(x->party, y->party);
}

// ---- Loading

static bool put_span(struct leases *l, const struct lease *in)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        struct lease_span *more = realloc(l->span, cap * sizeof *more);
        if (!more)
            return false;
        l->span = more;
        l->cap = cap;
    }
    char party[PARTY_TEXT_MAX];
    struct lease_span s = {
        .key = {.prefix = in->key.prefix,
                .port_first = in->key.port_first,
                .port_last = in->key.port_last},
        .start_ms = in->start_ms,
        .end_ms = in->end_ms ? in->end_ms : INT64_MAX,
        .last_seen_ms = in->last_seen_ms,
        .interim_ms = in->interim_ms,
        .overlap_until_ms = INT64_MIN,
        .source = in->source ? in->source : LEASE_CSV,
    };
    if (!strings_put(l->strings, in->key.realm.name, &s.key.realm) ||
        !strings_put(l->strings, party_format(&in->party, party), &s.party) ||
        !strings_put(l->strings, in->pop, &s.pop) ||
        !strings_put(l->strings, in->network_class, &s.network_class))
        return false;
    l->span[l->count++] = s;
    return true;
}

static bool is_heading(const char *line)
{
    return line[0] == '\0' || line[0] == '#' || strncmp(line, "realm,", 6) == 0;
}

static int load_lines(struct leases *l, FILE *in, const char *path, FILE *errors)
{
    char *line = NULL;
    size_t cap = 0;
    int number = 0, rc = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, in)) >= 0) {
        number++;
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        if (is_heading(line))
            continue;
        struct lease lease;
        char error[160];
        if (lease_parse_csv(line, &lease, error) < 0) {
            fprintf(errors, "%s:%d: %s\n", path, number, error);
            rc = -EINVAL;
        } else if (rc == 0 && !put_span(l, &lease)) {
            rc = -ENOMEM;
            break;
        }
    }
    if (rc == 0 && ferror(in))
        rc = -EIO;
    free(line);
    return rc;
}

// Ends that nobody reported, and leases that claim a key at the same time.
static void mend_group(struct lease_span *span, uint32_t count)
{
    for (uint32_t i = 0; i + 1 < count; i++)
        if (span[i].end_ms == INT64_MAX) {
            span[i].end_ms = span[i + 1].start_ms;
            span[i].lost_stop = span[i].party != span[i + 1].party;
        }
    // The latest end so far, and the latest of another party than that one's.
    int64_t best = INT64_MIN, other = INT64_MIN;
    uint32_t party = 0;
    for (uint32_t i = 0; i < count; i++) {
        span[i].overlap_until_ms = span[i].party == party ? other : best;
        if (span[i].party == party) {
            best = span[i].end_ms > best ? span[i].end_ms : best;
        } else if (span[i].end_ms > best) {
            other = best;
            best = span[i].end_ms;
            party = span[i].party;
        } else if (span[i].end_ms > other) {
            other = span[i].end_ms;
        }
    }
}

static int make_groups(struct leases *l)
{
    if (l->count > 1)
        qsort(l->span, l->count, sizeof *l->span, compare_span);
    l->group = calloc(l->count ? l->count : 1, sizeof *l->group);
    if (!l->group)
        return -ENOMEM;
    bool used[2][129] = {{false}};
    for (size_t i = 0; i < l->count; i++) {
        const struct span_key *k = &l->span[i].key;
        if (i == 0 || compare_key(&l->span[i - 1].key, k) != 0)
            l->group[l->groups++].first = (uint32_t)i;
        l->group[l->groups - 1].count++;
        used[k->prefix.addr.family == IP_V6][k->prefix.len] = true;
    }
    for (size_t g = 0; g < l->groups; g++)
        mend_group(l->span + l->group[g].first, l->group[g].count);
    for (int six = 0; six < 2; six++)
        for (int len = 128; len >= 0; len--)
            if (used[six][len])
                l->lengths[six][l->length_count[six]++] = (uint8_t)len;
    return 0;
}

static int find_pop(const struct leases *l, const char *name, size_t *at)
{
    size_t low = 0, high = l->pops;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(strings_get(l->strings, l->pop[mid]), name);
        if (order == 0) {
            *at = mid;
            return 1;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *at = low;
    return 0;
}

static int list_pops(struct leases *l)
{
    size_t cap = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *name = strings_get(l->strings, l->span[i].pop);
        size_t at;
        if (name[0] == '\0' || find_pop(l, name, &at))
            continue;
        if (l->pops == cap) {
            cap = 2 * cap + 16;
            uint32_t *more = realloc(l->pop, cap * sizeof *more);
            if (!more)
                return -ENOMEM;
            l->pop = more;
        }
        memmove(l->pop + at + 1, l->pop + at, (l->pops - at) * sizeof *l->pop);
        l->pop[at] = l->span[i].pop;
        l->pops++;
    }
    return 0;
}

static int make_churn(struct leases *l)
{
    l->churn = calloc(l->pops + 1, sizeof(struct lease_churn *));
    if (!l->churn)
        return -ENOMEM;
    for (size_t i = 0; i <= l->pops; i++)
        if (!(l->churn[i] = lease_churn_new()))
            return -ENOMEM;
    for (size_t i = 0; i < l->count; i++) {
        struct lease_span *s = &l->span[i];
        size_t pop;
        bool known = find_pop(l, strings_get(l->strings, s->pop), &pop);
        s->pop_index = known ? (int32_t)pop : -1;
        if (!lease_churn_add(l->churn[0], s->start_ms, s->end_ms) ||
            (known && !lease_churn_add(l->churn[pop + 1], s->start_ms, s->end_ms)))
            return -ENOMEM;
    }
    for (size_t i = 0; i <= l->pops; i++)
        if (!lease_churn_freeze(l->churn[i]))
            return -ENOMEM;
    return 0;
}

static int load(struct leases *l, const char *path, FILE *errors)
{
    int rc = 0;
    if (path) {
        FILE *in = fopen(path, "re");
        if (!in)
            return -errno;
        rc = load_lines(l, in, path, errors);
        fclose(in);
    }
    if (rc == 0)
        rc = make_groups(l);
    if (rc == 0)
        rc = list_pops(l);
    if (rc == 0)
        rc = make_churn(l);
    return rc;
}

int leases_load(const char *path, FILE *errors, struct leases **out)
{
    struct leases *l = calloc(1, sizeof *l);
    if (l)
        l->strings = strings_new();
    int rc = l && l->strings ? load(l, path, errors) : -ENOMEM;
    if (rc < 0) {
        if (rc != -EINVAL)
            fprintf(errors, "%s: %s\n", path ? path : "leases", strerror(-rc));
        leases_free(l);
        return rc;
    }
    *out = l;
    return 0;
}

void leases_free(struct leases *l)
{
    if (!l)
        return;
    for (size_t i = 0; l->churn && i <= l->pops; i++)
        lease_churn_free(l->churn[i]);
    free(l->churn);
    strings_free(l->strings);
    free(l->span);
    free(l->group);
    free(l->pop);
    free(l);
}

size_t leases_count(const struct leases *l)
{
    return l->count;
}

// ---- Looking up

// What is known of the key at `t_ms` from one group. False: no lease then.
static bool ask_group(const struct leases *l, const struct group *g, int64_t t_ms,
                      struct lease_answer *a)
{
    const struct lease_span *span = l->span + g->first;
    uint32_t low = 0, high = g->count; // the last that began
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (span[mid].start_ms <= t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    // It may be over while one that began before it is not.
    const struct lease_span *s = NULL;
    for (uint32_t i = low; i > 0 && i + NESTED_MAX > low && !s; i--)
        if (t_ms < span[i - 1].end_ms)
            s = &span[i - 1];
    if (!s)
        return false;
    uint32_t at = (uint32_t)(s - span);
    *a = (struct lease_answer){
        .lease = g->first + at + 1, .port_first = s->key.port_first, .port_last = s->key.port_last};
    if (t_ms < s->overlap_until_ms)
        a->doubts |= IDENTITY_OVERLAP;
    bool another_before = at > 0 && s[-1].party != s->party &&
                          t_ms - s[-1].end_ms < LEASES_NEAR_CHANGE_MS;
    bool another_soon = at + 1 < g->count && s[1].party != s->party &&
                        s[1].start_ms - t_ms <= LEASES_NEAR_CHANGE_MS;
    if (another_before || another_soon)
        a->doubts |= IDENTITY_NEAR_CHANGE;
    if (s->lost_stop && t_ms > s->last_seen_ms)
        a->doubts |= IDENTITY_LOST_STOP;
    return true;
}

static void judge(const struct leases *l, int64_t t_ms, struct lease_answer *a)
{
    const struct lease_span *s = &l->span[a->lease - 1];
    // What a stop has ended was alive until then; what nobody ended must be seen again and again.
    bool ended = s->end_ms != INT64_MAX && !s->lost_stop;
    bool stale = !ended && s->interim_ms > 0 && t_ms - s->last_seen_ms > 2 * s->interim_ms;
    if (s->pop_index >= 0 && lease_churn_reboot(l->churn[s->pop_index + 1], t_ms))
        a->doubts |= IDENTITY_BNG_REBOOT;
    if (a->doubts & (IDENTITY_OVERLAP | IDENTITY_NEAR_CHANGE | IDENTITY_NO_PORT))
        a->confidence = IDENTITY_AMBIGUOUS;
    else if (stale)
        a->confidence = IDENTITY_STALE;
    else
        a->confidence = a->doubts ? IDENTITY_LIKELY : IDENTITY_CERTAIN;
}

// Groups of one prefix. Of those whose port block holds `port` the narrowest with a lease is taken; with
// port blocks and no port any of them may be it.
static bool ask_place(const struct leases *l, const struct span_key *place, uint16_t port,
                      int64_t t_ms, struct lease_answer *best)
{
    size_t low = 0, high = l->groups;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (compare_place(&l->span[l->group[mid].first].key, place) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    unsigned fit = 0;
    for (size_t i = low; i < l->groups; i++) {
        const struct span_key *k = &l->span[l->group[i].first].key;
        struct lease_answer a;
        if (compare_place(k, place) != 0)
            break;
        if (port != 0 && (port < k->port_first || port > k->port_last))
            continue;
        if (!ask_group(l, &l->group[i], t_ms, &a))
            continue;
        if (fit == 0 || a.port_last - a.port_first < best->port_last - best->port_first)
            *best = a;
        fit++;
    }
    bool whole = fit > 0 && best->port_first == 0 && best->port_last == 65535;
    if (fit > 0 && port == 0 && !whole)
        best->doubts |= IDENTITY_NO_PORT;
    return fit > 0;
}

struct lease_answer leases_find(const struct leases *l, const struct realm *realm,
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

static void set_text(char *out, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);
    memcpy(out, text, len);
}

struct identity leases_identity(const struct leases *l, const struct lease_answer *a,
                                const struct subscriber_key *key)
{
    struct identity id = {.confidence = a->confidence, .doubts = a->doubts};
    id.party = party_provisional(key);
    if (a->lease == LEASES_NONE)
        return id;
    assert(a->lease <= l->count);
    const struct lease_span *s = &l->span[a->lease - 1];
    set_text(id.pop, sizeof id.pop, strings_get(l->strings, s->pop));
    set_text(id.network_class, sizeof id.network_class, strings_get(l->strings, s->network_class));
    id.source = s->source;
    if (a->confidence != IDENTITY_AMBIGUOUS &&
        party_parse(strings_get(l->strings, s->party), &id.party) == 0)
        id.lease_start_ms = s->start_ms;
    return id;
}

uint32_t leases_party(const struct leases *l, const struct lease_answer *a)
{
    if (a->lease == LEASES_NONE || a->confidence == IDENTITY_AMBIGUOUS)
        return 0;
    return l->span[a->lease - 1].party;
}

int leases_pop_of(const struct leases *l, const struct lease_answer *a)
{
    return a->lease == LEASES_NONE ? -1 : l->span[a->lease - 1].pop_index;
}

size_t leases_pops(const struct leases *l)
{
    return l->pops;
}

const char *leases_pop(const struct leases *l, size_t pop)
{
    assert(pop < l->pops);
    return strings_get(l->strings, l->pop[pop]);
}

void leases_churn(const struct leases *l, int pop, int64_t t_ms, uint32_t *open, uint32_t *changes)
{
    assert(pop >= -1 && pop < (int)l->pops);
    lease_churn_at(l->churn[pop + 1], t_ms, open, changes);
}
