// VXLAN (RFC 7348) and its generic protocol extension (draft-ietf-nvo3-vxlan-gpe).
#include "decap/decap.h"

#define HEADER    8
#define FLAG_VNI  0x08
#define FLAG_NEXT 0x04

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER || !(r->at[0] & FLAG_VNI))
        return DECAP_NOT_MINE;
    r->packet->vni = be24(r->at + 4);
    decap_nest(r, r->packet->vni);
    r->packet->has |= PACKET_HAS_VNI;
    decap_step(r, HEADER);
    return decap_by_ethertype(r, 0x6558);
}

static enum decap_result decode_gpe(struct decap_run *r)
{
    if (r->cap < HEADER || !(r->at[0] & FLAG_VNI))
        return DECAP_NOT_MINE;
    uint8_t next = r->at[0] & FLAG_NEXT ? r->at[3] : 3;
    r->packet->vni = be24(r->at + 4);
    decap_nest(r, r->packet->vni);
    r->packet->has |= PACKET_HAS_VNI;
    decap_step(r, HEADER);
    switch (next) {
    case 1: return decap_by_ethertype(r, 0x0800);
    case 2: return decap_by_ethertype(r, 0x86dd);
    case 3: return decap_by_ethertype(r, 0x6558);
    case 5: return decap_by_ethertype(r, 0x8847);
    default: return decap_skip(r, SKIPPED_GPE, next);
    }
}

static const uint16_t ports[] = {4789, 8472, 0};
static const uint16_t gpe_ports[] = {4790, 0};

const struct decap_descriptor decap_vxlan = {.name = "vxlan", .udp_ports = ports, .decode = decode};
const struct decap_descriptor decap_vxlan_gpe = {
    .name = "vxlan", .udp_ports = gpe_ports, .decode = decode_gpe};
