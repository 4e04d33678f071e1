// IPv6 (RFC 8200) with its extension headers, jumbograms (RFC 2675) and what a network card leaves of
// them (payload length zero: the packet ends with its frame). A length beyond the frame is a packet that
// was cut before it came (decap_whole). Headers are walked up to a bound.
#include "decap/decap.h"

#include "common/addr.h"

#define HEADER         40
#define EXTENSIONS_MAX 10

enum {
    HOP_BY_HOP = 0,
    ROUTING = 43,
    FRAGMENT = 44,
    AUTHENTICATION = 51,
    NO_NEXT = 59,
    DESTINATION = 60,
    MOBILITY = 135,
    HIP = 139,
    SHIM6 = 140
};

// A fragment header stands at r->at. On success what follows is the whole datagram.
static enum decap_result join(struct decap_run *r, uint8_t *next)
{
    struct packet *p = r->packet;
    if (r->cap < 8)
        return decap_lacks(r, 8);
    uint16_t field = be16(r->at + 2);
    uint32_t id = be32(r->at + 4);
    uint8_t first_next = r->at[0];
    decap_step(r, 8);
    if ((field & 0xfff9) == 0) { // atomic fragment, RFC 6946
        *next = first_next;
        return DECAP_NEXT;
    }
    if (!r->decap->frag)
        return DECAP_HELD;
    if (r->cap < r->wire)
        return DECAP_SHORT;
    struct frag_key key = decap_frag_key(r);
    key.id = id;
    struct frag_piece piece = {.offset = field & 0xfff8u,
                               .data = span_of(r->at, r->cap),
                               .more = field & 1,
                               .next_header = first_next,
                               .ip_octets = p->ip_octets};
    struct frag_whole whole;
    switch (frag_add(r->decap->frag, &key, &piece, p->t_us, &whole)) {
    case FRAG_KEPT: return DECAP_HELD;
    case FRAG_BAD: return decap_broken(r, DECAP_FRAGMENT);
    case FRAG_NO_MEMORY: return decap_broken(r, DECAP_NO_MEMORY);
    case FRAG_WHOLE: break;
    }
    r->at = whole.data.data;
    r->cap = r->wire = (uint32_t)whole.data.len;
    p->ip_octets = whole.ip_octets;
    p->ip_packets = whole.packets;
    *next = whole.next_header;
    return DECAP_NEXT;
}

static enum decap_result walk(struct decap_run *r, uint8_t next)
{
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        switch (next) {
        case HOP_BY_HOP:
        case ROUTING:
        case DESTINATION:
        case MOBILITY:
        case HIP:
        case SHIM6:
        case AUTHENTICATION: {
            if (r->cap < 8)
                return decap_lacks(r, 8);
            // RFC 4302 counts in words of four octets, less two; other headers may follow it.
            uint32_t octets = next == AUTHENTICATION ? (r->at[1] + 2u) * 4 : (r->at[1] + 1u) * 8;
            if (octets > r->wire)
                return decap_broken(r, DECAP_BAD_LENGTH);
            if (octets > r->cap)
                return decap_lacks(r, octets);
            next = r->at[0];
            decap_step(r, octets);
            break;
        }
        case FRAGMENT: {
            enum decap_result result = join(r, &next);
            if (result != DECAP_NEXT)
                return result;
            break;
        }
        case NO_NEXT: return DECAP_NO_IP;
        default: r->packet->ip_proto = next; return decap_by_ip_protocol(r, next);
        }
    }
    return decap_broken(r, DECAP_TOO_DEEP);
}

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    struct packet *p = r->packet;
    uint32_t payload = be16(r->at + 4);
    if (r->at[0] >> 4 != 6)
        return decap_broken(r, DECAP_BAD_VERSION);
    if (payload == 0)
        payload = r->wire - HEADER;
    if (!decap_whole(r, payload + HEADER))
        return decap_broken(r, DECAP_BAD_LENGTH);
    decap_enter_ip(r);
    p->has = (p->has & ~(uint32_t)PACKET_HAS_OUTER) | PACKET_HAS_IP;
    p->family = IP_V6;
    p->ip_id = 0;
    p->ttl = r->at[7];
    p->ip_octets = payload + HEADER;
    p->ip_packets = 1;
    memcpy(p->addr, r->at + 8, 32);
    uint8_t next = r->at[6];
    decap_step(r, HEADER);
    return walk(r, next);
}

static const uint16_t ethertypes[] = {0x86dd, 0};
static const uint16_t ip_protocols[] = {41, 0};
static const uint16_t ppp_protocols[] = {0x0057, 0};

const struct decap_descriptor decap_ipv6 = {.name = "ipv6",
                                            .quiet = true,
                                            .ethertypes = ethertypes,
                                            .ip_protocols = ip_protocols,
                                            .ppp_protocols = ppp_protocols,
                                            .decode = decode};
