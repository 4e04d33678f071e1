// The rows of a block until it is committed: encoded as they are put, handed out in the order of their keys.
#include <errno.h>
#include <stdlib.h>

#include "common/journal_format.h"

struct waiting {
    struct subscriber_key key;
    int64_t minute, cut_ms;
    uint32_t at, len;            // in `octets`
    uint32_t hashes, hash_count; // in the stream of hashes
};

// A row's place in the order of keys, most of it as one number.
struct order {
    uint64_t prefix;
    uint32_t index; // in `waiting`
};

struct journal_rows {
    struct buf octets;
    struct minute_hashes *hashes;
    size_t hashes_before; // of blocks before, in the same chain
    struct waiting *waiting;
    struct order *order; // as many
    size_t count, cap;
};

struct journal_rows *journal_rows_new(void)
{
    struct journal_rows *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    buf_init(&w->octets, JOURNAL_RAW_MAX);
    w->hashes = minute_hashes_new();
    if (w->hashes)
        return w;
    free(w);
    return NULL;
}

void journal_rows_free(struct journal_rows *w)
{
    if (!w)
        return;
    buf_fini(&w->octets);
    minute_hashes_free(w->hashes);
    free(w->waiting);
    free(w->order);
    free(w);
}

void journal_rows_clear(struct journal_rows *w)
{
    buf_clear(&w->octets);
    minute_hashes_clear(w->hashes);
    w->hashes_before = 0;
    w->count = 0;
}

void journal_rows_go_on(struct journal_rows *w)
{
    buf_clear(&w->octets);
    w->hashes_before = minute_hashes_count(w->hashes);
    w->count = 0;
}

struct span journal_rows_hashes(const struct journal_rows *w, bool whole)
{
    struct span all = minute_hashes_octets(w->hashes);
    return whole ? all : span_cut(all, 8 * w->hashes_before, all.len);
}

// With what an entry takes beside a row: kind, length, where its hashes are, times; and the block's position.
#define ENTRY_OCTETS 41

size_t journal_rows_octets(const struct journal_rows *w)
{
    return w->octets.len + ENTRY_OCTETS * (w->count + 1) + minute_hashes_octets(w->hashes).len;
}

static int make_room(struct journal_rows *w)
{
    if (w->count < w->cap)
        return 0;
    size_t cap = w->cap ? 2 * w->cap : 256;
    struct waiting *more = realloc(w->waiting, cap * sizeof *more);
    if (!more)
        return -ENOMEM;
    w->waiting = more;
    struct order *order = realloc(w->order, cap * sizeof *order);
    if (!order)
        return -ENOMEM;
    w->order = order;
    w->cap = cap;
    return 0;
}

int journal_rows_put(struct journal_rows *w, const struct minute_row *r, size_t octets_max)
{
    size_t at = w->octets.len, hashes = minute_hashes_count(w->hashes);
    int rc = make_room(w);
    if (rc < 0)
        return rc;
    minute_row_put(r, &w->octets, w->hashes);
    if (w->octets.failed || journal_rows_octets(w) > octets_max) {
        w->octets.failed = false;
        w->octets.len = at;
        minute_hashes_cut(w->hashes, hashes);
        return -EMSGSIZE;
    }
    w->waiting[w->count++] = (struct waiting){
        .key = r->key,
        .minute = r->minute,
        .cut_ms = r->cut_ms,
        .at = (uint32_t)at,
        .len = (uint32_t)(w->octets.len - at),
        .hashes = (uint32_t)hashes,
        .hash_count = (uint32_t)(minute_hashes_count(w->hashes) - hashes),
    };
    return 0;
}

// The beginning of what subscriber_key_compare goes by: kind, realm, and when that is empty family and address.
static uint64_t prefix_of_key(const struct subscriber_key *k)
{
    uint64_t p = 0;
    if (k->realm.name[0]) {
        for (unsigned i = 0; i < 7; i++)
            p = p << 8 | (uint8_t)k->realm.name[i];
    } else {
        p = k->prefix.addr.family;
        for (unsigned i = 0; i < 5; i++)
            p = p << 8 | k->prefix.addr.octet[i];
    }
    return (uint64_t)k->kind << 56 | p;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_key(const void *a, const void *b, void *ctx)
{
    const struct journal_rows *w = ctx;
    const struct order *x = a, *y = b;
    int order = compare(x->prefix, y->prefix);
    if (order)
        return order;
    const struct waiting *one = &w->waiting[x->index], *other = &w->waiting[y->index];
    order = subscriber_key_compare(&one->key, &other->key);
    if (order == 0)
        order = (one->minute > other->minute) - (one->minute < other->minute);
    return order ? order : compare(x->index, y->index);
}

static void sort(struct journal_rows *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->order[i] = (struct order){prefix_of_key(&w->waiting[i].key), (uint32_t)i};
    if (w->count > 1)
        qsort_r(w->order, w->count, sizeof *w->order, by_key, w);
}

int journal_rows_gather(struct journal_rows *w, int64_t mark_ms, bool whole, struct buf *out)
{
    uint32_t hashes = whole ? 0 : (uint32_t)w->hashes_before;
    sort(w);
    for (size_t i = 0; i < w->count; i++) {
        const struct waiting *row = &w->waiting[w->order[i].index];
        struct journal_row entry = {.body = span_of(w->octets.data + row->at, row->len),
                                    .ahead = (int64_t)row->hashes - hashes,
                                    .minute = row->minute,
                                    .cut_ms = row->cut_ms};
        journal_entry_row(&entry, mark_ms, out);
        hashes = row->hashes + row->hash_count;
    }
    return out->failed ? -ENOMEM : 0;
}
