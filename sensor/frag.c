// Fragments joined through a map of 8-octet units and pages of a fixed pool: a piece costs a copy
// and a walk over its own units, whatever came before, so that floods of tiny or overlapping pieces
// stay cheap. Datagrams stand in a list by age and in a small hash table.
#include "frag.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAM_MAX 65536u
#define PAGE         2048u
#define PAGES        (DATAGRAM_MAX / PAGE)
#define UNITS        (DATAGRAM_MAX / 8)
#define NONE         UINT32_MAX

// A piece of a datagram joined less than this ago was mirrored twice.
#define REPEAT_US 10000

struct datagram {
    struct frag_key key;
    uint32_t hash_next;
    uint32_t older, newer; // by first fragment; free list through `newer`
    int64_t start_us;
    int64_t done_us; // 0: in progress; else repeats of its pieces are to be expected for a moment
    uint32_t end;    // length, known once the last piece came; 0: not yet
    uint32_t reach;  // end of the furthest piece
    uint32_t held;   // octets
    uint32_t ip_octets;
    uint16_t pieces;
    uint8_t next_header;
    bool has_first;
    uint32_t page[PAGES]; // NONE: no octet there yet
    uint8_t unit[UNITS / 8];
};

struct frag {
    struct datagram *datagram;
    uint32_t *head;
    size_t count, mask;
    uint8_t *pages;
    uint32_t *free_page;
    size_t page_count, free_pages;
    uint32_t free, oldest, newest;
    int64_t timeout_us;
    struct frag_stats stats;
    uint32_t whole_len; // octets of `whole` that are not wiped
    uint8_t whole[DATAGRAM_MAX];
};

struct frag *frag_new(size_t datagrams, size_t memory, int64_t timeout_us)
{
    struct frag *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    size_t heads = 1;
    while (heads < datagrams * 2)
        heads *= 2;
    f->count = datagrams;
    f->mask = heads - 1;
    f->page_count = f->free_pages = memory / PAGE;
    f->timeout_us = timeout_us;
    f->datagram = calloc(datagrams, sizeof *f->datagram);
    f->head = malloc(heads * sizeof *f->head);
    f->pages = malloc(f->page_count * PAGE);
    f->free_page = malloc(f->page_count * sizeof *f->free_page);
    if (!f->datagram || !f->head || !f->pages || !f->free_page) {
        frag_free(f);
        return NULL;
    }
    memset(f->head, 0xff, heads * sizeof *f->head);
    for (size_t i = 0; i < f->page_count; i++)
        f->free_page[i] = (uint32_t)(f->page_count - 1 - i);
    for (size_t i = 0; i < datagrams; i++)
        f->datagram[i].newer = i + 1 < datagrams ? (uint32_t)i + 1 : NONE;
    f->free = 0;
    f->oldest = f->newest = NONE;
    return f;
}

void frag_free(struct frag *f)
{
    if (!f)
        return;
    free(f->datagram);
    free(f->head);
    free(f->pages);
    free(f->free_page);
    free(f);
}

const struct frag_stats *frag_stats(const struct frag *f)
{
    return &f->stats;
}

