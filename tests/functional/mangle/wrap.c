// Layers around each packet. What the header of a layer cannot say (a frame too long for its length
// field, no IP packet where one is needed) is passed on as it is.
//
// QinQ: IEEE 802.1ad; PPPoE: RFC 2516; MPLS: RFC 3032, pseudowire with control word RFC 4448; VXLAN:
// RFC 7348; GRE: RFC 2784; ERSPAN type II: draft-foschiano-erspan; IP in IP: RFC 2003, 4213; DS-Lite:
// RFC 6333.
#include "operation.h"
#include "packet.h"

#define HEAD_MAX 128

// Octets put in front of a packet.
struct head {
    uint8_t data[HEAD_MAX];
    size_t len;
};

static void put(struct head *h, const void *data, size_t len)
{
    memcpy(h->data + h->len, data, len);
    h->len += len;
}

static void put16(struct head *h, uint32_t v)
{
    packet_put16(h->data + h->len, v);
    h->len += 2;
}

static void put32(struct head *h, uint32_t v)
{
    packet_put32(h->data + h->len, v);
    h->len += 4;
}

// A frame taken apart: what stands before the IP packet (or nothing) and the packet itself.
struct parts {
    const struct frame *frame;
    struct packet_ip ip;
    bool is_ip;
    struct span before; // up to the Ethernet type
    struct span body;   // the IP packet without padding, as far as captured
    uint32_t body_wire;
    int direction;
};

static struct parts take_apart(const struct frame *f)
{
    struct span all = span_of(f->data, f->len);
    struct parts p = {.frame = f, .body = all, .body_wire = f->wire};
    p.is_ip = packet_find_ip(all, f->wire, &p.ip);
    if (!p.is_ip)
        return p;
    p.before = span_cut(all, 0, p.ip.type_at);
    p.body = span_cut(all, p.ip.at, p.ip.end - p.ip.at);
    p.body_wire = (uint32_t)(p.ip.end - p.ip.at);
    p.direction = packet_direction(f->data, &p.ip);
    return p;
}

static void emit(struct capture *out, const struct parts *p, const struct head *h, struct span body,
                 uint32_t body_wire)
{
    capture_add(out, p->frame->t_ns, span_of(h->data, h->len), body, (uint32_t)h->len + body_wire);
}

static void pass_on(struct capture *out, const struct frame *f)
{
    capture_add(out, f->t_ns, span_of(f->data, f->len), (struct span){0}, f->wire);
}

// The outer Ethernet header: two routers, which way by the packet's own direction.
static void put_ethernet(struct head *h, int direction, uint32_t type)
{
    static const uint8_t router[2][6] = {{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 1, 2}};
    put(h, router[direction > 0 ? 0 : 1], 6);
    put(h, router[direction > 0 ? 1 : 0], 6);
    put16(h, type);
}

// An outer IPv4 header between the documentation's 192.0.2.1 and .2. False: too long for it.
static bool put_ipv4(struct head *h, int direction, uint8_t protocol, size_t body, uint32_t id)
{
    static const uint8_t end[2][4] = {{192, 0, 2, 1}, {192, 0, 2, 2}};
    size_t at = h->len;
    if (body + 20 > UINT16_MAX)
        return false;
    put16(h, 0x4500);
    put16(h, (uint32_t)body + 20);
    put16(h, id);
    put16(h, 0);
    put16(h, 64u << 8 | protocol);
    put16(h, 0);
    put(h, end[direction > 0], 4);
    put(h, end[direction <= 0], 4);
    packet_seal_ipv4(h->data + at, 20);
    return true;
}

void wrap_qinq_pppoe(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        struct head h = {0};
        // Tags the frame had stay inside ours; what is no IP packet gets tags alone.
        struct span had = p.is_ip ? p.before : p.body;
        if (had.len < 12) {
            pass_on(out, p.frame);
            continue;
        }
        put(&h, had.data, 12);
        put32(&h, 0x88a80000 | 101);
        put32(&h, 0x81000000 | 1202);
        if (!p.is_ip) {
            emit(out, &p, &h, span_cut(had, 12, had.len), p.body_wire - 12);
            continue;
        }
        put(&h, had.data + 12, had.len - 12);
        put16(&h, 0x8864);
        put16(&h, 0x1100); // version 1, type 1, session data
        put16(&h, 0x2a17);
        if (p.body_wire + 2 > UINT16_MAX) {
            pass_on(out, p.frame);
            continue;
        }
        put16(&h, p.body_wire + 2);
        put16(&h, p.ip.version == 4 ? 0x0021 : 0x0057);
        emit(out, &p, &h, p.body, p.body_wire);
    }
}

