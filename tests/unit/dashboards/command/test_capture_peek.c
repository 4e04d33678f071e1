// The first packet's time of captures in every variant, cut at every offset, against a guard.
#include "command/capture_peek.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "common/buf.h"

enum { AT_S = 1700000000 };

static void put(struct buf *b, bool little, uint64_t v, size_t len)
{
    if (!little) {
        buf_be(b, v, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        buf_be(b, v >> 8 * i & 0xff, 1);
}

static void put_pcap(struct buf *b, bool little, uint32_t magic, uint32_t fraction)
{
    put(b, little, magic, 4);
    put(b, little, 2, 2);
    put(b, little, 4, 2);
    put(b, little, 0, 8);
    put(b, little, 65535, 4);
    put(b, little, 1, 4);
    put(b, little, AT_S, 4);
    put(b, little, fraction, 4);
    put(b, little, 0, 8); // an empty packet
}

// A block around `body`.
static void put_block(struct buf *b, bool little, uint32_t type, const struct buf *body)
{
    put(b, little, type, 4);
    put(b, little, body->len + 12, 4);
    buf_bytes(b, body->data, body->len);
    put(b, little, body->len + 12, 4);
}

static void put_section(struct buf *b, bool little)
{
    struct buf body;
    buf_init(&body, 64);
    put(&body, little, 0x1a2b3c4d, 4);
    put(&body, little, 1, 2);
    put(&body, little, 0, 2);
    put(&body, little, UINT64_MAX, 8);
    put_block(b, little, 0x0a0d0d0a, &body);
    buf_fini(&body);
}

static void put_interface(struct buf *b, bool little, int resolution, int64_t offset_s)
{
    struct buf body;
    buf_init(&body, 64);
    put(&body, little, 1, 4);
    put(&body, little, 65535, 4);
    if (resolution >= 0) {
        put(&body, little, 9, 2);
        put(&body, little, 1, 2);
        put(&body, little, (uint64_t)resolution, 1);
        put(&body, little, 0, 3);
    }
    if (offset_s) {
        put(&body, little, 14, 2);
        put(&body, little, 8, 2);
        put(&body, little, (uint64_t)offset_s, 8);
    }
    put(&body, little, 0, 4);
    put_block(b, little, 1, &body);
    buf_fini(&body);
}

static void put_packet(struct buf *b, bool little, bool old, unsigned interface, uint64_t ticks)
{
    struct buf body;
    buf_init(&body, 64);
    put(&body, little, interface, old ? 2 : 4);
    if (old)
        put(&body, little, 0, 2);
    put(&body, little, ticks >> 32, 4);
    put(&body, little, ticks & 0xffffffff, 4);
    put(&body, little, 0, 8);
    put_block(b, little, old ? 2 : 6, &body);
    buf_fini(&body);
}

// Cut short by one octet more each time, in memory of exactly that size: an answer may be missing,
// never wrong, and nothing is read past the end.
static void expect_ladder(const struct buf *b, int64_t expected_ms)
{
    for (size_t len = 0; len <= b->len; len++) {
        uint8_t *copy = malloc(len ? len : 1);
        int64_t t_ms = -1;
        memcpy(copy, b->data, len);
        enum capture_peek_result result = capture_peek(span_of(copy, len), &t_ms);
        assert_int_equal(t_ms, result == CAPTURE_PEEK_FOUND ? expected_ms : -1);
        if (len == b->len)
            assert_int_equal(result, CAPTURE_PEEK_FOUND);
        if (len < 4)
            assert_int_equal(result, CAPTURE_PEEK_UNKNOWN);
        free(copy);
    }
}

static void test_pcap(void **state)
{
    (void)state;
    static const struct {
        bool little;
        uint32_t magic, fraction;
    } cases[] = {
        {true, 0xa1b2c3d4, 250000},     {false, 0xa1b2c3d4, 250000}, {true, 0xa1b23c4d, 250000000},
        {false, 0xa1b23c4d, 250000000}, {true, 0xa1b2cd34, 250000},  {false, 0xa1b2cd34, 250000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 1024);
        put_pcap(&b, cases[i].little, cases[i].magic, cases[i].fraction);
        expect_ladder(&b, AT_S * 1000ll + 250);
        buf_fini(&b);
    }
}

static void test_pcapng(void **state)
{
    (void)state;
    static const struct {
        bool little, old;
        int resolution;
        int64_t offset_s;
        uint64_t ticks;
        int64_t expected_ms;
    } cases[] = {
        {true, false, -1, 0, AT_S * 1000000ull + 250000, AT_S * 1000ll + 250},
        {false, false, -1, 0, AT_S * 1000000ull + 250000, AT_S * 1000ll + 250},
        {true, false, 9, 0, AT_S * 1000000000ull + 250000000, AT_S * 1000ll + 250},
        {true, true, 3, 0, AT_S * 1000ull + 250, AT_S * 1000ll + 250},
        {false, true, 0, 0, AT_S, AT_S * 1000ll},
        {true, false, 0x80 | 10, 0, AT_S * 1024ull + 256, AT_S * 1000ll + 250},
        {true, false, 3, 3600, AT_S * 1000ull, (AT_S + 3600) * 1000ll},
        {true, false, 3, -3600, AT_S * 1000ull, (AT_S - 3600) * 1000ll},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 1024);
        put_section(&b, cases[i].little);
        put_interface(&b, cases[i].little, cases[i].resolution, cases[i].offset_s);
        put_packet(&b, cases[i].little, cases[i].old, 0, cases[i].ticks);
        expect_ladder(&b, cases[i].expected_ms);
        buf_fini(&b);
    }
}

// The interface a packet names decides, and a section of the other byte order begins anew.
static void test_interfaces_and_sections(void **state)
{
    (void)state;
    struct buf b;
    int64_t t_ms = -1;
    buf_init(&b, 1024);
    put_section(&b, true);
    put_interface(&b, true, 3, 0);
    put_interface(&b, true, 9, 0);
    put_section(&b, false);
    put_interface(&b, false, 9, 0);
    put_interface(&b, false, 3, 0);
    put_packet(&b, false, false, 1, AT_S * 1000ull);
    assert_int_equal(capture_peek(buf_span(&b), &t_ms), CAPTURE_PEEK_FOUND);
    assert_int_equal(t_ms, AT_S * 1000ll);
    buf_fini(&b);
}

static void test_nothing_to_find(void **state)
{
    (void)state;
    struct buf b;
    int64_t t_ms = -1;
    buf_init(&b, 1024);
    put_section(&b, true);
    put_interface(&b, true, -1, 0);
    assert_int_equal(capture_peek(buf_span(&b), &t_ms), CAPTURE_PEEK_NONE);
    // A packet of an interface that was never described.
    put_packet(&b, true, false, 3, AT_S * 1000000ull);
    assert_int_equal(capture_peek(buf_span(&b), &t_ms), CAPTURE_PEEK_NONE);
    // A block whose length would not lead onwards.
    buf_clear(&b);
    put_section(&b, true);
    put(&b, true, 5, 4);
    put(&b, true, 0, 4);
    put(&b, true, 0, 8);
    assert_int_equal(capture_peek(buf_span(&b), &t_ms), CAPTURE_PEEK_NONE);
    assert_int_equal(capture_peek(span_of_text("GIF89a, no capture"), &t_ms), CAPTURE_PEEK_UNKNOWN);
    assert_int_equal(t_ms, -1);
    buf_fini(&b);
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/postern-peek-XXXXXX";
    int fd = mkstemp(path);
    int64_t t_ms = -1;
    struct buf b;
    assert_true(fd >= 0);
    buf_init(&b, 1024);
    put_pcap(&b, true, 0xa1b2c3d4, 0);
    assert_int_equal(capture_peek_file(path, &t_ms), CAPTURE_PEEK_NONE); // empty
    assert_int_equal(write(fd, b.data, b.len), (ssize_t)b.len);
    close(fd);
    assert_int_equal(capture_peek_file(path, &t_ms), CAPTURE_PEEK_FOUND);
    assert_int_equal(t_ms, AT_S * 1000ll);

    gzFile gz = gzopen(path, "wb");
    assert_int_equal(gzwrite(gz, b.data, (unsigned)b.len), (int)b.len);
    assert_int_equal(gzclose(gz), Z_OK);
    t_ms = -1;
    assert_int_equal(capture_peek_file(path, &t_ms), CAPTURE_PEEK_FOUND);
    assert_int_equal(t_ms, AT_S * 1000ll);

    // A gzip stream cut in its middle still tells what it held.
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 9), 0);
    assert_true(capture_peek_file(path, &t_ms) >= 0);
    buf_fini(&b);
    unlink(path);
    assert_int_equal(capture_peek_file(path, &t_ms), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcap),
        cmocka_unit_test(test_pcapng),
        cmocka_unit_test(test_interfaces_and_sections),
        cmocka_unit_test(test_nothing_to_find),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
