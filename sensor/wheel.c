// Three levels of 256 slots and a list for what is beyond 76 hours. A slot of a level holds what
// shares the higher digits of the present tick, so the next occupied slot is found by bitmaps and a
// jump over years costs no more than one over a second.
#include "wheel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define TICK_BITS 14
#define LEVELS    3
#define SLOTS     256
#define FAR       (LEVELS * SLOTS)     // the list beyond the last level
#define IN_HEAP   (LEVELS * SLOTS + 1) // due in the present tick or before
#define LISTS     (FAR + 1)
#define UNSET     0 // `where` is a list's number plus one

struct node {
    uint64_t deadline : 52;
    uint64_t where : 12; // list + 1, IN_HEAP + 1, or UNSET: zeroed memory is valid
    uint32_t next;
    uint32_t prev; // IN_HEAP: place in the heap
};

struct wheel {
    struct node *node;
    uint32_t *heap;
    uint32_t heap_len;
    uint64_t tick;
    const uint8_t *base; // of what the entries stand for; NULL: not told
    size_t size;
    uint64_t quiet; // nothing is due before this: asking costs one comparison
    uint32_t list[LISTS];
    uint64_t occupied[LEVELS][SLOTS / 64];
};

struct wheel *wheel_new(size_t entries)
{
    struct wheel *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->node = table_new(entries, sizeof *w->node, TABLE_FROM_THE_FRONT);
    w->heap = malloc((entries ? entries : 1) * sizeof *w->heap);
    if (!w->node || !w->heap) {
        wheel_free(w);
        return NULL;
    }
    memset(w->list, 0xff, sizeof w->list);
    return w;
}

void wheel_free(struct wheel *w)
{
    if (!w)
        return;
    table_free(w->node);
    free(w->heap);
    free(w);
}

// ---- The heap: smallest (deadline, entry) first.

static int before(const struct wheel *w, uint32_t a, uint32_t b)
{
    uint64_t x = w->node[a].deadline, y = w->node[b].deadline;
    return x != y ? x < y : a < b;
}

static void heap_put(struct wheel *w, uint32_t place, uint32_t entry)
{
    w->heap[place] = entry;
    w->node[entry].prev = place;
}

