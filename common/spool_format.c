// Headers of segments and blocks, their names, and finding the next block behind damage.
#include "common/spool_format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/checksum.h"
#include "common/cursor.h"
#include "common/keyed_hash.h"

#define VERSION 1

// Checksums of a block: the first 64 bits of BLAKE2b-128, as earlier writers made them, or XXH3.
enum { SUM_BLAKE2B, SUM_XXH3 };

static const uint8_t segment_magic[8] = "POSTRNSP";
static const uint8_t block_magic[4] = {'P', 'S', 'B', 'K'};

static void put(uint8_t *out, size_t *at, uint64_t v, size_t len)
{
    for (size_t i = len; i > 0; i--, v >>= 8)
        out[*at + i - 1] = (uint8_t)v;
    *at += len;
}

void spool_segment_put(const struct spool_segment_header *h,
                       uint8_t out[static SPOOL_SEGMENT_HEADER])
{
    size_t at = sizeof segment_magic;
    memcpy(out, segment_magic, sizeof segment_magic);
    put(out, &at, VERSION, 2);
    put(out, &at, 0, 6);
    put(out, &at, h->number, 8);
    put(out, &at, h->id, 8);
    put(out, &at, h->ordinal, 8);
    put(out, &at, hash_sum(span_of(out, at)), 8);
}

int spool_segment_get(struct span s, struct spool_segment_header *out)
{
    struct cursor c = cursor_of(s);
    struct span magic = cursor_take(&c, sizeof segment_magic);
    uint16_t version = cursor_u16(&c);
    cursor_skip(&c, 6);
    struct spool_segment_header h;
    h.number = cursor_u64(&c);
    h.id = cursor_u64(&c);
    h.ordinal = cursor_u64(&c);
    uint64_t sum = cursor_u64(&c);
    if (c.failed || memcmp(magic.data, segment_magic, sizeof segment_magic) != 0 ||
        version != VERSION || sum != hash_sum(span_cut(s, 0, SPOOL_SEGMENT_HEADER - 8)))
        return -EINVAL;
    *out = h;
    return 0;
}

void spool_block_put(const struct spool_block *b, struct span payload,
                     uint8_t out[static SPOOL_BLOCK_HEADER])
{
    size_t at = sizeof block_magic;
    memcpy(out, block_magic, sizeof block_magic);
    put(out, &at, b->kind, 2);
    put(out, &at, SUM_XXH3, 2);
    put(out, &at, payload.len, 4);
    put(out, &at, b->records, 4);
    put(out, &at, b->domain, 4);
    put(out, &at, b->epoch, 8);
    put(out, &at, b->first, 8);
    put(out, &at, b->last, 8);
    put(out, &at, (uint64_t)b->latest_ms, 8);
    put(out, &at, checksum(payload), 8);
    put(out, &at, checksum(span_of(out, at)), 8);
}

static uint64_t sum_of(uint16_t sums, struct span s)
{
    return sums == SUM_XXH3 ? checksum(s) : hash_sum(s);
}

bool spool_block_whole(const struct spool_block_header *h, struct span payload)
{
    return payload.len == h->len && sum_of(h->sums, payload) == h->sum;
}

int spool_block_get(struct span s, struct spool_block_header *out)
{
    struct cursor c = cursor_of(s);
    struct span magic = cursor_take(&c, sizeof block_magic);
    if (c.failed || memcmp(magic.data, block_magic, sizeof block_magic) != 0)
        return -EINVAL;
    struct spool_block_header h = {0};
    h.b.kind = cursor_u16(&c);
    h.sums = cursor_u16(&c);
    h.len = cursor_u32(&c);
    h.b.records = cursor_u32(&c);
    h.b.domain = cursor_u32(&c);
    h.b.epoch = cursor_u64(&c);
    h.b.first = cursor_u64(&c);
    h.b.last = cursor_u64(&c);
    h.b.latest_ms = (int64_t)cursor_u64(&c);
    h.sum = cursor_u64(&c);
    uint64_t sum = cursor_u64(&c);
    if (c.failed || h.len > SPOOL_BLOCK_MAX || h.sums > SUM_XXH3 ||
        sum != sum_of(h.sums, span_cut(s, 0, SPOOL_BLOCK_HEADER - 8)))
        return -EINVAL;
    *out = h;
    return 0;
}

const char *spool_name(uint64_t number, char out[static SPOOL_NAME_MAX])
{
    snprintf(out, SPOOL_NAME_MAX, "%016llx.seg", (unsigned long long)number);
    return out;
}

int spool_name_parse(const char *name, uint64_t *number)
{
    char again[SPOOL_NAME_MAX];
    if (strlen(name) != 20)
        return -EINVAL;
    uint64_t n = strtoull(name, NULL, 16);
    if (n == 0 || strcmp(spool_name(n, again), name) != 0)
        return -EINVAL;
    *number = n;
    return 0;
}

bool spool_read_at(int fd, void *out, size_t len, uint64_t offset)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static bool valid_at(int fd, uint64_t at, uint64_t size, struct spool_block_header *out)
{
    uint8_t header[SPOOL_BLOCK_HEADER];
    return size - at >= sizeof header && spool_read_at(fd, header, sizeof header, at) &&
           spool_block_get(span_of(header, sizeof header), out) == 0 &&
           out->len <= size - at - sizeof header;
}

uint64_t spool_find_block(int fd, uint64_t from, uint64_t size, struct spool_block_header *out)
{
    uint8_t piece[4096];
    if (from <= size && valid_at(fd, from, size, out))
        return from;
    while (from + SPOOL_BLOCK_HEADER <= size) {
        size_t len = size - from < sizeof piece ? (size_t)(size - from) : sizeof piece;
        if (!spool_read_at(fd, piece, len, from))
            return UINT64_MAX;
        for (size_t i = 0; i + sizeof block_magic <= len; i++)
            if (memcmp(piece + i, block_magic, sizeof block_magic) == 0 &&
                valid_at(fd, from + i, size, out))
                return from + i;
        from += len - (sizeof block_magic - 1);
    }
    return UINT64_MAX;
}
