// Ethernet II and IEEE 802.3 with LLC/SNAP. A frame inside a tunnel begins anew: its addresses and
// VLAN tags are the subscriber's, those outside were the carrier's.
#include "decap/decap.h"

#define HEADER   14
#define LLC_SNAP 0xaa
#define LLC_IP   0x06

// 802.3: the type field is a length; behind it stands LLC.
static enum decap_result decode_llc(struct decap_run *r, uint16_t length)
{
    r->bounded = r->wire >= length;
    decap_clip(r, length);
    if (r->cap < 3)
        return decap_lacks(r, 3);
    uint8_t dsap = r->at[0];
    if (dsap == LLC_IP && r->at[1] == LLC_IP) {
        decap_step(r, 3);
        return decap_by_ethertype(r, 0x0800);
    }
    if (dsap != LLC_SNAP || r->at[1] != LLC_SNAP)
        // Spanning tree, IS-IS, NetBIOS, IPX, CDP-like: understood as no IP.
        return dsap == 0x42 || dsap == 0xfe || dsap == 0xf0 || dsap == 0xe0 || dsap == 0xff
                   ? DECAP_NO_IP
                   : decap_skip(r, SKIPPED_LLC, dsap);
    if (r->cap < 8)
        return decap_lacks(r, 8);
    uint32_t organisation = be24(r->at + 3);
    uint16_t type = be16(r->at + 6);
    decap_step(r, 8);
    // Encapsulated Ethernet (0) and bridged 802.1H (0x0000f8) carry an ethertype; vendors' own do not.
    return organisation == 0 || organisation == 0xf8 ? decap_by_ethertype(r, type) : DECAP_NO_IP;
}

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    struct packet *p = r->packet;
    p->mac = r->at;
    p->has = (p->has & ~(uint32_t)(PACKET_HAS_VLAN | PACKET_HAS_INNER_VLAN | PACKET_HAS_PPPOE)) |
             PACKET_HAS_MAC;
    uint16_t type = be16(r->at + 12);
    r->bounded = false;
    decap_step(r, HEADER);
    return type >= 0x600 ? decap_by_ethertype(r, type) : decode_llc(r, type);
}

static const int linktypes[] = {1, -1};
static const uint16_t ethertypes[] = {0x6558, 0}; // transparent Ethernet bridging

const struct decap_descriptor decap_ethernet = {.name = "ethernet",
                                                .quiet = true,
                                                .linktypes = linktypes,
                                                .ethertypes = ethertypes,
                                                .decode = decode};
