// The registry of encapsulations, the tables made of it, and the loop that takes layer after layer
// off a frame. The only file that names them all.
#include "decap/decap.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const struct decap_descriptor *const decap_registry[] = {
    &decap_ethernet,
    &decap_vlan,
    &decap_vlan_8021ad,
    &decap_pbb,
    &decap_mpls,
    &decap_pppoe,
    &decap_ppp,
    &decap_chdlc,
    &decap_l2tp,
    &decap_sll,
    &decap_sll2,
    &decap_raw,
    &decap_null,
    &decap_ipv4,
    &decap_ipv6,
    &decap_ah,
    &decap_gre,
    &decap_eoip,
    &decap_erspan2,
    &decap_erspan3,
    &decap_vxlan,
    &decap_vxlan_gpe,
    &decap_geneve,
    &decap_gtp,
    &decap_wlan,
    &decap_radiotap,
    &decap_tcp,
    &decap_udp,
    &decap_icmp,
    &decap_icmpv6,
    NULL,
};

#define REGISTERED (sizeof decap_registry / sizeof decap_registry[0] - 1)

// Ethertypes that are well known and carry no IP.
static const uint16_t no_ip_ethertypes[] = {0x0806, 0x8035, 0x88cc, 0x8809, 0x8863, 0x888e,
                                            0x88f7, 0x8902, 0x9000, 0x88c7, 0x8808, 0};
// PPP control: LCP, PAP, LQR, CHAP, EAP, IPCP, IPV6CP, MPLSCP, CCP, ECP.
static const uint16_t no_ip_ppp[] = {0xc021, 0xc023, 0xc025, 0xc223, 0xc227, 0x8021,
                                     0x8057, 0x8281, 0x80fd, 0x8053, 0};

#define NO_IP 255

static void enter(uint8_t *table, const uint16_t *list, uint8_t value)
{
    for (; list && *list != 0; list++)
        table[*list] = value;
}

void decap_init(struct decap *d, struct frag *frag)
{
    memset(d, 0, sizeof *d);
    d->frag = frag;
    for (uint8_t i = 0; i < REGISTERED; i++) {
        const struct decap_descriptor *x = decap_registry[i];
        uint8_t value = (uint8_t)(i + 1);
        enter(d->by_ethertype, x->ethertypes, value);
        enter(d->by_udp_port, x->udp_ports, value);
        enter(d->by_ppp, x->ppp_protocols, value);
        for (const uint16_t *p = x->ip_protocols; p && *p != 0; p++)
            d->by_ip_protocol[*p] = value;
        for (const int *l = x->linktypes; l && *l >= 0; l++)
            d->by_linktype[*l] = value;
    }
    for (unsigned v6 = 0; v6 < 2; v6++) {
        for (unsigned udp = 0; udp < 2; udp++) {
            const uint8_t layers[] = {3, (uint8_t)(d->by_linktype[1] - 1),
                                      (uint8_t)(d->by_ethertype[v6 ? 0x86dd : 0x0800] - 1),
                                      (uint8_t)(d->by_ip_protocol[udp ? 17 : 6] - 1)};
            memcpy(d->plain[v6][udp], layers, sizeof layers);
        }
    }
    enter(d->by_ethertype, no_ip_ethertypes, NO_IP);
    enter(d->by_ppp, no_ip_ppp, NO_IP);
}

const struct decap_descriptor *decap_layer(uint8_t index)
{
    assert(index < REGISTERED);
    return decap_registry[index];
}

void decap_broken_text(uint32_t number, char out[static SKIPPED_TEXT_MAX])
{
    static const char *const reason[] = {
#define X(name, text) text,
        DECAP_REASONS(X)
#undef X
    };
    assert(number >> 8 < REGISTERED && (number & 0xff) < DECAP_REASON_N);
    snprintf(out, SKIPPED_TEXT_MAX, "broken %s: %s", decap_registry[number >> 8]->name,
             reason[number & 0xff]);
}

enum decap_result decap_broken(struct decap_run *r, enum decap_reason reason)
{
    skipped_count(&r->decap->skipped, SKIPPED_BROKEN, (uint32_t)r->self << 8 | reason);
    return DECAP_BROKEN;
}

enum decap_result decap_skip(struct decap_run *r, enum skipped_kind kind, uint32_t number)
{
    skipped_count(&r->decap->skipped, kind, number);
    return DECAP_SKIPPED;
}

enum decap_result decap_lacks(struct decap_run *r, uint32_t n)
{
    if (r->wire < n && r->bounded)
        return decap_broken(r, DECAP_CUT_SHORT);
    r->cut = true;
    return DECAP_SHORT;
}

