// What the decoder makes of messages our own encoder never writes: unknown elements, both forms of
// variable length, padding, broken lengths, junk between messages, lost messages.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/ipfix.h"
#include "ipfix_rig.h"
#include "record_random.h"

// Elements of others, and ours with numbers yet to be given, are passed over whatever their length.
static void test_unknown_elements(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 254, 255, 256, 3000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        DATA_BEGIN({0, 8, 4}, {9999, 17, 7}, {IPFIX_PEN_POSTERN, 32000, IPFIX_VARIABLE},
                   {0, 460, 0}, {0, 12, 4}, {0, 11, 2});
        buf_be(&m.buf, 0xc0000207, 4);
        buf_bytes(&m.buf, "seven..", 7);
        size_t len = lengths[i];
        if (len < 255) {
            buf_be(&m.buf, len, 1);
        } else {
            buf_be(&m.buf, 255, 1);
            buf_be(&m.buf, len, 2);
        }
        for (size_t k = 0; k < len; k++)
            buf_be(&m.buf, 'x', 1);
        buf_be(&m.buf, 0xc6336419, 4);
        buf_be(&m.buf, 587, 2);
        assert_int_equal(data_feed(), 1);
        assert_int_equal(r.flow.responder_port, 587);
        assert_int_equal(r.flow.responder.octet[3], 25);
    }
    assert_int_equal(stats()->unknown_element, 3 * 6);
    assert_int_equal(stats()->bad_record, 0);
}

// The long form is allowed for short values too (RFC 7011, 7).
static void test_long_form_of_a_short_text(void **state)
{
    (void)state;
    DATA_BEGIN({IPFIX_PEN_POSTERN, 4, IPFIX_VARIABLE}, {0, 8, 4}, {0, 12, 4});
    buf_be(&m.buf, 255, 1);
    buf_be(&m.buf, 8, 2);
    buf_bytes(&m.buf, "vlan:101", 8);
    data_addresses();
    assert_int_equal(data_feed(), 1);
    assert_string_equal(r.flow.realm.name, "vlan:101");
}

