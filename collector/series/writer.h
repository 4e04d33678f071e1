// From journal entries to RRD files: holds a key's minutes until no more rows are due for them,
// makes files at a bounded rate, writes gaps as what they were (silence or unobserved).
#pragma once

#include "common/minute.h"
#include "common/series.h"

struct series_options {
    const char *rrd_dir;
    const char *site;            // name of the site's own series
    int64_t settle_ms;           // a minute is written this long after its end
    uint32_t creations_a_minute; // of the journal's time
    uint32_t burst_connections; // attempts in a row that earn a file without an established session
    uint32_t waiting_minutes_max; // minutes held for a key that has no file yet
    size_t keys_max;
};

struct series_stats {
    uint64_t rows, minutes_written, updates, files_created;
    uint64_t files_waiting;   // due, but held by the creation rate
    uint64_t late_rows;       // for a minute already written: a rebuild takes them in
    uint64_t dropped_minutes; // of keys without a file, beyond waiting_minutes_max
    uint64_t keys, keys_refused;
    uint64_t errors; // files that could not be made or written
    char last_error[200];
};

struct series_writer;

int series_writer_open(const struct series_options *o,
                       struct series_writer **out);                         // negative errno
int series_writer_row(struct series_writer *w, const struct minute_row *r); // -ENOMEM
int series_writer_coverage(struct series_writer *w, const struct coverage_minute *c);
// Time has moved to `mark_ms`: writes what has settled. Returns the first minute not yet written.
int64_t series_writer_mark(struct series_writer *w, int64_t mark_ms);
// Writes everything whose minute is over by the last mark; the journal has ended.
void series_writer_finish(struct series_writer *w);
const struct series_stats *series_writer_stats(const struct series_writer *w);
void series_writer_close(struct series_writer *w);
