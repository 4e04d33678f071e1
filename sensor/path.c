// Realms and paths: packed into interned values, and unpacked into text when a flow is reported.
#include "path.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decap/decap.h"

const char *const path_realm_names[] = {"vlan", "qinq", "pppoe", "mpls", "vni",
                                        "l2tp", "gtp",  "b4",    NULL};

// Both fit into INTERN_SIZE and have no padding of the compiler's.
struct realm_value {
    uint32_t layers; // enum path_realm_layer bits that are set below
    uint16_t vlan[2];
    uint16_t pppoe;
    uint16_t l2tp[2];
    uint16_t zero;
    uint32_t mpls, vni, gtp;
    uint8_t b4[16];
};

struct path_value {
    uint32_t has;
    uint8_t layer_count;
    uint8_t layer[PACKET_LAYERS_MAX];
    uint8_t zero;
    uint16_t vlan[2];
    uint16_t pppoe;
    uint32_t mpls, vni;
};

_Static_assert(sizeof(struct realm_value) <= INTERN_SIZE, "a realm fits");
_Static_assert(sizeof(struct path_value) <= INTERN_SIZE, "a path fits");

// The B4 stands on the subscriber's side; when neither or both inner ends are subscribers, the lower
// of the two addresses is taken, so that both directions agree.
static const uint8_t *b4_of(const struct packet *p, unsigned inner_subscriber)
{
    if (inner_subscriber == 1 || inner_subscriber == 2)
        return p->outer[inner_subscriber - 1];
    return p->outer[memcmp(p->outer[0], p->outer[1], 16) <= 0 ? 0 : 1];
}

bool path_realm(const struct packet *p, unsigned layers, unsigned inner_subscriber,
                struct intern_value *out)
{
    struct realm_value v = {0};
    if ((layers & PATH_REALM_QINQ) && (p->has & PACKET_HAS_INNER_VLAN)) {
        v.layers |= PATH_REALM_QINQ;
        memcpy(v.vlan, p->vlan, sizeof v.vlan);
    } else if ((layers & PATH_REALM_VLAN) && (p->has & PACKET_HAS_VLAN)) {
        v.layers |= PATH_REALM_VLAN;
        v.vlan[0] = p->vlan[0];
    }
    if ((layers & PATH_REALM_PPPOE) && (p->has & PACKET_HAS_PPPOE)) {
        v.layers |= PATH_REALM_PPPOE;
        v.pppoe = p->pppoe_session;
    }
    if ((layers & PATH_REALM_MPLS) && (p->has & PACKET_HAS_MPLS)) {
        v.layers |= PATH_REALM_MPLS;
        v.mpls = p->mpls_label;
    }
    if ((layers & PATH_REALM_VNI) && (p->has & PACKET_HAS_VNI)) {
        v.layers |= PATH_REALM_VNI;
        v.vni = p->vni;
    }
    if ((layers & PATH_REALM_L2TP) && (p->has & PACKET_HAS_L2TP)) {
        v.layers |= PATH_REALM_L2TP;
        v.l2tp[0] = p->l2tp_tunnel;
        v.l2tp[1] = p->l2tp_session;
    }
    if ((layers & PATH_REALM_GTP) && (p->has & PACKET_HAS_GTP)) {
        v.layers |= PATH_REALM_GTP;
        v.gtp = p->gtp_teid;
    }
    if ((layers & PATH_REALM_B4) && (p->has & PACKET_HAS_OUTER)) {
        v.layers |= PATH_REALM_B4;
        memcpy(v.b4, b4_of(p, inner_subscriber), 16);
    }
    if (v.layers == 0)
        return false;
    memset(out, 0, sizeof *out);
    memcpy(out, &v, sizeof v);
    return true;
}

// One part of the realm's text, with the '/' between parts.
__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *fmt, ...)
{
    size_t used = strlen(text);
    if (used > 0 && used + 1 < size)
        text[used++] = '/';
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + used, size - used, fmt, args);
    va_end(args);
}

