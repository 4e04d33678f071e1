// A few hundred at most: looked through from end to end.
#include "places.h"

#include <errno.h>
#include <stdlib.h>

int places_init(struct places *p, size_t strangers, size_t kept, size_t source_max)
{
    *p = (struct places){
        .count = strangers + kept, .strangers = strangers, .source_max = source_max};
    p->item = calloc(p->count, sizeof *p->item);
    return p->item ? 0 : -ENOMEM;
}

void places_fini(struct places *p)
{
    free(p->item);
    *p = (struct places){0};
}

enum whose { OF_SOURCE, OF_STRANGERS, OF_ANY };

static bool is_of(const struct place *at, enum whose whose, uint64_t source)
{
    return at->used && (whose == OF_ANY || (whose == OF_SOURCE && at->source == source) ||
                        (whose == OF_STRANGERS && !at->known));
}

static bool goes_before(const struct place *a, const struct place *b)
{
    return a->spoke != b->spoke ? b->spoke : a->order < b->order;
}

static size_t count_of(const struct places *p, enum whose whose, uint64_t source, size_t *oldest)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!is_of(&p->item[i], whose, source))
            continue;
        if (n++ == 0 || goes_before(&p->item[i], &p->item[*oldest]))
            *oldest = i;
    }
    return n;
}

static size_t choose(const struct places *p, uint64_t source, bool known)
{
    size_t oldest = 0;
    size_t source_max = known ? p->source_max * PLACES_KNOWN_TIMES : p->source_max;
    if (count_of(p, OF_SOURCE, source, &oldest) >= source_max)
        return oldest;
    if (!known && count_of(p, OF_STRANGERS, 0, &oldest) >= p->strangers)
        return oldest;
    for (size_t i = 0; i < p->count; i++)
        if (!p->item[i].used)
            return i;
    // All known sources at once, more than places are kept for.
    if (count_of(p, OF_STRANGERS, 0, &oldest) == 0)
        count_of(p, OF_ANY, 0, &oldest);
    return oldest;
}

size_t places_take(struct places *p, uint64_t source, bool known, bool *used)
{
    size_t i = choose(p, source, known);
    *used = p->item[i].used;
    p->item[i] = (struct place){
        .source = source, .order = ++p->order, .used = true, .known = known};
    return i;
}

void places_spoke(struct places *p, size_t place)
{
    p->item[place].spoke = true;
}

void places_leave(struct places *p, size_t place)
{
    p->item[place].used = false;
}
