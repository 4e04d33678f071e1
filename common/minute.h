// A minute of a subscriber: what the collector makes of records, and all that series and analysis
// ever see of the traffic.
//
// A row is additive. A minute of a key arrives as one closing row, or as several: early slices of a
// minute that is still open (a key with much happening is cut before the minute ends, so that a fast
// bot is seen in seconds), the closing row, and amendments for what came late. Counters of rows with
// the same key and minute add up, sets unite, digests follow one another. docs/formats/minute.md
// describes the encoding and docs/formats/journal.md the file.
//
// Which detector reads which field stands at the end of this file.
#pragma once

#include "common/coverage.h"
#include "common/distinct.h"
#include "common/identity.h"

#define MINUTE_VERSION 3 // versions 1 and 2 are still read

// What the other end is to the subscriber.
enum minute_role {
    MINUTE_SMARTHOST,  // the ISP's own outbound server
    MINUTE_MX,         // SMTP to anybody else on port 25, or on an unusual port
    MINUTE_SUBMISSION, // 465, 587, 2525 elsewhere
    MINUTE_ACCESS,     // POP3 and IMAP
    MINUTE_OTHER,
    MINUTE_ROLES,
};

enum minute_direction {
    MINUTE_OUT,
    MINUTE_IN,
    MINUTE_DIRECTIONS
}; // the subscriber initiates, or not

const char *minute_role_name(unsigned role); // "smarthost", "mx", "submission", "access", "other"

// Kept for each role and direction.
#define MINUTE_COUNTERS(X)                                                                    \
    X(connections, "connections begun (SYN retransmissions are one)")                         \
    X(established, "handshakes completed")                                                    \
    X(refused, "reset at once")                                                               \
    X(unanswered, "no answer within the SYN timeout")                                         \
    X(icmp_rejected, "answered by ICMP unreachable or prohibited")                            \
    X(closed_early, "established, closed before the client's first command")                  \
    X(midstream, "joined later: beginning not seen")                                          \
    X(one_sided, "ended with one direction only")                                             \
    X(banner_ok, "greetings 2xx")                                                             \
    X(banner_4xx, "greetings 4xx")                                                            \
    X(banner_5xx, "greetings 5xx (usually 554)")                                              \
    X(helo, "sessions that got to HELO, EHLO or LHLO")                                        \
    X(tls_sessions, "sessions that went to TLS (implicit or STARTTLS)")                       \
    X(tls_short, "of these, under 1.5 kB sent after the handshake: no message can have gone") \
    X(tls_alerts, "of these, ended by an alert")                                              \
    X(starttls_unasked, "STARTTLS offered and never asked for")                               \
    X(mail, "MAIL commands")                                                                  \
    X(null_sender, "MAIL FROM:<>")                                                            \
    X(mail_5xx, "MAIL answered 5xx")                                                          \
    X(rcpt, "RCPT commands")                                                                  \
    X(rcpt_ok, "RCPT answered 2xx")                                                           \
    X(rcpt_4xx, "RCPT answered 4xx")                                                          \
    X(rcpt_5xx, "RCPT answered 5xx")                                                          \
    X(sessions_550_no_data,                                                                   \
      "sessions with a refused recipient and no DATA (harvesting, callouts)")                 \
    X(messages_ok, "messages accepted")                                                       \
    X(messages_4xx, "messages put off")                                                       \
    X(messages_5xx, "messages refused")                                                       \
    X(message_octets, "octets of message content")                                            \
    X(auth, "AUTH or login tries")                                                            \
    X(auth_failed, "of these, failed")                                                        \
    X(vrfy_expn, "VRFY and EXPN commands")                                                    \
    X(blocklist_policy, "replies naming a policy listing")                                    \
    X(blocklist_exploit, "replies naming an exploit listing")                                 \
    X(blocklist_unknown, "replies naming a listing of unknown kind")                          \
    X(blocklist_names_us, "blocklist replies naming the subscriber's own address")            \
    X(source_routed, "recipients with %, ! or a second @")                                    \
    X(early_talker, "sessions whose client spoke before the greeting")                        \
    X(unoffered_pipelining, "sessions with commands sent ahead without PIPELINING offered")   \
    X(protocol_errors, "replies 500-504 and lines that are no command")                       \
    X(helo_literal, "HELO with an address instead of a name")                                 \
    X(helo_peer, "HELO with the server's own name or address")                                \
    X(quit_missing, "SMTP sessions that ended without QUIT")                                  \
    X(octets_up, "IP octets from the subscriber")                                             \
    X(octets_down, "IP octets to the subscriber")                                             \
    X(packets_up, "packets from the subscriber")                                              \
    X(packets_down, "packets to the subscriber")                                              \
    X(retransmissions, "segments sent again")                                                 \
    X(missing_octets, "payload octets never seen")                                            \
    X(filter_spam, "mail log: messages blocked as spam")                                      \
    X(filter_virus, "mail log: messages blocked as virus")                                    \
    X(filter_policy, "mail log: messages blocked by policy or rate")                          \
    X(bounces, "mail log: bounces generated")                                                 \
    X(deferred, "mail log: deliveries deferred at the destination")                           \
    X(destination_5xx, "mail log: deliveries refused at the destination")                     \
    X(destination_blocklist, "mail log: refusals at the destination that name a blocklist")

