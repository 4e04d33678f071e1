// Building frames from the inside out: the IP packet first, then what the link puts before it.
//
// IEEE 802.3 (60 octets without FCS at least), 802.1Q, 802.1ad, RFC 2516 (PPPoE), RFC 3032 (MPLS),
// RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443.
#include "packet.h"

#include <assert.h>

enum { HEAD_MAX = 40, PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58 };

const char *const wrap_names[] = {"none", "vlan", "qinq", "qinq+pppoe", "mpls", NULL};

// A write position in a frame; the caller's array is FRAME_MAX long and no packet comes near it.
struct out {
    uint8_t *base;
    size_t len;
};

static void put(struct out *o, const void *data, size_t len)
{
    assert(o->len + len <= FRAME_MAX);
    if (len > 0)
        memcpy(o->base + o->len, data, len);
    o->len += len;
}

static void put_be(struct out *o, uint32_t v, size_t len)
{
    uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    put(o, b + 4 - len, len);
}

static void patch16(struct out *o, size_t at, uint16_t v)
{
    o->base[at] = (uint8_t)(v >> 8);
    o->base[at + 1] = (uint8_t)v;
}

static uint32_t sum(uint32_t acc, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        acc += (uint32_t)data[i] << 8 | data[i + 1];
    if (len % 2)
        acc += (uint32_t)data[len - 1] << 8;
    return acc;
}

static uint16_t fold(uint32_t acc)
{
    while (acc >> 16)
        acc = (acc & 0xffff) + (acc >> 16);
    return (uint16_t)~acc;
}

static size_t ip_header(const struct packet_ip *ip)
{
    return ip->src.family == IP_V4 ? 20 : 40;
}

// Everything before the IP header.
static void put_link(struct out *o, const struct link *link, const struct packet_ip *ip, size_t len)
{
    bool v6 = ip->src.family == IP_V6;
    uint16_t ethertype = v6 ? 0x86dd : 0x0800;
    put(o, ip->outbound ? link->mac_network : link->mac_subscriber, 6);
    put(o, ip->outbound ? link->mac_subscriber : link->mac_network, 6);
    switch (link->wrap) {
    case WRAP_NONE: put_be(o, ethertype, 2); break;
    case WRAP_VLAN:
        put_be(o, 0x8100, 2);
        put_be(o, ip->outbound ? link->vlan_out : link->vlan_in, 2);
        put_be(o, ethertype, 2);
        break;
    case WRAP_QINQ:
    case WRAP_QINQ_PPPOE:
        put_be(o, 0x88a8, 2);
        put_be(o, link->svlan, 2);
        put_be(o, 0x8100, 2);
        put_be(o, link->cvlan, 2);
        if (link->wrap == WRAP_QINQ) {
            put_be(o, ethertype, 2);
            break;
        }
        put_be(o, 0x8864, 2);
        put_be(o, 0x1100, 2); // version 1, type 1, code 0: session data
        put_be(o, link->pppoe_session, 2);
        put_be(o, (uint32_t)len + 2, 2);
        put_be(o, v6 ? 0x0057 : 0x0021, 2);
        break;
    case WRAP_MPLS:
        put_be(o, 0x8847, 2);
        put_be(o, (ip->outbound ? link->label_out : link->label_in) << 12 | 1u << 8 | 62, 4);
        break;
    }
}

static void put_ip(struct out *o, const struct packet_ip *ip, uint8_t proto, size_t payload)
{
    size_t at = o->len, n = ip_size(ip->src.family);
    assert(ip->src.family == ip->dst.family && n > 0);
    if (ip->src.family == IP_V4) {
        put_be(o, 0x4500, 2);
        put_be(o, (uint32_t)(20 + payload), 2);
        put_be(o, ip->id, 2);
        put_be(o, 0x4000, 2); // don't fragment
        put_be(o, ip->ttl, 1);
        put_be(o, proto, 1);
        put_be(o, 0, 2);
    } else {
        put_be(o, 0x60000000, 4);
        put_be(o, (uint32_t)payload, 2);
        put_be(o, proto, 1);
        put_be(o, ip->ttl, 1);
    }
    put(o, ip->src.octet, n);
    put(o, ip->dst.octet, n);
    if (ip->src.family == IP_V4)
        patch16(o, at + 10, fold(sum(0, o->base + at, 20)));
}

