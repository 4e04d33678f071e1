// A journal for people and tests: every entry as one line of canonical JSON, or whether all of it is sound.
#pragma once

#include <stdio.h>

// Both return 0, -EINVAL (damage was passed over, or the tail is torn) or another negative errno, and say
// on `errors` what there was. `key_dir` may be NULL.
int dump_journal(const char *dir, const char *key_dir, FILE *out, FILE *errors);
int dump_verify(const char *dir, const char *key_dir, FILE *out, FILE *errors);
