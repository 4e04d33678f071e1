// Interned texts: a pool of octets, the place of each number, and an open-addressing table to find them by.
#include "strings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct strings {
    char *pool;
    size_t used, pool_cap;
    size_t *at; // by number
    uint32_t count, cap;
    uint32_t *slot; // number + 1; 0: free
    uint32_t mask;
};

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 0x100000001b3u;
    return h ^ h >> 29;
}

static uint32_t *find(const struct strings *s, const char *text)
{
    uint32_t i = (uint32_t)hash(text) & s->mask;
    while (s->slot[i] && strcmp(s->pool + s->at[s->slot[i] - 1], text) != 0)
        i = (i + 1) & s->mask;
    return &s->slot[i];
}

static bool grow_table(struct strings *s)
{
    uint32_t mask = s->mask ? 2 * s->mask + 1 : 63;
    uint32_t *slot = calloc((size_t)mask + 1, sizeof *slot);
    if (!slot)
        return false;
    free(s->slot);
    s->slot = slot;
    s->mask = mask;
    for (uint32_t n = 0; n < s->count; n++)
        *find(s, s->pool + s->at[n]) = n + 1;
    return true;
}

static bool grow_pool(struct strings *s, size_t len)
{
    if (s->used + len > s->pool_cap) {
        size_t cap = 2 * s->pool_cap + len + 1024;
        char *pool = realloc(s->pool, cap);
        if (!pool)
            return false;
        s->pool = pool;
        s->pool_cap = cap;
    }
    if (s->count == s->cap) {
        uint32_t cap = 2 * s->cap + 32;
        size_t *at = realloc(s->at, cap * sizeof *at);
        if (!at)
            return false;
        s->at = at;
        s->cap = cap;
    }
    return true;
}

struct strings *strings_new(void)
{
    struct strings *s = calloc(1, sizeof *s);
    uint32_t number;
    if (s && grow_table(s) && strings_put(s, "", &number))
        return s;
    strings_free(s);
    return NULL;
}

void strings_free(struct strings *s)
{
    if (!s)
        return;
    free(s->pool);
    free(s->at);
    free(s->slot);
    free(s);
}

bool strings_put(struct strings *s, const char *text, uint32_t *number)
{
    uint32_t *slot = find(s, text);
    if (*slot == 0) {
        size_t len = strlen(text) + 1;
        if (s->count >= s->mask / 2 + 1) {
            if (!grow_table(s))
                return false;
            slot = find(s, text);
        }
        if (!grow_pool(s, len))
            return false;
        memcpy(s->pool + s->used, text, len);
        s->at[s->count] = s->used;
        s->used += len;
        *slot = ++s->count;
    }
    *number = *slot - 1;
    return true;
}

bool strings_find(const struct strings *s, const char *text, uint32_t *number)
{
    uint32_t slot = *find(s, text);
    if (slot == 0)
        return false;
    *number = slot - 1;
    return true;
}

const char *strings_get(const struct strings *s, uint32_t number)
{
    assert(number < s->count);
    return s->pool + s->at[number];
}
