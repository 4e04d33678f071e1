// Unwrapping: from a frame to the innermost IP packet, one encapsulation a file.
//
// A descriptor says by which numbers a layer is chosen and reads its header; decap.c holds the
// registry, the tables made of it and the loop, capped at PACKET_LAYERS_MAX steps. Every step is
// bounded by what was captured (`cap`) and by what was on the wire (`wire`, never less than `cap`).
// Nothing is allocated. What cannot be opened is counted by name, what is broken by reason.
#pragma once

#include "frag.h"
#include "octets.h"
#include "packet.h"
#include "skipped.h"

// Why a layer is broken. The first is found by decap_lacks.
#define DECAP_REASONS(X)                                 \
    X(CUT_SHORT, "ends inside the header")               \
    X(BAD_LENGTH, "bad length")                          \
    X(BAD_VERSION, "bad version")                        \
    X(BAD_HEADER, "bad header")                          \
    X(TOO_DEEP, "more layers than an encapsulation has") \
    X(FRAGMENT, "bad fragment")                          \
    X(NO_MEMORY, "fragment not kept: no memory")

enum decap_reason {
#define X(name, text) DECAP_##name,
    DECAP_REASONS(X)
#undef X
        DECAP_REASON_N
};

enum decap_result {
    DECAP_NEXT,     // stepped over; `next` says what follows
    DECAP_PACKET,   // a transport header was read: the packet is complete
    DECAP_NOT_MINE, // asked by UDP port only: it is something else
    DECAP_NO_IP,    // well understood, and no IP in it: ARP, LLDP, PPP control
    DECAP_HELD,     // a fragment, kept
    DECAP_SKIPPED,  // unknown layer, counted
    DECAP_SHORT,    // cut inside a header: counted as sliced, and no layer is to blame
    DECAP_BROKEN,   // counted
};

struct decap;

// Where the loop stands in one packet.
struct decap_run {
    const uint8_t *at;
    uint32_t cap, wire;
    uint8_t next;   // index in the registry, set by the functions decap_by_*
    uint8_t self;   // index of the running descriptor
    uint8_t before; // and of the one before it
    uint32_t hint;  // from the layer before: GRE's key for EoIP, its sequence flag for ERSPAN
    uint8_t
        around[2]
              [16]; // source and destination of the IP packet around this one; zero: there is none
    uint64_t gre_key; // of the GRE around this; above its 32 bits a 1 where there is one, else 0
    uint64_t nest;    // of all tunnels and label stacks so far (decap_nest); 0: there was none
    bool bounded;     // a length in this frame said where it ends
    bool cut;         // and that was beyond what came
    struct packet *packet;
    struct decap *decap;
};

struct decap_descriptor {
    const char *name; // in a record's `encap`
    bool quiet;       // not worth a word there (Ethernet, IP, transport)
    // What selects it. Lists end with 0; `linktypes` are DLT_ numbers and end with -1.
    const int *linktypes;
    const uint16_t *ethertypes;
    const uint16_t *ip_protocols;
    const uint16_t *udp_ports;
    const uint16_t *ppp_protocols;
    enum decap_result (*decode)(struct decap_run *r);
};

#define DECAP_LINKTYPES 512
#define DECAP_PLAIN     8 // octets from packet.layer_count on that describe a plain frame

// Tables made of the registry, and what unwrapping counts. Valid after decap_init.
struct decap {
    uint8_t by_ethertype[65536]; // registry index + 1
    uint8_t by_udp_port[65536];
    uint8_t by_ppp[65536];
    uint8_t by_ip_protocol[256];
    uint8_t by_linktype[DECAP_LINKTYPES];
    uint8_t plain[2][2][DECAP_PLAIN]; // by IPv6 and UDP: the layers of a frame with nothing between
    struct skipped skipped;
    struct frag *frag; // borrowed; NULL: fragments are counted and not joined
    uint64_t no_ip;
    uint64_t sliced; // packets captured shorter than they were
    uint64_t cut;    // of these, by their own lengths only: the frame came that short
};

void decap_init(struct decap *d, struct frag *frag);

// Does the mirror slice? What came short of its frame's length says so at once. A packet that is shorter than its
// own lengths may have been sent that way, whatever its sender wants of it: one of a hundred says it.
static inline bool decap_slices(uint64_t sliced, uint64_t cut, uint64_t packets)
{
    return sliced > cut || (cut >= 20 && cut * 100 >= packets);
}

// Unwraps a frame layer by layer, whatever it holds: what decap_frame does with frames that decap_straight
// leaves.
enum decap_result decap_layers(struct decap *d, int linktype, struct span frame, uint32_t wire,
                               struct packet *p);
// straight.c: `cap` octets of an Ethernet frame that had `wire` (not less). False: not for it, and `*p` is
// undefined but for t_us.
bool decap_straight(const struct decap *d, const uint8_t *frame, uint32_t cap, uint32_t wire,
                    struct packet *p);

