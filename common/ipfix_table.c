// The one table of IPFIX fields (ipfix.h): what each element is, where it stands in struct record, how
// long it is on the wire. IANA's elements where there is one, ours (enterprise number 32473) else.
//
// Numbers of ours: 1-19 all records, 20-79 flow, 100-199 SMTP, 200-219 TLS, 220-239 SOCKS, 240-249
// DNS, 250-259 logins, 260-279 layer 2, 280-289 carriers, 300-349 mail log, 400-499 coverage. A number is never used
// again for something else.
#include <assert.h>
#include <ctype.h>

#include "common/ipfix_fields.h"

static const uint16_t socks_bits[] = {OFFSET(flow.socks.is_4a), OFFSET(flow.socks.auth_failed),
                                      OFFSET(flow.socks.granted), OFFSET(flow.socks.reverse), 0};

static const struct ipfix_field fields_socks[] = {
    {OURS("socks_version", 220, "4 or 5; 1: HTTP CONNECT"), U8, PLACE(flow.socks.version)},
    {OURS("socks_method", 221, "RFC 1928 method; 255: none"), U8, PLACE(flow.socks.method)},
    {OURS("socks_command", 222, "1 CONNECT, 2 BIND, 3 UDP ASSOCIATE; 0: not seen"), U8,
     PLACE(flow.socks.command)},
    {OURS("socks_target_port", 223, "port asked for"), U16, PLACE(flow.socks.target_port)},
    {OURS("socks_target", 224, "address asked for: 4 or 16 octets, empty when it was a name"),
     KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_ADDRESS, VARIABLE, PLACE(flow.socks.target)},
    {OURS("socks_reply", 225, "reply code; 255: none seen"), U8, PLACE(flow.socks.reply)},
    {OURS("socks_bits", 226, "1 SOCKS4a, 2 authentication failed, 4 granted, 8 reverse"),
     KIND(UNSIGNED8, FLAGS), .how = IPFIX_BITS, LENGTH(1, 1), .member = "flow.socks",
     .more = socks_bits},
    {OURS("socks_initiator_octets", 227, "relayed for the initiator"), COUNTER64,
     PLACE(flow.socks.relayed_octets[0])},
    {OURS("socks_responder_octets", 228, "relayed from the responder"), COUNTER64,
     PLACE(flow.socks.relayed_octets[1])},
    {OURS("socks_inner_application", 229, "enum record_app of the relayed dialogue"), U8,
     PLACE(flow.socks.inner_app)},
    {OURS("socks_first_octets_hash", 230, "keyed hash of the first 64 relayed octets"), U64,
     PLACE(flow.socks.first_octets_hash)},
};

static const struct ipfix_field fields_login[] = {
    {OURS("login_tries", 250, "POP3 and IMAP logins tried"), COUNTER32, PLACE(flow.login.tries)},
    {OURS("login_failures", 251, "of these, refused"), COUNTER32, PLACE(flow.login.failures)},
};

static const struct ipfix_field fields_carrier[] = {
    {OURS("carrier_opened", 280, "flows that the initiator opened elsewhere beside this one"), U16,
     PLACE(flow.carrier.opened)},
    {OURS("carrier_behind", 281, "of these, within 300 ms of octets that came down this one"), U16,
     PLACE(flow.carrier.behind)},
    {OURS("carrier_covered", 282, "milliseconds watched that lay within 300 ms of such octets"),
     QUANTITY32, PLACE(flow.carrier.covered_ms)},
    {OURS("carrier_watched", 283, "milliseconds watched since this was last told"), QUANTITY32,
     PLACE(flow.carrier.watched_ms)},
    {OURS("carrier_networks", 284, "a bit for each /24 or /48 opened so, by its hash"),
     KIND(UNSIGNED64, FLAGS), LENGTH(8, 8), PLACE(flow.carrier.networks)},
};

static const uint16_t mail_bits[] = {OFFSET(mail.tls), OFFSET(mail.auth_failed), 0};
static const uint16_t mail_hashes[] = {OFFSET(mail.hash_count)};

