// The bench of flow tests: a table with small sizes and the default times.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <assert.h>
#include <cmocka.h>
#include <string.h>

#include "bench.h"

struct bench b;

static void keep(void *ctx, uint32_t flow, const struct record_flow *r, int64_t last_us)
{
    struct bench *w = ctx;
    (void)flow;
    (void)last_us;
    assert(w->records < BENCH_RECORDS);
    w->record[w->records++] = *r;
}

static void add(struct prefix_set *s, const char *text)
{
    struct ip_prefix p;
    int rc = prefix_parse(text, &p);
    assert(rc == 0);
    rc = prefix_set_add(s, &p, 0);
    assert(rc == 0);
}

void bench_open(struct bench *w, size_t flows, unsigned realm_layers)
{
    memset(w, 0, sizeof *w);
    w->subscribers = prefix_set_new();
    w->smarthosts = prefix_set_new();
    add(w->subscribers, "192.168.0.0/16");
    add(w->smarthosts, "203.0.113.25");
    prefix_set_freeze(w->subscribers);
    prefix_set_freeze(w->smarthosts);
    w->key = keyed_hash_key_replay();
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
        .subscribers = w->subscribers,
        .smarthosts = w->smarthosts,
        .proto = {.key = &w->key, .profile = COVERAGE_FULL_ENVELOPE, .counters = w->counters}};
    struct export_config export = {.domain = 1, .print = keep, .print_ctx = w};
    w->export = export_new(&export, &w->stats);
    w->table = flow_table_new(&config, &w->stats, export_flow, w->export);
    assert(w->export && w->table);
}

void bench_close(struct bench *w)
{
    flow_table_free(w->table);
    export_free(w->export);
    prefix_set_free(w->subscribers);
    prefix_set_free(w->smarthosts);
}

static void set_addr(uint8_t to[static 16], uint8_t first, uint8_t second, uint8_t third,
                     uint8_t fourth)
{
    const uint8_t mapped[16] = {
        [10] = 0xff, [11] = 0xff, [12] = first, [13] = second, [14] = third, [15] = fourth};
    memcpy(to, mapped, 16);
}

struct packet bench_packet(struct bench *w, int64_t t_ms, char from, uint8_t flags, uint32_t seq,
                           uint32_t ack, const char *payload)
{
    unsigned client = from == 'c' ? 0 : 1;
    uint32_t len = payload ? (uint32_t)strlen(payload) : 0;
    struct packet p = {.t_us = (BENCH_START_MS + t_ms) * 1000,
                       .family = IP_V4,
                       .ip_proto = 6,
                       .ttl = 64,
                       .ip_packets = 1,
                       .ip_id = ++w->ip_id,
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

void bench_wait(struct bench *w, int64_t t_ms)
{
    while (w->now_ms < t_ms) {
        int64_t minute = (w->now_ms / 60000 + 1) * 60000, to = minute < t_ms ? minute : t_ms;
        flow_run(w->table, (BENCH_START_MS + to) * 1000 - 1);
        if (to % 60000 == 0)
            flow_minute(w->table, (BENCH_START_MS + to) * 1000);
        flow_run(w->table, (BENCH_START_MS + to) * 1000);
        w->now_ms = to;
    }
}

void bench_send(struct bench *w, const struct packet *p)
{
    bench_wait(w, p->t_us / 1000 - BENCH_START_MS);
    flow_packet(w->table, p);
}

void bench_tcp(struct bench *w, int64_t t_ms, char from, uint8_t flags, uint32_t seq, uint32_t ack,
               const char *payload)
{
    struct packet p = bench_packet(w, t_ms, from, flags, seq, ack, payload);
    bench_send(w, &p);
}

void bench_finish(struct bench *w)
{
    flow_finish(w->table, (BENCH_START_MS + w->now_ms) * 1000);
}

const struct record_flow *bench_last(const struct bench *w)
{
    assert(w->records > 0);
    return &w->record[w->records - 1];
}

void begin(void)
{
    bench_open(&b, 64, 0);
}

void end(void)
{
    bench_finish(&b);
    assert_int_equal(b.table->in_use, 0);
    assert_int_equal(dialogues_in_use(b.table->dialogues), 0);
    for (size_t i = 0; i < b.records; i++) {
        struct record r = {.version = RECORD_VERSION,
                           .kind = RECORD_FLOW,
                           .id = {.domain = 1, .epoch = 1, .sequence = 1},
                           .flow = b.record[i]};
        const char *bad = record_check(&r);
        if (bad)
            fail_msg("record %zu: %s", i, bad);
    }
    bench_close(&b);
}

void handshake(int64_t t_ms)
{
    bench_tcp(&b, t_ms, 'c', S, 1000, 0, NULL);
    bench_tcp(&b, t_ms + 20, 's', S | A, 5000, 1001, NULL);
    bench_tcp(&b, t_ms + 30, 'c', A, 1001, 5001, NULL);
}
