// Flow facts from CSV: what somebody's flow exporter saw of a machine, a row a TCP conversation.
//
// The first line names the columns, in any order: start_s, peer, port, src_port, packets_out,
// octets_out, packets_in, octets_in, duration_s. Octets count whole frames, Ethernet header included. Rows may stand in
// any order; here they are in that of their starts. The machine dialled: `port` is the peer's.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "common/addr.h"

struct flow_fact {
    int64_t start_ns, duration_ns; // start counts from the file's own zero
    struct ip_addr peer;
    uint16_t port, src_port;
    uint32_t packets_out, packets_in;
    uint64_t octets_out, octets_in;
    uint32_t line, column; // where the peer stands in the file, for errors
};

struct flow_facts {
    struct flow_fact *item; // owned
    size_t count;
    size_t repeated; // rows that said the same as another in every column: they were left out
};

// Reads the whole of `in`; `name` stands in the errors. 0, or a sysexits code after one line on `errors` with file, line and column.
int flow_facts_read(FILE *in, const char *name, struct flow_facts *out, FILE *errors);

// The same of a file.
int flow_facts_load(const char *path, struct flow_facts *out, FILE *errors);
void flow_facts_free(struct flow_facts *f);