enum minute_counter {
#define X(name, text) MINUTE_##name,
    MINUTE_COUNTERS(X)
#undef X
        MINUTE_COUNTER_N
};

// Kept once a row.
#define MINUTE_GAUGES(X)                                                                         \
    X(flows, "flows of any kind begun")                                                          \
    X(new_destinations, "outbound flows to a peer not in the last hour's set")                   \
    X(concurrent_mx,                                                                             \
      "most outbound port-25 connections open at once (1 s sweep); maximum, no sum")             \
    X(concurrent_socks, "most SOCKS sessions open at once; maximum, no sum")                     \
    X(socks_in, "SOCKS handshakes towards the subscriber")                                       \
    X(socks_in_granted, "of these, with the subscriber's own success reply")                     \
    X(socks_in_mail, "of these, with a mail port as target or mail inside")                      \
    X(socks_in_refused, "refused by the subscriber")                                             \
    X(socks_out, "SOCKS handshakes from the subscriber")                                         \
    X(socks_reverse, "the subscriber dialled out and serves SOCKS there (backconnect)")          \
    X(socks_octets, "octets relayed in SOCKS sessions")                                          \
    X(dns_mx_queries, "MX queries")                                                              \
    X(dns_mx_nxdomain, "of these, answered NXDOMAIN")                                            \
    X(spoof_suspects, "one-way SYNs whose TTL or layer-2 session does not fit the subscriber")   \
    X(scan_syns, "unanswered SYNs never sent again, or to addresses in order: a scan, not mail") \
    X(hashes_cut, "records whose list of names was cut")

enum minute_gauge {
#define X(name, text) MINUTE_##name,
    MINUTE_GAUGES(X)
#undef X
        MINUTE_GAUGE_N
};

const char *minute_counter_name(unsigned counter);
const char *minute_gauge_name(unsigned gauge);
const char *minute_counter_text(unsigned counter);
const char *minute_gauge_text(unsigned gauge);
bool minute_gauge_is_maximum(unsigned gauge);

// Distinct values of the minute, outbound unless the name says otherwise.
#define MINUTE_SETS(X)                                                                      \
    X(peers_mx, "addresses contacted as MX")                                                \
    X(providers_mx, "providers contacted as MX")                                            \
    X(providers_submission, "providers contacted for submission")                           \
    X(providers_login, "providers with AUTH or login tries")                                \
    X(peers_mx_failed,                                                                      \
      "MX addresses whose contact failed (unanswered, refused, closed early, 5xx banner)")  \
    X(recipients, "recipients")                                                             \
    X(recipient_domains, "recipient domains")                                               \
    X(senders, "senders")                                                                   \
    X(sender_domains, "sender domains")                                                     \
    X(helo_names, "HELO names")                                                             \
    X(auth_users, "AUTH users tried")                                                       \
    X(login_users, "POP3 and IMAP users tried")                                             \
    X(tls_clients, "JA4 client fingerprints")                                               \
    X(networks_in_25, "networks (/24, /48) that were answered on the subscriber's port 25") \
    X(socks_clients, "networks that use SOCKS at the subscriber")                           \
    X(client_networks, "mail log: client networks of a mailbox")                            \
    X(client_countries, "mail log: client countries of a mailbox")