static uint32_t *bucket(struct frag *f, const struct frag_key *key)
{
    const uint8_t *octets = (const uint8_t *)key;
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof *key; i += 8) {
        uint64_t word;
        memcpy(&word, octets + i, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return &f->head[h & f->mask];
}

static void unlink_hash(struct frag *f, uint32_t index)
{
    uint32_t *link = bucket(f, &f->datagram[index].key);
    while (*link != index)
        link = &f->datagram[*link].hash_next;
    *link = f->datagram[index].hash_next;
}

static void release(struct frag *f, uint32_t index)
{
    struct datagram *d = &f->datagram[index];
    unlink_hash(f, index);
    for (size_t i = 0; i < PAGES; i++) {
        if (d->page[i] == NONE)
            continue;
        memset(f->pages + (size_t)d->page[i] * PAGE, 0, PAGE);
        f->free_page[f->free_pages++] = d->page[i];
    }
    if (d->older != NONE)
        f->datagram[d->older].newer = d->newer;
    else
        f->oldest = d->newer;
    if (d->newer != NONE)
        f->datagram[d->newer].older = d->older;
    else
        f->newest = d->older;
    d->newer = f->free;
    f->free = index;
}

static void give_up(struct frag *f, uint32_t index)
{
    if (f->datagram[index].done_us == 0)
        f->stats.lost += f->datagram[index].pieces;
    release(f, index);
}

static uint32_t find(struct frag *f, const struct frag_key *key)
{
    uint32_t i = *bucket(f, key);
    while (i != NONE && memcmp(&f->datagram[i].key, key, sizeof *key) != 0)
        i = f->datagram[i].hash_next;
    return i;
}

static uint32_t begin(struct frag *f, const struct frag_key *key, int64_t t_us)
{
    if (f->free == NONE) {
        f->stats.evicted += f->datagram[f->oldest].done_us == 0;
        give_up(f, f->oldest);
    }
    uint32_t index = f->free;
    struct datagram *d = &f->datagram[index];
    f->free = d->newer;
    memset(d, 0, sizeof *d);
    memset(d->page, 0xff, sizeof d->page);
    d->key = *key;
    d->start_us = t_us;
    d->older = f->newest;
    d->newer = NONE;
    if (f->newest != NONE)
        f->datagram[f->newest].newer = index;
    else
        f->oldest = index;
    f->newest = index;
    uint32_t *link = bucket(f, key);
    d->hash_next = *link;
    *link = index;
    return index;
}

// A page for the octets at `offset`, from the pool or from the oldest other datagram.
static uint8_t *page_at(struct frag *f, uint32_t index, uint32_t offset)
{
    struct datagram *d = &f->datagram[index];
    uint32_t *page = &d->page[offset / PAGE];
    if (*page == NONE) {
        while (f->free_pages == 0) {
            uint32_t victim = f->oldest == index ? d->newer : f->oldest;
            if (victim == NONE)
                return NULL;
            f->stats.evicted += f->datagram[victim].done_us == 0;
            give_up(f, victim);
        }
        *page = f->free_page[--f->free_pages];
    }
    return f->pages + (size_t)*page * PAGE + offset % PAGE;
}

// Copies the units that are not there yet. False: no memory.
static bool place(struct frag *f, uint32_t index, const struct frag_piece *piece, bool *overlaps)
{
    struct datagram *d = &f->datagram[index];
    uint32_t len = (uint32_t)piece->data.len;
    for (uint32_t at = 0; at < len; at += 8) {
        uint32_t unit = (piece->offset + at) / 8;
        uint8_t bit = (uint8_t)(1u << (unit & 7));
        if (d->unit[unit / 8] & bit) {
            *overlaps = true;
            continue;
        }
        uint8_t *to = page_at(f, index, piece->offset + at);
        if (!to)
            return false;
        uint32_t n = len - at < 8 ? len - at : 8;
        memcpy(to, piece->data.data + at, n);
        d->unit[unit / 8] |= bit;
        d->held += n;
    }
    return true;
}

static void hand_out(struct frag *f, uint32_t index, int64_t t_us, struct frag_whole *out)
{
    struct datagram *d = &f->datagram[index];
    f->whole_len = d->end;
    for (uint32_t at = 0; at < d->end; at += PAGE) {
        uint32_t n = d->end - at < PAGE ? d->end - at : PAGE;
        memcpy(f->whole + at, f->pages + (size_t)d->page[at / PAGE] * PAGE, n);
    }
    *out = (struct frag_whole){.data = span_of(f->whole, d->end),
                               .next_header = d->next_header,
                               .packets = d->pieces < 255 ? (uint8_t)d->pieces : 255,
                               .ip_octets = d->ip_octets};
    f->stats.joined++;
    d->done_us = t_us;
}

// Is the piece one of a datagram that was joined a moment ago? Identifications of zero repeat at once,
// so the octets decide. They are kept until their pages are needed.
static bool repeats(const struct frag *f, const struct datagram *d, const struct frag_piece *piece,
                    int64_t t_us)
{
    uint32_t len = (uint32_t)piece->data.len;
    if (t_us - d->done_us >= REPEAT_US || piece->offset + len > d->end)
        return false;
    for (uint32_t at = 0; at < len;) {
        uint32_t offset = piece->offset + at, n = PAGE - offset % PAGE;
        if (n > len - at)
            n = len - at;
        const uint8_t *held = f->pages + (size_t)d->page[offset / PAGE] * PAGE + offset % PAGE;
        if (memcmp(held, piece->data.data + at, n) != 0)
            return false;
        at += n;
    }
    return true;
}

// Does the piece contradict what is known of the datagram's length?
static bool fits(const struct datagram *d, const struct frag_piece *piece)
{
    uint64_t end = (uint64_t)piece->offset + piece->data.len;
    if (end > DATAGRAM_MAX - 1 || piece->data.len == 0)
        return false;
    if (piece->more)
        return piece->data.len % 8 == 0 && (d->end == 0 || end <= d->end);
    return d->end == 0 ? end >= d->reach : d->end == end;
}

enum frag_result frag_add(struct frag *f, const struct frag_key *key,
                          const struct frag_piece *piece, int64_t t_us, struct frag_whole *out)
{
    frag_expire(f, t_us);
    f->stats.pieces++;
    uint32_t index = find(f, key);
    if (index != NONE && f->datagram[index].done_us != 0) {
        if (repeats(f, &f->datagram[index], piece, t_us)) {
            f->stats.repeated++;
            return FRAG_KEPT;
        }
        release(f, index);
        index = NONE;
    }
    if (index == NONE)
        index = begin(f, key, t_us);
    struct datagram *d = &f->datagram[index];
    bool overlaps = false;
    d->pieces++;
    if (!fits(d, piece)) {
        give_up(f, index);
        return FRAG_BAD;
    }
    uint32_t held = d->held;
    if (!place(f, index, piece, &overlaps)) {
        give_up(f, index);
        return FRAG_NO_MEMORY;
    }
    // An exact repeat (a mirrored duplicate) adds nothing and is no attack.
    bool repeated = overlaps && d->held == held;
    if (overlaps && !repeated && key->family == 6) {
        give_up(f, index);
        return FRAG_BAD;
    }
    if (repeated) {
        d->pieces--;
        f->stats.repeated++;
        return FRAG_KEPT;
    }
    d->ip_octets += piece->ip_octets;
    if (d->reach < piece->offset + piece->data.len)
        d->reach = piece->offset + (uint32_t)piece->data.len;
    if (!piece->more)
        d->end = piece->offset + (uint32_t)piece->data.len;
    if (piece->offset == 0) {
        d->has_first = true;
        d->next_header = piece->next_header;
    }
    if (d->end == 0 || d->held < d->end)
        return FRAG_KEPT;
    hand_out(f, index, t_us, out);
    return FRAG_WHOLE;
}

void frag_expire(struct frag *f, int64_t t_us)
{
    while (f->oldest != NONE && f->datagram[f->oldest].start_us + f->timeout_us <= t_us)
        give_up(f, f->oldest);
}

void frag_sweep(struct frag *f, int64_t t_us)
{
    frag_expire(f, t_us);
    for (uint32_t i = f->oldest, next; i != NONE; i = next) {
        next = f->datagram[i].newer;
        if (f->datagram[i].done_us != 0 && t_us - f->datagram[i].done_us >= REPEAT_US)
            release(f, i);
    }
    memset(f->whole, 0, f->whole_len);
    f->whole_len = 0;
}

void frag_flush(struct frag *f)
{
    while (f->oldest != NONE)
        give_up(f, f->oldest);
    memset(f->whole, 0, f->whole_len);
    f->whole_len = 0;
}
