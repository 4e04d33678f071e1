// What was so far of flows that go on over several records: what has been counted once and must not be
// again, and what can be told only at the end. A fixed pool; a full one evicts the flow heard of longest ago.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flow_counted {
    FLOW_ESTABLISHED = 1 << 0,
    FLOW_GREETED = 1 << 1, // greeting counted
    FLOW_HELO = 1 << 2,
    FLOW_TLS = 1 << 3,
    FLOW_TLS_ALERT = 1 << 4,
    FLOW_EARLY_TALKER = 1 << 5,
    FLOW_UNOFFERED = 1 << 6,
    FLOW_HELO_LITERAL = 1 << 7,
    FLOW_HELO_PEER = 1 << 8,
    FLOW_QUIT = 1 << 9,
    FLOW_STARTTLS_OFFERED = 1 << 10,
    FLOW_STARTTLS_ASKED = 1 << 11,
    FLOW_COMMANDS = 1 << 12, // a client command beyond HELO was seen
    FLOW_GAP = 1 << 13,
    FLOW_SOCKS = 1 << 14,
    FLOW_SOCKS_GRANTED = 1 << 15,
    FLOW_SOCKS_MAIL = 1 << 16,
    FLOW_SOCKS_REFUSED = 1 << 17,
    FLOW_DATA = 1 << 18,
    FLOW_NEW_DESTINATION = 1 << 19,
};

struct active;

struct flow {
    uint64_t hash;
    int64_t last_ms;
    uint64_t client_app_octets; // TLS application octets of the client
    uint64_t provider;
    struct active
        *open[2];     // subscribers (initiator's, responder's) whose open connections it counts in
    uint32_t counted; // enum flow_counted
    uint32_t auth, auth_failed, mail, rcpt_5xx;
    uint16_t syns;                // SYNs of the attempt, as far as its records say
    uint8_t role;                 // enum minute_role; sticky once it is not `other`
    uint8_t provider_kind;        // enum minute_provider
    uint8_t outcome;              // enum minute_outcome
    uint8_t sweep;                // which concurrency it counts in
    uint32_t chain, newer, older; // indexes of the pool
};

struct flowmap;

// Called for a flow that is evicted or forgotten.
typedef void (*flow_end_fn)(struct flow *f, void *ctx);

struct flowmap *flowmap_new(size_t max, flow_end_fn end, void *ctx); // NULL: out of memory
void flowmap_free(struct flowmap *m);
struct flow *flowmap_find(struct flowmap *m, uint64_t hash); // NULL: not there
// Takes in a copy of `f` under its hash, which must not be there; valid until it is dropped.
struct flow *flowmap_put(struct flowmap *m, const struct flow *f);
void flowmap_touch(struct flowmap *m, struct flow *f, int64_t t_ms);
void flowmap_drop(struct flowmap *m, struct flow *f);      // without calling `end`
void flowmap_expire(struct flowmap *m, int64_t before_ms); // last heard of before that time
size_t flowmap_count(const struct flowmap *m);
uint64_t flowmap_evicted(const struct flowmap *m);
