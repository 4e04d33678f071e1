// The fields of what nearly every record of a sensor is made of, in a header because two files look at them: the table
// of all fields (ipfix_table.c), and the writer that has them built in (ipfix_straight.c). What an entry says is
// explained in ipfix.h, how the numbers of ours are given away in ipfix_table.c.
#pragma once

#include <stddef.h>

#include "common/ipfix_internal.h"

#define OFFSET(m) ((uint16_t)offsetof(struct record, m))
#define SIZE(m)   ((uint16_t)sizeof(((struct record *)0)->m))
#define PLACE(m)  .member = #m, .offset = OFFSET(m), .size = SIZE(m)
#define EXTRA(m)                                                       \
    .member = "", .offset = (uint16_t)offsetof(struct ipfix_extra, m), \
    .size = (uint16_t)sizeof(((struct ipfix_extra *)0)->m), .extra = true
#define IANA(n, i)    .name = n, .pen = IPFIX_PEN_IANA, .id = i
#define REVERSE(n, i) .name = n, .pen = IPFIX_PEN_REVERSE, .id = i
#define OURS(n, i, t) .name = n, .pen = IPFIX_PEN_POSTERN, .id = i, .text = t
#define KIND(t, s)    .type = IPFIX_##t, .semantics = IPFIX_##s
#define LENGTH(n, w)  .narrow = n, .wide = w
#define VARIABLE      .narrow = IPFIX_VARIABLE, .wide = IPFIX_VARIABLE
// Numbers of one, two, four octets that never need more, and counters sent reduced when they fit.
#define U8         KIND(UNSIGNED8, IDENTIFIER), LENGTH(1, 1)
#define U16        KIND(UNSIGNED16, IDENTIFIER), LENGTH(2, 2)
#define U32        KIND(UNSIGNED32, IDENTIFIER), LENGTH(4, 4)
#define U64        KIND(UNSIGNED64, IDENTIFIER), LENGTH(8, 8)
#define QUANTITY32 KIND(UNSIGNED32, QUANTITY), LENGTH(4, 4)
#define COUNTER64  KIND(UNSIGNED64, DELTA_COUNTER), LENGTH(4, 8)
#define COUNTER32  KIND(UNSIGNED32, DELTA_COUNTER), LENGTH(2, 4)
#define TIME       KIND(MILLISECONDS, DEFAULT), LENGTH(8, 8)
#define STRING     KIND(STRING, DEFAULT), .how = IPFIX_TEXT, VARIABLE

static const struct ipfix_field fields_id[] = {
    {OURS("record_version", 1, "version of what a record says"), U16, PLACE(version)},
    {IANA("observationDomainId", 149), U32, PLACE(id.domain)},
    {OURS("record_epoch", 2, "grows with every start of the process"), U64, PLACE(id.epoch)},
    {OURS("record_sequence", 3, "from 1, without gaps; a repeat has the same three numbers"), U64,
     PLACE(id.sequence)},
};

static const uint16_t flow_hashes[] = {OFFSET(flow.hash_count)};

