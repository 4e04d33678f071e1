// Which mail providers a party has contacted: a short list of the latest, and a memory of days.
//
// The list holds the latest providers with when and how contacts ended; a full list forgets the one
// not contacted for longest. The memory is a Bloom filter of two generations: a provider forgotten
// by the list is still "contacted before". Its false positives (2 % at 200 providers a generation)
// call a first contact a later one, which only ever spares a party. Whether a contact is the first is
// what the sequential test of Jung et al. (2004) rests on.
#pragma once

#include "common/minute.h"

#define PROVIDERS_MAX        72
#define PROVIDERS_BLOOM_BITS 2048
#define PROVIDERS_BLOOM_FULL 500 // entries after which a generation ends

enum provider_state {
    PROVIDER_PENDING, // first contact, its end is awaited
    PROVIDER_DECIDED, // first contact has ended
    PROVIDER_SILENT,  // the same, within seconds of the contact, by silence
    PROVIDER_KNOWN,   // contacted before the list reaches back
};

struct provider {
    uint32_t hash;  // of the provider; 0: empty
    uint32_t first; // milliseconds since the list's base, first and last contact
    uint32_t last;
    uint8_t attempts, failed, answered; // stay at 255
    uint8_t state;                      // enum provider_state
};

// Zeroed is valid and empty.
struct providers {
    int64_t base_ms; // 0: not set yet
    int64_t generation_ms;
    uint16_t inserted; // into the younger generation
    uint8_t young;     // its index
    bool overflowed;   // the list once forgot a provider that was contacted within the last hour
    struct provider list[PROVIDERS_MAX];
    uint8_t bloom[2][PROVIDERS_BLOOM_BITS / 8];
};

enum contact_kind {
    CONTACT_FIRST_ANSWERED,
    CONTACT_FIRST_FAILED,
    CONTACT_AGAIN_ANSWERED,
    CONTACT_AGAIN_FAILED,
    CONTACT_CORRECTED, // counted as failed before, answered after all: the later word holds
    CONTACT_NEUTRAL,   // ended in a way that says nothing
};

// How one contact ended.
struct contact {
    int64_t t_ms;        // when it ended
    int64_t start_ms;    // when the provider was first contacted, as far as the list knows
    uint32_t provider;   // its hash
    uint8_t kind;        // enum contact_kind
    bool answered_since; // the provider answered at some other time
    bool silent;         // nothing came back at all, or ICMP
    bool refused;        // by a reset
    bool failed;         // whatever was learnt of it: while the site fails that is nothing
};

// Notes an attempt. True when it is a first contact.
bool providers_attempt(struct providers *p, uint32_t hash, int64_t t_ms, int64_t memory_ms);

enum provider_end {
    PROVIDER_FAILED,
    PROVIDER_ANSWERED,
    PROVIDER_CORRECTED, // answered later than an attempt may take: it was called unanswered first
    PROVIDER_UNDECIDED,
};

// Notes how an attempt ended and says what kind of contact that was.
struct contact providers_end(struct providers *p, uint32_t hash, int64_t t_ms,
                             enum provider_end end, int64_t memory_ms);

// The latest contact with any of the list, at `now_ms` at most; 0: none.
int64_t providers_last(const struct providers *p, int64_t now_ms);

// Providers of the list contacted within the `window_ms` up to `now_ms`; `*first_ms` (may be NULL) is
// the earliest contact with any of them within the window that the list still knows.
uint32_t providers_within(const struct providers *p, int64_t now_ms, int64_t window_ms,
                          int64_t *first_ms);

// Of these, the ones that failed and never answered.
uint32_t providers_failed(const struct providers *p, int64_t now_ms, int64_t window_ms);

// Of these, the ones that answered. What was not decided yet is neither.
uint32_t providers_answered(const struct providers *p, int64_t now_ms, int64_t window_ms);

// Those first contacted within the last seconds, turned away at once or not decided yet, when they are many: of a scan the
// refused SYNs are known before the silent ones, which tell it from mail. What rests on these has to wait. Else 0.
uint32_t providers_fresh(const struct providers *p, int64_t now_ms);

// A scan has begun, and these were it: takes those first contacted since then that never answered off the list.
void providers_forget(struct providers *p, int64_t since_ms);

// Of these, never answered and failed at least `failed_min` times.
uint32_t providers_dead(const struct providers *p, int64_t now_ms, int64_t window_ms,
                        uint8_t failed_min);

// Hash of a digest's provider; without one, of the peer's /24 or /48.
uint32_t providers_hash(const struct minute_digest *d);
