// Eight octets an entry: 32 bits of the packet's digest, 32 bits of its time. What falls on an occupied
// place replaces it: a copy comes within a few dozen packets, or is taken for a retransmission.
#include "mirror.h"

#include <stdlib.h>

#include "octets.h"

struct seen {
    uint32_t digest;
    uint32_t t_us; // lower 32 bits
};

struct mirror {
    struct seen *seen;
    size_t mask;
    uint32_t window_us;
};

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

uint64_t mirror_number(const struct mirror *m, const struct packet *p, uint64_t tuple)
{
    bool tcp = p->ip_proto == 6;
    // The table's key is the same for both directions of a flow, so that ports and addresses tell them.
    uint64_t datagram = (uint64_t)p->ip_id << 48 | (uint64_t)p->checksum << 32 |
                        (p->ip_octets ^ (uint32_t)p->addr[0][15] << 24 ^
                         (uint32_t)p->addr[1][15] << 17);
    uint64_t numbers = tcp ? (uint64_t)p->seq << 32 | p->ack : 0;
    uint64_t rest = (uint64_t)p->port[0] << 48 | (uint64_t)p->port[1] << 32 |
                    (tcp ? (uint32_t)p->window << 8 | p->tcp_flags : 0);
    // Nobody who does not know the table's key can choose numbers that make two packets look like one.
    uint64_t h = octets_mix(datagram ^ tuple, numbers ^ (tuple << 32 | tuple >> 32));
    h = octets_mix(h ^ rest, tuple ^ 0xd6e8feb86659fd93u);
    __builtin_prefetch(&m->seen[h & m->mask], 1);
    return h;
}

bool mirror_seen(struct mirror *m, uint64_t number, int64_t t_us)
{
    struct seen *s = &m->seen[number & m->mask];
    uint32_t digest = (uint32_t)(number >> 32) | 1, now = (uint32_t)t_us;
    bool repeats = s->digest == digest && now - s->t_us <= m->window_us;
    // A copy does not prolong the window: the third of three comes when it comes.
    if (!repeats)
        *s = (struct seen){.digest = digest, .t_us = now};
    return repeats;
}

bool mirror_repeats(struct mirror *m, const struct packet *p, uint64_t tuple)
{
    return mirror_seen(m, mirror_number(m, p, tuple), p->t_us);
}