static const struct ipfix_field fields_flow[] = {
    {OURS("realm", 4, "where the addresses are unique"), STRING, PLACE(flow.realm)},
    {OURS("flow_hash", 20, "of the flow, the same at two sensors"), U64, PLACE(flow.flow_hash)},
    {IANA("protocolIdentifier", 4), U8, PLACE(flow.ip_proto)},
    {IANA("sourceTransportPort", 7), U16, PLACE(flow.initiator_port)},
    {IANA("destinationTransportPort", 11), U16, PLACE(flow.responder_port)},
    {IANA("tcpSequenceNumber", 184), U32, PLACE(flow.initiator_isn)},
    {REVERSE("reverseTcpSequenceNumber", 184), U32, PLACE(flow.responder_isn)},
    {IANA("biflowDirection", 239), .text = "always 1: the source is the initiator", U8,
     .how = IPFIX_BIFLOW, EXTRA(direction)},
    {IANA("flowEndReason", 136), .text = "2 goes on, 3 ended, 5 evicted; from the flags", U8,
     .how = IPFIX_REASON, EXTRA(end_reason)},
    {OURS("isn_seen", 21, "which initial sequence numbers are known: 1 initiator, 2 responder"),
     KIND(UNSIGNED8, FLAGS), LENGTH(1, 1), PLACE(flow.isn_seen)},
    {OURS("subscriber_side", 22, "0 none, 1 initiator, 2 responder, 3 both"), U8, PLACE(flow.side)},
    {OURS("record_flags", 23, "1 start, 2 continue, 4 end, 8 outcome decided"),
     KIND(UNSIGNED8, FLAGS), LENGTH(1, 1), PLACE(flow.flags)},
    {OURS("handshake", 24, "outcome of the handshake, enum record_handshake"), U8,
     PLACE(flow.handshake)},
    {OURS("application", 25, "enum record_app"), U8, PLACE(flow.app)},
    {OURS("application_source", 26, "how it is known, enum record_app_source"), U8,
     PLACE(flow.app_source)},
    {OURS("ndpi_protocol", 27, "nDPI's number, 0: not asked or not known"), U16,
     PLACE(flow.ndpi_protocol)},
    {OURS("incomplete", 28, "what was not seen, enum record_incomplete"), KIND(UNSIGNED32, FLAGS),
     LENGTH(4, 4), PLACE(flow.incomplete)},
    {IANA("samplingInterval", 34), QUANTITY32, PLACE(flow.sampling)},
    {OURS("flow_start", 29, "first packet of the flow"), TIME, PLACE(flow.flow_start_ms)},
    {IANA("flowStartMilliseconds", 152), TIME, PLACE(flow.start_ms)},
    {IANA("flowEndMilliseconds", 153), TIME, PLACE(flow.end_ms)},
    {OURS("outcome_time", 30, "when the outcome was decided; 0: not in this record"), TIME,
     PLACE(flow.outcome_ms)},
    {IANA("packetDeltaCount", 2), COUNTER64, PLACE(flow.packets[0])},
    {REVERSE("reversePacketDeltaCount", 2), COUNTER64, PLACE(flow.packets[1])},
    {IANA("octetDeltaCount", 1), COUNTER64, PLACE(flow.octets[0])},
    {REVERSE("reverseOctetDeltaCount", 1), COUNTER64, PLACE(flow.octets[1])},
    {IANA("initiatorOctets", 231), COUNTER64, PLACE(flow.payload_octets[0])},
    {IANA("responderOctets", 232), COUNTER64, PLACE(flow.payload_octets[1])},
    {OURS("initiator_missing_octets", 31, "payload octets of the initiator never seen"), COUNTER64,
     PLACE(flow.missing_octets[0])},
    {OURS("responder_missing_octets", 32, "payload octets of the responder never seen"), COUNTER64,
     PLACE(flow.missing_octets[1])},
    {OURS("initiator_retransmissions", 33, "segments the initiator sent again"), COUNTER32,
     PLACE(flow.retransmissions[0])},
    {OURS("responder_retransmissions", 34, "segments the responder sent again"), COUNTER32,
     PLACE(flow.retransmissions[1])},
    {OURS("duplicate_packets", 35, "packets mirrored twice, not counted elsewhere"), COUNTER32,
     PLACE(flow.duplicates)},
    {IANA("tcpSynTotalCount", 218), KIND(UNSIGNED64, TOTAL_COUNTER), LENGTH(2, 2),
     PLACE(flow.syn_count)},
    {IANA("minimumTTL", 52), KIND(UNSIGNED8, QUANTITY), LENGTH(1, 1), PLACE(flow.ttl_min)},
    {IANA("maximumTTL", 53), KIND(UNSIGNED8, QUANTITY), LENGTH(1, 1), PLACE(flow.ttl_max)},
    {OURS("handshake_rtt", 36, "round trip of the handshake in microseconds; 0: not seen"),
     QUANTITY32, PLACE(flow.rtt_us)},
    {OURS("first_reply", 37, "milliseconds from handshake to the responder's first octet; 0: none"),
     QUANTITY32, PLACE(flow.to_first_reply_ms)},
    {OURS("encapsulation", 38, "layers around the IP packet"), STRING, PLACE(flow.encap)},
    {OURS("hashes", 5, "keyed hashes: kind (1 octet), key id (1), value (8), and again"),
     KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_HASHES, VARIABLE, PLACE(flow.hash),
     .more = flow_hashes},
};

#define ADDRESS(n, i, t, len, m)                                                       \
    {                                                                                  \
        IANA(n, i), KIND(t, DEFAULT), .how = IPFIX_ADDRESS, LENGTH(len, len), PLACE(m) \
    }

static const struct ipfix_field fields_flow_v4[] = {
    ADDRESS("sourceIPv4Address", 8, IPV4, 4, flow.initiator),
    ADDRESS("destinationIPv4Address", 12, IPV4, 4, flow.responder),
};

static const struct ipfix_field fields_flow_v6[] = {
    ADDRESS("sourceIPv6Address", 27, IPV6, 16, flow.initiator),
    ADDRESS("destinationIPv6Address", 28, IPV6, 16, flow.responder),
};

static const uint16_t smtp_bits[] = {
    OFFSET(flow.smtp.early_talker),    OFFSET(flow.smtp.pipelining_offered),
    OFFSET(flow.smtp.clear_after_tls), OFFSET(flow.smtp.helo_is_literal),
    OFFSET(flow.smtp.helo_is_peer),    OFFSET(flow.smtp.xclient),
    OFFSET(flow.smtp.quit_seen),       0,
};

// The counters that other programs would want to see: MAIL, RCPT and its answers, messages. The
// rest travel in smtp_rare_counters when they are not zero: shorter, and templates stay near the 60
// fields that Wireshark takes by default. Each has an element number of its own all the same, so
// that it can move.
#define IS_SENT(element) \
    ((element) == 2 || (element) == 4 || (element) == 5 || (element) == 7 || (element) == 10)

