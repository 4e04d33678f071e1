// The prefix set of addr.h: per family a sorted array in which each prefix knows the next shorter one
// that holds it. A look-up finds the last prefix not behind the address by bisection and climbs
// until one holds it; prefixes nest at most 128 deep and in practice two or three. Freezing needs no
// memory but for an index of the top 16 bits, which a large set of IPv4 prefixes does better with and
// can do without.
#include "common/addr.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define NO_PARENT  UINT32_MAX
#define INDEX_FROM 1024 // prefixes from which the index pays

struct entry {
    uint64_t hi, lo; // the address, IPv4 in the top half of `hi`
    uint32_t value;
    uint32_t parent;
    uint8_t len;
};

struct table {
    struct entry *entry;
    size_t count, cap;
    uint32_t *top; // 65537 numbers: top[h] is the first entry whose top 16 bits are h or more
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
    free(s->v4.top);
    free(s->v6.entry);
    free(s->v6.top);
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

static void table_index(struct table *t)
{
    t->top = calloc(65537, sizeof *t->top);
    if (!t->top)
        return;
    size_t at = 0;
    for (size_t h = 0; h <= 65536; h++) {
        while (at < t->count && t->entry[at].hi >> 48 < h)
            at++;
        t->top[h] = (uint32_t)at;
    }
}

void prefix_set_freeze(struct prefix_set *s)
{
    assert(!s->frozen);
    s->frozen = true;
    table_freeze(&s->v4);
    table_freeze(&s->v6);
    if (s->v4.count >= INDEX_FROM)
        table_index(&s->v4);
}

size_t prefix_set_count(const struct prefix_set *s)
{
    return s->v4.count + s->v6.count;
}

bool prefix_set_find(const struct prefix_set *s, const struct ip_addr *a, uint32_t *value)
{
    assert(s->frozen);
    if (a->family == IP_NONE)
        return false;
    const struct table *t = a->family == IP_V4 ? &s->v4 : &s->v6;
    struct entry key = entry_of(a, 0);
    // Entries before `low` are not behind the address, those from `high` on are.
    size_t low = 0, high = t->count;
    if (t->top) {
        low = t->top[key.hi >> 48];
        high = t->top[(key.hi >> 48) + 1];
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct entry *e = &t->entry[mid];
        if (e->hi < key.hi || (e->hi == key.hi && e->lo <= key.lo))
            low = mid + 1;
        else
            high = mid;
    }
    for (uint32_t i = low > 0 ? (uint32_t)(low - 1) : NO_PARENT; i != NO_PARENT;
         i = t->entry[i].parent) {
        const struct entry *e = &t->entry[i];
        if (same_bits(e, &key, e->len)) {
            if (value)
                *value = e->value;
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
