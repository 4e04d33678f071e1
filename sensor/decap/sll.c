// Linux cooked captures, version 1 (16 octets) and 2 (20 octets): what `tcpdump -i any` writes.
#include "decap/decap.h"

#define ARPHRD_LOOPBACK 772
#define ARPHRD_NETLINK  824
#define ARPHRD_GRE      778
#define ARPHRD_FRAD     770

static enum decap_result follow(struct decap_run *r, uint16_t hardware, uint16_t protocol)
{
    // With these the protocol field is no ethertype.
    if (hardware == ARPHRD_NETLINK || hardware == ARPHRD_FRAD)
        return decap_skip(r, SKIPPED_HARDWARE, hardware);
    if (protocol >= 0x600)
        return decap_by_ethertype(r, protocol);
    // 0x0001: 802.3 raw, 0x0004: LLC.
    return protocol == 1 || protocol == 4 ? DECAP_NO_IP
                                          : decap_skip(r, SKIPPED_ETHERTYPE, protocol);
}

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < 16)
        return decap_lacks(r, 16);
    uint16_t hardware = be16(r->at + 2), protocol = be16(r->at + 14);
    decap_step(r, 16);
    return follow(r, hardware, protocol);
}

static enum decap_result decode2(struct decap_run *r)
{
    if (r->cap < 20)
        return decap_lacks(r, 20);
    uint16_t protocol = be16(r->at), hardware = be16(r->at + 8);
    decap_step(r, 20);
    return follow(r, hardware, protocol);
}

static const int linktypes[] = {113, -1};
static const int linktypes2[] = {276, -1};

const struct decap_descriptor decap_sll = {.name = "sll", .linktypes = linktypes, .decode = decode};
const struct decap_descriptor decap_sll2 = {
    .name = "sll", .linktypes = linktypes2, .decode = decode2};
