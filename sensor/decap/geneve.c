// GENEVE (RFC 8926): options are stepped over by their stated length.
#include "decap/decap.h"

#define HEADER 8

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER || r->at[0] >> 6 != 0)
        return DECAP_NOT_MINE;
    uint32_t octets = HEADER + (r->at[0] & 0x3fu) * 4;
    uint16_t type = be16(r->at + 2);
    if (octets > r->cap)
        return octets > r->wire ? DECAP_NOT_MINE : decap_lacks(r, octets);
    r->packet->vni = be24(r->at + 4);
    decap_nest(r, r->packet->vni);
    r->packet->has |= PACKET_HAS_VNI;
    decap_step(r, octets);
    return decap_by_ethertype(r, type);
}

static const uint16_t udp_ports[] = {6081, 0};

const struct decap_descriptor decap_geneve = {
    .name = "geneve", .udp_ports = udp_ports, .decode = decode};
