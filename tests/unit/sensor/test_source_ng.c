// pcapng by our own reader: interfaces that differ, both octet orders, times of every resolution, cut at every octet,
// contradictions, and what comes through a pipe.
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

struct octets {
    uint8_t data[4096];
    size_t len;
    bool swapped;
};

static void put16(struct octets *o, uint16_t v)
{
    v = o->swapped ? __builtin_bswap16(v) : v;
    memcpy(o->data + o->len, &v, 2);
    o->len += 2;
}

static void put32(struct octets *o, uint32_t v)
{
    v = o->swapped ? __builtin_bswap32(v) : v;
    memcpy(o->data + o->len, &v, 4);
    o->len += 4;
}

static size_t begin(struct octets *o, uint32_t type)
{
    size_t at = o->len;
    put32(o, type);
    put32(o, 0);
    return at;
}

// The block's length at both its ends.
static void end(struct octets *o, size_t at)
{
    while (o->len % 4)
        o->data[o->len++] = 0;
    uint32_t size = (uint32_t)(o->len - at) + 4;
    put32(o, size);
    memcpy(o->data + at + 4, o->data + o->len - 4, 4);
}

static void put_section(struct octets *o)
{
    size_t at = begin(o, 0x0a0d0d0a);
    put32(o, 0x1a2b3c4d);
    put16(o, 1);
    put16(o, 0);
    put32(o, 0xffffffff); // of unknown length
    put32(o, 0xffffffff);
    end(o, at);
}

// tsresol 0: not said; offset 0: not said.
static void put_interface(struct octets *o, uint16_t linktype, uint32_t snaplen, uint8_t tsresol,
                          int64_t offset)
{
    size_t at = begin(o, 1);
    put16(o, linktype);
    put16(o, 0);
    put32(o, snaplen);
    if (tsresol) {
        put16(o, 9);
        put16(o, 1);
        memcpy(o->data + o->len, (uint8_t[4]){tsresol}, 4);
        o->len += 4;
    }
    if (offset) {
        uint64_t v = o->swapped ? __builtin_bswap64((uint64_t)offset) : (uint64_t)offset;
        put16(o, 14);
        put16(o, 8);
        memcpy(o->data + o->len, &v, 8);
        o->len += 8;
    }
    put16(o, 0);
    put16(o, 0);
    end(o, at);
}

static void put_octets(struct octets *o, uint32_t n, uint8_t mark)
{
    memset(o->data + o->len, mark, n);
    o->len += n;
}

static void put_packet(struct octets *o, uint32_t face, uint64_t units, uint32_t cap, uint32_t wire,
                       uint8_t mark)
{
    size_t at = begin(o, 6);
    put32(o, face);
    put32(o, (uint32_t)(units >> 32));
    put32(o, (uint32_t)units);
    put32(o, cap);
    put32(o, wire);
    put_octets(o, cap, mark);
    end(o, at);
}

struct result {
    struct source_frame frame[32];
    uint8_t mark[32];
    size_t count;
    struct source_input input;
};

static struct result read_path(const char *path)
{
    struct result r = {0};
    struct source s;
    struct source_frame frame[3];
    const char *failed;
    size_t n, inputs;
    assert_int_equal(source_files_open(&path, 1, &s, &failed), 0);
    while ((n = source_next_batch(&s, frame, 3)) > 0) {
        for (size_t i = 0; i < n; i++) {
            assert_true(r.count < 32);
            r.mark[r.count] = frame[i].data.len ? frame[i].data.data[0] : 0;
            for (size_t k = 0; k < frame[i].data.len; k++)
                assert_int_equal(frame[i].data.data[k], r.mark[r.count]);
            r.frame[r.count++] = frame[i];
        }
    }
    r.input = *source_files_inputs(&s, &inputs);
    source_close(&s);
    return r;
}

static struct result read_octets(const uint8_t *data, size_t len)
{
    char path[] = "/tmp/test_source_ng_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
    struct result r = read_path(path);
    unlink(path);
    return r;
}

static void make_two_ports(struct octets *o)
{
    put_section(o);
    put_interface(o, 1, 65535, 0, 0);   // Ethernet, microseconds
    put_interface(o, 101, 96, 9, 3600); // raw IP, nanoseconds, an hour ahead
    put_packet(o, 0, 1000000007, 20, 60, 1);
    put_packet(o, 1, UINT64_C(1000000008123), 21, 21, 2);
    size_t at = begin(o, 5); // statistics of an interface: passed over
    put_octets(o, 40, 0xff);
    end(o, at);
    at = begin(o, 3); // simple: cut by the first interface's snap length, at the time before
    put32(o, 7);
    put_octets(o, 7, 3);
    end(o, at);
    at = begin(o, 2); // the old kind
    put16(o, 1);
    put16(o, 9); // drops
    put32(o, 0);
    put32(o, 5);
    put32(o, 3);
    put32(o, 2);
    put_octets(o, 3, 4);
    end(o, at);
}

