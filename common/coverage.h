// Who watched what, when, and with what loss: so that every later verdict and graph knows.
//
// A sensor process sends one coverage record a second, busy or idle. It is also the process's
// watermark: after it, no record with an event time before `t_ms` follows. The collector turns
// seconds into per-minute coverage rows beside the minute journal.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/addr.h"
#include "common/span.h"

#define COVERAGE_NAME_MAX 32

enum coverage_leg {
    COVERAGE_LEG_ACCESS,
    COVERAGE_LEG_SMARTHOST,
    COVERAGE_LEG_TRANSIT,
    COVERAGE_LEG_PNI
};
enum coverage_nat { COVERAGE_NAT_INSIDE, COVERAGE_NAT_OUTSIDE };
enum coverage_port25 {
    COVERAGE_PORT25_OPEN,
    COVERAGE_PORT25_BLOCKED_BEFORE, // dropped before the mirror: attempts are not seen
    COVERAGE_PORT25_BLOCKED_AFTER,
};
enum coverage_tier { COVERAGE_TIER_A, COVERAGE_TIER_B, COVERAGE_TIER_C };
enum coverage_profile { // legal_profile
    COVERAGE_FLOW_ONLY,
    COVERAGE_OWN_SMARTHOST_CONTENT,
    COVERAGE_FULL_ENVELOPE,
};

enum coverage_alarm {
    COVERAGE_ONE_DIRECTION = 1 << 0, // mirror shows one direction only
    COVERAGE_DOUBLED = 1 << 1,       // packets come twice
    COVERAGE_SLICED = 1 << 2,
    COVERAGE_NO_MAIL = 1 << 3, // declared leg without SMTP for an hour by day
    COVERAGE_CLOCK = 1 << 4,   // clock jumped or differs
    COVERAGE_DROPS = 1 << 5,
    COVERAGE_SPOOL_FULL = 1 << 6,
    COVERAGE_UNKNOWN_LAYERS = 1 << 7, // a noticeable share of packets could not be opened
    COVERAGE_LEG_WRONG = 1 << 8,      // what is seen contradicts the declared leg, nat or port25
    COVERAGE_SAMPLED = 1 << 9,
    COVERAGE_REPLAY = 1 << 10,    // from a file: time is packet time
    COVERAGE_ANOMALY = 1 << 11,   // Holt-Winters alarm of a site or sensor series
    COVERAGE_LINK_DOWN = 1 << 12, // an interface is down or gone: what it would show is not seen
};

// Counts in this second (deltas). Loss is told by where it happened.
#define COVERAGE_COUNTERS(X)                                                                    \
    X(packets, 1, "packets handed to the sensor")                                               \
    X(octets, 2, "their octets on the wire")                                                    \
    X(dropped_card, 3, "packets dropped by the interface")                                      \
    X(dropped_ring, 4, "packets dropped by the capture ring")                                   \
    X(dropped_flow_table, 5, "flows ended early because the flow table was full")               \
    X(dropped_stream_memory, 6, "octets passed over because reassembly memory was full")        \
    X(dropped_spool, 7, "records that could not be written to the spool")                       \
    X(missing_octets, 8, "octets that were acknowledged but never seen: the mirror's own loss") \
    X(seen_octets, 9, "TCP payload octets seen, to hold the missing ones against")              \
    X(duplicates, 10, "packets mirrored twice")                                                 \
    X(sliced, 11, "packets cut by the snap length")                                             \
    X(skipped_layers, 12, "packets not opened: unknown or broken layers")                       \
    X(not_ip, 13, "packets that carry no IP (ARP, LLDP, ...)")                                  \
    X(fragments_lost, 14, "IP fragments whose datagram was never complete")                     \
    X(tcp_flows, 15, "TCP flows begun")                                                         \
    X(mail_flows, 16, "of these on mail ports or speaking mail")                                \
    X(one_sided_flows, 17, "flows ended with one direction only")                               \
    X(subscriber_flows, 18, "flows begun with a subscriber at an end")                          \
    X(records, 19, "records exported")                                                          \
    X(lost_records, 20, "records that were exported and did not arrive; added by the collector")

struct coverage {
    int64_t t_ms;                   // watermark: end of the second
    char sensor[COVERAGE_NAME_MAX]; // configured name
    uint16_t process;               // 0 for the first of a port
    uint8_t leg;                    // enum coverage_leg
    uint8_t nat;                    // enum coverage_nat
    uint8_t port25;                 // enum coverage_port25
    uint8_t tier;                   // enum coverage_tier
    uint8_t profile;                // enum coverage_profile
    uint32_t sampling;              // 1:N
    uint32_t alarms;                // enum coverage_alarm
    bool last;                      // the process ends: its prefixes close at once
#define X(name, element, text) uint64_t name;
    COVERAGE_COUNTERS(X)
#undef X
};

// One minute of one sensor process, as the journal keeps it.
struct coverage_minute {
    int64_t minute;         // minutes since 1970
    uint8_t seconds;        // with a coverage record: 60 is a whole minute
    uint32_t loss_ppm;      // best estimate over all causes, parts per million of packets
    uint32_t alarms;        // union
    bool closed_by_timeout; // the sensor fell silent; its prefixes closed as unobserved
    struct coverage sum;    // counters summed, names and declarations of the last second
};

// Loss of a second or minute, parts per million of packets: drops against packets, missing against
// seen octets; the larger of the two.
uint32_t coverage_loss_ppm(const struct coverage *c);

// Alarms in words, one sentence each with its fix, for status and pages. NULL: no such bit.
const char *coverage_alarm_text(uint32_t alarm_bit);
