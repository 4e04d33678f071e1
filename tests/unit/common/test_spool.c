// The spool: what was written is read, whatever was cut, flipped or refused by the disk.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/spool_format.h"
#include "faults.h"
#include "scratch.h"

#define BLOCKS 5

static const struct spool_options options = {.octets_max = 1 << 20, .segment_octets = 1 << 20};

static struct spool *open_spool(const char *dir, const struct spool_options *o)
{
    struct spool *s = NULL;
    assert_int_equal(spool_open(dir, o, &s), 0);
    return s;
}

static int put(struct spool *s, unsigned n)
{
    uint8_t octet[64];
    struct spool_block b = {.kind = SPOOL_RECORDS,
                            .records = 2,
                            .domain = 7,
                            .epoch = 9,
                            .first = 2 * n + 1,
                            .last = 2 * n + 2,
                            .latest_ms = 1000 * (int64_t)n};
    memset(octet, (int)n, sizeof octet);
    return spool_append(s, &b, span_of(octet, 10 + n));
}

// Reads all; the numbers of the blocks as bits.
static unsigned read_all(struct spool *s)
{
    struct spool_reader *r = spool_reader_new(s);
    struct spool_block b;
    struct span payload;
    unsigned seen = 0;
    while (spool_reader_next(r, &b, &payload) == 1) {
        unsigned n = (unsigned)(b.first - 1) / 2;
        assert_int_equal(b.last, 2 * n + 2);
        assert_int_equal(b.ordinal, 2 * n);
        assert_int_equal(payload.len, 10 + n);
        for (size_t i = 0; i < payload.len; i++)
            assert_int_equal(payload.data[i], n);
        assert_true(seen < 1u << n); // in order, each once
        seen |= 1u << n;
    }
    spool_reader_free(r);
    return seen;
}

static void test_whole(void **state)
{
    char dir[SCRATCH_MAX];
    struct record_id last;
    (void)state;
    assert_int_equal(scratch_make(dir), 0);
    struct spool *s = open_spool(dir, &options), *other = NULL;
    assert_false(spool_last(s, &last));
    for (unsigned n = 0; n < BLOCKS; n++)
        assert_int_equal(put(s, n), 0);
    assert_int_equal(read_all(s), (1u << BLOCKS) - 1);
    assert_true(spool_unsynced(s));
    assert_int_equal(spool_sync(s), 0);
    assert_false(spool_unsynced(s));
    assert_int_equal(spool_open(dir, &options, &other), -EBUSY);
    uint64_t id = spool_id(s);
    spool_close(s);
    s = open_spool(dir, &options);
    assert_true(spool_id(s) == id && id != 0);
    assert_int_equal(spool_ordinal(s), 2 * BLOCKS);
    assert_true(spool_last(s, &last));
    assert_int_equal(last.sequence, 2 * BLOCKS);
    assert_int_equal(last.epoch, 9);
    assert_int_equal(put(s, BLOCKS), 0);
    assert_int_equal(read_all(s), (1u << (BLOCKS + 1)) - 1);
    spool_close(s);
    scratch_remove(dir);
}

static void copy_cut(const char *from, const char *to, size_t len, size_t flip)
{
    char path[128];
    uint8_t data[4096];
    snprintf(path, sizeof path, "%s/0000000000000001.seg", from);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, data, sizeof data);
    close(fd);
    assert_true(n >= (ssize_t)len);
    if (flip < len)
        data[flip] ^= 0x20;
    mkdir(to, 0700);
    snprintf(path, sizeof path, "%s/0000000000000001.seg", to);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static size_t block_end(unsigned blocks)
{
    size_t at = SPOOL_SEGMENT_HEADER;
    for (unsigned n = 0; n < blocks; n++)
        at += SPOOL_BLOCK_HEADER + 10 + n;
    return at;
}

static void make(const char *dir)
{
    struct spool *s = open_spool(dir, &options);
    for (unsigned n = 0; n < BLOCKS; n++)
        assert_int_equal(put(s, n), 0);
    spool_close(s);
}

// Cut at every octet: what is whole stays, and writing goes on behind it.
static void test_torn(void **state)
{
    char dir[SCRATCH_MAX], torn[SCRATCH_MAX + 8];
    (void)state;
    assert_int_equal(scratch_make(dir), 0);
    snprintf(torn, sizeof torn, "%s/torn", dir);
    make(dir);
    for (size_t len = 0; len <= block_end(BLOCKS); len++) {
        unsigned whole = 0;
        while (whole < BLOCKS && block_end(whole + 1) <= len)
            whole++;
        copy_cut(dir, torn, len, SIZE_MAX);
        struct spool *s = open_spool(torn, &options);
        assert_int_equal(read_all(s), (1u << whole) - 1);
        assert_int_equal(spool_ordinal(s), 2 * whole);
        assert_int_equal(put(s, whole), 0);
        assert_int_equal(read_all(s), (2u << whole) - 1);
        spool_close(s);
        s = open_spool(torn, &options);
        assert_int_equal(read_all(s), (2u << whole) - 1);
        spool_close(s);
        scratch_remove(torn);
    }
    scratch_remove(dir);
}

