// Whose an address was, at a time: an index over the lease history (lines of identity.h's CSV), with the
// doubts of the trade: near a change, lost stop, overlap, stale, an access router's reboot.
//
// Built once, then read-only. A key is (realm, prefix, port block); of several leases that hold an address
// at a time the longest prefix counts, then the narrowest port block.
#pragma once

#include <stdio.h>

#include "common/identity.h"

#define LEASES_NEAR_CHANGE_MS   (120 * 1000)
#define LEASES_REBOOT_WINDOW_MS (5 * 60 * 1000)
#define LEASES_REBOOT_HOLD_MS   (15 * 60 * 1000)
#define LEASES_REBOOT_MIN       20 // starts: a POP of ten lines has no 5 %

#define LEASES_NONE 0

struct leases;

// `lease` is the one that fits best, LEASES_NONE when nobody says. When `confidence` is
// IDENTITY_AMBIGUOUS the party is provisional all the same; the lease still tells POP and class.
struct lease_answer {
    uint32_t lease;
    uint8_t confidence;             // enum identity_confidence
    uint32_t doubts;                // enum identity_doubt
    uint16_t port_first, port_last; // of the lease's port block; 0 and 65535
};

// All errors of the file go to `errors` as FILE:LINE: TEXT. Empty lines, those that begin with # and
// the line of column names are passed over. `path` NULL: an empty index. 0, -EINVAL, or another
// negative errno; all are written.
int leases_load(const char *path, FILE *errors, struct leases **out);
void leases_free(struct leases *l);
size_t leases_count(const struct leases *l);

// `port` is the subscriber's own; 0: not known.
struct lease_answer leases_find(const struct leases *l, const struct realm *realm,
                                const struct ip_addr *addr, uint16_t port, int64_t t_ms);

// All of an identity that follows from the answer; `key` names the party when it is provisional.
struct identity leases_identity(const struct leases *l, const struct lease_answer *a,
                                const struct subscriber_key *key);

// A number that two answers share when they name the same party; 0: provisional.
uint32_t leases_party(const struct leases *l, const struct lease_answer *a);
int leases_pop_of(const struct leases *l, const struct lease_answer *a); // -1: none

// POPs, sorted by name. `pop` below is an index into them, or -1 for the whole site.
size_t leases_pops(const struct leases *l);
const char *leases_pop(const struct leases *l, size_t pop);
// Leases open at `t_ms`, and changes (starts and ends) in the minute before.
void leases_churn(const struct leases *l, int pop, int64_t t_ms, uint32_t *open, uint32_t *changes);
