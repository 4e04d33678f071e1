// Chunks are aligned to huge pages and ask for them (transparent_hugepage: madvise, or always). Where there are none the
// chunks are ordinary memory.
#include "chunks.h"

#include <stdlib.h>
#include <sys/mman.h>

#define CHUNK_OCTETS ((size_t)2 << 20)
#define ALIGNMENT    16
// Of larger objects a chunk would hold too few: they have memory of their own.
#define LARGE_OCTETS ((size_t)64 << 10)

struct chunk {
    struct chunk *next;
    char pad[ALIGNMENT - sizeof(struct chunk *)];
    char octets[];
};

static void *large(struct chunks *c, size_t size)
{
    struct chunk *own = malloc(sizeof *own + size);
    if (!own)
        return NULL;
    // Behind the first, which goes on being cut.
    struct chunk **link = c->first ? &c->first->next : &c->first;
    own->next = *link;
    *link = own;
    return own->octets;
}

void *chunks_get(struct chunks *c, size_t size)
{
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > LARGE_OCTETS)
        return large(c, size);
    if (size > c->left) {
        struct chunk *more = aligned_alloc(CHUNK_OCTETS, CHUNK_OCTETS);
        if (!more)
            return NULL;
        (void)madvise(more, CHUNK_OCTETS, MADV_HUGEPAGE);
        more->next = c->first;
        c->first = more;
        c->at = more->octets;
        c->left = CHUNK_OCTETS - sizeof *more;
    }
    void *p = c->at;
    c->at += size;
    c->left -= size;
    return p;
}

void chunks_fini(struct chunks *c)
{
    for (struct chunk *p = c->first, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    *c = (struct chunks){0};
}

void *chunks_table(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (size >= 2 * CHUNK_OCTETS)
        (void)madvise(p, size, MADV_HUGEPAGE);
    return p;
}

void chunks_table_free(void *table, size_t size)
{
    if (table)
        munmap(table, size);
}
