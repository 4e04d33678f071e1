// Seconds of coverage gathered into minutes.
#include "minute_cover.h"

#include <stdlib.h>

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t cover_minute(const struct coverage *c)
{
    return floor_div(c->t_ms - 1, 60000);
}

struct cover *covers_find(const struct covers *c, int process, int64_t minute)
{
    for (size_t i = c->count; i > 0; i--)
        if (c->item[i - 1].process == process && c->item[i - 1].row.minute == minute)
            return &c->item[i - 1];
    return NULL;
}

struct cover *covers_get(struct covers *c, int process, int64_t minute)
{
    struct cover *found = covers_find(c, process, minute);
    if (found)
        return found;
    if (c->count == c->cap) {
        size_t cap = 2 * c->cap + 2;
        struct cover *more = realloc(c->item, cap * sizeof *more);
        if (!more)
            return NULL;
        c->item = more;
        c->cap = cap;
    }
    c->item[c->count] = (struct cover){.process = process, .row = {.minute = minute}};
    return &c->item[c->count++];
}

void cover_add(struct cover *c, const struct coverage *second)
{
    struct coverage sum = *second; // names and declarations of the last second
    int64_t s = floor_div(second->t_ms - 1, 1000) - c->row.minute * 60;
    c->seconds |= (uint64_t)1 << (s < 0 ? 0 : s > 59 ? 59 : s);
    c->row.seconds = (uint8_t)__builtin_popcountll(c->seconds);
    c->row.alarms |= second->alarms;
#define X(name, element, text) sum.name += c->row.sum.name;
    COVERAGE_COUNTERS(X)
#undef X
    sum.alarms = c->row.alarms;
    c->row.sum = sum;
    c->row.loss_ppm = coverage_loss_ppm(&sum);
}

void covers_clear(struct covers *c)
{
    free(c->item);
    *c = (struct covers){0};
}
