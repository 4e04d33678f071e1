// What takes a short way comes out as by the long one: the same records, at the same packet, and the same
// counters of the sensor, for random connections: whole, joined in the middle, lossy, sent again, doubled,
// sliced, kept alive, closed and reset, with and without dialogues; a packet by itself and in batches.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "flow_key.h"

#define CONNECTIONS 6
#define PACKETS     3000
#define RUNS        10

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

static const char *const said[] = {
    "220 mx.example ESMTP\r\n",
    "EHLO a.example\r\n",
    "250-mx.example\r\n250 PIPELINING\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "RCPT TO:<c@d.example>\r\n",
    "DATA\r\n",
    "354 go\r\n",
    "body\r\n.\r\n",
    "250 2.0.0 ok\r\n",
    "550 5.7.1 listed by zen.spamhaus.org\r\n",
    "QUIT\r\n",
    "x",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\x17\x03\x03\x01\x10 application",
    "\x05\x01\x01",
};

struct connection {
    uint16_t port[2]; // client, server
    uint32_t next[2];
    bool open;
};

static struct connection connection[CONNECTIONS];
static struct bench way[2]; // short, long

static void begin_connection(struct connection *c)
{
    static const uint16_t server[] = {25, 587, 443, 80, 1080, 47001};
    *c = (struct connection){
        .port = {(uint16_t)(40000 + rnd(20000)), server[rnd(sizeof server / sizeof *server)]},
        .next = {rnd(4) ? rnd(UINT32_MAX) : UINT32_MAX - rnd(3000), rnd(UINT32_MAX)}};
}

// The next packet of a connection, and what may befall it.
static struct packet make(struct connection *c, int64_t t_ms)
{
    unsigned from = rnd(2);
    uint8_t flags = A;
    const char *payload = rnd(5) < 2 ? NULL : said[rnd(sizeof said / sizeof *said)];
    uint32_t seq = c->next[from], ack = c->next[!from];
    if (!c->open && rnd(8)) { // a handshake; else it is joined in the middle
        payload = NULL;
        flags = from == 0 ? S : S | A;
        c->next[from]++;
        c->open = from == 1 || rnd(6) == 0;
    } else {
        c->open = true;
        if (rnd(60) == 0)
            flags = rnd(3) ? F | A : R | A;
        if (payload)
            c->next[from] += (uint32_t)strlen(payload);
        if (flags & F)
            c->next[from]++;
    }
    switch (rnd(24)) {
    case 0: seq -= rnd(400); break; // sent again, or a part of it
    case 1: seq += rnd(40); break;  // something before it was lost
    case 2:                         // keep-alive
        seq--;
        payload = "x";
        break;
    case 3: ack += rnd(2000); break;
    case 4: ack -= rnd(2000); break;
    default: break;
    }
    struct packet p = bench_packet(&way[0], t_ms, from == 0 ? 'c' : 's', flags, seq, ack, payload);
    p.port[0] = c->port[from];
    p.port[1] = c->port[!from];
    p.ttl = (uint8_t)(50 + rnd(20));
    if (payload && rnd(40) == 0)
        p.payload.len = rnd((uint32_t)p.payload.len + 1);
    if (rnd(200) == 0)
        p.ip_octets = 0x3fffffff; // counters near their end are told
    return p;
}

static void same(const char *when)
{
    assert_int_equal(way[0].records, way[1].records);
    for (size_t i = 0; i < way[0].records; i++) {
        const struct record_flow *x = &way[0].record[i], *y = &way[1].record[i];
        if (memcmp(x, y, offsetof(struct record_flow, hash)) != 0)
            fail_msg("%s: record %zu differs", when, i);
        for (uint8_t h = 0; h < x->hash_count; h++)
            assert_true(x->hash[h].kind == y->hash[h].kind && x->hash[h].value == y->hash[h].value);
    }
    if (memcmp(&way[0].stats, &way[1].stats, sizeof way[0].stats) != 0)
        fail_msg("%s: other counters", when);
    way[0].records = way[1].records = 0;
}

// How often the short ways were open to a packet: a test that never takes them shows nothing.
static unsigned taken[2];

static void note_taken(const struct packet *p)
{
    struct flow_place at = flow_place_in(way[0].table, flow_realm(way[0].table, p), p);
    const struct flow *f = flow_find(way[0].table, p, &at);
    if (f && flow_tcp_open(f, p))
        taken[f->dialogue != 0]++;
}

static void begin_run(uint64_t with)
{
    seed = with;
    for (unsigned w = 0; w < 2; w++)
        bench_open(&way[w], 64, 0);
    way[1].table->long_way = true;
    for (size_t i = 0; i < CONNECTIONS; i++)
        begin_connection(&connection[i]);
}

static void end_run(void)
{
    for (unsigned w = 0; w < 2; w++)
        bench_finish(&way[w]);
    same("end");
    for (unsigned w = 0; w < 2; w++)
        bench_close(&way[w]);
}

static void test_same_records(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= RUNS; run++) {
        begin_run(run);
        int64_t t_ms = 0;
        for (unsigned n = 0; n < PACKETS; n++) {
            struct connection *c = &connection[rnd(CONNECTIONS)];
            if (rnd(120) == 0)
                begin_connection(c);
            t_ms += rnd(50) ? rnd(40) : rnd(30000);
            struct packet p = make(c, t_ms);
            unsigned copies = rnd(30) ? 1 : 2;
            for (unsigned i = 0; i < copies; i++) {
                note_taken(&p);
                bench_send(&way[0], &p);
                bench_send(&way[1], &p);
                same("packet");
            }
        }
        end_run();
    }
    assert_true(taken[0] > 1000 && taken[1] > 1000);
}

// As the sensor has it: located, fetched, then counted in order.
static void send_batch(struct bench *w, const struct packet *p, size_t n)
{
    struct flow_place at[FLOW_BATCH];
    for (size_t i = 0; i < n; i++)
        flow_locate(w->table, &p[i], &at[i]);
    flow_fetch(w->table, p, at, n);
    for (size_t i = 0; i < n; i++) {
        bench_wait(w, p[i].t_us / 1000 - BENCH_START_MS);
        flow_packet_at(w->table, &p[i], &at[i]);
    }
}

static size_t together; // packets with octets that were not the last of their connection in a batch

static void send_both_ways(struct packet *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++)
            together += p[i].port[0] == p[j].port[0] && p[i].payload.len > 0;
        bench_send(&way[1], &p[i]);
    }
    send_batch(&way[0], p, n);
    same("batch");
}

static void test_batches(void **state)
{
    struct packet p[FLOW_BATCH];
    (void)state;
    for (uint64_t run = 1; run <= RUNS; run++) {
        begin_run(run * 77);
        int64_t t_ms = 0;
        for (unsigned n = 0; n < PACKETS;) {
            size_t many = 1 + rnd(FLOW_BATCH);
            t_ms += rnd(20) ? 1 : rnd(90000);
            for (size_t i = 0; i < many; i++, n++) {
                struct connection *c = &connection[rnd(CONNECTIONS)];
                if (rnd(120) == 0)
                    begin_connection(c);
                int64_t next = t_ms + (rnd(3) ? 0 : rnd(400));
                if (next / 60000 == t_ms / 60000) // a minute ends between two batches
                    t_ms = next;
                p[i] = make(c, t_ms);
                if (i > 0 && rnd(30) == 0)
                    p[i] = p[i - 1];
            }
            send_both_ways(p, many);
        }
        end_run();
    }
    assert_true(together > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_records),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
