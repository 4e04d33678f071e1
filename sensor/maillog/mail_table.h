// Messages and sessions that a log speaks of, by name: a fixed pool, found by hash, the one not spoken of
// for longest gives way (counted). Chains are short because the pool is as large as its index.
#pragma once

#include "common/addr.h"
#include "common/keyed_hash.h"

enum mail_entry_flags {
    MAIL_ENTRY_CLIENT = 1 << 0, // `client` is known
    MAIL_ENTRY_TLS = 1 << 1,
    MAIL_ENTRY_TOLD = 1 << 2, // accepted (a message), connected (a session): told
    MAIL_ENTRY_AUTH_TOLD = 1 << 3,
    MAIL_ENTRY_BLOCKED = 1 << 4, // a filter's verdict was told
    MAIL_ENTRY_INNER = 1 << 5,   // handed back by a filter on this server: an outer message owns it
    MAIL_ENTRY_LOCAL = 1 << 6,   // made on the server itself
    MAIL_ENTRY_SENDER = 1 << 7,  // the sender's hashes are there
    MAIL_ENTRY_DONE = 1 << 8,    // left the queue; kept a while, for other logs speak of it later
    MAIL_ENTRY_UNNAMED =
        1 << 9, // its arrival named no recipients: they count when they are delivered
};

struct mail_entry {
    uint64_t key;  // of its name
    uint64_t name; // hash of the Message-ID; 0: not known
    int64_t t_ms;  // of its beginning
    uint64_t server;
    struct ip_addr client;
    uint16_t client_port, server_port;
    uint16_t flags; // enum mail_entry_flags
    struct keyed_hash mailbox, sender, sender_domain, helo;
    // Of a session: its latest message, and the recipients told of its messages so far. Of a message: the one
    // before it in its session, the session while that goes on, and the most recipients it can have been given
    // (0: not known).
    uint64_t message, session;
    uint32_t recipients;
    uint32_t chain, name_chain; // next of the same bucket
    uint32_t newer, older;      // in order of use
};

#define MAIL_TABLE_NONE 0

struct mail_table;

struct mail_table *mail_table_new(uint32_t entries); // NULL: out of memory
void mail_table_free(struct mail_table *t);

// NULL: there is none. A find makes it the newest.
struct mail_entry *mail_table_find(struct mail_table *t, uint64_t key);
// The one found, or a new one, zeroed but for its key.
struct mail_entry *mail_table_get(struct mail_table *t, uint64_t key);
void mail_table_drop(struct mail_table *t, struct mail_entry *e);

// The Message-ID's hash; 0 is none. The newest with that name that is not `but`.
void mail_table_name(struct mail_table *t, struct mail_entry *e, uint64_t name);
struct mail_entry *mail_table_named(struct mail_table *t, uint64_t name,
                                    const struct mail_entry *but);

// From the newest by use backwards, until `fn` says stop (true).
void mail_table_each(struct mail_table *t, bool (*fn)(void *ctx, struct mail_entry *e), void *ctx);

uint64_t mail_table_evicted(const struct mail_table *t);
uint32_t mail_table_count(const struct mail_table *t);
