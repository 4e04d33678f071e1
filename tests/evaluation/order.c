// Sorting events. See order.h. There are millions and few lines: first to their lines, then within each.
#include "order.h"

#include <stdlib.h>
#include <string.h>

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    return (x->what > y->what) - (x->what < y->what);
}

static void *grown(void *old, size_t *cap, size_t want, size_t size)
{
    if (want <= *cap)
        return old;
    void *more = realloc(old, want * 2 * size);
    if (!more)
        exit(1);
    *cap = want * 2;
    return more;
}

void order_events(struct order *o, struct event *event, size_t count)
{
    size_t lines = 0;
    for (size_t i = 0; i < count; i++)
        lines = event[i].line >= lines ? event[i].line + 1 : lines;
    if (count == 0)
        return;
    o->spare = grown(o->spare, &o->spare_cap, count, sizeof *o->spare);
    o->place = grown(o->place, &o->place_cap, lines + 1, sizeof *o->place);
    memset(o->place, 0, (lines + 1) * sizeof *o->place);
    for (size_t i = 0; i < count; i++)
        o->place[event[i].line + 1]++;
    for (size_t l = 0; l < lines; l++)
        o->place[l + 1] += o->place[l];
    memcpy(o->spare, event, count * sizeof *event);
    for (size_t i = 0; i < count; i++)
        event[o->place[o->spare[i].line]++] = o->spare[i];
    // Each place is now where the next line begins.
    for (size_t l = 0, from = 0; l < lines; from = o->place[l++])
        qsort(&event[from], o->place[l] - from, sizeof *event, by_time);
}

void order_fini(struct order *o)
{
    free(o->spare);
    free(o->place);
    *o = (struct order){0};
}
