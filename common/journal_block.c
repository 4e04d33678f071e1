// Headers of a journal's blocks, of all versions, and finding the next block behind damage
// (docs/formats/journal.md). What is written is version 3: numbers as short as they are, for a block of a
// small site holds three rows.
#include <errno.h>
#include <unistd.h>

#include "common/checksum.h"
#include "common/journal_format.h"
#include "common/minute_wire.h"

#define MAGIC_SIZE 4
#define OLD_SIZE   72 // of version 1
#define SUMS_SIZE  12 // of the payload 8, of the header 4
#define SUMS_SMALL \
    8 // from version 3 on with a cipher, whose tag is more than any checksum: 4 and 4
#define SIZE_AT    4
#define LEAST_SIZE (MAGIC_SIZE + 2 + 7 + SUMS_SMALL)

static const uint8_t magic[MAGIC_SIZE] = {'P', 'J', 'B', '3'};
static const uint8_t magic_2[MAGIC_SIZE] = {'P', 'J', 'B', '2'};
static const uint8_t old_magic[MAGIC_SIZE] = {'P', 'J', 'B', 'K'};
#define MAGIC_COMMON 3 // octets in which they are alike

static int64_t minute_of(int64_t t_ms)
{
    return t_ms / 60000 - (t_ms % 60000 < 0);
}

static bool sums_small(const struct journal_block *b)
{
    return b->version > 2 && b->cipher != JOURNAL_PLAIN;
}

size_t journal_block_bound(const struct journal_block *b)
{
    return b->header - (b->version == 1 ? 16u : sums_small(b) ? SUMS_SMALL : SUMS_SIZE);
}

uint64_t journal_block_sum(const struct journal_block *b, struct span stored)
{
    if (b->version == 1)
        return journal_sum(stored);
    return sums_small(b) ? (uint32_t)checksum(stored) : checksum(stored);
}

// From version 3 on: most are whole seconds.
static uint8_t *put_mark(uint8_t *at, int64_t ms)
{
    assert(ms > INT64_MIN / 4 && ms < INT64_MAX / 4);
    return ms % 1000 == 0 ? wire_signed(at, ms / 1000 * 2) : wire_signed(at, ms * 2 + 1);
}

static int64_t get_mark(struct cursor *c, uint8_t version)
{
    int64_t mark = wire_get_signed(c);
    if (version < 3)
        return mark;
    bool whole = !(mark & 1);
    mark >>= 1;
    if (whole && __builtin_mul_overflow(mark, 1000, &mark))
        c->failed = true;
    return mark;
}

size_t journal_block_put(const struct journal_block *b,
                         uint8_t out[static JOURNAL_BLOCK_HEADER_MAX])
{
    uint8_t *at = wire_octets(out, magic, MAGIC_SIZE);
    at = wire_u8(at, 0); // its length, below
    at = wire_u8(at, (unsigned)b->cipher << 4 | b->compression);
    at = wire_varint(at, b->stored);
    at = wire_varint(at, b->raw - b->hashes);
    at = wire_varint(at, b->hashes);
    at = wire_varint(at, b->back);
    at = put_mark(at, b->mark_ms);
    at = wire_varint(at, b->rows);
    at = wire_varint(at, b->coverages);
    at = wire_varint(at, b->sites);
    if (b->rows > 0) {
        at = wire_signed(at, minute_of(b->mark_ms) - b->minute_max);
        at = wire_varint(at, (uint64_t)(b->minute_max - b->minute_min));
    }
    bool small = sums_small(b);
    size_t len = (size_t)(at - out) + (small ? SUMS_SMALL : SUMS_SIZE);
    assert(len <= JOURNAL_BLOCK_HEADER_MAX);
    out[SIZE_AT] = (uint8_t)len;
    at = small ? wire_u32(at, (uint32_t)b->payload_sum) : wire_u64(at, b->payload_sum);
    wire_u32(at, (uint32_t)checksum(span_of(out, len - 4)));
    return len;
}

static bool is_known(const struct journal_block *b, uint8_t least, uint8_t most)
{
    return b->compression >= least && b->compression <= most &&
           b->cipher <= JOURNAL_XCHACHA20POLY1305 && b->raw <= JOURNAL_RAW_MAX;
}

static int get_old(struct span s, struct journal_block *out)
{
    struct cursor c = cursor_of(span_cut(s, MAGIC_SIZE, s.len));
    uint16_t header = cursor_u16(&c);
    struct journal_block b = {.version = 1, .header = OLD_SIZE, .cipher = cursor_u8(&c)};
    b.compression = cursor_u8(&c);
    b.stored = cursor_u32(&c);
    b.raw = cursor_u32(&c);
    b.mark_ms = (int64_t)cursor_u64(&c);
    b.minute_min = (int64_t)cursor_u64(&c);
    b.minute_max = (int64_t)cursor_u64(&c);
    b.rows = cursor_u32(&c);
    b.coverages = cursor_u32(&c);
    b.sites = cursor_u32(&c);
    cursor_skip(&c, 4);
    b.payload_sum = cursor_u64(&c);
    uint64_t sum = cursor_u64(&c);
    if (c.failed || sum != journal_sum(span_cut(s, 0, OLD_SIZE - 8)) || header != OLD_SIZE ||
        !is_known(&b, JOURNAL_ZSTD, JOURNAL_ZSTD_DICTIONARY))
        return -EINVAL;
    *out = b;
    return 0;
}

