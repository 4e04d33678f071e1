// Packets that the mirror copied twice: SPAN of both ports of a router, of ingress and egress, of two
// VLANs. A small direct-mapped memory of what was seen within the last milliseconds.
//
// What makes two packets one: addresses, ports, IP identification, lengths, and (TCP) sequence and
// acknowledgement numbers, flags, window and checksum. The hop limit and the header's checksum may
// differ (before and behind the router), so may everything around the packet. A retransmission by
// the sender has a new IP identification, or a new time stamp option and so another checksum; where
// neither is there (IPv6 without options) only time tells: no stack sends again before 10 ms (Linux
// waits at least 200 ms; its tail loss probe two round trips), no mirror is that late. Taking
// such a retransmission for a copy, or the reverse, changes neither TCP's dialogues nor attempts, only
// the counters of retransmissions and packets; a copy of a DNS query that is missed is a query more.
#pragma once

#include "octets.h"
#include "packet.h"

struct mirror_seen {
    uint32_t digest;
    uint32_t t_us; // lower 32 bits
};

// Of the memory only as much is used as the packets of a window need, so that it stays in the processor's caches:
// MIRROR_ROOM entries for each of them. When there are suddenly more, all of it is used at once. Another packet may have
// taken the entry before a copy comes: of copies as late as the window one in MIRROR_ROOM is missed, while the rate rises
// one in MIRROR_TIGHT at most; of copies at once next to none.
#define MIRROR_ROOM  128
#define MIRROR_LEAST 512
#define MIRROR_TIGHT 8  // entries a packet, below which there are too few
#define MIRROR_STEP  32 // packets until it is asked again (batches differ by the source)

struct mirror {
    struct mirror_seen *seen;
    size_t mask;    // of the part in use
    size_t before;  // of the part in use until `since_us`; `mask`: what was seen there is too old
    size_t most;    // of all
    size_t counted; // packets since `since_us`
    int64_t since_us;
    uint32_t window_us;
    uint32_t left; // packets until it is asked again
};

// `entries`: rounded up to a power of two; should be several times the packets within the window.
struct mirror *mirror_new(size_t entries, int64_t window_us); // NULL: out of memory
void mirror_free(struct mirror *m);

// MIRROR_STEP packets more were seen, the last of them now: how much of the memory do they need?
void mirror_measure(struct mirror *m, int64_t t_us);

// The packet's number for mirror_seen. `tuple` is a hash of its addresses, ports and realm that is the same for
// both directions, and that nobody outside can work out: so nobody can choose numbers that make two packets
// look like one. `turned` tells the direction; `gate` is TCP's window << 8 | flags.
static inline uint64_t mirror_number_of(struct packet_marks m, uint32_t gate, uint64_t tuple,
                                        bool turned)
{
    uint64_t rest = (uint64_t)gate << 1 | turned;
    return octets_mix(m.rest ^ tuple, m.numbers ^ (tuple << 32 | tuple >> 32)) + rest * (tuple | 1);
}

static inline uint64_t mirror_number(const struct packet *p, uint64_t tuple, bool turned)
{
    struct packet_marks m = packet_marks(p);
    bool tcp = p->ip_proto == 6;
    if (!tcp)
        m.numbers = 0;
    return mirror_number_of(m, tcp ? (uint32_t)p->window << 8 | p->tcp_flags : 0, tuple, turned);
}

// Fetches the place where it would stand.
static inline void mirror_prefetch(const struct mirror *m, uint64_t number)
{
    __builtin_prefetch(&m->seen[number & m->mask], 1);
}

// Was this the packet, within the window?
static inline bool mirror_is(const struct mirror *m, const struct mirror_seen *s, uint32_t digest,
                             uint32_t now)
{
    return s->digest == digest && now - s->t_us <= m->window_us;
}

// Remembers the packet; true when the same was there within the window.
static inline bool mirror_seen(struct mirror *m, uint64_t number, int64_t t_us)
{
    if (__builtin_expect(--m->left == 0, 0))
        mirror_measure(m, t_us);
    struct mirror_seen *s = &m->seen[number & m->mask];
    uint32_t digest = (uint32_t)(number >> 32) | 1, now = (uint32_t)t_us;
    // A copy does not prolong the window: the third of three comes when it comes.
    if (__builtin_expect(mirror_is(m, s, digest, now), 0))
        return true;
    if (__builtin_expect(m->before != m->mask, 0) &&
        mirror_is(m, &m->seen[number & m->before], digest, now))
        return true;
    *s = (struct mirror_seen){.digest = digest, .t_us = now};
    return false;
}