// A frame was cut. Where only Ethernet's padding was nothing is missing.
void decap_note_slicing(struct decap *d, enum decap_result result, struct packet *p);

// Unwraps one frame into `*p`, whose `t_us` is set by the caller. DECAP_PACKET: `*p` is complete.
static inline enum decap_result decap_frame(struct decap *d, int linktype, struct span frame,
                                            uint32_t wire, struct packet *p)
{
    uint32_t cap = frame.len < wire ? (uint32_t)frame.len : wire;
    if (linktype != 1 || !decap_straight(d, frame.data, cap, wire, p))
        return decap_layers(d, linktype, frame, wire, p);
    if (cap < wire)
        decap_note_slicing(d, DECAP_PACKET, p);
    return DECAP_PACKET;
}

// A layer by its registry index.
const struct decap_descriptor *decap_layer(uint8_t index);
// Words a number of SKIPPED_BROKEN.
void decap_broken_text(uint32_t number, char out[static SKIPPED_TEXT_MAX]);

// ---- For descriptors.

enum decap_result decap_broken(struct decap_run *r, enum decap_reason reason);
enum decap_result decap_skip(struct decap_run *r, enum skipped_kind kind, uint32_t number);
enum decap_result decap_by_linktype(struct decap_run *r, int linktype);
enum decap_result decap_by_ethertype(struct decap_run *r, uint16_t type);
enum decap_result decap_by_ip_protocol(struct decap_run *r, uint8_t protocol);
enum decap_result decap_by_ppp(struct decap_run *r, uint16_t protocol);
// By the version nibble, for layers that carry bare IP: raw links, GTP-U, MPLS.
enum decap_result decap_by_ip_version(struct decap_run *r, enum skipped_kind kind);
// Would the octets at `r` pass as an IP header (version, lengths)?
bool decap_looks_like_ip(const struct decap_run *r);
// Is this the ethertype of a layer that is known, or that is no IP?
bool decap_knows_ethertype(const struct decap *d, uint16_t type);

// A number that tells what is around a packet from another: of a tunnel or a label. The order counts.
static inline void decap_nest(struct decap_run *r, uint64_t number)
{
    r->nest = (r->nest ^ number ^ 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    r->nest ^= r->nest >> 32;
}

// An IP header is about to be read: if there was one before, its addresses are those around this one.
static inline void decap_enter_ip(struct decap_run *r)
{
    if (!(r->packet->has & PACKET_HAS_IP))
        return;
    memcpy(r->around, r->packet->addr, sizeof r->around);
    for (size_t i = 0; i < sizeof r->around; i += 8) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)r->around + i, 8);
        decap_nest(r, word);
    }
}

// What tells the datagram of a fragment from others, but for its identification and protocol: addresses, and
// the layers around it.
struct frag_key decap_frag_key(const struct decap_run *r);

// Fewer than `n` octets are there. DECAP_SHORT: the mirror or a snap length cut them off, or the frame came
// that short and no length in it says that it ends there. Else a length says so, and the layer is broken.
enum decap_result decap_lacks(struct decap_run *r, uint32_t n);

static inline void decap_step(struct decap_run *r, uint32_t n)
{
    r->at += n;
    r->cap -= n;
    r->wire -= n;
}

// Drop what lies behind `wire` octets: padding, trailers.
static inline void decap_clip(struct decap_run *r, uint32_t wire)
{
    if (r->wire > wire)
        r->wire = wire;
    if (r->cap > r->wire)
        r->cap = r->wire;
}

// `wire` octets are left, says the header that was read. What lies behind them is padding. Where the frame ends
// before them, a mirror or packet broker cut it and gave the short length as the frame's own: it is as if a
// snap length had. Only the outermost length of a frame tells so: what stands within another length came
// whole, or is known to be cut. False: the length cannot be.
static inline bool decap_whole(struct decap_run *r, uint32_t wire)
{
    if (wire > r->wire) {
        if (r->bounded)
            return false;
        r->cut = true;
        r->wire = wire;
    }
    r->bounded = true;
    decap_clip(r, wire);
    return true;
}

// The registry, NULL-terminated.
extern const struct decap_descriptor *const decap_registry[];

extern const struct decap_descriptor decap_ethernet, decap_vlan, decap_vlan_8021ad, decap_pbb,
    decap_mpls, decap_pppoe, decap_ppp, decap_chdlc, decap_l2tp, decap_sll, decap_sll2, decap_raw,
    decap_null, decap_ipv4, decap_ipv6, decap_ah, decap_gre, decap_eoip, decap_erspan2,
    decap_erspan3, decap_wlan, decap_radiotap, decap_vxlan, decap_vxlan_gpe, decap_geneve,
    decap_gtp, decap_tcp, decap_udp, decap_icmp, decap_icmpv6;
