// The journal a collector writes: opened with its errors worded, and looked at while it is written, for somebody may
// take folder, segment or key away.
#pragma once

#include <stdio.h>

#include "common/control.h"
#include "common/journal.h"
#include "common/loop.h"

// journal_writer_open; what is wrong, and what was found, goes to `errors`.
int journal_watch_open(const char *journal, const struct journal_options *options, FILE *errors,
                       struct journal_writer **out);

struct journal_watch;

// Looks now and every 10 s. `w` is borrowed. NULL: out of memory.
struct journal_watch *journal_watch_new(struct loop *l, struct journal_writer *w,
                                        const char *journal);
void journal_watch_free(struct journal_watch *j);
void journal_watch_status(const struct journal_watch *j, struct control_status *s);
