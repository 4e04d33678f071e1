// The way nearly all packets take, in one piece: Ethernet, VLAN tags, PPPoE, IPv4 or IPv6 without
// fragments and extension headers, TCP or UDP that is no tunnel. What it does not know to the last octet
// it leaves to the layers, one by one; what it takes comes out exactly as they would have it (the test
// holds one against the other). It saves calls, not checks.
#include "common/addr.h"
#include "decap/decap.h"

// Where one frame stands.
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

static inline void clip(struct walk *w, uint32_t wire)
{
    if (w->wire > wire)
        w->wire = wire;
    if (w->cap > w->wire)
        w->cap = w->wire;
}

static inline bool enter(struct walk *w, uint8_t value)
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
    clip(w, length);
    if (w->cap < 2)
        return 0;
    step(w, 2);
    return protocol == 0x0021 ? 0x0800 : 0x86dd;
}

static bool ipv4(struct walk *w)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct packet *p = w->packet;
    if (w->cap < 20 || !enter(w, w->decap->by_ethertype[0x0800]))
        return false;
    uint32_t header = (w->at[0] & 15u) * 4, total = be16(w->at + 2);
    if (w->at[0] >> 4 != 4 || header < 20 || total < header || total > w->wire ||
        (be16(w->at + 6) & 0x3fff))
        return false;
    clip(w, total);
    if (w->cap < header)
        return false;
    p->family = IP_V4;
    p->ip_id = be16(w->at + 4);
    p->ttl = w->at[8];
    p->ip_proto = w->at[9];
    p->ip_octets = total;
    for (unsigned end = 0; end < 2; end++) {
        memcpy(p->addr[end], mapped, 12);
        memcpy(p->addr[end] + 12, w->at + 12 + 4 * end, 4);
    }
    step(w, header);
    return true;
}

static bool ipv6(struct walk *w)
{
    struct packet *p = w->packet;
    if (w->cap < 40 || !enter(w, w->decap->by_ethertype[0x86dd]))
        return false;
    uint32_t payload = be16(w->at + 4);
    if (w->at[0] >> 4 != 6 || payload == 0 || payload + 40 > w->wire)
        return false;
    clip(w, payload + 40);
    p->family = IP_V6;
    p->ip_id = 0;
    p->ttl = w->at[7];
    p->ip_proto = w->at[6];
    p->ip_octets = payload + 40;
    memcpy(p->addr, w->at + 8, 32);
    step(w, 40);
    return true;
}

static bool tcp(struct walk *w)
{
    struct packet *p = w->packet;
    if (w->cap < 20)
        return false;
    const uint8_t *at = w->at;
    uint32_t header = (at[12] >> 4) * 4u;
    if (header < 20 || header > w->wire)
        return false;
    p->port[0] = be16(at);
    p->port[1] = be16(at + 2);
    p->seq = be32(at + 4);
    p->ack = be32(at + 8);
    p->tcp_flags = at[13];
    p->window = be16(at + 14);
    p->checksum = be16(at + 16);
    uint32_t captured = header < w->cap ? header : w->cap;
    p->tcp_options = span_of(at + 20, captured - 20);
    p->payload = span_of(at + captured, w->cap - captured);
    p->payload_wire = w->wire - header;
    return true;
}

static bool udp(struct walk *w)
{
    struct packet *p = w->packet;
    if (w->cap < 8)
        return false;
    uint32_t length = be16(w->at + 4);
    uint16_t from = be16(w->at), to = be16(w->at + 2);
    if (length < 8 || length > w->wire || w->decap->by_udp_port[from] || w->decap->by_udp_port[to])
        return false;
    clip(w, length);
    p->port[0] = from;
    p->port[1] = to;
    p->checksum = be16(w->at + 6);
    step(w, 8);
    p->payload = span_of(w->at, w->cap);
    p->payload_wire = w->wire;
    return true;
}

bool decap_straight(const struct decap *d, const uint8_t *frame, uint32_t cap, uint32_t wire,
                    struct packet *p)
{
    struct walk w = {.decap = d,
                     .at = frame,
                     .cap = cap,
                     .wire = wire,
                     .has = PACKET_HAS_MAC | PACKET_HAS_IP,
                     .packet = p};
    if (cap < 14)
        return false;
    p->layer_count = 0;
    enter(&w, d->by_linktype[1]);
    p->mac = frame;
    uint16_t type = be16(frame + 12);
    step(&w, 14);
    type = tags(&w, type);
    if (type == 0x8864)
        type = pppoe(&w);
    if (!(type == 0x0800 ? ipv4(&w) : type == 0x86dd && ipv6(&w)))
        return false;
    if (p->ip_proto != 6 && p->ip_proto != 17)
        return false;
    if (!(p->ip_proto == 6 ? tcp(&w) : udp(&w)))
        return false;
    enter(&w, d->by_ip_protocol[p->ip_proto]);
    p->ip_packets = 1;
    p->has = w.has;
    return true;
}
