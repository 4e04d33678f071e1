// The flow table: a fixed number of connections, found by 5-tuple and realm in either direction.
//
//   flow.c           storage, look-up, the lists by age, eviction
//   flow_packet.c    what a packet does to its flow: counters, new flows, ICMP
//   flow_tcp.c       the state of a connection: handshake, close, port reuse
//   flow_time.c      deadlines in packet time, the minute's end
//   carriers.c       long flows of subscribers, and what they open behind the data of these
//   dialogue.c       streams and trackers of the flows that carry octets worth following
//
// A flow takes 166 octets here, 20 in the wheel, 8 for long flows and at most 8 in the hash table. All else it may need
// (held segments, tracker state) comes from pools. The order of events is a function of the packets
// alone. What there is to tell goes to `report`, which clears what it has told.
#pragma once

#include <stddef.h>

#include "carriers.h"
#include "common/addr.h"
#include "common/record.h"
#include "dialogue.h"
#include "intern.h"
#include "mirror.h"
#include "packet.h"
#include "stats.h"
#include "stream.h"
#include "wheel.h"

#define FLOW_NONE UINT32_MAX

enum flow_state {
    FLOW_FREE,
    FLOW_SYN_SENT,
    FLOW_SYN_RECEIVED, // the responder has answered
    FLOW_OPEN,
    FLOW_CLOSING, // reset, or closed with octets still awaited: ends in a moment
    FLOW_DONE,    // told and ended; stays a while to absorb late packets
    FLOW_DATAGRAM,
};

enum flow_flags {
    FLOW_INITIATOR_HIGH = 1 << 0, // the initiator is end 1 of the key
    FLOW_SEEN_INITIATOR = 1 << 1, // packets of this side were seen
    FLOW_SEEN_RESPONDER = 1 << 2,
    FLOW_ISN_INITIATOR = 1 << 3, // `isn` is known
    FLOW_ISN_RESPONDER = 1 << 4,
    FLOW_FIN_INITIATOR = 1 << 5,
    FLOW_FIN_RESPONDER = 1 << 6,
    FLOW_SPOKE = 1 << 7,        // the initiator's first octet was seen, or acknowledged
    FLOW_TOLD = 1 << 8,         // a record with RECORD_START is out
    FLOW_HASH_BOTH = 1 << 9,    // ... whose flow hash has both sequence numbers
    FLOW_NO_DIALOGUE = 1 << 10, // nothing to follow (any more)
    FLOW_CHANGED = 1 << 11,     // counted something since the last record
    FLOW_SMARTHOST = 1 << 12,   // the far end is one of the site's mail servers
    FLOW_MAIL = 1 << 13,        // mail port, or speaks mail
    FLOW_WEAK_SIDES = 1 << 14,  // who is the initiator was guessed without a known port
    FLOW_RESET = 1 << 15,
};

// Both directions have the same key: the lower address and port come first.
struct flow_key {
    uint8_t addr[2][16];
    uint16_t port[2];
    uint32_t realm_and_proto; // number of the interned realm << 8 | IP protocol
};

// A packet of an established connection touches no more than the first 120 octets.
struct flow {
    struct flow_key key;
    uint32_t hash_next;
    uint32_t dialogue; // 0: none
    int64_t last_us;
    uint16_t flags;        // enum flow_flags
    uint8_t state;         // enum flow_state
    uint8_t handshake;     // enum record_handshake
    uint16_t incomplete;   // enum record_incomplete
    uint8_t watch;         // enum flow_watch; 0: a packet is only counted
    uint8_t batch;         // in which it was made, modulo 256
    uint32_t newer, older; // list by age
    // Of here on index 0 is the initiator, 1 the responder. Counters are since the last record.
    uint32_t end[2]; // highest sequence number seen, plus one
    uint32_t packets[2];
    uint32_t octets[2];
    uint32_t payload[2];
    uint16_t retransmissions[2];
    uint16_t duplicates;
    uint16_t syn_count;
    uint8_t ttl_min, ttl_max;
    uint8_t wscale;             // initiator's in the lower four bits; 15: none known
    uint8_t side;               // enum record_side
    uint32_t to_first_reply_ms; // plus 1; 0: none
    int64_t start_us;
    uint32_t first_ms;   // from start to the first packet since the last record
    uint32_t outcome_ms; // from start to the outcome not yet told, plus 1; 0: none
    uint32_t isn[2];
    union {
        uint32_t handshake_us; // from start to the first SYN-ACK, then to the handshake's end
        struct {               // of a watched flow, long behind its handshake (carriers.h)
            uint16_t tick, covered;
        } down;
    };
    uint32_t rtt_us;
    uint32_t path; // interned
    uint8_t app, app_source;
    uint16_t ndpi_protocol;
};

