// The connections that bring records: how many there may be, and who goes when they are too many. An enrolled sensor always
// finds a place: beyond collector.sessions there is one for each that has none, and a few for
// those of this machine that come over a Unix socket.
#pragma once

#include "session.h"

struct sessions;

// `room` is borrowed. NULL: out of memory.
struct sessions *sessions_new(struct session_room *room, size_t max);
void sessions_free(struct sessions *s);
// Takes `fd` and `tls`, or closes them and counts why.
void sessions_take(struct sessions *s, int fd, struct tls_peer *tls, const struct session_who *who,
                   int64_t now_ms);
void sessions_acknowledge(struct sessions *s, int64_t now_ms);
void sessions_tick(struct sessions *s, int64_t now_ms);
size_t sessions_count(const struct sessions *s);
// Those of which something was refused come first.
void sessions_status(const struct sessions *s, struct control_status *out);
