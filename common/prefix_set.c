// The prefix set of addr.h: per family a sorted array in which each prefix knows the next shorter one
// that holds it. A look-up finds the last prefix not behind the address by bisection and climbs
// until one holds it; prefixes nest at most 128 deep and in practice two or three. Freezing needs no
// memory but for the index of a large set, which is right without it: the span of its addresses in
// equal parts, about as many as prefixes, each with the first prefix that begins in it or behind.
#include "common/addr.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define NO_PARENT  UINT32_MAX
#define INDEX_FROM 1024 // prefixes from which the index pays
#define PARTS_MAX  ((size_t)1 << 20)

struct entry {
    uint64_t hi, lo; // the address, IPv4 in the top half of `hi`
    uint32_t value;
    uint32_t parent;
    uint8_t len;
};

struct table {
    struct entry *entry;
    size_t count, cap;
    uint32_t *part; // parts + 1 numbers of entries; NULL: no index
    size_t parts;
    unsigned shift; // (hi - first entry's hi) >> shift is the number of a part
};

struct prefix_set {
    struct table v4, v6;
    bool frozen;
};

static uint64_t load_be(const uint8_t *octet, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | octet[i];
    return v;
}

static struct entry entry_of(const struct ip_addr *a, uint8_t len)
{
    struct entry e = {.parent = NO_PARENT, .len = len};
    if (a->family == IP_V4) {
        e.hi = load_be(a->octet, 4) << 32;
    } else {
        e.hi = load_be(a->octet, 8);
        e.lo = load_be(a->octet + 8, 8);
    }
    return e;
}

// True when the first `len` bits of both are the same.
static bool same_bits(const struct entry *a, const struct entry *b, uint8_t len)
{
    if (len == 0)
        return true;
    if (len <= 64)
        return (a->hi ^ b->hi) >> (64 - len) == 0;
    return a->hi == b->hi && (len == 64 || (a->lo ^ b->lo) >> (128 - len) == 0);
}

struct prefix_set *prefix_set_new(void)
{
    return calloc(1, sizeof(struct prefix_set));
}

void prefix_set_free(struct prefix_set *s)
{
    if (!s)
        return;
    free(s->v4.entry);
    free(s->v4.part);
    free(s->v6.entry);
    free(s->v6.part);
    free(s);
}

int prefix_set_add(struct prefix_set *s, const struct ip_prefix *p, uint32_t value)
{
    assert(!s->frozen && p->addr.family != IP_NONE);
    struct table *t = p->addr.family == IP_V4 ? &s->v4 : &s->v6;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 16;
        struct entry *e = cap < NO_PARENT ? reallocarray(t->entry, cap, sizeof *e) : NULL;
        if (!e)
            return -ENOMEM;
        t->entry = e;
        t->cap = cap;
    }
    struct entry e = entry_of(&p->addr, p->len);
    e.value = value;
    e.parent = (uint32_t)t->count; // until the set is frozen: the order of adding
    t->entry[t->count++] = e;
    return 0;
}

// By address, the shorter prefix first; the same prefix by the order of adding.
static int entry_compare(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->hi != b->hi)
        return a->hi < b->hi ? -1 : 1;
    if (a->lo != b->lo)
        return a->lo < b->lo ? -1 : 1;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return (a->parent > b->parent) - (a->parent < b->parent);
}

static bool same_prefix(const struct entry *a, const struct entry *b)
{
    return a->hi == b->hi && a->lo == b->lo && a->len == b->len;
}

static void table_freeze(struct table *t)
{
    if (t->count == 0)
        return;
    qsort(t->entry, t->count, sizeof *t->entry, entry_compare);
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        // Of the same prefix added twice the later value stays.
        if (kept > 0 && same_prefix(&t->entry[kept - 1], &t->entry[i]))
            kept--;
        t->entry[kept++] = t->entry[i];
    }
    t->count = kept;
    for (size_t i = 0; i < t->count; i++) {
        struct entry *e = &t->entry[i];
        uint32_t up = i > 0 ? (uint32_t)(i - 1) : NO_PARENT;
        while (up != NO_PARENT && !same_bits(&t->entry[up], e, t->entry[up].len))
            up = t->entry[up].parent;
        e->parent = up;
    }
}

static size_t part_of(const struct table *t, uint64_t hi)
{
    return (size_t)((hi - t->entry[0].hi) >> t->shift);
}

static void table_index(struct table *t)
{
    if (t->count < INDEX_FROM)
        return;
    size_t most = t->count < PARTS_MAX ? t->count : PARTS_MAX;
    while (part_of(t, t->entry[t->count - 1].hi) >= most)
        t->shift++;
    t->parts = part_of(t, t->entry[t->count - 1].hi) + 1;
    t->part = calloc(t->parts + 1, sizeof *t->part);
    if (!t->part)
        return;
    size_t at = 0;
    for (size_t i = 0; i <= t->parts; i++) {
        while (at < t->count && part_of(t, t->entry[at].hi) < i)
            at++;
        t->part[i] = (uint32_t)at;
    }
}

void prefix_set_freeze(struct prefix_set *s)
{
    assert(!s->frozen);
    s->frozen = true;
    table_freeze(&s->v4);
    table_freeze(&s->v6);
    table_index(&s->v4);
    table_index(&s->v6);
}

size_t prefix_set_count(const struct prefix_set *s)
{
    return s->v4.count + s->v6.count;
}

// The last entry whose address is not behind the key's, or NO_PARENT.
static uint32_t last_not_behind(const struct table *t, const struct entry *key)
{
    if (t->count == 0 || key->hi < t->entry[0].hi)
        return NO_PARENT;
    // Entries before `low` are not behind the address, those from `high` on are.
    size_t low = 0, high = t->count;
    if (t->part) {
        size_t part = part_of(t, key->hi);
        low = part < t->parts ? t->part[part] : t->count;
        high = part < t->parts ? t->part[part + 1] : t->count;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct entry *e = &t->entry[mid];
        if (e->hi < key->hi || (e->hi == key->hi && e->lo <= key->lo))
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? (uint32_t)(low - 1) : NO_PARENT;
}

bool prefix_set_find(const struct prefix_set *s, const struct ip_addr *a, uint32_t *value)
{
    assert(s->frozen);
    if (a->family == IP_NONE)
        return false;
    const struct table *t = a->family == IP_V4 ? &s->v4 : &s->v6;
    struct entry key = entry_of(a, 0);
    for (uint32_t i = last_not_behind(t, &key); i != NO_PARENT; i = t->entry[i].parent) {
        if (same_bits(&t->entry[i], &key, t->entry[i].len)) {
            if (value)
                *value = t->entry[i].value;
            return true;
        }
    }
    return false;
}

int prefix_set_add_private(struct prefix_set *s, uint32_t value)
{
    static const char *const ranges[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                         "100.64.0.0/10", "fc00::/7"};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct ip_prefix p;
        int rc = prefix_parse(ranges[i], &p);
        assert(rc == 0);
        if ((rc = prefix_set_add(s, &p, value)) != 0)
            return rc;
    }
    return 0;
}
