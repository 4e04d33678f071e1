// The addresses a subscriber spoke to within the last hour: bounded to 256, so that "new" stays a meaningful
// word at little memory. Remembered as 32-bit fingerprints of their hashes.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DESTINATIONS_MAX     256
#define DESTINATIONS_MINUTES 60

// Zeroed is valid and empty; `slot` is owned.
struct destinations {
    struct destination *slot;
    uint16_t count, cap;
};

// True when `peer` was not met within the hour before `minute` (or was pushed out since); it is now.
bool destinations_meet(struct destinations *d, uint64_t peer, int64_t minute);
void destinations_clear(struct destinations *d);
