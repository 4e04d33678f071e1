// A decoder and a message written by hand, for tests of what the decoder makes of it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/ipfix.h"
#include "ipfix_message.h"

static struct ipfix_decoder *decoder;
static struct ipfix_message m;
static struct record r;

static inline const struct record_reader_stats *stats(void)
{
    return ipfix_decoder_stats(decoder);
}

static inline int setup(void **state)
{
    (void)state;
    buf_init(&m.buf, 1 << 20);
    decoder = ipfix_decoder_new();
    return decoder ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    buf_fini(&m.buf);
    ipfix_decoder_free(decoder);
    return 0;
}

// Everything in `in`; how many records, the last of them in `r`.
static inline size_t feed(struct span in)
{
    static struct record got;
    size_t n = 0, at = 0;
    while (at < in.len) {
        at += ipfix_decoder_feed(decoder, span_cut(in, at, SIZE_MAX));
        while (ipfix_decoder_next(decoder, &got)) {
            n++;
            r = got;
        }
    }
    return n;
}

static inline void data_addresses(void)
{
    buf_be(&m.buf, 0xc0000207, 4); // 192.0.2.7
    buf_be(&m.buf, 0xc6336419, 4); // 198.51.100.25
}

// A small foreign template: addresses, ports, protocol, packets.
static inline void small_template(unsigned id)
{
    message_set(&m, 2);
    buf_be(&m.buf, id, 2);
    buf_be(&m.buf, 6, 2);
    message_field(&m, 0, 8, 4);
    message_field(&m, 0, 12, 4);
    message_field(&m, 0, 7, 2);
    message_field(&m, 0, 11, 2);
    message_field(&m, 0, 4, 1);
    message_field(&m, 0, 2, 4);
    message_set_end(&m);
}

#define SMALL_OCTETS 17

static inline void small_record(uint32_t packets)
{
    data_addresses();
    buf_be(&m.buf, 40000, 2);
    buf_be(&m.buf, 25, 2);
    buf_be(&m.buf, 6, 1);
    buf_be(&m.buf, packets, 4);
}

static inline void small_data(unsigned id, unsigned count)
{
    message_set(&m, id);
    for (unsigned i = 0; i < count; i++)
        small_record(i + 1);
    message_set_end(&m);
}

struct rig_field {
    uint32_t enterprise;
    unsigned id, len;
};

// A message of one template, 300, and the set of its records begun.
#define DATA_BEGIN(...)                                 \
    data_begin((const struct rig_field[]){__VA_ARGS__}, \
               sizeof(struct rig_field[]){__VA_ARGS__} / sizeof(struct rig_field))

static inline void data_begin(const struct rig_field *field, size_t count)
{
    message_begin(&m, 0, 1);
    message_set(&m, 2);
    buf_be(&m.buf, 300, 2);
    buf_be(&m.buf, count, 2);
    for (size_t i = 0; i < count; i++)
        message_field(&m, field[i].enterprise, field[i].id, field[i].len);
    message_set_end(&m);
    message_set(&m, 300);
}

// The records are all: how many of them came through, the last of them in `r`.
static inline size_t data_feed(void)
{
    message_set_end(&m);
    return feed(message_end(&m));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
