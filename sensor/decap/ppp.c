// PPP (RFC 1661) with or without address and control octets, protocol field of one or two octets
// (RFC 1661 section 6.5), HDLC-like framing (RFC 1662) as capture files keep it: without flags.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 2)
        return decap_lacks(r, 2);
    if (r->at[0] == 0xff && r->at[1] == 0x03) {
        decap_step(r, 2);
        if (r->cap < 2)
            return decap_lacks(r, 2);
    } else if (r->at[0] == 0x0f || r->at[0] == 0x8f) {
        return decap_by_linktype(r, 104); // Cisco's HDLC on a serial link
    }
    uint16_t protocol = r->at[0];
    uint32_t octets = 1;
    if (!(r->at[0] & 1)) {
        protocol = be16(r->at);
        octets = 2;
    }
    decap_step(r, octets);
    return decap_by_ppp(r, protocol);
}

static const int linktypes[] = {9, 50, 166, -1};
static const uint16_t ethertypes[] = {0x880b, 0}; // in GRE: PPTP

const struct decap_descriptor decap_ppp = {
    .name = "ppp", .linktypes = linktypes, .ethertypes = ethertypes, .decode = decode};
