// Base64 (RFC 4648) into a bounded buffer: as much as there is room for and as is well-formed.
#pragma once

#include "common/span.h"

// Returns the number of octets written; stops at the first octet that is no base64.
size_t base64_decode(struct span text, uint8_t *out, size_t max);
