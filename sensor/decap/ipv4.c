// IPv4 (RFC 791) with options, wherever it stands: on a link, in IPv4 (RFC 2003), in IPv6 (RFC 2473).
// A total length of zero is a segment that the network card will cut later (TSO): it ends with its
// frame. One beyond the frame is a packet that was cut before it came (decap_whole). Checksums are not
// looked at.
#include "decap/decap.h"

#include "common/addr.h"

#define HEADER 20

static enum decap_result join(struct decap_run *r, uint32_t octets)
{
    struct packet *p = r->packet;
    uint16_t field = be16(r->at - octets + 6);
    if (!r->decap->frag)
        return DECAP_HELD;
    if (r->cap < r->wire)
        return DECAP_SHORT;
    struct frag_key key = decap_frag_key(r);
    key.id = p->ip_id;
    key.protocol = p->ip_proto;
    struct frag_piece piece = {.offset = (field & 0x1fffu) * 8,
                               .data = span_of(r->at, r->cap),
                               .more = field & 0x2000,
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
    return DECAP_NEXT;
}

static void keep_address(uint8_t to[static 16], const uint8_t from[static 4])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(to, mapped, 12);
    memcpy(to + 12, from, 4);
}

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    struct packet *p = r->packet;
    uint32_t header = (r->at[0] & 15u) * 4, total = be16(r->at + 2);
    if (r->at[0] >> 4 != 4)
        return decap_broken(r, DECAP_BAD_VERSION);
    if (total == 0)
        total = r->wire;
    if (header < HEADER || total < header || !decap_whole(r, total))
        return decap_broken(r, DECAP_BAD_LENGTH);
    if (r->cap < header)
        return decap_lacks(r, header);
    if ((p->has & PACKET_HAS_IP) && r->before == r->decap->by_ethertype[0x86dd] - 1) {
        memcpy(p->outer, p->addr, sizeof p->outer);
        p->has |= PACKET_HAS_OUTER;
    }
    decap_enter_ip(r);
    p->has |= PACKET_HAS_IP;
    p->family = IP_V4;
    p->ip_id = be16(r->at + 4);
    p->ttl = r->at[8];
    p->ip_proto = r->at[9];
    p->ip_octets = total;
    p->ip_packets = 1;
    keep_address(p->addr[0], r->at + 12);
    keep_address(p->addr[1], r->at + 16);
    uint16_t fragment = be16(r->at + 6) & 0x3fff;
    decap_step(r, header);
    if (fragment) {
        enum decap_result result = join(r, header);
        if (result != DECAP_NEXT)
            return result;
    }
    return decap_by_ip_protocol(r, p->ip_proto);
}

static const uint16_t ethertypes[] = {0x0800, 0};
static const uint16_t ip_protocols[] = {4, 0};
static const uint16_t ppp_protocols[] = {0x0021, 0};

const struct decap_descriptor decap_ipv4 = {.name = "ipv4",
                                            .quiet = true,
                                            .ethertypes = ethertypes,
                                            .ip_protocols = ip_protocols,
                                            .ppp_protocols = ppp_protocols,
                                            .decode = decode};
