// A party of the scenario, its line, and what the truth file will say about it; and the run they
// all belong to. Packets go from here through the mirror into the spool.
#pragma once

#include "mirror.h"
#include "packet.h"
#include "rng.h"
#include "world.h"

#define NS_PER_S  1000000000ll
#define NS_PER_MS 1000000ll

enum { PARTY_NAME_MAX = 80 };

// What SMTP sessions said. Requests are counted when sent, replies when sent.
struct smtp_tally {
    uint64_t sessions, mail, null_sender, rcpt, rcpt_ok, rcpt_4xx, rcpt_5xx, data, bdat,
        messages_ok, messages_4xx, messages_5xx, auth, auth_failed, starttls, blocklist_replies,
        probes;
};

// Who opened the session, and whether its commands could be read on the wire.
enum tally_side { TALLY_OUT, TALLY_IN, TALLY_SIDES };
enum tally_form { TALLY_CLEAR, TALLY_TLS, TALLY_FORMS };

struct tally {
    uint64_t packets,
        octets; // in the capture, with what the mirror doubled and without what it lost
    uint64_t flows, established, unanswered, refused, prohibited, half_open;
    uint64_t logins, logins_failed; // POP3 and IMAP
    uint64_t socks_in, tunnels, dns_queries, mx_queries;
    struct smtp_tally smtp[TALLY_SIDES][TALLY_FORMS];
};

// The ISP's own addresses, as its operator would write them down.
struct isp {
    struct ip_addr smarthost, resolver, mail; // `mail`: IMAP and POP3
    char *domain;                             // "coastnet.example", borrowed from the scenario
};

struct run {
    uint64_t seed;
    int64_t start_ns, end_ns; // packets outside are not in the capture
    int64_t utc_offset_ns;    // of the subscribers' clocks
    struct isp isp;
    struct ip_prefix home; // the first range of homes, for those who scan it
    struct mirror mirror;
    struct spool *spool;
    double loss, reorder; // of every TCP segment, on the path
    int error;            // first failure of the spool
    uint64_t packets, octets;
};

struct party {
    struct run *run;
    char name[PARTY_NAME_MAX];
    const char *kind;  // family name, for the truth file
    const char *class; // verdict class, NULL: innocent
    bool outside;      // no line of the ISP; v4 is whoever of the ISP it talks to
    struct rng rng, mirror_rng;
    struct ip_addr v4, v6; // v6: IP_NONE without
    struct link link;
    int64_t delay_ns; // one way between the tap and the subscriber
    uint8_t hops;
    double loss, reorder;
    uint32_t next_port;
    int64_t from_ns, until_ns;               // when the scenario lets it act
    int64_t first_ns, last_ns;               // of its packets in the capture
    int64_t first_guilty_ns, last_guilty_ns; // 0: none yet
    uint64_t guilty_acts;
    double rate_per_min; // what the scenario asked for, 0: does not apply
    char mailbox[96];    // whose account it is, when the party is a mailbox and no line
    char note[160];      // a word for people in the truth file
    struct tally tally;
};

void party_init(struct party *p, struct run *run, const char *kind, const char *name);

// Another source port of [low, high], ascending as stacks do it.
uint16_t party_port(struct party *p, uint16_t low, uint16_t high);

// Puts a packet into the capture unless the mirror lost it or the time lies outside.
void party_emit(struct party *p, int64_t t_ns, bool outbound, const uint8_t *frame, size_t len);

bool party_in_capture(const struct party *p, int64_t t_ns);

// A guilty act (a connection, a message) begins at `t_ns`.
void party_guilty(struct party *p, int64_t t_ns);

// The subscriber's address of the family, and whether it has one.
static inline const struct ip_addr *party_addr(const struct party *p, uint8_t family)
{
    return family == IP_V6 ? &p->v6 : &p->v4;
}
