// One SMTP session as the tracker sees it, shared by its three parts: smtp.c (what comes in and when
// it switches), smtp_envelope.c (what commands say), smtp_pair.c (which reply answers which).
#pragma once

#include "proto/blocklist.h"
#include "proto/proto.h"
#include "proto/smtp_client.h"
#include "proto/smtp_command.h"
#include "proto/smtp_queue.h"
#include "proto/smtp_server.h"

enum smtp_wait { // why the client parser is in HOLD
    SMTP_WAIT_NONE,
    SMTP_WAIT_DATA, // for the reply to DATA
    SMTP_WAIT_DOT,  // does a dot between bare LFs end the message?
    SMTP_WAIT_TLS,  // for the reply to STARTTLS
    SMTP_WAIT_HEAD, // a line begins like a TLS record: for two more octets
};

enum smtp_mechanism {
    SMTP_AUTH_OTHER,
    SMTP_AUTH_PLAIN,
    SMTP_AUTH_LOGIN,
    SMTP_AUTH_NAMED,
    SMTP_AUTH_OAUTH,
};

// What segments usually touch stands in three cache lines: the client parser's head, behind the pool's header; what
// both sides share, up to the first runs of the queue; the server parser's head.
struct smtp {
    struct smtp_client client;
    uint8_t client_side; // enum proto_side
    uint8_t wait;        // enum smtp_wait
    bool server_seen;
    bool greeted;
    bool spoke_early; // client octets before any greeting
    bool turned;      // TURN or ATRN was accepted: nothing more is read
    bool lmtp;
    bool ehlo_done;     // an answer to HELO, EHLO or LHLO was seen
    bool lf_session;    // the client ends its commands with bare LF
    bool holes;         // octets of a side are missing
    bool uncertain;     // replies cannot be paired for sure
    bool in_arrears;    // commands go in whose answers may have come before
    bool doubt;         // only a well-formed command counts as one
    bool suspected;     // behind a gap: may be content, until a reply or a final dot
    bool body_gap;      // octets are missing in this content
    bool body_assumed;  // content taken for such before the server agreed
    bool body_refused;  // and the server did not
    bool tls_due;       // STARTTLS was accepted: TLS has to follow
    uint8_t dot_octets; // of a dot that may be the end
    bool binary;        // binary octets were seen among the lines
    bool ahead;         // the client sends ahead without leave
    uint8_t best_class;
    uint16_t content_answer; // a refusal that came before the content's end; 0: none
    bool auth_open;          // an AUTH exchange goes on
    bool auth_refuses;       // the present reply is a 334 that refuses
    bool auth_told;          // so the exchange is counted as failed before its last reply
    uint8_t auth_lines;      // client lines that are answers to 334, still to come
    // What the lines of the present reply said so far.
    struct blocklist_finding finding;
    // LMTP answers a message once for each accepted recipient.
    uint32_t recipients_ok;
    uint32_t answers_left;
    uint32_t answers_to_pass; // PRDR: answers a recipient, ahead of the message's
    struct smtp_queue queue;
    uint64_t server_name; // keyed hash of the greeting's name; 0: not seen
    uint8_t auth_ahead;   // lines of the AUTH exchange that came before their 334
    uint8_t auth_step;    // lines of the exchange seen
    uint8_t mechanism;    // enum smtp_mechanism
    struct smtp_server server;
};

struct smtp_at { // a session within one call
    struct proto_flow *f;
    struct smtp *s;
    int64_t t_us;
};

static inline struct record_smtp *smtp_result(const struct smtp_at *at)
{
    struct proto_result *r = proto_result(at->f);
    r->groups |= RECORD_HAS_SMTP;
    return &r->smtp;
}

// ---- smtp_pair.c

// A command (or content) was sent that is answered by one reply.
void smtp_expect(const struct smtp_at *at, enum smtp_expect what);

// A line of a reply came. Sets the client parser's mode where a reply decides it.
void smtp_reply_line(const struct smtp_at *at, const struct smtp_reply_line *line);

// Octets are missing, so that replies cannot be paired for sure until something settles it.
void smtp_lose(const struct smtp_at *at);

// ---- smtp_match.c

enum proto_match smtp_match(const struct proto_peek *p);

// Do these octets begin with a reply code?
bool smtp_begins_reply(struct span s);

// ---- smtp.c

// The client parser left HOLD: what waited goes through it now.
void smtp_drain(const struct smtp_at *at);

// ---- smtp_tls.c

// STARTTLS was accepted, and the next octets of a side are here. False when they were handed over.
bool smtp_in_clear(const struct smtp_at *at, enum proto_side side, struct span data);

// What waited behind STARTTLS was sent before the answer: commands in clear slipped in, or a handshake
// whose packet overtook the answer. False when it was handed over.
bool smtp_held_before_tls(const struct smtp_at *at);

// A handshake whose STARTTLS, or whose answer, was not seen: a line cannot begin so. Looks at the first
// octets of a line and returns how many it took; `*over`: all was handed over. There is nothing to look at unless the
// client waits for more of them (SMTP_WAIT_HEAD), or SMTP_TLS_HEAD comes first.
#define SMTP_TLS_HEAD 0x16
size_t smtp_look_at_head(const struct smtp_at *at, struct span data, bool *over);

// ---- smtp_envelope.c

// A finished command line (not one of an AUTH exchange), counted and its names hashed.
void smtp_count_command(const struct smtp_at *at, const struct smtp_command *c, bool cut);

// AUTH's first line (already among what is expected) and the lines of the exchange: the user is
// hashed, the rest forgotten.
void smtp_auth_begin(const struct smtp_at *at, struct span args);
void smtp_auth_line(const struct smtp_at *at, struct span line);
