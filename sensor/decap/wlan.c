// IEEE 802.11 data frames in clear: captured with or without a radiotap header, or carried in GRE from
// access points to their controller (Aruba). What a frame says beyond addresses is stepped over.
#include "decap/decap.h"

#define HEADER     24
#define TYPE_DATA  0x08
#define TYPE_MASK  0x0c
#define NO_DATA    0x40 // subtype bit: null function
#define QOS        0x80
#define TO_DS      0x01
#define FROM_DS    0x02
#define PROTECTED  0x40
#define ORDERED    0x80
#define AGGREGATED 0x80 // A-MSDU, in the QoS field

static enum decap_result decode(struct decap_run *r)
{
    if (r->cap < HEADER)
        return decap_lacks(r, HEADER);
    uint8_t control = r->at[0], flags = r->at[1];
    uint32_t octets = HEADER + ((flags & (TO_DS | FROM_DS)) == (TO_DS | FROM_DS) ? 6u : 0);
    if ((control & TYPE_MASK) != TYPE_DATA || (control & NO_DATA))
        return DECAP_NO_IP;
    if (flags & PROTECTED)
        return decap_skip(r, SKIPPED_WLAN, 1);
    if (control & QOS) {
        if (r->cap < octets + 2)
            return decap_lacks(r, octets + 2);
        if (r->at[octets] & AGGREGATED)
            return decap_skip(r, SKIPPED_WLAN, 2);
        octets += flags & ORDERED ? 6 : 2;
    }
    if (r->cap < octets + 8)
        return decap_lacks(r, octets + 8);
    decap_step(r, octets);
    if (be24(r->at) != 0xaaaa03)
        return decap_skip(r, SKIPPED_LLC, r->at[0]);
    uint16_t type = be16(r->at + 6);
    decap_step(r, 8);
    return decap_by_ethertype(r, type);
}

static enum decap_result decode_radiotap(struct decap_run *r)
{
    if (r->cap < 4)
        return decap_lacks(r, 4);
    uint32_t octets = (uint32_t)r->at[2] | (uint32_t)r->at[3] << 8; // little-endian
    if (octets < 8)
        return decap_broken(r, DECAP_BAD_LENGTH);
    if (r->cap < octets)
        return decap_lacks(r, octets);
    decap_step(r, octets);
    return decap_by_linktype(r, 105);
}

static const int linktypes[] = {105, -1};
static const int linktypes_radiotap[] = {127, -1};
static const uint16_t ethertypes[] = {0x8200, 0x8201, 0x8202, 0x8203, 0x8204, 0x8205,
                                      0x8206, 0x8207, 0x8208, 0x8209, 0x820a, 0x820b,
                                      0x820c, 0x820d, 0x820e, 0x820f, 0x8210, 0};

const struct decap_descriptor decap_wlan = {
    .name = "wlan", .linktypes = linktypes, .ethertypes = ethertypes, .decode = decode};
const struct decap_descriptor decap_radiotap = {
    .name = "radiotap", .quiet = true, .linktypes = linktypes_radiotap, .decode = decode_radiotap};