static const struct ipfix_field fields_mail[] = {
    {OURS("mail_event", 300, "enum record_mail_event"), U8, PLACE(mail.event)},
    {IANA("observationTimeMilliseconds", 323), TIME, PLACE(mail.t_ms)},
    {OURS("realm", 4, "where the addresses are unique"), STRING, PLACE(mail.realm)},
    {IANA("sourceTransportPort", 7), U16, PLACE(mail.client_port)},
    {IANA("destinationTransportPort", 11), U16, PLACE(mail.server_port)},
    {OURS("mailbox", 301, "keyed hash of who authenticated, in the form of hashes; empty: nobody"),
     KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_HASH, VARIABLE, PLACE(mail.mailbox)},
    {OURS("mail_bits", 302, "1 TLS, 2 authentication failed"), KIND(UNSIGNED8, FLAGS),
     .how = IPFIX_BITS, LENGTH(1, 1), .member = "mail", .more = mail_bits},
    {OURS("mail_filter", 303, "enum record_mail_filter"), U8, PLACE(mail.filter)},
    {OURS("mail_reply_code", 304, "0: none"), U16, PLACE(mail.reply_code)},
    {OURS("mail_recipients", 305,
          "recipients accepted; of a delivery: 1 when its message named none"),
     COUNTER32, PLACE(mail.recipients)},
    {OURS("mail_recipients_4xx", 306, "recipients put off"), COUNTER32, PLACE(mail.recipients_4xx)},
    {OURS("mail_recipients_5xx", 307, "recipients refused"), COUNTER32, PLACE(mail.recipients_5xx)},
    {OURS("mail_message_octets", 308, "size of the message"), KIND(UNSIGNED32, QUANTITY),
     LENGTH(4, 4), PLACE(mail.message_octets)},
    {OURS("mail_blocklist", 309, "destination's reply: 0 none, 1 policy, 2 exploit, 3 unknown"), U8,
     PLACE(mail.blocklist)},
    {IANA("bgpSourceAsNumber", 16), U32, PLACE(mail.client_asn)},
    {OURS("mail_client_country", 310, "two letters; empty: not known"), STRING,
     PLACE(mail.client_country)},
    {OURS("mail_message_hash", 311, "keyed, matches the message seen in packets; 0: none"), U64,
     PLACE(mail.message_hash)},
    {OURS("mail_server_hash", 312, "which server's log"), U64, PLACE(mail.server_hash)},
    {OURS("hashes", 5, "keyed hashes: kind (1 octet), key id (1), value (8), and again"),
     KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_HASHES, VARIABLE, PLACE(mail.hash),
     .more = mail_hashes},
};

static const struct ipfix_field fields_mail_v4[] = {
    ADDRESS("sourceIPv4Address", 8, IPV4, 4, mail.client),
};

static const struct ipfix_field fields_mail_v6[] = {
    ADDRESS("sourceIPv6Address", 27, IPV6, 16, mail.client),
};

static const uint16_t coverage_bits[] = {OFFSET(coverage.last), 0};

