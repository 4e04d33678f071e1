// Seconds with a change, in order, and a place among them that was asked last with what was open there.
#include "lease_churn.h"

#include <stdlib.h>
#include <string.h>

#include "leases.h"

struct second {
    int64_t s;
    int32_t starts, ends;
};

struct lease_churn {
    struct second *at; // by time
    size_t count, cap;
    int64_t base; // open before the first of them
    // The walker: `open` counts what began and did not end in at[0..walked).
    size_t walked;
    int64_t open;
    int64_t *reboot; // seconds, in order; each holds for LEASES_REBOOT_HOLD_MS
    size_t reboots, reboot_cap;
};

struct lease_churn *lease_churn_new(void)
{
    return calloc(1, sizeof(struct lease_churn));
}

void lease_churn_free(struct lease_churn *c)
{
    if (!c)
        return;
    free(c->at);
    free(c->reboot);
    free(c);
}

void lease_churn_clear(struct lease_churn *c)
{
    c->count = c->walked = c->reboots = 0;
    c->base = c->open = 0;
}

static int64_t second_of(int64_t t_ms)
{
    return t_ms / 1000 - (t_ms % 1000 < 0);
}

// How many of them lie at or before second `s`.
static size_t up_to(const struct lease_churn *c, int64_t s)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c->at[mid].s <= s)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool room(struct lease_churn *c)
{
    if (c->count < c->cap)
        return true;
    size_t cap = 2 * c->cap + 16;
    struct second *more = realloc(c->at, cap * sizeof *more);
    if (!more)
        return false;
    c->at = more;
    c->cap = cap;
    return true;
}

static bool append(struct lease_churn *c, int64_t s, int32_t starts, int32_t ends)
{
    if (!room(c))
        return false;
    c->at[c->count++] = (struct second){.s = s, .starts = starts, .ends = ends};
    return true;
}

static bool change(struct lease_churn *c, int64_t t_ms, int32_t starts, int32_t ends)
{
    int64_t s = second_of(t_ms);
    size_t i = up_to(c, s);
    if (i > 0 && c->at[i - 1].s == s) {
        i--;
    } else {
        if (!room(c))
            return false;
        memmove(c->at + i + 1, c->at + i, (c->count - i) * sizeof *c->at);
        c->at[i] = (struct second){.s = s};
        c->count++;
        c->walked += i < c->walked;
    }
    c->at[i].starts += starts;
    c->at[i].ends += ends;
    if (i < c->walked)
        c->open += starts - ends;
    return true;
}

static int64_t open_at(struct lease_churn *c, int64_t s)
{
    size_t to = up_to(c, s);
    for (; c->walked < to; c->walked++)
        c->open += c->at[c->walked].starts - c->at[c->walked].ends;
    for (; c->walked > to; c->walked--)
        c->open -= c->at[c->walked - 1].starts - c->at[c->walked - 1].ends;
    return c->base + c->open;
}

// ---- Restarts

static bool put_reboot(struct lease_churn *c, int64_t s)
{
    if (c->reboots == c->reboot_cap) {
        size_t cap = 2 * c->reboot_cap + 16;
        int64_t *more = realloc(c->reboot, cap * sizeof *more);
        if (!more)
            return false;
        c->reboot = more;
        c->reboot_cap = cap;
    }
    size_t i = c->reboots++;
    for (; i > 0 && c->reboot[i - 1] > s; i--)
        c->reboot[i] = c->reboot[i - 1];
    c->reboot[i] = s;
    return true;
}

// Was second `s` one at which too many began anew? `began` in the window that ends there.
static bool is_reboot(struct lease_churn *c, int64_t s, int64_t began)
{
    if (began < LEASES_REBOOT_MIN)
        return false;
    int64_t before = open_at(c, s - LEASES_REBOOT_WINDOW_MS / 1000);
    // A history that only begins here has nothing before.
    return before > 0 && began * 20 > before;
}

