// Times as text. All times are milliseconds since 1970-01-01T00:00:00Z (int64_t, `_ms`), UTC.
#pragma once

#include <stdint.h>

#define TIME_TEXT_MAX 32

// "2026-11-22T05:52:00.123Z" (RFC 3339); the fraction is left out when zero. Returns `out`.
// Times outside the years 0001-9999 give "invalid".
const char *time_format(int64_t t_ms, char out[static TIME_TEXT_MAX]);

// RFC 3339 with `Z` or an offset. -EINVAL leaves `out_ms` alone.
int time_parse(const char *text, int64_t *out_ms);
