// Inside of session*.c.
#pragma once

#include "clock_watch.h"
#include "common/buf.h"
#include "common/ipfix.h"
#include "session.h"

#define IN_OCTETS 65536
#define OWED_MAX  16
#define HELD_MAX  COLLECTOR_FETCH_MAX
#define OUT_MAX   65536

struct session {
    struct session_room *room;
    int fd;
    struct tls_peer *tls;
    bool ended, paused;
    char peer[SESSION_PEER_MAX];
    struct session_who who;
    uint64_t voice; // among the clocks
    struct ipfix_decoder *decoder;
    struct record_reader_stats told;      // of the decoder, added to the totals so far
    struct record held[HELD_MAX];         // decoded; from `held_at` on not put yet
    struct ipfix_octets octets[HELD_MAX]; // as they came; of no template when changed
    uint8_t judged[HELD_MAX];             // enum judgement
    size_t held_at, held_count;
    uint8_t in[IN_OCTETS];
    size_t in_at, in_len;
    struct clock_watch clock;
    bool live; // its last second was no capture's
    struct transport_ack owed[OWED_MAX];
    size_t owed_count;
    struct transport_ack_writer acks;
    struct buf out;
    int64_t tokens;
    int64_t heard_ms, voiced_ms;
    uint64_t records, foreign, absurd, ahead;
    bool warned, warned_broken;
};

// What becomes of a record. Foreign ones and those of no clock are refused before the intake.
enum judgement { TAKE, REFUSE_STRANGE, REFUSE_OWN, REFUSE_LATER };

// ---- session.c

// Ends it; `why`, when there is one, goes to the log among the lines of its source.
void session_fail(struct session *s, const char *why);

// ---- session_records.c

// The number under which a domain of an exporter without identity is counted.
uint32_t session_exporter_domain(const struct session *s, uint32_t domain);
// Works through the buffer. False: stopped in between.
bool session_work(struct session *s);
// What the decoder refused goes to totals and source.
void session_add_stats(struct session *s);
