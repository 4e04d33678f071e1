// Long flows and what is opened behind their data: which are watched, which opened flows count, both sides of
// 300 milliseconds, the time covered, and the bounds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bench.h"

#define MINUTE 60000

struct line { // a long flow
    uint8_t host;
    uint16_t port;
    uint32_t seq[2];
};

static struct line tunnel;

// The carrier's part of the records since it was last asked for; zeros: none told. The bench keeps few records,
// so they are added up on the way.
static struct record_carrier sum;

static void gather(void)
{
    for (size_t i = 0; i < b.records; i++) {
        const struct record_flow *r = &b.record[i];
        if (!(r->groups & RECORD_HAS_CARRIER))
            continue;
        assert_int_equal(r->initiator_port, tunnel.port);
        sum.opened = (uint16_t)(sum.opened + r->carrier.opened);
        sum.behind = (uint16_t)(sum.behind + r->carrier.behind);
        sum.covered_ms += r->carrier.covered_ms;
        sum.watched_ms += r->carrier.watched_ms;
        sum.networks |= r->carrier.networks;
    }
    b.records = 0;
}

static struct record_carrier told(void)
{
    gather();
    struct record_carrier c = sum;
    sum = (struct record_carrier){0};
    return c;
}

static void put(const struct packet *p)
{
    gather();
    bench_send(&b, p);
}

static const char *octets(size_t n)
{
    static char text[1401];
    memset(text, 'x', sizeof text - 1);
    return text + (sizeof text - 1 - n);
}

static void send_on(struct line *l, int64_t t_ms, char from, uint8_t flags, size_t n)
{
    unsigned dir = from == 'c' ? 0 : 1;
    struct packet p = bench_packet(&b, t_ms, from, flags, l->seq[dir], l->seq[!dir],
                                   n ? octets(n) : NULL);
    p.addr[dir][15] = l->host;
    p.port[dir] = l->port;
    p.port[!dir] = 443;
    put(&p);
    l->seq[dir] += (uint32_t)n + (flags & (S | F) ? 1 : 0);
}

static void dial(struct line *l, int64_t t_ms, uint8_t host, uint16_t port)
{
    *l = (struct line){.host = host, .port = port, .seq = {1000, 5000}};
    send_on(l, t_ms, 'c', S, 0);
    send_on(l, t_ms + 20, 's', S | A, 0);
    send_on(l, t_ms + 40, 'c', A, 300);
    send_on(l, t_ms + 60, 's', A, 200);
}

// A SYN of the subscriber `host` to 203.0.`network`.1, from a port of its own.
static void open_to(int64_t t_ms, uint8_t host, uint8_t network, uint16_t to)
{
    static uint16_t from = 20000;
    struct packet p = bench_packet(&b, t_ms, 'c', S, 7000, 0, NULL);
    p.addr[0][15] = host;
    p.addr[1][12] = 203;
    p.addr[1][13] = 0;
    p.addr[1][14] = network;
    p.addr[1][15] = 1;
    p.port[0] = from++;
    p.port[1] = to;
    put(&p);
}

static void begin_watched(void)
{
    begin();
    dial(&tunnel, 0, 1, 40000);
    send_on(&tunnel, 59900, 'c', A, 100);
    bench_wait(&b, MINUTE);
    assert_int_equal(b.stats.carriers, 0); // not told of before
    send_on(&tunnel, 2 * MINUTE - 5000, 's', A, 50);
    send_on(&tunnel, 2 * MINUTE - 4000, 'c', A, 100);
    bench_wait(&b, 2 * MINUTE);
    assert_int_equal(b.stats.carriers, 1);
    b.records = 0;
}

static struct record_carrier told_at_end(void)
{
    bench_wait(&b, (b.now_ms / MINUTE + 1) * MINUTE);
    return told();
}

static int bits(uint64_t v)
{
    return __builtin_popcountll(v);
}

static void test_behind(void **state)
{
    static const struct {
        int64_t after_ms;
        bool behind;
    } cases[] = {{0, true}, {2, true}, {150, true}, {290, true}, {312, false}, {900, false}};
    (void)state;
    begin_watched();
    int64_t t = 2 * MINUTE;
    unsigned behind = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++, t += 5000) {
        send_on(&tunnel, t, 's', A, 50);
        open_to(t + cases[i].after_ms, 1, (uint8_t)i, 443);
        behind += cases[i].behind;
    }
    send_on(&tunnel, t, 'c', A, 400);
    struct record_carrier c = told_at_end();
    assert_int_equal(c.opened, 6);
    assert_int_equal(c.behind, behind);
    assert_int_equal(c.watched_ms, MINUTE);
    assert_in_range(bits(c.networks), 2, 4);
    // Six times octets came, each alone: 295 ms each.
    assert_in_range(c.covered_ms, 1750, 1790);
    end();
}

