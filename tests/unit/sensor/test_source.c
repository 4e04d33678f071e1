// Captures of every kind and in every state: whole, compressed, cut at every octet, empty, broken, several
// at once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"

static char folder[] = "/tmp/test_source_XXXXXX";

static const char *path_of(const char *name)
{
    static char path[8][80];
    static size_t turn;
    char *p = path[turn++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

struct octets {
    uint8_t data[4096];
    size_t len;
};

static void put32(struct octets *o, uint32_t v)
{
    memcpy(o->data + o->len, &v, 4);
    o->len += 4;
}

// Packets a second apart from `first_s` on, each of 20 octets with its number in the first.
static void make_pcap(struct octets *o, uint32_t first_s, uint32_t step_s, uint8_t count)
{
    static const uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
    o->len = 0;
    for (size_t i = 0; i < 6; i++)
        put32(o, head[i]);
    for (uint8_t i = 0; i < count; i++) {
        put32(o, first_s + i * step_s);
        put32(o, 7);
        put32(o, 20);
        put32(o, 60);
        memset(o->data + o->len, i, 20);
        o->len += 20;
    }
}

static const char *save(const char *name, const void *data, size_t len)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return path;
}

static const struct source_input *read_all(const char *const *paths, size_t count, struct source *s,
                                           uint64_t *frames, int64_t *times)
{
    const char *failed;
    struct source_frame frame;
    size_t inputs;
    *frames = 0;
    assert_int_equal(source_files_open(paths, count, s, &failed), 0);
    while (source_next(s, &frame) == SOURCE_FRAME) {
        assert_int_equal(frame.linktype, 1);
        assert_int_equal(frame.data.len, 20);
        assert_int_equal(frame.wire, 60);
        if (times)
            times[*frames] = frame.t_us;
        (*frames)++;
    }
    const struct source_input *in = source_files_inputs(s, &inputs);
    assert_int_equal(inputs, count);
    return in;
}

// Cut anywhere: what is whole is used, and what is not is said.
static void test_cuts(void **state)
{
    (void)state;
    struct octets o;
    make_pcap(&o, 100, 1, 3);
    for (size_t len = 0; len <= o.len; len++) {
        const char *path = save("cut.pcap", o.data, len);
        struct source s;
        uint64_t frames;
        const struct source_input *in = read_all(&path, 1, &s, &frames, NULL);
        size_t behind = len < 24 ? 0 : len - 24;
        assert_int_equal(frames, behind / 36);
        enum source_state want = len == 0 || len == 24           ? SOURCE_EMPTY
                                 : len >= 24 && behind % 36 == 0 ? SOURCE_WHOLE
                                                                 : SOURCE_TRUNCATED;
        if (in->state != want)
            fail_msg("cut at %zu: %s", len, source_state_name(in->state));
        assert_int_equal(in->text[0] == '\0', want == SOURCE_WHOLE);
        source_close(&s);
    }
}

// gzip by hand: stored blocks need no compressor.
static size_t gzip(const struct octets *o, uint8_t *out)
{
    static const uint8_t head[10] = {0x1f, 0x8b, 8, [9] = 3};
    uint32_t crc = 0xffffffff, len = (uint32_t)o->len;
    memcpy(out, head, sizeof head);
    out[10] = 1;
    out[11] = (uint8_t)len;
    out[12] = (uint8_t)(len >> 8);
    out[13] = (uint8_t)~out[11];
    out[14] = (uint8_t)~out[12];
    memcpy(out + 15, o->data, len);
    for (size_t i = 0; i < len; i++) {
        crc ^= o->data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    crc = ~crc;
    memcpy(out + 15 + len, &crc, 4);
    memcpy(out + 19 + len, &len, 4);
    return 23 + len;
}

static void test_gzip(void **state)
{
    (void)state;
    static uint8_t packed[5000];
    struct octets o;
    struct source s;
    uint64_t frames;
    make_pcap(&o, 100, 1, 5);
    size_t len = gzip(&o, packed);
    const char *path = save("a.pcap.gz", packed, len);
    assert_int_equal(read_all(&path, 1, &s, &frames, NULL)->state, SOURCE_WHOLE);
    assert_int_equal(frames, 5);
    source_close(&s);
    // The stream ends behind the third packet: at a packet's end, yet not at the file's.
    path = save("b.pcap.gz", packed, 15 + 24 + 3 * 36);
    assert_int_equal(read_all(&path, 1, &s, &frames, NULL)->state, SOURCE_TRUNCATED);
    assert_int_equal(frames, 3);
    source_close(&s);
    packed[len - 8] ^= 1; // a wrong checksum
    path = save("c.pcap.gz", packed, len);
    assert_int_equal(read_all(&path, 1, &s, &frames, NULL)->state, SOURCE_BROKEN);
    assert_int_equal(frames, 5);
    source_close(&s);
}

// Data damaged in the middle: what comes out before the damage is used, and it is said where it is.
static void test_gzip_damage(void **state)
{
    (void)state;
    static uint8_t packed[5000];
    struct octets o;
    struct source s;
    uint64_t frames;
    const size_t kept = 24 + 3 * 36 + 10;
    make_pcap(&o, 100, 1, 5);
    gzip(&o, packed);
    packed[10] = 0; // a stored block, not the last
    packed[11] = (uint8_t)kept;
    packed[12] = 0;
    packed[13] = (uint8_t)~packed[11];
    packed[14] = 0xff;
    packed[15 + kept] = 7; // a block of no kind
    const char *path = save("a.pcap.gz", packed, 1000);
    const struct source_input *in = read_all(&path, 1, &s, &frames, NULL);
    assert_int_equal(in->state, SOURCE_BROKEN);
    assert_int_equal(frames, 3);
    char where[64];
    snprintf(where, sizeof where, "damaged at octet %zu, after 3 packets", 15 + kept + 1);
    if (!strstr(in->text, where))
        fail_msg("%s", in->text);
    source_close(&s);
    // Damage in the file's own header: nothing to use, and still damage.
    gzip(&o, packed);
    packed[10] = 7;
    path = save("a.pcap.gz", packed, 1000);
    assert_int_equal(read_all(&path, 1, &s, &frames, NULL)->state, SOURCE_BROKEN);
    assert_int_equal(frames, 0);
    source_close(&s);
}

// Members one after another are one file; padding behind the last one is none.
static void test_gzip_members(void **state)
{
    (void)state;
    static uint8_t packed[9000];
    struct octets whole, part;
    struct source s;
    uint64_t frames;
    make_pcap(&whole, 100, 1, 5);
    for (size_t cut = 1; cut < whole.len; cut += 7) {
        memcpy(part.data, whole.data, part.len = cut);
        size_t len = gzip(&part, packed);
        memcpy(part.data, whole.data + cut, part.len = whole.len - cut);
        len += gzip(&part, packed + len);
        memset(packed + len, 0, 100);
        const char *path = save("a.pcap.gz", packed, len + 100);
        assert_int_equal(read_all(&path, 1, &s, &frames, NULL)->state, SOURCE_WHOLE);
        assert_int_equal(frames, 5);
        source_close(&s);
        path = save("a.pcap.gz", packed, len - 1);
        assert_int_equal(read_all(&path, 1, &s, &frames, NULL)->state, SOURCE_TRUNCATED);
        assert_int_equal(frames, 5);
        source_close(&s);
    }
}

static void test_broken(void **state)
{
    (void)state;
    struct octets o;
    struct source s;
    uint64_t frames;
    const char *path = save("text", "this is no capture, it is a text\n", 33);
    assert_int_equal(read_all(&path, 1, &s, &frames, NULL)->state, SOURCE_BROKEN);
    source_close(&s);
    make_pcap(&o, 100, 1, 3);
    memset(o.data + 24 + 36 + 8, 0xff, 4); // a captured length that cannot be
    path = save("length", o.data, o.len);
    const struct source_input *in = read_all(&path, 1, &s, &frames, NULL);
    assert_int_equal(in->state, SOURCE_BROKEN);
    assert_int_equal(frames, 1);
    assert_int_equal(in->frames, 1);
    source_close(&s);
    const char *failed = NULL, *missing = path_of("missing");
    assert_int_equal(source_files_open(&missing, 1, &s, &failed), -ENOENT);
    assert_ptr_equal(failed, missing);
    const char *directory = folder;
    assert_int_equal(source_files_open(&directory, 1, &s, &failed), -EISDIR);
}

// Rotated files in any order, and two that overlap: one line of time.
static void test_order(void **state)
{
    (void)state;
    struct octets o;
    struct source s;
    uint64_t frames;
    int64_t times[64];
    const char *paths[4];
    make_pcap(&o, 1000, 1, 5);
    paths[0] = save("late", o.data, o.len);
    make_pcap(&o, 100, 2, 5);
    paths[1] = save("even", o.data, o.len);
    make_pcap(&o, 101, 2, 5);
    paths[2] = save("odd", o.data, o.len);
    paths[3] = save("none", o.data, 24);
    const struct source_input *in = read_all(paths, 4, &s, &frames, times);
    assert_int_equal(frames, 15);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(times[i], (100 + (int64_t)i) * 1000000 + 7);
    for (size_t i = 10; i < 15; i++)
        assert_int_equal(times[i], (990 + (int64_t)i) * 1000000 + 7);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(in[i].path, paths[i]);
        assert_int_equal(in[i].state, SOURCE_WHOLE);
        assert_int_equal(in[i].frames, 5);
    }
    assert_int_equal(in[3].state, SOURCE_EMPTY);
    source_close(&s);
}

// Frames of a source by batches of this size.
static size_t read_batches(const char *path, size_t max, struct source_frame *out, size_t room)
{
    const char *failed;
    struct source s;
    size_t n = 0, got;
    struct source_frame frame[64];
    assert_int_equal(source_files_open(&path, 1, &s, &failed), 0);
    while ((got = source_next_batch(&s, frame, max)) > 0) {
        assert_true(got <= max && n + got <= room);
        for (size_t i = 0; i < got; i++) {
            // Octets are borrowed: only what they begin with is kept.
            out[n] = frame[i];
            out[n++].data = (struct span){.len = frame[i].data.len};
            assert_int_equal(frame[i].data.data[0], n - 1);
        }
    }
    source_close(&s);
    return n;
}

// What is read in blocks is what libpcap reads (a compressed file goes through it), whatever odd record
// stands among the others.
static void test_blocks(void **state)
{
    (void)state;
    static const struct {
        size_t field; // of the fifth record's header
        uint32_t value;
        uint32_t magic, snaplen;
    } odd[] = {{0, 103, 0xa1b2c3d4, 65535},         {0, 0x90000000, 0xa1b2c3d4, 65535},
               {1, 1000000, 0xa1b2c3d4, 65535},     {1, 4000000000u, 0xa1b2c3d4, 65535},
               {3, 1, 0xa1b2c3d4, 65535},           {1, 999999999, 0xa1b23c4d, 65535},
               {1, 2000000000u, 0xa1b23c4d, 65535}, {0, 104, 0xa1b2c3d4, 16}};
    static uint8_t packed[5000];
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct octets o;
        struct source_frame plain[64], reference[64];
        make_pcap(&o, 100, 1, 50);
        memcpy(o.data, &odd[i].magic, 4);
        memcpy(o.data + 16, &odd[i].snaplen, 4);
        memcpy(o.data + 24 + 4 * 36 + odd[i].field * 4, &odd[i].value, 4);
        size_t want = read_batches(save("a.pcap.gz", packed, gzip(&o, packed)), 1, reference, 64);
        assert_int_equal(want, 50);
        const char *path = save("text", o.data, o.len);
        for (size_t max = 1; max <= 64; max += 9) {
            assert_int_equal(read_batches(path, max, plain, 64), want);
            for (size_t k = 0; k < want; k++) {
                assert_int_equal(plain[k].t_us, reference[k].t_us);
                assert_int_equal(plain[k].wire, reference[k].wire);
                assert_int_equal(plain[k].data.len, reference[k].data.len);
                assert_int_equal(plain[k].linktype, reference[k].linktype);
            }
        }
    }
}

