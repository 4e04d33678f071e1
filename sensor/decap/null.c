// BSD loopback: four octets of address family, in the capturing host's byte order (null) or in network
// order (loop). Families of IPv6 differ from BSD to BSD.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 4)
        return decap_lacks(r, 4);
    uint32_t family = be32(r->at);
    if (family > 0xffff)
        family = (uint32_t)r->at[0] | (uint32_t)r->at[1] << 8;
    decap_step(r, 4);
    switch (family) {
    case 2: return decap_by_ethertype(r, 0x0800);
    case 10:
    case 24:
    case 28:
    case 30: return decap_by_ethertype(r, 0x86dd);
    default: return decap_skip(r, SKIPPED_NULL, family);
    }
}

static const int linktypes[] = {0, 108, -1};

const struct decap_descriptor decap_null = {
    .name = "null", .linktypes = linktypes, .decode = decode};
