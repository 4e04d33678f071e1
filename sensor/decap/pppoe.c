// PPPoE sessions (RFC 2516). Discovery carries no IP. What lies behind the stated length is padding; a
// length beyond the frame is a packet that was cut before it came (decap_whole).
#include "decap/decap.h"

#define HEADER 6

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    if (r->at[0] != 0x11)
        return decap_broken(r, DECAP_BAD_VERSION);
    if (r->at[1] != 0)
        return DECAP_NO_IP;
    uint16_t length = be16(r->at + 4);
    r->packet->pppoe_session = be16(r->at + 2);
    r->packet->has |= PACKET_HAS_PPPOE;
    decap_step(r, HEADER);
    if (!decap_whole(r, length))
        return decap_broken(r, DECAP_BAD_LENGTH);
    return decap_by_linktype(r, 9);
}

static const uint16_t ethertypes[] = {0x8864, 0};
static const int linktypes[] = {51, -1};

const struct decap_descriptor decap_pppoe = {
    .name = "pppoes", .linktypes = linktypes, .ethertypes = ethertypes, .decode = decode};
