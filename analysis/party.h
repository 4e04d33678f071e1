// The parties analysis remembers: a table of fixed size in order of use.
//
// A full table forgets the party silent for longest and counts it; one with an open verdict is
// forgotten last. Each party is one block: its window, then the detectors' states. docs/detectors/memory.md has
// the sum.
#pragma once

#include "ballot.h"
#include "common/identity.h"
#include "common/verdict.h"
#include "hold.h"
#include "names.h"
#include "window.h"

#define PARTY_OTHER_KEYS 2

// A verdict that is open: what is needed to go on with it and to close it.
struct party_verdict {
    struct party_verdict *next;
    int64_t opened_ms;
    int64_t supported_ms; // evidence last supported it
    int64_t written_ms;
    uint32_t families;    // counted when last written
    struct hold hold;     // until accounting confirms whose it is
    uint8_t sure_ceiling; // and what holds then
    bool two;             // found to be a second thing beside its cause, and told so to its end
    uint32_t sure_limitations;
    struct verdict verdict; // as last written
};

// The verdict that was closed last. opened_ms 0: none since the party is known.
struct party_past {
    int64_t opened_ms, closed_ms;
    uint8_t class_;
};

struct party_state {
    struct party_state *chain;         // same bucket
    struct party_state *newer, *older; // order of use
    struct party party;
    struct subscriber_key key; // last seen
    // A line's others, each the last of its kind (family and length): IPv4, WAN address and delegated prefix are one
    // party. No family: none.
    struct subscriber_key other_key[PARTY_OTHER_KEYS];
    uint32_t key_minute[1 + PARTY_OTHER_KEYS]; // when each was seen last
    uint16_t pop, network_class;               // party_names
    struct journal_cursor from;                // of what it first rests on
    int64_t from_ms;
    uint32_t doubts;
    uint8_t confidence;
    uint16_t lease_unseen; // as the latest row says
    struct hold_leases leases;
    struct ballot_paper ballot;     // its vote on whether mail fails for all
    struct party_verdict *verdicts; // owned
    struct party_past past;
    struct window window;
    // The detectors' states follow: party_detector_state.
};

struct party_table;

// The names of POPs and network classes that parties have the numbers of.
struct names *party_names(struct party_table *t);

struct party_table *party_table_new(size_t parties_max, size_t state_size); // NULL: out of memory
void party_table_free(struct party_table *t);

// The state of a party, made when there is none; it becomes the most recently used. NULL: out of
// memory. Borrowed until the next call.
struct party_state *party_get(struct party_table *t, const struct party *p);

// The same without making one: NULL when the party is not known.
struct party_state *party_find(struct party_table *t, const struct party *p);

// The same, and the order of use stays.
struct party_state *party_peek(const struct party_table *t, const struct party *p);

// Takes the key of a row of that minute: it is the last seen, and replaces that of its kind.
void party_note_key(struct party_state *s, const struct subscriber_key *key, int64_t minute);

// Key `i` of a party, the last seen first; NULL: it has no more. Borrowed.
const struct subscriber_key *party_key(const struct party_state *s, size_t i);

// Forgets what the window and the detectors know: the address went to somebody else.
void party_forget(struct party_table *t, struct party_state *s);

// A state of the detectors, by where it lies (detector_state_offset).
void *party_detector_state(struct party_state *s, size_t offset);

size_t party_count(const struct party_table *t);
uint64_t party_evicted(const struct party_table *t);
size_t party_octets(const struct party_table *t); // of one party

// Parties silent since before `before_ms` and without open verdicts are forgotten. How many.
size_t party_expire(struct party_table *t, int64_t before_ms);

// A party as it was saved, with the state that follows it; it becomes the latest. NULL: out of memory.
struct party_state *party_restore(struct party_table *t, const struct party_state *saved);

// The party used after `s` (NULL: the longest silent one), for walking the other way.
struct party_state *party_newer(const struct party_table *t, const struct party_state *s);

// The party used before `s` (NULL: the latest), for walking from the latest to the oldest.
struct party_state *party_older(const struct party_table *t, const struct party_state *s);
