// Templates: added, changed, withdrawn, broken, sent in floods.
#include <stdint.h>
#include <stdio.h>

#include "ipfix_rig.h"

static void test_template_then_data(void **state)
{
    (void)state;
    message_begin(&m, 0, 1);
    small_template(300);
    small_data(300, 3);
    assert_int_equal(feed(message_end(&m)), 3);
    assert_int_equal(r.flow.packets[0], 3);
    assert_int_equal(r.flow.responder_port, 25);
}

static void test_templates_belong_to_their_domain(void **state)
{
    (void)state;
    message_begin(&m, 0, 1);
    small_template(300);
    feed(message_end(&m));
    message_begin(&m, 0, 2);
    small_data(300, 2);
    assert_int_equal(feed(message_end(&m)), 0);
    assert_int_equal(stats()->unknown_template, 1);
}

static void test_withdrawal(void **state)
{
    (void)state;
    // One by its number, then all (number 2).
    for (unsigned withdrawn = 2; withdrawn <= 300; withdrawn += 298) {
        message_begin(&m, 0, 1);
        small_template(300);
        small_data(300, 1);
        message_set(&m, 2);
        buf_be(&m.buf, withdrawn, 2);
        buf_be(&m.buf, 0, 2);
        message_set_end(&m);
        small_data(300, 1);
        uint64_t before = stats()->unknown_template;
        assert_int_equal(feed(message_end(&m)), 1);
        assert_int_equal(stats()->unknown_template, before + 1);
    }
    assert_int_equal(stats()->bad_set, 0);
}

static void test_template_may_change(void **state)
{
    (void)state;
    message_begin(&m, 0, 1);
    small_template(300);
    small_data(300, 1);
    message_set(&m, 2);
    buf_be(&m.buf, 300, 2);
    buf_be(&m.buf, 2, 2);
    message_field(&m, 0, 8, 4);
    message_field(&m, 0, 12, 4);
    message_set_end(&m);
    message_set(&m, 300);
    buf_be(&m.buf, 0x0a000001, 4);
    buf_be(&m.buf, 0x0a000002, 4);
    assert_int_equal(data_feed(), 2);
    assert_int_equal(r.flow.responder_port, 0);
    assert_int_equal(r.flow.initiator.octet[0], 10);
}

static void test_records_of_no_octets_are_refused(void **state)
{
    (void)state;
    DATA_BEGIN({0, 8, 0}, {0, 12, 0});
    buf_be(&m.buf, 0, 8);
    assert_int_equal(data_feed(), 0);
    assert_int_equal(stats()->bad_set, 1);
    assert_int_equal(stats()->unknown_template, 1);
}