enum minute_set {
#define X(name, text) MINUTE_SET_##name,
    MINUTE_SETS(X)
#undef X
        MINUTE_SET_N
};

const char *minute_set_name(unsigned set);

enum minute_outcome {
    MINUTE_OUTCOME_PENDING,
    MINUTE_OUTCOME_ESTABLISHED,
    MINUTE_OUTCOME_GREETED, // established and 2xx greeting, or TLS completed
    MINUTE_OUTCOME_REFUSED,
    MINUTE_OUTCOME_UNANSWERED,
    MINUTE_OUTCOME_ICMP,
    MINUTE_OUTCOME_CLOSED_EARLY,
    MINUTE_OUTCOME_TURNED_AWAY, // greeting 4xx or 5xx
    MINUTE_OUTCOME_MIDSTREAM,
};

enum minute_digest_flags {
    MINUTE_DIGEST_START = 1 << 0, // the flow began in this row
    MINUTE_DIGEST_END = 1 << 1,
    MINUTE_DIGEST_ONE_SIDED = 1 << 2,
    MINUTE_DIGEST_TLS = 1 << 3,
    MINUTE_DIGEST_AUTH = 1 << 4, // authenticated with success
    MINUTE_DIGEST_AUTH_FAILED = 1 << 5,
    MINUTE_DIGEST_NULL_SENDER = 1 << 6,
    MINUTE_DIGEST_POLICY_REPLY = 1 << 7, // refused with a policy listing: not the bot's doing
    MINUTE_DIGEST_HOSTING = 1 << 8,      // the peer is in a hosting network
    MINUTE_DIGEST_SOCKS_GRANTED = 1 << 9,
    MINUTE_DIGEST_SUSPECT_SPOOF = 1 << 10,
    MINUTE_DIGEST_GAP = 1 << 11,
    MINUTE_DIGEST_FROM_LOG = 1 << 12,
    MINUTE_DIGEST_OUTCOME = 1 << 13, // `outcome` was decided in this row, at `outcome_ms`
    MINUTE_DIGEST_SCAN = 1 << 14,    // unanswered and its SYN never sent again: no mail program's
};

enum minute_provider {
    MINUTE_PROVIDER_NONE,
    MINUTE_PROVIDER_SNI,     // registered domain of the TLS server name
    MINUTE_PROVIDER_ASN,     // operator's prefix file
    MINUTE_PROVIDER_NETWORK, // /24 or /48
};

// One flow within the minute. Times are milliseconds from the minute's start and may be negative for
// a flow that began earlier. A flow that spans rows stands in each with the same `flow_hash`.
struct minute_digest {
    uint64_t flow_hash;
    struct ip_addr peer;
    uint16_t peer_port;
    uint16_t own_port;
    uint8_t role;          // enum minute_role
    uint8_t direction;     // enum minute_direction
    uint8_t app;           // enum record_app
    uint8_t outcome;       // enum minute_outcome
    uint8_t provider_kind; // enum minute_provider
    uint8_t socks_inner;   // enum record_app
    uint16_t socks_port;   // target port
    uint32_t flags;        // enum minute_digest_flags
    int32_t start_ms, end_ms;
    int32_t outcome_ms;
    uint64_t provider;               // hash of what `provider_kind` says
    uint64_t octets_up, octets_down; // of the subscriber, in this row
    uint32_t rcpt, rcpt_5xx, messages_ok, messages_5xx;
    uint32_t first_down_ms; // first octet to the subscriber after start; 0: none
    uint64_t user;          // hash of the AUTH or login user; 0: none
    uint64_t recipient;     // hash of the first recipient; 0: none
    uint64_t sender;        // hash of the first sender; 0: none
    uint64_t tls_client;    // hash of the JA4; 0: none
    uint64_t relay_first;   // hash of the first octets relayed or sent, for matching in and out
    // Of a long flow, what struct record_carrier tells: flows opened elsewhere beside it, of these behind its
    // data, how much of the time lay behind such data, and networks opened so. 0 opened: not told.
    uint16_t carrier_opened, carrier_behind;
    uint16_t carrier_chance; // per mille
    uint64_t carrier_networks;
};

