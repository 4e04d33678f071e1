// Provider backbone bridges, IEEE 802.1ah: behind an I-TAG of four octets stands the customer's frame.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 4)
        return decap_lacks(r, 4);
    decap_step(r, 4);
    return decap_by_ethertype(r, 0x6558);
}

static const uint16_t ethertypes[] = {0x88e7, 0};

const struct decap_descriptor decap_pbb = {
    .name = "ieee8021ah", .ethertypes = ethertypes, .decode = decode};
