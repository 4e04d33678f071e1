// Records with random, possible contents: the same for the same seed.
#pragma once

#include "common/record.h"

struct record_random {
    uint64_t state;
    uint64_t sequence;
};

uint64_t record_random_next(struct record_random *g); // 64 random bits
void record_random_fill(struct record_random *g, struct record *r);

// A flow with this and nothing unusual: TCP, IPv4, SMTP, four hashes.
void record_random_plain(struct record_random *g, struct record *r);
