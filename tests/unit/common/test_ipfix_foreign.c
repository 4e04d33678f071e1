// Flows as routers and softflowd tell them: what is known is taken, nothing is claimed beyond.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/ipfix.h"
#include "ipfix_message.h"

#define EXPORT_MS INT64_C(1795327200000) // of ipfix_message.h
#define V4_A      0xc0000207u            // 192.0.2.7
#define V4_B      0xc6336419u            // 198.51.100.25
#define SYN       0x02u
#define ACK       0x10u
#define FIN       0x01u
#define RST       0x04u

struct value {
    uint32_t pen;
    unsigned id, len;
    uint64_t v;
};

static struct ipfix_decoder *decoder;
static struct ipfix_message m;
static struct record r;

static int setup(void **state)
{
    (void)state;
    buf_init(&m.buf, 1 << 20);
    decoder = ipfix_decoder_new();
    return decoder ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&m.buf);
    ipfix_decoder_free(decoder);
    return 0;
}

// One message with one record of these fields, up to one without length. False: no record came.
static bool tell(const struct value *v)
{
    size_t n = 0;
    while (v[n].len)
        n++;
    message_begin(&m, 0, 9);
    message_set(&m, 2);
    buf_be(&m.buf, 300, 2);
    buf_be(&m.buf, n, 2);
    for (size_t i = 0; i < n; i++)
        message_field(&m, v[i].pen, v[i].id, v[i].len);
    message_set_end(&m);
    message_set(&m, 300);
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = v[i].len; k > 8; k--)
            buf_be(&m.buf, 0x20, 1);
        buf_be(&m.buf, v[i].v, v[i].len > 8 ? 8 : v[i].len);
    }
    message_set_end(&m);
    struct span in = message_end(&m);
    assert_int_equal(ipfix_decoder_feed(decoder, in), in.len);
    bool one = ipfix_decoder_next(decoder, &r);
    if (one)
        assert_null(record_check(&r));
    struct record more;
    assert_int_equal(ipfix_decoder_next(decoder, &more), 0);
    return one;
}

#define ENDS(sport, dport)                                                  \
    {0, 8, 4, V4_A}, {0, 12, 4, V4_B}, {0, 7, 2, sport}, {0, 11, 2, dport}, \
    {                                                                       \
        0, 4, 1, 6                                                          \
    }
#define TIMES                       \
    {0, 152, 8, EXPORT_MS - 5000},  \
    {                               \
        0, 153, 8, EXPORT_MS - 1000 \
    }
#define END        \
    {              \
        0, 0, 0, 0 \
    }

static void test_identity_is_none(void **state)
{
    (void)state;
    assert_true(tell((const struct value[]){ENDS(40000, 25), TIMES, END}));
    assert_int_equal(r.id.domain, 9);
    assert_int_equal(r.id.epoch, 0);
    assert_int_equal(r.id.sequence, 0);
    assert_int_equal(ipfix_decoder_stats(decoder)->no_identity, 1);
}

static void test_one_direction(void **state)
{
    (void)state;
    assert_true(
        tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 1, 8, 4000}, {0, 2, 8, 12}, END}));
    assert_int_equal(r.flow.initiator_port, 40000);
    assert_int_equal(r.flow.incomplete, RECORD_ONLY_INITIATOR);
    assert_int_equal(r.flow.octets[0], 4000);
    assert_int_equal(r.flow.packets[0], 12);
    assert_int_equal(r.flow.app, RECORD_APP_SMTP);
    assert_int_equal(r.flow.app_source, RECORD_APP_BY_PORT);
    assert_int_equal(r.flow.flags, RECORD_START | RECORD_END);
    assert_int_equal(r.flow.handshake, RECORD_HANDSHAKE_PENDING);
    uint64_t hash = r.flow.flow_hash;

    // The other half: turned round, and known as the same flow.
    assert_true(tell((const struct value[]){{0, 8, 4, V4_B},
                                            {0, 12, 4, V4_A},
                                            {0, 7, 2, 25},
                                            {0, 11, 2, 40000},
                                            {0, 4, 1, 6},
                                            {0, 1, 4, 900},
                                            {0, 2, 4, 7},
                                            TIMES,
                                            END}));
    assert_int_equal(r.flow.initiator_port, 40000);
    assert_int_equal(r.flow.responder_port, 25);
    assert_int_equal(r.flow.initiator.octet[0], 192);
    assert_int_equal(r.flow.incomplete, RECORD_ONLY_RESPONDER);
    assert_int_equal(r.flow.octets[0], 0);
    assert_int_equal(r.flow.octets[1], 900);
    assert_int_equal(r.flow.packets[1], 7);
    assert_true(hash == r.flow.flow_hash);
}

