// The log in front of the counting (docs/adr/0007): a record is put here, then taken. What was put is durable
// after intake_sync and may be acknowledged. After the start what the log holds is taken again, in the same order; blocks that
// the journal has are not written again. Until that is done, what is put is logged behind it, durable as always, and
// taken when its turn comes.
//
// When the disk refuses (intake_stalled), nothing more may be put until intake_retry says so: whoever reads stops reading.
#pragma once

#include "collector.h"
#include "common/ipfix.h"
#include "common/spool.h"

struct intake;

struct intake_options {
    const char *dir;
    const char *journal, *journal_keys; // where positions are looked for
    int64_t keep_ms;
    uint64_t octets_max;     // trims beyond what the minutes need
    uint64_t segment_octets; // removed as a whole; 0: 64 MiB
};

// `c` must be new; nothing is taken yet: intake_replay follows. Errors are written to `errors`. Negative errno.
int intake_open(const struct intake_options *options, struct collector *c, FILE *errors,
                struct intake **out);
void intake_close(struct intake *in);

// Takes again what the log holds, so many records of it or somewhat more, and twice what was put since the last call: so it comes to
// an end. 1: call it again; 0: done, also later; negative errno: stalled.
int intake_replay(struct intake *in, uint64_t records);
bool intake_replaying(const struct intake *in);

// Logs the record and takes it. 0: done; negative errno: stalled. `*put` says whether the record is in the log: if not, it must be
// offered again. The record is what a decoder gave, and `octets` what it was given as (NULL: it was changed since).
int intake_put(struct intake *in, const struct record *r, const struct ipfix_octets *octets,
               bool *put);
// Records of a sensor that are refused for what the collector knows only now (clock, prefix): logged, so that they are no gap, now
// and when the log is counted again. `lost`: the coverage of their sensor tells of them. As intake_put.
struct intake_refused {
    struct record_id id; // the first; with a sequence
    uint64_t count;      // that follow each other
    bool lost;
};
int intake_refuse(struct intake *in, const struct intake_refused *run, bool *put);
// These will be put next.
void intake_fetch(const struct intake *in, const struct record *r, size_t count);
// What was put so far becomes durable, and what is no longer needed is removed. Negative errno: stalled.
int intake_sync(struct intake *in);
bool intake_stalled(const struct intake *in);
// Tries again what failed. 0: go on.
int intake_retry(struct intake *in);
// All sources are silent: logged, and all minutes close. Not while replaying.
int intake_silent(struct intake *in, int64_t now_ms);
// The sensors are, while others talk: logged, and they hold nothing back until they are back. 1; 0: none was waited for;
// negative errno. Not while replaying.
int intake_mute(struct intake *in, int64_t now_ms);

void intake_status(const struct intake *in, struct control_status *s);