// A label stack entry: label, traffic class 0, bottom of stack, time to live.
static void put_label(struct head *h, uint32_t label, bool bottom)
{
    put32(h, label << 12 | (uint32_t)bottom << 8 | 62);
}

static void emit_pseudowire(struct capture *out, const struct parts *p)
{
    struct head h = {0};
    put_ethernet(&h, p->direction, 0x8847);
    put_label(&h, 16001, false);
    put_label(&h, 17002, true);
    put32(&h, 0); // control word
    emit(out, p, &h, span_of(p->frame->data, p->frame->len), p->frame->wire);
}

void wrap_mpls(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        struct head h = {0};
        if (!p.is_ip) {
            emit_pseudowire(out, &p);
            continue;
        }
        put(&h, p.before.data, p.before.len);
        put16(&h, 0x8847);
        // Labels differ by direction, as in a real network.
        put_label(&h, p.direction > 0 ? 24001 : 24002, false);
        put_label(&h, p.direction > 0 ? 299776 : 299777, true);
        emit(out, &p, &h, p.body, p.body_wire);
    }
}

void wrap_pseudowire(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        emit_pseudowire(out, &p);
    }
}

void wrap_vxlan(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        struct head h = {0};
        uint32_t wire = p.frame->wire;
        put_ethernet(&h, p.direction, PACKET_IPV4);
        if (!put_ipv4(&h, p.direction, 17, 16 + (size_t)wire, (uint32_t)i)) {
            pass_on(out, p.frame);
            continue;
        }
        put16(&h, 49152 + (uint32_t)(i % 64)); // entropy of the flow; the mirror has many
        put16(&h, 4789);
        put16(&h, wire + 16);
        put16(&h, 0);          // no checksum, as RFC 7348 advises
        put32(&h, 0x08000000); // the VNI is valid
        put32(&h, 5001 << 8);
        emit(out, &p, &h, span_of(p.frame->data, p.frame->len), wire);
    }
}

void wrap_gre(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        struct head h = {0};
        put_ethernet(&h, p.direction, PACKET_IPV4);
        if (!put_ipv4(&h, p.direction, 47, 4 + (size_t)p.body_wire, (uint32_t)i)) {
            pass_on(out, p.frame);
            continue;
        }
        put16(&h, 0);
        // Without an IP packet the whole frame is carried: transparent Ethernet bridging.
        put16(&h, !p.is_ip ? 0x6558 : p.ip.version == 4 ? PACKET_IPV4 : PACKET_IPV6);
        emit(out, &p, &h, p.body, p.body_wire);
    }
}

void wrap_erspan(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        struct head h = {0};
        uint32_t wire = p.frame->wire;
        // A mirror session runs one way, whatever it carries.
        put_ethernet(&h, -1, PACKET_IPV4);
        if (!put_ipv4(&h, -1, 47, 16 + (size_t)wire, (uint32_t)i)) {
            pass_on(out, p.frame);
            continue;
        }
        put16(&h, 0x1000); // with a sequence number
        put16(&h, 0x88be);
        put32(&h, (uint32_t)i);
        put16(&h, 0x1000 | 101); // version 1 (type II), VLAN
        put16(&h, 7);            // session
        put32(&h, 0x00000123);   // index
        emit(out, &p, &h, span_of(p.frame->data, p.frame->len), wire);
    }
}

void wrap_ipip(struct operation_input *o, struct capture *out)
{
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        struct head h = {0};
        put_ethernet(&h, p.direction, PACKET_IPV4);
        if (!p.is_ip ||
            !put_ipv4(&h, p.direction, p.ip.version == 4 ? 4 : 41, p.body_wire, (uint32_t)i)) {
            pass_on(out, p.frame);
            continue;
        }
        emit(out, &p, &h, p.body, p.body_wire);
    }
}

void wrap_ds_lite(struct operation_input *o, struct capture *out)
{
    static const uint8_t end[2][16] = {{0x20, 1, 0x0d, 0xb8, 0, 0xb4, [15] = 1},
                                       {0x20, 1, 0x0d, 0xb8, 0, 0xaf, [15] = 1}};
    for (size_t i = 0; i < o->in->count; i++) {
        struct parts p = take_apart(&o->in->frame[i]);
        struct head h = {0};
        if (!p.is_ip || p.body_wire > UINT16_MAX) {
            pass_on(out, p.frame);
            continue;
        }
        put_ethernet(&h, p.direction, PACKET_IPV6);
        put32(&h, 0x60000000);
        put16(&h, p.body_wire);
        put16(&h, (p.ip.version == 4 ? 4u : 41u) << 8 | 64);
        put(&h, end[p.direction > 0], 16);
        put(&h, end[p.direction <= 0], 16);
        emit(out, &p, &h, p.body, p.body_wire);
    }
}
