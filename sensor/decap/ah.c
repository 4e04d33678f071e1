// The IPsec authentication header (RFC 4302): authenticated, not encrypted, so what follows can be read.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 12)
        return decap_lacks(r, 12);
    uint32_t octets = (r->at[1] + 2u) * 4;
    uint8_t next = r->at[0];
    if (octets < 12 || octets > r->wire)
        return decap_broken(r, DECAP_BAD_LENGTH);
    if (octets > r->cap)
        return decap_lacks(r, octets);
    r->packet->ip_proto = next;
    decap_step(r, octets);
    return decap_by_ip_protocol(r, next);
}

static const uint16_t ip_protocols[] = {51, 0};

const struct decap_descriptor decap_ah = {
    .name = "ah", .quiet = true, .ip_protocols = ip_protocols, .decode = decode};
