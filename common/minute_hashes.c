// The hashes of minute rows in a stream of their own (docs/formats/minute.md): a value stands there once, and where
// a row says it again it says where. Within a row that is how many values back; in a later row of the same
// block the place in the stream, as far as a table of bounded size remembers it.
//
// Both tables have one place a value. In that of the stream what was asked for again defends its place.
#include <stdlib.h>

#include "common/minute_wire.h"

#define ROW_SLOTS    512
#define STREAM_SLOTS 4096
#define DEFENCE_MAX  7
#define STREAM_MAX   (256u << 20) // octets

struct row_slot {
    uint64_t value;
    uint64_t row; // in which row
    uint32_t at;  // as the how manieth of its values
};

struct stream_slot {
    uint64_t value;
    uint32_t place; // in the stream + 1; 0: free
    uint32_t defence;
};

struct minute_hashes {
    struct buf stream;
    uint64_t row;
    uint32_t said; // values of the row
    struct row_slot of_row[ROW_SLOTS];
    struct stream_slot of_stream[STREAM_SLOTS];
};

struct minute_hashes *minute_hashes_new(void)
{
    struct minute_hashes *h = calloc(1, sizeof *h);
    if (h)
        buf_init(&h->stream, STREAM_MAX);
    return h;
}

void minute_hashes_free(struct minute_hashes *h)
{
    if (!h)
        return;
    buf_fini(&h->stream);
    free(h);
}

void minute_hashes_clear(struct minute_hashes *h)
{
    buf_clear(&h->stream);
    memset(h->of_stream, 0, sizeof h->of_stream);
    h->said = 0;
    h->row++;
}

struct span minute_hashes_octets(const struct minute_hashes *h)
{
    return buf_span(&h->stream);
}

size_t minute_hashes_count(const struct minute_hashes *h)
{
    return h->stream.len / 8;
}

bool minute_hashes_failed(const struct minute_hashes *h)
{
    return h->stream.failed;
}

void minute_hashes_cut(struct minute_hashes *h, size_t count)
{
    h->stream.len = 8 * count;
    h->stream.failed = false;
    for (size_t i = 0; i < STREAM_SLOTS; i++)
        if (h->of_stream[i].place > count)
            h->of_stream[i] = (struct stream_slot){0};
}

void minute_hashes_row(struct minute_hashes *h)
{
    h->row++;
    h->said = 0;
}

// Hashes are spread already; two parts of one are as good as two of them.
static struct row_slot *row_slot(struct minute_hashes *h, uint64_t value)
{
    return &h->of_row[value % ROW_SLOTS];
}

static struct stream_slot *stream_slot(struct minute_hashes *h, uint64_t value)
{
    return &h->of_stream[(value >> 32) % STREAM_SLOTS];
}

void minute_hashes_single(struct minute_hashes *h, uint64_t value)
{
    uint8_t *room = buf_room(&h->stream, 8);
    if (!room)
        return;
    wire_u64(room, value);
    h->stream.len += 8;
}

void minute_hashes_imply(struct minute_hashes *h, uint64_t value)
{
    struct row_slot *s = row_slot(h, value);
    *s = (struct row_slot){.value = value, .row = h->row, .at = h->said++};
}

static void remember(struct minute_hashes *h, struct stream_slot *s, uint64_t value)
{
    if (s->place && s->defence > 0) {
        s->defence--;
        return;
    }
    *s = (struct stream_slot){.value = value, .place = (uint32_t)minute_hashes_count(h)};
}

void minute_hashes_first(struct minute_hashes *h, uint64_t value)
{
    minute_hashes_single(h, value);
    if (!h->stream.failed)
        remember(h, stream_slot(h, value), value);
}

uint8_t *minute_hashes_put(struct minute_hashes *h, uint8_t *at, uint64_t value)
{
    const struct row_slot own = *row_slot(h, value);
    struct stream_slot *s = stream_slot(h, value);
    if (own.row == h->row && own.value == value) {
        at = wire_varint(at, 2 * (uint64_t)(h->said - own.at) - 1);
    } else if (s->place && s->value == value) {
        s->defence += s->defence < DEFENCE_MAX;
        at = wire_varint(at, 2 * (uint64_t)s->place);
    } else {
        at = wire_u8(at, 0);
        minute_hashes_single(h, value);
        remember(h, s, value);
    }
    minute_hashes_imply(h, value);
    return at;
}

// ---- Reading

static uint64_t value_at(const struct minute_source *s, size_t place)
{
    uint64_t v;
    memcpy(&v, s->all.data + 8 * place, sizeof v);
    return __builtin_bswap64(v);
}

uint64_t minute_source_single(struct minute_source *s, struct cursor *c)
{
    if (s->version == 1)
        return cursor_u64(c);
    if (s->next == s->end)
        c->failed = true;
    return c->failed ? 0 : value_at(s, s->next++);
}

void minute_source_imply(struct minute_source *s, struct cursor *c, uint64_t value)
{
    if (s->version == 1 || c->failed)
        return;
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : HASHES_SAID;
        uint64_t *more = realloc(s->said, cap * sizeof *more);
        if (!more) {
            s->no_memory = true;
            c->failed = true;
            return;
        }
        s->said = more;
        s->cap = cap;
    }
    s->said[s->count++] = value;
}

uint64_t minute_source_get(struct minute_source *s, struct cursor *c)
{
    if (s->version == 1)
        return cursor_u64(c);
    uint64_t ref = cursor_varint(c), value = 0;
    if (ref == 0) {
        value = minute_source_single(s, c);
    } else if (ref & 1) {
        uint64_t back = ref / 2 + 1;
        if (back > s->count)
            c->failed = true;
        else
            value = s->said[s->count - back];
    } else {
        uint64_t place = ref / 2 - 1;
        if (place >= s->all.len / 8)
            c->failed = true;
        else
            value = value_at(s, place);
    }
    minute_source_imply(s, c, value);
    return c->failed ? 0 : value;
}
