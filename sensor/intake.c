// Of several interfaces each is read ahead by a batch; nothing is copied.
#include "intake.h"

static void feed(struct intake *in, struct source_frame *frame, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct source_frame *f = &frame[i];
        if (f->t_us < in->last_us && in->last_us - f->t_us <= INTAKE_DISORDER_US)
            f->t_us = in->last_us;
        if (f->t_us > in->last_us)
            in->last_us = f->t_us;
    }
    if (n > 0)
        sensor_frames(in->sensor, frame, n);
}

static enum intake_result read_one(struct intake *in)
{
    struct source_frame frame[INTAKE_BATCH];
    size_t looked = 0, n, count;
    while (looked < INTAKE_BUDGET) {
        n = ring_read(in->ring[0], frame, INTAKE_BATCH, &count);
        if (n == 0)
            return INTAKE_EMPTY;
        looked += n;
        feed(in, frame, count);
    }
    return INTAKE_MORE;
}

void intake_fetch(void *intake)
{
    struct intake *in = intake;
    if (in->rings == 1)
        ring_fetch(in->ring[0]);
}

static struct source_frame *next_of(struct intake *in, size_t i)
{
    return in->ahead[i].at < in->ahead[i].count ? &in->ahead[i].frame[in->ahead[i].at] : NULL;
}

// Reads the rings whose frames have all been handed on. How many the filters took out.
static size_t read_ahead(struct intake *in)
{
    size_t sifted = 0, n;
    for (size_t i = 0; i < in->rings; i++) {
        if (next_of(in, i))
            continue;
        in->ahead[i].at = 0;
        do {
            n = ring_read(in->ring[i], in->ahead[i].frame, INTAKE_BATCH, &in->ahead[i].count);
            sifted += n - in->ahead[i].count;
        } while (n > 0 && in->ahead[i].count == 0 && sifted < INTAKE_BUDGET);
    }
    return sifted;
}

// Until when no frame can be missing any more: a ring that is silent may still have some from `lag` ago on.
static int64_t complete_until(struct intake *in, int64_t now_us)
{
    for (size_t i = 0; i < in->rings; i++)
        if (!next_of(in, i) && ring_link(in->ring[i]) == RING_UP)
            return now_us - in->lag_us;
    return INT64_MAX;
}

// The ring with the earliest frame; in->rings: none has any.
static size_t earliest(struct intake *in)
{
    size_t first = in->rings;
    for (size_t i = 0; i < in->rings; i++)
        if (next_of(in, i) &&
            (first == in->rings || next_of(in, i)->t_us < next_of(in, first)->t_us))
            first = i;
    return first;
}

// A batch in order of time. It ends with a ring's last frame: the ring has to be read then, and what it gave is
// borrowed until it is.
static size_t gather(struct intake *in, int64_t until_us, struct source_frame *out)
{
    size_t n = 0;
    while (n < INTAKE_BATCH) {
        size_t i = earliest(in);
        if (i == in->rings || next_of(in, i)->t_us > until_us)
            break;
        out[n++] = *next_of(in, i);
        if (++in->ahead[i].at == in->ahead[i].count)
            break;
    }
    return n;
}

static enum intake_result merge(struct intake *in, int64_t now_us)
{
    struct source_frame frame[INTAKE_BATCH];
    for (size_t done = 0, n; done < INTAKE_BUDGET; done += n) {
        done += read_ahead(in);
        n = gather(in, complete_until(in, now_us), frame);
        if (n == 0 && done < INTAKE_BUDGET)
            return earliest(in) == in->rings ? INTAKE_EMPTY : INTAKE_WAITS;
        feed(in, frame, n);
    }
    return INTAKE_MORE;
}

enum intake_result intake_run(struct intake *in, int64_t now_us)
{
    return in->rings > 1 ? merge(in, now_us) : read_one(in);
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
