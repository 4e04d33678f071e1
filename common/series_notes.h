// What a subscriber's RRD file cannot say, in a text file beside it: whose the key was, which sensors
// see it, and what came for a minute after it had been written. postern-series appends, series_fetch reads.
//
//   lease MINUTE PARTY             from this minute on the key is the party's
//   sight MINUTE SENSOR ...        from this minute on these sensors see the key; *: the whole site
//   lost MINUTE                    what the file had before this minute is lost: the journal it was made anew
//                                  from begins there
//   amend MINUTE CUT D... T...     CUT: watermark of the rows, in milliseconds; eight numbers that
//                                  were added, and the eight that the minute then had
//
// Lines that are none of these are passed over. A file is shortened at half of
// SERIES_NOTES_OCTETS_MAX: the latest 256 of each stay. Of a longer one the end is read.
#pragma once

#include "common/series.h"
#include "common/series_coverage.h"

#define SERIES_NOTES_OCTETS_MAX (256 * 1024)

struct series_amendment {
    int64_t minute;
    int64_t cut_ms;
    double delta[SERIES_SOURCES];
    double total[SERIES_SOURCES];
};

#define SERIES_SIGHT_MAX 8

struct series_sight {
    int64_t minute; // 0: ever since
    size_t sensors; // 0: the whole site
    char sensor[SERIES_SIGHT_MAX][SERIES_SENSOR_WORD_MAX];
};

struct series_notes {
    struct series_lease *lease; // owned, in order of the file
    size_t leases;
    struct series_sight *sight; // owned; in order of time
    size_t sights;
    struct series_amendment *amendment; // owned
    size_t amendments;
    int64_t lost_before; // minute; 0: nothing is lost
};

// No file: no notes. Negative errno.
int series_notes_read(const char *rrd_dir, enum series_kind kind, const char *name,
                      struct series_notes *out);
// The same from text, which is changed. -ENOMEM.
int series_notes_parse(char *text, struct series_notes *out);
void series_notes_free(struct series_notes *n);

// The first line that is none of these, from 1 on, and one that has no end; 0: all are.
size_t series_notes_bad_line(const char *text);

int series_notes_put_lease(const char *rrd_dir, enum series_kind kind, const char *name,
                           int64_t minute, const char *party);
int series_notes_put_lost(const char *notes_path, int64_t minute);
int series_notes_put_sight(const char *rrd_dir, enum series_kind kind, const char *name,
                           const struct series_sight *sight);
int series_notes_put_amendment(const char *rrd_dir, enum series_kind kind, const char *name,
                               const struct series_amendment *a);
