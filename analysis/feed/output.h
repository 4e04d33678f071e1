// The feed of changes as a file: JSON lines with numbers 1, 2, 3, ...
//
// The store is the truth, the file follows: what is missing is appended after each commit, a line cut
// by a crash is taken back first. So a restart neither loses nor repeats a change.
#pragma once

#include "common/ticket.h"

struct output {
    int fd;
    int64_t last; // number of the last whole line
    uint64_t written;
};

// -EPROTO: the file goes further than the store, or is no feed. Other negative errno as usual.
int output_open(struct output *o, const char *path, struct ticket_store *store);
// Appends what the store has and the file has not.
int output_follow(struct output *o, struct ticket_store *store);
int output_close(struct output *o); // syncs; the first error
