// What aggregate.c, aggregate_count.c and aggregate_mail.c share: a record as one subscriber sees it.
#pragma once

#include "aggregate.h"

#define CLIENTS 256 // TLS fingerprints whose hashes are at hand: a site sees few

struct client {
    char ja4[sizeof(((struct record_tls *)0)->ja4)];
    uint64_t hash;
};

struct aggregate {
    struct aggregate_options options;
    struct aggregate_parts part;
    struct flowmap *flows;
    struct seen *seen;                        // keys that sent
    uint32_t doubts[WATERMARK_PROCESSES_MAX]; // by process
    struct aggregate_stats stats;
    struct client client[CLIENTS];
};

// What a record says for the first time of its flow, so that it counts once.
struct news {
    bool begun;     // a connection begins in this record
    bool midstream; // so does one whose beginning was not seen
    bool outcome;   // the handshake's outcome was decided
    bool greeted;   // the greeting came
    bool lone_syn;  // unanswered, and the SYN was never sent again
    bool established, ended, one_sided;
    bool helo, tls, tls_alert, tls_short, starttls_unasked, quit_missing, refused_no_data;
    bool early_talker, unoffered, helo_literal, helo_peer;
    bool socks, socks_granted, socks_mail, socks_refused;
};

// One end of a flow that is a subscriber of ours.
struct view {
    struct active *active;
    struct acc *now; // of the minute the record's counters belong to
    enum minute_direction direction;
    unsigned up; // index of the subscriber's own side: 0 initiator, 1 responder
    enum minute_role role;
    const struct ip_addr *peer;
    uint16_t own_port, peer_port;
    bool hosting;
    bool suspect; // its SYN looks like somebody else's
    bool scan;    // its SYN is a scanner's
    int process;
};

int64_t minute_of(int64_t t_ms);
bool is_mail_port(uint16_t port);
bool is_mail_app(uint8_t app);
bool is_failure(uint8_t handshake); // refused, unanswered, ICMP, closed early

// The subscriber's entry for an address of ours; NULL: no room.
struct active *aggregate_active(struct aggregate *g, const struct realm *realm,
                                const struct ip_addr *addr, uint16_t port, int64_t t_ms,
                                struct lease_answer *answer);
// Its accumulator of the minute of `t_ms`.
struct acc *aggregate_acc(struct aggregate *g, struct active *a, const struct lease_answer *answer,
                          int64_t t_ms, int process, uint32_t flags);

// hash_octets of a JA4 fingerprint.
uint64_t aggregate_ja4(struct aggregate *g,
                       const char ja4[static sizeof(((struct client *)0)->ja4)]);

void aggregate_sent(struct aggregate *g, struct active *a); // it is a subscriber indeed

// aggregate_news.c: what is new, and the flow's memory brought up to date.
void news_of(const struct record_flow *f, struct flow *m, struct news *n);

// aggregate_count.c
void count_begin(struct aggregate *g, struct view *v, struct acc *at, const struct record_flow *f,
                 struct flow *m, const struct news *n);
void count_outcome(struct aggregate *g, struct view *v, struct acc *at, const struct record_flow *f,
                   const struct news *n);
void count_now(struct aggregate *g, struct view *v, const struct record_flow *f,
               const struct flow *m, const struct news *n);

void count_hashes(struct aggregate *g, struct acc *acc, const struct keyed_hash *hash,
                  size_t count);

// aggregate_digest.c
void digest_flow(struct aggregate *g, struct view *v, struct acc *at, const struct record_flow *f,
                 const struct flow *m, const struct news *n);
