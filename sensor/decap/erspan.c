// ERSPAN, a mirror port's frames in GRE (draft-foschiano-erspan): type I has no header of its own and
// no GRE sequence number, type II has eight octets, type III twelve and perhaps eight more.
#include "decap/decap.h"

static enum decap_result decode2(struct decap_run *r)
{
    if (r->hint != 0) {
        if (r->cap < 8)
            return decap_lacks(r, 8);
        if (r->at[0] >> 4 != 1)
            return decap_broken(r, DECAP_BAD_VERSION);
        decap_step(r, 8);
    }
    return decap_by_ethertype(r, 0x6558);
}

static enum decap_result decode3(struct decap_run *r)
{
    if (r->cap < 12)
        return decap_lacks(r, 12);
    if (r->at[0] >> 4 != 2)
        return decap_broken(r, DECAP_BAD_VERSION);
    uint8_t frame_type = (r->at[10] >> 2) & 0x1f; // the field behind the P bit
    uint32_t octets = 12 + (r->at[11] & 1 ? 8u : 0);
    if (r->cap < octets)
        return decap_lacks(r, octets);
    decap_step(r, octets);
    return frame_type == 2 ? decap_by_ip_version(r, SKIPPED_GRE) : decap_by_ethertype(r, 0x6558);
}

static const uint16_t types2[] = {0x88be, 0};
static const uint16_t types3[] = {0x22eb, 0};

const struct decap_descriptor decap_erspan2 = {
    .name = "erspan", .ethertypes = types2, .decode = decode2};
const struct decap_descriptor decap_erspan3 = {
    .name = "erspan", .ethertypes = types3, .decode = decode3};
