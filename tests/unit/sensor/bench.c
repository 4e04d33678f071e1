// The bench of flow tests: a table with small sizes and the default times.
#include "bench.h"

#include <assert.h>
#include <string.h>

static void keep(void *ctx, uint32_t flow, const struct record_flow *r, int64_t last_us)
{
    struct bench *b = ctx;
    (void)flow;
    (void)last_us;
    assert(b->records < BENCH_RECORDS);
    b->record[b->records++] = *r;
}

static void add(struct prefix_set *s, const char *text)
{
    struct ip_prefix p;
    int rc = prefix_parse(text, &p);
    assert(rc == 0);
    rc = prefix_set_add(s, &p, 0);
    assert(rc == 0);
}

void bench_open(struct bench *b, size_t flows, unsigned realm_layers)
{
    memset(b, 0, sizeof *b);
    b->subscribers = prefix_set_new();
    b->smarthosts = prefix_set_new();
    add(b->subscribers, "192.168.0.0/16");
    add(b->smarthosts, "203.0.113.25");
    prefix_set_freeze(b->subscribers);
    prefix_set_freeze(b->smarthosts);
    b->key = keyed_hash_key_replay();
    struct flow_config config = {
        .flows = flows,
        .dialogues = 16,
        .realms = 16,
        .mirror_entries = 1024,
        .stream = {.memory = 1 << 18, .flow_memory = 1 << 16, .gap_us = 500000},
        .realm_layers = realm_layers,
        .syn_timeout_us = 4000000,
        .half_open_us = 70000000,
        .early_us = 10000000,
        .idle_us = 900000000,
        .closing_us = 60000000,
        .linger_us = 1000000,
        .done_us = 10000000,
        .datagram_idle_us = 60000000,
        .dns_idle_us = 5000000,
        .duplicate_us = 5000,
        .subscribers = b->subscribers,
        .smarthosts = b->smarthosts,
        .proto = {.key = &b->key, .profile = COVERAGE_FULL_ENVELOPE, .counters = b->counters}};
    struct export_config export = {.domain = 1, .print = keep, .print_ctx = b};
    b->export = export_new(&export, &b->stats);
    b->table = flow_table_new(&config, &b->stats, export_flow, b->export);
    assert(b->export && b->table);
}

void bench_close(struct bench *b)
{
    flow_table_free(b->table);
    export_free(b->export);
    prefix_set_free(b->subscribers);
    prefix_set_free(b->smarthosts);
}

static void set_addr(uint8_t to[static 16], uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d};
    memcpy(to, mapped, 16);
}

struct packet bench_packet(struct bench *b, int64_t t_ms, char from, uint8_t flags, uint32_t seq,
                           uint32_t ack, const char *payload)
{
    unsigned client = from == 'c' ? 0 : 1;
    uint32_t len = payload ? (uint32_t)strlen(payload) : 0;
    struct packet p = {.t_us = (BENCH_START_MS + t_ms) * 1000,
                       .family = IP_V4,
                       .ip_proto = 6,
                       .ttl = 64,
                       .ip_packets = 1,
                       .ip_id = ++b->ip_id,
                       .ip_octets = 40 + len,
                       .seq = seq,
                       .ack = ack,
                       .window = 65535,
                       .tcp_flags = flags,
                       .payload = span_of(payload, len),
                       .payload_wire = len};
    set_addr(p.addr[client], 192, 168, 1, 1);
    set_addr(p.addr[!client], 198, 51, 100, 2);
    p.port[client] = 40000;
    p.port[!client] = 25;
    return p;
}

void bench_wait(struct bench *b, int64_t t_ms)
{
    while (b->now_ms < t_ms) {
        int64_t minute = (b->now_ms / 60000 + 1) * 60000, to = minute < t_ms ? minute : t_ms;
        flow_run(b->table, (BENCH_START_MS + to) * 1000 - 1);
        if (to % 60000 == 0)
            flow_minute(b->table, (BENCH_START_MS + to) * 1000);
        flow_run(b->table, (BENCH_START_MS + to) * 1000);
        b->now_ms = to;
    }
}

void bench_send(struct bench *b, const struct packet *p)
{
    bench_wait(b, p->t_us / 1000 - BENCH_START_MS);
    flow_packet(b->table, p);
}

void bench_tcp(struct bench *b, int64_t t_ms, char from, uint8_t flags, uint32_t seq, uint32_t ack,
               const char *payload)
{
    struct packet p = bench_packet(b, t_ms, from, flags, seq, ack, payload);
    bench_send(b, &p);
}

void bench_finish(struct bench *b)
{
    flow_finish(b->table, (BENCH_START_MS + b->now_ms) * 1000);
}

const struct record_flow *bench_last(const struct bench *b)
{
    assert(b->records > 0);
    return &b->record[b->records - 1];
}
