// Reading a spool from its oldest block, while it is written: the writer in the same process says how far each
// segment reaches. What is damaged is passed over.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/spool_format.h"

struct spool_reader {
    struct spool *spool;
    int fd;           // -1: none
    uint64_t segment; // number, or the least it may be
    uint64_t offset;  // of the next block
    uint64_t ordinal;
    uint8_t payload[SPOOL_BLOCK_MAX];
};

struct spool_reader *spool_reader_new(struct spool *s)
{
    struct spool_reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->spool = s;
    r->fd = -1;
    return r;
}

static void leave(struct spool_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

void spool_reader_free(struct spool_reader *r)
{
    if (!r)
        return;
    leave(r);
    free(r);
}

void spool_reader_rewind(struct spool_reader *r)
{
    leave(r);
    r->segment = 0;
}

// Stands in a segment with something left to read. 1; 0: nothing more now.
static int enter(struct spool_reader *r, const struct spool_segment **out)
{
    for (;;) {
        const struct spool_segment *g = spool_segment_at(r->spool, r->segment);
        if (!g)
            return 0;
        if (r->fd < 0 || g->number != r->segment) {
            leave(r);
            r->fd = spool_segment_open(r->spool, g->number);
            if (r->fd < 0)
                return r->fd;
            r->segment = g->number;
            r->offset = SPOOL_SEGMENT_HEADER;
            r->ordinal = g->ordinal;
        }
        *out = g;
        if (r->offset < g->octets)
            return 1;
        if (!spool_segment_at(r->spool, g->number + 1))
            return 0;
        leave(r);
        r->segment = g->number + 1;
    }
}

int spool_reader_next(struct spool_reader *r, struct spool_block *b, struct span *payload)
{
    const struct spool_segment *g = NULL;
    for (;;) {
        int rc = enter(r, &g);
        if (rc <= 0)
            return rc;
        struct spool_block_header h;
        uint64_t at = spool_find_block(r->fd, r->offset, g->octets, &h);
        if (at != r->offset)
            spool_count_bad(r->spool);
        if (at == UINT64_MAX) {
            r->offset = g->octets;
            continue;
        }
        r->offset = at + SPOOL_BLOCK_HEADER + h.len;
        uint64_t ordinal = r->ordinal;
        r->ordinal += h.b.records;
        if (!spool_read_at(r->fd, r->payload, h.len, at + SPOOL_BLOCK_HEADER) ||
            !spool_block_whole(&h, span_of(r->payload, h.len))) {
            spool_count_bad(r->spool);
            continue;
        }
        *b = h.b;
        b->segment = r->segment;
        b->ordinal = ordinal;
        *payload = span_of(r->payload, h.len);
        return 1;
    }
}
