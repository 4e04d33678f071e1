// Segments in any order: whatever comes, octets and gaps of a side never run over what its sequence
// numbers allow, memory stays within its bounds, and all of it is given back.
#include <stdlib.h>

#include "common/cursor.h"
#include "stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct totals {
    uint64_t side[2];
};

static void on_data(void *ctx, unsigned dir, struct span data, int64_t t_us)
{
    struct totals *t = ctx;
    (void)t_us;
    if (data.len == 0 || dir > 1)
        abort();
    t->side[dir] += data.len;
}

static void on_gap(void *ctx, unsigned dir, uint32_t missing, int64_t t_us)
{
    struct totals *t = ctx;
    (void)t_us;
    if (missing == 0 || dir > 1)
        abort();
    t->side[dir] += missing;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t octets[4096];
    static struct stream_pool *pool;
    const struct stream_limits limits = {
        .memory = 64 * 1024, .flow_memory = 16 * 1024, .gap_us = 500000};
    struct cursor c = cursor_of(span_of(data, size));
    struct totals totals = {{0}};
    struct stream s = {0};
    const struct stream_sink sink = {.data = on_data, .gap = on_gap, .ctx = &totals};
    int64_t now = 0;
    if (!pool && !(pool = stream_pool_new(&limits)))
        return 0;
    uint32_t base[2] = {cursor_u32(&c), cursor_u32(&c)};
    uint8_t begin = cursor_u8(&c);
    for (unsigned dir = 0; dir < 2; dir++)
        if (begin & (1u << dir))
            stream_begin(&s, dir, base[dir], begin & (4u << dir));
    uint64_t steps = 0;
    while (cursor_left(&c) > 0) {
        uint8_t what = cursor_u8(&c);
        now += cursor_u8(&c) * 10000;
        if (s.gap_deadline_us != 0 && s.gap_deadline_us <= now)
            stream_timeout(&s, pool, now, &sink);
        uint32_t len = cursor_u16(&c) % 2000;
        struct stream_segment seg = {.dir = what & 1,
                                     .seq = base[what & 1] + cursor_u16(&c),
                                     .ack = base[!(what & 1)] + cursor_u16(&c),
                                     .has_ack = what & 2,
                                     .fin = what & 4,
                                     .window = what & 8 ? 65535 : 1000,
                                     .data = span_of(octets, what & 16 ? len / 2 : len),
                                     .wire = len};
        stream_feed(&s, pool, &seg, now, &sink);
        if ((size_t)s.blocks * STREAM_BLOCK > limits.flow_memory)
            abort();
        steps++;
    }
    stream_flush(&s, pool, now, &sink);
    if (s.dir[0].head || s.dir[1].head || stream_pool_in_use(pool) != 0)
        abort();
    // Numbers reach at most two octets of offset and a segment; a floating side may begin earlier.
    for (unsigned dir = 0; dir < 2; dir++)
        if (totals.side[dir] > 65536 * 2 + 2000 + steps)
            abort();
    return 0;
}