// Why a packet is looked at again when it was counted.
enum flow_watch {
    FLOW_WATCHED = 1 << 0, // by carriers.h
    FLOW_CROWDED = 1 << 1, // a count of events may be near its end
};

#define FLOW_CROWD 0x8000u

// One more event, in a 16-bit count of the flow's.
static inline void flow_count_event(struct flow *f, uint16_t *count)
{
    if (++*count >= FLOW_CROWD)
        f->watch |= FLOW_CROWDED;
}

_Static_assert(sizeof(struct flow) <= 160, "a flow stays small");
_Static_assert(offsetof(struct flow, start_us) == 120, "what every packet touches stands in front");

struct flow_config {
    size_t flows, dialogues;
    size_t realms; // realms, and as many paths
    size_t mirror_entries;
    struct stream_limits stream;
    unsigned realm_layers; // enum path_realm_layer
    int64_t syn_timeout_us, half_open_us, early_us, idle_us, closing_us, linger_us, done_us;
    int64_t datagram_idle_us, dns_idle_us, duplicate_us;
    uint64_t hash_seed;
    const struct prefix_set *subscribers; // borrowed
    const struct prefix_set *smarthosts;  // borrowed; may be empty
    struct proto_context proto;
};

struct flow_table;

// Tells what is new of a flow, with these enum record_flags, and clears its counters. `t_us` is
// the event's time.
typedef void (*flow_report_fn)(void *ctx, struct flow_table *t, struct flow *f, unsigned flags,
                               int64_t t_us);

enum flow_list { FLOW_LIST_OPENING, FLOW_LIST_LIVE, FLOW_LIST_DONE, FLOW_LISTS };

#define FLOW_HASH_WORDS 5

struct flow_mac {
    uint8_t octet[6];
};

struct flow_table {
    struct flow_config config;
    uint64_t hash_key[FLOW_HASH_WORDS];
    struct flow *flow;
    struct flow_mac *mac; // of each flow, on the subscriber's side
    uint32_t *head;
    size_t mask;
    uint32_t free; // FLOW_NONE: only places from `fresh` on
    size_t fresh;
    size_t in_use;
    uint8_t batch; // the present one's number, modulo 256
    struct {
        uint32_t oldest, newest;
        size_t count;
    } list[FLOW_LISTS];
    uint32_t minute_first; // first of FLOW_LIST_LIVE touched in this minute
    struct wheel *wheel;   // of all but the ended ones
    int64_t quiet_us;      // nothing is due before this; 0: not known
    struct intern *realms, *paths;
    struct mirror *mirror;
    struct dialogues *dialogues;
    struct carriers *carriers;
    struct stats *stats; // borrowed
    flow_report_fn report;
    void *report_ctx;
    bool long_way; // no short cut is taken: tests hold one against the other
};

struct flow_table *flow_table_new(const struct flow_config *config, struct stats *stats,
                                  flow_report_fn report, void *ctx); // NULL: out of memory
void flow_table_free(struct flow_table *t);

// Where a packet's flow stands: worked out ahead for a batch of packets, so that what they will touch is
// fetched while others are unwrapped. Changes nothing in the table.
struct flow_place {
    uint64_t hash;   // of its key
    uint64_t number; // of mirror.h
    uint64_t last;   // of its key: flow_last_word
    uint32_t realm;  // in `realms`
    struct flow
        *flow;     // that flow_fetch found; NULL: none. It may end before it is the packet's turn
    bool swapped;  // the packet's source is end 1 of the key
    uint8_t known; // 0: the rest is not set; else the IP protocol
};

// Fetches what the located packets of a batch will look at, and finds their flows (flow_key.h has flow_locate).
#define FLOW_BATCH 32
void flow_fetch(struct flow_table *t, const struct packet *p, struct flow_place *place, size_t n);

// A complete packet (DECAP_PACKET). Deadlines up to its time have been fired.
void flow_packet(struct flow_table *t, const struct packet *p);
// The same with what flow_locate told of it.
void flow_packet_at(struct flow_table *t, const struct packet *p, const struct flow_place *place);
// Fires what is due up to `t_us`, in order.
void flow_run(struct flow_table *t, int64_t t_us);
// Tells of every flow that counted something in the minute that ends at `t_us`.
void flow_minute(struct flow_table *t, int64_t t_us);
// An input ended too early: TCP flows that are open are not complete.
void flow_cut(struct flow_table *t);
// Ends every flow, at the end of the input.
void flow_finish(struct flow_table *t, int64_t t_us);

