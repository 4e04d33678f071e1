// The codec: what is written is read back the same, however the octets arrive.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

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
        int rc = ipfix_encoder_put(encoder, &r);
        if (rc == -ENOBUFS) {
            seen += expect_records(ipfix_encoder_take(encoder), &read, 1000);
            rc = ipfix_encoder_put(encoder, &r);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_split_at_every_offset, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
