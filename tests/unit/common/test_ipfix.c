// The codec: what is written is read back the same, however the octets arrive.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipfix.h"
#include "record_random.h"

static struct ipfix_encoder *encoder;
static struct ipfix_decoder *decoder;

static int setup(void **state)
{
    (void)state;
    encoder = ipfix_encoder_new(7, 16384);
    decoder = ipfix_decoder_new();
    return encoder && decoder ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ipfix_encoder_free(encoder);
    ipfix_decoder_free(decoder);
    return 0;
}

// Feeds all of `in` and holds each record against those that the generator gives.
static size_t expect_records(struct span in, struct record_random *g, size_t piece)
{
    static struct record got, want;
    size_t n = 0, at = 0;
    for (;;) {
        while (ipfix_decoder_next(decoder, &got)) {
            record_random_fill(g, &want);
            assert_memory_equal(&got, &want, sizeof want);
            n++;
        }
        if (at == in.len)
            return n;
        at += ipfix_decoder_feed(decoder, span_cut(in, at, piece));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct record_random write = {.state = 1}, read = {.state = 1};
    static struct record r;
    const size_t count = 3000;
    size_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        record_random_fill(&write, &r);
        assert_null(record_check(&r));
        int rc = i % 2 ? ipfix_encoder_put(encoder, &r) : ipfix_encoder_put_own(encoder, &r);
        if (rc == -ENOBUFS) {
            seen += expect_records(ipfix_encoder_take(encoder), &read, 1000);
            rc = i % 2 ? ipfix_encoder_put(encoder, &r) : ipfix_encoder_put_own(encoder, &r);
        }
        assert_int_equal(rc, 0);
    }
    seen += expect_records(ipfix_encoder_take(encoder), &read, 1000);
    assert_int_equal(seen, count);
    const struct record_reader_stats *s = ipfix_decoder_stats(decoder);
    assert_int_equal(s->records, count);
    assert_int_equal(s->unknown_element + s->unknown_template + s->bad_message + s->bad_set +
                         s->bad_record + s->bad_value + s->lost_records + s->no_identity,
                     0);
}

static void test_split_at_every_offset(void **state)
{
    (void)state;
    struct record_random write = {.state = 2};
    static struct record r;
    for (int i = 0; i < 4; i++) {
        record_random_fill(&write, &r);
        assert_int_equal(ipfix_encoder_put(encoder, &r), 0);
    }
    struct span all = ipfix_encoder_take(encoder);
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct record_random read = {.state = 2};
        ipfix_decoder_reset(decoder);
        size_t n = expect_records(span_cut(all, 0, cut), &read, SIZE_MAX);
        n += expect_records(span_cut(all, cut, SIZE_MAX), &read, SIZE_MAX);
        assert_int_equal(n, 4);
    }
    struct record_random read = {.state = 2};
    ipfix_decoder_reset(decoder);
    assert_int_equal(expect_records(all, &read, 1), 4);
}

// The input ends where the page ends: a read past it is a fault.
static void test_input_at_a_guard_page(void **state)
{
    (void)state;
    struct record_random write = {.state = 4}, read = {.state = 4};
    static struct record r;
    for (int i = 0; i < 10; i++) {
        record_random_fill(&write, &r);
        assert_int_equal(ipfix_encoder_put(encoder, &r), 0);
    }
    struct span all = ipfix_encoder_take(encoder);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (all.len / page + 1) * page;
    uint8_t *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                        0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
    memcpy(map + room - all.len, all.data, all.len);
    assert_int_equal(expect_records(span_of(map + room - all.len, all.len), &read, SIZE_MAX), 10);
    munmap(map, room + page);
}

// The largest record there can be: every part, every list full, every counter at its end.
static void test_largest_record(void **state)
{
    (void)state;
    struct record_random g = {.state = 5};
    static struct record r, got;
    record_random_plain(&g, &r);
    struct record_flow *f = &r.flow;
    f->groups = (RECORD_HAS_CARRIER << 1) - 1;
    memset(f->realm.name, 'a', REALM_MAX - 1);
    memset(f->encap, 'b', sizeof f->encap - 1);
    memset(f->tls.ja4, 'c', sizeof f->tls.ja4 - 1);
    memset(f->tls.sni_domain, 'd', sizeof f->tls.sni_domain - 1);
    memset(f->tls.alpn, 'e', sizeof f->tls.alpn - 1);
    memset(f->tls.certificate_hash, 0xff, sizeof f->tls.certificate_hash);
    memset(f->tls.record_lengths, 0x80, sizeof f->tls.record_lengths);
    memset(f->packets, 0xff, sizeof f->packets);
    memset(f->octets, 0xff, sizeof f->octets);
    f->initiator.family = f->responder.family = f->socks.target.family = IP_V6;
    f->socks.version = 5;
#define X(name, element, words) f->smtp.name = UINT32_MAX;
    RECORD_SMTP_COUNTERS(X)
#undef X
    f->hash_count = RECORD_HASHES_MAX;
    for (int i = 4; i < RECORD_HASHES_MAX; i++)
        f->hash[i] = f->hash[0];
    assert_null(record_check(&r));
    struct ipfix_encoder *small = ipfix_encoder_new(7, 4096);
    assert_int_equal(ipfix_encoder_put(small, &r), 0);
    struct span m = ipfix_encoder_take(small);
    assert_int_equal(ipfix_decoder_feed(decoder, m), m.len);
    assert_int_equal(ipfix_decoder_next(decoder, &got), 1);
    assert_memory_equal(&got, &r, sizeof r);
    ipfix_encoder_free(small);
}