// Made shorter while it is read: at a record, within one, or of all it held; it is not whole, whatever was seen of it.
static void test_shortened(void **state)
{
    (void)state;
    enum { RECORDS = 20000, RECORD = 36, HEAD = 24, READ = 256 << 10 };
    static uint8_t big[HEAD + RECORDS * RECORD];
    static const struct {
        off_t left;
        enum source_state want;
    } cut[] = {{sizeof big, SOURCE_WHOLE},
               {HEAD, SOURCE_TRUNCATED},
               {0, SOURCE_TRUNCATED},
               {READ, SOURCE_TRUNCATED},
               {HEAD + (READ - HEAD) / RECORD * RECORD, SOURCE_TRUNCATED},
               {READ - 1, SOURCE_TRUNCATED}};
    struct octets o;
    make_pcap(&o, 100, 1, 1);
    memcpy(big, o.data, HEAD);
    for (size_t i = 0; i < RECORDS; i++)
        memcpy(big + HEAD + i * RECORD, o.data + HEAD, RECORD);
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        const char *failed, *path = save("cut.pcap", big, sizeof big);
        struct source s;
        struct source_frame frame;
        size_t inputs;
        assert_int_equal(source_files_open(&path, 1, &s, &failed), 0);
        assert_int_equal(source_next(&s, &frame), SOURCE_FRAME);
        assert_int_equal(truncate(path, cut[i].left), 0);
        while (source_next(&s, &frame) == SOURCE_FRAME) {}
        const struct source_input *in = source_files_inputs(&s, &inputs);
        if (in->state != cut[i].want)
            fail_msg("shortened to %lld: %s", (long long)cut[i].left, source_state_name(in->state));
        assert_int_equal(source_cut(&s), cut[i].want == SOURCE_TRUNCATED);
        source_close(&s);
    }
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"cut.pcap", "a.pcap.gz", "b.pcap.gz", "c.pcap.gz", "text",
                                        "length",   "late",      "even",      "odd",       "none"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_gzip_damage), cmocka_unit_test(test_gzip_members),
        cmocka_unit_test(test_broken),      cmocka_unit_test(test_order),
        cmocka_unit_test(test_blocks),      cmocka_unit_test(test_shortened)};
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
