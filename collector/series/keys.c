// An open-addressing index over an array of keys, so that a writer goes through all of them in order.
#include "series/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int series_keys_init(struct series_keys *t, size_t max)
{
    *t = (struct series_keys){.max = max, .slots = 1024};
    t->slot = calloc(t->slots, sizeof *t->slot);
    return t->slot ? 0 : -ENOMEM;
}

void series_keys_fini(struct series_keys *t, struct distinct_budget *budget)
{
    for (size_t i = 0; i < t->count; i++) {
        struct series_key *k = t->key[i];
        for (size_t m = 0; m < k->count; m++)
            series_minute_fini(&k->minute[m], budget);
        free(k->minute);
        free(k);
    }
    free(t->key);
    free(t->slot);
    *t = (struct series_keys){0};
}

static uint64_t name_hash(enum series_kind kind, const char *name)
{
    uint64_t h = 14695981039346656037u ^ (uint64_t)kind; // FNV-1a; names are our own, not hostile
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211u;
    return h ^ h >> 32;
}

static size_t find_slot(const struct series_keys *t, uint64_t hash, enum series_kind kind,
                        const char *name)
{
    size_t at = (size_t)hash & (t->slots - 1);
    while (t->slot[at] != 0) {
        const struct series_key *k = t->key[t->slot[at] - 1];
        if (k->hash == hash && k->kind == kind && strcmp(k->name, name) == 0)
            break;
        at = (at + 1) & (t->slots - 1);
    }
    return at;
}

static void fill_slots(struct series_keys *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct series_key *k = t->key[i];
        t->slot[find_slot(t, k->hash, k->kind, k->name)] = (uint32_t)i + 1;
    }
}

static bool grow_slots(struct series_keys *t)
{
    size_t slots = t->slots * 2;
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (!slot)
        return false;
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    fill_slots(t);
    return true;
}

static bool room_for_one(struct series_keys *t)
{
    if (t->count >= t->max || t->count >= UINT32_MAX - 1)
        return false;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        struct series_key **key = realloc(t->key, cap * sizeof(struct series_key *));
        if (!key)
            return false;
        t->key = key;
        t->cap = cap;
    }
    return t->count * 2 < t->slots || grow_slots(t);
}

struct series_key *series_keys_get(struct series_keys *t, enum series_kind kind, const char *name)
{
    uint64_t hash = name_hash(kind, name);
    size_t at = find_slot(t, hash, kind, name);
    if (t->slot[at] != 0)
        return t->key[t->slot[at] - 1];
    if (!room_for_one(t))
        return NULL;
    size_t len = strlen(name) + 1;
    struct series_key *k = calloc(1, sizeof *k + len);
    if (!k)
        return NULL;
    k->kind = (uint8_t)kind;
    k->hash = hash;
    memcpy(k->name, name, len);
    t->key[t->count++] = k;
    t->slot[find_slot(t, hash, kind, name)] = (uint32_t)t->count;
    return k;
}

size_t series_keys_evict(struct series_keys *t, struct distinct_budget *budget)
{
    size_t kept = 0, target = t->max - t->max / 4, over = t->count > target ? t->count - target : 0;
    size_t evicted = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct series_key *k = t->key[i];
        if (evicted == over || k->earned || k->queued || k->file == SERIES_FILE_THERE) {
            t->key[kept++] = k;
            continue;
        }
        series_key_drop(k, k->count, budget);
        free(k);
        evicted++;
    }
    t->count = kept;
    memset(t->slot, 0, t->slots * sizeof *t->slot);
    fill_slots(t);
    return evicted;
}

struct series_minute *series_key_minute(struct series_key *k, int64_t minute)
{
    uint32_t at = k->count;
    while (at > 0 && k->minute[at - 1].minute > minute)
        at--;
    if (at > 0 && k->minute[at - 1].minute == minute)
        return &k->minute[at - 1];
    if (k->count == k->cap) {
        uint32_t cap = k->cap ? k->cap * 2 : 2;
        struct series_minute *m = realloc(k->minute, cap * sizeof *m);
        if (!m)
            return NULL;
        k->minute = m;
        k->cap = cap;
    }
    memmove(&k->minute[at + 1], &k->minute[at], (k->count - at) * sizeof *k->minute);
    k->minute[at] = (struct series_minute){.minute = minute};
    k->count++;
    return &k->minute[at];
}

void series_key_drop(struct series_key *k, size_t n, struct distinct_budget *budget)
{
    for (size_t i = 0; i < n; i++)
        series_minute_fini(&k->minute[i], budget);
    k->count -= (uint32_t)n;
    if (k->count == 0) {
        free(k->minute);
        k->minute = NULL;
        k->cap = 0;
        return;
    }
    memmove(k->minute, k->minute + n, k->count * sizeof *k->minute);
}