// Only others that the subscriber itself begins count, one a second, and none before the flow is watched.
static void test_what_counts(void **state)
{
    (void)state;
    begin_watched();
    int64_t t = 2 * MINUTE;
    for (unsigned i = 0; i < 4; i++, t += 2000) {
        send_on(&tunnel, t, 's', A, 50);
        for (unsigned n = 0; n < 10; n++)
            open_to(t + 5 + n, 1, (uint8_t)(10 * i + n), 443);
    }
    for (unsigned i = 0; i < 8; i++, t += 2000) {
        send_on(&tunnel, t, 's', A, 50);
        open_to(t + 5, 2, 90, 443);  // another subscriber
        open_to(t + 10, 1, 91, 53);  // a name
        open_to(t + 15, 1, 92, 853); // the same, over TLS
        struct packet p = bench_packet(&b, t + 20, 'c', S, 7000, 0, NULL);
        p.port[0] = (uint16_t)(50000 + i); // to the carrier's own peer
        p.port[1] = 443;
        put(&p);
        p = bench_packet(&b, t + 25, 's', S, 7000, 0, NULL); // from outside
        p.port[1] = (uint16_t)(52000 + i);
        p.port[0] = 22;
        put(&p);
    }
    send_on(&tunnel, t, 'c', A, 400);
    struct record_carrier c = told_at_end();
    assert_int_equal(c.opened, 4);
    assert_int_equal(c.behind, 4);
    assert_in_range(bits(c.networks), 20, 40); // of 40 in 64 bits
    end();
}

// What came down all the time is behind everything, and says so.
static void test_covered(void **state)
{
    static const struct {
        int64_t every_ms;
        uint32_t least_ms, most_ms; // of a minute
    } cases[] = {
        {100, 59000, MINUTE}, {250, 59000, MINUTE}, {1000, 17000, 18100}, {6000, 2600, 3000}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_watched();
        int64_t next_open = 2 * MINUTE + 30;
        for (int64_t t = 2 * MINUTE; t < 3 * MINUTE; t += cases[i].every_ms) {
            send_on(&tunnel, t, 's', A, 10);
            if (t >= next_open) {
                open_to(t + 10, 1, (uint8_t)(t / 1000), 443);
                next_open += 2000;
            }
        }
        send_on(&tunnel, 3 * MINUTE - 1, 'c', A, 900);
        struct record_carrier c = told_at_end();
        assert_true(c.behind > 2);
        assert_in_range(c.covered_ms, cases[i].least_ms, cases[i].most_ms);
        end();
    }
}

// Little is kept until it says something, or until the flow ends.
static void test_told_when(void **state)
{
    (void)state;
    begin_watched();
    for (unsigned i = 0; i < 2; i++) {
        send_on(&tunnel, (2 + i) * MINUTE + 100, 's', A, 50);
        open_to((2 + i) * MINUTE + 150, 1, (uint8_t)i, 443);
        send_on(&tunnel, (2 + i) * MINUTE + 600, 'c', A, 50);
        assert_int_equal(told_at_end().opened, 0);
    }
    send_on(&tunnel, 4 * MINUTE + 100, 's', A, 50);
    open_to(4 * MINUTE + 150, 1, 9, 443);
    send_on(&tunnel, 4 * MINUTE + 600, 'c', A, 50);
    struct record_carrier c = told_at_end();
    assert_int_equal(c.opened, 3);
    assert_int_equal(c.behind, 3);
    assert_int_equal(c.watched_ms, 3 * MINUTE);
    // Thirty that are behind nothing say something too.
    for (unsigned i = 0; i < 30; i++)
        open_to(5 * MINUTE + 1000 + 1100 * i, 1, (uint8_t)i, 443);
    send_on(&tunnel, 5 * MINUTE + 50000, 'c', A, 50);
    c = told_at_end();
    assert_int_equal(c.opened, 30);
    assert_int_equal(c.behind, 0);
    send_on(&tunnel, 6 * MINUTE + 100, 's', A, 50);
    open_to(6 * MINUTE + 150, 1, 9, 443);
    send_on(&tunnel, 6 * MINUTE + 200, 'c', A | F, 0);
    send_on(&tunnel, 6 * MINUTE + 220, 's', A | F, 0);
    send_on(&tunnel, 6 * MINUTE + 240, 'c', A, 0);
    bench_wait(&b, 6 * MINUTE + 30000);
    c = told();
    assert_int_equal(c.behind, 1);
    end();
}

