// A few places; a new picture takes the oldest. Requests are compared as octets behind their id.
#include "web/graph_cache.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 256, FRESH_MS = 30000, OCTETS_MAX = 16 << 20 };

struct place {
    struct graph_request request;
    int64_t drawn_ms;
    uint8_t *image; // owned; NULL: free
    size_t len;
};

struct graph_cache {
    struct place place[PLACES]; // ring, `next` is the oldest
    size_t next, octets;
};

struct graph_cache *graph_cache_new(void)
{
    return calloc(1, sizeof(struct graph_cache));
}

static void empty(struct graph_cache *c, struct place *p)
{
    c->octets -= p->len;
    free(p->image);
    p->image = NULL;
    p->len = 0;
}

void graph_cache_free(struct graph_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < PLACES; i++)
        empty(c, &c->place[i]);
    free(c);
}

static bool is_same(const struct graph_request *a, const struct graph_request *b)
{
    // No hole between its members: all octets behind the id are values.
    enum { FROM = offsetof(struct graph_request, kind) };
    return memcmp((const char *)a + FROM, (const char *)b + FROM, sizeof *a - FROM) == 0;
}

struct span graph_cache_get(struct graph_cache *c, const struct graph_request *q, int64_t now_ms)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct place *p = &c->place[i];
        int64_t age_ms = now_ms - p->drawn_ms;
        if (p->image && age_ms >= 0 && age_ms < FRESH_MS && is_same(&p->request, q))
            return span_of(p->image, p->len);
    }
    return (struct span){0};
}

void graph_cache_put(struct graph_cache *c, const struct graph_request *q, struct span image,
                     int64_t now_ms)
{
    uint8_t *copy = image.len > 0 && image.len <= OCTETS_MAX ? malloc(image.len) : NULL;
    if (!copy)
        return;
    memcpy(copy, image.data, image.len);
    for (size_t i = 0; i < PLACES && (i == 0 || c->octets + image.len > OCTETS_MAX); i++)
        empty(c, &c->place[(c->next + i) % PLACES]);
    struct place *p = &c->place[c->next];
    c->next = (c->next + 1) % PLACES;
    *p = (struct place){.request = *q, .drawn_ms = now_ms, .image = copy, .len = image.len};
    c->octets += image.len;
}
