// See table.h. In front of a table stands where its memory begins and, when it was mapped, how long it is.
#include "table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

struct head {
    void *memory;
    size_t mapped; // octets; 0: of the heap
};

_Static_assert(sizeof(struct head) <= TABLE_LINE, "stands in front of the first line");

static void *begin(uint8_t *memory, uint8_t *at, size_t mapped)
{
    struct head h = {.memory = memory, .mapped = mapped};
    memcpy(at, &h, sizeof h);
    return at + TABLE_LINE;
}

static uint8_t *aligned(uint8_t *memory, size_t to)
{
    return memory + (-(uintptr_t)memory & (to - 1));
}

void *table_new(size_t count, size_t size, enum table_order order)
{
    if (size != 0 && count > (SIZE_MAX - 2 * LARGE_PAGE) / size)
        return NULL;
    size_t octets = count * size + TABLE_LINE;
    if (octets < LARGE_PAGE) {
        uint8_t *memory = calloc(1, octets + TABLE_LINE);
        return memory ? begin(memory, aligned(memory, TABLE_LINE), 0) : NULL;
    }
    octets = (octets + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    size_t mapped = octets + LARGE_PAGE; // for an aligned beginning, and the head in front of it
    uint8_t *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    uint8_t *table = aligned(memory + TABLE_LINE, LARGE_PAGE);
    // Where it is refused small pages do.
    size_t small = order == TABLE_FROM_THE_FRONT ? LARGE_PAGE : 0;
    if (octets > small)
        (void)madvise(table + small, octets - small, MADV_HUGEPAGE);
    return begin(memory, table - TABLE_LINE, mapped);
}

void table_free(void *table)
{
    if (!table)
        return;
    struct head h;
    memcpy(&h, (uint8_t *)table - TABLE_LINE, sizeof h);
    if (h.mapped > 0)
        munmap(h.memory, h.mapped);
    else
        free(h.memory);
}
