// The frame that nearly every packet of a connection is: Ethernet, IPv4 without options and fragments (RFC 791), TCP
// (RFC 9293), captured to its last octet. In a header, because every frame is asked: what it is not goes on to
// straight.c, and from there to the layers. What it takes comes out exactly as they would have it (the test
// holds one against the other).
#pragma once

#include "common/addr.h"
#include "decap/decap.h"

// Octets of the header that have to be so: version and length, no fragment.
static inline bool usual_ipv4(const uint8_t *at)
{
    static const uint8_t which[8] = {0xff, 0, 0, 0, 0, 0, 0x3f, 0xff}, what[8] = {0x45};
    return (octets_word(at) & octets_word(which)) == octets_word(what);
}

// What tells where the packet stands, as words that need not be read back (flow_key.h).
struct usual {
    uint64_t from, to; // octets_mapped_v4
    struct packet_marks marks;
    uint32_t ports; // as in memory
    uint32_t gate;  // flags << 16 | window
};

// From the IPv4 header on, of which and of what follows `cap` octets are there, 40 at least; on the wire there were
// no fewer. False: it is another, and `*p` is not to be used.
static inline __attribute__((always_inline)) bool usual_tcp(struct packet *p, const uint8_t *at,
                                                            uint32_t cap, struct usual *u)
{
    const uint8_t *tcp = at + 20;
    uint32_t total = be16(at + 2), header = (uint32_t)tcp[12] >> 2 & 0x3cu;
    if (!usual_ipv4(at) || at[9] != 6 || total > cap || header < 20 || header + 20 > total)
        return false;
    uint16_t window = be16(tcp + 14), id = be16(at + 4), checksum = be16(tcp + 16);
    *u = (struct usual){.from = octets_mapped_v4(at + 12),
                        .to = octets_mapped_v4(at + 16),
                        .marks = packet_marks_of(octets_two32(tcp + 4), id, checksum, total),
                        .ports = octets_two16(tcp),
                        .gate = (uint32_t)tcp[13] << 16 | window};
    p->family = IP_V4;
    p->ip_proto = 6;
    p->ttl = at[8];
    p->ip_packets = 1;
    octets_put_v4(p->addr[0], u->from);
    octets_put_v4(p->addr[1], u->to);
    packet_set_ports(p, u->ports);
    packet_set_gate(p, window, tcp[13], header - 20);
    packet_set_marks(p, u->marks);
    p->payload = span_of(tcp + header, total - 20 - header);
    p->payload_wire = total - 20 - header;
    return true;
}

// A frame of Ethernet (`linktype` 1); `cap` octets of it are there.
static inline __attribute__((always_inline)) bool usual_frame(const struct decap *d, int linktype,
                                                              const uint8_t *frame, size_t cap,
                                                              struct packet *p, struct usual *u)
{
    uint16_t type;
    if (linktype != 1 || cap < 14 + 40)
        return false;
    memcpy(&type, frame + 12, sizeof type);
    if (type != octets_wire16(0x0800) || !usual_tcp(p, frame + 14, (uint32_t)cap - 14, u))
        return false;
    p->mac = frame;
    p->has = PACKET_HAS_MAC | PACKET_HAS_IP;
    memcpy((uint8_t *)p + offsetof(struct packet, layer_count), d->plain[0][0], DECAP_PLAIN);
    return true;
}
