// What a collector says of itself.
#include "collector_parts.h"

static void status_refused(const struct collector *c, struct control_status *s)
{
    static const char *const why[] = {
#define X(name, counter, text) [REFUSED_##name] = text,
        REFUSALS(X)
#undef X
    };
    char text[200];
    for (size_t p = 0; p < watermark_processes(c->watermark); p++) {
        if (c->blame[p].count == 0)
            continue;
        snprintf(text, sizeof text, "%llu records of sensor %s were refused, the last for %s",
                 (unsigned long long)c->blame[p].count, watermark_name(c->watermark, (int)p),
                 why[c->blame[p].last]);
        control_status_problem(s, 1, "refused-records", text,
                               "set the sensor's clock (NTP or PTP); others are not touched");
    }
}

static void status_problems(const struct collector *c, bool ended, struct control_status *s)
{
    status_refused(c, s);
    watermark_status(c->watermark, ended, s);
    if (sequence_stats(c->sequence)->missing > 0)
        control_status_problem(s, 1, "gap", "records are missing between those that came",
                               "look at the sensor's spool and its dropped_spool counter");
    if (c->limits.out_of_memory > 0)
        control_status_problem(s, 1, "memory", "memory was refused; something was not counted",
                               "give the collector more memory or lower collector.subscribers");
}

void collector_status(const struct collector *c, bool ended, struct control_status *s)
{
    const struct sequence_stats *q = sequence_stats(c->sequence);
    const struct minutes_stats *m = minutes_stats(c->minutes);
    const struct pairs_stats *p = pairs_stats(c->pairs);
    const struct aggregate_stats *a = aggregate_stats(c->aggregate);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"records", c->records},
        {"records_flow", c->flow_records},
        {"records_mail", c->mail_records},
        {"records_coverage", c->coverage_records},
        {"records_without_identity", c->no_identity},
        {"repeats", q->repeats + q->old},
        {"gaps", q->gaps},
        {"records_missing", q->missing},
        {"records_filled", q->filled},
#define X(name, counter, text) {counter, c->refused[REFUSED_##name]},
        REFUSALS(X)
#undef X
            {"no_subscriber", a->no_subscriber},
        {"no_mailbox", a->no_mailbox},
        {"subscribers_no_room", a->no_room},
        {"subscribers", a->subscribers},
        {"flows", a->flows},
        {"records_twice", p->twice},
        {"records_joined", p->joined},
        {"halves_alone", p->alone},
        {"halves_not_held", p->held_cut},
        {"rows", m->rows},
        {"early_slices", m->early},
        {"amendments", m->amendments},
        {"rows_unobserved", m->unobserved},
        {"minutes", m->minutes},
        {"commits", m->commits},
        {"sensors", watermark_processes(c->watermark)},
        {"sensors_silent", watermark_silences(c->watermark)},
        {"clock_faults", watermark_clock_faults(c->watermark)},
        {"subscribers_evicted", actives_evicted(c->actives)},
        {"flows_evicted", flowmap_evicted(aggregate_flows(c->aggregate))},
        {"sets_starved", c->limits.budget.refused},
        {"hashes_of_other_keys", c->limits.mixed_keys},
        {"out_of_memory", c->limits.out_of_memory},
        {"journal_torn_octets", journal_torn_octets(c->journal)},
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        control_status_counter(s, counters[i].name, counters[i].value);
    if (collector_watermark(c) != WATERMARK_NONE)
        control_status_time(s, watermark_front(c->watermark));
    lease_sources_status(c->sources, s);
    status_problems(c, ended, s);
}
