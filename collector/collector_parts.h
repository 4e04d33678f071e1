// Inside of collector*.c.
#pragma once

#include "collector.h"
#include "common/journal.h"
#include "pairs.h"

// Why records are refused, by name as the status document has it.
#define REFUSALS(X)                                                                             \
    X(value, "refused_value", "a value that cannot be")                                         \
    X(domain, "refused_domain", "more sensor processes than the table holds")                   \
    X(time, "refused_time", "a time before 1990 or after 2099")                                 \
    X(future, "refused_future", "further ahead of its sensor's time than collector.future_max") \
    X(late, "refused_late", "further behind than collector.late_max")

enum refusal {
#define X(name, counter, text) REFUSED_##name,
    REFUSALS(X)
#undef X
        REFUSALS_N
};

struct blame { // what was refused of a process
    uint64_t count;
    enum refusal last;
};

struct collector {
    const struct collector_conf *conf;
    struct prefix_set *smarthosts, *hosting, *subscribers;
    struct network_file *providers;
    struct lease_sources *sources;
    struct leases *leases; // of `sources`
    struct journal_writer *journal;
    struct watermark *watermark;
    struct sequence_table *sequence;
    struct acc_limits limits;
    struct actives *actives;
    struct minutes *minutes;
    struct aggregate *aggregate;
    struct pairs *pairs;
    bool watches
        [WATERMARK_PROCESSES_MAX]; // processes that saw packets: a mail log has no halves of flows
    unsigned watchers;
    int64_t expired_ms;
    bool finishing; // the last call closed all
    uint64_t records, flow_records, mail_records, coverage_records, no_identity;
    uint64_t refused[REFUSALS_N];
    struct blame blame[WATERMARK_PROCESSES_MAX];
};
