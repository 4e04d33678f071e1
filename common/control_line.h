// One client's side of a control conversation, without a socket: octets in, answers out.
//
// A request is a line; only one is answered at a time, and the next waits until the answer is taken, so
// a client that sends and never reads holds two lines of memory and no more. Inside of control_*.c.
#pragma once

#include "common/buf.h"
#include "common/control_socket.h"

struct control_line {
    struct buf in;   // what came
    size_t start;    // of it is answered already
    size_t scanned;  // up to here `in` holds no line's end
    bool skipping;   // inside a line that was too long
    bool overlong;   // its end was found: an error is owed for it
    struct buf out;  // the answer under way
    size_t sent;     // of it
    int64_t last_ms; // when it last took or gave anything
};

void control_line_init(struct control_line *l, int64_t now_ms);
void control_line_fini(struct control_line *l);

// How many octets it can take now: at least 1 as long as no whole request waits, else perhaps 0.
size_t control_line_room(const struct control_line *l);

// Takes what came, at most `room` octets.
void control_line_feed(struct control_line *l, struct span data, int64_t now_ms);

// True when a whole request waits.
bool control_line_waits(const struct control_line *l);

// What is to be sent.
struct span control_line_pending(const struct control_line *l);
void control_line_sent(struct control_line *l, size_t octets, int64_t now_ms);

// It has been silent for CONTROL_IDLE_MS. A clock that was set back begins anew.
bool control_line_idle(struct control_line *l, int64_t now_ms);

// Out of memory: the conversation cannot go on.
bool control_line_broken(const struct control_line *l);

// Answers the next request when one waits and the last answer is gone. False: nothing to do.
bool control_line_answer(struct control_line *l, control_fn fn, void *ctx, int64_t now_ms);
