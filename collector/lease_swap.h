// A followed lease file read anew, a slice at a time, while the index answers: a file of a million lines stops nobody. A line
// that is no lease refuses the whole file, and nothing has changed. Answers change key by key: each is of the old file or
// of the new one.
#pragma once

#include "leases.h"

struct lease_swap;

// `in` (at the position to begin with) and `path` are borrowed. `file` and `round` as leases_file_read has them; `appended`: what
// stood before `in`'s position stays. NULL: out of memory.
struct lease_swap *lease_swap_new(struct leases *l, FILE *in, const char *path, uint8_t source,
                                  uint8_t file, uint16_t round, bool appended);
void lease_swap_free(struct lease_swap *w);
// 1: call it again; 0: done; -EINVAL: lines that are no leases (lease_swap_tell); another negative errno.
int lease_swap_slice(struct lease_swap *w);
// The first wrong lines, and how many more there are.
void lease_swap_tell(const struct lease_swap *w, FILE *errors);