static void test_both_directions(void **state)
{
    (void)state;
    assert_true(tell((const struct value[]){ENDS(40000, 587),
                                            TIMES,
                                            {0, 1, 8, 4000},
                                            {IPFIX_PEN_REVERSE, 1, 8, 2500},
                                            {0, 2, 8, 12},
                                            {IPFIX_PEN_REVERSE, 2, 8, 9},
                                            END}));
    assert_int_equal(r.flow.octets[1], 2500);
    assert_int_equal(r.flow.packets[1], 9);
    assert_int_equal(r.flow.incomplete, 0);

    // Reverse counts are there and zero: nothing of the responder was seen.
    assert_true(tell((const struct value[]){
        ENDS(40000, 25), TIMES, {0, 2, 8, 3}, {IPFIX_PEN_REVERSE, 2, 8, 0}, END}));
    assert_int_equal(r.flow.incomplete, RECORD_ONLY_INITIATOR);

    // The ends in order of address, as softflowd has them: all that comes in pairs is turned.
    assert_true(tell((const struct value[]){ENDS(25, 40000),
                                            TIMES,
                                            {0, 1, 8, 2500},
                                            {IPFIX_PEN_REVERSE, 1, 8, 4000},
                                            {0, 6, 1, RST | ACK},
                                            {IPFIX_PEN_REVERSE, 6, 1, SYN},
                                            END}));
    assert_int_equal(r.flow.initiator_port, 40000);
    assert_int_equal(r.flow.initiator.octet[0], 198);
    assert_int_equal(r.flow.octets[0], 4000);
    assert_int_equal(r.flow.octets[1], 2500);
    assert_int_equal(r.flow.incomplete, 0);
    assert_int_equal(r.flow.handshake, RECORD_HANDSHAKE_REFUSED);

    // Unless the exporter knows better.
    assert_true(tell((const struct value[]){ENDS(25, 40000), TIMES, {0, 239, 1, 1}, END}));
    assert_int_equal(r.flow.initiator_port, 25);
    assert_true(tell((const struct value[]){ENDS(25, 40000), TIMES, {0, 231, 8, 9}, END}));
    assert_int_equal(r.flow.initiator_port, 25);
    assert_true(tell((const struct value[]){ENDS(25, 40000), TIMES, {0, 239, 1, 2}, END}));
    assert_int_equal(r.flow.initiator_port, 40000); // biflowDirection: reversed

    assert_true(tell((const struct value[]){ENDS(40000, 25),
                                            TIMES,
                                            {0, 231, 8, 700},
                                            {0, 232, 8, 300},
                                            {0, 298, 8, 8},
                                            {0, 299, 8, 6},
                                            END}));
    assert_int_equal(r.flow.payload_octets[0], 700);
    assert_int_equal(r.flow.payload_octets[1], 300);
    assert_int_equal(r.flow.packets[1], 6);
}

static void test_ipv6_and_both_families_in_one_template(void **state)
{
    (void)state;
    assert_true(
        tell((const struct value[]){{0, 27, 16, 1}, {0, 28, 16, 2}, {0, 11, 2, 25}, TIMES, END}));
    assert_int_equal(r.flow.initiator.family, IP_V6);
    assert_int_equal(r.flow.initiator.octet[15], 1);
    assert_true(
        tell((const struct value[]){ENDS(40000, 25), {0, 27, 16, 1}, {0, 28, 16, 2}, TIMES, END}));
    assert_int_equal(r.flow.initiator.family, IP_V6);
}