static uint16_t pseudo_checksum(const struct packet_ip *ip, uint8_t proto, const uint8_t *data,
                                size_t len)
{
    size_t n = ip_size(ip->src.family);
    uint32_t acc = sum(sum(0, ip->src.octet, n), ip->dst.octet, n);
    return fold(sum(acc + proto + (uint32_t)len, data, len));
}

static size_t finish(struct out *o, const struct link *link, const struct packet_ip *ip)
{
    static const uint8_t zero[60];
    // Switches pad what they send; a PPPoE access node pads too, so the length fields must be obeyed.
    size_t least = link->wrap == WRAP_NONE || link->wrap == WRAP_MPLS ? 60 : 64;
    if (!ip->unpadded && o->len < least)
        put(o, zero, least - o->len);
    else if (ip->unpadded && ip->pad <= sizeof zero)
        put(o, zero, ip->pad);
    return o->len;
}

static void put_tcp(struct out *o, const struct packet_tcp *p, struct span payload)
{
    size_t at = o->len;
    put_be(o, p->src_port, 2);
    put_be(o, p->dst_port, 2);
    put_be(o, p->seq, 4);
    put_be(o, p->ack, 4);
    put_be(o, (uint32_t)((20 + p->options_len) / 4 << 4), 1);
    put_be(o, p->flags, 1);
    put_be(o, p->window, 2);
    put_be(o, 0, 4); // checksum, urgent pointer
    put(o, p->options, p->options_len);
    put(o, payload.data, payload.len);
    patch16(o, at + 16, pseudo_checksum(&p->ip, PROTO_TCP, o->base + at, o->len - at));
}

size_t packet_tcp(uint8_t out[static FRAME_MAX], const struct link *link,
                  const struct packet_tcp *p, struct span payload)
{
    struct out o = {.base = out};
    size_t segment = 20 + p->options_len + payload.len;
    put_link(&o, link, &p->ip, ip_header(&p->ip) + segment);
    put_ip(&o, &p->ip, PROTO_TCP, segment);
    put_tcp(&o, p, payload);
    return finish(&o, link, &p->ip);
}

size_t packet_udp(uint8_t out[static FRAME_MAX], const struct link *link,
                  const struct packet_ip *ip, uint16_t src_port, uint16_t dst_port,
                  struct span payload)
{
    struct out o = {.base = out};
    put_link(&o, link, ip, ip_header(ip) + 8 + payload.len);
    put_ip(&o, ip, PROTO_UDP, 8 + payload.len);
    size_t at = o.len;
    put_be(&o, src_port, 2);
    put_be(&o, dst_port, 2);
    put_be(&o, (uint32_t)(8 + payload.len), 2);
    put_be(&o, 0, 2);
    put(&o, payload.data, payload.len);
    uint16_t sum16 = pseudo_checksum(ip, PROTO_UDP, out + at, o.len - at);
    patch16(&o, at + 6, sum16 ? sum16 : 0xffff); // zero means "none"
    return finish(&o, link, ip);
}

size_t packet_prohibited(uint8_t out[static FRAME_MAX], const struct link *link,
                         const struct packet_ip *ip, const struct packet_tcp *about)
{
    uint8_t quoted[FRAME_MAX];
    struct out q = {.base = quoted};
    put_ip(&q, &about->ip, PROTO_TCP, 20 + about->options_len);
    put_tcp(&q, about, (struct span){0});

    bool v6 = ip->src.family == IP_V6;
    struct out o = {.base = out};
    put_link(&o, link, ip, ip_header(ip) + 8 + q.len);
    put_ip(&o, ip, v6 ? PROTO_ICMPV6 : PROTO_ICMP, 8 + q.len);
    size_t at = o.len;
    put_be(&o, v6 ? 0x0101 : 0x030d, 2); // type and code
    put_be(&o, 0, 2);
    put_be(&o, 0, 4);
    put(&o, quoted, q.len);
    const uint8_t *data = out + at;
    patch16(&o, at + 2,
            v6 ? pseudo_checksum(ip, PROTO_ICMPV6, data, o.len - at)
               : fold(sum(0, data, o.len - at)));
    return finish(&o, link, ip);
}

uint16_t packet_mss(const struct link *link, uint8_t family)
{
    return (uint16_t)((link->wrap == WRAP_QINQ_PPPOE ? 1492 : 1500) - (family == IP_V4 ? 40 : 60));
}