static const struct ipfix_field fields_smtp[] = {
#define X(counter, element, words)                                                    \
    {OURS("smtp_" #counter, 100 + (element), words), KIND(UNSIGNED32, DELTA_COUNTER), \
     LENGTH(IS_SENT(element) ? 2 : 0, IS_SENT(element) ? 4 : 0), PLACE(flow.smtp.counter)},
    RECORD_SMTP_COUNTERS(X)
#undef X
        {OURS("smtp_rare_counters", 190,
              "the other counters that are not zero: element number less "
              "100 (1 octet), value (LEB128), and again"),
         KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_COUNTERS, VARIABLE, PLACE(flow.smtp)},
    {OURS("smtp_banner_code", 191, "reply code of the greeting; 0: none seen"), U16,
     PLACE(flow.smtp.banner_code)},
    {OURS("smtp_starttls_state", 192, "0 none, 1 offered, 2 asked, 3 accepted"), U8,
     PLACE(flow.smtp.starttls_state)},
    {OURS("smtp_bits", 193,
          "1 early talker, 2 PIPELINING offered, 4 clear after TLS, 8 HELO is an address, 16 HELO "
          "is the peer's, 32 XCLIENT, 64 QUIT seen"),
     KIND(UNSIGNED16, FLAGS), .how = IPFIX_BITS, LENGTH(2, 2), .member = "flow.smtp",
     .more = smtp_bits},
};

static const uint16_t tls_bits[] = {OFFSET(flow.tls.handshake_done), 0};

static const struct ipfix_field fields_tls[] = {
    {OURS("tls_version", 200, "negotiated; 0: not seen"), U16, PLACE(flow.tls.version)},
    {OURS("tls_cipher", 201, "cipher suite; 0: not seen"), U16, PLACE(flow.tls.cipher)},
    {OURS("tls_ja4", 202, "JA4 fingerprint of the client"), STRING, PLACE(flow.tls.ja4)},
    {OURS("tls_sni_domain", 203, "registered domain of the server name"), STRING,
     PLACE(flow.tls.sni_domain)},
    {OURS("tls_alpn", 204, "application protocol"), STRING, PLACE(flow.tls.alpn)},
    {OURS("tls_certificate_hash", 205, "SHA-256 of the server's certificate; empty: not seen"),
     KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_BYTES, VARIABLE, PLACE(flow.tls.certificate_hash)},
    {OURS("tls_alert", 206, "last alert's description; 255: none"), U8, PLACE(flow.tls.alert)},
    {OURS("tls_initiator_octets", 207, "inside application-data records of the initiator"),
     COUNTER64, PLACE(flow.tls.application_octets[0])},
    {OURS("tls_responder_octets", 208, "inside application-data records of the responder"),
     COUNTER64, PLACE(flow.tls.application_octets[1])},
    {OURS("tls_record_lengths", 209,
          "first 16 record lengths, signed 16 bits each, the responder's negative"),
     KIND(OCTET_ARRAY, DEFAULT), .how = IPFIX_LENGTHS, VARIABLE, PLACE(flow.tls.record_lengths)},
    {OURS("tls_time_to_close", 210, "milliseconds from handshake to close; 0: still open"),
     QUANTITY32, PLACE(flow.tls.time_to_close_ms)},
    {OURS("tls_bits", 211, "1 handshake done"), KIND(UNSIGNED8, FLAGS), .how = IPFIX_BITS,
     LENGTH(1, 1), .member = "flow.tls", .more = tls_bits},
};

static const struct ipfix_field fields_dns[] = {
    {OURS("dns_queries", 240, "queries"), COUNTER32, PLACE(flow.dns.queries)},
    {OURS("dns_mx_queries", 241, "MX queries"), COUNTER32, PLACE(flow.dns.mx_queries)},
    {OURS("dns_mx_nxdomain", 242, "MX queries answered NXDOMAIN"), COUNTER32,
     PLACE(flow.dns.mx_nxdomain)},
    {OURS("dns_mx_names", 243, "distinct domains asked for, at most 64"), COUNTER32,
     PLACE(flow.dns.mx_names_distinct)},
};

static const struct ipfix_field fields_l2[] = {
    {OURS("subscriber_mac", 260, "MAC address at the subscriber's side"), KIND(MAC, DEFAULT),
     .how = IPFIX_BYTES, LENGTH(6, 6), PLACE(flow.l2.subscriber_mac)},
    {IANA("dot1qVlanId", 243), U16, PLACE(flow.l2.vlan[0])},
    {IANA("dot1qCustomerVlanId", 245), U16, PLACE(flow.l2.vlan[1])},
    {OURS("pppoe_session", 261, "PPPoE session; 0: none"), U16, PLACE(flow.l2.pppoe_session)},
    {OURS("mpls_label", 262, "innermost label; 0: none"), U32, PLACE(flow.l2.mpls_label)},
    {OURS("vni", 263, "VXLAN or GENEVE network; 0: none"), U32, PLACE(flow.l2.vni)},
};
