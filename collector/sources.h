// Where connections come from, what was refused of them by reason, and the lines the log has of it: one a source and minute,
// a few in all, the others counted. A source is an address (the /64 of IPv6), or the name of an enrolled sensor. What is
// counted stays when the connection is gone.
#pragma once

#include "common/addr.h"
#include "common/control.h"

#define SOURCE_TEXT_MAX 80
#define SOURCES_MAX     512 // the one silent longest gives way; its counts go to `others`
#define SOURCES_LINES   30  // of the log, a minute

// Connections first, then records.
#define SOURCE_CONNECTIONS(X)                                                               \
    X(late, "strangers_late", "said nothing, or not enough, within 10 s")                   \
    X(gave_way, "strangers_gave_way", "too many at once: the oldest gave way")              \
    X(no_tls, "strangers_no_tls", "spoke no TLS 1.3")                                       \
    X(certificate, "strangers_without_certificate", "no certificate of this collector")     \
    X(revoked, "refused_revoked", "a certificate that was revoked, or replaced by a newer") \
    X(exporter, "refused_exporters", "not in collector.exporters")                          \
    X(full, "refused_full", "no place: collector.sessions, or those of one source")         \
    X(token, "refused_tokens", "enrolment: the token, or the request, is not good")
#define SOURCE_RECORDS(X)                                               \
    X(message, "source_bad_messages", "no IPFIX")                       \
    X(set, "source_bad_sets", "broken sets and templates")              \
    X(record, "source_bad_records", "broken records")                   \
    X(value, "source_bad_values", "impossible values")                  \
    X(template_, "source_unknown_templates", "sets without a template") \
    X(ahead, "refused_ahead", "ahead of the clock by more than collector.ahead_max")

enum source_reason {
#define X(name, counter, text) SOURCE_##name,
    SOURCE_CONNECTIONS(X) SOURCE_RECORDS(X)
#undef X
        SOURCE_REASONS
};

struct sources;

typedef void (*sources_say_fn)(void *ctx, const char *line);
// `say` takes a line for the log; NULL: the program's log, as a warning. NULL: out of memory.
struct sources *sources_new(sources_say_fn say, void *ctx);
void sources_free(struct sources *s);

// What places are given by: a number an IPv4 address, or a /64 of IPv6. `text` names it.
uint64_t source_of(const struct ip_addr *a, char text[static SOURCE_TEXT_MAX]);

// `count` were refused. `line` NULL: what the reason says.
void sources_refuse(struct sources *s, const char *who, enum source_reason why, uint64_t count,
                    const char *line, int64_t now_ms);
// The same, without a word in the log.
void sources_count_more(struct sources *s, const char *who, enum source_reason why, uint64_t count,
                        int64_t now_ms);
// The clock of `who` was so far ahead.
void sources_ahead(struct sources *s, const char *who, int64_t by_ms);
// A line about a source that refuses nothing; bounded as the others.
void sources_tell(struct sources *s, const char *who, const char *line, int64_t now_ms);
// Once a second or so: says what was left out of the log.
void sources_tick(struct sources *s, int64_t now_ms);

uint64_t sources_count(const struct sources *s, const char *who, enum source_reason why);
uint64_t sources_total(const struct sources *s, enum source_reason why);
// Counters by reason, and who it was, the most refused first.
void sources_status(const struct sources *s, struct control_status *out);