// Of one that uploads each order is told in its minute; when it ends misses are told as hits are.
static void test_told_soon(void **state)
{
    (void)state;
    begin_watched();
    send_on(&tunnel, 2 * MINUTE + 100, 's', A, 50);
    open_to(2 * MINUTE + 150, 1, 1, 443);
    send_on(&tunnel, 2 * MINUTE + 600, 'c', A, 600);
    struct record_carrier c = told_at_end();
    assert_int_equal(c.opened, 1);
    assert_int_equal(c.behind, 1);
    // Opened behind nothing: not told in its minute, however much goes up.
    open_to(3 * MINUTE + 5000, 1, 2, 443);
    send_on(&tunnel, 3 * MINUTE + 6000, 'c', A, 600);
    assert_int_equal(told_at_end().opened, 0);
    send_on(&tunnel, 4 * MINUTE + 200, 'c', A | F, 0);
    send_on(&tunnel, 4 * MINUTE + 220, 's', A | F, 0);
    send_on(&tunnel, 4 * MINUTE + 240, 'c', A, 0);
    bench_wait(&b, 4 * MINUTE + 30000);
    c = told();
    assert_int_equal(c.opened, 1);
    assert_int_equal(c.behind, 0);
    end();
}

// A download carries nothing for others; a flow that becomes one is let go.
static void test_downloads(void **state)
{
    (void)state;
    begin();
    dial(&tunnel, 0, 1, 40000);
    for (int64_t t = 1000; t < 3 * MINUTE; t += 1000)
        send_on(&tunnel, t, 's', A, 1400);
    bench_wait(&b, 3 * MINUTE);
    assert_int_equal(b.stats.carriers, 0);
    for (int64_t t = 3 * MINUTE; t < 4 * MINUTE; t += 1000) {
        send_on(&tunnel, t, 'c', A, 1400);
        send_on(&tunnel, t + 10, 's', A, 14);
    }
    bench_wait(&b, 4 * MINUTE);
    assert_int_equal(b.stats.carriers, 1);
    for (int64_t t = 4 * MINUTE; t < 5 * MINUTE; t += 1000)
        send_on(&tunnel, t, 's', A, 1400);
    bench_wait(&b, 5 * MINUTE);
    b.records = 0;
    for (unsigned i = 0; i < 5; i++) {
        send_on(&tunnel, 5 * MINUTE + 2000 * i, 's', A, 50);
        open_to(5 * MINUTE + 2000 * i + 10, 1, (uint8_t)i, 443);
    }
    send_on(&tunnel, 5 * MINUTE + 20000, 's', A, 1400);
    assert_int_equal(told_at_end().opened, 0);
    end();
}

// Four flows of a subscriber; a fifth takes the place of one that was silent for a minute.
static void test_four(void **state)
{
    struct line l[5];
    (void)state;
    begin();
    for (unsigned i = 0; i < 5; i++)
        dial(&l[i], 100 * i, 1, (uint16_t)(41000 + i));
    bench_wait(&b, MINUTE);
    for (unsigned i = 0; i < 5; i++) {
        send_on(&l[i], MINUTE + 100 * i, 'c', A, 100);
        send_on(&l[i], MINUTE + 30000 + 100 * i, 's', A, 100);
    }
    bench_wait(&b, 2 * MINUTE);
    assert_int_equal(b.stats.carriers, 4);
    assert_int_equal(b.stats.carriers_refused, 1);
    // All but the third go on.
    for (unsigned n = 2; n < 5; n++)
        for (unsigned i = 0; i < 5; i++)
            if (i != 2) {
                send_on(&l[i], n * MINUTE + 100 * i, 'c', A, 100);
                send_on(&l[i], n * MINUTE + 40000 + 100 * i, 's', A, 100);
            }
    bench_wait(&b, 5 * MINUTE);
    assert_int_equal(b.stats.carriers, 5);
    tunnel = l[4];
    end();
}

