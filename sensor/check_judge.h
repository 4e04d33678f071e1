// What was seen of an interface, and what it means: one finding a question.
#pragma once

#include "common/coverage.h"
#include "decap/decap.h"
#include "ring.h"
#include "sensor.h"

#define CHECK_FINDINGS_MAX 16
#define CHECK_TEXT_MAX     320

struct check_seen {
    const char *interface;
    int seconds;
    enum ring_link link;
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
    int64_t behind_ms;       // wall clock less the packets' time, the furthest from 0
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
