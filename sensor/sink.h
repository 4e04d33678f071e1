// Where records go: one descriptor a kind. A file of records now; a spool that survives restarts and is
// emptied towards the collector; nothing behind this seam knows which.
#pragma once

#include <stdint.h>

#include "common/record.h"

struct sink_kind {
    const char *name;
    // Takes a record that has its identity. Never blocks. 0; -ENOSPC: there is no room, the record is
    // not taken and the caller counts it (a spool); another negative errno: the first failure of a file.
    int (*put)(void *state, const struct record *r);
    // Once a second, behind the second's coverage: what was put is made durable. Negative errno.
    int (*flush)(void *state, int64_t now_ms);
    int (*close)(void *state); // negative errno: what was put may not be there
};

struct sink {
    const struct sink_kind *kind; // NULL: none
    void *state;
};

static inline int sink_put(const struct sink *s, const struct record *r)
{
    return s->kind->put(s->state, r);
}

static inline int sink_flush(const struct sink *s, int64_t now_ms)
{
    return s->kind->flush ? s->kind->flush(s->state, now_ms) : 0;
}

static inline int sink_close(struct sink *s)
{
    int rc = s->kind ? s->kind->close(s->state) : 0;
    s->kind = NULL;
    return rc;
}

// A file of records (RFC 5655). Negative errno.
int sink_file_open(const char *path, uint32_t domain, struct sink *out);
