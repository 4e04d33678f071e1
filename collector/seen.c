// Open addressing, doubled at three quarters.
#include "seen.h"

#include <stdlib.h>

struct seen {
    uint64_t *slot; // 0: free
    size_t mask, count;
};

struct seen *seen_new(void)
{
    struct seen *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->mask = 1023;
    s->slot = calloc(s->mask + 1, sizeof *s->slot);
    if (s->slot)
        return s;
    free(s);
    return NULL;
}

void seen_free(struct seen *s)
{
    if (!s)
        return;
    free(s->slot);
    free(s);
}

static uint64_t *place(uint64_t *slot, size_t mask, uint64_t hash)
{
    size_t i = (size_t)hash & mask;
    while (slot[i] && slot[i] != hash)
        i = (i + 1) & mask;
    return &slot[i];
}

static bool grow(struct seen *s)
{
    size_t mask = 2 * s->mask + 1;
    uint64_t *slot = calloc(mask + 1, sizeof *slot);
    if (!slot)
        return false;
    for (size_t i = 0; i <= s->mask; i++)
        if (s->slot[i])
            *place(slot, mask, s->slot[i]) = s->slot[i];
    free(s->slot);
    s->slot = slot;
    s->mask = mask;
    return true;
}

bool seen_add(struct seen *s, uint64_t hash)
{
    hash = hash ? hash : 1;
    uint64_t *at = place(s->slot, s->mask, hash);
    if (*at)
        return false;
    if (s->count >= s->mask / 4 * 3) {
        if (!grow(s))
            return true;
        at = place(s->slot, s->mask, hash);
    }
    *at = hash;
    s->count++;
    return true;
}
