// Leases that go: too old, or no longer in the file that had them.
#include <stdlib.h>

#include "lease_index.h"

static void unlink_session(struct leases *l, uint32_t s)
{
    if (l->span[s].session == 0)
        return;
    uint32_t *link = &l->session[l->span[s].session & l->session_mask];
    while (*link != s)
        link = &l->span[*link].session_next;
    *link = l->span[s].session_next;
}

void group_take_out(struct group *g, uint32_t at)
{
    memmove(g->span + at, g->span + at + 1, (g->count - at - 1) * sizeof *g->span);
    g->count--;
}

void take_out_span(struct leases *l, uint32_t s)
{
    struct group *g = &l->group[l->span[s].group];
    uint32_t at = 0;
    while (g->span[at] != s)
        at++;
    group_take_out(g, at);
    unlink_session(l, s);
    l->span[s].session = 0;
    l->span[s].used = false;
    l->span[s].session_next = l->gone[0];
    l->gone[0] = s;
    l->count--;
}

static void free_gone(struct leases *l)
{
    for (uint32_t s = l->gone[1], next; s; s = next) {
        next = l->span[s].session_next;
        l->span[s].group = l->free;
        l->free = s;
    }
    l->gone[1] = l->gone[0];
    l->gone[0] = 0;
}

void leases_forget(struct leases *l, int64_t before_ms)
{
    free_gone(l);
    for (uint32_t i = 1; i <= l->groups; i++) {
        struct group *g = &l->group[i];
        for (uint32_t at = g->count; at > 0; at--) {
            uint32_t s = g->span[at - 1];
            if (l->span[s].until_ms >= before_ms)
                continue;
            unlink_session(l, s);
            group_take_out(g, at - 1);
            l->span[s].used = false;
            l->span[s].group = l->free;
            l->free = s;
            l->count--;
        }
        if (g->count == 0) { // its key may come back: only the memory behind it goes
            free(g->span);
            g->span = NULL;
            g->cap = 0;
        }
    }
    for (size_t p = 0; p <= l->pops; p++)
        lease_churn_forget(l->churn[p], before_ms);
}
