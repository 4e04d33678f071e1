// The seam between unwrapping and accounting: what one packet is, after all its layers were taken off.
//
// The innermost IP packet counts; what was around it is kept in short numeric form and becomes text
// once a flow (path.h). Nothing here outlives the packet: spans point into the frame, or into the
// buffer of reassembled fragments, which is valid until the next packet.
#pragma once

#include "common/span.h"

// A packet with more layers than this is an encapsulation loop.
#define PACKET_LAYERS_MAX 16

// Which of the fields below were set; the others hold what an earlier packet left there.
enum packet_has {
    PACKET_HAS_VLAN = 1 << 0, // `vlan[0]`
    PACKET_HAS_INNER_VLAN = 1 << 1,
    PACKET_HAS_PPPOE = 1 << 2,
    PACKET_HAS_MPLS = 1 << 3,
    PACKET_HAS_VNI = 1 << 4,
    PACKET_HAS_L2TP = 1 << 5,
    PACKET_HAS_GTP = 1 << 6,
    PACKET_HAS_MAC = 1 << 7,
    PACKET_HAS_OUTER = 1 << 8, // `outer`: of the IPv6 packet around an IPv4 packet
    PACKET_HAS_IP = 1 << 9,
    PACKET_SLICED = 1 << 10, // captured shorter than it was on the wire
};

enum packet_tcp_flags {
    PACKET_FIN = 0x01,
    PACKET_SYN = 0x02,
    PACKET_RST = 0x04,
    PACKET_PSH = 0x08,
    PACKET_ACK = 0x10,
};

// What every packet of a connection fills and asks for stands in front.
struct packet {
    int64_t t_us;   // since 1970, never less than that of the packet before
    uint32_t has;   // enum packet_has
    uint8_t family; // enum ip_family
    uint8_t ip_proto;
    uint8_t ttl;
    uint8_t ip_packets;                     // 1, or the number of fragments
    _Alignas(uint64_t) uint8_t addr[2][16]; // source, destination; IPv4 as ::ffff:a.b.c.d
    uint16_t port[2];
    uint16_t window;
    uint8_t tcp_flags;   // enum packet_tcp_flags
    uint8_t tcp_options; // octets of them that were captured: right in front of `payload`
    // What tells packets of a flow apart, in words that are read at once (packet_marks).
    uint32_t seq, ack;
    uint16_t ip_id;        // IPv4 only, else 0
    uint16_t checksum;     // as it stands in the packet, never verified: offloading falsifies it
    uint32_t ip_octets;    // header included, of all fragments
    struct span payload;   // captured part; ICMP: the packet quoted in an error
    uint32_t payload_wire; // as it was on the wire
    uint8_t icmp_type, icmp_code;
    uint16_t pppoe_session;
    const uint8_t *mac;  // destination and source of the innermost frame: 12 octets
    uint8_t layer_count; // layers outermost first, as indices of the decap registry
    uint8_t layer[PACKET_LAYERS_MAX];
    uint16_t vlan[2]; // the outermost two identifiers of the innermost frame
    uint16_t l2tp_tunnel, l2tp_session;
    uint32_t mpls_label; // innermost
    uint32_t vni;
    uint32_t gtp_teid;
    uint8_t outer[2][16];
};

// Ports, and numbers, as words that hold two side by side (octets.h): what reads them at once right behind it need
// not wait for two writes.
static inline void packet_set_ports(struct packet *p, uint32_t both)
{
    memcpy(p->port, &both, sizeof p->port);
}

// `window`, `tcp_flags` and `tcp_options`, which stand in a row, by one write.
static inline void packet_set_gate(struct packet *p, uint16_t window, uint8_t flags,
                                   uint32_t options)
{
    uint32_t v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                     ? options << 24 | (uint32_t)flags << 16 | window
                     : (uint32_t)window << 16 | (uint32_t)flags << 8 | options;
    _Static_assert(offsetof(struct packet, tcp_options) == offsetof(struct packet, window) + 3,
                   "in a row");
    memcpy((uint8_t *)p + offsetof(struct packet, window), &v, sizeof v);
}

static inline void packet_set_numbers(struct packet *p, uint64_t both)
{
    memcpy((uint8_t *)p + offsetof(struct packet, seq), &both, sizeof both);
}

// `seq` and `ack`, and `ip_id`, `checksum` and `ip_octets`, as numbers.
struct packet_marks {
    uint64_t numbers, rest;
};

static inline struct packet_marks packet_marks(const struct packet *p)
{
    struct packet_marks m;
    _Static_assert(offsetof(struct packet, seq) % 8 == 0 &&
                       offsetof(struct packet, ip_octets) == offsetof(struct packet, seq) + 12,
                   "two words in a row");
    memcpy(&m, (const uint8_t *)p + offsetof(struct packet, seq), sizeof m);
    return m;
}

static inline struct packet_marks packet_marks_of(uint64_t numbers, uint16_t ip_id,
                                                  uint16_t checksum, uint32_t ip_octets)
{
    uint64_t rest = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                        ? (uint64_t)ip_octets << 32 | (uint32_t)checksum << 16 | ip_id
                        : (uint64_t)ip_id << 48 | (uint64_t)checksum << 32 | ip_octets;
    return (struct packet_marks){.numbers = numbers, .rest = rest};
}

static inline void packet_set_marks(struct packet *p, struct packet_marks m)
{
    memcpy((uint8_t *)p + offsetof(struct packet, seq), &m, sizeof m);
}

static inline struct span packet_tcp_options(const struct packet *p)
{
    if (p->tcp_options == 0) // there may be no payload to count from
        return (struct span){0};
    return span_of(p->payload.data - p->tcp_options, p->tcp_options);
}

static inline uint32_t packet_sliced_octets(const struct packet *p)
{
    return p->payload_wire - (uint32_t)p->payload.len;
}
