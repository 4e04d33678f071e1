// What a sensor tells the collector: one record a flow and minute, one a mail-log event, one
// coverage record a second (coverage.h).
//
// On the wire and in files it is IPFIX (RFC 7011, 5103 biflow, 5655 files); the elements stand in
// docs/formats/ipfix.md, generated from the tables here. Counters are deltas since the flow's last
// record. A connection counts in the record that carries RECORD_START, an outcome in the record of
// the minute in which it was decided. Octet counts are IP octets (header included), as IPFIX counts.
// Never a body, never a credential, never a recipient in clear.
//
// Extending: add at the end of a list or struct, give a new element number, leave numbers of removed
// ones unused. Readers ignore elements they do not know.
#pragma once

#include "common/coverage.h"
#include "common/identity.h"
#include "common/keyed_hash.h"

#define RECORD_VERSION 1

// Identity of a record: a repeat has the same three numbers and is dropped.
struct record_id {
    uint32_t domain;   // sensor process (observation domain)
    uint64_t epoch;    // new at every start of the process; grows
    uint64_t sequence; // from 1, without gaps
};

enum record_kind {
    RECORD_FLOW = 1,
    RECORD_MAIL = 2,     // from a mail server's log
    RECORD_COVERAGE = 3, // struct coverage
};

enum record_flags {
    RECORD_START = 1 << 0,    // the flow's first record
    RECORD_CONTINUE = 1 << 1, // not the first
    RECORD_END = 1 << 2,      // the flow's last record
    RECORD_OUTCOME = 1 << 3,  // `handshake` was decided within this record
};

// Which end is a subscriber. Both: two subscribers of ours; each gets its minute.
enum record_side {
    RECORD_SIDE_NONE,
    RECORD_SIDE_INITIATOR,
    RECORD_SIDE_RESPONDER,
    RECORD_SIDE_BOTH
};

enum record_incomplete {
    RECORD_ONLY_INITIATOR = 1 << 0, // nothing of the responder was ever seen
    RECORD_ONLY_RESPONDER = 1 << 1,
    RECORD_MIDSTREAM = 1 << 2,    // its beginning was not seen
    RECORD_GAP = 1 << 3,          // octets are missing: `missing_octets`
    RECORD_SLICED = 1 << 4,       // packets cut by the snap length
    RECORD_SAMPLED = 1 << 5,      // `sampling` says 1:N
    RECORD_CONFLICT = 1 << 6,     // overlapping segments with different octets; the first counted
    RECORD_EVICTED = 1 << 7,      // flow table full: ended early
    RECORD_NO_MEMORY = 1 << 8,    // reassembly bound reached: octets passed over
    RECORD_HASHES_CUT = 1 << 9,   // more names than `hashes` holds
    RECORD_PARSER_LOST = 1 << 10, // the dialogue could not be followed to its end
    RECORD_FLOW_ONLY = 1 << 11,   // the legal profile forbids to look inside
};

enum record_handshake {
    RECORD_HANDSHAKE_PENDING, // not decided yet
    RECORD_HANDSHAKE_ESTABLISHED,
    RECORD_HANDSHAKE_REFUSED,    // RST to the SYN
    RECORD_HANDSHAKE_UNANSWERED, // nothing came within the SYN timeout
    RECORD_HANDSHAKE_ICMP,       // unreachable or prohibited
    RECORD_HANDSHAKE_CLOSED_EARLY, // established, ended before the initiator's first octet (or first command)
    RECORD_HANDSHAKE_MIDSTREAM, // joined later
};

enum record_app {
    RECORD_APP_UNKNOWN,
    RECORD_APP_SMTP,
    RECORD_APP_SMTPS, // implicit TLS on a mail port
    RECORD_APP_LMTP,
    RECORD_APP_SOCKS4,
    RECORD_APP_SOCKS4A,
    RECORD_APP_SOCKS5,
    RECORD_APP_POP3,
    RECORD_APP_POP3S,
    RECORD_APP_IMAP,
    RECORD_APP_IMAPS,
    RECORD_APP_DNS,
    RECORD_APP_TLS, // on another port
    RECORD_APP_HTTP,
    RECORD_APP_SSH,
    RECORD_APP_OTHER, // known to nDPI; `ndpi_protocol` says which
    RECORD_APP_N,
};

// "smtp", "smtps", "socks4a", ...; NULL when out of range.
const char *record_app_name(unsigned app);
const char *record_handshake_name(unsigned handshake); // "established", "refused", ...

