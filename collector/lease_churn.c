// Sorted starts and ends, and the times at which a restart was told from them.
#include "lease_churn.h"

#include <stdlib.h>

#include "leases.h"

struct times {
    int64_t *t;
    size_t count, cap;
};

struct lease_churn {
    struct times start, end;
    struct times reboot; // each holds for LEASES_REBOOT_HOLD_MS
};

static bool put(struct times *s, int64_t t_ms)
{
    if (s->count == s->cap) {
        size_t cap = 2 * s->cap + 16;
        int64_t *more = realloc(s->t, cap * sizeof *more);
        if (!more)
            return false;
        s->t = more;
        s->cap = cap;
    }
    s->t[s->count++] = t_ms;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void sort(struct times *s)
{
    if (s->count > 1)
        qsort(s->t, s->count, sizeof *s->t, by_time);
}

// How many lie at or before `t_ms`.
static size_t up_to(const struct times *s, int64_t t_ms)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->t[mid] <= t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct lease_churn *lease_churn_new(void)
{
    return calloc(1, sizeof(struct lease_churn));
}

void lease_churn_free(struct lease_churn *c)
{
    if (!c)
        return;
    free(c->start.t);
    free(c->end.t);
    free(c->reboot.t);
    free(c);
}

bool lease_churn_add(struct lease_churn *c, int64_t start_ms, int64_t end_ms)
{
    return put(&c->start, start_ms) && (end_ms == INT64_MAX || put(&c->end, end_ms));
}

static size_t open_at(const struct lease_churn *c, int64_t t_ms)
{
    return up_to(&c->start, t_ms) - up_to(&c->end, t_ms);
}

bool lease_churn_freeze(struct lease_churn *c)
{
    sort(&c->start);
    sort(&c->end);
    size_t first = 0; // of the window that ends at i
    for (size_t i = 0; i < c->start.count; i++) {
        int64_t t = c->start.t[i];
        while (c->start.t[first] <= t - LEASES_REBOOT_WINDOW_MS)
            first++;
        size_t began = i - first + 1;
        size_t before = open_at(c, t - LEASES_REBOOT_WINDOW_MS);
        // A history that only begins here has nothing before.
        if (began >= LEASES_REBOOT_MIN && before > 0 && began * 20 > before && !put(&c->reboot, t))
            return false;
    }
    return true;
}

void lease_churn_at(const struct lease_churn *c, int64_t t_ms, uint32_t *open, uint32_t *changes)
{
    *open = (uint32_t)open_at(c, t_ms);
    *changes = (uint32_t)(up_to(&c->start, t_ms) - up_to(&c->start, t_ms - 60000) +
                          up_to(&c->end, t_ms) - up_to(&c->end, t_ms - 60000));
}

bool lease_churn_reboot(const struct lease_churn *c, int64_t t_ms)
{
    size_t n = up_to(&c->reboot, t_ms);
    return n > 0 && t_ms - c->reboot.t[n - 1] < LEASES_REBOOT_HOLD_MS;
}
