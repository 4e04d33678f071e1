// What a subscriber opens within a moment of data that came down flows it keeps up: part of the detector backconnect,
// which docs/detectors/backconnect.md argues. One flow, several that follow one another, or several relays side by
// side; counted by the sensor (struct record_carrier), weighed here. Everything fades by the hour.
#pragma once

#include "common/minute.h"

// Octets up, over those down, of a flow that may carry for others.
#define BEHIND_UPLOADS 1.5f
#define BEHIND_SURE    11.5f // log(1e5), as the sequential tests: four rows at least

// What was opened behind the data of flows that carry, however often they are dialled anew. Small: a party has 8 kB.
struct behind {
    float behind, expected; // expected: by chance
    float odds;    // log-odds that it is no chance, of the provider looked at; never below 0
    float spread;  // the same of all quiet flows together, whosever
    float carried; // octets that matched beyond the share there must be, both directions together
    float
        kept; // of flows not yet long: octets beyond the share of the destinations' that they must have
    uint32_t provider;    // looked at, folded; 0: none
    uint32_t since_s;     // when the first of the flows began that followed one another
    uint32_t told_s;      // the latest row that told of one
    uint32_t heard_s;     // ... of the provider looked at
    uint32_t networks[2]; // bits of this half hour, and of the one before
};

void behind_fade(struct behind *b, float k);

// Learns from a row. `carried`: share of the flows' octets that the destinations' must match.
void behind_observe(struct behind *b, const struct minute_row *r, int64_t long_ms, double carried);

// How many networks were opened so, of this half hour and the one before; 100: as many as fit.
double behind_networks(const struct behind *b);

// Far more than chance, into so many networks, kept up for so long, and octets that fit?
bool behind_is_carrier(const struct behind *b, int64_t long_ms, double networks);
