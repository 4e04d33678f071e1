// What time alone makes of tickets: desired actions that nobody renews end, and a mailbox that is suspected is
// confirmed when its verdict has stood for long enough (remedy.h).
//
// All of it follows from the open tickets of the store, so a restart forgets nothing. Each change bears the time at
// which it was due, whenever it is noticed: a replay, whose clock jumps from verdict to verdict, says the same.
#pragma once

#include "feed/feed.h"

// Looks through the open tickets for what is due next. 0 or a negative errno.
int due_find(struct feed *f);

// A ticket has changed: it may be due before all others.
void due_note(struct feed *f, const struct ticket *t);
