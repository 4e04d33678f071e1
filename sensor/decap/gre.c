// GRE version 0 with checksum, key, sequence number and (RFC 1701) source routes, RFC 2784 and 2890;
// version 1 of PPTP (RFC 2637) and MikroTik's EoIP; GRE in UDP (RFC 8086).
#include "decap/decap.h"

#define CHECKSUM 0x8000
#define ROUTING  0x4000
#define KEY      0x2000
#define SEQUENCE 0x1000
#define ACK      0x0080 // version 1

#define ROUTES_MAX 8

#define TYPE_ERSPAN 0x88be
#define TYPE_EOIP   0x6400
#define TYPE_WCCP   0x883e
#define TYPE_NVGRE  0x6558

// What a key says of whose the packet is: nothing in version 1, where it is a length and a call that differs by direction; in NVGRE
// (RFC 7637) its last octet is made of ports, which only a datagram's first fragment has.
static uint64_t owner(uint32_t key, uint16_t type)
{
    return UINT64_C(1) << 32 | (type == TYPE_NVGRE ? key & 0xffffff00 : key);
}

// RFC 1701 source route entries, ended by one of zeros.
static enum decap_result skip_routes(struct decap_run *r)
{
    for (unsigned i = 0; i < ROUTES_MAX; i++) {
        if (r->cap < 4)
            return decap_lacks(r, 4);
        uint32_t octets = 4u + r->at[3];
        bool last = be16(r->at) == 0 && r->at[3] == 0;
        if (r->cap < octets)
            return decap_lacks(r, octets);
        decap_step(r, octets);
        if (last)
            return DECAP_NEXT;
    }
    return decap_broken(r, DECAP_TOO_DEEP);
}

static enum decap_result follow(struct decap_run *r, uint16_t type)
{
    // WCCP version 2 puts four octets before the packet it redirects; version 1 does not.
    if (type == TYPE_WCCP) {
        if (r->cap < 4)
            return decap_lacks(r, 4);
        if (r->at[0] >> 4 != 4)
            decap_step(r, 4);
        return decap_by_ip_version(r, SKIPPED_GRE);
    }
    if (type == 0 && r->wire == 0) // keepalive
        return DECAP_NO_IP;
    if (r->decap->by_ethertype[type] == 0)
        return decap_skip(r, SKIPPED_GRE, type);
    return decap_by_ethertype(r, type);
}

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 4)
        return decap_lacks(r, 4);
    uint16_t flags = be16(r->at), type = be16(r->at + 2);
    unsigned version = flags & 7;
    bool eoip = version == 1 && type == TYPE_EOIP;
    // Version 1 without a key (RFC 2637, 4.1: it must have one) says no length.
    if (version > 1 || (version == 1 && !eoip && !(flags & KEY)))
        return decap_broken(r, DECAP_BAD_VERSION);
    uint32_t octets = 4, key_at = 4 + (flags & (CHECKSUM | ROUTING) ? 4u : 0);
    octets += flags & (CHECKSUM | ROUTING) ? 4u : 0;
    octets += flags & KEY ? 4u : 0;
    octets += flags & SEQUENCE ? 4u : 0;
    octets += version == 1 && (flags & ACK) ? 4u : 0;
    // EoIP states version 1 and has the key field only, whatever its flags say.
    if (eoip) {
        key_at = 4;
        octets = 8;
    }
    if (r->cap < octets)
        return decap_lacks(r, octets);
    r->hint = 0;
    r->gre_key = version == 0 && (flags & KEY) ? owner(be32(r->at + key_at), type) : 0;
    decap_nest(r, r->gre_key);
    if (type == TYPE_ERSPAN)
        r->hint = flags & SEQUENCE ? 1 : 0;
    else if (version == 1)
        r->hint = be32(r->at + key_at);
    decap_step(r, octets);
    if ((flags & ROUTING) && version == 0) {
        enum decap_result result = skip_routes(r);
        if (result != DECAP_NEXT)
            return result;
    }
    if (version == 1 && !eoip) {
        // The key's upper half is the length of the payload. None: an acknowledgement alone.
        uint32_t length = r->hint >> 16;
        if (length == 0 || !(flags & SEQUENCE))
            return DECAP_NO_IP;
        decap_clip(r, length);
    }
    return follow(r, type);
}

static const uint16_t ip_protocols[] = {47, 0};
static const uint16_t udp_ports[] = {4754, 0};

const struct decap_descriptor decap_gre = {
    .name = "gre", .ip_protocols = ip_protocols, .udp_ports = udp_ports, .decode = decode};
