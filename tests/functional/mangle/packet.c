// The outermost IP header of a frame, and checksums.
#include "packet.h"

static bool find_type(struct span frame, size_t *type_at)
{
    size_t at = 12;
    for (int tags = 0; tags < 4 && at + 2 <= frame.len; tags++) {
        uint16_t type = packet_get16(frame.data + at);
        if (type != 0x8100 && type != 0x88a8 && type != 0x9100) {
            *type_at = at;
            return true;
        }
        at += 4;
    }
    return false;
}

static bool read_ipv4(struct span frame, uint32_t wire, struct packet_ip *ip)
{
    if (frame.len < ip->at + 20)
        return false;
    const uint8_t *h = frame.data + ip->at;
    size_t header = (size_t)(h[0] & 15) * 4, total = packet_get16(h + 2);
    if (h[0] >> 4 != 4 || header < 20 || frame.len < ip->at + header ||
        (total != 0 && total < header))
        return false;
    ip->version = 4;
    ip->body_at = ip->at + header;
    ip->end = total != 0 ? ip->at + total : wire;
    ip->next_at = ip->at + 9;
    ip->next = h[9];
    ip->fragment = (packet_get16(h + 6) & 0x3fff) != 0;
    ip->source_at = ip->at + 12;
    ip->address_len = 4;
    return true;
}

static bool read_ipv6(struct span frame, uint32_t wire, struct packet_ip *ip)
{
    if (frame.len < ip->at + 40 || frame.data[ip->at] >> 4 != 6)
        return false;
    size_t length = packet_get16(frame.data + ip->at + 4);
    ip->version = 6;
    ip->end = length != 0 ? ip->at + 40 + length : wire;
    ip->next_at = ip->at + 6;
    ip->body_at = ip->at + 40;
    ip->source_at = ip->at + 8;
    ip->address_len = 16;
    // Hop-by-hop options, routing and the destination options in front stay with every fragment.
    for (int headers = 0; headers < 8; headers++) {
        uint8_t next = frame.data[ip->next_at];
        if (next != 0 && next != 43 && next != 60)
            break;
        if (frame.len < ip->body_at + 8)
            return false;
        ip->next_at = ip->body_at;
        ip->body_at += (size_t)(frame.data[ip->body_at + 1] + 1) * 8;
        if (frame.len < ip->body_at)
            return false;
    }
    ip->next = frame.data[ip->next_at];
    ip->fragment = ip->next == 44;
    return ip->end >= ip->body_at;
}

bool packet_find_ip(struct span frame, uint32_t wire, struct packet_ip *out)
{
    struct packet_ip ip = {0};
    if (!find_type(frame, &ip.type_at))
        return false;
    ip.at = ip.type_at + 2;
    uint16_t type = packet_get16(frame.data + ip.type_at);
    bool ok = type == PACKET_IPV4   ? read_ipv4(frame, wire, &ip)
              : type == PACKET_IPV6 ? read_ipv6(frame, wire, &ip)
                                    : false;
    if (!ok || ip.end > wire)
        return false;
    ip.whole = ip.end <= frame.len;
    *out = ip;
    return true;
}

int packet_direction(const uint8_t *frame, const struct packet_ip *ip)
{
    const uint8_t *source = frame + ip->source_at;
    int order = memcmp(source, source + ip->address_len, ip->address_len);
    return order < 0 ? -1 : order > 0;
}

static uint32_t sum(struct span data, uint32_t start)
{
    for (size_t i = 0; i + 1 < data.len; i += 2)
        start += packet_get16(data.data + i);
    if (data.len % 2 != 0)
        start += (uint32_t)data.data[data.len - 1] << 8;
    return start;
}

uint16_t packet_checksum(struct span data, uint32_t start)
{
    uint32_t s = sum(data, start);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

void packet_seal_ipv4(uint8_t *header, size_t len)
{
    packet_put16(header + 10, 0);
    packet_put16(header + 10, packet_checksum(span_of(header, len), 0));
}

void packet_seal_tcp(uint8_t *frame, const struct packet_ip *ip)
{
    uint8_t *tcp = frame + ip->body_at;
    size_t len = ip->end - ip->body_at;
    packet_put16(tcp + 16, 0);
    uint32_t start = sum(span_of(frame + ip->source_at, 2u * ip->address_len), 0);
    start += (uint32_t)len + PACKET_TCP;
    packet_put16(tcp + 16, packet_checksum(span_of(tcp, len), start));
}