// Some exporters send text in a fixed length, filled with NULs; what stands behind one is not ours.
static void test_text_of_fixed_length(void **state)
{
    (void)state;
    static const struct {
        const char *octets, *text;
    } rows[] = {
        {"vlan:101", "vlan:101"},
        {"vlan:1\0\0", "vlan:1"},
        {"v\0an:101", "v"},
        {"\0lan:101", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        DATA_BEGIN({IPFIX_PEN_POSTERN, 4, 8}, {0, 8, 4}, {0, 12, 4});
        buf_bytes(&m.buf, rows[i].octets, 8);
        data_addresses();
        assert_int_equal(data_feed(), 1); // its realm passed record_check: NULs to the end
        assert_string_equal(r.flow.realm.name, rows[i].text);
    }
}

// A part is there when any field of it is, be it only its bits.
static void test_bits_alone_make_a_group(void **state)
{
    (void)state;
    DATA_BEGIN({IPFIX_PEN_POSTERN, 193, 2}, {0, 8, 4}, {0, 12, 4});
    buf_be(&m.buf, 1 | 64, 2);
    data_addresses();
    assert_int_equal(data_feed(), 1);
    assert_int_equal(r.flow.groups, RECORD_HAS_SMTP);
    assert_true(r.flow.smtp.early_talker && r.flow.smtp.quit_seen);
    assert_false(r.flow.smtp.xclient);
}

static void test_text_too_long_breaks_its_record_only(void **state)
{
    (void)state;
    DATA_BEGIN({IPFIX_PEN_POSTERN, 4, IPFIX_VARIABLE}, {0, 8, 4}, {0, 12, 4});
    for (size_t len = 47; len <= 48; len++) {
        buf_be(&m.buf, len, 1);
        for (size_t i = 0; i < len; i++)
            buf_be(&m.buf, 'a', 1);
        data_addresses();
    }
    assert_int_equal(data_feed(), 1);
    assert_int_equal(stats()->bad_record, 1);
}

static void test_padding(void **state)
{
    (void)state;
    message_begin(&m, 0, 1);
    message_set(&m, 2); // behind templates: up to seven octets
    buf_be(&m.buf, 300, 2);
    buf_be(&m.buf, 2, 2);
    message_field(&m, 0, 8, 4);
    message_field(&m, 0, 12, 4);
    buf_be(&m.buf, 0, 7);
    message_set_end(&m);
    message_set(&m, 300);
    buf_be(&m.buf, 0x0a000001, 4);
    buf_be(&m.buf, 0x0a000002, 4);
    buf_be(&m.buf, 0, 7); // behind data: less than a record
    assert_int_equal(data_feed(), 1);
    assert_int_equal(stats()->bad_set + stats()->bad_record, 0);
}

static void test_record_that_runs_over_its_set(void **state)
{
    (void)state;
    DATA_BEGIN({0, 8, 4}, {0, 12, 4}, {IPFIX_PEN_POSTERN, 4, IPFIX_VARIABLE});
    data_addresses();
    buf_be(&m.buf, 200, 1); // longer than what follows
    buf_be(&m.buf, 0, 8);
    message_set_end(&m);
    small_template(301);
    small_data(301, 1);
    assert_int_equal(feed(message_end(&m)), 1); // the next set is read all the same
    assert_int_equal(stats()->bad_record, 1);
}

static void test_broken_sets(void **state)
{
    (void)state;
    static const struct {
        unsigned id, len;
        const char *what;
    } rows[] = {
        {300, 3, "shorter than its header"},
        {300, 60000, "longer than its message"},
        {4, 8, "reserved number"},
        {255, 8, "reserved number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t before = stats()->bad_set;
        message_begin(&m, 0, 1);
        small_template(300);
        small_data(300, 1);
        buf_be(&m.buf, rows[i].id, 2);
        buf_be(&m.buf, rows[i].len, 2);
        buf_be(&m.buf, 0, 4);
        assert_int_equal(feed(message_end(&m)), 1);
        if (stats()->bad_set != before + 1)
            fail_msg("%s was not counted", rows[i].what);
    }
    // Octets behind the last set that are not even a header.
    message_begin(&m, 0, 1);
    small_template(300);
    buf_be(&m.buf, 0, 3);
    uint64_t before = stats()->bad_set;
    assert_int_equal(feed(message_end(&m)), 0);
    assert_int_equal(stats()->bad_set, before + 1);
}

static void test_lost_messages_are_counted(void **state)
{
    (void)state;
    static const struct {
        uint32_t sequence;
        unsigned records;
        uint64_t lost; // so far
    } rows[] = {
        {UINT32_MAX - 4, 3, 0}, // the first: nothing to hold it against
        {UINT32_MAX - 1, 3, 0}, // wraps around
        {1, 2, 0},
        {13, 1, 10},
        {14, 1, 10},
        {5, 1, 10}, // the exporter began again, or an old message came late
        {6, 1, 10},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        message_begin(&m, rows[i].sequence, 1);
        small_template(300);
        small_data(300, rows[i].records);
        feed(message_end(&m));
        assert_int_equal(stats()->lost_records, rows[i].lost);
    }
    // What a set held that could not be read is not known: no false loss.
    message_begin(&m, 7, 1);
    small_data(999, 5);
    feed(message_end(&m));
    message_begin(&m, 12, 1);
    small_data(300, 1);
    feed(message_end(&m));
    assert_int_equal(stats()->lost_records, 10);
}

static void test_finds_back_after_junk(void **state)
{
    (void)state;
    static uint8_t in[4096];
    static const char junk[] = "\x00\x0a\x00\x20 this is no header \x00\x0a\xff\xff";
    message_begin(&m, 0, 1);
    small_template(300);
    small_data(300, 2);
    struct span whole = message_end(&m);
    for (size_t junk_len = 1; junk_len < sizeof junk; junk_len++) {
        size_t n = 0;
        memcpy(in, whole.data, whole.len);
        n += whole.len;
        memcpy(in + n, junk + sizeof junk - 1 - junk_len, junk_len);
        n += junk_len;
        memcpy(in + n, whole.data, whole.len);
        n += whole.len;
        memcpy(in + n, whole.data, whole.len);
        n += whole.len;
        ipfix_decoder_reset(decoder);
        size_t got = feed(span_of(in, n));
        ipfix_decoder_end(decoder);
        // Junk that looks like a header may swallow one message, never the rest.
        assert_in_range(got, 4, 6);
    }
    assert_true(stats()->bad_message > 0);
}

static void test_messages_of_every_bad_length(void **state)
{
    (void)state;
    for (unsigned len = 0; len < 16; len++) {
        uint64_t before = stats()->bad_message;
        message_begin(&m, 0, 1);
        buf_patch_be(&m.buf, 2, len, 2);
        ipfix_decoder_reset(decoder);
        feed(buf_span(&m.buf));
        assert_int_equal(stats()->bad_message, before + 1);
    }
}

static void test_end_inside_a_message(void **state)
{
    (void)state;
    message_begin(&m, 0, 1);
    small_template(300);
    small_data(300, 1);
    struct span whole = message_end(&m);
    for (size_t cut = 0; cut <= whole.len; cut++) {
        struct ipfix_decoder *d = ipfix_decoder_new();
        assert_int_equal(ipfix_decoder_feed(d, span_cut(whole, 0, cut)), cut);
        while (ipfix_decoder_next(d, &r))
            ;
        ipfix_decoder_end(d);
        assert_int_equal(ipfix_decoder_stats(d)->truncated, cut > 0 && cut < whole.len);
        ipfix_decoder_free(d);
    }
}

// Every octet of a message of ours changed, one at a time: nothing worse than counts.
static void test_one_octet_changed(void **state)
{
    (void)state;
    static uint8_t copy[IPFIX_MESSAGE_MAX];
    struct record_random g = {.state = 3};
    struct ipfix_encoder *e = ipfix_encoder_new(7, 16384);
    for (int i = 0; i < 3; i++) {
        record_random_fill(&g, &r);
        assert_int_equal(ipfix_encoder_put(e, &r), 0);
    }
    struct span whole = ipfix_encoder_take(e);
    for (size_t i = 0; i < whole.len; i++) {
        memcpy(copy, whole.data, whole.len);
        copy[i] ^= (uint8_t)(1u << i % 8);
        ipfix_decoder_reset(decoder);
        assert_in_range(feed(span_of(copy, whole.len)), 0, 3);
    }
    ipfix_encoder_free(e);
}

static void test_what_is_impossible_is_counted_by_reason(void **state)
{
    (void)state;
    DATA_BEGIN({0, 8, 4}, {0, 12, 4}, {0, 152, 8}, {0, 153, 8});
    buf_be(&m.buf, 0x0a000001, 4);
    buf_be(&m.buf, 0x0a000002, 4);
    buf_be(&m.buf, 1795327200001, 8);
    buf_be(&m.buf, 1795327200000, 8); // ends before it starts
    assert_int_equal(data_feed(), 0);
    assert_int_equal(stats()->bad_value, 1);
    assert_string_equal(ipfix_decoder_bad_value(decoder), "time-order");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unknown_elements),
        TEST(test_long_form_of_a_short_text),
        TEST(test_text_of_fixed_length),
        TEST(test_bits_alone_make_a_group),
        TEST(test_text_too_long_breaks_its_record_only),
        TEST(test_padding),
        TEST(test_record_that_runs_over_its_set),
        TEST(test_broken_sets),
        TEST(test_lost_messages_are_counted),
        TEST(test_finds_back_after_junk),
        TEST(test_messages_of_every_bad_length),
        TEST(test_end_inside_a_message),
        TEST(test_one_octet_changed),
        TEST(test_what_is_impossible_is_counted_by_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
