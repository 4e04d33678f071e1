// The sink that is a spool: records gather in a block of IPFIX messages, which is written when it is full or a second
// is over. Nothing waits: a full spool or disk refuses the record. docs/formats/transport.md.
#pragma once

#include "common/spool.h"
#include "sink.h"

struct sensor_spool;

// Negative errno; -EBUSY: another sensor process has it.
int sensor_spool_open(const char *dir, uint64_t octets_max, uint32_t domain,
                      struct sensor_spool **out);
void sensor_spool_close(struct sensor_spool *s);

// The sink; its close writes and syncs, the spool stays the caller's.
struct sink sensor_spool_sink(struct sensor_spool *s);

struct spool *sensor_spool_log(struct sensor_spool *s); // for the sender
// Writes what has gathered, without syncing. -ENOSPC, or the disk's errno.
int sensor_spool_write(struct sensor_spool *s);

struct sensor_spool_stats {
    uint64_t records, refused; // refused: no room
    int error;                 // of the last write or sync; 0: it went well
    bool at_bound;             // and that is the spool's own bound, not the disk's
};
// Records that have gathered and are not written.
uint32_t sensor_spool_waiting(const struct sensor_spool *s);
const struct sensor_spool_stats *sensor_spool_stats(const struct sensor_spool *s);