static void get_minutes(struct cursor *c, struct journal_block *b)
{
    int64_t back = wire_get_signed(c);
    uint64_t width = cursor_varint(c);
    int64_t mark = minute_of(b->mark_ms);
    if (back > INT32_MAX || back < -INT64_C(0xffffffffff) || width > INT64_C(0xffffffffff))
        c->failed = true;
    if (c->failed)
        return;
    b->minute_max = mark - back;
    b->minute_min = b->minute_max - (int64_t)width;
}

int journal_block_get(struct span s, struct journal_block *out)
{
    if (s.len >= OLD_SIZE && memcmp(s.data, old_magic, MAGIC_SIZE) == 0)
        return get_old(s, out);
    if (s.len < LEAST_SIZE)
        return -EINVAL;
    struct journal_block b = {.version = 3, .header = s.data[SIZE_AT]};
    if (memcmp(s.data, magic_2, MAGIC_SIZE) == 0)
        b.version = 2;
    else if (memcmp(s.data, magic, MAGIC_SIZE) != 0)
        return -EINVAL;
    if (b.header < LEAST_SIZE || b.header > JOURNAL_BLOCK_HEADER_MAX || b.header > s.len)
        return -EINVAL;
    b.cipher = s.data[SIZE_AT + 1] >> 4;
    b.compression = s.data[SIZE_AT + 1] & 15;
    if (b.header < LEAST_SIZE + (sums_small(&b) ? 0u : SUMS_SIZE - SUMS_SMALL))
        return -EINVAL;
    size_t bound = journal_block_bound(&b);
    struct cursor sums = cursor_of(span_cut(s, bound, b.header));
    struct cursor c = cursor_of(span_cut(s, SIZE_AT + 2, bound));
    b.payload_sum = sums_small(&b) ? cursor_u32(&sums) : cursor_u64(&sums);
    if (cursor_u32(&sums) != (uint32_t)checksum(span_cut(s, 0, b.header - 4u)))
        return -EINVAL;
    b.stored = (uint32_t)wire_get_at_most(&c, UINT32_MAX);
    uint64_t numbers = wire_get_at_most(&c, JOURNAL_RAW_MAX);
    b.hashes = (uint32_t)wire_get_at_most(&c, JOURNAL_RAW_MAX);
    b.raw = (uint32_t)numbers + b.hashes;
    if (b.version > 2)
        b.back = (uint32_t)wire_get_at_most(&c, UINT32_MAX);
    b.mark_ms = get_mark(&c, b.version);
    b.rows = (uint32_t)wire_get_at_most(&c, UINT32_MAX);
    b.coverages = (uint32_t)wire_get_at_most(&c, UINT32_MAX);
    b.sites = (uint32_t)wire_get_at_most(&c, UINT32_MAX);
    b.minute_min = 1; // none
    if (b.rows > 0)
        get_minutes(&c, &b);
    if (c.failed || b.hashes > b.stored || b.hashes % 8 != 0 ||
        !is_known(&b, JOURNAL_ZSTD_HASHES,
                  b.version > 2 ? JOURNAL_ZSTD_PIECE : JOURNAL_ZSTD_HASHES))
        return -EINVAL;
    *out = b;
    return 0;
}

bool journal_block_at(int fd, uint64_t at, uint64_t size, struct journal_block *out,
                      uint8_t header[static JOURNAL_BLOCK_HEADER_MAX])
{
    if (at >= size)
        return false;
    size_t len = size - at < JOURNAL_BLOCK_HEADER_MAX ? (size_t)(size - at)
                                                      : JOURNAL_BLOCK_HEADER_MAX;
    return journal_read_at(fd, header, len, at) &&
           journal_block_get(span_of(header, len), out) == 0 &&
           out->stored <= size - at - out->header;
}

uint64_t journal_find_block(int fd, uint64_t from, uint64_t size)
{
    uint8_t chunk[4096], header[JOURNAL_BLOCK_HEADER_MAX];
    struct journal_block b;
    while (from < size && size - from >= LEAST_SIZE) {
        size_t len = size - from < sizeof chunk ? (size_t)(size - from) : sizeof chunk;
        if (!journal_read_at(fd, chunk, len, from))
            return UINT64_MAX;
        const uint8_t *hit = memmem(chunk, len, magic, MAGIC_COMMON);
        if (!hit) {
            from += len - (MAGIC_COMMON - 1);
            continue;
        }
        uint64_t at = from + (uint64_t)(hit - chunk);
        if (journal_block_at(fd, at, size, &b, header))
            return at;
        from = at + 1;
    }
    return UINT64_MAX;
}
