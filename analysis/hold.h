// Whether accounting has confirmed whose a verdict is.
//
// A start and a stop go by UDP, and when both are lost an address stays with who had it before, and nobody doubts it. So
// what was seen since the last sign of a lease (start, interim record) is the party's only as far as nobody has said
// otherwise: a verdict on it is a ticket until the same lease gives a sign again. docs/detectors/evidence.md.
#pragma once

#include "common/minute.h"

// Zeroed: nothing is held.
struct hold {
    int64_t since_ms; // a sign of the lease from then on confirms; 0: confirmed
    int64_t row_ms;   // latest row by that lease
    uint64_t key;     // hash of the subscriber key that the lease is of
    bool other;       // another lease of the same key has begun since
};

// Begins at `now_ms`, by the row at hand: `unseen` as it says, of `key`.
void hold_begin(struct hold *h, const struct subscriber_key *key, uint16_t unseen, int64_t now_ms);

// Takes what a row of the party says of its lease. True: it confirms, and nothing is held any more.
bool hold_row(struct hold *h, const struct minute_row *r);

// Is the lease at hand, of `key`, another than the one that could confirm it? Then it may begin anew, by what began behind
// `row_ms` alone.
bool hold_is_past(const struct hold *h, const struct subscriber_key *key);
