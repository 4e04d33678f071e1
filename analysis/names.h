// Names that many parties share, such as POPs and network classes: each is kept once, a party keeps its number.
//
// Names come from leases and are never taken out: a site has some hundreds. A number is 16 bits; who brings more
// names than that is left without (0, the empty name).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/identity.h"

#define NAMES_N_MAX UINT16_MAX

// Zeroed is valid and knows the empty name alone.
struct names {
    char (*name)[LEASE_NAME_MAX]; // of number k at k - 1
    uint16_t *bucket;             // numbers by hash, open addressing; 0: free
    size_t count, room;           // room: a power of two, twice as many buckets
};

void names_fini(struct names *n);

// The number of a name, a new one when it is not known; 0: the empty one, or there is no room.
uint16_t names_number(struct names *n, const char *name);

// Borrowed until the next names_number; "" where there is no such number.
const char *names_text(const struct names *n, uint16_t number);