#define MINUTE_DIGESTS_DEFAULT 64

enum minute_flags {
    MINUTE_EARLY = 1 << 0,       // slice of an open minute
    MINUTE_CLOSING = 1 << 1,     // the minute is closed by this row
    MINUTE_AMENDMENT = 1 << 2,   // came after the close
    MINUTE_UNOBSERVED = 1 << 3,  // closed because the sensor fell silent: zero means unknown
    MINUTE_LEASE_START = 1 << 4, // the party began with this minute: earlier state is not its own
    MINUTE_FROM_PACKETS = 1 << 5,
    MINUTE_FROM_LOG = 1 << 6,
    MINUTE_FROM_EXPORT = 1 << 7, // a router's IPFIX: no content, no handshakes
};

#define MINUTE_SENSORS_MAX 4
#define MINUTE_SENSORS_ALL "*"

struct minute_row {
    int64_t minute; // minutes since 1970
    int64_t cut_ms; // watermark when the row was made: the time a verdict on it can be of
    struct subscriber_key key;
    struct party party;
    uint8_t confidence; // enum identity_confidence
    uint32_t doubts;    // enum identity_doubt
    uint32_t flags;     // enum minute_flags
    char network_class[LEASE_NAME_MAX];
    char pop[LEASE_NAME_MAX];
    // Sensors that the row rests on: who has to watch, for silence of the key to be silence. "": none
    // more; MINUTE_SENSORS_ALL first: more than there is room for. A mail log counts for mailboxes only.
    char sensor[MINUTE_SENSORS_MAX][COVERAGE_NAME_MAX];
    uint8_t observed_s; // seconds of the minute that were watched, over all sensors of the key
    uint32_t loss_ppm;  // worst of the sensors
    // Minutes, rounded up, before `cut_ms` in which accounting last gave a sign of the lease that names the party; 0: after
    // it, or by a source that loses nothing. What lies behind the sign is the party's only as far as nobody said otherwise.
    uint16_t lease_unseen;
    // For who writes it: bit role * MINUTE_DIRECTIONS + direction says that those counters are all zero; 0 says nothing.
    uint16_t unused;
    uint64_t counter[MINUTE_ROLES][MINUTE_DIRECTIONS][MINUTE_COUNTER_N];
    uint64_t gauge[MINUTE_GAUGE_N];
    struct distinct set[MINUTE_SET_N];
    struct minute_digest *digest; // owned; in order of start
    uint32_t digest_count;
    uint32_t digests_cut; // flows that found no room
};

// Sum over the roles of one counter.
uint64_t minute_sum(const struct minute_row *r, enum minute_direction d, enum minute_counter c);

// Adds a name to `sensor`; one that is there already, or "", changes nothing.
void minute_row_add_sensor(struct minute_row *r, const char *name);

void minute_row_fini(struct minute_row *r, struct distinct_budget *budget);

// Adds `from` to `into` (same key and minute, or a window of minutes: `digest` entries are appended
// with their times moved to `into`'s minute, up to `digests_max`). -ENOMEM.
int minute_row_add(struct minute_row *into, const struct minute_row *from, uint32_t digests_max,
                   struct distinct_budget *budget);

// Sparse encoding: only what is not zero; the row's hashes behind it. -EINVAL: broken input, `r` is empty.
void minute_row_encode(const struct minute_row *r, struct buf *out);
int minute_row_decode(struct cursor *c, struct minute_row *r, struct distinct_budget *budget);

