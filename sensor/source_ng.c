// See source_ng.h. Blocks are handed out where they lie in the buffer. A block that contradicts itself ends the file: what is
// behind it cannot be found again, and what was before it counts.
#include "source_ng.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE (256u << 10)
// The longest frame that is taken (libpcap's own maximum for most links) and what stands around it.
#define FRAME_MAX      262144u
#define BLOCK_MAX      (FRAME_MAX + (64u << 10))
#define BLOCK_LEAST    12u
#define INTERFACES_MAX 65536u

enum block {
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET_OLD = 2,
    BLOCK_PACKET_SIMPLE = 3,
    BLOCK_PACKET = 6,
    BLOCK_SECTION = 0x0a0d0d0a,
};

enum option { OPTION_END = 0, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };

// An interface of the section.
struct face {
    int linktype; // DLT_ number
    uint32_t snaplen;
    uint8_t tsresol;  // as the file has it
    int64_t offset_s; // added to each time
};

struct source_ng {
    struct capture_stream *stream;
    bool swapped; // the section is of the other octet order
    bool begun;   // a section is
    struct face *face;
    uint32_t faces, room;
    int64_t last_us; // simple packets have no time: that of the one before
    uint64_t offset; // in the file, of octet[at]
    uint64_t skip;   // octets of a long block that is passed over, not read yet
    size_t at, have; // in `octet`
    enum source_ng_end end;
    char error[160];
    uint8_t octet[READ_SIZE + BLOCK_MAX];
};

bool source_ng_fits(const uint8_t magic[static 4])
{
    return memcmp(magic, "\x0a\x0d\x0d\x0a", 4) == 0;
}

struct source_ng *source_ng_new(struct capture_stream *stream)
{
    struct source_ng *n = malloc(sizeof *n);
    if (!n)
        return NULL;
    memset(n, 0, offsetof(struct source_ng, octet));
    n->stream = stream;
    return n;
}

void source_ng_free(struct source_ng *n)
{
    if (!n)
        return;
    free(n->face);
    free(n);
}

enum source_ng_end source_ng_end(const struct source_ng *n)
{
    return n->end;
}

const char *source_ng_error(const struct source_ng *n)
{
    return n->error;
}

__attribute__((format(printf, 2, 3))) static void broken(struct source_ng *n, const char *format,
                                                         ...)
{
    char what[96];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    n->end = SOURCE_NG_BROKEN;
    snprintf(n->error, sizeof n->error, "%s at octet %llu", what, (unsigned long long)n->offset);
}

static uint16_t half(const struct source_ng *n, const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return n->swapped ? __builtin_bswap16(v) : v;
}

static uint32_t word(const struct source_ng *n, const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return n->swapped ? __builtin_bswap32(v) : v;
}

static void advance(struct source_ng *n, size_t by)
{
    n->at += by;
    n->offset += by;
}

// More octets behind what is left. False: there are none.
static bool fill(struct source_ng *n)
{
    memmove(n->octet, n->octet + n->at, n->have - n->at);
    n->have -= n->at;
    n->at = 0;
    size_t room = sizeof n->octet - n->have;
    ssize_t got = capture_stream_read(n->stream, n->octet + n->have,
                                      room < READ_SIZE ? room : READ_SIZE);
    if (got < 0)
        broken(n, "%s", strerror((int)-got));
    n->have += got > 0 ? (size_t)got : 0;
    return got > 0;
}

// LINKTYPE_ numbers of files are DLT_ numbers but for those whose DLT_ differs between systems.
static int dlt_of(uint16_t linktype)
{
    switch (linktype) {
    case 100: return 11; // RFC 1483 ATM
    case 101: return 12; // raw IP
    case 106: return 19; // classical IP over ATM
    default: return linktype;
    }
}