// Each way of telling a time gives the same two times.
static void test_times(void **state)
{
    (void)state;
    const int64_t start_ms = EXPORT_MS - 5000, end_ms = EXPORT_MS - 1000;
    const uint64_t s = (uint64_t)start_ms / 1000, e = (uint64_t)end_ms / 1000;
    const uint64_t ntp = UINT64_C(2208988800), boot = (uint64_t)EXPORT_MS - 3600000;
    const struct value rows[][4] = {
        {{0, 150, 4, s}, {0, 151, 4, e}, END},
        {{0, 152, 8, (uint64_t)start_ms}, {0, 153, 8, (uint64_t)end_ms}, END},
        {{0, 154, 8, (s + ntp) << 32}, {0, 155, 8, (e + ntp) << 32}, END},
        {{0, 156, 8, (s + ntp) << 32}, {0, 157, 8, (e + ntp) << 32}, END},
        {{0, 158, 4, 5000000}, {0, 159, 4, 1000000}, END},
        {{0, 160, 8, boot}, {0, 22, 4, 3595000}, {0, 21, 4, 3599000}, END},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct value all[10] = {ENDS(40000, 25)};
        memcpy(all + 5, rows[i], sizeof rows[i]);
        assert_true(tell(all));
        assert_int_equal(r.flow.start_ms, start_ms);
        assert_int_equal(r.flow.end_ms, end_ms);
        assert_int_equal(r.flow.flow_start_ms, start_ms);
    }
    // The exporter has run for a hundred days: its 32 bits began again twice.
    const uint64_t long_ago = (uint64_t)EXPORT_MS - UINT64_C(8640000000);
    assert_true(tell(
        (const struct value[]){ENDS(40000, 25),
                               {0, 160, 8, long_ago},
                               {0, 22, 4, (uint64_t)start_ms - long_ago - 2 * (UINT64_C(1) << 32)},
                               {0, 21, 4, (uint64_t)end_ms - long_ago - 2 * (UINT64_C(1) << 32)},
                               END}));
    assert_int_equal(r.flow.start_ms, start_ms);
    assert_int_equal(r.flow.end_ms, end_ms);
    // A start beyond any clock.
    assert_true(tell((const struct value[]){
        ENDS(40000, 25), {0, 160, 8, UINT64_MAX}, {0, 22, 4, 1}, {0, 21, 4, 2}, END}));
    assert_int_equal(r.flow.start_ms, EXPORT_MS);
    // Nothing told, or only since a start that is not known: the export time.
    assert_true(tell((const struct value[]){ENDS(40000, 25), END}));
    assert_int_equal(r.flow.end_ms, EXPORT_MS);
    assert_true(tell((const struct value[]){ENDS(40000, 25), {0, 22, 4, 1}, {0, 21, 4, 2}, END}));
    assert_int_equal(r.flow.start_ms, EXPORT_MS);
    // NTP seconds begin again in 2036.
    assert_true(tell((const struct value[]){
        ENDS(40000, 25), {0, 154, 8, UINT64_C(100) << 32}, {0, 155, 8, UINT64_C(101) << 32}, END}));
    assert_int_equal(r.flow.start_ms, (INT64_C(4294967296) + 100 - INT64_C(2208988800)) * 1000);
}

// softflowd tells the time of its start in an options record, then times since.
static void test_boot_time_from_options(void **state)
{
    (void)state;
    message_begin(&m, 0, 9);
    message_set(&m, 3);
    buf_be(&m.buf, 256, 2);
    buf_be(&m.buf, 2, 2);
    buf_be(&m.buf, 1, 2);
    message_field(&m, 0, 143, 4);
    message_field(&m, 0, 160, 8);
    message_set_end(&m);
    message_set(&m, 256);
    buf_be(&m.buf, 1, 4);
    buf_be(&m.buf, (uint64_t)EXPORT_MS - 100000, 8);
    message_set_end(&m);
    struct span in = message_end(&m);
    ipfix_decoder_feed(decoder, in);
    assert_int_equal(ipfix_decoder_next(decoder, &r), 0);
    assert_true(
        tell((const struct value[]){ENDS(40000, 25), {0, 22, 4, 10000}, {0, 21, 4, 20000}, END}));
    assert_int_equal(r.flow.start_ms, EXPORT_MS - 90000);
    assert_int_equal(r.flow.end_ms, EXPORT_MS - 80000);
}

