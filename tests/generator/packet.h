// Frames: one TCP segment, UDP datagram or ICMP error, wrapped as the line's link says, correct to
// every checksum (RFC 1071; IPv4 header, TCP, UDP, ICMP, ICMPv6).
#pragma once

#include "common/addr.h"

enum wrap { WRAP_NONE, WRAP_VLAN, WRAP_QINQ, WRAP_QINQ_PPPOE, WRAP_MPLS };
extern const char *const wrap_names[]; // in the order of enum wrap, NULL-terminated

enum { FRAME_MAX = 1640, TCP_OPTIONS_MAX = 40 };

// What lies around the IP packet of one line, by direction.
struct link {
    enum wrap wrap;
    uint8_t mac_subscriber[6];
    uint8_t mac_network[6];
    uint16_t vlan_out, vlan_in; // differ on many mirrors
    uint16_t svlan, cvlan;
    uint16_t pppoe_session;
    uint32_t label_out, label_in;
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

struct packet_ip {
    struct ip_addr src, dst; // same family
    uint8_t ttl;
    uint16_t id;   // IPv4 identification
    bool outbound; // from the subscriber: chooses addresses and labels of the link
    bool unpadded; // leave frames below Ethernet's 60 octets as they are (captured at their sender)
    uint8_t pad;   // and put so many octets behind an unpadded one
};

struct packet_tcp {
    struct packet_ip ip;
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window;
    uint8_t options[TCP_OPTIONS_MAX];
    size_t options_len; // a multiple of four
};

// Each writes at most FRAME_MAX octets to `out` and returns how many.
size_t packet_tcp(uint8_t out[static FRAME_MAX], const struct link *link,
                  const struct packet_tcp *p, struct span payload);
size_t packet_udp(uint8_t out[static FRAME_MAX], const struct link *link,
                  const struct packet_ip *ip, uint16_t src_port, uint16_t dst_port,
                  struct span payload);
// Destination unreachable, administratively prohibited, quoting the head of the SYN `about`.
size_t packet_prohibited(uint8_t out[static FRAME_MAX], const struct link *link,
                         const struct packet_ip *ip, const struct packet_tcp *about);

// The most TCP payload that fits the link's 1500 octets, for IPv4 or IPv6 without options.
uint16_t packet_mss(const struct link *link, uint8_t family);
