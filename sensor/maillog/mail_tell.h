// What mail_join.c and mail_tell.c share: the joiner itself, names as hashes, and records of what was joined.
#pragma once

#include "maillog/mail_hold.h"
#include "maillog/mail_join.h"
#include "maillog/mail_once.h"
#include "maillog/mail_table.h"

#define MAIL_SERVERS 16

struct mail_join {
    struct mail_join_config config;
    struct mail_join_stats stats;
    struct mail_table *messages, *sessions;
    struct mail_hold *hold;
    struct mail_once *delivered;   // recipients of messages whose arrival named none
    uint64_t server[MAIL_SERVERS]; // that messages came from; the oldest gives way
    uint32_t servers;
    uint64_t *done; // keys of messages that left the queue, the oldest at `done_at`
    uint32_t done_room, done_at;
    struct record_mail record;
};

// ---- Names. Hashes of queue ids, servers and Message-IDs never leave; those of people are keyed.
uint64_t mail_tell_name_hash(struct span s);
uint64_t mail_tell_server_of(const struct mail_note *n, struct span host);
uint64_t mail_tell_message_key(uint64_t server, struct span queue_id);
uint64_t mail_tell_session_key(const struct mail_note *n, uint64_t server);
struct keyed_hash mail_tell_hash_of(const struct mail_join *j, enum keyed_hash_kind kind,
                                    struct span s);
struct keyed_hash mail_tell_mailbox_of(struct mail_join *j, struct span user);
// ---- Whose. Is it the site's own, so that it is told; is the client this server itself?
bool mail_tell_ours(const struct mail_join *j, const struct mail_entry *e);
bool mail_tell_loopback(const struct ip_addr *a);
// ---- Records: begun from an entry, filled, told.
struct record_mail *mail_tell_begin(struct mail_join *j, uint8_t event, const struct mail_entry *e,
                                    int64_t t_ms);
void mail_tell_add_hash(struct record_mail *r, struct keyed_hash h);
bool mail_tell_names(const struct mail_join *j);
void mail_tell_add_recipient(struct mail_join *j, struct record_mail *r, struct span name);
void mail_tell_add_recipients(struct mail_join *j, struct record_mail *r,
                              const struct mail_note *n);
void mail_tell_add_sender(struct mail_join *j, struct mail_entry *e, const struct mail_note *n);
void mail_tell_add_envelope(struct record_mail *r, const struct mail_entry *e);
void mail_tell(struct mail_join *j);
void mail_tell_session(struct mail_join *j, struct mail_entry *s, int64_t t_ms);
void mail_tell_login(struct mail_join *j, struct mail_entry *s, int64_t t_ms);
