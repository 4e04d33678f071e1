// The TCP header (RFC 9293). Its checksum is not looked at: offloading falsifies it in captures.
#include "decap/decap.h"

#define HEADER 20

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    struct packet *p = r->packet;
    uint32_t header = (r->at[12] >> 4) * 4u;
    if (header < HEADER || header > r->wire)
        return decap_broken(r, DECAP_BAD_LENGTH);
    p->port[0] = be16(r->at);
    p->port[1] = be16(r->at + 2);
    p->seq = be32(r->at + 4);
    p->ack = be32(r->at + 8);
    p->tcp_flags = r->at[13];
    p->window = be16(r->at + 14);
    p->checksum = be16(r->at + 16);
    uint32_t captured = header < r->cap ? header : r->cap;
    p->tcp_options = (uint8_t)(captured - HEADER);
    p->payload = span_of(r->at + captured, r->cap - captured);
    p->payload_wire = r->wire - header;
    return DECAP_PACKET;
}

static const uint16_t ip_protocols[] = {6, 0};

const struct decap_descriptor decap_tcp = {
    .name = "tcp", .quiet = true, .ip_protocols = ip_protocols, .decode = decode};
