// A log of records in checksummed blocks in segment files: the sensors' spool and the collector's intake.
// docs/formats/transport.md has the octets. Written at one end, read from the other, by one process.
//
// A block is written whole or is cut off at the next opening. Nothing is durable before spool_sync. A full
// or failing disk leaves the log as it was: the same call may be made again.
#pragma once

#include "common/record.h"
#include "common/span.h"

#define SPOOL_BLOCK_MAX (1u << 20)

enum spool_kind { SPOOL_RECORDS = 1, SPOOL_POSITIONS = 2, SPOOL_EVENT = 3 };

struct spool_block {
    uint16_t kind; // enum spool_kind
    uint32_t records;
    uint32_t domain; // of all records, with epoch and sequences; else zero
    uint64_t epoch, first, last;
    int64_t latest_ms; // greatest time
    // Filled in when read:
    uint64_t segment, ordinal; // its segment; records in the log before it
};

struct spool_options {
    uint64_t octets_max;     // of all segments; -ENOSPC beyond
    uint64_t segment_octets; // a segment larger than this is followed by a new one
    bool caller_turns;       // not in spool_append, but when spool_turn is called
};

struct spool_stats {
    uint64_t octets, segments; // now
    uint64_t torn_octets;      // cut off at opening
    uint64_t bad_blocks;       // passed over in reading
    uint64_t syncs, failures;  // failures: of the disk
};

struct spool;

// Opens for appending and reading; the directory is made when it is not there. -EBUSY: another process has
// it. Negative errno.
int spool_open(const char *dir, const struct spool_options *options, struct spool **out);
void spool_close(struct spool *s); // without syncing

// -ENOSPC: at the bound or the disk is full. Negative errno: the disk's.
int spool_append(struct spool *s, const struct spool_block *b, struct span payload);
// Begins a new segment when the newest is large enough. Negative errno: call again.
int spool_turn(struct spool *s);
// Everything appended so far is durable. Negative errno: it is not known, ask again.
int spool_sync(struct spool *s);
bool spool_unsynced(const struct spool *s);
// Called when a segment has begun, to append what it should begin with.
void spool_on_segment(struct spool *s, void (*fn)(void *ctx, struct spool *s), void *ctx);

// Removes the oldest segments up to and with `segment`, but never the newest. Returns how many.
unsigned spool_remove(struct spool *s, uint64_t segment);
// The oldest segment and the greatest time of its records; false: there is none but the newest.
bool spool_oldest(const struct spool *s, uint64_t *segment, int64_t *latest_ms);

uint64_t spool_id(const struct spool *s);
uint64_t spool_ordinal(const struct spool *s);                  // records appended ever
bool spool_last(const struct spool *s, struct record_id *last); // the newest record's, when known
const struct spool_stats *spool_stats(const struct spool *s);

// ---- Reading: from the oldest block to the newest, again and again while it is written

struct spool_reader;

struct spool_reader *spool_reader_new(struct spool *s); // at the oldest; NULL: out of memory
void spool_reader_free(struct spool_reader *r);
void spool_reader_rewind(struct spool_reader *r);
// 1: `*b` and `*payload` (borrowed until the next call); 0: nothing more now; negative errno.
int spool_reader_next(struct spool_reader *r, struct spool_block *b, struct span *payload);
