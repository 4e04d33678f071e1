// From journal entries to RRD files: holds a key's minutes until no more rows are due for them,
// makes files at a bounded rate, writes gaps as what they were (silence or unobserved).
//
// Writing goes in rounds. A mark begins one when a minute has settled; the caller then has it worked
// on in portions, so that nothing else waits for a long one. Rows are given between rounds only.
#pragma once

#include "common/minute.h"
#include "common/series.h"

struct series_options {
    const char *rrd_dir;
    enum series_layout layout;
    const char *rrdcached;       // its socket; NULL: by librrd
    int64_t settle_ms;           // a minute is written this long after its end
    uint32_t creations_a_minute; // of the journal's time
    uint32_t burst_connections; // attempts in a row that earn a file without an established session
    uint32_t waiting_minutes_max; // minutes held for a key that has no file yet
    size_t waiting_total_max;     // and of all such keys together; 0: a million
    uint32_t together;            // a key is written once it has so many minutes; 0 and 1: at once
    size_t keys_max;
};

struct series_stats {
    uint64_t rows, minutes_written, updates, files_created;
    uint64_t files_waiting; // due, but held by the creation rate
    uint64_t amendments; // minutes that came after theirs had been written: noted beside the file
    uint64_t repeated;   // read again after a restart, and passed over
    uint64_t dropped_minutes; // of keys without a file, beyond what is held for them
    uint64_t keys, keys_refused, keys_evicted;
    bool may_lose;          // rrdcached keeps no journal: a crash of it loses minutes
    uint64_t times_refused; // rows, coverage and marks of a time that cannot be
    uint64_t anomalies;     // minutes that a forecast says are out of line
    uint64_t errors;        // files that could not be made or written
    char last_error[200];
};

struct series_writer;

// -EBUSY, -EPROTO and others as layout_open, with the fix in `why`.
int series_writer_open(const struct series_options *o, struct series_writer **out,
                       char why[static 300]);
int series_writer_row(struct series_writer *w, const struct minute_row *r); // -ENOMEM
int series_writer_coverage(struct series_writer *w, const struct coverage_minute *c);

// Entries now given were given before, to an earlier run on this folder: amendments among them are
// in the notes already.
void series_writer_repeating(struct series_writer *w, bool repeating);

// Time has moved to `mark_ms`. true: a round began. A time before 1981 or after 2099 is none.
bool series_writer_begin(struct series_writer *w, int64_t mark_ms);
// Up to `keys` keys of the round. true: it is over (also when there was none).
bool series_writer_work(struct series_writer *w, size_t keys);
// The first minute that a key still waits with, or the first not yet written.
int64_t series_writer_safe_before(const struct series_writer *w);

// `begin` and all the work. Returns what series_writer_safe_before says.
int64_t series_writer_mark(struct series_writer *w, int64_t mark_ms);
// Writes everything whose minute is over by the last mark; the journal has ended.
void series_writer_finish(struct series_writer *w);
const struct series_stats *series_writer_stats(const struct series_writer *w);
void series_writer_close(struct series_writer *w);
