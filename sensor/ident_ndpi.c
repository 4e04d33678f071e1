// The one wrapper of libndpi (4.2): a small set of protocols that the record distinguishes or that
// explain a flow on a mail or SOCKS port. nDPI wants whole IP packets, so each side's first payload
// is put behind an IPv4 header with made-up addresses and a TCP header with the flow's ports. What it
// guesses from ports or addresses alone is not taken: the answer has to come from the octets.
#include "ident_ndpi.h"

#include <ndpi/ndpi_api.h>
#include <stdlib.h>
#include <string.h>

#include "common/record.h"

#define NDPI_PAYLOAD_MAX 512
#define NDPI_IP_HEADER   20
#define NDPI_TCP_HEADER  20

// Networks of which nDPI knows nothing; the question's number is the host.
#define NDPI_NET_INITIATOR 0x0b000000u // 11/8
#define NDPI_NET_RESPONDER 0x15000000u // 21/8
#define NDPI_ASKED_MASK    0x00ffffffu

struct ident_ndpi {
    struct ndpi_detection_module_struct *module; // owned
    struct ndpi_flow_struct *flow;               // owned; wiped between questions
    uint32_t asked;                              // questions so far, modulo 2^24
};

static const uint16_t asked_for[] = {
    NDPI_PROTOCOL_FTP_CONTROL, NDPI_PROTOCOL_HTTP,       NDPI_PROTOCOL_POSTGRES,
    NDPI_PROTOCOL_MYSQL,       NDPI_PROTOCOL_GNUTELLA,   NDPI_PROTOCOL_BITTORRENT,
    NDPI_PROTOCOL_MEMCACHED,   NDPI_PROTOCOL_SMBV1,      NDPI_PROTOCOL_SMBV23,
    NDPI_PROTOCOL_MINING,      NDPI_PROTOCOL_RTSP,       NDPI_PROTOCOL_MONGODB,
    NDPI_PROTOCOL_IRC,         NDPI_PROTOCOL_JABBER,     NDPI_PROTOCOL_TELNET,
    NDPI_PROTOCOL_RDP,         NDPI_PROTOCOL_VNC,        NDPI_PROTOCOL_SSH,
    NDPI_PROTOCOL_USENET,      NDPI_PROTOCOL_SIP,        NDPI_PROTOCOL_KERBEROS,
    NDPI_PROTOCOL_LDAP,        NDPI_PROTOCOL_MSSQL_TDS,  NDPI_PROTOCOL_PPTP,
    NDPI_PROTOCOL_DCERPC,      NDPI_PROTOCOL_TEAMVIEWER, NDPI_PROTOCOL_OPENVPN,
    NDPI_PROTOCOL_TOR,         NDPI_PROTOCOL_RSYNC,      NDPI_PROTOCOL_ORACLE,
    NDPI_PROTOCOL_RTMP,        NDPI_PROTOCOL_REDIS,      NDPI_PROTOCOL_TELEGRAM,
    NDPI_PROTOCOL_AMQP,        NDPI_PROTOCOL_MQTT,       NDPI_PROTOCOL_GIT,
    NDPI_PROTOCOL_ANYDESK,
};

struct ident_ndpi *ident_ndpi_new(void)
{
    struct ident_ndpi *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->module = ndpi_init_detection_module(ndpi_dont_load_tor_hosts | ndpi_dont_init_libgcrypt);
    n->flow = calloc(1, SIZEOF_FLOW_STRUCT);
    if (!n->module || !n->flow) {
        ident_ndpi_free(n);
        return NULL;
    }
    NDPI_PROTOCOL_BITMASK set;
    NDPI_BITMASK_RESET(set);
    // The header's own macro does not convert cleanly.
    size_t width = 8 * sizeof set.fds_bits[0];
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        set.fds_bits[asked_for[i] / width] |= (ndpi_ndpi_mask)1 << asked_for[i] % width;
    ndpi_set_protocol_detection_bitmask2(n->module, &set);
    ndpi_finalize_initialization(n->module);
    return n;
}

void ident_ndpi_free(struct ident_ndpi *n)
{
    if (!n)
        return;
    if (n->module)
        ndpi_exit_detection_module(n->module);
    free(n->flow);
    free(n);
}

static void put_be(uint8_t *at, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(v >> 8 * (len - 1 - i));
}

// One packet of `side` with its first payload; returns its length.
static size_t packet(const struct ident_ndpi *n, const struct ident_ndpi_question *q, int side,
                     uint8_t *out)
{
    size_t payload = q->first[side].len;
    if (payload > NDPI_PAYLOAD_MAX)
        payload = NDPI_PAYLOAD_MAX;
    size_t len = NDPI_IP_HEADER + NDPI_TCP_HEADER + payload;
    memset(out, 0, NDPI_IP_HEADER + NDPI_TCP_HEADER);
    out[0] = 0x45;
    put_be(out + 2, len, 2);
    out[8] = 64;
    out[9] = 6;
    for (int i = 0; i < 2; i++) {
        bool initiator = (i == 0) == (side == 0);
        put_be(out + 12 + 4 * i, (initiator ? NDPI_NET_INITIATOR : NDPI_NET_RESPONDER) | n->asked,
               4);
    }
    uint8_t *tcp = out + NDPI_IP_HEADER;
    put_be(tcp, q->port[side], 2);
    put_be(tcp + 2, q->port[1 - side], 2);
    put_be(tcp + 4, 1, 4);
    put_be(tcp + 8, 1, 4);
    tcp[12] = NDPI_TCP_HEADER / 4 << 4;
    tcp[13] = 0x18; // PSH, ACK
    put_be(tcp + 14, 65535, 2);
    memcpy(tcp + NDPI_TCP_HEADER, q->first[side].data, payload);
    return len;
}

static uint8_t app_of(uint16_t protocol)
{
    switch (protocol) {
    case NDPI_PROTOCOL_UNKNOWN: return RECORD_APP_UNKNOWN;
    case NDPI_PROTOCOL_HTTP: return RECORD_APP_HTTP;
    case NDPI_PROTOCOL_SSH: return RECORD_APP_SSH;
    default: return RECORD_APP_OTHER;
    }
}

static bool is_asked_for(uint16_t protocol)
{
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        if (asked_for[i] == protocol)
            return true;
    return false;
}

struct ident_ndpi_answer ident_ndpi_ask(struct ident_ndpi *n, const struct ident_ndpi_question *q)
{
    struct ident_ndpi_answer a = {0};
    uint8_t octets[NDPI_IP_HEADER + NDPI_TCP_HEADER + NDPI_PAYLOAD_MAX];
    n->asked = (n->asked + 1) & NDPI_ASKED_MASK;
    memset(n->flow, 0, SIZEOF_FLOW_STRUCT);
    int first = q->responder_first ? 1 : 0;
    for (int i = 0; i < 2 && a.protocol == 0; i++) {
        int side = i == 0 ? first : 1 - first;
        if (q->first[side].len == 0)
            continue;
        size_t len = packet(n, q, side, octets);
        a.calls++;
        ndpi_protocol p = ndpi_detection_process_packet(n->module, n->flow, octets,
                                                        (unsigned short)len, a.calls);
        uint16_t known = is_asked_for(p.master_protocol) ? p.master_protocol : p.app_protocol;
        if (is_asked_for(known))
            a.protocol = known;
    }
    a.app = app_of(a.protocol);
    ndpi_free_flow_data(n->flow);
    explicit_bzero(n->flow, SIZEOF_FLOW_STRUCT);
    explicit_bzero(octets, sizeof octets);
    return a;
}
