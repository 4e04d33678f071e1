// The way nearly all packets take, in one piece: Ethernet, VLAN tags, PPPoE, IPv4 or IPv6 without
// fragments and extension headers, TCP or UDP that is no tunnel. What it does not know to the last octet
// it leaves to the layers, one by one; what it takes comes out exactly as they would have it (the test
// holds one against the other). It saves calls, not checks.
#include "common/addr.h"
#include "decap/decap.h"

// Where one frame stands: `at` of `cap` captured octets, of `wire`.
struct walk {
    const struct decap *decap;
    const uint8_t *at;
    uint32_t cap, wire, has;
    struct packet *packet;
};

static inline void step(struct walk *w, uint32_t n)
{
    w->at += n;
    w->cap -= n;
    w->wire -= n;
}

static bool enter(struct walk *w, uint8_t value)
{
    struct packet *p = w->packet;
    if (p->layer_count == PACKET_LAYERS_MAX - 4)
        return false;
    p->layer[p->layer_count++] = (uint8_t)(value - 1);
    return true;
}

// Tags; the ethertype behind them, 0: not for us.
static uint16_t tags(struct walk *w, uint16_t type)
{
    struct packet *p = w->packet;
    while (type == 0x8100 || type == 0x88a8) {
        if (w->cap < 4 || !enter(w, w->decap->by_ethertype[type]))
            return 0;
        uint16_t id = be16(w->at) & 0x0fff;
        if (!(w->has & PACKET_HAS_VLAN)) {
            p->vlan[0] = id;
            w->has |= PACKET_HAS_VLAN;
        } else if (!(w->has & PACKET_HAS_INNER_VLAN)) {
            p->vlan[1] = id;
            w->has |= PACKET_HAS_INNER_VLAN;
        }
        type = be16(w->at + 2);
        step(w, 4);
    }
    return type;
}

// A PPPoE session with PPP's protocol in two octets; the ethertype of what it carries, 0: not for us.
static uint16_t pppoe(struct walk *w)
{
    struct packet *p = w->packet;
    if (w->cap < 8 || be16(w->at) != 0x1100 || !enter(w, w->decap->by_ethertype[0x8864]) ||
        !enter(w, w->decap->by_linktype[9]))
        return 0;
    uint32_t length = be16(w->at + 4), protocol = be16(w->at + 6);
    if (length < 2 || length > w->wire - 6 || (protocol != 0x0021 && protocol != 0x0057))
        return 0;
    p->pppoe_session = be16(w->at + 2);
    w->has |= PACKET_HAS_PPPOE;
    step(w, 6);
    w->wire = length;
    if (w->cap > length)
        w->cap = length;
    if (w->cap < 2)
        return 0;
    step(w, 2);
    return protocol == 0x0021 ? 0x0800 : 0x86dd;
}

static inline bool tcp(struct packet *p, const uint8_t *at, uint32_t cap, uint32_t wire)
{
    if (cap < 20)
        return false;
    uint32_t header = (at[12] >> 4) * 4u;
    if (header < 20 || header > wire)
        return false;
    packet_set_ports(p, octets_two16(at));
    packet_set_numbers(p, octets_two32(at + 4));
    p->checksum = be16(at + 16);
    uint32_t captured = header < cap ? header : cap;
    packet_set_gate(p, be16(at + 14), at[13], captured - 20);
    p->payload = span_of(at + captured, cap - captured);
    p->payload_wire = wire - header;
    return true;
}

static inline bool udp(const struct decap *d, struct packet *p, const uint8_t *at, uint32_t cap,
                       uint32_t wire)
{
    if (cap < 8)
        return false;
    uint32_t length = be16(at + 4);
    uint16_t from = be16(at), to = be16(at + 2);
    if (length < 8 || length > wire || d->by_udp_port[from] || d->by_udp_port[to])
        return false;
    packet_set_ports(p, octets_two16(at));
    p->checksum = be16(at + 6);
    p->payload = span_of(at + 8, (cap < length ? cap : length) - 8);
    p->payload_wire = length - 8;
    return true;
}

