// Seconds of coverage gathered into minutes.
#include "minute_cover.h"

#include <stdlib.h>
#include <string.h>

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

void covers_remember(struct covers_known *k, int process, const struct coverage *c)
{
    size_t need = (size_t)process + 1;
    if (need > k->count) {
        struct coverage *more = realloc(k->item, need * sizeof *more);
        if (!more)
            return;
        memset(more + k->count, 0, (need - k->count) * sizeof *more);
        k->item = more;
        k->count = need;
    }
    uint64_t packets = k->item[process].packets; // has it ever seen any? A mail log has not
    k->item[process] = *c;
    if (c->packets == 0)
        k->item[process].packets = packets;
}

// What a mail log says of an address is no sight of its traffic.
void covers_name_sensors(const struct covers_known *k, uint64_t processes, bool mailbox,
                         struct minute_row *r)
{
    for (size_t p = 0; p < k->count && p < 63; p++)
        if (processes >> p & 1 && (mailbox || k->item[p].packets > 0))
            minute_row_add_sensor(r, k->item[p].sensor);
    if (processes >> 63)
        minute_row_add_sensor(r, MINUTE_SENSORS_ALL);
}

void covers_add_silent(struct covers *c, int64_t minute, const struct covers_known *k,
                       const struct watermark *w)
{
    for (size_t p = 0; p < k->count; p++) {
        if (!k->item[p].sensor[0] || !watermark_is_silent(w, (int)p))
            continue;
        struct cover *cover = covers_get(c, (int)p, minute);
        if (!cover || cover->put)
            continue;
        if (cover->seconds == 0) {
            struct coverage none = k->item[p];
#define X(name, element, text) none.name = 0;
            COVERAGE_COUNTERS(X)
#undef X
            none.alarms = 0;
            cover->row.sum = none;
        }
        cover->row.closed_by_timeout = true;
    }
}

int covers_put(struct covers *c, struct journal_writer *journal, uint64_t behind)
{
    for (size_t i = 0; i < c->count; i++) {
        struct cover *cover = &c->item[i];
        if (cover->put || (behind & watermark_bit(cover->process)))
            continue;
        int rc = journal_put_coverage(journal, &cover->row);
        if (rc < 0)
            return rc;
        cover->put = true;
    }
    return 0;
}

void covers_observe(const struct covers *c, const struct watermark *w, uint64_t processes,
                    struct minute_row *r)
{
    uint64_t seconds = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct cover *cover = &c->item[i];
        if (!(processes & watermark_bit(cover->process)))
            continue;
        seconds |= cover->seconds;
        if (cover->row.loss_ppm > r->loss_ppm)
            r->loss_ppm = cover->row.loss_ppm;
        if (watermark_is_silent(w, cover->process))
            r->flags |= MINUTE_UNOBSERVED;
    }
    r->observed_s = (uint8_t)__builtin_popcountll(seconds);
}
