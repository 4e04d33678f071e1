// Puts packets in time order within bounded memory: parties are generated one after the other, a
// capture is read in the order of time.
//
// Packets are kept up to `memory` octets; then they are sorted and spilt to a file without a name
// beside the capture, and at the end all such runs are merged. Packets of one time keep the order in
// which they were added.
#pragma once

#include <stdint.h>

#include "common/span.h"

struct spool;

// `folder` is where runs are spilt. NULL: out of memory.
struct spool *spool_new(const char *folder, size_t memory);
void spool_free(struct spool *s);

// 0 or a negative errno; the error sticks and spool_drain returns it again.
int spool_add(struct spool *s, int64_t t_ns, struct span frame, uint32_t wire_len);

typedef int (*spool_fn)(int64_t t_ns, struct span frame, uint32_t wire_len, void *ctx);

// Gives every packet in order of time and empties the spool. Stops at the first negative return.
int spool_drain(struct spool *s, spool_fn fn, void *ctx);
