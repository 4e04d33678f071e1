// A chained hash table over a fixed array. Places nobody holds stand in a list, oldest first, from
// which new values are served when no place is left that was never used.
#include "intern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

struct place { // a cache line
    struct intern_value value;
    uint32_t held;
    uint32_t hash_next; // number; 0 ends
    uint32_t older, newer;
};

_Static_assert(sizeof(struct place) == 64, "one line is fetched");

struct intern {
    struct place *place; // [0] is the empty value and the list's anchor
    uint32_t *head;
    size_t mask;
    size_t count;
    uint32_t fresh;   // places from here on were never used
    uint32_t last[2]; // what was asked last, and before: packets come in trains, of either family
    uint64_t refused;
};

struct intern *intern_new(size_t count)
{
    struct intern *t = calloc(1, sizeof *t);
    size_t heads = 1;
    while (heads < count * 2)
        heads *= 2;
    if (!t || !(t->place = table_new(count + 1, sizeof *t->place, TABLE_FROM_THE_FRONT)) ||
        !(t->head = calloc(heads, sizeof *t->head))) {
        intern_free(t);
        return NULL;
    }
    t->mask = heads - 1;
    t->fresh = 1;
    t->count = count;
    return t;
}

void intern_free(struct intern *t)
{
    if (!t)
        return;
    table_free(t->place);
    free(t->head);
    free(t);
}

static uint32_t hash_of(const struct intern_value *v)
{
    uint64_t h = 0x243f6a8885a308d3u;
    for (size_t i = 0; i < INTERN_SIZE; i += 8) {
        uint64_t word;
        memcpy(&word, v->octet + i, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

static void list_out(struct intern *t, uint32_t n)
{
    t->place[t->place[n].older].newer = t->place[n].newer;
    t->place[t->place[n].newer].older = t->place[n].older;
}

// As the newest of those nobody holds.
static void list_in(struct intern *t, uint32_t n)
{
    uint32_t newest = t->place[0].older;
    t->place[n].older = newest;
    t->place[n].newer = 0;
    t->place[newest].newer = n;
    t->place[0].older = n;
}

static void unlink_hash(struct intern *t, uint32_t n)
{
    uint32_t *link = &t->head[hash_of(&t->place[n].value) & t->mask];
    while (*link != n)
        link = &t->place[*link].hash_next;
    *link = t->place[n].hash_next;
}

static uint32_t remember(struct intern *t, uint32_t n)
{
    t->last[1] = t->last[0];
    return t->last[0] = n;
}

uint32_t intern_get(struct intern *t, const struct intern_value *value)
{
    for (unsigned i = 0; i < 2; i++)
        if (t->last[i] && memcmp(&t->place[t->last[i]].value, value, sizeof *value) == 0)
            return t->last[i];
    uint32_t hash = hash_of(value);
    uint32_t *head = &t->head[hash & t->mask];
    for (uint32_t n = *head; n != 0; n = t->place[n].hash_next)
        if (memcmp(&t->place[n].value, value, sizeof *value) == 0)
            return remember(t, n);
    uint32_t n = t->place[0].newer;
    if (t->fresh <= t->count) {
        n = t->fresh++;
    } else if (n != 0) {
        unlink_hash(t, n);
        list_out(t, n);
    } else {
        t->refused++;
        return 0;
    }
    list_in(t, n);
    struct place *p = &t->place[n];
    p->value = *value;
    p->hash_next = *head;
    *head = n;
    return remember(t, n);
}

void intern_hold(struct intern *t, uint32_t number)
{
    if (number != 0 && t->place[number].held++ == 0)
        list_out(t, number);
}

void intern_drop(struct intern *t, uint32_t number)
{
    if (number == 0)
        return;
    assert(t->place[number].held > 0);
    if (--t->place[number].held == 0)
        list_in(t, number);
}

const struct intern_value *intern_value(const struct intern *t, uint32_t number)
{
    return &t->place[number].value;
}

uint64_t intern_refused(const struct intern *t)
{
    return t->refused;
}