void path_realm_text(const struct intern_value *value, struct realm *out)
{
    struct realm_value v;
    memcpy(&v, value, sizeof v);
    memset(out, 0, sizeof *out);
    if (v.layers == 0)
        return;
    char text[160] = "";
    if (v.layers & PATH_REALM_QINQ)
        add(text, sizeof text, "qinq:%u.%u", v.vlan[0], v.vlan[1]);
    if (v.layers & PATH_REALM_VLAN)
        add(text, sizeof text, "vlan:%u", v.vlan[0]);
    if (v.layers & PATH_REALM_MPLS)
        add(text, sizeof text, "mpls:%u", v.mpls);
    if (v.layers & PATH_REALM_VNI)
        add(text, sizeof text, "vni:%u", v.vni);
    if (v.layers & PATH_REALM_PPPOE)
        add(text, sizeof text, "pppoe:%u", v.pppoe);
    if (v.layers & PATH_REALM_L2TP)
        add(text, sizeof text, "l2tp:%u.%u", v.l2tp[0], v.l2tp[1]);
    if (v.layers & PATH_REALM_GTP)
        add(text, sizeof text, "gtp:%u", v.gtp);
    if (v.layers & PATH_REALM_B4) {
        char address[IP_TEXT_MAX];
        struct ip_addr b4 = ip_from_v6(v.b4);
        add(text, sizeof text, "b4:%s", ip_format(&b4, address));
    }
    size_t len = strlen(text);
    if (len < sizeof out->name) {
        memcpy(out->name, text, len);
        return;
    }
    out->name[0] = '#';
    hash_text(span_of_text(text), out->name + 1);
}

void path_of(const struct packet *p, struct intern_value *out)
{
    struct path_value v = {.has = p->has &
                                  (PACKET_HAS_VLAN | PACKET_HAS_INNER_VLAN | PACKET_HAS_PPPOE |
                                   PACKET_HAS_MPLS | PACKET_HAS_VNI | PACKET_HAS_MAC),
                           .layer_count = p->layer_count};
    memcpy(v.layer, p->layer, p->layer_count);
    if (v.has & PACKET_HAS_VLAN)
        v.vlan[0] = p->vlan[0];
    if (v.has & PACKET_HAS_INNER_VLAN)
        v.vlan[1] = p->vlan[1];
    if (v.has & PACKET_HAS_PPPOE)
        v.pppoe = p->pppoe_session;
    if (v.has & PACKET_HAS_MPLS)
        v.mpls = p->mpls_label;
    if (v.has & PACKET_HAS_VNI)
        v.vni = p->vni;
    memset(out, 0, sizeof *out);
    memcpy(out, &v, sizeof v);
}

void path_mac(const struct packet *p, unsigned subscriber, uint8_t out[static 6])
{
    if (p->has & PACKET_HAS_MAC) // a frame has the destination first
        memcpy(out, p->mac + (subscriber == 0 ? 6 : 0), 6);
    else
        memset(out, 0, 6);
}

// Two layers that have one name together: a stack of tags, a packet in a packet. NULL: they have not.
static const char *pair_name(const struct decap_descriptor *outer,
                             const struct decap_descriptor *inner)
{
    if (outer == &decap_vlan && inner == &decap_vlan)
        return "qinq";
    if (outer == &decap_ipv4)
        return inner == &decap_ipv4 ? "ipip" : inner == &decap_ipv6 ? "6in4" : NULL;
    if (outer == &decap_ipv6)
        return inner == &decap_ipv4 ? "4in6" : inner == &decap_ipv6 ? "6in6" : NULL;
    return NULL;
}

void path_encap_text(const struct intern_value *value, char *out, size_t size)
{
    struct path_value v;
    memcpy(&v, value, sizeof v);
    size_t used = 0;
    out[0] = '\0';
    for (uint8_t i = 0; i < v.layer_count; i++) {
        const struct decap_descriptor *layer = decap_layer(v.layer[i]);
        // The authentication header stands between without being a layer of its own.
        size_t after = i + 1u;
        if (after < v.layer_count && decap_layer(v.layer[after]) == &decap_ah)
            after++;
        const struct decap_descriptor *next = after < v.layer_count ? decap_layer(v.layer[after])
                                                                    : NULL;
        const char *name = next ? pair_name(layer, next) : NULL;
        if (name && next == &decap_vlan) // the whole stack
            while (i + 1 < v.layer_count && decap_layer(v.layer[i + 1]) == &decap_vlan)
                i++;
        if (!name && layer->quiet)
            continue;
        if (!name)
            name = layer->name;
        size_t len = strlen(name), gap = used > 0;
        if (used + gap + len + 1 > size)
            return;
        if (gap)
            out[used++] = '+';
        memcpy(out + used, name, len + 1);
        used += len;
    }
}

bool path_l2(const struct intern_value *value, const uint8_t mac[static 6], struct record_l2 *out)
{
    struct path_value v;
    memcpy(&v, value, sizeof v);
    memcpy(out->subscriber_mac, mac, sizeof out->subscriber_mac);
    memcpy(out->vlan, v.vlan, sizeof out->vlan);
    out->pppoe_session = v.pppoe;
    out->mpls_label = v.mpls;
    out->vni = v.vni;
    return v.has != 0;
}
