// A journal for people and tests: every entry as one line of canonical JSON, or whether all of it is sound, or how
// much of what it holds by day.
#pragma once

#include <stdint.h>
#include <stdio.h>

struct dump_filter {
    int64_t from_ms,
        to_ms;       // minutes that end behind `from_ms` and begin before `to_ms`; 0: no bound
    const char *key; // rows of this subscriber alone, as written in rows; NULL: everything
};

// All return 0, -EINVAL (damage was passed over, or the tail is torn) or another negative errno, and say
// on `errors` what there was. `key_dir` may be NULL.
int dump_journal(const char *dir, const char *key_dir, const struct dump_filter *filter, FILE *out,
                 FILE *errors);
int dump_verify(const char *dir, const char *key_dir, FILE *out, FILE *errors);
int dump_stat(const char *dir, const char *key_dir, FILE *out, FILE *errors);
