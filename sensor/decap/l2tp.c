// L2TPv2 data messages over UDP (RFC 2661). Control messages are UDP like any other.
#include "decap/decap.h"

#define TYPE     0x8000
#define LENGTH   0x4000
#define SEQUENCE 0x0800
#define OFFSET   0x0200
#define VERSION  0x000f

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 6)
        return DECAP_NOT_MINE;
    uint16_t flags = be16(r->at);
    if ((flags & VERSION) != 2 || (flags & TYPE))
        return DECAP_NOT_MINE;
    uint32_t header = 6 + (flags & LENGTH ? 2u : 0) + (flags & SEQUENCE ? 4u : 0);
    uint32_t at = flags & LENGTH ? 4 : 2;
    if (r->cap < header + (flags & OFFSET ? 2u : 0))
        return DECAP_NOT_MINE;
    if (flags & LENGTH) {
        uint16_t length = be16(r->at + 2);
        if (length < header || length > r->wire)
            return DECAP_NOT_MINE;
        decap_clip(r, length);
    }
    uint16_t tunnel = be16(r->at + at), session = be16(r->at + at + 2);
    if (flags & OFFSET)
        header += 2u + be16(r->at + header);
    if (r->cap < header)
        return decap_lacks(r, header);
    r->packet->l2tp_tunnel = tunnel;
    r->packet->l2tp_session = session;
    decap_nest(r, (uint64_t)tunnel << 16 | session);
    r->packet->has |= PACKET_HAS_L2TP;
    decap_step(r, header);
    return decap_by_linktype(r, 9);
}

static const uint16_t udp_ports[] = {1701, 0};

const struct decap_descriptor decap_l2tp = {
    .name = "l2tp", .udp_ports = udp_ports, .decode = decode};