static enum decap_result follow(struct decap_run *r, uint8_t value, enum skipped_kind kind,
                                uint32_t number)
{
    if (value == 0)
        return decap_skip(r, kind, number);
    if (value == NO_IP)
        return DECAP_NO_IP;
    r->next = (uint8_t)(value - 1);
    return DECAP_NEXT;
}

enum decap_result decap_by_linktype(struct decap_run *r, int linktype)
{
    uint8_t value = linktype >= 0 && linktype < DECAP_LINKTYPES ? r->decap->by_linktype[linktype]
                                                                : 0;
    return follow(r, value, SKIPPED_LINKTYPE, (uint32_t)linktype);
}

enum decap_result decap_by_ethertype(struct decap_run *r, uint16_t type)
{
    return follow(r, r->decap->by_ethertype[type], SKIPPED_ETHERTYPE, type);
}

enum decap_result decap_by_ip_protocol(struct decap_run *r, uint8_t protocol)
{
    return follow(r, r->decap->by_ip_protocol[protocol], SKIPPED_IP_PROTOCOL, protocol);
}

enum decap_result decap_by_ppp(struct decap_run *r, uint16_t protocol)
{
    return follow(r, r->decap->by_ppp[protocol], SKIPPED_PPP, protocol);
}

bool decap_knows_ethertype(const struct decap *d, uint16_t type)
{
    return type >= 0x600 && d->by_ethertype[type] != 0;
}

enum decap_result decap_by_ip_version(struct decap_run *r, enum skipped_kind kind)
{
    if (r->cap < 1)
        return decap_lacks(r, 1);
    if (r->at[0] >> 4 == 4)
        return decap_by_ethertype(r, 0x0800);
    if (r->at[0] >> 4 == 6)
        return decap_by_ethertype(r, 0x86dd);
    return decap_skip(r, kind, r->at[0] >> 4);
}

bool decap_looks_like_ip(const struct decap_run *r)
{
    if (r->cap < 20)
        return false;
    if (r->at[0] >> 4 == 4) {
        uint32_t len = be16(r->at + 2);
        return (r->at[0] & 15) >= 5 && len >= 20 && len <= r->wire;
    }
    return r->at[0] >> 4 == 6 && r->cap >= 40 && 40u + be16(r->at + 4) <= r->wire;
}

struct frag_key decap_frag_key(const struct decap_run *r)
{
    const struct packet *p = r->packet;
    struct frag_key key = {.family = p->family};
    memcpy(key.addr, p->addr, sizeof key.addr);
    if (p->has & PACKET_HAS_VLAN)
        key.vlan[0] = p->vlan[0];
    if (p->has & PACKET_HAS_INNER_VLAN)
        key.vlan[1] = p->vlan[1];
    if (p->has & PACKET_HAS_PPPOE)
        key.pppoe_session = p->pppoe_session;
    if (p->has & PACKET_HAS_VNI)
        key.vni = p->vni;
    if (p->has & PACKET_HAS_GTP)
        key.gtp_teid = p->gtp_teid;
    if (p->has & PACKET_HAS_L2TP) {
        key.l2tp_tunnel = p->l2tp_tunnel;
        key.l2tp_session = p->l2tp_session;
    }
    key.gre_key = r->gre_key;
    key.nest = r->nest;
    memcpy(key.outer, r->around, sizeof key.outer);
    return key;
}

void decap_note_slicing(struct decap *d, enum decap_result result, struct packet *p)
{
    if (result != DECAP_PACKET || packet_sliced_octets(p) > 0) {
        p->has |= PACKET_SLICED;
        d->sliced++;
    }
}

// One layer after another, until there is a transport header or an end.
enum decap_result decap_layers(struct decap *d, int linktype, struct span frame, uint32_t wire,
                               struct packet *p)
{
    uint32_t cap = frame.len < wire ? (uint32_t)frame.len : wire;
    struct decap_run r = {.at = frame.data, .cap = cap, .wire = wire, .packet = p, .decap = d};
    p->has = 0;
    p->layer_count = 0;
    p->ip_packets = 0;
    enum decap_result result = decap_by_linktype(&r, linktype);
    for (unsigned step = 0; result == DECAP_NEXT; step++) {
        // A tunnel over UDP takes two places in one step.
        if (step >= PACKET_LAYERS_MAX || p->layer_count >= PACKET_LAYERS_MAX) {
            result = decap_broken(&r, DECAP_TOO_DEEP);
            break;
        }
        const struct decap_descriptor *x = decap_registry[r.next];
        r.before = r.self;
        r.self = r.next;
        p->layer[p->layer_count++] = r.self;
        result = x->decode(&r);
    }
    if (result == DECAP_NO_IP)
        d->no_ip++;
    if (cap < wire || r.cut)
        decap_note_slicing(d, result, p);
    d->cut += cap == wire && (p->has & PACKET_SLICED);
    return result;
}
