// What was seen of an interface, and what it means: one finding a question.
#pragma once

#include "common/coverage.h"
#include "decap/decap.h"
#include "ring.h"
#include "sensor.h"

#define CHECK_FINDINGS_MAX 16
#define CHECK_TEXT_MAX     320

// Packets' times beside the host's clock. A packet was received at the earliest when the ring was last found
// empty, a look before: however late a busy host gets to it, that lateness is not the clock's.
struct check_clock {
    // Clock less packets' time, less what the look's own lateness explains; the furthest from 0.
    int64_t behind_ms;
    uint64_t went_back;         // packets of a time far before that of one before them
    int64_t last_us, newest_us; // of the frame before; the latest
    int64_t empty_ms;           // when the ring was found empty, by the monotonic clock
    bool frames, some;          // since the last look; ever
};

void check_clock_begin(struct check_clock *c, int64_t monotonic_ms);
void check_clock_frame(struct check_clock *c, int64_t t_us);
// Behind the frames that the ring gave.
void check_clock_look(struct check_clock *c, int64_t wall_ms, int64_t monotonic_ms, bool empty);

struct check_seen {
    const char *interface;
    int seconds;
    enum ring_link link;
    const char *filter; // sensor.filter; NULL: none
    int speed_mbit, mtu;
    struct ring_losses losses;
    const struct decap *decap;
    const struct stats *stats;
    uint64_t layer[PACKET_LAYERS_MAX * 16]; // packets by registry index
    uint8_t vlan[2][4096 / 8];              // identifiers seen, outer and inner
    bool tagged[2];
    uint64_t packets; // with IP
    uint64_t from_subscriber, to_subscriber, with_subscriber;
    const struct conf_prefixes *expected;
    const bool *prefix_seen; // by `expected`'s index
    const struct check_clock *clock;
    bool clock_synchronised;
    uint32_t alarms; // enum coverage_alarm
    const char *contradiction;
    unsigned realm_layers; // enum path_realm_layer that the configuration asks for
};

enum check_result {
    CHECK_OK,
    CHECK_WARNING,
    CHECK_FAILED,
    CHECK_NOT_JUDGED, // too few packets, or none: nothing is known of it
};

struct check_finding {
    const char *name; // constant
    enum check_result result;
    char text[CHECK_TEXT_MAX];
    char fix[CHECK_TEXT_MAX]; // "" when there is nothing to mend
};

// How many findings there are.
size_t check_judge(const struct check_seen *s, struct check_finding out[static CHECK_FINDINGS_MAX]);
