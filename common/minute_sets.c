// The sets of a minute row as octets, and back (docs/formats/minute.md). Values of exact sets are hashes of the
// row's stream; sketches are as in distinct.c.
#include "common/minute_wire.h"

// First octet of a set, as distinct.c has it.
#define FORM_SKETCH  0x80
#define FORM_STARVED 0x40
#define FORM_COUNT   0x3f

#define SKETCH_ROOM (16 + 3 * DISTINCT_REGISTERS / 2)

static bool is_empty(const struct distinct *d)
{
    return d->count == 0 && !d->is_hll && !d->starved;
}

size_t minute_sets_room(const struct minute_row *r)
{
    size_t room = 0;
    for (unsigned s = 0; s < MINUTE_SET_N; s++)
        room += r->set[s].is_hll ? SKETCH_ROOM : 4 + WIRE_HASH_MAX * (size_t)r->set[s].count;
    return room;
}

static uint8_t *put_sketch(uint8_t *at, const struct distinct *d)
{
    struct buf b;
    buf_init(&b, SKETCH_ROOM);
    distinct_encode(d, &b);
    assert(b.len > 0 || b.failed);
    // Out of memory: an empty set that says it is not whole.
    at = b.failed ? wire_u8(wire_u8(at, FORM_STARVED), d->key_id) : wire_octets(at, b.data, b.len);
    buf_fini(&b);
    return at;
}

uint8_t *minute_sets_put(const struct minute_row *r, uint8_t *at, struct minute_hashes *h)
{
    for (unsigned s = 0; s < MINUTE_SET_N; s++) {
        const struct distinct *d = &r->set[s];
        if (is_empty(d))
            continue;
        at = wire_u8(at, s);
        if (d->is_hll) {
            at = put_sketch(at, d);
            continue;
        }
        const uint64_t *value = d->store;
        at = wire_u8(at, d->count | (d->starved ? FORM_STARVED : 0u));
        at = wire_u8(at, d->key_id);
        for (unsigned i = 0; i < d->count; i++)
            at = minute_hashes_put(h, at, value[i]);
    }
    return at;
}

static void get_exact(struct cursor *c, struct distinct *d, struct minute_source *s,
                      struct distinct_budget *budget)
{
    uint8_t form = cursor_u8(c), key_id = cursor_u8(c);
    unsigned count = form & FORM_COUNT;
    uint64_t last = 0;
    if (count > DISTINCT_EXACT_MAX)
        c->failed = true;
    for (unsigned i = 0; i < count && !c->failed; i++) {
        uint64_t value = minute_source_get(s, c);
        if (i > 0 && value <= last)
            c->failed = true;
        else if (!c->failed)
            distinct_add(d, key_id, value, budget);
        last = value;
    }
    d->key_id = key_id;
    d->starved = d->starved || form & FORM_STARVED;
}

void minute_sets_decode(struct cursor *c, struct minute_row *r, struct minute_source *s,
                        struct distinct_budget *budget)
{
    int last = -1;
    while (!c->failed && cursor_left(c) > 0) {
        int number = cursor_u8(c);
        struct distinct newer = {0};
        if (number <= last) {
            c->failed = true;
            return;
        }
        last = number;
        struct distinct *d = number < MINUTE_SET_N ? &r->set[number] : &newer;
        bool sketch = cursor_left(c) > 0 && *c->at & FORM_SKETCH;
        if (s->version == 1 || sketch)
            distinct_decode(c, d, budget);
        else
            get_exact(c, d, s, budget);
        distinct_clear(&newer, budget);
    }
}
