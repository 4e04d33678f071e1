// Open addressing on powers of two; what is an hour old counts as free. At the full size the oldest of the
// few slots looked at gives way.
#include "destinations.h"

#include <stdlib.h>

#define PROBES 8

struct destination {
    uint32_t print; // 0: free
    uint32_t minute;
};

static uint32_t print_of(uint64_t peer)
{
    uint32_t p = (uint32_t)(peer >> 32);
    return p ? p : 1;
}

static bool lives(const struct destination *s, uint32_t minute)
{
    // Late records look back a little: what is met "later" lives.
    return s->print && (minute < s->minute || minute - s->minute < DESTINATIONS_MINUTES);
}

// The slot of `print`, else the best to put it in: a free one, or the oldest.
static struct destination *slot_for(struct destination *slot, uint32_t cap, uint32_t print,
                                    uint32_t minute)
{
    struct destination *best = NULL;
    for (uint32_t i = 0; i < PROBES && i < cap; i++) {
        struct destination *s = &slot[(print + i) & (cap - 1)];
        if (s->print == print)
            return s;
        // Slots are never freed: behind one that was never used it cannot stand.
        if (!s->print)
            return best && !lives(best, minute) ? best : s;
        bool better = !best ||
                      (lives(best, minute) && (!lives(s, minute) || s->minute < best->minute));
        if (better)
            best = s;
    }
    return best;
}

// Moves what still lives into a table of the size it needs.
static bool rebuild(struct destinations *d, uint32_t cap, uint32_t minute)
{
    struct destination *slot = calloc(cap, sizeof *slot);
    if (!slot)
        return false;
    uint16_t count = 0;
    for (uint32_t i = 0; i < d->cap; i++) {
        if (!lives(&d->slot[i], minute))
            continue;
        struct destination *s = slot_for(slot, cap, d->slot[i].print, minute);
        count = (uint16_t)(count + !s->print);
        *s = d->slot[i];
    }
    free(d->slot);
    d->slot = slot;
    d->cap = (uint16_t)cap;
    d->count = count;
    return true;
}

bool destinations_meet(struct destinations *d, uint64_t peer, int64_t minute)
{
    uint32_t now = (uint32_t)minute;
    uint32_t print = print_of(peer);
    if (d->cap == 0 && !rebuild(d, 8, now))
        return true;
    struct destination *s = slot_for(d->slot, d->cap, print, now);
    if (s->print == print && lives(s, now)) {
        if (now > s->minute)
            s->minute = now;
        return false;
    }
    if (!s->print && ++d->count > d->cap / 4 * 3 && d->cap < DESTINATIONS_MAX) {
        // Half full after the rebuild, or smaller when much of it had aged.
        if (rebuild(d, d->cap * 2u, now))
            s = slot_for(d->slot, d->cap, print, now);
        d->count++;
    }
    *s = (struct destination){.print = print, .minute = now};
    return true;
}

void destinations_clear(struct destinations *d)
{
    free(d->slot);
    *d = (struct destinations){0};
}
