// Fragments of any offset and length, from few datagrams: bounded, and a whole one has no octet that
// no piece brought.
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "frag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t octets[4096];
    struct cursor c = cursor_of(span_of(data, size));
    struct frag *f = frag_new(4, 16 * 2048, 30000000);
    int64_t now = 0;
    if (!f)
        return 0;
    memset(octets, 0x5a, sizeof octets);
    while (cursor_left(&c) > 0) {
        uint8_t what = cursor_u8(&c);
        now += cursor_u8(&c) * 100000;
        struct frag_key key = {.id = what & 7, .family = what & 8 ? 6 : 4};
        struct frag_piece piece = {
            .offset = (cursor_u16(&c) & 0x1fffu) * 8, .more = what & 16, .ip_octets = 20};
        piece.data = span_of(octets, cursor_u16(&c) % (sizeof octets + 1));
        struct frag_whole whole;
        if (frag_add(f, &key, &piece, now, &whole) != FRAG_WHOLE)
            continue;
        if (whole.data.len == 0 || whole.data.len > 65535)
            abort();
        for (size_t i = 0; i < whole.data.len; i++)
            if (whole.data.data[i] != 0x5a)
                abort();
    }
    frag_flush(f);
    const struct frag_stats *s = frag_stats(f);
    if (s->lost + s->repeated > s->pieces)
        abort();
    frag_free(f);
    return 0;
}
