// The code a customer reads out on the phone: eleven characters, no number to guess.
//
// It is the keyed hash (keyed_hash.h) of the verdict's id, 50 bits in Crockford's base 32. With the site's
// own key it cannot be guessed from what is public; without a key file the fixed replay key makes it
// the same in every run, and guessable, which the program says.
#pragma once

#include "common/keyed_hash.h"

#define CASE_CODE_MAX 16

// `attempt` tells codes apart should one be taken already: 0 at first.
void case_code_make(const struct keyed_hash_key *key, const char *verdict_id, unsigned attempt,
                    char out[static CASE_CODE_MAX]);
