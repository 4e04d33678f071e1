// How the trackers' fuzz targets read their input: a flags octet, then pieces, each behind an octet
// that says whose it is (bit 7: the responder), whether it is a gap (bit 6), and how long (bits 0-5;
// a gap is as many octets times four). Every piece stands in an allocation of its own.
//
// Besides what the sanitizers see, the counters have to make sense: an answer more than there were
// questions is a bug, as long as nothing was missing.
#pragma once

#include <stdlib.h>

#include "proto/proto.h"

#define FUZZ_CHECK(condition) \
    do {                      \
        if (!(condition))     \
            abort();          \
    } while (0)

enum { FUZZ_MIDSTREAM = 1, FUZZ_SMARTHOST = 2 };

static inline void fuzz_check_smtp(const struct record_smtp *s)
{
    FUZZ_CHECK(s->rcpt_ok + s->rcpt_4xx + s->rcpt_5xx <= s->rcpt);
    FUZZ_CHECK(s->mail_4xx + s->mail_5xx <= s->mail);
    FUZZ_CHECK(s->messages_ok + s->messages_4xx + s->messages_5xx <= s->data + s->bdat);
    FUZZ_CHECK(s->auth_failed <= s->auth);
    FUZZ_CHECK(s->starttls_ok <= s->starttls);
    FUZZ_CHECK(s->null_sender <= s->mail);
}

static inline void fuzz_dialogue(const uint8_t *data, size_t size, uint16_t port, uint8_t ip_proto)
{
    static struct proto_pool *pool;
    static struct keyed_hash_key key;
    static uint64_t counters[PROTO_COUNTER_N];
    if (!pool) {
        pool = proto_pool_new(2);
        key = keyed_hash_key_replay();
    }
    if (!pool || size < 1)
        return;
    struct proto_context context = {
        .key = &key, .profile = COVERAGE_FULL_ENVELOPE, .counters = counters};
    struct proto_flow flow = {
        .context = &context,
        .addr = {ip_from_v4((uint8_t[]){192, 0, 2, 7}), ip_from_v4((uint8_t[]){198, 51, 100, 25})},
        .port = {40000, port},
        .ip_proto = ip_proto,
        .midstream = data[0] & FUZZ_MIDSTREAM,
    };
    if (data[0] & FUZZ_SMARTHOST)
        context.profile = COVERAGE_OWN_SMARTHOST_CONTENT;
    bool whole = !flow.midstream;
    int64_t t_us = 1;
    struct record_flow record = {0};
    uint64_t fed[2] = {0};
    for (size_t at = 1; at < size;) {
        uint8_t head = data[at++];
        enum proto_side side = head & 0x80 ? PROTO_RESPONDER : PROTO_INITIATOR;
        size_t len = head & 0x3f;
        t_us += 1000;
        if (head & 0x40) {
            whole = false;
            proto_gap(&flow, pool, side, 4 * len, t_us);
            continue;
        }
        len = len < size - at ? len : size - at;
        uint8_t *piece = malloc(len ? len : 1);
        memcpy(piece, data + at, len);
        if (ip_proto == 17)
            proto_datagram(&flow, pool, side, span_of(piece, len), t_us);
        else
            proto_feed(&flow, pool, side, span_of(piece, len), t_us);
        free(piece);
        fed[side] += len;
        at += len;
    }
    proto_close(&flow, pool, PROTO_END_FIN, t_us);
    proto_report(&flow, &record);
    if (whole && !(record.incomplete & RECORD_PARSER_LOST))
        fuzz_check_smtp(&record.smtp);
    for (int i = 0; i < 2; i++)
        FUZZ_CHECK(record.socks.relayed_octets[i] <= fed[i]);
    FUZZ_CHECK(!record.socks.granted || record.socks.relayed_octets[0] < fed[0] ||
               record.socks.reverse);
    FUZZ_CHECK(record.hash_count <= RECORD_HASHES_MAX);
    FUZZ_CHECK(record.login.failures <= record.login.tries);
    FUZZ_CHECK(record.dns.mx_queries <= record.dns.queries);
    FUZZ_CHECK(memchr(record.tls.ja4, 0, sizeof record.tls.ja4));
    FUZZ_CHECK(memchr(record.tls.sni_domain, 0, sizeof record.tls.sni_domain));
    FUZZ_CHECK(memchr(record.tls.alpn, 0, sizeof record.tls.alpn));
    proto_drop(&flow, pool);
    FUZZ_CHECK(proto_pool_in_use(pool) == 0);
}
