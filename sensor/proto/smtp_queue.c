// See smtp_queue.h.
#include "proto/smtp_queue.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static struct smtp_run *run_at(struct smtp_queue *q, uint8_t i)
{
    return &q->run[(q->first + i) % SMTP_QUEUE_MAX];
}

bool smtp_queue_push(struct smtp_queue *q, enum smtp_expect what)
{
    struct smtp_run *tail = q->count ? run_at(q, (uint8_t)(q->count - 1)) : NULL;
    if (tail && tail->what == what) {
        tail->count++;
        return true;
    }
    // The last place is kept for what does not fit.
    bool fits = q->count < SMTP_QUEUE_MAX - 1;
    if (!fits && tail->what == SMTP_EXPECT_SKIP) {
        tail->count++;
        return false;
    }
    struct smtp_run *free = run_at(q, q->count);
    free->what = (uint8_t)(fits ? what : SMTP_EXPECT_SKIP);
    free->count = 1;
    if (q->used <= free - q->run)
        q->used = (uint8_t)(free - q->run + 1);
    q->count++;
    return fits;
}

void smtp_queue_pop(struct smtp_queue *q)
{
    assert(q->count > 0);
    if (--run_at(q, 0)->count > 0)
        return;
    // An empty queue begins at its beginning: most never need more than that cache line.
    q->count--;
    q->first = (uint8_t)(q->count > 0 ? (q->first + 1) % SMTP_QUEUE_MAX : 0);
}

void smtp_queue_fini(struct smtp_queue *q)
{
    memset(q->run, 0, q->used * sizeof *q->run);
    q->first = q->count = q->used = 0;
}

void smtp_queue_clear(struct smtp_queue *q)
{
    q->first = 0;
    q->count = 0;
}

enum smtp_expect smtp_queue_head(const struct smtp_queue *q)
{
    return q->count ? q->run[q->first].what : SMTP_EXPECT_NOTHING;
}

uint32_t smtp_queue_number(const struct smtp_queue *q, enum smtp_expect what)
{
    uint32_t n = 0;
    for (uint8_t i = 0; i < q->count; i++) {
        const struct smtp_run *r = &q->run[(q->first + i) % SMTP_QUEUE_MAX];
        if (what == SMTP_EXPECT_NOTHING || r->what == what)
            n += r->count;
    }
    return n;
}

void smtp_queue_forward(struct smtp_queue *q, enum smtp_expect what)
{
    while (q->count > 0 && run_at(q, 0)->what != what)
        smtp_queue_pop(q);
}

bool smtp_queue_change_next(struct smtp_queue *q, enum smtp_expect from, enum smtp_expect to)
{
    if (q->count < 2 || run_at(q, 1)->what != from)
        return false;
    run_at(q, 1)->what = (uint8_t)to;
    return true;
}
