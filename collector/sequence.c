// Repeats and gaps by domain and epoch: the highest sequence seen, and a bitmap of the 1,024 up to it.
#include "sequence.h"

#include <stdlib.h>

#define WORDS (SEQUENCE_WINDOW / 64)

struct epoch {
    uint64_t epoch;
    uint64_t highest;     // 0: nothing yet
    uint64_t used;        // order of last use
    uint64_t seen[WORDS]; // bit n % 1024 for sequence n, of the window that ends at `highest`
};

struct domain {
    uint32_t id;
    uint64_t missing;
    uint64_t showed; // missing since sequence_take_missing
    unsigned epochs;
    struct epoch epoch[SEQUENCE_EPOCHS];
};

struct sequence_table {
    struct domain **domain; // sorted by id
    size_t count, cap;
    uint64_t clock;
    struct sequence_stats stats;
};

struct sequence_table *sequence_new(void)
{
    return calloc(1, sizeof(struct sequence_table));
}

void sequence_free(struct sequence_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->domain[i]);
    free(t->domain);
    free(t);
}

static size_t place(const struct sequence_table *t, uint32_t id)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (t->domain[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct domain *get_domain(struct sequence_table *t, uint32_t id)
{
    size_t at = place(t, id);
    if (at < t->count && t->domain[at]->id == id)
        return t->domain[at];
    if (t->count == SEQUENCE_DOMAINS_MAX)
        return NULL;
    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 8;
        struct domain **more = realloc(t->domain, cap * sizeof *more);
        if (!more)
            return NULL;
        t->domain = more;
        t->cap = cap;
    }
    struct domain *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->id = id;
    memmove(t->domain + at + 1, t->domain + at, (t->count - at) * sizeof *t->domain);
    t->domain[at] = d;
    t->count++;
    return d;
}

// The state of an epoch; a new one takes the place of the least recently used. NULL: an epoch older than
// all that are remembered.
static struct epoch *get_epoch(struct sequence_table *t, struct domain *d, uint64_t epoch)
{
    struct epoch *oldest = NULL, *lowest = NULL;
    for (unsigned i = 0; i < d->epochs; i++) {
        struct epoch *e = &d->epoch[i];
        if (e->epoch == epoch) {
            e->used = ++t->clock;
            return e;
        }
        if (!oldest || e->used < oldest->used)
            oldest = e;
        if (!lowest || e->epoch < lowest->epoch)
            lowest = e;
    }
    if (d->epochs < SEQUENCE_EPOCHS)
        oldest = &d->epoch[d->epochs++];
    else if (epoch < lowest->epoch)
        return NULL;
    *oldest = (struct epoch){.epoch = epoch, .used = ++t->clock};
    return oldest;
}

static bool test(const struct epoch *e, uint64_t sequence)
{
    return e->seen[sequence / 64 % WORDS] >> (sequence % 64) & 1;
}

static void set(struct epoch *e, uint64_t sequence, bool on)
{
    uint64_t bit = (uint64_t)1 << (sequence % 64);
    if (on)
        e->seen[sequence / 64 % WORDS] |= bit;
    else
        e->seen[sequence / 64 % WORDS] &= ~bit;
}

// Moves the window up to `sequence`, which is seen; what lies between is missing.
static void advance(struct sequence_table *t, struct domain *d, struct epoch *e, uint64_t sequence)
{
    uint64_t between = sequence - e->highest - 1;
    if (between >= SEQUENCE_WINDOW) {
        memset(e->seen, 0, sizeof e->seen);
    } else {
        for (uint64_t s = e->highest + 1; s < sequence; s++)
            set(e, s, false);
    }
    set(e, sequence, true);
    e->highest = sequence;
    if (between > 0) {
        d->missing += between;
        d->showed += between;
        t->stats.missing += between;
        t->stats.gaps++;
    }
}

enum sequence_result sequence_take(struct sequence_table *t, const struct record_id *id)
{
    struct domain *d = get_domain(t, id->domain);
    if (!d)
        return SEQUENCE_FULL;
    struct epoch *e = id->sequence > 0 ? get_epoch(t, d, id->epoch) : NULL;
    if (!e) {
        t->stats.old++;
        return SEQUENCE_OLD;
    }
    if (id->sequence > e->highest) {
        advance(t, d, e, id->sequence);
        return SEQUENCE_NEW;
    }
    if (e->highest - id->sequence >= SEQUENCE_WINDOW) {
        t->stats.old++;
        return SEQUENCE_OLD;
    }
    if (test(e, id->sequence)) {
        t->stats.repeats++;
        return SEQUENCE_REPEAT;
    }
    set(e, id->sequence, true);
    d->missing--;
    t->stats.missing--;
    t->stats.filled++;
    return SEQUENCE_NEW;
}

bool sequence_known(const struct sequence_table *t, const struct record_id *id)
{
    size_t at = place(t, id->domain);
    if (at == t->count || t->domain[at]->id != id->domain || id->sequence == 0)
        return false;
    const struct domain *d = t->domain[at];
    for (unsigned i = 0; i < d->epochs; i++) {
        const struct epoch *e = &d->epoch[i];
        if (e->epoch == id->epoch)
            return id->sequence <= e->highest &&
                   (e->highest - id->sequence >= SEQUENCE_WINDOW || test(e, id->sequence));
    }
    return false;
}

const struct sequence_stats *sequence_stats(const struct sequence_table *t)
{
    return &t->stats;
}

uint64_t sequence_missing(const struct sequence_table *t, uint32_t domain)
{
    size_t at = place(t, domain);
    return at < t->count && t->domain[at]->id == domain ? t->domain[at]->missing : 0;
}

size_t sequence_domains(const struct sequence_table *t)
{
    return t->count;
}

uint64_t sequence_take_missing(struct sequence_table *t, uint32_t domain)
{
    size_t at = place(t, domain);
    if (at == t->count || t->domain[at]->id != domain)
        return 0;
    uint64_t n = t->domain[at]->showed;
    t->domain[at]->showed = 0;
    return n;
}

void sequence_add_missing(struct sequence_table *t, uint32_t domain)
{
    size_t at = place(t, domain);
    if (at < t->count && t->domain[at]->id == domain)
        t->domain[at]->showed++;
}

void sequence_each(const struct sequence_table *t, sequence_fn fn, void *ctx)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct domain *d = t->domain[i];
        uint64_t after = 0;
        for (unsigned n = 0; n < d->epochs; n++) {
            const struct epoch *next = NULL;
            for (unsigned k = 0; k < d->epochs; k++)
                if (d->epoch[k].used > after && (!next || d->epoch[k].used < next->used))
                    next = &d->epoch[k];
            if (!next)
                break;
            after = next->used;
            fn(ctx, &(struct record_id){
                        .domain = d->id, .epoch = next->epoch, .sequence = next->highest});
        }
    }
}

void sequence_seed(struct sequence_table *t, const struct record_id *highest)
{
    struct domain *d = highest->sequence > 0 ? get_domain(t, highest->domain) : NULL;
    struct epoch *e = d ? get_epoch(t, d, highest->epoch) : NULL;
    if (!e || highest->sequence <= e->highest)
        return;
    e->highest = highest->sequence;
    memset(e->seen, 0xff, sizeof e->seen);
}
