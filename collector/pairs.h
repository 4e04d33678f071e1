// One flow seen at two sensors counts once; its two halves at two sensors become one flow.
//
// A flow is known by realm, 5-tuple and the initiator's initial sequence number, which both halves tell (the
// SYN, and what the SYN/ACK acknowledges). The sensor that told of both directions first owns the flow, what
// another says of it is dropped. Records of a half wait until every sensor has passed their minute, are joined
// with the other half's of the same minute, and go on as one. A dialogue cannot be put together from halves:
// what needs a command and its answer (recipients accepted, messages taken) stays untold, `incomplete` says so.
//
// Flows are remembered in a table of fixed size; the one heard of longest ago gives way.
#pragma once

#include "common/record.h"

#define PAIRS_HELD_MAX 65536 // records of halves that wait (1.8 kB each); more go on alone

// Practice: clocks that differ by more hold quarantine. So many flows in a row must say so.
#define PAIRS_CLOCK_MS   2000
#define PAIRS_CLOCK_RUNS 8

typedef void (*pairs_fn)(const struct record_flow *f, int process, void *ctx);

struct pairs_stats {
    uint64_t twice;  // records dropped: another sensor told them
    uint64_t joined; // records of halves that found the other half
    uint64_t alone;  // and that did not
    uint64_t held_cut;
};

struct pairs;

struct pairs *pairs_new(size_t flows, pairs_fn give, void *ctx); // NULL: out of memory
void pairs_free(struct pairs *p);
// `wait`: other sensors are there that may tell the other half.
void pairs_take(struct pairs *p, const struct record_flow *f, int process, bool wait);
// The record comes soon: what is known of its flow is asked of the memory.
void pairs_fetch(const struct pairs *p, const struct record_flow *f);
void pairs_advance(struct pairs *p, int64_t watermark_ms); // INT64_MAX: all that waits goes on
// Does the process's clock differ from another's that saw the same flows? Which of the two is wrong is not known.
bool pairs_clock_differs(const struct pairs *p, int process);
const struct pairs_stats *pairs_stats(const struct pairs *p);

// Adds the other half's record of the same minute to `into`. Either may be the initiator's.
void pairs_join(struct record_flow *into, const struct record_flow *other);
