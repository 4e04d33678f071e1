// Who watched when, for a writer: what goes to the coverage files, and quick answers for gaps of any
// length (a day of the cache is 190 octets).
#pragma once

#include "common/coverage.h"
#include "common/series_coverage.h"
#include "common/series_notes.h"

struct watched;

// Sensors as bits, in order of appearance. 0, or with the last bit: whoever watched at the site.
typedef uint64_t watched_set;
#define WATCHED_SITE 0

int watched_open(const char *rrd_dir, struct watched **out); // -ENOMEM
// The set of one sensor; WATCHED_SITE for "*", and for those beyond the first 62.
watched_set watched_sensor(struct watched *w, const char *name);
void watched_name(const struct watched *w, watched_set set, struct series_sight *out);

// Several processes are merged: watched when any was, and as bad as the worst; so it is with the sensors
// of a site. Negative errno.
int watched_put(struct watched *w, const struct coverage_minute *c);
// Adds an alarm to a minute that was watched, for the site and `set`.
int watched_alarm(struct watched *w, watched_set set, int64_t minute, uint32_t alarm);
bool watched_at(struct watched *w, watched_set set, int64_t minute);
// End of the stretch of equal answers that begins at `from`, at most `to`.
int64_t watched_stretch(struct watched *w, watched_set set, int64_t from, int64_t to,
                        bool *is_watched);
void watched_close(struct watched *w);
