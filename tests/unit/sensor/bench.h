// A flow table on a bench: packets are written down, records come out. Times are milliseconds from the
// bench's beginning, which is a whole minute.
#pragma once

#include "export.h"
#include "flow.h"

#define BENCH_RECORDS  64
#define BENCH_START_MS INT64_C(1700000040000)

struct bench {
    struct stats stats;
    struct prefix_set *subscribers, *smarthosts;
    struct keyed_hash_key key;
    uint64_t counters[PROTO_COUNTER_N];
    struct flow_table *table;
    struct export *export;
    struct record_flow record[BENCH_RECORDS];
    size_t records;
    int64_t now_ms;
    uint16_t ip_id;
};

// `flows`: size of the table. 192.168.0.0/16 are subscribers, 203.0.113.25 is a smarthost.
void bench_open(struct bench *w, size_t flows, unsigned realm_layers);
void bench_close(struct bench *w);

enum { S = PACKET_SYN, A = PACKET_ACK, F = PACKET_FIN, R = PACKET_RST };

// From the client 192.168.1.1:PORT to the server 198.51.100.2:25 (or back), at `t_ms`.
struct packet bench_packet(struct bench *w, int64_t t_ms, char from, uint8_t flags, uint32_t seq,
                           uint32_t ack, const char *payload);
void bench_send(struct bench *w, const struct packet *p);
// The two above.
void bench_tcp(struct bench *w, int64_t t_ms, char from, uint8_t flags, uint32_t seq, uint32_t ack,
               const char *payload);
// Time passes: deadlines fire, minutes end.
void bench_wait(struct bench *w, int64_t t_ms);
void bench_finish(struct bench *w);
// The last record; fails when there is none.
const struct record_flow *bench_last(const struct bench *w);

// ---- What most tests do: one bench, 64 flows.

extern struct bench b;

void begin(void);
// Ends every flow; nothing is left, and every record is possible.
void end(void);
// SYN at `t_ms`, its answer 20 ms later, the acknowledgement at 30: sequence numbers 1000 and 5000.
void handshake(int64_t t_ms);
