// What of a minute row goes into a series, and adding rows of one minute up.
#pragma once

#include "common/minute.h"
#include "common/series.h"

// A minute of a key while rows for it may still come. Peers are distinct over all its rows, so the
// sets are kept until the minute is written.
struct series_minute {
    int64_t minute;
    int64_t cut_ms; // newest watermark of its rows: tells an amendment from its repetition
    double value[SERIES_SOURCES]; // SERIES_PEERS is taken from the sets at the end
    struct distinct peers;
    struct distinct providers;
    uint64_t sensors; // a watched_set: who saw it
    char *party;      // owned; whose the key is from this minute on, when that changed; else NULL
    bool finished;
};

// Does the row hold anything that a series shows?
bool series_row_matters(const struct minute_row *r);

// Worth a file of its own: an established mail or SOCKS session, or a burst of attempts.
bool series_row_earns_file(const struct minute_row *r, uint32_t burst_connections);

// Connections begun, of the roles that a series shows.
uint32_t series_row_attempts(const struct minute_row *r);

void series_minute_add(struct series_minute *m, const struct minute_row *r,
                       struct distinct_budget *budget);
// A minute of a sensor process; the processes of a sensor add up.
void series_minute_add_sensor(struct series_minute *m, const struct coverage_minute *c);
// The values to write: peers counted, sets freed. Twice is once.
void series_minute_finish(struct series_minute *m, struct distinct_budget *budget);
// Everything it owns.
void series_minute_fini(struct series_minute *m, struct distinct_budget *budget);