static void ports_that_differ(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++) {
        struct octets o = {.swapped = swapped};
        make_two_ports(&o);
        o.swapped = !swapped; // another section, of the other order
        put_section(&o);
        put_interface(&o, 113, 0, 0x8a, 0); // a 1,024th of a second
        put_packet(&o, 0, 100 * 1024 + 512, 4, 4, 5);
        struct result r = read_octets(o.data, o.len);
        static const struct {
            int64_t t_us;
            int linktype;
            uint32_t cap, wire;
        } want[] = {{1000000007, 1, 20, 60},
                    {INT64_C(4600000008), 12, 21, 21},
                    {INT64_C(4600000008), 1, 7, 7},
                    {INT64_C(3600000000), 12, 3, 3},
                    {100500000, 113, 4, 4}};
        assert_int_equal(r.count, 5);
        assert_int_equal(r.input.state, SOURCE_WHOLE);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(r.mark[i], i + 1);
            assert_int_equal(r.frame[i].t_us, want[i].t_us);
            assert_int_equal(r.frame[i].linktype, want[i].linktype);
            assert_int_equal(r.frame[i].data.len, want[i].cap);
            assert_int_equal(r.frame[i].wire, want[i].wire);
        }
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        uint8_t tsresol;
        int64_t offset;
        uint64_t units;
        int64_t t_us;
    } cases[] = {
        {6, 0, 1, 1},
        {3, 0, 1500, 1500000},
        {1, 0, 15, 1500000},
        {9, 0, UINT64_C(1795327200123456789), INT64_C(1795327200123456)},
        {12, 0, UINT64_C(17953272000001230), INT64_C(17953272000)},
        {19, 0, UINT64_MAX, 1844674},
        {0x7f, 0, UINT64_MAX, 1844674}, // finer than 64 bits can be is as fine as they can
        {0x80, 0, 5, 5000000},
        {0x94, 0, (UINT64_C(7) << 20) + (1 << 19), 7500000},
        {0xbf, 0, UINT64_C(3) << 62, 1500000},
        {0xff, 0, UINT64_C(3) << 62, 1500000},
        {6, -10, 15000000, 5000000},
        {0x80, INT64_MAX, UINT64_MAX, (INT64_C(1) << 40) * 1000000}, // no overflow
        {0x80, INT64_MIN, 0, -(INT64_C(1) << 40) * 1000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct octets o = {0};
        put_section(&o);
        put_interface(&o, 1, 0, cases[i].tsresol, cases[i].offset);
        put_packet(&o, 0, cases[i].units, 1, 1, 9);
        struct result r = read_octets(o.data, o.len);
        assert_int_equal(r.count, 1);
        if (r.frame[0].t_us != cases[i].t_us)
            fail_msg("case %zu: %lld", i, (long long)r.frame[0].t_us);
    }
}

// Cut anywhere: what is whole is used, and what is not is said.
static void cuts(void **state)
{
    (void)state;
    struct octets o = {0};
    make_two_ports(&o);
    size_t last = 0, most = 0;
    for (size_t len = 4; len <= o.len; len++) {
        struct result r = read_octets(o.data, len);
        assert_true(r.count >= last);
        if (r.input.state == SOURCE_WHOLE)
            most++;
        else if (r.input.state == SOURCE_EMPTY) // behind the section or an interface
            assert_int_equal(r.count, 0);
        else
            assert_int_equal(r.input.state, SOURCE_TRUNCATED);
        assert_int_equal(r.input.state == SOURCE_WHOLE, r.input.text[0] == '\0');
        assert_int_equal(r.input.frames, r.count);
        last = r.count;
    }
    assert_int_equal(last, 4);
    assert_int_equal(most, 5); // behind each packet and behind the statistics
}