static void test_broken_templates(void **state)
{
    (void)state;
    static const struct {
        unsigned id, count;
        const char *what;
    } rows[] = {
        {300, 7, "more fields announced than there are"},
        {300, 600, "more fields than a template may have"},
        {255, 2, "number below 256"},
        {7, 0, "withdrawal of a number below 256"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t before = stats()->bad_set;
        message_begin(&m, 0, 1);
        message_set(&m, 2);
        buf_be(&m.buf, rows[i].id, 2);
        buf_be(&m.buf, rows[i].count, 2);
        message_field(&m, 0, 8, 4);
        message_field(&m, 0, 12, 4);
        assert_int_equal(data_feed(), 0);
        if (stats()->bad_set != before + 1)
            fail_msg("%s was not counted", rows[i].what);
    }
}

// However many templates are sent, memory stays bounded and the first ones keep working.
static void test_flood_of_templates(void **state)
{
    (void)state;
    unsigned id = 256;
    for (int message = 0; message < 40; message++) {
        message_begin(&m, 0, 1);
        for (int i = 0; i < 100; i++)
            small_template(id++);
        feed(message_end(&m));
    }
    assert_true(stats()->bad_set > 0);
    message_begin(&m, 0, 1);
    small_data(256, 1);
    small_data(id - 1, 1);
    assert_int_equal(feed(message_end(&m)), 1);
    assert_int_equal(stats()->unknown_template, 1);
}

static void test_fields_of_all_templates_are_bounded(void **state)
{
    (void)state;
    for (unsigned id = 256; id < 456; id++) {
        message_begin(&m, 0, 1);
        message_set(&m, 2);
        buf_be(&m.buf, id, 2);
        buf_be(&m.buf, 500, 2);
        for (unsigned i = 0; i < 500; i++)
            message_field(&m, 0, i % 2 ? 8 : 12, 4); // the same ones again and again
        message_set_end(&m);
        feed(message_end(&m));
    }
    assert_int_equal(stats()->bad_set, 200 - 65536 / 500);
}

static void test_options_are_read_and_not_handed_out(void **state)
{
    (void)state;
    message_begin(&m, 0, 1);
    message_set(&m, 3);
    buf_be(&m.buf, 400, 2);
    buf_be(&m.buf, 3, 2);
    buf_be(&m.buf, 1, 2); // of these, scope
    message_field(&m, 0, 149, 4);
    message_field(&m, 0, 305, 4);
    message_field(&m, 0, 306, 4);
    message_set_end(&m);
    message_set(&m, 400);
    buf_be(&m.buf, 1, 4);
    buf_be(&m.buf, 1, 4);
    buf_be(&m.buf, 99, 4); // one packet, then 99 between: 1 in 100
    message_set_end(&m);
    small_template(300);
    small_data(300, 1);
    assert_int_equal(feed(message_end(&m)), 1);
    assert_int_equal(stats()->options, 1);
    assert_int_equal(r.flow.sampling, 100);
    assert_true(r.flow.incomplete & RECORD_SAMPLED);

    message_begin(&m, 2, 1); // withdrawing all options templates leaves the others
    message_set(&m, 3);
    buf_be(&m.buf, 3, 2);
    buf_be(&m.buf, 0, 2);
    message_set_end(&m);
    message_set(&m, 400);
    buf_be(&m.buf, 0, 8);
    buf_be(&m.buf, 0, 4);
    message_set_end(&m);
    small_data(300, 1);
    assert_int_equal(feed(message_end(&m)), 1);
    assert_int_equal(stats()->unknown_template, 1);
    assert_int_equal(stats()->lost_records, 0);
}

// A template under one of our numbers is ours only when it says what ours says: then alone may octets be taken over.
static void test_octets_of_other_templates(void **state)
{
    (void)state;
    message_begin(&m, 1, 0);
    small_template(IPFIX_TEMPLATE_FLOW);
    small_data(IPFIX_TEMPLATE_FLOW, 1);
    assert_int_equal(feed(message_end(&m)), 1);
    struct ipfix_octets octets = ipfix_decoder_octets(decoder);
    assert_int_equal(octets.template_id, 0);
    assert_int_equal(octets.record.len, SMALL_OCTETS);
}

// Numbers are read in stretches of bounded count and octets, in whatever order the exporter has them.
static void test_many_and_long_fields(void **state)
{
    (void)state;
    static const struct {
        unsigned fields, octets; // unknown ones in front of ours
    } cases[] = {{1, 1}, {205, 1}, {206, 1}, {200, 2}, {2, 20000}, {3, 20001}, {2, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        message_begin(&m, 0, 1);
        message_set(&m, 2);
        buf_be(&m.buf, 300, 2);
        buf_be(&m.buf, cases[i].fields + 300 + 6, 2);
        for (unsigned n = 0; n < cases[i].fields; n++)
            message_field(&m, 0, 500, cases[i].octets);
        message_field(&m, 0, 11, 2);
        message_field(&m, 0, 8, 4);
        for (unsigned n = 0; n < 300; n++) // numbers, the last of which has no place
            message_field(&m, 0, n % 2 ? 499 : 498, 1 + n % 2);
        message_field(&m, 0, 12, 4);
        message_field(&m, 0, 7, 2);
        message_field(&m, 0, 2, 4);
        message_field(&m, 0, 4, 1);
        message_set_end(&m);
        message_set(&m, 300);
        for (unsigned copies = 0; copies < 1 + (cases[i].octets < 3); copies++) {
            for (unsigned n = 0; n < cases[i].fields * cases[i].octets; n++)
                buf_be(&m.buf, 0xaa, 1);
            buf_be(&m.buf, 25 + copies, 2);
            buf_be(&m.buf, 0x0a000001, 4);
            for (unsigned n = 0; n < 450; n++)
                buf_be(&m.buf, 0xbb, 1);
            buf_be(&m.buf, 0x0a000002, 4);
            buf_be(&m.buf, 1024 + copies, 2);
            buf_be(&m.buf, 77 + copies, 4);
            buf_be(&m.buf, 6, 1);
        }
        message_set_end(&m);
        unsigned records = 1 + (cases[i].octets < 3);
        assert_int_equal(feed(message_end(&m)), records);
        assert_int_equal(r.flow.responder_port, 24 + records);
        assert_int_equal(r.flow.initiator_port, 1023 + records);
        assert_int_equal(r.flow.packets[0], 76 + records);
        assert_int_equal(r.flow.initiator.octet[3], 1);
        assert_int_equal(r.flow.responder.octet[3], 2);
        assert_int_equal(r.flow.ip_proto, 6);
        assert_int_equal(stats()->bad_record, 0);
        assert_int_equal(stats()->bad_set, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_template_then_data),
        TEST(test_templates_belong_to_their_domain),
        TEST(test_withdrawal),
        TEST(test_template_may_change),
        TEST(test_records_of_no_octets_are_refused),
        TEST(test_broken_templates),
        TEST(test_flood_of_templates),
        TEST(test_fields_of_all_templates_are_bounded),
        TEST(test_options_are_read_and_not_handed_out),
        TEST(test_octets_of_other_templates),
        TEST(test_many_and_long_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
