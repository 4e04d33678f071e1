// Records of flows: what is new of a flow becomes a record_flow, gets its identity and goes to the file
// (or the spool) and to whoever prints. Which flows are told of is configuration; what a record's
// times mean is said in docs/sensor.md.
#pragma once

#include <stdio.h>

#include "flow.h"
#include "sink.h"

enum export_which {
    EXPORT_ALL,  // mail, SOCKS, logins, MX queries, and every flow with a subscriber at an end
    EXPORT_MAIL, // without the last
};

struct export_config {
    struct sink *sink; // borrowed; NULL: no records
    uint32_t domain;
    int which;
    bool live; // a record that the sink does not take is counted, and the next one tried
    // Gets every record of a TCP flow, wanted or not; NULL: nobody asks. `last_us` is the time of the
    // flow's last packet.
    void (*print)(void *ctx, uint32_t flow, const struct record_flow *r, int64_t last_us);
    void *print_ctx;
};

struct export;

struct export *export_new(const struct export_config *config, struct stats *stats);
void export_free(struct export *x);

// The first packet's time names the epoch of a replay: the same packets give the same records.
void export_begin(struct export *x, uint64_t epoch);
// A flow_report_fn; `ctx` is the struct export.
void export_flow(void *ctx, struct flow_table *t, struct flow *f, unsigned flags, int64_t t_us);
// After it no record has an earlier time. The epoch must have begun.
void export_coverage(struct export *x, const struct coverage *c);
// First error of the sink, negative errno; 0: none. Live: none.
int export_error(const struct export *x);
// Live: why the latest record was not taken, negative errno; 0: it was.
int export_refused(const struct export *x);
// Makes what was put durable (live). Negative errno.
int export_flush(struct export *x, int64_t now_ms);

// The application that a port stands for when nothing was said; RECORD_APP_UNKNOWN: none.
uint8_t export_app_of_port(uint16_t port, uint8_t ip_proto);
