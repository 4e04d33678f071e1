// The octets of a spool's segments and blocks, shared by spool.c and spool_reader.c.
#pragma once

#include "common/spool.h"

#define SPOOL_SEGMENT_HEADER 48
#define SPOOL_BLOCK_HEADER   68
#define SPOOL_NAME_MAX       32

struct spool_segment_header {
    uint64_t number, id, ordinal;
};

struct spool_block_header {
    struct spool_block b;
    uint32_t len;  // octets behind the header
    uint16_t sums; // which checksums
    uint64_t sum;
};

void spool_segment_put(const struct spool_segment_header *h,
                       uint8_t out[static SPOOL_SEGMENT_HEADER]);
int spool_segment_get(struct span s, struct spool_segment_header *out); // -EINVAL
void spool_block_put(const struct spool_block *b, struct span payload,
                     uint8_t out[static SPOOL_BLOCK_HEADER]);
int spool_block_get(struct span s, struct spool_block_header *out); // -EINVAL
bool spool_block_whole(const struct spool_block_header *h, struct span payload);

const char *spool_name(uint64_t number, char out[static SPOOL_NAME_MAX]);
int spool_name_parse(const char *name, uint64_t *number); // -EINVAL

bool spool_read_at(int fd, void *out, size_t len, uint64_t offset); // all of it, or false
// The first valid block from `from` on that lies within `size`; UINT64_MAX: none.
uint64_t spool_find_block(int fd, uint64_t from, uint64_t size, struct spool_block_header *out);

// ---- What the reader sees of the writer

struct spool_segment {
    uint64_t number, octets, ordinal;
    int64_t latest_ms;
};

// The segment `number`, or the first behind it; NULL: none.
const struct spool_segment *spool_segment_at(const struct spool *s, uint64_t number);
int spool_segment_open(const struct spool *s, uint64_t number); // descriptor, or negative errno
void spool_count_bad(struct spool *s);
