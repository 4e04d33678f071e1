// The collector's own memory of leases: what its sources said, as lines of lease CSV, only ever appended, so
// that a restart knows whose an address was. A line of a key, party and start that was there before brings
// that lease up to date. Lines too old, and those that later ones replaced, go when the file is rewritten.
#pragma once

#include <stdio.h>

#include "leases.h"

struct lease_history;

// Reads what is there into `l` and opens it for appending; made when it is not there. A torn last line is cut,
// damaged lines are counted and passed over. Errors are written. With `read_only` nothing is made or cut.
int lease_history_open(const char *path, struct leases *l, bool read_only, FILE *errors,
                       struct lease_history **out);
void lease_history_close(struct lease_history *h);

// Takes a line in; it is durable after the next successful sync. -ENOMEM, -ENOBUFS: too much waits.
int lease_history_put(struct lease_history *h, const struct lease *lease);
// Writes what waits, fdatasync. On failure (disk full) the file is as before and all waits on.
int lease_history_sync(struct lease_history *h);
// Rewrites the file without leases that ended before, and without lines that were replaced.
int lease_history_rewrite(struct lease_history *h, const struct leases *l, int64_t before_ms);

uint64_t lease_history_damaged(const struct lease_history *h); // lines passed over
uint64_t lease_history_octets(const struct lease_history *h);