static const struct ipfix_field fields_coverage[] = {
    {IANA("observationTimeMilliseconds", 323), TIME, PLACE(coverage.t_ms)},
    {OURS("sensor", 400, "configured name of the sensor"), STRING, PLACE(coverage.sensor)},
    {OURS("sensor_process", 401, "0 for the first of a port"), U16, PLACE(coverage.process)},
    {OURS("sensor_leg", 402, "enum coverage_leg"), U8, PLACE(coverage.leg)},
    {OURS("sensor_nat", 403, "enum coverage_nat"), U8, PLACE(coverage.nat)},
    {OURS("sensor_port25", 404, "enum coverage_port25"), U8, PLACE(coverage.port25)},
    {OURS("sensor_tier", 405, "enum coverage_tier"), U8, PLACE(coverage.tier)},
    {OURS("sensor_profile", 406, "legal profile, enum coverage_profile"), U8,
     PLACE(coverage.profile)},
    {IANA("samplingInterval", 34), QUANTITY32, PLACE(coverage.sampling)},
    {OURS("sensor_alarms", 407, "enum coverage_alarm"), KIND(UNSIGNED32, FLAGS), LENGTH(4, 4),
     PLACE(coverage.alarms)},
    {OURS("sensor_bits", 408, "1 last record of the process"), KIND(UNSIGNED8, FLAGS),
     .how = IPFIX_BITS, LENGTH(1, 1), .member = "coverage", .more = coverage_bits},
#define X(counter, element, words)                                                      \
    {OURS("sensor_" #counter, 420 + (element), words), KIND(UNSIGNED64, DELTA_COUNTER), \
     LENGTH(8, 8), PLACE(coverage.counter)},
    COVERAGE_COUNTERS(X)
#undef X
};

#define FALLBACK .fallback = true

static const struct ipfix_field fields_foreign[] = {
    {IANA("octetTotalCount", 85), KIND(UNSIGNED64, TOTAL_COUNTER), PLACE(flow.octets[0]), FALLBACK},
    {IANA("packetTotalCount", 86), KIND(UNSIGNED64, TOTAL_COUNTER), PLACE(flow.packets[0]),
     FALLBACK},
    {REVERSE("reverseOctetTotalCount", 85), KIND(UNSIGNED64, TOTAL_COUNTER), PLACE(flow.octets[1]),
     FALLBACK},
    {REVERSE("reversePacketTotalCount", 86), KIND(UNSIGNED64, TOTAL_COUNTER),
     PLACE(flow.packets[1]), FALLBACK},
    {IANA("initiatorPackets", 298), KIND(UNSIGNED64, DELTA_COUNTER), PLACE(flow.packets[0]),
     FALLBACK},
    {IANA("responderPackets", 299), KIND(UNSIGNED64, DELTA_COUNTER), PLACE(flow.packets[1]),
     FALLBACK},
    {IANA("udpSourcePort", 180), KIND(UNSIGNED16, IDENTIFIER), PLACE(flow.initiator_port),
     FALLBACK},
    {IANA("udpDestinationPort", 181), KIND(UNSIGNED16, IDENTIFIER), PLACE(flow.responder_port),
     FALLBACK},
    {IANA("tcpSourcePort", 182), KIND(UNSIGNED16, IDENTIFIER), PLACE(flow.initiator_port),
     FALLBACK},
    {IANA("tcpDestinationPort", 183), KIND(UNSIGNED16, IDENTIFIER), PLACE(flow.responder_port),
     FALLBACK},
    {IANA("ipTTL", 192), KIND(UNSIGNED8, QUANTITY), PLACE(flow.ttl_min), FALLBACK},
    {IANA("vlanId", 58), KIND(UNSIGNED16, IDENTIFIER), PLACE(flow.l2.vlan[0]), FALLBACK},
    {IANA("mplsTopLabelStackSection", 70), KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_LABEL,
     PLACE(flow.l2.mpls_label), FALLBACK},
    {IANA("flowStartSeconds", 150), KIND(SECONDS, DEFAULT), .how = IPFIX_TIME_S,
     PLACE(flow.start_ms), FALLBACK},
    {IANA("flowEndSeconds", 151), KIND(SECONDS, DEFAULT), .how = IPFIX_TIME_S, PLACE(flow.end_ms),
     FALLBACK},
    {IANA("flowStartMicroseconds", 154), KIND(MICROSECONDS, DEFAULT), .how = IPFIX_TIME_NTP,
     PLACE(flow.start_ms), FALLBACK},
    {IANA("flowEndMicroseconds", 155), KIND(MICROSECONDS, DEFAULT), .how = IPFIX_TIME_NTP,
     PLACE(flow.end_ms), FALLBACK},
    {IANA("flowStartNanoseconds", 156), KIND(NANOSECONDS, DEFAULT), .how = IPFIX_TIME_NTP,
     PLACE(flow.start_ms), FALLBACK},
    {IANA("flowEndNanoseconds", 157), KIND(NANOSECONDS, DEFAULT), .how = IPFIX_TIME_NTP,
     PLACE(flow.end_ms), FALLBACK},
    {IANA("flowStartDeltaMicroseconds", 158), KIND(UNSIGNED32, QUANTITY), EXTRA(start_delta_us)},
    {IANA("flowEndDeltaMicroseconds", 159), KIND(UNSIGNED32, QUANTITY), EXTRA(end_delta_us)},
    {IANA("flowStartSysUpTime", 22), KIND(UNSIGNED32, QUANTITY), EXTRA(start_uptime_ms)},
    {IANA("flowEndSysUpTime", 21), KIND(UNSIGNED32, QUANTITY), EXTRA(end_uptime_ms)},
    {IANA("systemInitTimeMilliseconds", 160), KIND(MILLISECONDS, DEFAULT), EXTRA(boot_ms)},
    {IANA("tcpControlBits", 6), KIND(UNSIGNED16, FLAGS), EXTRA(tcp_flags[0])},
    {REVERSE("reverseTcpControlBits", 6), KIND(UNSIGNED16, FLAGS), EXTRA(tcp_flags[1])},
    {IANA("forwardingStatus", 89), KIND(UNSIGNED8, IDENTIFIER), EXTRA(forwarding)},
};

static const struct ipfix_field fields_options[] = {
    {IANA("systemInitTimeMilliseconds", 160), KIND(MILLISECONDS, DEFAULT), EXTRA(boot_ms)},
    {IANA("samplingInterval", 34), KIND(UNSIGNED32, QUANTITY), EXTRA(interval)},
    {IANA("samplingPacketInterval", 305), KIND(UNSIGNED32, QUANTITY), EXTRA(interval)},
    {IANA("samplingPacketSpace", 306), KIND(UNSIGNED32, QUANTITY), EXTRA(space)},
};

static const struct {
    const char *name;
    struct ipfix_run run;
} parts[IPFIX_PARTS] = {
#define PART(part, array, words) \
    [IPFIX_PART_##part] = {words, {array, sizeof(array) / sizeof *(array)}}
    PART(ID, fields_id, "every record"),
    PART(FLOW, fields_flow, "flow"),
    PART(FLOW_V4, fields_flow_v4, "flow, IPv4"),
    PART(FLOW_V6, fields_flow_v6, "flow, IPv6"),
    PART(SMTP, fields_smtp, "flow, SMTP"),
    PART(TLS, fields_tls, "flow, TLS"),
    PART(SOCKS, fields_socks, "flow, SOCKS"),
    PART(DNS, fields_dns, "flow, DNS"),
    PART(LOGIN, fields_login, "flow, logins"),
    PART(L2, fields_l2, "flow, layer 2"),
    PART(CARRIER, fields_carrier, "flow, carrier"),
    PART(MAIL, fields_mail, "mail log"),
    PART(MAIL_V4, fields_mail_v4, "mail log, IPv4 client"),
    PART(MAIL_V6, fields_mail_v6, "mail log, IPv6 client"),
    PART(COVERAGE, fields_coverage, "coverage"),
    PART(FOREIGN, fields_foreign, "flow of other exporters"),
    PART(OPTIONS, fields_options, "options"),
#undef PART
};

struct ipfix_run ipfix_part_fields(enum ipfix_part part)
{
    assert(part < IPFIX_PARTS);
    return parts[part].run;
}

const char *ipfix_part_name(enum ipfix_part part)
{
    assert(part < IPFIX_PARTS);
    return parts[part].name;
}

const char *ipfix_element_name(const struct ipfix_field *f, char out[static IPFIX_NAME_MAX])
{
    size_t n = 0;
    bool upper = false;
    const char *from = f->name;
    if (f->pen == IPFIX_PEN_POSTERN) {
        memcpy(out, "postern", 7);
        n = 7;
        upper = true;
    }
    for (; *from && n < IPFIX_NAME_MAX - 1; from++) {
        if (f->pen == IPFIX_PEN_POSTERN && *from == '_') {
            upper = true;
            continue;
        }
        out[n++] = upper ? (char)toupper((unsigned char)*from) : *from;
        upper = false;
    }
    out[n] = 0;
    return out;
}

size_t ipfix_template_parts(unsigned id, uint8_t out[static IPFIX_PARTS], bool *wide)
{
    size_t n = 0;
    *wide = true;
    if (id < IPFIX_TEMPLATE_FLOW)
        return 0;
    out[n++] = IPFIX_PART_ID;
    if (id < IPFIX_TEMPLATE_MAIL) {
        unsigned bits = id - IPFIX_TEMPLATE_FLOW;
        *wide = bits & IPFIX_TEMPLATE_WIDE;
        out[n++] = bits & IPFIX_TEMPLATE_V6 ? IPFIX_PART_FLOW_V6 : IPFIX_PART_FLOW_V4;
        out[n++] = IPFIX_PART_FLOW;
        for (unsigned g = 0; g < 8; g++)
            if (bits & 1u << g) {
                if (IPFIX_PART_SMTP + g > IPFIX_PART_CARRIER)
                    return 0;
                out[n++] = (uint8_t)(IPFIX_PART_SMTP + g);
            }
        return n;
    }
    if (id <= IPFIX_TEMPLATE_MAIL + 2) {
        if (id > IPFIX_TEMPLATE_MAIL)
            out[n++] = (uint8_t)(IPFIX_PART_MAIL_V4 + id - IPFIX_TEMPLATE_MAIL - 1);
        out[n++] = IPFIX_PART_MAIL;
        return n;
    }
    if (id != IPFIX_TEMPLATE_COVERAGE)
        return 0;
    out[n++] = IPFIX_PART_COVERAGE;
    return n;
}

struct ipfix_step ipfix_step_of(const struct ipfix_field *f, unsigned wire)
{
    struct ipfix_step s = {.field = f, .wire = (uint16_t)wire, .code = IPFIX_STEP_SKIP};
    if (!f)
        return s;
    s.offset = f->offset;
    s.code = IPFIX_STEP_OTHER;
    if (f->how != IPFIX_NUMBER || f->extra)
        return s;
    if (f->size == wire)
        s.code = wire == 1   ? IPFIX_STEP_1_1
                 : wire == 2 ? IPFIX_STEP_2_2
                 : wire == 4 ? IPFIX_STEP_4_4
                             : IPFIX_STEP_8_8;
    else if (f->size == 4 && wire == 2)
        s.code = IPFIX_STEP_4_2;
    else if (f->size == 8 && wire == 4)
        s.code = IPFIX_STEP_8_4;
    return s;
}
