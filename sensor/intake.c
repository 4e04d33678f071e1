// The merge holds a frame by not asking its ring for the next: nothing is copied.
#include "intake.h"

static void feed(void *ctx, const struct source_frame *frame)
{
    struct intake *in = ctx;
    struct source_frame f = *frame;
    if (f.t_us < in->last_us && in->last_us - f.t_us <= INTAKE_DISORDER_US)
        f.t_us = in->last_us;
    if (f.t_us > in->last_us)
        in->last_us = f.t_us;
    sensor_frame(in->sensor, &f);
}

static enum intake_result merge(struct intake *in, int64_t now_us)
{
    for (int n = 0; n < INTAKE_BUDGET; n++) {
        size_t first = in->rings;
        bool silent = false;
        for (size_t i = 0; i < in->rings; i++) {
            if (!in->next[i].held)
                in->next[i].held = ring_next(in->ring[i], &in->next[i].frame);
            if (!in->next[i].held)
                silent = silent || ring_link(in->ring[i]) == RING_UP;
            else if (first == in->rings || in->next[i].frame.t_us < in->next[first].frame.t_us)
                first = i;
        }
        if (first == in->rings)
            return INTAKE_EMPTY;
        if (silent && in->next[first].frame.t_us > now_us - in->lag_us)
            return INTAKE_WAITS;
        feed(in, &in->next[first].frame);
        in->next[first].held = false;
    }
    return INTAKE_MORE;
}

enum intake_result intake_run(struct intake *in, int64_t now_us)
{
    if (in->rings > 1)
        return merge(in, now_us);
    return ring_read(in->ring[0], INTAKE_BUDGET, feed, in) < INTAKE_BUDGET ? INTAKE_EMPTY
                                                                           : INTAKE_MORE;
}

void intake_close(struct intake *in)
{
    for (size_t i = 0; i < in->rings; i++)
        ring_close(in->ring[i]);
    in->rings = 0;
}

void intake_losses(const struct intake *in, struct ring_losses *out)
{
    *out = (struct ring_losses){.card_known = true};
    for (size_t i = 0; i < in->rings; i++) {
        struct ring_losses l;
        ring_losses(in->ring[i], &l);
        out->card += l.card;
        out->ring += l.ring;
        out->oversized += l.oversized;
        out->card_known = out->card_known && l.card_known;
    }
}
