// Where the outermost IP packet of an Ethernet frame stands, and its checksums (RFC 1071). Headers are
// read from bounded spans; a frame that is cut short or makes no sense simply has no IP packet.
#pragma once

#include "common/span.h"

enum { PACKET_IPV4 = 0x0800, PACKET_IPV6 = 0x86dd, PACKET_TCP = 6 };

static inline uint16_t packet_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t packet_get32(const uint8_t *p)
{
    return (uint32_t)packet_get16(p) << 16 | packet_get16(p + 2);
}

static inline void packet_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void packet_put32(uint8_t *p, uint32_t v)
{
    packet_put16(p, v >> 16);
    packet_put16(p + 2, v);
}

// Offsets count from the frame's first octet.
struct packet_ip {
    size_t type_at; // of the Ethernet type that says IP
    size_t at;      // of the IP header
    size_t body_at; // behind IPv4 options, or behind the IPv6 headers that every fragment carries
    size_t end;     // of the IP packet by its own length; of the wire frame when it says 0
    size_t next_at; // of the octet that says what the body is (protocol, next header)
    uint8_t version;
    uint8_t next;
    bool fragment; // is one already
    bool whole;    // captured to its end
    uint8_t address_len;
    size_t source_at; // addresses stand behind each other
};

// Behind VLAN tags too. `wire`: the frame's length on the wire. False: no IP header there.
bool packet_find_ip(struct span frame, uint32_t wire, struct packet_ip *out);

// -1: the first end's address is the lower, 1: the higher, 0: the same.
int packet_direction(const uint8_t *frame, const struct packet_ip *ip);

uint16_t packet_checksum(struct span data, uint32_t start);
// Writes the checksum of the IPv4 header at `header`.
void packet_seal_ipv4(uint8_t *header, size_t len);
// Writes the checksum of the TCP segment that fills the IP packet's body.
void packet_seal_tcp(uint8_t *frame, const struct packet_ip *ip);
