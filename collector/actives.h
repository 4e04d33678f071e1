// The subscribers that were heard of lately: one entry a key and lease, with what goes from minute to minute.
// A full table gives up the entry heard of longest ago that holds nothing open.
#pragma once

#include "acc.h"
#include "destinations.h"
#include "leases.h"

#define ACTIVE_TTLS 4

struct active {
    struct active *chain;
    uint64_t hash; // of key and party
    struct subscriber_key key;
    struct lease_answer lease; // of the time it was made: who the party is
    struct active *newer, *older;
    struct acc *acc; // minutes that are open, or amend, the earliest first
    int64_t last_ms;
    int64_t due_ms;            // an early slice is due at this watermark; INT64_MAX: none
    uint64_t processes;        // bit a sensor process that told of it
    uint32_t open[ACC_SWEEPS]; // at the start of the earliest open minute
    uint32_t closed_minute;    // the last that a row closed
    uint32_t flows;            // in the flow map that count in `open`
    struct destinations destinations;
    int64_t envelopes_ms;     // packets showed what it said to our own server, last
    int64_t carrier_until_ms; // a long flow that may carry others' was alive until then
    int64_t mails_until_ms;   // mail went out until then
    // What its own packets look like, learnt from answered flows.
    uint8_t ttl[ACTIVE_TTLS];
    uint8_t ttls;
    bool sent; // it was seen to send
    bool l2_known;
    uint8_t mac[6];
    uint16_t vlan[2];
    uint16_t pppoe_session;
    // The last unanswered SYN, to tell a scan.
    uint32_t scan_peer;
    uint16_t scan_port, scan_run, scan_told;
};

struct actives;

struct actives *actives_new(size_t max); // NULL: out of memory
void actives_free(struct actives *t, struct acc_limits *limits);
// The entry of key and lease; made when it is not there. `*is_new` says so. NULL: out of memory, or all
// entries hold something open.
struct active *actives_get(struct actives *t, const struct subscriber_key *key,
                           const struct lease_answer *lease, int64_t t_ms, bool *is_new);
// Asks the memory for what a record of that key will need, in steps between which other records have their turn: from
// the bucket to the entry to its minutes to what they hold. `*hint` is zeroed before the first.
#define ACTIVES_FETCH_STEPS 5
struct actives_hint {
    uint64_t hash;
    const struct active *at;
};
void actives_fetch(const struct actives *t, const struct subscriber_key *key,
                   const struct lease_answer *lease, struct actives_hint *hint); // the first
void actives_fetch_on(const struct actives *t, struct actives_hint *hint, unsigned step);
// A row of `acc` is cut, then those of the minute behind it: what a row needs is asked for while the one before is written.
void actives_fetch_row(const struct acc *acc);
// Forgets who was not heard of since `before_ms` and holds nothing open.
void actives_expire(struct actives *t, int64_t before_ms);
size_t actives_count(const struct actives *t);
uint64_t actives_evicted(const struct actives *t);
uint64_t actives_refused(const struct actives *t);
