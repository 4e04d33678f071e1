// The time of a capture's first packet; see capture_peek.h. Hostile input: every read is bounded,
// each block is stepped over once, and what does not fit is "no packet", never an error to act on.
#include "command/capture_peek.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/cursor.h"

enum {
    PCAP_HEADER = 24,
    BLOCK_SECTION = 0x0a0d0d0a, // reads the same in both byte orders
    BLOCK_INTERFACE = 1,
    BLOCK_OLD_PACKET = 2,
    BLOCK_PACKET = 6,
    OPTION_RESOLUTION = 9,
    OPTION_OFFSET = 14,
    INTERFACES_MAX = 64,
};

struct interface_clock {
    uint64_t ticks_per_s;
    int64_t offset_s;
};

struct section {
    bool little;
    uint32_t interfaces;
    struct interface_clock clock[INTERFACES_MAX];
};

static uint64_t read_int(struct cursor *c, bool little, size_t len)
{
    return little ? cursor_le(c, len) : cursor_be(c, len);
}

static enum capture_peek_result peek_pcap(struct span head, bool little, bool nano, int64_t *t_ms)
{
    struct cursor c = cursor_of(head);
    cursor_skip(&c, PCAP_HEADER);
    uint64_t seconds = read_int(&c, little, 4);
    uint64_t fraction = read_int(&c, little, 4);
    if (c.failed)
        return CAPTURE_PEEK_NONE;
    *t_ms = (int64_t)(seconds * 1000 + fraction / (nano ? 1000000 : 1000));
    return CAPTURE_PEEK_FOUND;
}

// if_tsresol: a power of ten, or of two when the highest bit is set. Absurd ones fall back.
static uint64_t resolution(uint8_t code)
{
    unsigned power = code & 0x7f;
    uint64_t ticks = 1;
    if (code & 0x80)
        return power < 63 ? 1ull << power : 1000000;
    if (power > 18)
        return 1000000;
    while (power-- > 0)
        ticks *= 10;
    return ticks;
}

static void take_interface(struct section *s, struct span body)
{
    struct interface_clock clock = {.ticks_per_s = 1000000};
    struct cursor c = cursor_of(body);
    cursor_skip(&c, 8); // link type, snap length
    while (cursor_left(&c) >= 4) {
        uint64_t code = read_int(&c, s->little, 2);
        size_t len = (size_t)read_int(&c, s->little, 2);
        struct span value = cursor_take(&c, len);
        cursor_skip(&c, (4 - len % 4) % 4);
        if (c.failed || code == 0)
            break;
        struct cursor v = cursor_of(value);
        if (code == OPTION_RESOLUTION && len == 1)
            clock.ticks_per_s = resolution(cursor_u8(&v));
        else if (code == OPTION_OFFSET && len == 8)
            clock.offset_s = (int64_t)read_int(&v, s->little, 8);
    }
    if (s->interfaces < INTERFACES_MAX)
        s->clock[s->interfaces] = clock;
    s->interfaces++;
}

static enum capture_peek_result take_packet(const struct section *s, uint64_t type,
                                            struct span body, int64_t *t_ms)
{
    struct cursor c = cursor_of(body);
    uint64_t interface = read_int(&c, s->little, type == BLOCK_PACKET ? 4 : 2);
    if (type == BLOCK_OLD_PACKET)
        cursor_skip(&c, 2); // drops count
    uint64_t high = read_int(&c, s->little, 4);
    uint64_t ticks = high << 32 | read_int(&c, s->little, 4);
    if (c.failed || interface >= s->interfaces || interface >= INTERFACES_MAX)
        return CAPTURE_PEEK_NONE;
    const struct interface_clock *clock = &s->clock[interface];
    uint64_t seconds = ticks / clock->ticks_per_s;
    uint64_t rest = ticks % clock->ticks_per_s;
    // Times a calendar does not hold are noise; the order of files does not hang on them.
    if (seconds > UINT32_MAX * 4ull || clock->offset_s > INT32_MAX || clock->offset_s < INT32_MIN)
        return CAPTURE_PEEK_NONE;
    int64_t part_ms = (int64_t)((double)rest / (double)clock->ticks_per_s * 1000);
    *t_ms = ((int64_t)seconds + clock->offset_s) * 1000 + part_ms;
    return CAPTURE_PEEK_FOUND;
}

static enum capture_peek_result peek_pcapng(struct span head, int64_t *t_ms)
{
    struct section section = {.little = true};
    struct cursor c = cursor_of(head);
    while (cursor_left(&c) >= 12) {
        struct cursor ahead = c;
        uint64_t type = read_int(&ahead, section.little, 4);
        if (type == BLOCK_SECTION) {
            struct cursor order = c;
            cursor_skip(&order, 8);
            uint32_t magic = cursor_u32(&order);
            if (magic != 0x1a2b3c4d && magic != 0x4d3c2b1a)
                return CAPTURE_PEEK_NONE;
            section = (struct section){.little = magic == 0x4d3c2b1a};
        }
        size_t len = (size_t)read_int(&ahead, section.little, 4);
        if (len < 12 || len % 4 != 0)
            return CAPTURE_PEEK_NONE;
        // A block that reaches past what was read: what is there of it is still looked at.
        struct span body = span_cut(cursor_rest(&c), 8, len - 12);
        if (type == BLOCK_INTERFACE)
            take_interface(&section, body);
        else if (type == BLOCK_PACKET || type == BLOCK_OLD_PACKET)
            return take_packet(&section, type, body, t_ms);
        if (!cursor_skip(&c, len))
            break;
    }
    return CAPTURE_PEEK_NONE;
}

enum capture_peek_result capture_peek(struct span head, int64_t *t_ms)
{
    struct cursor c = cursor_of(head);
    switch (cursor_u32(&c)) {
    case 0xa1b2c3d4:
    case 0xa1b2cd34: return peek_pcap(head, false, false, t_ms);
    case 0xd4c3b2a1:
    case 0x34cdb2a1: return peek_pcap(head, true, false, t_ms);
    case 0xa1b23c4d: return peek_pcap(head, false, true, t_ms);
    case 0x4d3cb2a1: return peek_pcap(head, true, true, t_ms);
    case BLOCK_SECTION: return peek_pcapng(head, t_ms);
    default: return CAPTURE_PEEK_UNKNOWN;
    }
}

int capture_peek_file(const char *path, int64_t *t_ms)
{
    errno = 0;
    gzFile file = gzopen(path, "rbe"); // reads plain files as they are
    if (!file)
        return errno ? -errno : -ENOMEM;
    uint8_t *head = malloc(CAPTURE_PEEK_MAX);
    int result = -ENOMEM;
    if (head) {
        int got = gzread(file, head, CAPTURE_PEEK_MAX);
        // A cut gzip stream gives what it held, then an error: what was read counts.
        result = got > 0 ? (int)capture_peek(span_of(head, (size_t)got), t_ms) : CAPTURE_PEEK_NONE;
    }
    free(head);
    gzclose(file);
    return result;
}
