// MPLS label stacks (RFC 3032) and what is behind them: IP, or an Ethernet pseudowire with or without
// a control word (RFC 4385, RFC 4448). The stack does not say which; the first nibble and a look at
// the lengths do, as in every router's load balancing.
#include "decap/decap.h"

#define LABELS_MAX 16

// Ethernet without a control word may begin with any nibble; a known ethertype tells it.
static bool looks_like_ethernet(const struct decap_run *r)
{
    return r->cap >= 14 && decap_knows_ethertype(r->decap, be16(r->at + 12));
}

// A control word has no flags, and a length only of a frame that had to be padded (RFC 4448 section
// 4.6); else it is the beginning of an address.
static bool looks_like_control_word(const struct decap_run *r)
{
    uint16_t first = be16(r->at);
    return (first & 0x0fc0) == 0 && ((first & 0x3f) == 0 || (first & 0x3fu) == r->wire);
}

#define FIRST_FREE 16 // labels below have a meaning of their own: explicit null, alerts
#define ENTROPY    7  // the next label is one (RFC 6790)

// The entries of a stack that tell one service from another: the last, and the one above it.
struct service {
    uint32_t last, above;
    bool entropy; // made of ports, which only a datagram's first fragment has: no entry for us
};

static void note_entry(struct service *s, uint32_t entry)
{
    bool is_entropy = s->entropy;
    s->entropy = !is_entropy && entry >> 12 == ENTROPY;
    if (is_entropy || entry >> 12 < FIRST_FREE)
        return;
    s->above = s->last;
    s->last = entry;
}

// A pseudowire may end its stack with a flow label, made of ports too: its time to live is 1 (RFC 6391). Labels above
// the service's own differ by the way that a fragment takes.
static void nest_service(struct decap_run *r, const struct service *s, bool pseudowire)
{
    uint32_t entry = pseudowire && (s->last & 0xff) == 1 ? s->above : s->last;
    if (entry != 0)
        decap_nest(r, entry >> 12);
}

static enum decap_result pseudowire(struct decap_run *r, const struct service *s)
{
    nest_service(r, s, true);
    return decap_by_ethertype(r, 0x6558);
}

static enum decap_result decode(struct decap_run *r)
{
    struct service service = {0};
    bool bottom = false;
    for (unsigned i = 0; !bottom; i++) {
        if (i >= LABELS_MAX)
            return decap_broken(r, DECAP_TOO_DEEP);
        if (r->cap < 4)
            return decap_lacks(r, 4);
        uint32_t entry = be32(r->at);
        r->packet->mpls_label = entry >> 12;
        note_entry(&service, entry);
        bottom = entry & 0x100;
        decap_step(r, 4);
    }
    r->packet->has |= PACKET_HAS_MPLS;
    if (r->cap < 4)
        return decap_lacks(r, 4);
    uint8_t nibble = r->at[0] >> 4;
    if (nibble == 0) {
        struct decap_run behind = *r;
        decap_step(&behind, 4);
        if (!looks_like_ethernet(r) || (looks_like_ethernet(&behind) && looks_like_control_word(r)))
            *r = behind;
        return pseudowire(r, &service);
    }
    if ((nibble != 4 && nibble != 6) || (!decap_looks_like_ip(r) && looks_like_ethernet(r)))
        return looks_like_ethernet(r) ? pseudowire(r, &service)
                                      : decap_skip(r, SKIPPED_MPLS, nibble);
    nest_service(r, &service, false);
    return decap_by_ip_version(r, SKIPPED_MPLS);
}

static const uint16_t ethertypes[] = {0x8847, 0x8848, 0};
static const uint16_t ppp_protocols[] = {0x0281, 0x0283, 0};
static const uint16_t ip_protocols[] = {137, 0}; // RFC 4023
static const uint16_t udp_ports[] = {6635, 0};   // RFC 7510

const struct decap_descriptor decap_mpls = {.name = "mpls",
                                            .ethertypes = ethertypes,
                                            .ppp_protocols = ppp_protocols,
                                            .ip_protocols = ip_protocols,
                                            .udp_ports = udp_ports,
                                            .decode = decode};
