// A live interface: a packet socket's ring (packet(7), TPACKET_V3), read block by block, its descriptor for the
// event loop. Ethernet only.
//
// An idle ring is never waited for. The interface may go down and come back, or be taken away and made
// again: the socket stays, and is bound to what has the name then, which needs no rights (only sockets of a
// fan-out group cannot be bound anew). Nothing but ring_open and ring_close needs files.
#pragma once

#include "source.h"

#define RING_TEXT_MAX 320

struct ring;

struct ring_setup {
    const char *interface;
    uint32_t snaplen;   // octets
    int64_t buffer;     // octets
    int timeout_ms;     // a block with anything in it is handed out after this
    const char *filter; // BPF; NULL: none
};

enum ring_link {
    RING_UP,
    RING_DOWN,       // taken down
    RING_NO_CARRIER, // the cable, or the other end
    RING_GONE,       // there is no such interface
};

// Cumulative since ring_open.
struct ring_losses {
    uint64_t card;      // by the interface
    uint64_t ring;      // by the ring: read too late
    uint64_t oversized; // frames above the MTU: joined by LRO or GRO
    bool card_known;
};

// 0; negative errno, `text` says why and what to do.
int ring_open(const struct ring_setup *setup, struct ring **out, char text[static RING_TEXT_MAX]);
void ring_close(struct ring *r);
int ring_fd(const struct ring *r);
const char *ring_name(const struct ring *r);

// Up to `max` frames that are there, with their outer VLAN tags in place; borrowed until the next call. Returns
// how many were taken out of the ring: 0 when it is empty, or the link is down. `*count` of them passed
// the filter and are in `out`.
size_t ring_read(struct ring *r, struct source_frame *out, size_t max, size_t *count);
// Fetches some of what the next ring_read will hand out: once a frame, between two calls of it.
void ring_fetch(struct ring *r);
// Throws away what was caught so far.
void ring_drain(struct ring *r);

// Looks at the interface, and binds the socket anew where it has come back as another one. Call it once a
// second. -EINVAL: it came back, and the socket is in a fan-out group: only opening anew helps.
int ring_look(struct ring *r, int64_t now_ms);
enum ring_link ring_link(const struct ring *r);
const char *ring_link_text(enum ring_link link);
void ring_losses(struct ring *r, struct ring_losses *out);
int ring_mtu(const struct ring *r);
// 0: not known.
int ring_speed_mbit(const struct ring *r);
