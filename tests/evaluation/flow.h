// A session of a line, as the generator of minute rows makes it: what a sensor would say of one flow. From flows
// rows are made (rows.h), and the baselines read the very same flows (baseline.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rates.h"

enum flow_flag {
    FLOW_TLS = 1 << 0,
    FLOW_EARLY = 1 << 1,    // spoke before the greeting
    FLOW_PIPELINE = 1 << 2, // commands ahead without an offer
    FLOW_LITERAL = 1 << 3,  // HELO with an address
    FLOW_NO_QUIT = 1 << 4,
    FLOW_UNASKED = 1 << 5, // ignored STARTTLS
    FLOW_NULL = 1 << 6,    // null sender
    FLOW_NO_DATA = 1 << 7, // a refused recipient and no DATA
    FLOW_LOGIN = 1 << 8,   // a login was tried
    FLOW_FAILED = 1 << 9,  // and failed
    FLOW_HOSTING = 1 << 10,
    FLOW_SCAN = 1 << 11,
    FLOW_CONTINUES = 1 << 12, // a long flow: its beginning was told before
    FLOW_LASTS = 1 << 13,     // and its end is told later
    FLOW_SOCKS = 1 << 14,     // granted SOCKS session towards the line, target port 25
    FLOW_LISTED = 1 << 15,    // a reply named an exploit listing
    FLOW_POLICY = 1 << 16,    // a reply named a policy listing
    FLOW_GUILTY = 1 << 17,
    FLOW_LOG = 1 << 18,      // from the mail log
    FLOW_MX_QUERY = 1 << 19, // a DNS question for an MX
};

struct flow {
    int64_t t_ms; // first packet
    int32_t answer_ms, lasts_ms;
    uint32_t line; // index in the site
    uint32_t provider;
    uint32_t host; // of the provider; 0: its only one
    uint32_t flags;
    uint32_t id; // of a long flow, told in several minutes
    uint32_t begun_ago_ms;
    uint32_t recipient, sender, user, relay;
    uint32_t client; // TLS client shown (client.h); 0: none
    uint32_t octets_up, octets_down;
    uint16_t port, rcpt_ok, rcpt_4xx, rcpt_5xx, messages, messages_5xx;
    uint8_t role, direction, outcome;
    uint8_t country;
};

struct flows {
    struct flow *item;
    size_t count, cap;
};

// A flow to fill, zero but for line and time. Ends the program when there is no memory.
struct flow *flow_new(struct flows *f, uint32_t line, int64_t t_ms);