// One octet flipped anywhere: that block is missing, the others are there. The last one is torn for all we know.
static void test_flipped(void **state)
{
    char dir[SCRATCH_MAX], bad[SCRATCH_MAX + 8];
    (void)state;
    assert_int_equal(scratch_make(dir), 0);
    snprintf(bad, sizeof bad, "%s/bad", dir);
    make(dir);
    for (size_t at = SPOOL_SEGMENT_HEADER; at < block_end(BLOCKS); at++) {
        unsigned hit = 0;
        while (block_end(hit + 1) <= at)
            hit++;
        copy_cut(dir, bad, block_end(BLOCKS), at);
        struct spool *s = open_spool(bad, &options);
        struct spool_reader *r = spool_reader_new(s);
        struct spool_block b;
        struct span payload;
        unsigned seen = 0;
        while (spool_reader_next(r, &b, &payload) == 1)
            seen |= 1u << (b.first - 1) / 2;
        assert_int_equal(seen, ((1u << BLOCKS) - 1) & ~(1u << hit));
        assert_true(spool_stats(s)->bad_blocks == (hit + 1 < BLOCKS) ||
                    spool_stats(s)->torn_octets > 0);
        spool_reader_free(r);
        spool_close(s);
        scratch_remove(bad);
    }
    scratch_remove(dir);
}

// Each call of the disk fails once: the call says so, is made again, and nothing is missing or there twice.
static void test_faults(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned at = 1;; at++) {
            char dir[SCRATCH_MAX];
            struct spool_options small = {.octets_max = 1 << 20, .segment_octets = 200};
            unsigned failed = 0;
            assert_int_equal(scratch_make(dir), 0);
            struct spool *s = open_spool(dir, &small);
            faults = (struct faults){.at = at, .error = at % 2 ? ENOSPC : EIO, .half = half};
            for (unsigned n = 0; n < BLOCKS; n++) {
                for (int rc; (rc = put(s, n)) < 0; failed++)
                    assert_int_equal(rc, at % 2 ? -ENOSPC : -EIO);
                for (int rc; (rc = spool_sync(s)) < 0; failed++)
                    assert_true(spool_unsynced(s));
            }
            unsigned calls = faults.calls;
            faults = (struct faults){0};
            assert_int_equal(read_all(s), (1u << BLOCKS) - 1);
            spool_close(s);
            s = open_spool(dir, &small);
            assert_int_equal(read_all(s), (1u << BLOCKS) - 1);
            assert_true(spool_stats(s)->segments > 2);
            spool_close(s);
            scratch_remove(dir);
            assert_int_equal(failed, at <= calls);
            if (at > calls)
                break;
        }
    }
}

static void test_full_and_removed(void **state)
{
    char dir[SCRATCH_MAX];
    struct spool_options small = {.octets_max = 600, .segment_octets = 100};
    uint64_t segment;
    int64_t latest_ms;
    unsigned n = 0;
    (void)state;
    assert_int_equal(scratch_make(dir), 0);
    struct spool *s = open_spool(dir, &small);
    assert_false(spool_oldest(s, &segment, &latest_ms));
    while (put(s, n) == 0)
        n++;
    assert_int_equal(put(s, n), -ENOSPC);
    assert_true(spool_stats(s)->octets <= 600);
    assert_true(spool_oldest(s, &segment, &latest_ms));
    assert_int_equal(segment, 1);
    assert_int_equal(latest_ms, 0);
    assert_int_equal(spool_remove(s, 1), 1);
    assert_int_equal(put(s, n), 0);
    // The newest stays, whatever is asked for; what is gone is not counted again.
    assert_true(spool_remove(s, UINT64_MAX) > 0);
    assert_int_equal(spool_stats(s)->segments, 1);
    spool_close(s);
    s = open_spool(dir, &small);
    assert_int_equal(spool_ordinal(s), 2 * (n + 1));
    spool_close(s);
    scratch_remove(dir);
}

static unsigned turned;

static void on_segment(void *ctx, struct spool *s)
{
    struct spool_block b = {.kind = SPOOL_POSITIONS, .latest_ms = INT64_MIN};
    (void)ctx;
    turned++;
    assert_int_equal(spool_append(s, &b, span_of("here", 4)), 0);
}

// A reader that is at the end goes on when more is written, over the end of a segment too.
static void test_followed(void **state)
{
    char dir[SCRATCH_MAX];
    struct spool_options small = {
        .octets_max = 1 << 20, .segment_octets = 150, .caller_turns = true};
    struct spool_block b;
    struct span payload;
    (void)state;
    assert_int_equal(scratch_make(dir), 0);
    struct spool *s = open_spool(dir, &small);
    struct spool_reader *r = spool_reader_new(s);
    spool_on_segment(s, on_segment, NULL);
    for (unsigned n = 0; n < 6; n++) {
        unsigned before = turned;
        assert_int_equal(spool_reader_next(r, &b, &payload), 0);
        assert_int_equal(spool_turn(s), 0);
        assert_int_equal(put(s, n), 0);
        if (turned > before) {
            assert_int_equal(spool_reader_next(r, &b, &payload), 1);
            assert_int_equal(b.kind, SPOOL_POSITIONS);
            assert_memory_equal(payload.data, "here", 4);
        }
        assert_int_equal(spool_reader_next(r, &b, &payload), 1);
        assert_int_equal(b.last, 2 * n + 2);
    }
    assert_true(turned >= 2);
    spool_reader_rewind(r);
    assert_int_equal(spool_reader_next(r, &b, &payload), 1);
    assert_int_equal(b.first, 1);
    spool_reader_free(r);
    spool_close(s);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),    cmocka_unit_test(test_torn),
        cmocka_unit_test(test_flipped),  cmocka_unit_test(test_faults),
        cmocka_unit_test(test_followed), cmocka_unit_test(test_full_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