enum record_app_source {
    RECORD_APP_BY_NOTHING,
    RECORD_APP_BY_PORT,    // no payload seen: the port's usual meaning
    RECORD_APP_BY_CONTENT, // our own first-octets rules
    RECORD_APP_BY_NDPI,
    RECORD_APP_BY_PARENT, // the dialogue inside a SOCKS or STARTTLS session
};

// SMTP counters (RFC 5321 and extensions). Commands count when seen, whatever the answer; *_2xx and
// so on count answers; messages_* are answers to the end of DATA or to the last BDAT.
#define RECORD_SMTP_COUNTERS(X)                                                                  \
    X(helo, 1, "HELO, EHLO and LHLO commands")                                                   \
    X(mail, 2, "MAIL commands")                                                                  \
    X(null_sender, 3, "MAIL commands with the null sender <>")                                   \
    X(rcpt, 4, "RCPT commands")                                                                  \
    X(rcpt_ok, 5, "RCPT answered 2xx")                                                           \
    X(rcpt_4xx, 6, "RCPT answered 4xx")                                                          \
    X(rcpt_5xx, 7, "RCPT answered 5xx")                                                          \
    X(data, 8, "DATA commands")                                                                  \
    X(bdat, 9, "BDAT commands")                                                                  \
    X(messages_ok, 10, "messages answered 2xx")                                                  \
    X(messages_4xx, 11, "messages answered 4xx")                                                 \
    X(messages_5xx, 12, "messages answered 5xx")                                                 \
    X(message_octets, 13, "octets of DATA and BDAT content")                                     \
    X(auth, 14, "AUTH commands")                                                                 \
    X(auth_failed, 15, "AUTH exchanges answered 4xx or 5xx")                                     \
    X(starttls, 16, "STARTTLS commands")                                                         \
    X(starttls_ok, 17, "STARTTLS answered 220")                                                  \
    X(vrfy, 18, "VRFY commands")                                                                 \
    X(expn, 19, "EXPN commands")                                                                 \
    X(quit, 20, "QUIT commands")                                                                 \
    X(rset, 21, "RSET commands")                                                                 \
    X(mail_4xx, 22, "MAIL answered 4xx")                                                         \
    X(mail_5xx, 23, "MAIL answered 5xx")                                                         \
    X(blocklist_policy, 24, "4xx/5xx replies naming a policy listing (PBL, DUL, dynamic)")       \
    X(blocklist_exploit, 25, "replies naming an exploit listing (XBL, CSS, SpamCop, PSBL, ...)") \
    X(blocklist_unknown, 26, "replies naming a listing of unknown kind")                         \
    X(blocklist_names_us, 27, "blocklist replies that name the initiator's own address")         \
    X(source_routed, 28, "recipients with %, ! or a second @")                                   \
    X(protocol_errors, 29, "replies 500-504 and lines that are no command")                      \
    X(unoffered_pipelining, 30, "commands sent ahead although PIPELINING was not offered")       \
    X(unknown, 31, "commands that no RFC known to us names")                                     \
    X(reply_421, 32, "421 replies: the server closes in the middle")

enum record_starttls {
    RECORD_STARTTLS_NONE,
    RECORD_STARTTLS_OFFERED,
    RECORD_STARTTLS_ASKED,
    RECORD_STARTTLS_ACCEPTED,
};

struct record_smtp {
    uint16_t banner_code;   // reply code of the greeting; 0: none seen
    uint8_t starttls_state; // enum record_starttls
    bool early_talker;      // the client spoke before the greeting
    bool pipelining_offered;
    bool clear_after_tls; // STARTTLS accepted and the session went on in clear
    bool helo_is_literal; // address literal or bare address instead of a name
    bool helo_is_peer;    // HELO gave the server's own name or address
    bool xclient;         // XCLIENT or XFORWARD seen: the client speaks for others
    bool quit_seen;
#define X(name, element, text) uint32_t name;
    RECORD_SMTP_COUNTERS(X)
#undef X
};

#define RECORD_TLS_LENGTHS 16
#define RECORD_NAME_MAX    64

struct record_tls {
    uint16_t version;                 // negotiated, 0x0303 / 0x0304; 0: not seen
    uint16_t cipher;                  // 0: not seen
    char ja4[40];                     // client fingerprint by the public JA4 description
    char sni_domain[RECORD_NAME_MAX]; // registered domain of the server name; never the full name
    char alpn[16];
    uint8_t
        certificate_hash[32]; // SHA-256 of the server's certificate (TLS 1.2 only); zero: not seen
    uint8_t alert;            // last alert's description; 255: none
    uint64_t application_octets[2]; // inside application-data records: initiator, responder
    int16_t record_lengths[RECORD_TLS_LENGTHS]; // first 16 record lengths, responder's are negative
    uint32_t time_to_close_ms; // from the end of the handshake to the close; 0: still open
    bool handshake_done;
};