// The layers from Ethernet on; between it and IP may stand what wrapping() has noted.
static inline void note_layers(const struct decap *d, struct packet *p, bool wrapped, uint16_t type)
{
    if (!wrapped) {
        const uint8_t *plain = d->plain[type == 0x86dd][p->ip_proto == 17];
        memcpy((uint8_t *)p + offsetof(struct packet, layer_count), plain, DECAP_PLAIN);
        return;
    }
    uint8_t layers = p->layer_count;
    p->layer[layers] = (uint8_t)(d->by_ethertype[type] - 1);
    p->layer[layers + 1] = (uint8_t)(d->by_ip_protocol[p->ip_proto] - 1);
    p->layer_count = (uint8_t)(layers + 2);
}

// From the IP header on, which stands at `at`; `wrapped`: not right behind Ethernet.
static inline __attribute__((always_inline)) bool network(const struct decap *d, struct packet *p,
                                                          const uint8_t *at, uint32_t cap,
                                                          uint32_t wire, uint16_t type,
                                                          bool wrapped)
{
    uint32_t header, total;
    uint8_t proto;
    if (type == 0x0800) {
        if (cap < 20)
            return false;
        header = (at[0] & 15u) * 4;
        total = be16(at + 2);
        if (at[0] >> 4 != 4 || header < 20 || total < header || (be16(at + 6) & 0x3fff))
            return false;
        p->family = IP_V4;
        p->ip_id = be16(at + 4);
        p->ttl = at[8];
        proto = at[9];
        octets_map_v4(p->addr[0], at + 12);
        octets_map_v4(p->addr[1], at + 16);
    } else {
        if (cap < 40 || at[0] >> 4 != 6 || be16(at + 4) == 0)
            return false;
        header = 40;
        total = be16(at + 4) + 40u;
        p->family = IP_V6;
        p->ip_id = 0;
        p->ttl = at[7];
        proto = at[6];
        memcpy(p->addr, at + 8, 32);
    }
    uint32_t captured = cap < total ? cap : total;
    if (total > wire || captured < header)
        return false;
    p->ip_proto = proto;
    p->ip_octets = total;
    p->ip_packets = 1;
    note_layers(d, p, wrapped, type);
    if (proto == 6)
        return tcp(p, at + header, captured - header, total - header);
    return proto == 17 && udp(d, p, at + header, captured - header, total - header);
}

// With tags or PPPoE between Ethernet and IP.
static __attribute__((noinline)) bool wrapped_frame(const struct decap *d, const uint8_t *frame,
                                                    uint32_t cap, uint32_t wire, struct packet *p)
{
    struct walk w = {.decap = d,
                     .at = frame + 14,
                     .cap = cap - 14,
                     .wire = wire - 14,
                     .has = PACKET_HAS_MAC | PACKET_HAS_IP,
                     .packet = p};
    p->layer[0] = (uint8_t)(d->by_linktype[1] - 1);
    p->layer_count = 1;
    uint16_t type = tags(&w, be16(frame + 12));
    if (type == 0x8864)
        type = pppoe(&w);
    p->has = w.has;
    return (type == 0x0800 || type == 0x86dd) && network(d, p, w.at, w.cap, w.wire, type, true);
}

bool decap_straight(const struct decap *d, const uint8_t *frame, uint32_t cap, uint32_t wire,
                    struct packet *p)
{
    if (cap < 14 + 20)
        return false;
    uint16_t type = be16(frame + 12);
    p->mac = frame;
    p->has = PACKET_HAS_MAC | PACKET_HAS_IP;
    if (type == 0x0800)
        return network(d, p, frame + 14, cap - 14, wire - 14, 0x0800, false);
    if (type == 0x86dd)
        return network(d, p, frame + 14, cap - 14, wire - 14, 0x86dd, false);
    return wrapped_frame(d, frame, cap, wire, p);
}
