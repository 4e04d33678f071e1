// Frames written as words, outermost first, with lengths that are right by construction:
//
//     "eth:0800 ip4:17 udp:4789 x:0800000000138900 eth:0800 v4"
//
// v4, v6         the innermost packet: TCP from port 40000 to 25, payload "abc", 192.0.2.1 > 198.51.100.2
//                or 2001:db8::1 > 2001:db8::2
// eth:TYPE       Ethernet header with this type (hex)
// ip4:P ip6:P    IP header of the protocol P (decimal) around what follows
// udp:PORT       UDP header to PORT
// pppoe:S        PPPoE session header
// gtp gtp:TEID   GTP-U header without options, TEID 7 or this one (below 256)
// eoip           GRE header of MikroTik's EoIP
// pptp           GRE version 1 header
// x:HEX          these octets
#pragma once

#include <stdint.h>

#define RECIPE_MAX 2048

struct recipe {
    uint8_t *at; // into `room`
    uint32_t len;
    uint8_t room[RECIPE_MAX];
};

void recipe_make(struct recipe *r, const char *words);
