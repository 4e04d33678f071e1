// SHA-256 without allocation, for JA4 and certificates: the file behind this wraps OpenSSL's.
#pragma once

#include "common/span.h"

#define SHA256_SIZE 32

struct sha256 {
    _Alignas(8) uint8_t opaque[112];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, struct span data);
void sha256_end(struct sha256 *h, uint8_t out[static SHA256_SIZE]);
