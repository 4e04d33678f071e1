// How many different ones in all, exactly: a growing set of 64-bit hashes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen;

struct seen *seen_new(void); // NULL: out of memory
void seen_free(struct seen *s);
// True when `hash` was not there. When memory runs out it is not taken in, and counts again next time.
bool seen_add(struct seen *s, uint64_t hash);
