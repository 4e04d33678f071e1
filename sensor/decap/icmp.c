// ICMP (RFC 792) and ICMPv6 (RFC 4443), as far as an error says which TCP attempt it ended: the quoted
// packet is handed on as the payload.
#include "decap/decap.h"

#define HEADER 8

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    struct packet *p = r->packet;
    p->icmp_type = r->at[0];
    p->icmp_code = r->at[1];
    p->checksum = be16(r->at + 2);
    p->port[0] = p->port[1] = 0;
    decap_step(r, HEADER);
    p->payload = span_of(r->at, r->cap);
    p->payload_wire = r->wire;
    return DECAP_PACKET;
}

static const uint16_t v4[] = {1, 0};
static const uint16_t v6[] = {58, 0};

const struct decap_descriptor decap_icmp = {
    .name = "icmp", .quiet = true, .ip_protocols = v4, .decode = decode};
const struct decap_descriptor decap_icmpv6 = {
    .name = "icmpv6", .quiet = true, .ip_protocols = v6, .decode = decode};
