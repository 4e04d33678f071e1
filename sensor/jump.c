// A packet is alone ahead when the one behind it is as far before it as it is before the stream.
#include "jump.h"

#include <stdlib.h>
#include <string.h>

void jump_init(struct jump *j, uint64_t *count)
{
    *j = (struct jump){.count = count};
}

void jump_fini(struct jump *j)
{
    free(j->octets);
    j->octets = NULL;
    j->holds = false;
}

// The stream's first packet is judged by the second alone.
static bool is_far(const struct jump *j, const struct source_frame *f)
{
    return j->begun && f->t_us - JUMP_US > j->now_us;
}

// `next` NULL: nothing contradicts the time.
static void settle(struct jump *j, struct source_frame *f, const struct source_frame *next)
{
    bool alone = next && next->t_us < f->t_us - JUMP_US && (is_far(j, f) || !j->begun);
    if (alone) {
        f->t_us = j->begun ? j->now_us : next->t_us;
        ++*j->count;
    }
    if (!j->begun || f->t_us > j->now_us)
        j->now_us = f->t_us;
    j->begun = true;
}

// False: no memory, or the frame needs no holding.
static bool hold(struct jump *j, const struct source_frame *f)
{
    if (j->begun && !is_far(j, f))
        return false;
    if (f->data.len > j->room) {
        uint8_t *octets = realloc(j->octets, f->data.len);
        if (!octets)
            return false;
        j->octets = octets;
        j->room = f->data.len;
    }
    if (f->data.len > 0)
        memcpy(j->octets, f->data.data, f->data.len);
    j->held = *f;
    j->held.data = span_of(j->octets, f->data.len);
    j->holds = true;
    return true;
}

// Nearly always: none of them is far from another, nor from the stream's time.
static bool together(struct jump *j, const struct source_frame *frame, size_t n)
{
    if (!j->begun || n == 0)
        return false;
    int64_t first = frame[0].t_us, last = first;
    for (size_t i = 1; i < n; i++) {
        int64_t t_us = frame[i].t_us;
        first = t_us < first ? t_us : first;
        last = t_us > last ? t_us : last;
    }
    if (last - JUMP_US > first || last - JUMP_US > j->now_us)
        return false;
    if (last > j->now_us)
        j->now_us = last;
    return true;
}

size_t jump_judge(struct jump *j, struct source_frame *frame, size_t n)
{
    if (together(j, frame, n))
        return n;
    for (size_t i = 0; i + 1 < n; i++)
        settle(j, &frame[i], &frame[i + 1]);
    if (n > 0 && hold(j, &frame[n - 1]))
        return n - 1;
    if (n > 0)
        settle(j, &frame[n - 1], NULL);
    return n;
}

bool jump_release(struct jump *j, const struct source_frame *next, struct source_frame *out)
{
    if (!j->holds)
        return false;
    j->holds = false;
    settle(j, &j->held, next);
    *out = j->held;
    return true;
}
