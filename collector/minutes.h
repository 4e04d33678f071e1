// Minutes that are open, and how they end: cut early when much happens, closed by the watermark, amended when
// something comes late. Rows, coverage and site minutes go to the journal.
#pragma once

#include "actives.h"
#include "site.h"
#include "watermark.h"

struct minutes_options {
    uint32_t early_outcomes, early_connections;
};

struct minutes_stats {
    uint64_t rows, early, amendments, unobserved, minutes, commits;
};

struct minutes;

// All borrowed, until minutes_free. NULL: out of memory.
struct minutes *minutes_new(const struct minutes_options *options, struct journal_writer *journal,
                            const struct leases *leases, struct watermark *watermark,
                            struct acc_limits *limits);
void minutes_free(struct minutes *m);

// The subscriber's accumulator of a minute, made when it is not there: open, or an amendment when the
// minute is closed. NULL: out of memory.
struct acc *minutes_acc(struct minutes *m, struct active *a, int64_t minute, int process);
// Is the minute closed already?
bool minutes_closed(const struct minutes *m, int64_t minute);
// Something happened at `t_ms` that a verdict may rest on: is a slice due?
void minutes_weigh(struct minutes *m, struct acc *a, int64_t t_ms);
void minutes_coverage(struct minutes *m, int process, const struct coverage *c);

// The watermark may have moved: writes what is due. Negative errno of the journal: call again later, nothing
// is lost.
int minutes_advance(struct minutes *m);
// No sensor is alive: closes all, the last minute too.
int minutes_finish(struct minutes *m);

const struct minutes_stats *minutes_stats(const struct minutes *m);
