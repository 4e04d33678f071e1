// Listens for a copy of RADIUS accounting (UDP), as a server does: what a client with the right secret says is
// put into the lease store, and answered once it is durable, so that a RADIUS server may proxy to us and hold
// back what we could not keep. Everything else is counted by reason and by source, and not answered.
#pragma once

#include "common/conf.h"
#include "common/control.h"
#include "common/loop.h"
#include "radius_leases.h"

// Of all servers of the collector together.
struct radius_counts {
    uint64_t packets, taken, repeated, prefixes_cut, no_address;
    uint64_t refused[RADIUS_REFUSALS_N];
};

void radius_counts_status(const struct radius_counts *c, struct control_status *status);

struct radius_options {
    const char *listen;      // "192.0.2.1:1813", "[2001:db8::1]:1813"
    const char *secret_file; // its first line is the secret
    struct conf_prefixes clients;
    struct radius_naming naming;
};

struct radius_server;

// Opens the socket and reads the secret; `store` and `counts` are borrowed, texts copied.
// Errors are written.
int radius_server_open(const struct radius_options *options, struct lease_store *store,
                       struct radius_counts *counts, FILE *errors, struct radius_server **out);
void radius_server_close(struct radius_server *s);
// From here on packets are read.
int radius_server_start(struct radius_server *s, struct loop *l);
// Refused sources and clocks that differ, as problems.
void radius_server_status(const struct radius_server *s, struct control_status *status);

// One packet as if it had come from `source`; for tests and fuzzing. What would be answered waits until
// radius_server_flush, as if it were the end of a batch.
enum radius_refusal radius_server_take(struct radius_server *s, struct span packet,
                                       const struct ip_addr *source, uint16_t port, int64_t now_ms);
// Makes what was taken durable; answers are sent then. The number of answers, or a negative errno.
int radius_server_flush(struct radius_server *s);
