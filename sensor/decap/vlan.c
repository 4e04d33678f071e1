// VLAN tags: IEEE 802.1Q (0x8100 and the pre-standard stack types) and 802.1ad (0x88a8), in stacks of
// any depth. The outermost two identifiers of a frame are kept.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 4)
        return decap_lacks(r, 4);
    struct packet *p = r->packet;
    uint16_t id = be16(r->at) & 0x0fff, type = be16(r->at + 2);
    if (!(p->has & PACKET_HAS_VLAN)) {
        p->vlan[0] = id;
        p->has |= PACKET_HAS_VLAN;
    } else if (!(p->has & PACKET_HAS_INNER_VLAN)) {
        p->vlan[1] = id;
        p->has |= PACKET_HAS_INNER_VLAN;
    }
    decap_step(r, 4);
    if (type < 0x600) { // 802.3 behind a tag: LLC/SNAP only
        decap_clip(r, type);
        if (r->cap < 8 || be24(r->at) != 0xaaaa03)
            return DECAP_NO_IP;
        type = be16(r->at + 6);
        decap_step(r, 8);
    }
    return decap_by_ethertype(r, type);
}

static const uint16_t q_types[] = {0x8100, 0x9100, 0x9200, 0x9300, 0};
static const uint16_t ad_types[] = {0x88a8, 0};

const struct decap_descriptor decap_vlan = {
    .name = "vlan", .ethertypes = q_types, .decode = decode};
const struct decap_descriptor decap_vlan_8021ad = {
    .name = "8021ad", .ethertypes = ad_types, .decode = decode};
