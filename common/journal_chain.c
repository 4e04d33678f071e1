// The blocks of a segment in their chains: the entries of one go on in the zstd frame of those before it, and its rows
// refer to their hashes (docs/formats/journal.md). Read one after another each is unpacked once; to begin in
// the middle of a chain, the blocks before are unpacked first, of which JOURNAL_CHAIN_OCTETS bounds the work.
#include <errno.h>
#include <stdlib.h>

#include "common/journal_format.h"

struct journal_chain {
    struct journal_sealer *sealer;
    struct buf stored, raw, hashes;
    uint64_t begin;  // of the chain that was read last
    uint64_t next;   // the block that can follow; 0: none
    uint64_t broken; // a chain that holds damage: what comes behind that is lost; 0: none
};

struct journal_chain *journal_chain_new(void)
{
    struct journal_chain *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    buf_init(&c->stored, UINT32_MAX);
    buf_init(&c->raw, JOURNAL_RAW_MAX + 1);
    buf_init(&c->hashes, 2 * (size_t)JOURNAL_RAW_MAX);
    c->sealer = journal_sealer_new();
    if (c->sealer)
        return c;
    free(c);
    return NULL;
}

void journal_chain_free(struct journal_chain *c)
{
    if (!c)
        return;
    journal_sealer_free(c->sealer);
    buf_fini(&c->stored);
    buf_fini(&c->raw);
    buf_fini(&c->hashes);
    free(c);
}

void journal_chain_forget(struct journal_chain *c)
{
    c->begin = c->next = c->broken = 0;
}

static int read_stored(struct journal_chain *c, int fd, uint64_t at, uint32_t len)
{
    buf_clear(&c->stored);
    uint8_t *data = buf_room(&c->stored, len > 0 ? len : 1);
    if (!data)
        return -ENOMEM;
    c->stored.len = len;
    return journal_read_at(fd, data, len, at) ? 0 : -EIO;
}

// One block, when those before it in its chain have been read. `*next` is where it ends.
static int load(struct journal_chain *c, int fd, uint64_t at, uint64_t size, uint64_t begin,
                const struct journal_key *key, struct journal_block *b, uint64_t *next)
{
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
    if (!journal_block_at(fd, at, size, b, header) || b->back != at - begin)
        return -EINVAL;
    int rc = read_stored(c, fd, at + b->header, b->stored);
    if (rc < 0)
        return rc;
    if (b->back == 0)
        buf_clear(&c->hashes);
    *next = at + b->header + b->stored;
    return journal_unseal(c->sealer, b, span_of(header, b->header), buf_span(&c->stored), key,
                          &c->raw, &c->hashes);
}

// Reads the chain up to the block at `at`, so that it can be read.
static int catch_up(struct journal_chain *c, int fd, uint64_t begin, uint64_t at, uint64_t size,
                    const struct journal_key *key)
{
    struct journal_block b;
    uint64_t next = begin;
    int rc = 0;
    while (rc == 0 && next < at)
        rc = load(c, fd, next, size, begin, key, &b, &next);
    return rc == 0 && next != at ? -EINVAL : rc;
}

int journal_chain_load(struct journal_chain *c, int fd, uint64_t at, uint64_t size,
                       const struct journal_key *key, struct journal_entries *out)
{
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
    struct journal_block b;
    if (!journal_block_at(fd, at, size, &b, header) || at < JOURNAL_SEGMENT_HEADER_OLD ||
        b.back > at - JOURNAL_SEGMENT_HEADER_OLD)
        return -EINVAL;
    uint64_t begin = at - b.back, next = 0;
    int rc = 0;
    if (b.back > 0 && begin == c->broken)
        return -ESTALE;
    if (b.back > 0 && (begin != c->begin || at != c->next))
        rc = catch_up(c, fd, begin, at, size, key);
    bool behind = rc == -EINVAL;
    c->begin = begin;
    c->next = 0;
    if (rc == 0)
        rc = load(c, fd, at, size, begin, key, &b, &next);
    if (rc == -EINVAL)
        c->broken = begin;
    if (rc < 0)
        return behind ? -ESTALE : rc;
    c->next = next;
    *out = journal_entries_of(&b, buf_span(&c->raw), buf_span(&c->hashes));
    return 0;
}
