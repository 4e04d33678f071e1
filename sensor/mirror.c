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
    m->mask = m->before = m->most = n - 1;
    m->window_us = (uint32_t)window_us;
    m->left = MIRROR_STEP;
    return m;
}

// Entries for as many packets within the window as came of late, a power of two.
static size_t needed(const struct mirror *m, int64_t t_us)
{
    uint64_t since = (uint64_t)(t_us - m->since_us), window = m->window_us;
    uint64_t packets = since > window ? m->counted * window / since + 1 : m->counted;
    size_t entries = MIRROR_LEAST;
    while (entries <= m->most && entries < packets * MIRROR_ROOM)
        entries *= 2;
    return entries <= m->most ? entries : m->most + 1;
}

// Two parts are looked at while both may hold what was seen within the window. All of the memory is one of them whenever
// there would be a third: it is left only for a part that stands when the window is over.
static void resize(struct mirror *m, int64_t t_us)
{
    bool over = t_us - m->since_us > m->window_us;
    if (!over) {
        if (m->mask != m->most) {
            m->before = m->mask;
            m->mask = m->most;
            m->since_us = t_us;
            m->counted = 0;
        }
        return;
    }
    size_t entries = needed(m, t_us);
    bool settled = m->before == m->mask;
    m->before = m->mask;
    // A part that would nearly do is kept.
    if (settled && (entries > 2 * (m->mask + 1) || entries * 4 <= m->mask + 1))
        m->mask = entries - 1;
    m->since_us = t_us;
    m->counted = 0;
}

void mirror_measure(struct mirror *m, int64_t t_us)
{
    m->left = MIRROR_STEP;
    m->counted += MIRROR_STEP;
    if (t_us - m->since_us > m->window_us || m->counted * MIRROR_TIGHT > m->mask)
        resize(m, t_us);
}

void mirror_free(struct mirror *m)
{
    if (!m)
        return;
    free(m->seen);
    free(m);
}
