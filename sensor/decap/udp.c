// UDP (RFC 768), and tunnels in it: they are tried by port and may say that it is not theirs.
#include "decap/decap.h"

#define HEADER 8

// A tunnel's far end often answers from its own port to a random one.
static uint8_t tunnel_of(const struct decap *d, const struct packet *p)
{
    uint8_t by_destination = d->by_udp_port[p->port[1]];
    return by_destination ? by_destination : d->by_udp_port[p->port[0]];
}

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    struct packet *p = r->packet;
    uint32_t length = be16(r->at + 4);
    if (length == 0) // jumbogram, or a segment that the card will cut later
        length = r->wire;
    if (length < HEADER || length > r->wire)
        return decap_broken(r, DECAP_BAD_LENGTH);
    decap_clip(r, length);
    p->port[0] = be16(r->at);
    p->port[1] = be16(r->at + 2);
    p->checksum = be16(r->at + 6);
    decap_step(r, HEADER);
    p->payload = span_of(r->at, r->cap);
    p->payload_wire = r->wire;
    uint8_t tunnel = tunnel_of(r->decap, p);
    if (tunnel == 0)
        return DECAP_PACKET;
    struct decap_run inside = *r;
    inside.before = r->self;
    inside.self = (uint8_t)(tunnel - 1);
    enum decap_result result = decap_registry[inside.self]->decode(&inside);
    if (result == DECAP_NOT_MINE)
        return DECAP_PACKET;
    if (p->layer_count < PACKET_LAYERS_MAX)
        p->layer[p->layer_count++] = inside.self;
    *r = inside;
    return result;
}

static const uint16_t ip_protocols[] = {17, 0};

const struct decap_descriptor decap_udp = {
    .name = "udp", .quiet = true, .ip_protocols = ip_protocols, .decode = decode};
