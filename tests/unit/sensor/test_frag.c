// Datagrams cut in every way come back whole; overlap, contradiction and floods are bounded and counted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "frag.h"

#define SECOND 1000000

static uint8_t content[65535];

static void fill(void)
{
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 7 + i / 256);
}

static struct frag_key key(uint32_t id, uint8_t family)
{
    struct frag_key k = {.id = id, .protocol = 6, .family = family};
    k.addr[0][15] = 1;
    k.addr[1][15] = 2;
    return k;
}

static struct frag_piece piece(uint32_t offset, uint32_t len, bool more)
{
    return (struct frag_piece){.offset = offset,
                               .data = span_of(content + offset, len),
                               .more = more,
                               .next_header = 6,
                               .ip_octets = len + 20};
}

static void test_whole(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {16, 1480, 4000, 65528};
    static const uint32_t cuts[] = {8, 64, 1480};
    struct frag *f = frag_new(4, 1 << 20, 30 * SECOND);
    for (size_t l = 0; l < 4; l++) {
        for (size_t c = 0; c < 3; c++) {
            for (int order = 0; order < 2; order++) {
                struct frag_key k = key((uint32_t)(l * 100 + c * 10) + (uint32_t)order, 4);
                struct frag_whole whole = {0};
                uint32_t len = lengths[l] - 3, n = (len + cuts[c] - 1) / cuts[c];
                enum frag_result last = FRAG_KEPT;
                if (n < 2)
                    continue;
                for (uint32_t i = 0; i < n; i++) {
                    uint32_t at = (order ? n - 1 - i : i) * cuts[c];
                    uint32_t size = len - at < cuts[c] ? len - at : cuts[c];
                    struct frag_piece p = piece(at, size, at + size < len);
                    assert_int_equal(last, FRAG_KEPT);
                    last = frag_add(f, &k, &p, SECOND, &whole);
                }
                assert_int_equal(last, FRAG_WHOLE);
                assert_int_equal(whole.data.len, len);
                assert_memory_equal(whole.data.data, content, len);
                assert_int_equal(whole.ip_octets, len + n * 20);
                assert_int_equal(whole.packets, n < 255 ? n : 255);
                assert_int_equal(whole.next_header, 6);
            }
        }
    }
    assert_int_equal(frag_stats(f)->lost, 0);
    frag_free(f);
}

// IPv4: the first octets stay. IPv6: the datagram is given up (RFC 5722).
static void test_overlap(void **state)
{
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct frag *f = frag_new(4, 1 << 16, 30 * SECOND);
        struct frag_key k = key(1, family);
        struct frag_whole whole;
        uint8_t other[24];
        memset(other, 'x', sizeof other);
        struct frag_piece first = piece(0, 16, true);
        struct frag_piece overlapping = {
            .offset = 8, .data = span_of(other, 16), .more = true, .ip_octets = 36};
        struct frag_piece last = piece(24, 5, false);
        assert_int_equal(frag_add(f, &k, &first, 1, &whole), FRAG_KEPT);
        enum frag_result second = frag_add(f, &k, &overlapping, 1, &whole);
        if (family == 6) {
            assert_int_equal(second, FRAG_BAD);
            assert_int_equal(frag_stats(f)->lost, 2);
        } else {
            assert_int_equal(second, FRAG_KEPT);
            assert_int_equal(frag_add(f, &k, &last, 1, &whole), FRAG_WHOLE);
            assert_memory_equal(whole.data.data, content, 16);
            assert_memory_equal(whole.data.data + 16, "xxxxxxxx", 8);
        }
        frag_free(f);
    }
}