enum record_socks_command { RECORD_SOCKS_CONNECT = 1, RECORD_SOCKS_BIND = 2, RECORD_SOCKS_UDP = 3 };

// `version` of a tunnel by HTTP CONNECT, which is counted as a SOCKS session is; its `reply` is the SOCKS5 reply nearest to
// the answer's status, `auth_failed` that a password was asked for.
#define RECORD_SOCKS_HTTP 1

struct record_socks {
    uint8_t version;  // 4 or 5, or RECORD_SOCKS_HTTP
    bool is_4a;       // SOCKS4 with a name
    uint8_t method;   // RFC 1928 method chosen; 0xff: none acceptable or not seen
    bool auth_failed; // RFC 1929 status not zero
    uint8_t command;  // enum record_socks_command; 0: not seen
    uint16_t target_port;
    struct ip_addr target; // IP_NONE when a name was given
    uint8_t reply;         // SOCKS5 reply or SOCKS4 0x5a-0x5d; 0xff: none seen
    bool granted;
    bool reverse;               // the initiator is the SOCKS server (backconnect)
    uint64_t relayed_octets[2]; // behind the handshake: initiator, responder
    uint8_t inner_app;          // enum record_app of the relayed dialogue
    uint64_t first_octets_hash; // keyed hash of the relayed dialogue's first 64 client octets
};

struct record_dns {
    uint32_t queries;
    uint32_t mx_queries;
    uint32_t mx_nxdomain;
    uint32_t mx_names_distinct; // distinct domains asked for, bounded at 64
};

struct record_login { // POP3 and IMAP
    uint32_t tries;
    uint32_t failures;
};

#define RECORD_HASHES_MAX 64

enum record_group { // which of the parts below are there; also the IPFIX template: 256 + groups
    RECORD_HAS_SMTP = 1 << 0,
    RECORD_HAS_TLS = 1 << 1,
    RECORD_HAS_SOCKS = 1 << 2,
    RECORD_HAS_DNS = 1 << 3,
    RECORD_HAS_LOGIN = 1 << 4,
    RECORD_HAS_L2 = 1 << 5,
    RECORD_HAS_CARRIER = 1 << 6,
};

struct record_l2 { // the layer-2 session, for leases and source validation
    uint8_t subscriber_mac[6];
    uint16_t vlan[2]; // outer, inner; 0: none
    uint16_t pppoe_session;
    uint32_t mpls_label; // innermost
    uint32_t vni;        // VXLAN, GENEVE
};

// Of a flow of a minute and more that a subscriber began: what that subscriber opened elsewhere beside it since
// this was last told, at most one flow a second. Told when it says something (docs/sensor.md).
struct record_carrier {
    uint16_t opened;     // flows begun
    uint16_t behind;     // of these, within 300 ms of octets that came down this flow
    uint32_t covered_ms; // of the time watched, within 300 ms of such octets: `behind` by chance
    uint32_t watched_ms;
    uint64_t networks; // a bit for each /24 or /48 so opened, by its hash
};

struct record_flow {
    struct realm realm;
    uint64_t
        flow_hash; // of 5-tuple, realm and both initial sequence numbers: the same at two sensors
    uint8_t ip_proto;
    struct ip_addr initiator;
    struct ip_addr responder;
    uint16_t initiator_port;
    uint16_t responder_port;
    uint32_t initiator_isn; // valid when isn_seen has bit 0
    uint32_t responder_isn; // bit 1
    uint8_t isn_seen;
    uint8_t side;           // enum record_side
    uint8_t flags;          // enum record_flags
    uint8_t handshake;      // enum record_handshake
    uint8_t app;            // enum record_app
    uint8_t app_source;     // enum record_app_source
    uint8_t groups;         // enum record_group
    uint16_t ndpi_protocol; // nDPI's number, 0: not asked or not known
    uint32_t incomplete;    // enum record_incomplete
    uint32_t sampling;      // 1:N; 1 when every packet was seen
    int64_t flow_start_ms;  // first packet of the flow
    int64_t start_ms;       // of what this record counts
    int64_t end_ms;
    int64_t outcome_ms;  // when the handshake's outcome was decided; 0: not in this record
    uint64_t packets[2]; // initiator, responder
    uint64_t octets[2];
    uint64_t payload_octets[2];
    uint64_t missing_octets[2];
    uint32_t retransmissions[2];
    uint32_t duplicates; // packets recognised as mirrored twice, not counted elsewhere
    uint16_t syn_count;  // SYNs of the attempt, retransmissions included
    uint8_t ttl_min;     // of the initiator's packets: wide spread means spoofing
    uint8_t ttl_max;
    uint32_t rtt_us;            // handshake round trip; 0: not seen
    uint32_t to_first_reply_ms; // from handshake to the responder's first octet; 0: none
    char encap[32];             // layers around the IP packet: "vlan+pppoe"; "" for none
    struct record_l2 l2;
    struct record_smtp smtp;
    struct record_tls tls;
    struct record_socks socks;
    struct record_dns dns;
    struct record_login login;
    struct record_carrier carrier;
    uint8_t hash_count;
    struct keyed_hash hash[RECORD_HASHES_MAX];
};

