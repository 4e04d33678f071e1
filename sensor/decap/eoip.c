// MikroTik's Ethernet over IP: in GRE's key field stand the frame's length and the tunnel's number
// (little-endian). The vendor publishes no description; the layout is what its routers send.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    uint32_t length = r->hint >> 16;
    if (length == 0) // keepalive
        return DECAP_NO_IP;
    if (length > r->wire)
        return decap_broken(r, DECAP_BAD_LENGTH);
    decap_clip(r, length);
    return decap_by_ethertype(r, 0x6558);
}

static const uint16_t ethertypes[] = {0x6400, 0};

const struct decap_descriptor decap_eoip = {
    .name = "eoip", .ethertypes = ethertypes, .decode = decode};
