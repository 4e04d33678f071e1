// Who watched when, for a writer: what goes to the coverage files, and quick answers for gaps of any
// length (a day of the cache is 180 octets).
#pragma once

#include "common/coverage.h"
#include "common/series_coverage.h"

struct watched;

int watched_open(const char *rrd_dir, struct watched **out); // -ENOMEM
// Several sensors are merged: watched when any was, and as bad as the worst. Negative errno.
int watched_put(struct watched *w, const struct coverage_minute *c);
// Adds an alarm to a minute that was watched.
int watched_alarm(struct watched *w, int64_t minute, uint32_t alarm);
bool watched_at(struct watched *w, int64_t minute);
// End of the stretch of equal answers that begins at `from`, at most `to`.
int64_t watched_stretch(struct watched *w, int64_t from, int64_t to, bool *is_watched);
void watched_close(struct watched *w);
