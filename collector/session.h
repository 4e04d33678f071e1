// One connection that brings records: octets in, records into the intake, acknowledgements out.
#pragma once

#include "clocks.h"
#include "common/transport.h"
#include "intake.h"
#include "registry.h"
#include "sources.h"

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
    struct sources *sources;
    struct clocks *clocks;
    int64_t rate;               // records a second of one session
    int64_t ahead_max_ms;       // collector.ahead_max
    int64_t last_record_ms;     // of any
    int64_t last_sensor_ms;     // of any sensor's coverage
    void (*stalled)(void *ctx); // the intake refused
    void (*full)(void *ctx); // a session owes more acknowledgements than it can remember: sync now
    void *ctx;
};

struct session;

struct session_who {
    const char *peer;             // name of the sensor, or address
    uint64_t source;              // of its address; 0: a Unix socket
    struct permit *permit;        // NULL: everything is taken
    struct tls_identity identity; // of the certificate, when there is a permit
};

// Takes `fd` and `tls`, whose hands are shaken. NULL: out of memory, both are gone.
struct session *session_new(struct session_room *room, int fd, struct tls_peer *tls,
                            const struct session_who *who, int64_t now_ms);
// Reads what is there already.
void session_begin(struct session *s, int64_t now_ms);
void session_free(struct session *s);
bool session_ended(const struct session *s); // to be freed
// Ends it; `why` goes to the log, among the lines of its source.
void session_end(struct session *s, const char *why);
// What was put is durable: says so to the other side.
void session_acknowledge(struct session *s, int64_t now_ms);
// Four times a second: time limits, rate; goes on when it had stopped.
void session_tick(struct session *s, int64_t now_ms);
const struct session_who *session_who(const struct session *s);
int64_t session_heard_ms(const struct session *s);
uint64_t session_records(const struct session *s);
// Something of what it sent was refused, or its clock differs: to be shown first.
bool session_is_odd(const struct session *s);
void session_status(const struct session *s, struct control_status *out);
