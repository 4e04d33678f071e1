// Where a packet was found: the layers around it and their numbers (the path), and of these the ones
// that make an address unique (the realm, common/identity.h). Both are taken on the way in numeric
// form, padded with zeros, and become text once a flow.
//
// Which layers name the realm is configuration. VLAN, MPLS, L2TP and GTP numbers often differ by
// direction, PPPoE numbers change with every dial-in, a VNI names a mirror session as often as a
// VRF; but behind DS-Lite (RFC 6333) all subscribers have the same addresses and the B4's address
// tells them apart in both directions. So the default is b4 alone.
#pragma once

#include "common/record.h"
#include "intern.h"
#include "packet.h"

enum path_realm_layer {
    PATH_REALM_VLAN = 1 << 0, // the outermost tag
    PATH_REALM_QINQ = 1 << 1, // two tags, when there are two
    PATH_REALM_PPPOE = 1 << 2,
    PATH_REALM_MPLS = 1 << 3,
    PATH_REALM_VNI = 1 << 4,
    PATH_REALM_L2TP = 1 << 5,
    PATH_REALM_GTP = 1 << 6,
    PATH_REALM_B4 = 1 << 7,
};

// "vlan", "qinq", ... NULL-terminated, in the order of the bits.
extern const char *const path_realm_names[];

// The packet's realm in numeric form. `inner_subscriber` says which inner end is a subscriber (bit 0
// source, bit 1 destination): on its side stands the B4. False: the default realm.
bool path_realm(const struct packet *p, unsigned layers, unsigned inner_subscriber,
                struct intern_value *out);
// Does path_realm find any?
static inline bool path_has_realm(const struct packet *p, unsigned layers)
{
    const uint32_t any = PACKET_HAS_VLAN | PACKET_HAS_PPPOE | PACKET_HAS_MPLS | PACKET_HAS_VNI |
                         PACKET_HAS_L2TP | PACKET_HAS_GTP | PACKET_HAS_OUTER;
    uint32_t has = p->has & any;
    if (layers == PATH_REALM_B4)
        return has & PACKET_HAS_OUTER;
    return layers != 0 && has != 0;
}
void path_realm_text(const struct intern_value *value, struct realm *out);

// The layers and numbers around the packet, but for MAC addresses: of these there is one for each subscriber, of stacks
// of layers often only one.
void path_of(const struct packet *p, struct intern_value *out);
// The MAC address of the end `subscriber` (0 source, 1 destination): the subscriber's, or the router's that is nearer
// to it. Zero: the frame has none.
void path_mac(const struct packet *p, unsigned subscriber, uint8_t out[static 6]);
// "8021ad+vlan+pppoes+ppp", outermost first; a name that no longer fits is left out with what follows.
void path_encap_text(const struct intern_value *value, char *out, size_t size);
// With the subscriber's MAC address. False: there is nothing to say.
bool path_l2(const struct intern_value *value, const uint8_t mac[static 6], struct record_l2 *out);
