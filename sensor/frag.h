// Joining IP fragments (RFC 791, RFC 8200; overlap by RFC 5722): a fixed number of datagrams, octets
// from a fixed pool of blocks. IPv4 overlap: the first octets win; IPv6 overlap: the datagram is
// given up. A full table or pool gives up the oldest datagram. Time is packet time.
#pragma once

#include "common/span.h"

struct frag;

// One datagram's fragments share the layers around them: the same addresses and identification in another
// VLAN or tunnel are another's, and a tunnel's number means something between its two ends alone. Of tunnels in tunnels
// the innermost stands here by itself, and all of them, with the labels that tell MPLS services apart, in `nest`.
struct frag_key {
    uint8_t addr[2][16];  // source, destination
    uint8_t outer[2][16]; // of the IP packet around this one; zero: none, as all that follow
    uint64_t gre_key;     // above its 32 bits a 1 where there is one
    uint64_t nest;        // hash of the ends, numbers and labels of all tunnels, outermost first
    uint32_t vni, gtp_teid;
    uint16_t vlan[2], pppoe_session, l2tp_tunnel, l2tp_session;
    uint8_t protocol; // IPv4 only: IPv6 tells datagrams apart without it
    uint8_t family;
    uint32_t id;
};

// Compared and hashed as octets.
_Static_assert(sizeof(struct frag_key) == 104, "a key has no padding");

struct frag_piece {
    uint32_t offset; // in the datagram, a multiple of 8
    struct span data;
    bool more;
    uint8_t next_header; // of the first fragment: what follows (IPv6)
    uint32_t ip_octets;  // of this fragment's packet, header included
};

// A complete datagram. `data` stays valid until the next frag_add.
struct frag_whole {
    struct span data;
    uint8_t next_header;
    uint8_t packets;
    uint32_t ip_octets;
};

enum frag_result {
    FRAG_KEPT,
    FRAG_WHOLE,     // `*out` filled
    FRAG_BAD,       // overlap, or lengths that contradict each other
    FRAG_NO_MEMORY, // larger than the whole pool
};

struct frag_stats {
    uint64_t pieces;
    uint64_t joined;   // datagrams
    uint64_t lost;     // fragments whose datagram was never complete
    uint64_t repeated; // pieces mirrored twice
    uint64_t evicted;  // datagrams given up because the table or the pool was full
};

// `datagrams` in progress at once, `memory` octets for their content. NULL: out of memory.
struct frag *frag_new(size_t datagrams, size_t memory, int64_t timeout_us);
void frag_free(struct frag *f);

enum frag_result frag_add(struct frag *f, const struct frag_key *key,
                          const struct frag_piece *piece, int64_t t_us, struct frag_whole *out);
// Gives up what waits longer than the time-out.
void frag_expire(struct frag *f, int64_t t_us);
// The same, once a second, and wipes what was joined: `data` of the last frag_whole ends here.
void frag_sweep(struct frag *f, int64_t t_us);
// Gives up everything, at the end of the input.
void frag_flush(struct frag *f);
const struct frag_stats *frag_stats(const struct frag *f);
