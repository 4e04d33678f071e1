// Exactly once: a record is known by (domain, epoch, sequence). A repeat is dropped, a gap is counted for its
// domain, and a record that fills a gap later is taken after all.
#pragma once

#include "common/record.h"

// How far behind the highest sequence of an epoch a late record can still be told from a repeat.
#define SEQUENCE_WINDOW 1024

// Epochs of a domain that are remembered: a restarted sensor sends what the one before left unsent.
#define SEQUENCE_EPOCHS 4

#define SEQUENCE_DOMAINS_MAX 4096

enum sequence_result {
    SEQUENCE_NEW,
    SEQUENCE_REPEAT,
    SEQUENCE_OLD, // behind the window, or of an epoch no longer remembered: a repeat as far as known
    SEQUENCE_FULL, // a new domain, and no room for it
};

struct sequence_table;

struct sequence_stats {
    uint64_t repeats, old;
    uint64_t missing; // sequence numbers passed over and not filled since
    uint64_t gaps;    // runs of them
    uint64_t filled;
};

struct sequence_table *sequence_new(void); // NULL: out of memory
void sequence_free(struct sequence_table *t);
enum sequence_result sequence_take(struct sequence_table *t, const struct record_id *id);
// Would sequence_take say repeat or old? Changes nothing; an unknown epoch is not known.
bool sequence_known(const struct sequence_table *t, const struct record_id *id);
const struct sequence_stats *sequence_stats(const struct sequence_table *t);
// Missing numbers of one domain.
uint64_t sequence_missing(const struct sequence_table *t, uint32_t domain);
size_t sequence_domains(const struct sequence_table *t);
// Missing numbers of a domain that showed since the last call. A gap that is filled later was still one.
uint64_t sequence_take_missing(struct sequence_table *t, uint32_t domain);
// One more for that: a record of a known domain that came and cannot be used.
void sequence_add_missing(struct sequence_table *t, uint32_t domain);

// The highest sequence of every domain and epoch, in order of last use within a domain; and setting it: what comes up to it
// counts as taken.
typedef void (*sequence_fn)(void *ctx, const struct record_id *highest);
void sequence_each(const struct sequence_table *t, sequence_fn fn, void *ctx);
void sequence_seed(struct sequence_table *t, const struct record_id *highest);
