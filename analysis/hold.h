// Whether accounting has confirmed whose a verdict is.
//
// A start and a stop go by UDP, and when both are lost an address stays with who had it before, and nobody doubts it. So
// what was seen since the last sign of a lease (start, interim record) is the party's only as far as nobody has said
// otherwise: a verdict on it is a ticket until the same lease gives a sign again. docs/detectors/evidence.md.
#pragma once

#include "common/minute.h"

// The leases that a party is told by, one of each family, as far as keys tell them apart. Zeroed is valid.
struct hold_leases {
    uint16_t key[2]; // hash of the subscriber key
    uint16_t
        from_min[2]; // since when rows come by it and no other of the family; minutes, which wrap
};

// Takes a row of the party.
void hold_note(struct hold_leases *l, const struct minute_row *r);

// Since when it is told by the lease of `key` alone; of months, the last weeks.
int64_t hold_from_ms(const struct hold_leases *l, const struct subscriber_key *key, int64_t now_ms);

// What a verdict waits for. Zeroed: nothing is held.
struct hold {
    int64_t since_ms; // a sign of the lease from then on confirms; 0: confirmed
    uint64_t key;     // hash of the subscriber key that the lease is of
    bool
        other; // no sign can: another lease of the same key has begun since, or what counts was told by others
};

// Begins at `now_ms`, by the row at hand: `unseen` as it says, of `key`. `own`: what counts suffices as far as it was told
// by that lease.
void hold_begin(struct hold *h, const struct subscriber_key *key, uint16_t unseen, bool own,
                int64_t now_ms);

// Takes what a row of the party says of its lease. True: it confirms, and nothing is held any more.
bool hold_row(struct hold *h, const struct minute_row *r);

// Can the lease at hand, of `key`, not confirm it? Then it may begin anew, as soon as what was told by it suffices.
bool hold_is_past(const struct hold *h, const struct subscriber_key *key);