// The same with the hashes of many rows in a stream of their own, where each value stands once: what no
// compression packs stays away from what it does.
struct minute_hashes;                          // of rows that are written
struct minute_hashes *minute_hashes_new(void); // NULL: out of memory
void minute_hashes_free(struct minute_hashes *h);
void minute_hashes_clear(struct minute_hashes *h);         // rows follow that know nothing of these
size_t minute_hashes_count(const struct minute_hashes *h); // values so far
void minute_hashes_cut(struct minute_hashes *h,
                       size_t count); // forgets those behind: a row that was not taken
struct span
minute_hashes_octets(const struct minute_hashes *h); // of 8 a value; borrowed until the next row
// Not its times, minute and cut_ms: whoever writes rows says them in front.
void minute_row_put(const struct minute_row *r, struct buf *out, struct minute_hashes *h);
// `body`: what that wrote, in `version` (2 or MINUTE_VERSION); `all`: the stream from its beginning; `*at`: the values that rows before this one have used up.
int minute_row_get(struct cursor body, uint8_t version, struct span all, size_t *at,
                   struct minute_row *r, struct distinct_budget *budget);
int minute_row_time(struct minute_row *r, int64_t minute, int64_t cut_ms); // -EINVAL: no such time

// What a site (and each POP) did in a minute, so that one party can be held against all: failure
// rates for suppression, lease churn for holds. Shards of a cluster add theirs up.
struct minute_site {
    int64_t minute;
    char pop[LEASE_NAME_MAX]; // "": the whole site
    uint32_t active_parties;
    uint32_t parties_mx;                  // with an outbound MX connection
    uint32_t parties_mx_failing;          // of these, more than half failed
    uint64_t mx_connections, mx_failures; // failures: unanswered, refused, ICMP
    uint64_t smarthost_connections, smarthost_failures;
    uint32_t leases, lease_changes;
};

// ---- The journal: rows, coverage and site minutes in the order in which they became final.

enum journal_kind {
    JOURNAL_ROW = 1,
    JOURNAL_COVERAGE = 2,
    JOURNAL_SITE = 3,
    JOURNAL_MARK = 4,     // everything before `mark_ms` has been written: windows may move there
    JOURNAL_POSITION = 5, // not handed out; struct journal_position
};

struct journal_entry {
    uint8_t kind;
    struct minute_row row; // one of these, by kind
    struct coverage_minute coverage;
    struct minute_site site;
    int64_t mark_ms;
};

// Where a reader is; text form "20261122.000001:4096" for cursor files.
struct journal_cursor {
    uint32_t day;     // YYYYMMDD of the segment (UTC, by mark)
    uint32_t segment; // from 1
    uint64_t offset;  // of the block
    uint32_t entry;   // within the block
};

#define JOURNAL_CURSOR_MAX 64
const char *journal_cursor_format(const struct journal_cursor *c,
                                  char out[static JOURNAL_CURSOR_MAX]);
int journal_cursor_parse(const char *text, struct journal_cursor *out); // -EINVAL

struct journal_writer;

struct journal_options {
    bool sync; // fdatasync at each commit (off in replays)
    int64_t segment_octets_max;
    const char *key_dir; // day keys; NULL: not encrypted
};

// Opens for appending; a torn tail is cut back to the last whole block and counted.
int journal_writer_open(const char *dir, const struct journal_options *options,
                        struct journal_writer **out);
int journal_put_row(struct journal_writer *w, const struct minute_row *r);
int journal_put_coverage(struct journal_writer *w, const struct coverage_minute *c);
int journal_put_site(struct journal_writer *w, const struct minute_site *s);
// Everything put since the last commit becomes one block (rows sorted by key) that ends with a mark.
int journal_commit(struct journal_writer *w, int64_t mark_ms);
uint64_t journal_torn_octets(const struct journal_writer *w);

// ---- A live collector counts what stands in its intake (docs/formats/transport.md), and counts it again after a crash. Each
// block says how far its rows go, so that what was written before is not written twice.
struct journal_position {
    uint64_t log;     // id of the intake
    uint64_t ordinal; // the record whose taking made the block
    uint32_t part;    // which of the blocks made by that, from 0
};

