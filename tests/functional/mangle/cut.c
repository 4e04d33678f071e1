// The same octets in smaller pieces: IP fragments (RFC 791, RFC 8200) and short TCP segments
// (RFC 9293). Only the outermost IP packet is cut; what was not captured whole stays as it is.
#include <stdlib.h>

#include "operation.h"
#include "packet.h"

enum { FRAME_MAX = 65536 + 64, FIN = 1, SYN = 2, RST = 4, PSH = 8, URG = 32 };

static void pass_on(struct capture *out, const struct frame *f)
{
    capture_add(out, f->t_ns, span_of(f->data, f->len), (struct span){0}, f->wire);
}

static void add(struct capture *out, const struct frame *like, const uint8_t *data, size_t len)
{
    capture_add(out, like->t_ns, span_of(data, len), (struct span){0}, (uint32_t)len);
}

// One fragment: body octets [from, from + len) of the packet.
static void add_fragment4(struct capture *out, const struct frame *f, const struct packet_ip *ip,
                          size_t from, size_t len, uint32_t id)
{
    static uint8_t data[FRAME_MAX];
    size_t head = ip->body_at - ip->at;
    bool more = ip->body_at + from + len < ip->end;
    memcpy(data, f->data, ip->body_at);
    memcpy(data + ip->body_at, f->data + ip->body_at + from, len);
    packet_put16(data + ip->at + 2, (uint32_t)(head + len));
    packet_put16(data + ip->at + 4, id);
    packet_put16(data + ip->at + 6, (more ? 0x2000u : 0) | (uint32_t)from / 8);
    packet_seal_ipv4(data + ip->at, head);
    add(out, f, data, ip->body_at + len);
}

static void add_fragment6(struct capture *out, const struct frame *f, const struct packet_ip *ip,
                          size_t from, size_t len, uint32_t id)
{
    static uint8_t data[FRAME_MAX];
    bool more = ip->body_at + from + len < ip->end;
    memcpy(data, f->data, ip->body_at);
    uint8_t *header = data + ip->body_at;
    header[0] = ip->next;
    header[1] = 0;
    packet_put16(header + 2, (uint32_t)from | more);
    packet_put32(header + 4, id);
    data[ip->next_at] = 44;
    memcpy(header + 8, f->data + ip->body_at + from, len);
    packet_put16(data + ip->at + 4, (uint32_t)(ip->body_at - ip->at - 40 + 8 + len));
    add(out, f, data, ip->body_at + 8 + len);
}

void cut_fragments(struct operation_input *o, struct capture *out)
{
    size_t size = (size_t)(o->number[0] + 7) / 8 * 8;
    uint32_t id = 0x8000;
    for (size_t i = 0; i < o->in->count; i++) {
        const struct frame *f = &o->in->frame[i];
        struct packet_ip ip;
        if (!packet_find_ip(span_of(f->data, f->len), f->wire, &ip) || !ip.whole || ip.fragment ||
            ip.end > FRAME_MAX - 64 || ip.end - ip.body_at <= size) {
            pass_on(out, f);
            continue;
        }
        size_t body = ip.end - ip.body_at;
        id++;
        for (size_t from = 0; from < body; from += size) {
            size_t len = body - from < size ? body - from : size;
            (ip.version == 4 ? add_fragment4 : add_fragment6)(out, f, &ip, from, len, id);
        }
    }
}

// ---- Segments.

#define BUDGETS 65536

// How many payload octets of each direction were cut; directions that share a place share it.
struct budgets {
    uint32_t used[BUDGETS];
};

static uint32_t *budget_of(struct budgets *b, const struct frame *f, const struct packet_ip *ip)
{
    uint64_t h = 14695981039346656037u; // FNV-1a
    for (size_t i = 0; i < 2u * ip->address_len; i++)
        h = (h ^ f->data[ip->source_at + i]) * 1099511628211u;
    for (size_t i = 0; i < 4; i++)
        h = (h ^ f->data[ip->body_at + i]) * 1099511628211u;
    return &b->used[(h ^ h >> 32) % BUDGETS];
}

// Where the segment's payload begins; 0: this segment is not for cutting.
static size_t payload_at(const struct frame *f, struct packet_ip *ip)
{
    if (!packet_find_ip(span_of(f->data, f->len), f->wire, ip) || !ip->whole || ip->fragment ||
        ip->next != PACKET_TCP || ip->end < ip->body_at + 20 || ip->end > FRAME_MAX)
        return 0;
    const uint8_t *tcp = f->data + ip->body_at;
    size_t at = ip->body_at + (size_t)(tcp[12] >> 4) * 4;
    bool plain = (tcp[13] & (SYN | RST | URG)) == 0;
    return plain && tcp[12] >> 4 >= 5 && at < ip->end ? at : 0;
}

static void add_segment(struct capture *out, const struct frame *f, const struct packet_ip *ip,
                        size_t payload, size_t from, size_t len, uint32_t nth)
{
    static uint8_t data[FRAME_MAX];
    memcpy(data, f->data, payload);
    memcpy(data + payload, f->data + payload + from, len);
    struct packet_ip cut = *ip;
    cut.end = payload + len;
    uint8_t *tcp = data + ip->body_at;
    if (payload + from + len < ip->end)
        tcp[13] &= (uint8_t) ~(FIN | PSH);
    packet_put32(tcp + 4, packet_get32(tcp + 4) + (uint32_t)from);
    if (ip->version == 4) {
        packet_put16(data + ip->at + 2, (uint32_t)(cut.end - ip->at));
        packet_put16(data + ip->at + 4, packet_get16(data + ip->at + 4) + nth);
        packet_seal_ipv4(data + ip->at, ip->body_at - ip->at);
    } else {
        packet_put16(data + ip->at + 4, (uint32_t)(cut.end - ip->at - 40));
    }
    packet_seal_tcp(data, &cut);
    add(out, f, data, cut.end);
}

void cut_segments(struct operation_input *o, struct capture *out)
{
    size_t size = o->number[0];
    struct budgets *b = calloc(1, sizeof *b);
    for (size_t i = 0; b && i < o->in->count; i++) {
        const struct frame *f = &o->in->frame[i];
        struct packet_ip ip;
        size_t payload = payload_at(f, &ip);
        if (payload == 0) {
            pass_on(out, f);
            continue;
        }
        uint32_t *used = budget_of(b, f, &ip), nth = 0;
        for (size_t from = 0, len; from < ip.end - payload; from += len) {
            len = ip.end - payload - from;
            if (*used < o->number[1] * 1024 && len > size) {
                len = size;
                *used += (uint32_t)size;
            }
            add_segment(out, f, &ip, payload, from, len, nth++);
        }
    }
    free(b);
}
