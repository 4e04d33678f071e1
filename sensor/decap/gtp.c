// GTP-U (3GPP TS 29.281): user packets of mobile subscribers. Signalling stays plain UDP.
#include "decap/decap.h"

#define HEADER         8
#define G_PDU          255
#define FLAG_OPTIONAL  0x07 // extension header, sequence number, N-PDU number
#define FLAG_EXTENSION 0x04
#define EXTENSIONS_MAX 8

static enum decap_result decode(struct decap_run *r)
{
    // Version 1, protocol type GTP.
    if (r->cap < HEADER || (r->at[0] & 0xf0) != 0x30 || r->at[1] != G_PDU)
        return DECAP_NOT_MINE;
    uint8_t flags = r->at[0];
    uint32_t teid = be32(r->at + 4);
    uint16_t length = be16(r->at + 2);
    if (length + (uint32_t)HEADER > r->wire)
        return DECAP_NOT_MINE;
    decap_clip(r, length + (uint32_t)HEADER);
    decap_step(r, HEADER);
    if (flags & FLAG_OPTIONAL) {
        if (r->cap < 4)
            return decap_lacks(r, 4);
        uint8_t next = flags & FLAG_EXTENSION ? r->at[3] : 0;
        decap_step(r, 4);
        for (unsigned i = 0; next != 0; i++) {
            if (i >= EXTENSIONS_MAX)
                return decap_broken(r, DECAP_TOO_DEEP);
            if (r->cap < 1)
                return decap_lacks(r, 1);
            uint32_t octets = r->at[0] * 4u;
            if (octets == 0)
                return decap_broken(r, DECAP_BAD_LENGTH);
            if (r->cap < octets)
                return decap_lacks(r, octets);
            next = r->at[octets - 1];
            decap_step(r, octets);
        }
    }
    if (!decap_looks_like_ip(r))
        return DECAP_NOT_MINE;
    r->packet->gtp_teid = teid;
    decap_nest(r, teid);
    r->packet->has |= PACKET_HAS_GTP;
    return decap_by_ip_version(r, SKIPPED_NULL);
}

static const uint16_t udp_ports[] = {2152, 0};

const struct decap_descriptor decap_gtp = {.name = "gtp", .udp_ports = udp_ports, .decode = decode};
