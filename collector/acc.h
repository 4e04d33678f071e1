// What a subscriber did in one minute, so far: a minute row in the making, of which only what is used takes
// memory. A row is cut from it (acc_cut) once, or several times while the minute is open.
#pragma once

#include "chunks.h"
#include "common/minute.h"

// Counters that do not fit 32 bits stand aside.
#define ACC_WIDE(X) X(message_octets) X(octets_up) X(octets_down) X(missing_octets)

enum acc_wide {
#define X(name) ACC_##name,
    ACC_WIDE(X)
#undef X
        ACC_WIDE_N
};

struct acc_block { // counters of one role and direction
    uint64_t wide[ACC_WIDE_N];
    uint32_t n[MINUTE_COUNTER_N];
};

enum acc_sweep { ACC_SWEEP_MX, ACC_SWEEP_SOCKS, ACC_SWEEPS };

struct acc_seconds { // flows that begin and end in each second
    uint16_t start[ACC_SWEEPS][60], end[ACC_SWEEPS][60];
};

struct acc_digest {
    struct minute_digest digest;
    uint8_t priority;
};

struct active;
struct acc_log;

struct acc {
    struct acc *of_minute; // the next of the same minute
    struct acc *of_key;    // the next later minute of the same subscriber
    struct active *active;
    int64_t minute;
    uint32_t flags; // enum minute_flags of the rows cut
    uint32_t doubts;
    uint8_t confidence;
    bool amends; // the minute is closed already
    bool dirty;  // something since the last cut
    bool is_lease_start;
    uint64_t processes; // bit a sensor process that saw it
    // Since the last cut, for early slices.
    uint32_t early_outcomes, early_connections;
    bool early_socks;
    // Of the whole minute, for the site's row.
    uint32_t mx_connections, mx_failures, smarthost_connections, smarthost_failures;
    uint32_t gauge[MINUTE_GAUGE_N];
    uint64_t socks_octets;
    struct acc_block *block[MINUTE_ROLES][MINUTE_DIRECTIONS]; // owned, NULL until used
    struct distinct *set;        // owned, MINUTE_SET_N, NULL until used
    struct acc_seconds *seconds; // owned, NULL until used
    struct acc_digest *digest;   // owned, in order of arrival
    uint16_t digest_count, digest_cap;
    uint32_t digests_cut;
    struct acc_log *log; // owned, NULL until used: log_merge.h
};

enum acc_pool { ACC_POOL_ACC, ACC_POOL_BLOCK, ACC_POOL_SETS, ACC_POOL_SECONDS, ACC_POOLS };

// What accumulators share. `free` holds what was given back, for the next minute.
#define ACC_DIGEST_SIZES 16 // of arrays: 2, 4, 8, ...
struct acc_limits {
    struct chunks chunks; // of all of it
    void *free[ACC_POOLS];
    void *free_digests[ACC_DIGEST_SIZES];
    uint32_t digests_max;
    struct minute_digest *cut; // `digests_max`: of the row that was cut last
    struct distinct_budget budget;
    uint64_t mixed_keys;    // values of another key id than their set's
    uint64_t out_of_memory; // additions lost
};

// Where it stands it stays: its budget of sets refers to it.
void acc_limits_init(struct acc_limits *limits, uint32_t digests_max, size_t sketches_max);
void acc_limits_fini(struct acc_limits *limits); // after the last accumulator

struct acc *acc_new(struct acc_limits *limits); // NULL: out of memory
void acc_free(struct acc *a, struct acc_limits *limits);

// Ask the memory for what it refers to, and, once that has come, for what its sets refer to.
void acc_fetch(const struct acc *a);
void acc_fetch_sets(const struct acc *a);

void acc_add(struct acc *a, unsigned role, unsigned direction, enum minute_counter counter,
             uint64_t n, struct acc_limits *limits);
void acc_gauge(struct acc *a, enum minute_gauge gauge, uint64_t n);
void acc_set(struct acc *a, enum minute_set set, uint8_t key_id, uint64_t value,
             struct acc_limits *limits);
// A flow begins or ends in the minute; times outside it count at its edge.
void acc_sweep(struct acc *a, enum acc_sweep sweep, bool end, int64_t t_ms,
               struct acc_limits *limits);
// Most open at once, when `open` were at the minute's start; `*open` becomes what is left at its end.
uint32_t acc_peak(const struct acc *a, enum acc_sweep sweep, uint32_t *open);

// The flow's digest in this row; NULL: not there.
struct minute_digest *acc_digest(struct acc *a, uint64_t flow_hash);
// A new one. At the limit it takes the place of one of lower `priority`, or is counted as cut (NULL).
struct minute_digest *acc_digest_new(struct acc *a, uint64_t flow_hash, uint8_t priority,
                                     struct acc_limits *limits);

// Fills counters, sets and digests of `r` (all zero; sets move into it, digests are the limits' until the next is cut) and
// begins anew. Concurrency, head and party are the caller's.
void acc_cut(struct acc *a, struct minute_row *r, struct acc_limits *limits);
// Makes a row that was cut all zero again: in the place of minute_row_fini, for most of it is zero.
void acc_cut_clear(struct minute_row *r, struct acc_limits *limits);
