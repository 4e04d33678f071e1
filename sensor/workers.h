// The first process of a port that several share: it keeps the others, speaks for them to the service
// manager and the operator, and touches no packet.
//
// The others are forked when all rings are open and joined, so that no frame is seen twice or by nobody;
// each goes on through the skeleton by itself and drops its own rights. When one ends or hangs, all end,
// and the service manager starts them anew: the kernel would deal its flows out among those that
// are left, in the middle of their connections.
//
// What a process says of itself it writes once a second on its page of a board in shared memory.
#pragma once

#include <sys/types.h>

#include "common/control.h"
#include "common/daemon.h"

struct board; // pages of `count` processes

struct board *board_new(size_t count); // NULL: out of memory
void board_free(struct board *b);
// Writes the page: the status document as text, and that the process lives.
void board_write(struct board *b, size_t process, const char *text);
// How long ago the page was written, whatever the wall clock does; -1: never.
int64_t board_age_ms(const struct board *b, size_t process);
// A new reference to the document on the page; NULL: none yet.
json_t *board_read(const struct board *b, size_t process);

struct workers;

// Forks `count` processes. In each of them returns its number, in the first process -1; below that a
// negative errno. `*out` is the first process's.
int workers_fork(struct board *board, size_t count, struct workers **out);
// Waits until each has written its page. 0 or EX_UNAVAILABLE.
int workers_start(struct workers *w, struct daemon *d);
// Each reads its configuration again.
void workers_reload(const struct workers *w);
// Ends them and waits; what they said last stays on the board.
void workers_end(struct workers *w);
// Ends them and frees.
void workers_stop(struct workers *w);
// What all say, counters and lists added up, and a line for each.
void workers_status(const struct workers *w, struct control_status *out);
// In a process that was forked: it ends when the first does.
int workers_follow(struct loop *l);