static void test_what_tcp_flags_prove(void **state)
{
    (void)state;
    static const struct {
        unsigned forward, reverse;
        bool both;
        uint8_t handshake, flags;
    } rows[] = {
        {SYN, 0, false, RECORD_HANDSHAKE_UNANSWERED, RECORD_START | RECORD_END | RECORD_OUTCOME},
        {SYN | ACK | FIN, 0, false, RECORD_HANDSHAKE_ESTABLISHED,
         RECORD_START | RECORD_END | RECORD_OUTCOME},
        {SYN, RST | ACK, true, RECORD_HANDSHAKE_REFUSED,
         RECORD_START | RECORD_END | RECORD_OUTCOME},
        {SYN | ACK, SYN | ACK, true, RECORD_HANDSHAKE_ESTABLISHED,
         RECORD_START | RECORD_END | RECORD_OUTCOME},
        {ACK, 0, false, RECORD_HANDSHAKE_PENDING, RECORD_CONTINUE | RECORD_END}, // a later report
        {ACK, ACK, true, RECORD_HANDSHAKE_PENDING, RECORD_CONTINUE | RECORD_END},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct value all[] = {ENDS(40000, 25),
                              TIMES,
                              {0, 2, 4, 3},
                              {0, 6, 2, rows[i].forward},
                              {IPFIX_PEN_REVERSE, 6, 2, rows[i].reverse},
                              {IPFIX_PEN_REVERSE, 2, 4, 2},
                              END};
        if (!rows[i].both)
            all[9].len = 0;
        assert_true(tell(all));
        assert_int_equal(r.flow.handshake, rows[i].handshake);
        assert_int_equal(r.flow.flags, rows[i].flags);
    }
    // Under sampling an answer may just not have been picked.
    assert_true(tell(
        (const struct value[]){ENDS(40000, 25), TIMES, {0, 6, 1, SYN}, {0, 34, 4, 1000}, END}));
    assert_int_equal(r.flow.handshake, RECORD_HANDSHAKE_PENDING);
    assert_int_equal(r.flow.sampling, 1000);
    // Dropped by the router itself (RFC 7270: 10xxxxxx): an attempt that never went out.
    assert_true(tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 89, 1, 0x80}, END}));
    assert_int_equal(r.flow.handshake, RECORD_HANDSHAKE_UNANSWERED);
}

static void test_active_timeout_is_no_end(void **state)
{
    (void)state;
    assert_true(tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 136, 1, 2}, END}));
    assert_int_equal(r.flow.flags, RECORD_START);
    assert_true(tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 136, 1, 1}, END}));
    assert_int_equal(r.flow.flags, RECORD_START | RECORD_END);
}

// Where both are told, the delta is taken whatever the order.
static void test_delta_goes_before_total(void **state)
{
    (void)state;
    assert_true(tell((const struct value[]){
        ENDS(40000, 25), TIMES, {0, 85, 8, 99}, {0, 1, 8, 11}, {0, 86, 8, 9}, END}));
    assert_int_equal(r.flow.octets[0], 11);
    assert_int_equal(r.flow.packets[0], 9);
    assert_true(
        tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 1, 8, 11}, {0, 85, 8, 99}, END}));
    assert_int_equal(r.flow.octets[0], 11);
}

static void test_layer_2(void **state)
{
    (void)state;
    assert_true(tell((const struct value[]){
        ENDS(40000, 25), TIMES, {0, 58, 2, 101}, {0, 70, 3, 1040 << 4 | 1}, END}));
    assert_int_equal(r.flow.groups, RECORD_HAS_L2);
    assert_int_equal(r.flow.l2.vlan[0], 101);
    assert_int_equal(r.flow.l2.mpls_label, 1040);
}

static void test_lengths_of_numbers(void **state)
{
    (void)state;
    for (unsigned len = 1; len <= 8; len++) {
        assert_true(tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 2, len, 77}, END}));
        assert_int_equal(r.flow.packets[0], 77);
    }
    // Wider than its place: the largest there is, not what is left of it.
    assert_true(tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 218, 8, 70000}, END}));
    assert_int_equal(r.flow.syn_count, UINT16_MAX);
    // A number of nine octets is none, and is passed over.
    assert_true(tell((const struct value[]){ENDS(40000, 25), TIMES, {0, 2, 9, 77}, END}));
    assert_int_equal(r.flow.packets[0], 0);
}

static void test_what_is_no_flow_is_passed_over(void **state)
{
    (void)state;
    assert_false(tell((const struct value[]){{0, 225, 4, V4_A}, {0, 230, 1, 4}, END})); // NAT event
    assert_int_equal(ipfix_decoder_stats(decoder)->unknown_template, 1);
    assert_int_equal(ipfix_decoder_stats(decoder)->bad_value, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity_is_none),
        TEST(test_one_direction),
        TEST(test_both_directions),
        TEST(test_ipv6_and_both_families_in_one_template),
        TEST(test_times),
        TEST(test_boot_time_from_options),
        TEST(test_what_tcp_flags_prove),
        TEST(test_active_timeout_is_no_end),
        TEST(test_delta_goes_before_total),
        TEST(test_layer_2),
        TEST(test_lengths_of_numbers),
        TEST(test_what_is_no_flow_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
