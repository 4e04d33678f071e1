// A bench for analysis: flows written down by hand become rows as the collector would cut them (early
// slices at two failed contacts or eight connections, at the next whole second; a closing row at the
// minute's end), go into an engine, and the verdicts are kept.
#pragma once

#include "common/verdict.h"
#include "engine.h"
#include "settings.h"

// 2026-11-22T06:00:00Z, a whole minute.
#define RIG_EPOCH_MS 1795327200000LL

// One flow of a subscriber, and what came of it. Times are milliseconds from RIG_EPOCH_MS.
struct rig_flow {
    int64_t start_ms;
    uint32_t provider; // number of a provider, each in a network of its own; 0: `peer` says
    struct ip_addr peer;
    uint16_t port;      // 0: 25
    uint8_t role;       // enum minute_role; 0 with port 0: MINUTE_MX
    uint8_t direction;  // enum minute_direction
    uint8_t outcome;    // enum minute_outcome
    int32_t outcome_ms; // after the start; 0: 4,000 when unanswered, else 100
    uint32_t digest_flags;
    uint64_t user; // and the other hashes of a digest
    uint64_t recipient, sender, tls_client, helo;
    // What the dialogue came to, in the minute of the outcome.
    uint32_t mail, null_sender, rcpt_ok, rcpt_5xx, messages_ok, auth, auth_failed;
    uint32_t banner_5xx, blocklist_exploit, blocklist_policy, vrfy;
    bool tls, tls_short, unasked, early, pipelining, helo_odd, no_data, no_quit;
    bool raw;  // a SYN of no TCP: sent once
    bool late; // told of no sooner than it is decided, as a sensor does
    uint8_t app, socks_inner;
    uint16_t socks_port;
    int32_t lasts_ms;                // duration; 0: ends with the outcome
    uint64_t octets_up, octets_down; // in the row of its end
    uint64_t row_up, row_down;       // of a long flow, in each row while it lasts
    uint32_t row_swing; // so many times more in the minutes that leave 1 over 3, twice for 2
    uint64_t relay_first;
    // Of a long flow, told in the rows whose minute is a multiple of `tells_every`; 0: never. So many networks in all.
    uint32_t tells_every, tells_networks;
    uint16_t tells_opened, tells_behind, tells_chance;
};

#define RIG_VERDICTS_MAX 64

struct rig {
    struct settings *settings;
    struct conf_site site;
    struct engine *engine;
    struct journal_writer *journal; // when set, rows go there instead (the caller's)
    struct verdict verdict[RIG_VERDICTS_MAX];
    size_t verdicts;
    struct conf_section sections[2];
    char hash[33];
};

// `yaml` (NULL: defaults) holds the sections `site` and `analysis`. Fails the test on errors.
void rig_init(struct rig *r, const char *yaml);
void rig_fini(struct rig *r);

// Plays the flows of subscriber 10.0.0.`host` (provisional) or line `host` when `line`.
struct rig_who {
    unsigned host;
    unsigned address; // 10.0.0.`address`; 0: as `host`
    bool v6;          // 2001:db8:0:`address`::/64 instead
    bool line;        // a line account whose lease is known
    const char *network_class;
    const char *realm;              // NULL: the sensor's own
    uint16_t port_first, port_last; // both 0: the whole address
    uint32_t loss_ppm;
    uint8_t confidence;
    uint32_t doubts;
    uint32_t row_flags;
    uint32_t
        signs_min; // accounting gives a sign of the lease each so many minutes; 0: no such source
    int64_t last_sign_ms; // and none after this; 0: on and on
    uint64_t scan_syns;   // a minute
};

void rig_play(struct rig *r, const struct rig_who *who, const struct rig_flow *flows, size_t count);

// The site's minute is over.
void rig_site(struct rig *r, int64_t minute);

// Time passes.
void rig_mark(struct rig *r, int64_t ms);

// The n-th verdict of the class and event, NULL: there are not so many.
const struct verdict *rig_verdict(const struct rig *r, int class_, enum verdict_event event,
                                  size_t n);
const struct verdict_evidence *rig_evidence(const struct verdict *v, const char *detector);

// What the detector says of the party that was played last, the most of it; 0: nothing.
double rig_weight(const struct rig *r, const char *detector);

// Fails the test when any verdict was made; says which.
void rig_assert_innocent(const struct rig *r);
