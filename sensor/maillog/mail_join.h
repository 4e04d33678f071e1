// Joins notes of log lines to sessions and messages, and tells of them as records: who connected, tried to
// authenticate, sent a message, was refused, and what became of the message. Bounded: what the tables no
// longer hold is told as far as its own line says.
//
// Told is what concerns the site's own: a client among the subscribers, a mailbox that authenticated, or
// anybody at the submission ports. Mail that comes in from other servers is counted and passed over.
#pragma once

#include "common/record.h"
#include "maillog/mail_note.h"

#define MAIL_JOIN_STATS(X)                                                \
    X(sessions, "client sessions begun")                                  \
    X(messages, "messages accepted from the site's own")                  \
    X(messages_in, "messages of other servers, passed over")              \
    X(messages_local, "messages made on the server itself, passed over")  \
    X(rejects, "refusals told")                                           \
    X(blocks, "verdicts of content filters told")                         \
    X(deliveries, "deliveries told")                                      \
    X(bounces, "reports to senders told")                                 \
    X(logins, "authentications told")                                     \
    X(logins_failed, "of these, failed")                                  \
    X(unknown_message, "notes on a message whose beginning was not seen") \
    X(forged_name, "verdicts whose queue id and Message-ID name different messages")

struct mail_join_stats {
#define X(name, text) uint64_t name;
    MAIL_JOIN_STATS(X)
#undef X
};

struct mail_join_config {
    const struct keyed_hash_key *key;     // borrowed
    const struct prefix_set *subscribers; // borrowed
    const char *mailbox_domain;           // put behind user names without one; NULL: none
    uint8_t profile;             // enum coverage_profile: flow-only keeps no envelope names
    uint32_t messages, sessions; // places
    // Gets every record, with its time; the caller gives it its identity.
    void (*tell)(void *ctx, struct record_mail *r);
    // A mailbox of ours was named; NULL: nobody keeps names.
    void (*mailbox)(void *ctx, const struct keyed_hash *hash, struct span name);
    void *ctx, *mailbox_ctx;
};

struct mail_join;

struct mail_join *mail_join_new(const struct mail_join_config *config); // NULL: out of memory
void mail_join_free(struct mail_join *j);

// `host` is the line's, for logs of several servers in one.
void mail_join_note(struct mail_join *j, const struct mail_note *note, struct span host);
// Sessions that said nothing further are told, two seconds after they began.
void mail_join_advance(struct mail_join *j, int64_t t_ms);

// Records told so far.
uint64_t mail_join_told(const struct mail_join_stats *s);
const struct mail_join_stats *mail_join_stats(const struct mail_join *j);
void mail_join_clear_stats(struct mail_join *j);
uint64_t mail_join_evicted(const struct mail_join *j);
