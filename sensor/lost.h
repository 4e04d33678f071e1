// Tells the log of records that are lost: one line when it begins, with the fix, and one when it is over,
// with their number. Coverage and the status document say how it stands; this is for who reads only the log.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Nothing was refused for so long, then it is over. A spool at its bound takes a record now and then.
#define LOST_QUIET_MS 60000

// Zeroed is valid. Embedded by the sink that records are refused by.
struct lost {
    bool told;
    uint64_t records, looked;  // refused since it began; those of them at the last look
    int64_t since_ms, last_ms; // of the trouble
};

static inline void lost_count(struct lost *l, uint64_t records)
{
    l->records += records;
}

// Once a second. `error`: of the last writing, 0 or negative errno; `why` and `fix` are its words.
void lost_look(struct lost *l, const char *where, int error, const char *why, const char *fix,
               int64_t now_ms);
// The sink ends, whether it is over or not.
void lost_end(const struct lost *l, const char *where);