// Options end with the block or with OPTION_END; what does not fit ends them.
static void read_options(const struct source_ng *n, const uint8_t *p, size_t left, struct face *f)
{
    while (left >= 4) {
        uint16_t code = half(n, p), len = half(n, p + 2);
        size_t padded = (len + 3u) & ~(size_t)3;
        if (code == OPTION_END || padded > left - 4)
            return;
        if (code == OPTION_TSRESOL && len == 1)
            f->tsresol = p[4];
        if (code == OPTION_TSOFFSET && len == 8) {
            uint64_t v;
            memcpy(&v, p + 4, sizeof v);
            f->offset_s = (int64_t)(n->swapped ? __builtin_bswap64(v) : v);
        }
        p += 4 + padded;
        left -= 4 + padded;
    }
}

static void take_interface(struct source_ng *n, const uint8_t *body, size_t len)
{
    if (len < 8) {
        broken(n, "an interface block of %zu octets", len);
        return;
    }
    if (n->faces == n->room) {
        uint32_t room = n->room ? n->room * 2 : 4;
        struct face *more = room <= INTERFACES_MAX ? realloc(n->face, room * sizeof *more) : NULL;
        if (!more) {
            broken(n, "more than %u interfaces", n->room);
            return;
        }
        n->face = more;
        n->room = room;
    }
    struct face *f = &n->face[n->faces++];
    *f = (struct face){
        .linktype = dlt_of(half(n, body)), .snaplen = word(n, body + 4), .tsresol = 6};
    read_options(n, body + 8, len - 8, f);
}

// Units of the interface since 1970 as microseconds.
static int64_t us_of(const struct face *f, uint64_t units)
{
    unsigned power = f->tsresol & 0x7f;
    uint64_t seconds, us;
    if (f->tsresol & 0x80) {
        power = power < 63 ? power : 63;
        seconds = units >> power;
        uint64_t part = units & ((UINT64_C(1) << power) - 1);
        if (power > 40) { // more than a microsecond can tell
            part >>= power - 40;
            power = 40;
        }
        us = part * 1000000 >> power;
    } else {
        uint64_t scale = 1;
        power = power < 19 ? power : 19;
        for (unsigned i = 0; i < power; i++)
            scale *= 10;
        seconds = units / scale;
        if (power <= 6)
            us = units % scale * (1000000 / scale);
        else
            us = units % scale / (scale / 1000000);
    }
    int64_t s = source_second(seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds);
    return source_second(s + source_second(f->offset_s)) * 1000000 + (int64_t)us;
}

// `head`: octets of the body before the packet's.
static bool frame_of(struct source_ng *n, uint32_t face, const uint8_t *body, size_t len,
                     size_t head, uint32_t cap, uint32_t wire, struct source_frame *out)
{
    if (face >= n->faces)
        broken(n, "a packet of interface %u of %u", face, n->faces);
    else if (len < head || cap > len - head || cap > FRAME_MAX)
        broken(n, "a packet of %u octets in a block of %zu", cap, len);
    if (n->end != SOURCE_NG_WHOLE)
        return false;
    *out = (struct source_frame){.linktype = n->face[face].linktype,
                                 .data = span_of(body + head, cap),
                                 .wire = wire < cap ? cap : wire};
    return true;
}

static bool take_packet(struct source_ng *n, uint32_t type, const uint8_t *body, size_t len,
                        struct source_frame *out)
{
    if (type == BLOCK_PACKET_SIMPLE) {
        if (len < 4) {
            broken(n, "a packet block of %zu octets", len);
            return false;
        }
        uint32_t wire = word(n, body), cap = (uint32_t)(len - 4);
        uint32_t snaplen = n->faces ? n->face[0].snaplen : 0;
        cap = wire < cap ? wire : cap; // the rest is padding
        cap = snaplen && snaplen < cap ? snaplen : cap;
        if (!frame_of(n, 0, body, len, 4, cap, wire, out))
            return false;
        out->t_us = n->last_us;
        return true;
    }
    if (len < 20) {
        broken(n, "a packet block of %zu octets", len);
        return false;
    }
    uint32_t face = type == BLOCK_PACKET ? word(n, body) : half(n, body);
    uint64_t units = (uint64_t)word(n, body + 4) << 32 | word(n, body + 8);
    if (!frame_of(n, face, body, len, 20, word(n, body + 12), word(n, body + 16), out))
        return false;
    out->t_us = n->last_us = us_of(&n->face[face], units);
    return true;
}

