// See mail_once.h. Open addressing, half full at most; 0 is a free place.
#include "maillog/mail_once.h"

#include <stdlib.h>
#include <string.h>

struct mail_once {
    uint64_t *young, *old;
    uint32_t marks, count, mask;
};

struct mail_once *mail_once_new(uint32_t marks)
{
    struct mail_once *o = calloc(1, sizeof *o);
    uint32_t places = 16;
    while (places / 2 < marks)
        places *= 2;
    if (!o)
        return NULL;
    o->marks = marks;
    o->mask = places - 1;
    o->young = calloc(places, sizeof *o->young);
    o->old = calloc(places, sizeof *o->old);
    if (!o->young || !o->old) {
        mail_once_free(o);
        return NULL;
    }
    return o;
}

void mail_once_free(struct mail_once *o)
{
    if (!o)
        return;
    free(o->young);
    free(o->old);
    free(o);
}

// Where the mark stands, or would.
static uint64_t *place(const struct mail_once *o, uint64_t *table, uint64_t mark)
{
    uint32_t at = (uint32_t)(mark * 0x9e3779b97f4a7c15u >> 32) & o->mask;
    while (table[at] && table[at] != mark)
        at = (at + 1) & o->mask;
    return &table[at];
}

bool mail_once_add(struct mail_once *o, uint64_t mark)
{
    mark = mark ? mark : 1;
    uint64_t *at = place(o, o->young, mark);
    if (*at)
        return false;
    bool is_new = *place(o, o->old, mark) == 0;
    if (o->count == o->marks) {
        uint64_t *forgotten = o->old;
        o->old = o->young;
        o->young = forgotten;
        memset(o->young, 0, ((size_t)o->mask + 1) * sizeof *o->young);
        o->count = 0;
        at = place(o, o->young, mark);
    }
    *at = mark;
    o->count++;
    return is_new;
}