// A piece mirrored twice is neither an attack nor a second datagram.
static void test_repeats(void **state)
{
    (void)state;
    struct frag *f = frag_new(4, 1 << 16, 30 * SECOND);
    struct frag_key k = key(1, 6);
    struct frag_whole whole;
    struct frag_piece a = piece(0, 64, true), b = piece(64, 10, false);
    assert_int_equal(frag_add(f, &k, &a, 1, &whole), FRAG_KEPT);
    assert_int_equal(frag_add(f, &k, &a, 2, &whole), FRAG_KEPT);
    assert_int_equal(frag_add(f, &k, &b, 3, &whole), FRAG_WHOLE);
    assert_int_equal(whole.packets, 2);
    assert_int_equal(frag_add(f, &k, &b, 4, &whole), FRAG_KEPT);
    assert_int_equal(frag_stats(f)->repeated, 2);
    // The same identification at once, with other octets: another datagram.
    struct frag_piece c = piece(0, 64, true), d = piece(64, 10, false);
    c.data.data += 1;
    d.data.data += 1;
    assert_int_equal(frag_add(f, &k, &c, 5, &whole), FRAG_KEPT);
    assert_int_equal(frag_add(f, &k, &d, 6, &whole), FRAG_WHOLE);
    assert_memory_equal(whole.data.data, content + 1, 74);
    assert_int_equal(frag_stats(f)->lost, 0);
    frag_free(f);
}

static void test_contradictions(void **state)
{
    (void)state;
    static const struct {
        struct {
            uint32_t offset, len;
            bool more;
        } first, second;
    } cases[] = {
        {{0, 12, true}, {0, 0, false}},      // not a multiple of eight
        {{65528, 16, false}, {0, 0, false}}, // beyond the largest datagram
        {{0, 0, true}, {0, 0, false}},       // empty
        {{64, 8, false}, {72, 8, true}},     // behind the end
        {{64, 8, false}, {64, 16, false}},   // two ends
        {{64, 64, true}, {32, 8, false}},    // an end before what is there
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frag *f = frag_new(4, 1 << 17, 30 * SECOND);
        struct frag_key k = key(9, 4);
        struct frag_whole whole;
        struct frag_piece p = {.offset = cases[i].first.offset,
                               .data = span_of(content, cases[i].first.len),
                               .more = cases[i].first.more};
        enum frag_result result = frag_add(f, &k, &p, 1, &whole);
        if (result == FRAG_KEPT) {
            p.offset = cases[i].second.offset;
            p.data = span_of(content, cases[i].second.len);
            p.more = cases[i].second.more;
            result = frag_add(f, &k, &p, 1, &whole);
        }
        assert_int_equal(result, FRAG_BAD);
        frag_free(f);
    }
}

// More datagrams and octets than there is room for: the oldest go, nothing grows.
static void test_flood(void **state)
{
    (void)state;
    struct frag *f = frag_new(8, 8 * 2048, 30 * SECOND);
    struct frag_whole whole;
    for (uint32_t id = 0; id < 10000; id++) {
        struct frag_key k = key(id, 4);
        struct frag_piece p = piece(8 * (id % 100), 1024, true);
        assert_int_equal(frag_add(f, &k, &p, id, &whole), FRAG_KEPT);
    }
    assert_true(frag_stats(f)->evicted > 9900);
    // What comes now is joined all the same.
    struct frag_key k = key(77777, 4);
    struct frag_piece a = piece(0, 4096, true), b = piece(4096, 100, false);
    assert_int_equal(frag_add(f, &k, &a, 20000, &whole), FRAG_KEPT);
    assert_int_equal(frag_add(f, &k, &b, 20000, &whole), FRAG_WHOLE);
    // One that can never fit.
    k = key(88888, 4);
    a = piece(0, 20000, true);
    assert_int_equal(frag_add(f, &k, &a, 20000, &whole), FRAG_NO_MEMORY);
    frag_flush(f);
    assert_int_equal(frag_stats(f)->lost + 2, frag_stats(f)->pieces);
    frag_free(f);
}

static void test_timeout(void **state)
{
    (void)state;
    struct frag *f = frag_new(8, 1 << 16, 30 * SECOND);
    struct frag_key k = key(1, 4);
    struct frag_whole whole;
    struct frag_piece a = piece(0, 64, true), b = piece(64, 10, false);
    frag_add(f, &k, &a, 0, &whole);
    frag_expire(f, 30 * SECOND - 1);
    assert_int_equal(frag_stats(f)->lost, 0);
    frag_expire(f, 30 * SECOND);
    assert_int_equal(frag_stats(f)->lost, 1);
    assert_int_equal(frag_add(f, &k, &b, 31 * SECOND, &whole), FRAG_KEPT);
    frag_free(f);
}

int main(void)
{
    fill();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_repeats), cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_flood),   cmocka_unit_test(test_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
