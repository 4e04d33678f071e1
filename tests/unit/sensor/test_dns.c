// DNS over UDP and TCP: questions for MX, and names that do not exist.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/buf.h"
#include "dialogue.h"

static void name(struct buf *b, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ".");
        buf_be(b, n, 1);
        buf_bytes(b, text, n);
        text += n + (text[n] == '.');
    }
    buf_be(b, 0, 1);
}

static void message(struct buf *b, uint16_t flags, const char *host, uint16_t type)
{
    buf_be(b, 0x1234, 2);
    buf_be(b, flags, 2);
    buf_be(b, 1, 2);
    buf_be(b, 0, 6);
    name(b, host);
    buf_be(b, type, 2);
    buf_be(b, 1, 2);
}

struct step {
    enum proto_side side;
    uint16_t flags;
    const char *host;
    uint16_t type;
};

#define QUERY    0x0100
#define ANSWER   0x8180
#define NXDOMAIN 0x8183

static const struct step steps[] = {
    {PROTO_INITIATOR, QUERY, "a.example", 1},
    {PROTO_RESPONDER, ANSWER, "a.example", 1},
    {PROTO_INITIATOR, QUERY, "b.example", 15},
    {PROTO_RESPONDER, ANSWER, "b.example", 15},
    {PROTO_INITIATOR, QUERY, "nowhere.example", 15},
    {PROTO_RESPONDER, NXDOMAIN, "nowhere.example", 15},
    {PROTO_INITIATOR, QUERY, "NOWHERE.example", 15},
    {PROTO_RESPONDER, NXDOMAIN, "NOWHERE.example", 15},
    {PROTO_INITIATOR, QUERY, "nowhere.example", 28},
    {PROTO_RESPONDER, NXDOMAIN, "nowhere.example", 28},
};

static void open_udp(struct dialogue_flow *d, uint16_t port)
{
    dialogue_open(d, &(struct dialogue){.port = port});
    d->flow.ip_proto = 17;
}

static void datagram(struct dialogue_flow *d, const struct step *s)
{
    struct buf b;
    buf_init(&b, 512);
    message(&b, s->flags, s->host, s->type);
    proto_datagram(&d->flow, d->pool, s->side, buf_span(&b), d->t_us);
    buf_fini(&b);
}

static void test_udp(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r;
    open_udp(&d, 53);
    datagram(&d, &steps[0]);
    assert_int_equal(d.flow.app, RECORD_APP_DNS);
    assert_int_equal(proto_pool_in_use(d.pool), 0); // no question for MX, no state
    for (size_t i = 1; i < sizeof steps / sizeof *steps; i++)
        datagram(&d, &steps[i]);
    // Broken ones are passed over.
    proto_datagram(&d.flow, d.pool, PROTO_INITIATOR, span_of("\1\2\3", 3), d.t_us);
    proto_datagram(&d.flow, d.pool, PROTO_INITIATOR, span_of("", 0), d.t_us);
    dialogue_close(&d, &r);
    assert_int_equal(r.groups, RECORD_HAS_DNS);
    assert_int_equal(r.dns.queries, 4);
    assert_int_equal(r.dns.mx_queries, 3);
    assert_int_equal(r.dns.mx_nxdomain, 2);
    assert_int_equal(r.dns.mx_names_distinct, 2);
}

static void test_udp_others(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r;
    open_udp(&d, 5060);
    datagram(&d, &steps[2]);
    dialogue_close(&d, &r);
    assert_int_equal(r.app, RECORD_APP_UNKNOWN);
    open_udp(&d, 53);
    proto_datagram(&d.flow, d.pool, PROTO_INITIATOR, span_of("no DNS message at all", 21), d.t_us);
    datagram(&d, &steps[2]);
    dialogue_close(&d, &r);
    assert_int_equal(r.app, RECORD_APP_UNKNOWN);
    assert_int_equal(r.groups, 0);
    // The legal profile.
    open_udp(&d, 53);
    d.context.profile = COVERAGE_FLOW_ONLY;
    datagram(&d, &steps[2]);
    dialogue_close(&d, &r);
    assert_int_equal(r.app, RECORD_APP_DNS);
    assert_int_equal(r.app_source, RECORD_APP_BY_PORT);
    assert_int_equal(r.groups, 0);
}

