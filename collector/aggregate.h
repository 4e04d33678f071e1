// Records into minutes: whose it was, what the other end was, and which counter each field adds to. The table
// of docs/formats/minute.md says it field by field.
#pragma once

#include "flowmap.h"
#include "minutes.h"
#include "provider.h"

struct aggregate_options {
    int64_t subscriber_len_v4, subscriber_len_v6;
    int64_t long_flow_ms; // flows to hosting networks longer than this are kept as digests
    bool log_envelopes;   // mail log: messages and recipients count for the client's address too
};

struct aggregate_stats {
    uint64_t no_subscriber; // neither end is ours
    uint64_t no_room;       // the table of subscribers was full of open minutes
    uint64_t no_mailbox;    // mail-log events that name nobody of ours
    uint64_t subscribers;   // distinct keys that were seen to send
    uint64_t flows;         // begun
};

// Everything is borrowed until aggregate_free.
struct aggregate_parts {
    const struct prefix_set *smarthosts, *hosting, *subscribers;
    const struct network_file *providers;
    const struct leases *leases;
    struct minutes *minutes;
    struct actives *actives;
    struct acc_limits *limits;
};

struct aggregate;

struct aggregate *aggregate_new(const struct aggregate_options *options,
                                const struct aggregate_parts *parts, size_t flows_max);
void aggregate_free(struct aggregate *g);

// A checked record. `exported`: from a source without coverage, a router.
void aggregate_flow(struct aggregate *g, const struct record_flow *f, int process, bool exported);
// A flow record comes soon: asks the memory for what its subscriber has (actives.h).
void aggregate_fetch(const struct aggregate *g, const struct record_flow *f,
                     struct actives_hint *hint);
void aggregate_mail(struct aggregate *g, const struct record_mail *e, int process);
// From here on what this process tells is in this doubt (enum identity_doubt; 0: none).
void aggregate_doubt(struct aggregate *g, int process, uint32_t doubts);
// Forgets flows and subscribers that were not heard of for an hour.
void aggregate_expire(struct aggregate *g, int64_t now_ms);

const struct aggregate_stats *aggregate_stats(const struct aggregate *g);
const struct flowmap *aggregate_flows(const struct aggregate *g);

// What the other end is to the subscriber, by the service's port, else by what is spoken there.
enum minute_role role_of(uint16_t service_port, uint8_t app, bool peer_is_smarthost);