static void contradictions(void **state)
{
    (void)state;
    static const struct {
        size_t back; // from the end of the last packet block
        uint32_t value;
        const char *says;
    } cases[] = {
        {4, 40, "two lengths"},         {48, 7, "a block of 7 octets"},
        {48, 54, "a block of 54"},      {48, 0x7ffffff0, "a block of 2147483632"},
        {44, 2, "interface 2 of 1"},    {32, 21, "21 octets in a block of 40"},
        {32, 0xffffffff, "4294967295"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct octets o = {0};
        put_section(&o);
        put_interface(&o, 1, 0, 0, 0);
        put_packet(&o, 0, 5, 20, 20, 1);
        put_packet(&o, 0, 6, 20, 20, 2);
        o.len -= cases[i].back;
        size_t at = o.len;
        put32(&o, cases[i].value);
        o.len = at + cases[i].back;
        struct result r = read_octets(o.data, o.len);
        assert_int_equal(r.count, 1);
        assert_int_equal(r.input.state, SOURCE_BROKEN);
        if (!strstr(r.input.text, cases[i].says) || !strstr(r.input.text, " at octet "))
            fail_msg("case %zu: %s", i, r.input.text);
    }
    struct octets o = {0};
    put_section(&o);
    memset(o.data + 8, 0, 4);
    assert_non_null(strstr(read_octets(o.data, o.len).input.text, "without octet order"));
}

// A block longer than the buffer, of a kind nobody needs, and a frame as long as frames are.
static void long_blocks(void **state)
{
    (void)state;
    const uint32_t passed = 1 << 20, frame = 262144;
    struct octets o = {0}, tail = {0};
    put_section(&o);
    put_interface(&o, 1, 0, 0, 0);
    put_packet(&tail, 0, 6, 20, 20, 2);
    uint32_t name[2] = {4, passed + 12}, packet[7] = {6, frame + 32, 0, 0, 5, frame, frame};
    uint8_t *all = calloc(1, o.len + passed + 12 + frame + 32 + tail.len), *p = all;
    assert_non_null(all);
    p = mempcpy(p, o.data, o.len);
    p = mempcpy(p, name, 8) + passed;
    p = mempcpy(p, &name[1], 4);
    p = mempcpy(p, packet, sizeof packet);
    memset(p, 1, frame);
    p = mempcpy(p + frame, &packet[1], 4);
    p = mempcpy(p, tail.data, tail.len);
    struct result r = read_octets(all, (size_t)(p - all));
    assert_int_equal(r.count, 2);
    assert_int_equal(r.frame[0].data.len, frame);
    assert_int_equal(r.mark[1], 2);
    assert_int_equal(r.input.state, SOURCE_WHOLE);
    // Cut inside what is passed over.
    assert_int_equal(read_octets(all, o.len + passed).input.state, SOURCE_TRUNCATED);
    free(all);
}

static struct result read_pipe(const struct octets *o, const char *path, bool as_standard)
{
    int ends[2], standard = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], o->data, o->len), o->len);
    close(ends[1]);
    if (as_standard)
        dup2(ends[0], STDIN_FILENO);
    char name[32];
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    struct result r = read_path(as_standard ? path : name);
    close(ends[0]);
    dup2(standard, STDIN_FILENO);
    close(standard);
    return r;
}

// Through a pipe, which can be read once: both kinds, whole and empty.
static void pipes(void **state)
{
    (void)state;
    struct octets ng = {0}, pcap = {0}, none = {0};
    static const uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
    static const uint32_t packet[4] = {100, 7, 20, 60};
    make_two_ports(&ng);
    for (size_t i = 0; i < 6; i++)
        put32(&pcap, head[i]);
    for (uint8_t k = 1; k <= 4; k++) {
        for (size_t i = 0; i < 4; i++)
            put32(&pcap, packet[i]);
        put_octets(&pcap, 20, k);
    }
    for (int standard = 0; standard < 2; standard++) {
        struct result r = read_pipe(&ng, "-", standard);
        assert_int_equal(r.count, 4);
        assert_int_equal(r.input.state, SOURCE_WHOLE);
        r = read_pipe(&pcap, "-", standard);
        assert_int_equal(r.count, 4);
        assert_int_equal(r.input.frames, 4);
        assert_int_equal(r.input.state, SOURCE_WHOLE);
        for (uint8_t k = 0; k < 4; k++)
            assert_int_equal(r.mark[k], k + 1);
        r = read_pipe(&none, "-", standard);
        assert_int_equal(r.input.state, SOURCE_EMPTY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_that_differ), cmocka_unit_test(times),       cmocka_unit_test(cuts),
        cmocka_unit_test(contradictions),    cmocka_unit_test(long_blocks), cmocka_unit_test(pipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
