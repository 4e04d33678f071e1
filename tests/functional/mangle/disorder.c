// Order, copies and loss, as a mirror makes them.
#include "operation.h"

static void copy(struct capture *out, const struct frame *f, int64_t t_ns)
{
    capture_add(out, t_ns, span_of(f->data, f->len), (struct span){0}, f->wire);
}

// [from, end): frames that lie within the window of the first and are at most `most`.
static size_t window_end(const struct capture *in, size_t from, size_t most, int64_t window_ns)
{
    size_t end = from + 1;
    while (end < in->count && end - from < most &&
           in->frame[end].t_ns - in->frame[from].t_ns <= window_ns)
        end++;
    return end;
}

// Runs of two to number[1] packets change places (Fisher and Yates); the time stamps stay.
void disorder_shuffle(struct operation_input *o, struct capture *out)
{
    enum { RUN_MAX = 64 };
    size_t order[RUN_MAX];
    uint32_t most = o->number[1] < 2 ? 2 : o->number[1] > RUN_MAX ? RUN_MAX : o->number[1];
    for (size_t from = 0, end; from < o->in->count; from = end) {
        size_t run = 2 + operation_random(o) % (most - 1);
        end = window_end(o->in, from, run, (int64_t)o->number[0] * 1000000);
        for (size_t i = 0; i < end - from; i++) {
            size_t j = operation_random(o) % (i + 1);
            order[i] = order[j];
            order[j] = from + i;
        }
        for (size_t i = 0; i < end - from; i++)
            copy(out, &o->in->frame[order[i]], o->in->frame[from + i].t_ns);
    }
}

// Copies wait in order: each is due before the first frame that is later than it.
void disorder_double(struct operation_input *o, struct capture *out)
{
    const struct capture *in = o->in;
    int64_t late_ns = (int64_t)o->number[0] * 1000;
    size_t due = 0;
    for (size_t i = 0; i < in->count; i++) {
        for (; due < i && in->frame[due].t_ns + late_ns <= in->frame[i].t_ns; due++)
            copy(out, &in->frame[due], in->frame[due].t_ns + late_ns);
        copy(out, &in->frame[i], in->frame[i].t_ns);
    }
    for (; due < in->count; due++)
        copy(out, &in->frame[due], in->frame[due].t_ns + late_ns);
}

void disorder_drop(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        if (operation_random(o) % 10000 >= o->number[0])
            copy(out, &o->in->frame[i], o->in->frame[i].t_ns);
    }
}
