// Differences of the counters, second by second, and alarms judged over the present and the last minute:
// a share needs a number of cases before it means anything.
#include "watch.h"

#include <stdlib.h>
#include <string.h>

struct sums {
    uint64_t packets, duplicates, sliced, cut, skipped, not_ip, ended, one_sided, dropped,
        unwritten, clock_back, oversized;
};

struct watch {
    struct coverage declared;
    struct coverage before; // counters at the last call
    struct stats stats;
    uint64_t cut;          // likewise
    struct sums minute[2]; // the last whole one, the present one
    int64_t present;       // its number
    uint32_t raised, present_alarms, others;
};

struct watch *watch_new(const struct coverage *declared, bool replay)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->declared = *declared;
    w->declared.alarms = replay ? COVERAGE_REPLAY : 0;
    return w;
}

void watch_free(struct watch *w)
{
    free(w);
}

uint32_t watch_alarms(const struct watch *w)
{
    return w->raised;
}

uint32_t watch_present(const struct watch *w)
{
    return w->present_alarms;
}

uint64_t watch_oversized(const struct watch *w)
{
    return w->minute[0].oversized + w->minute[1].oversized;
}

void watch_set(struct watch *w, uint32_t alarms)
{
    w->others = alarms;
}

void watch_declare(struct watch *w, const struct coverage *declared)
{
    uint32_t replay = w->declared.alarms;
    w->declared = *declared;
    w->declared.alarms = replay;
}

static uint32_t judge(const struct sums *a, const struct sums *b)
{
    uint64_t packets = a->packets + b->packets, duplicates = a->duplicates + b->duplicates;
    uint64_t skipped = a->skipped + b->skipped, ended = a->ended + b->ended;
    uint64_t one_sided = a->one_sided + b->one_sided;
    uint32_t alarms = 0;
    if (ended >= 20 && one_sided * 10 >= ended * 8)
        alarms |= COVERAGE_ONE_DIRECTION;
    if (duplicates >= 50 && duplicates * 10 >= packets)
        alarms |= COVERAGE_DOUBLED;
    if (decap_slices(a->sliced + b->sliced, a->cut + b->cut, packets))
        alarms |= COVERAGE_SLICED;
    if (skipped >= 20 && skipped * 20 >= packets - a->not_ip - b->not_ip)
        alarms |= COVERAGE_UNKNOWN_LAYERS;
    if (a->dropped + b->dropped > 0)
        alarms |= COVERAGE_DROPS;
    if (a->unwritten + b->unwritten > 0)
        alarms |= COVERAGE_SPOOL_FULL;
    if (a->clock_back + b->clock_back > 0)
        alarms |= COVERAGE_CLOCK;
    return alarms;
}

// What is not in the coverage comes from the counters themselves.
static void sum_up(struct watch *w, const struct coverage *delta, const struct stats *s,
                   uint64_t cut)
{
    const struct stats *before = &w->stats;
    int64_t minute = (delta->t_ms - 1) / 60000;
    if (minute != w->present) {
        w->minute[0] = minute == w->present + 1 ? w->minute[1] : (struct sums){0};
        w->minute[1] = (struct sums){0};
        w->present = minute;
    }
    struct sums *m = &w->minute[1];
    m->packets += delta->packets;
    m->duplicates += delta->duplicates;
    m->sliced += delta->sliced;
    m->cut += cut;
    m->skipped += delta->skipped_layers;
    m->not_ip += delta->not_ip;
    m->ended += s->ended_flows - before->ended_flows;
    m->one_sided += delta->one_sided_flows;
    m->dropped += delta->dropped_card + delta->dropped_ring + delta->dropped_flow_table +
                  delta->dropped_stream_memory;
    m->unwritten += delta->dropped_spool;
    m->clock_back += s->clock_back + s->clock_ahead - before->clock_back - before->clock_ahead;
    m->oversized += s->oversized - before->oversized;
}

void watch_take(struct watch *w, const struct stats *s, const struct decap *d,
                const struct frag_stats *f, int64_t t_ms, bool last, struct coverage *out)
{
    struct coverage now = {.packets = s->packets,
                           .octets = s->octets,
                           .dropped_card = s->card_drops,
                           .dropped_ring = s->ring_drops,
                           .dropped_spool = s->spool_drops,
                           .dropped_flow_table = s->evicted_flows,
                           .dropped_stream_memory = s->no_memory_octets,
                           .missing_octets = s->missing_octets,
                           .seen_octets = s->seen_octets,
                           .duplicates = s->duplicates + f->repeated,
                           .sliced = d->sliced,
                           .skipped_layers = d->skipped.total,
                           .not_ip = d->no_ip,
                           .fragments_lost = f->lost,
                           .tcp_flows = s->tcp_flows,
                           .mail_flows = s->mail_flows,
                           .one_sided_flows = s->one_sided_flows,
                           .subscriber_flows = s->subscriber_flows,
                           .records = s->records};
    *out = w->declared;
#define X(name, element, text) out->name = now.name - w->before.name;
    COVERAGE_COUNTERS(X)
#undef X
    out->t_ms = t_ms;
    out->last = last;
    sum_up(w, out, s, d->cut - w->cut);
    out->alarms |= judge(&w->minute[0], &w->minute[1]) | w->others;
    w->present_alarms = out->alarms;
    w->raised |= out->alarms;
    w->before = now;
    w->cut = d->cut;
    w->stats = *s;
}
