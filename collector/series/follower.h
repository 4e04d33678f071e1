// Follows the journal into a writer, in portions. The cursor beside the files never runs ahead of what
// a key still waits with, less what is held for keys without a file: a restart repeats rows (which
// the files refuse as old) and misses none.
#pragma once

#include "common/journal.h"
#include "series/writer.h"

struct follower;

// `rrd_dir` holds the cursor. Negative errno.
int follower_open(const char *journal, const char *rrd_dir, struct series_writer *w,
                  uint32_t waiting_minutes, struct follower **out);

// Ends where an earlier run on another folder had come to, as that folder's cursor says: for files that
// are to take the place of some there. -ENOENT: it says nothing.
int follower_until(struct follower *f, const char *other_rrd_dir);

enum follower_state { FOLLOWER_MORE, FOLLOWER_AT_END };

// Reads and writes for a portion: a few hundred entries, or as many files. FOLLOWER_MORE: call again
// soon; FOLLOWER_AT_END: the journal ends here for now. Negative errno: -EIO a file could not be
// written (only when `stops_on_error`), others from the journal or memory.
int follower_step(struct follower *f, bool stops_on_error);

// The journal has ended for good: writes all that is left.
void follower_finish(struct follower *f);

int64_t follower_mark_ms(const struct follower *f); // the last one read; 0: none
// Of time that jumped ahead and came back, as of a capture or sensor with a wrong clock: when; "": none did.
#define FOLLOWER_CLOCK_MAX 160
const char *follower_clock(const struct follower *f);
static const char follower_clock_fix[] =
    "take the wrong days out of the journal (mv SEGMENT SEGMENT.out), then postern series rebuild";
const struct journal_stats *follower_journal(const struct follower *f);
// As journal_reader_damage: the next place that was passed over.
bool follower_damage(struct follower *f, char out[static JOURNAL_DAMAGE_TEXT_MAX]);
void follower_close(struct follower *f);