// Three flows side by side, to servers of one network, take turns: one carrier.
static void test_side_by_side(void **state)
{
    struct line l[3];
    (void)state;
    begin();
    for (unsigned i = 0; i < 3; i++)
        dial(&l[i], 100 * i, 1, (uint16_t)(41000 + i));
    tunnel = l[0]; // which is told of first, is the first
    for (unsigned i = 0; i < 3; i++) {
        send_on(&l[i], MINUTE + 30000, 'c', A, 100);
        send_on(&l[i], MINUTE + 30000, 's', A, 10);
    }
    bench_wait(&b, 2 * MINUTE);
    assert_int_equal(b.stats.carriers, 3);
    told();
    for (unsigned i = 0; i < 12; i++) {
        int64_t t = 2 * MINUTE + 4000 * i;
        send_on(&l[i % 3], t, 's', A, 50);
        open_to(t + 40, 1, (uint8_t)i, 443);
    }
    for (unsigned i = 0; i < 3; i++)
        send_on(&l[i], 3 * MINUTE - 1000, 'c', A, 300);
    told_at_end(); // the others' time may be added behind the first's telling
    struct record_carrier c = {0};
    for (unsigned i = 0; i < 12; i++) {
        int64_t t = 3 * MINUTE + 4000 * i;
        send_on(&l[i % 3], t, 's', A, 50);
        open_to(t + 40, 1, (uint8_t)i, 443);
    }
    for (unsigned i = 0; i < 3; i++)
        send_on(&l[i], 4 * MINUTE - 1000, 'c', A, 300);
    c = told_at_end();
    assert_int_equal(c.opened, 12);
    assert_int_equal(c.behind, 12);
    assert_in_range(c.covered_ms, 12 * 290, 12 * 300 + 600);
    end();
}

static void forget_record(void *ctx, struct flow_table *t, struct flow *f, unsigned flags,
                          int64_t t_us)
{
    (void)ctx, (void)t, (void)flags, (void)t_us;
    f->flags = (uint16_t)((f->flags & ~FLOW_CHANGED) | FLOW_TOLD);
}

// More subscribers than there is room for: those silent longest go, and are counted.
static void test_many(void **state)
{
    enum { HOSTS = 250, ROOM = 64 };
    static struct line l[HOSTS];
    (void)state;
    bench_open(&b, 512, 0);
    b.table->report = forget_record;
    for (unsigned i = 0; i < HOSTS; i++)
        dial(&l[i], 0, (uint8_t)i, 40000);
    bench_wait(&b, MINUTE);
    for (unsigned i = 0; i < HOSTS; i++) {
        send_on(&l[i], MINUTE + 1000, 'c', A, 100);
        send_on(&l[i], MINUTE + 1100, 's', A, 10);
    }
    bench_wait(&b, 2 * MINUTE);
    assert_int_equal(b.stats.carriers, HOSTS);
    assert_in_range(b.stats.carriers_refused, HOSTS - ROOM, HOSTS - 1);
    flow_finish(b.table, (BENCH_START_MS + b.now_ms) * 1000);
    assert_int_equal(b.table->in_use, 0);
    bench_close(&b);
}

static void datagram(int64_t t_ms, char from, size_t n)
{
    struct packet p = bench_packet(&b, t_ms, from, 0, 0, 0, octets(n));
    p.ip_proto = 17;
    p.port[from == 'c' ? 1 : 0] = 443;
    put(&p);
}

// The bench prints TCP alone.
static void take(void *ctx, struct flow_table *t, struct flow *f, unsigned flags, int64_t t_us)
{
    (void)ctx;
    f->flags = (uint16_t)((f->flags & ~FLOW_CHANGED) | FLOW_TOLD);
    if (f->watch)
        carriers_take(t, f, flags & RECORD_END, t_us, &sum);
}

// QUIC and the like carry as well.
static void test_datagrams(void **state)
{
    (void)state;
    begin();
    b.table->report = take;
    int64_t t = 0;
    for (; t < 2 * MINUTE; t += 5000) {
        datagram(t, 'c', 200);
        datagram(t + 20, 's', 100);
    }
    bench_wait(&b, 2 * MINUTE);
    assert_int_equal(b.stats.carriers, 1);
    for (; t < 3 * MINUTE; t += 5000) {
        datagram(t, 's', 100);
        open_to(t + 30, 1, (uint8_t)(t / 5000), 443);
    }
    struct record_carrier c = told_at_end();
    assert_int_equal(c.opened, 12);
    assert_int_equal(c.behind, 12);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_behind),    cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_covered),   cmocka_unit_test(test_told_when),
        cmocka_unit_test(test_told_soon), cmocka_unit_test(test_downloads),
        cmocka_unit_test(test_four),      cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_many),      cmocka_unit_test(test_datagrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
