// Whose coverage is it that says what silence of a series means?
#pragma once

#include "common/series_coverage.h"
#include "common/series_notes.h"

// `count` minutes from `first` on, as the sensors of the series watched them; `notes` are the series' own.
// Negative errno.
int series_sight_coverage(const char *rrd_dir, enum series_kind kind, const char *name,
                          const struct series_notes *notes, int64_t first, size_t count,
                          struct series_coverage_minute *out);