static unsigned be16(struct span s, size_t at)
{
    return (unsigned)s.data[at] << 8 | s.data[at + 1];
}

// The number of the first template of a message is that of the record put in.
static void test_template_numbers(void **state)
{
    (void)state;
    struct record_random g = {.state = 6};
    static struct record r;
    static const struct {
        uint8_t groups, family;
        uint64_t octets;
        uint32_t rcpt;
        unsigned id;
    } rows[] = {
        {0, IP_V4, 5000, 0, 256},
        {RECORD_HAS_SMTP, IP_V4, 5000, 3, 257},
        {RECORD_HAS_SMTP, IP_V4, 5000, 65535, 257},
        {RECORD_HAS_SMTP, IP_V4, 5000, 65536, 513}, // a counter that needs its full length
        {RECORD_HAS_TLS | RECORD_HAS_L2, IP_V4, UINT32_MAX, 0, 256 + 34},
        {RECORD_HAS_TLS | RECORD_HAS_L2, IP_V4, UINT64_C(1) << 32, 0, 512 + 34},
        {0, IP_V6, 5000, 0, 768},
        {63, IP_V6, UINT64_MAX, 0, 1024 + 63},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        record_random_plain(&g, &r);
        r.flow.groups = rows[i].groups;
        r.flow.socks.version = 5;
        if (rows[i].family == IP_V6)
            r.flow.initiator.family = r.flow.responder.family = IP_V6;
        r.flow.octets[0] = rows[i].octets;
        r.flow.payload_octets[0] = 0;
        r.flow.smtp.rcpt = rows[i].rcpt;
        ipfix_encoder_reset(encoder);
        assert_int_equal(ipfix_encoder_put(encoder, &r), 0);
        struct span m = ipfix_encoder_take(encoder);
        assert_int_equal(be16(m, 16), 2);
        assert_int_equal(be16(m, 20), rows[i].id);
    }
}

static void test_messages_follow_one_another(void **state)
{
    (void)state;
    struct record_random g = {.state = 7};
    static struct record r;
    struct ipfix_encoder *e = ipfix_encoder_new(77, 4096);
    uint32_t sequence = 0, in_message = 0;
    assert_int_equal(ipfix_encoder_take(e).len, 0);
    for (int i = 0; i < 200; i++) {
        record_random_plain(&g, &r);
        int64_t end_ms = r.flow.end_ms;
        int rc = ipfix_encoder_put(e, &r);
        if (rc == -ENOBUFS) {
            struct span m = ipfix_encoder_take(e);
            assert_in_range(m.len, 3500, 4096);
            assert_int_equal(be16(m, 2), m.len);
            assert_int_equal(be16(m, 4) << 16 | be16(m, 6), (end_ms - 1) / 1000); // the one before
            assert_int_equal(be16(m, 8) << 16 | be16(m, 10), sequence);
            assert_int_equal(be16(m, 14), 77);
            assert_int_equal(be16(m, 16), i == (int)in_message ? 2 : 257); // a template once
            assert_int_equal(ipfix_encoder_take(e).len, 0);
            sequence += in_message;
            in_message = 0;
            rc = ipfix_encoder_put(e, &r);
        }
        assert_int_equal(rc, 0);
        in_message++;
    }
    assert_true(sequence > 100);
    ipfix_encoder_free(e);
}

static void test_impossible_records_are_not_written(void **state)
{
    (void)state;
    struct record_random g = {.state = 8};
    static struct record r;
    record_random_plain(&g, &r);
    r.flow.app = RECORD_APP_N;
    assert_int_equal(ipfix_encoder_put(encoder, &r), -EINVAL);
    assert_int_equal(ipfix_encoder_take(encoder).len, 0);
}

// A mail flow with four hashes, the commonest of the records that matter, stays short.
static void test_mean_size(void **state)
{
    (void)state;
    struct record_random g = {.state = 9};
    static struct record r;
    size_t n = 0;
    struct ipfix_encoder *e = ipfix_encoder_new(7, IPFIX_MESSAGE_MAX);
    for (;; n++) {
        record_random_plain(&g, &r);
        if (ipfix_encoder_put(e, &r) != 0)
            break;
    }
    assert_in_range(ipfix_encoder_take(e).len / n, 150, 250);
    ipfix_encoder_free(e);
}

// What was decoded goes on octet by octet as it came, and stays the same message.
static void test_taken_over(void **state)
{
    (void)state;
    struct record_random g = {.state = 5};
    struct ipfix_encoder *second = ipfix_encoder_new(7, 16384);
    static struct record r;
    size_t messages = 0;
    assert_non_null(second);
    for (size_t i = 0; i < 2000; i++) {
        record_random_fill(&g, &r);
        if (ipfix_encoder_put(encoder, &r) != -ENOBUFS)
            continue;
        struct span m = ipfix_encoder_take(encoder);
        assert_int_equal(ipfix_decoder_feed(decoder, m), m.len);
        static struct record got;
        while (ipfix_decoder_next(decoder, &got)) {
            struct ipfix_octets octets = ipfix_decoder_octets(decoder);
            assert_int_not_equal(octets.template_id, 0);
            assert_int_equal(ipfix_encoder_put_octets(second, &octets, &got), 0);
        }
        struct span again = ipfix_encoder_take(second);
        assert_int_equal(again.len, m.len);
        assert_memory_equal(again.data, m.data, m.len);
        messages++;
        assert_int_equal(ipfix_encoder_put(encoder, &r), 0);
    }
    assert_true(messages > 10);
    ipfix_encoder_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_split_at_every_offset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input_at_a_guard_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_largest_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_template_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages_follow_one_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impossible_records_are_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mean_size, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
