// Where every source puts what it says: the index, and the history when the lease began, ended, or was not
// written for an hour. What the history has is durable after lease_store_sync.
#pragma once

#include "lease_history.h"

// A lease that is only seen again is written once in so long: after a restart it is that much staler.
#define LEASE_STORE_GRAIN_MS (60 * 60 * 1000)

struct lease_store {
    struct leases *leases;
    struct lease_history *history; // NULL: none is kept
    uint64_t begun, renewed, ended;
};

int lease_store_put(struct lease_store *s, const struct lease *lease); // negative errno
int lease_store_sync(struct lease_store *s);
