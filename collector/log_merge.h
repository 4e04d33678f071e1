// A line's session with our own mail server may be seen twice, in packets and in the server's log. It counts
// once: what packets saw in clear counts from them, what they could not see (TLS, no sensor there) from the log.
//
// Sessions are matched by the client's port, when the log has it; without, packets that saw any envelope of the
// line's in that minute are believed to have seen all. What the log says waits until the minute's row is
// closed, since the packets' record of a session often comes after the log's. What packets saw is kept for the same
// time whether or not a log was heard of yet: the first word of a log may be of a session that was seen before it.
#pragma once

#include "acc.h"
#include "common/record.h"

#define LOG_MERGE_SESSIONS 32

void log_merge_free(struct acc_log *l);

// Packets saw a session of this line with one of our servers; `envelopes`: its commands too.
void log_merge_packets(struct acc *a, uint16_t own_port, uint16_t server_port, bool envelopes,
                       struct acc_limits *limits);
// The log tells of the line's session; counted when the row is settled.
void log_merge_event(struct acc *a, const struct record_mail *e, struct acc_limits *limits);
// Before the row is closed: adds what only the log saw, and drops its digests of sessions that packets saw.
void log_merge_settle(struct acc *a, struct acc_limits *limits);