// One event of a mail server's log. `client` is who connected; `mailbox` who authenticated.
enum record_mail_event {
    RECORD_MAIL_CONNECT = 1,
    RECORD_MAIL_MESSAGE = 2,  // accepted into the queue
    RECORD_MAIL_REJECT = 3,   // refused by us; `reply_code`, `filter`
    RECORD_MAIL_AUTH = 4,     // tried; `auth_failed`
    RECORD_MAIL_DELIVERY = 5, // to a destination: sent, deferred or bounced by `reply_code`
    RECORD_MAIL_BOUNCE = 6,   // null-sender message generated here
};

enum record_mail_filter {
    RECORD_FILTER_NONE,
    RECORD_FILTER_SPAM,
    RECORD_FILTER_VIRUS,
    RECORD_FILTER_POLICY,
    RECORD_FILTER_RATE,
};

struct record_mail {
    int64_t t_ms;
    uint8_t event; // enum record_mail_event
    struct realm realm;
    struct ip_addr client;
    uint16_t client_port;      // 0: not in the log
    struct keyed_hash mailbox; // kind 0: not authenticated
    uint16_t server_port;      // 25, 465, 587; 0: not known
    bool tls;
    bool auth_failed;
    uint8_t filter;      // enum record_mail_filter
    uint16_t reply_code; // 0: none
    uint32_t recipients; // accepted; of a delivery: 1 when its message named none
    uint32_t recipients_4xx;
    uint32_t recipients_5xx;
    uint32_t message_octets;
    uint8_t blocklist;      // 0 none, 1 policy, 2 exploit, 3 unknown (destination's reply)
    uint32_t client_asn;    // from the operator's prefix file; 0: not known
    char client_country[3]; // "DE"; "": not known
    uint64_t message_hash;  // keyed: matches the same message seen in packets; 0: none
    uint64_t server_hash;   // which server's log, instance included
    uint8_t hash_count;
    struct keyed_hash hash[RECORD_HASHES_MAX];
};

struct record {
    uint16_t version;
    uint8_t kind; // enum record_kind
    struct record_id id;
    union {
        struct record_flow flow;
        struct record_mail mail;
        struct coverage coverage;
    };
};

// Is every value possible (families, ports, enums, start <= end, counts of hashes, text terminated)?
// NULL when it is, else a short constant name of the reason, to be counted by.
const char *record_check(const struct record *r);

// ---- Files of records: IPFIX messages one after another (RFC 5655).

struct record_writer;

// Writes templates first and whenever a new one is used. Export times are those of the records, so
// the same records give the same file. `path` "-" is standard output.
int record_writer_open(const char *path, uint32_t domain, struct record_writer **out);
int record_writer_put(struct record_writer *w, const struct record *r); // -ENOSPC, -EIO, ...
// The same for a record that the caller has made itself and vouches for: record_check is only asserted.
int record_writer_put_own(struct record_writer *w, const struct record *r);
int record_writer_flush(struct record_writer *w);
// Flushes, syncs and closes; the first error of all. Frees in any case.
int record_writer_close(struct record_writer *w);

struct record_reader;

struct record_reader_stats {
    uint64_t messages, records, octets;
    uint64_t unknown_template;                 // data sets skipped
    uint64_t unknown_element;                  // fields skipped
    uint64_t bad_message, bad_set, bad_record; // broken input, by where it was found
    uint64_t bad_value;                        // record_check said no
    bool truncated;                            // the file ends inside a message
    uint64_t no_identity;  // flow records of other exporters: their `id` has epoch 0, sequence 0
    uint64_t lost_records; // missing by the sequence numbers of the messages
    uint64_t options;      // options records: read for clock and sampling, not handed out
};

int record_reader_open(const char *path, struct record_reader **out); // negative errno
// 1: `*r` filled; 0: end. Broken input is counted and passed over.
int record_reader_next(struct record_reader *rd, struct record *r);
const struct record_reader_stats *record_reader_stats(const struct record_reader *rd);
const char *record_reader_bad_value(const struct record_reader *rd); // last reason, or NULL
void record_reader_close(struct record_reader *rd);