static void heap_up(struct wheel *w, uint32_t place)
{
    uint32_t entry = w->heap[place];
    while (place > 0 && before(w, entry, w->heap[(place - 1) / 2])) {
        heap_put(w, place, w->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_put(w, place, entry);
}

static void heap_down(struct wheel *w, uint32_t place)
{
    uint32_t entry = w->heap[place];
    for (;;) {
        uint32_t child = place * 2 + 1;
        if (child >= w->heap_len)
            break;
        if (child + 1 < w->heap_len && before(w, w->heap[child + 1], w->heap[child]))
            child++;
        if (!before(w, w->heap[child], entry))
            break;
        heap_put(w, place, w->heap[child]);
        place = child;
    }
    heap_put(w, place, entry);
}

static void heap_remove(struct wheel *w, uint32_t place)
{
    uint32_t last = w->heap[--w->heap_len];
    if (place == w->heap_len)
        return;
    heap_put(w, place, last);
    heap_up(w, place);
    heap_down(w, w->node[last].prev);
}

// ---- The lists.

static void enter(struct wheel *w, uint32_t entry)
{
    struct node *n = &w->node[entry];
    uint64_t tick = n->deadline >> TICK_BITS;
    if (tick <= w->tick) {
        n->where = IN_HEAP + 1;
        w->heap[w->heap_len] = entry;
        heap_up(w, w->heap_len++);
        return;
    }
    unsigned where = FAR;
    for (unsigned level = 0; level < LEVELS; level++) {
        unsigned shift = 8 * level;
        if (tick >> (shift + 8) == w->tick >> (shift + 8)) {
            unsigned slot = (unsigned)(tick >> shift) & (SLOTS - 1);
            where = level * SLOTS + slot;
            w->occupied[level][slot / 64] |= UINT64_C(1) << (slot % 64);
            break;
        }
    }
    n->where = (where + 1) & 0xfff;
    n->next = w->list[where];
    n->prev = WHEEL_NONE;
    if (n->next != WHEEL_NONE)
        w->node[n->next].prev = entry;
    w->list[where] = entry;
}

static void leave(struct wheel *w, uint32_t entry)
{
    struct node *n = &w->node[entry];
    if (n->where == UNSET)
        return;
    unsigned where = (unsigned)n->where - 1;
    n->where = UNSET;
    if (where == IN_HEAP) {
        heap_remove(w, n->prev);
        return;
    }
    if (n->next != WHEEL_NONE)
        w->node[n->next].prev = n->prev;
    if (n->prev != WHEEL_NONE)
        w->node[n->prev].next = n->next;
    else
        w->list[where] = n->next;
    if (w->list[where] == WHEEL_NONE && where != FAR)
        w->occupied[where / SLOTS][where % SLOTS / 64] &= ~(UINT64_C(1) << (where % 64));
}

void wheel_set(struct wheel *w, uint32_t entry, int64_t deadline_us)
{
    leave(w, entry);
    if (deadline_us < 0)
        deadline_us = 0;
    if (deadline_us > WHEEL_TIME_MAX)
        deadline_us = WHEEL_TIME_MAX;
    w->node[entry].deadline = (uint64_t)deadline_us & (uint64_t)WHEEL_TIME_MAX;
    if ((uint64_t)deadline_us < w->quiet)
        w->quiet = (uint64_t)deadline_us;
    enter(w, entry);
}

void wheel_fetches(struct wheel *w, const void *base, size_t size)
{
    w->base = base;
    w->size = size;
}

void wheel_prefetch(const struct wheel *w, uint32_t entry)
{
    __builtin_prefetch(&w->node[entry], 1);
}

void wheel_cancel(struct wheel *w, uint32_t entry)
{
    leave(w, entry);
}

int64_t wheel_deadline(const struct wheel *w, uint32_t entry)
{
    return w->node[entry].where == UNSET ? -1 : (int64_t)w->node[entry].deadline;
}

// First occupied slot of a level behind `after`; SLOTS: none.
static unsigned next_slot(const struct wheel *w, unsigned level, unsigned after)
{
    for (unsigned slot = after + 1; slot < SLOTS; slot = (slot / 64 + 1) * 64) {
        uint64_t bits = w->occupied[level][slot / 64] >> (slot % 64);
        if (bits)
            return slot + (unsigned)__builtin_ctzll(bits);
    }
    return SLOTS;
}

// Enter all of a list anew, now that the present tick has come to it.
static void spread(struct wheel *w, unsigned where)
{
    uint32_t entry = w->list[where];
    w->list[where] = WHEEL_NONE;
    if (where != FAR)
        w->occupied[where / SLOTS][where % SLOTS / 64] &= ~(UINT64_C(1) << (where % 64));
    while (entry != WHEEL_NONE) {
        uint32_t next = w->node[entry].next;
        enter(w, entry);
        if (w->base && w->node[entry].where == IN_HEAP + 1) {
            __builtin_prefetch(w->base + entry * w->size, 1);
            __builtin_prefetch(w->base + entry * w->size + 64, 1);
            __builtin_prefetch(w->base + (entry + 1) * w->size - 1, 1);
        }
        entry = next;
    }
}

// To the next occupied slot, or to `target` when there is none before it. False: at the target.
static int advance(struct wheel *w, uint64_t target)
{
    if (w->tick >= target)
        return 0;
    for (unsigned level = 0; level < LEVELS; level++) {
        unsigned shift = 8 * level;
        unsigned slot = next_slot(w, level, (unsigned)(w->tick >> shift) & (SLOTS - 1));
        if (slot == SLOTS)
            continue;
        uint64_t at = ((w->tick >> (shift + 8)) << (shift + 8)) | (uint64_t)slot << shift;
        if (at > target)
            break;
        w->tick = at;
        spread(w, level * SLOTS + slot);
        return 1;
    }
    unsigned far = 8 * LEVELS;
    if (w->list[FAR] != WHEEL_NONE && target >> far > w->tick >> far) {
        // The nearest of the far ones says how far to go; they are few.
        uint64_t nearest = UINT64_MAX;
        for (uint32_t e = w->list[FAR]; e != WHEEL_NONE; e = w->node[e].next)
            if (w->node[e].deadline >> TICK_BITS >> far < nearest)
                nearest = w->node[e].deadline >> TICK_BITS >> far;
        if (nearest <= target >> far) {
            w->tick = nearest << far;
            spread(w, FAR);
            return 1;
        }
    }
    w->tick = target;
    return 0;
}

int64_t wheel_quiet(const struct wheel *w)
{
    return (int64_t)w->quiet;
}

// Nothing is due up to the present tick but what stands in the heap; up to where is nothing at all?
static uint64_t quiet_until(const struct wheel *w)
{
    unsigned here = (unsigned)w->tick & (SLOTS - 1), slot = next_slot(w, 0, here);
    uint64_t until = (w->tick - here + slot) << TICK_BITS;
    if (w->heap_len > 0 && w->node[w->heap[0]].deadline < until)
        until = w->node[w->heap[0]].deadline;
    return until;
}

uint32_t wheel_pop(struct wheel *w, int64_t now_us, int64_t *deadline_us)
{
    uint64_t now = now_us > 0 ? (uint64_t)now_us : 0;
    if (now < w->quiet)
        return WHEEL_NONE;
    for (;;) {
        if (w->heap_len > 0 && w->node[w->heap[0]].deadline <= now) {
            uint32_t entry = w->heap[0];
            *deadline_us = (int64_t)w->node[entry].deadline;
            leave(w, entry);
            return entry;
        }
        if (!advance(w, now >> TICK_BITS) &&
            (w->heap_len == 0 || w->node[w->heap[0]].deadline > now)) {
            w->quiet = quiet_until(w);
            return WHEEL_NONE;
        }
    }
}
