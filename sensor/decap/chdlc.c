// Cisco HDLC: address, control, ethertype. SLARP (0x8035) and CDP (0x2000) carry no IP.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 4)
        return decap_lacks(r, 4);
    uint16_t type = be16(r->at + 2);
    decap_step(r, 4);
    return type == 0x2000 ? DECAP_NO_IP : decap_by_ethertype(r, type);
}

static const int linktypes[] = {104, -1};

const struct decap_descriptor decap_chdlc = {
    .name = "chdlc", .linktypes = linktypes, .decode = decode};