// The last position of `log` in a journal. -ENOENT: there is none.
int journal_find_position(const char *dir, const char *key_dir, uint64_t log,
                          struct journal_position *out);
// From now on blocks are synced and carry positions of `log`; `before` is called before each, to make the intake
// durable. Blocks up to and with `done` (NULL: none) are not written: they are there.
void journal_writer_live(struct journal_writer *w, uint64_t log,
                         const struct journal_position *done, int (*before)(void *ctx), void *ctx);
// The record that is taken next.
void journal_writer_at(struct journal_writer *w, uint64_t ordinal);
int journal_writer_close(struct journal_writer *w);

struct journal_reader;

struct journal_stats {
    uint64_t blocks, rows, coverages, sites, octets, octets_raw;
    uint64_t bad_blocks; // checksum or decoding failed: passed over (common/journal.h says where)
    uint64_t shredded;   // segments whose day's key was deleted: passed over
    uint64_t segments;   // read from their beginning
    uint64_t unchained;  // of these, of versions that do not name the segment before them
    bool torn;           // the last block is not whole (a writer at work, or a crash)
};

// `from` NULL: from the oldest segment.
int journal_reader_open(const char *dir, const struct journal_cursor *from, const char *key_dir,
                        struct journal_reader **out);
// 1: `*e` borrowed until the next call; 0: nothing more now (try again later); negative errno.
int journal_next(struct journal_reader *r, const struct journal_entry **e);
// Pass over, by their headers alone, the blocks whose rows and mark all lie before `minute`.
void journal_reader_skip_to(struct journal_reader *r, int64_t minute);
// The position behind the last entry handed out.
struct journal_cursor journal_reader_cursor(const struct journal_reader *r);
const struct journal_stats *journal_reader_stats(const struct journal_reader *r);
void journal_reader_close(struct journal_reader *r);

// ---- Detector inputs (out = MINUTE_OUT; sets and digests as named above)
//
// detector           reads
// fan-out            set providers_mx, peers_mx; counter mx/out connections; digest provider, start
// first-contact      digest peer, provider, outcome, outcome_ms, START, POLICY_REPLY; minute_site
// direct-mx          counter mx/out connections established by local hour; what fan-out reads
// rejections         counter rcpt_ok rcpt_5xx mail_5xx messages_ok messages_5xx (4xx excluded),
//                    vrfy_expn, sessions_550_no_data; digest rcpt, rcpt_5xx
// blocklist          counter blocklist_policy/exploit/unknown, blocklist_names_us
// recipient-burst    set recipients; counter rcpt_ok by role; digest rcpt
// identity-rotation  set auth_users, senders, sender_domains, helo_names (by key id)
// submission-spread  set providers_submission; digest provider, messages_ok
// policy-limits      counter messages_ok, rcpt_ok by role; digest start (bursts)
// surge              counter connections, rcpt, messages_ok by hour of week; observed_s, loss_ppm
// socks-relay        gauge socks_in*, concurrent_socks; digest SOCKS_GRANTED, socks_port, socks_inner,
//                    start/end, octets, relay_first, both directions
// backconnect        digest HOSTING, START, start, octets, direction, carrier_*; gauge socks_reverse
// backscatter        counter null_sender, mail, rcpt; set providers_mx; digest NULL_SENDER
// open-relay         digest recipient, AUTH, direction both ways; counter mx/in messages_ok
// auth-guessing      counter auth, auth_failed by role; set providers_login, auth_users, login_users
// ratware            counter early_talker, unoffered_pipelining, helo_literal, helo_peer,
//                    starttls_unasked, tls_short, quit_missing; set tls_clients; digest tls_client
// client-print       digest tls_client of mail roles, outbound
// mailbox            (SUBSCRIBER_MAILBOX rows) set client_networks, client_countries, recipients;
//                    counter filter_*, deferred, destination_5xx, destination_blocklist, bounces
// roles              set networks_in_25 by day; counter mx/in banner_ok, messages_ok
// all                confidence, doubts, flags, observed_s, loss_ppm, digests_cut, coverage