bool lease_churn_start(struct lease_churn *c, int64_t start_ms)
{
    if (!change(c, start_ms, 1, 0))
        return false;
    int64_t s = second_of(start_ms), began = 0;
    for (size_t i = up_to(c, s); i > 0 && c->at[i - 1].s > s - LEASES_REBOOT_WINDOW_MS / 1000; i--)
        began += c->at[i - 1].starts;
    bool known = c->reboots > 0 && c->reboot[c->reboots - 1] == s;
    return known || !is_reboot(c, s, began) || put_reboot(c, s);
}

bool lease_churn_end(struct lease_churn *c, int64_t from_ms, int64_t to_ms)
{
    return (from_ms == INT64_MAX || change(c, from_ms, 0, -1)) &&
           (to_ms == INT64_MAX || change(c, to_ms, 0, 1));
}

bool lease_churn_gone(struct lease_churn *c, int64_t start_ms, int64_t end_ms)
{
    return change(c, start_ms, -1, 0) && (end_ms == INT64_MAX || change(c, end_ms, 0, -1));
}

// ---- All at once

bool lease_churn_add(struct lease_churn *c, int64_t start_ms, int64_t end_ms)
{
    return append(c, second_of(start_ms), 1, 0) &&
           (end_ms == INT64_MAX || append(c, second_of(end_ms), 0, 1));
}

static int by_second(const void *a, const void *b)
{
    const struct second *x = a, *y = b;
    return (x->s > y->s) - (x->s < y->s);
}

bool lease_churn_freeze(struct lease_churn *c)
{
    if (c->count > 1)
        qsort(c->at, c->count, sizeof *c->at, by_second);
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (kept > 0 && c->at[kept - 1].s == c->at[i].s) {
            c->at[kept - 1].starts += c->at[i].starts;
            c->at[kept - 1].ends += c->at[i].ends;
        } else {
            c->at[kept++] = c->at[i];
        }
    }
    c->count = kept;
    int64_t began = 0;
    size_t first = 0; // of the window that ends at i
    for (size_t i = 0; i < c->count; i++) {
        began += c->at[i].starts;
        while (c->at[first].s <= c->at[i].s - LEASES_REBOOT_WINDOW_MS / 1000)
            began -= c->at[first++].starts;
        if (c->at[i].starts > 0 && is_reboot(c, c->at[i].s, began) && !put_reboot(c, c->at[i].s))
            return false;
    }
    return true;
}

void lease_churn_forget(struct lease_churn *c, int64_t before_ms)
{
    int64_t s = second_of(before_ms);
    size_t gone = up_to(c, s - 1);
    c->base = open_at(c, s - 1);
    if (gone > 0)
        memmove(c->at, c->at + gone, (c->count - gone) * sizeof *c->at);
    c->count -= gone;
    c->walked = 0;
    c->open = 0;
    size_t old = 0;
    while (old < c->reboots && c->reboot[old] < s - LEASES_REBOOT_HOLD_MS / 1000)
        old++;
    if (old > 0)
        memmove(c->reboot, c->reboot + old, (c->reboots - old) * sizeof *c->reboot);
    c->reboots -= old;
}

// ---- Asking

void lease_churn_at(struct lease_churn *c, int64_t t_ms, uint32_t *open, uint32_t *changes)
{
    int64_t s = second_of(t_ms);
    int64_t n = open_at(c, s), changed = 0;
    for (size_t i = up_to(c, s); i > 0 && c->at[i - 1].s > s - 60; i--)
        changed += c->at[i - 1].starts + c->at[i - 1].ends;
    *open = n > 0 ? (uint32_t)n : 0;
    *changes = (uint32_t)changed;
}

bool lease_churn_reboot(const struct lease_churn *c, int64_t t_ms)
{
    int64_t s = second_of(t_ms);
    for (size_t i = c->reboots; i > 0; i--)
        if (c->reboot[i - 1] <= s)
            return s - c->reboot[i - 1] < LEASES_REBOOT_HOLD_MS / 1000;
    return false;
}
