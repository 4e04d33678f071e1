// One connection that brings records: octets in, records into the intake, acknowledgements out.
#pragma once

#include "common/transport.h"
#include "intake.h"
#include "registry.h"

#define SESSION_PEER_MAX 80

// Counted over all sessions, those that ended too.
#define SESSION_COUNTERS(X)                                                                  \
    X(taken, "session_records", "records that came")                                         \
    X(foreign_domain, "refused_foreign_domain", "not a domain of the sensor")                \
    X(foreign_prefix, "refused_foreign_prefix", "not a subscriber of the sensor's prefixes") \
    X(absurd, "refused_far_future", "a day and more ahead of the collector's own clock")     \
    X(bad_message, "broken_messages", "framing lost: the connection was closed")             \
    X(bad_set, "broken_sets", "broken sets and templates")                                   \
    X(bad_record, "broken_records", "broken records")                                        \
    X(bad_value, "broken_values", "impossible values")                                       \
    X(unknown_template, "unknown_templates", "sets without a template")                      \
    X(no_identity, "records_of_exporters", "records without identity")                       \
    X(refused, "sessions_refused", "certificate refused, or too many")                       \
    X(timed_out, "sessions_timed_out", "said nothing for too long")                          \
    X(throttled, "sessions_throttled", "times a connection was read more slowly")            \
    X(octets, "session_octets", "octets that came")

struct session_totals {
#define X(name, counter, text) uint64_t name;
    SESSION_COUNTERS(X)
#undef X
};

struct session_room { // what sessions share; borrowed
    struct loop *loop;
    struct intake *intake;
    struct registry *registry; // NULL: no TLS
    struct session_totals totals;
    int64_t rate;               // records a second of one session
    int64_t last_record_ms;     // of any
    void (*stalled)(void *ctx); // the intake refused
    void (*full)(void *ctx); // a session owes more acknowledgements than it can remember: sync now
    void *ctx;
};

struct session;

// Takes `fd`. `tls` NULL: without; `peer` is who it is until a certificate says more. NULL: out of memory, `fd` is closed.
struct session *session_new(struct session_room *room, int fd, struct tls_context *tls,
                            const char *peer, int64_t now_ms);
void session_free(struct session *s);
bool session_ended(const struct session *s); // to be freed
// What was put is durable: says so to the other side.
void session_acknowledge(struct session *s, int64_t now_ms);
// Four times a second: time limits, rate; goes on when it had stopped.
void session_tick(struct session *s, int64_t now_ms);
const char *session_peer(const struct session *s);
void session_status(const struct session *s, struct control_status *out);