static void test_many_names(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r;
    open_udp(&d, 53);
    for (int i = 0; i < 200; i++) {
        char host[32];
        snprintf(host, sizeof host, "d%d.example", i);
        datagram(&d, &(struct step){PROTO_INITIATOR, QUERY, host, 15});
    }
    dialogue_close(&d, &r);
    assert_int_equal(r.dns.mx_queries, 200);
    assert_int_equal(r.dns.mx_names_distinct, 64);
}

static void test_tcp(void **state)
{
    (void)state;
    static const size_t cuts[] = {1, 2, 3, 5, 13, 29, 500};
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        struct dialogue_flow d;
        struct record_flow r;
        dialogue_open(&d, &(struct dialogue){.port = 53});
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            struct buf b, m;
            buf_init(&b, 2048);
            buf_init(&m, 2048);
            message(&m, steps[i].flags, steps[i].host, steps[i].type);
            if (i % 2)
                for (int k = 0; k < 700; k++)
                    buf_be(&m, 0xc0, 1); // a long answer
            buf_be(&b, m.len, 2);
            buf_bytes(&b, m.data, m.len);
            for (size_t at = 0; at < b.len; at += cuts[c]) {
                size_t len = b.len - at < cuts[c] ? b.len - at : cuts[c];
                proto_feed(&d.flow, d.pool, steps[i].side,
                           span_of(dialogue_guarded(b.data + at, len), len), d.t_us);
            }
            buf_fini(&b);
            buf_fini(&m);
        }
        dialogue_close(&d, &r);
        assert_int_equal(r.app, RECORD_APP_DNS);
        assert_int_equal(r.dns.queries, 5);
        assert_int_equal(r.dns.mx_queries, 3);
        assert_int_equal(r.dns.mx_nxdomain, 2);
        assert_int_equal(r.dns.mx_names_distinct, 2);
        assert_int_equal(r.incomplete, 0);
    }
}

static void test_tcp_gap(void **state)
{
    (void)state;
    struct dialogue_flow d;
    struct record_flow r;
    struct buf m;
    buf_init(&m, 2048);
    buf_be(&m, 1000, 2);
    message(&m, ANSWER, "a.example", 15);
    dialogue_open(&d, &(struct dialogue){.port = 53});
    proto_feed(&d.flow, d.pool, PROTO_INITIATOR,
               span_of("\0\x1b\0\0\1\0\0\1\0\0\0\0\0\0\1a\1b\0\0\x0f\0\1", 22), d.t_us);
    proto_feed(&d.flow, d.pool, PROTO_INITIATOR, span_of("optnx", 5), d.t_us);
    proto_feed(&d.flow, d.pool, PROTO_INITIATOR, span_of("xx", 2), d.t_us);
    // A hole in the part of an answer that nobody reads.
    static const uint8_t filler[400];
    proto_feed(&d.flow, d.pool, PROTO_RESPONDER, buf_span(&m), d.t_us);
    proto_feed(&d.flow, d.pool, PROTO_RESPONDER, span_of(filler, 400), d.t_us);
    proto_gap(&d.flow, d.pool, PROTO_RESPONDER, 100, d.t_us);
    struct record_flow between = {0};
    assert_true(proto_report(&d.flow, &between));
    assert_int_equal(between.incomplete, 0);
    assert_int_equal(between.dns.mx_queries, 1);
    // One that swallows a message's beginning.
    proto_gap(&d.flow, d.pool, PROTO_RESPONDER, 10000, d.t_us);
    dialogue_close(&d, &r);
    assert_int_equal(r.incomplete, RECORD_PARSER_LOST);
    assert_int_equal(r.dns.mx_queries, 0); // told before
    buf_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp),        cmocka_unit_test(test_udp_others),
        cmocka_unit_test(test_many_names), cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
