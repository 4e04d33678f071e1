// A fast checksum of 64 bits against accidents of disks and writers, not against people: XXH3 (xxhash.com), the
// same on every machine. Formats that use it say so.
#pragma once

#include "common/span.h"

uint64_t checksum(struct span s);