// The section header at `at`; its octet order is known from its own magic. False: not whole.
static bool begin_section(struct source_ng *n)
{
    uint32_t magic;
    if (n->have - n->at < BLOCK_LEAST)
        return false;
    memcpy(&magic, n->octet + n->at + 8, sizeof magic);
    if (magic != 0x1a2b3c4d && magic != 0x4d3c2b1a) {
        broken(n, "a section without octet order");
        return true;
    }
    n->swapped = magic == 0x4d3c2b1a;
    n->faces = 0;
    n->begun = true;
    return true;
}

// Length of the block at `at`; 0: its header is not whole, or it is broken.
static uint32_t block_size(struct source_ng *n, uint32_t *type)
{
    const uint8_t *p = n->octet + n->at;
    if (n->have - n->at < 8)
        return 0;
    *type = word(n, p);
    // The same in either octet order.
    if (source_ng_fits(p)) {
        *type = BLOCK_SECTION;
        if (!begin_section(n))
            return 0;
    }
    uint32_t size = word(n, p + 4);
    if (n->end == SOURCE_NG_WHOLE && (!n->begun || size < BLOCK_LEAST || size % 4 != 0))
        broken(n, "a block of %u octets", size);
    return n->end == SOURCE_NG_WHOLE ? size : 0;
}

static bool is_known(uint32_t type)
{
    return type == BLOCK_SECTION || type == BLOCK_INTERFACE || type == BLOCK_PACKET ||
           type == BLOCK_PACKET_OLD || type == BLOCK_PACKET_SIMPLE;
}

// Of a block that is passed over as much as is there. False: more has to be read.
static bool pass_over(struct source_ng *n)
{
    size_t left = n->have - n->at;
    size_t now = n->skip < left ? (size_t)n->skip : left;
    advance(n, now);
    n->skip -= now;
    return n->skip == 0;
}

enum step { STEP_BLOCK, STEP_FRAME, STEP_MORE, STEP_BROKEN };

// One block; STEP_MORE: it is not whole in the buffer.
static enum step step(struct source_ng *n, struct source_frame *out)
{
    uint32_t type;
    if (n->skip > 0 && !pass_over(n))
        return STEP_MORE;
    uint32_t size = block_size(n, &type);
    if (size == 0)
        return n->end == SOURCE_NG_WHOLE ? STEP_MORE : STEP_BROKEN;
    if (!is_known(type)) {
        n->skip = size;
        return STEP_BLOCK;
    }
    if (size > BLOCK_MAX) {
        broken(n, "a block of %u octets", size);
        return STEP_BROKEN;
    }
    if (n->have - n->at < size)
        return STEP_MORE;
    const uint8_t *block = n->octet + n->at;
    size_t len = size - BLOCK_LEAST;
    bool frame = false;
    if (word(n, block + size - 4) != size)
        broken(n, "a block with two lengths");
    else if (type == BLOCK_INTERFACE)
        take_interface(n, block + 8, len);
    else if (type != BLOCK_SECTION)
        frame = take_packet(n, type, block + 8, len, out);
    if (n->end != SOURCE_NG_WHOLE)
        return STEP_BROKEN;
    advance(n, size);
    return frame ? STEP_FRAME : STEP_BLOCK;
}

size_t source_ng_next(struct source_ng *n, struct source_frame *out, size_t max)
{
    size_t count = 0;
    while (count < max && n->end == SOURCE_NG_WHOLE) {
        switch (step(n, &out[count])) {
        case STEP_FRAME: count++; break;
        case STEP_BLOCK: break;
        case STEP_BROKEN: return count;
        case STEP_MORE:
            // What was handed out already lies in the buffer: it must not move.
            if (count > 0)
                return count;
            if (!fill(n)) {
                if (n->end == SOURCE_NG_WHOLE && (n->have > n->at || n->skip > 0))
                    n->end = SOURCE_NG_CUT;
                return 0;
            }
        }
    }
    return count;
}