// ---- For the files above.

static inline uint32_t flow_index(const struct flow_table *t, const struct flow *f)
{
    return (uint32_t)(f - t->flow);
}

// End of the key that is the initiator (0) or the responder (1).
static inline unsigned flow_end(const struct flow *f, unsigned dir)
{
    return dir ^ (f->flags & FLOW_INITIATOR_HIGH);
}

// Fetches what a packet or a deadline will touch.
static inline void flow_prefetch(const struct flow *f)
{
    __builtin_prefetch(f, 1);
    __builtin_prefetch((const char *)f + 64, 1);
    __builtin_prefetch(&f->to_first_reply_ms, 1); // flows do not begin with a cache line
}

struct ip_addr flow_addr(const struct flow *f, unsigned dir);
// The same where it shall stand: a copy of what has just been written in pieces would have to wait for them.
void flow_addr_into(const struct flow *f, unsigned dir, struct ip_addr *out);
static inline uint16_t flow_port(const struct flow *f, unsigned dir)
{
    return f->key.port[flow_end(f, dir)];
}
static inline uint8_t flow_proto(const struct flow *f)
{
    return (uint8_t)f->key.realm_and_proto;
}

// Number of the packet's realm in `realms`, 0: the default one. flow_key.h has the rest.
uint32_t flow_realm(struct flow_table *t, const struct packet *p);
// A zeroed flow with its key, in the list of its state; evicts when the table is full.
struct flow *flow_new(struct flow_table *t, const struct flow_key *key, uint64_t hash,
                      uint8_t state, int64_t t_us);
// Gives the place of an ended flow back. What was to be told has been told.
void flow_free(struct flow_table *t, struct flow *f);
// The first packet counted since the last record.
void flow_change(struct flow_table *t, struct flow *f, int64_t t_us);
// Counted something now.
static inline void flow_touch(struct flow_table *t, struct flow *f, int64_t t_us)
{
    f->last_us = t_us;
    if (!(f->flags & FLOW_CHANGED))
        flow_change(t, f, t_us);
}
void flow_set_state(struct flow_table *t, struct flow *f, uint8_t state, int64_t t_us);
// Sets the deadline that the flow's state asks for; an ended one has its by its place in the list.
void flow_arm(struct flow_table *t, struct flow *f);
// Notes the outcome of the handshake, to be told with the next record.
void flow_decide(struct flow *f, uint8_t handshake, int64_t t_us);
// Flushes the dialogue (enum proto_end), tells the end, and leaves the flow FLOW_DONE.
void flow_end_now(struct flow_table *t, struct flow *f, unsigned how, int64_t t_us);
bool flow_is_mail_port(uint16_t port);
// Ports of well-known servers, for guessing who began a connection joined in the middle.
bool flow_is_server_port(uint16_t port);
// The guess of who began was wrong: initiator and responder change places.
void flow_swap(struct flow *f);
// What follows from who began, by one of the flow's packets: is the far end a smarthost, and the MAC address.
void flow_note_ends(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir);
// Do these first octets come from a server (a reply code, a version greeting)?
bool flow_greets(struct span payload);

enum flow_belongs {
    FLOW_BELONGS,
    FLOW_LATE,   // behind the flow's end, or a retransmission of its beginning
    FLOW_REUSED, // of a new connection with the same key
};

enum flow_belongs flow_tcp_belongs(const struct flow *f, const struct packet *p, unsigned dir);
// A flow begun by this packet; NULL: it begins none.
struct flow *flow_tcp_new(struct flow_table *t, const struct packet *p, const struct flow_key *key,
                          uint64_t hash, bool swapped);
// A connection that is open and stays so, and a packet that neither opens nor closes: it belongs to the flow,
// and with a dialogue flow_tcp_talk does all that flow_tcp would, without one flow_tcp_pass. Both may
// decline (false) before they have changed anything.
bool flow_tcp_open(const struct flow *f, const struct packet *p);
bool flow_tcp_talk(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir);
bool flow_tcp_pass(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir);
// What a packet of side `dir`, counted before, does to the connection and its dialogue.
void flow_tcp(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir);
// An ICMP error quoted the SYN with this sequence number.
void flow_tcp_icmp(struct flow_table *t, struct flow *f, uint32_t seq, int64_t t_us);
