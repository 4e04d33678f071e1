// Eight octets an entry: 32 bits of the packet's digest, 32 bits of its time. What falls on an occupied
// place replaces it: a copy comes within a few dozen packets, or is taken for a retransmission.
#include "mirror.h"

#include <stdlib.h>

struct mirror *mirror_new(size_t entries, int64_t window_us)
{
    struct mirror *m = calloc(1, sizeof *m);
    size_t n = 1;
    while (n < entries)
        n *= 2;
    if (!m || !(m->seen = calloc(n, sizeof *m->seen))) {
        free(m);
        return NULL;
    }
    m->mask = n - 1;
    m->window_us = (uint32_t)window_us;
    return m;
}

void mirror_free(struct mirror *m)
{
    if (!m)
        return;
    free(m->seen);
    free(m);
}
