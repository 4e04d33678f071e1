// A case of the abuse desk: what the walled garden, the desk and the customer's page act on.
//
// feed alone writes tickets (SQLite, docs/formats/ticket.md) and the feed of their changes, one JSON
// object a line with a growing number, so that a reader that remembers the last number misses
// nothing. One open ticket a party and class.
#pragma once

#include "common/verdict.h"

#define TICKET_VERSION 1

enum ticket_state { // practice.md: graduated
    TICKET_SUSPECT,
    TICKET_CONFIRMED,
    TICKET_NOTIFIED,
    TICKET_RESTRICTED,
    TICKET_QUARANTINED,
    TICKET_RELEASED,
    TICKET_PROBATION,
    TICKET_CLOSED,
    TICKET_STATES,
};

enum ticket_action { // bits: what shall be in force
    TICKET_NOTIFY = 1 << 0,
    TICKET_BLOCK25 = 1 << 1,
    TICKET_BLOCK_SUBMISSION_EXTERNAL = 1 << 2,
    TICKET_SUSPEND_SMARTHOST = 1 << 3,
    TICKET_LOCK_MAILBOX = 1 << 4,
    TICKET_GARDEN_LEAKY = 1 << 5,
    TICKET_GARDEN_STRICT = 1 << 6,
};

enum ticket_close_reason {
    TICKET_NOT_CLOSED,
    TICKET_CLOSED_QUIET, // no evidence for the closing time
    TICKET_CLOSED_FIXED, // the customer says so and probation agreed
    TICKET_CLOSED_FALSE, // the desk: a false alarm
    TICKET_CLOSED_EXEMPT,
    TICKET_CLOSED_PARTY_GONE, // lease or contract ended
    TICKET_CLOSED_MERGED, // told as another: a provisional party became a line that has a ticket, or the cause has one
};

const char *ticket_state_name(unsigned s);    // "suspect", ...
const char *ticket_action_name(uint32_t bit); // "block25", ...; NULL: no such bit
const char *ticket_close_reason_name(unsigned r);
int ticket_state_parse(const char *name);  // -EINVAL
int ticket_action_parse(const char *name); // bit, -EINVAL

struct ticket {
    int64_t number;     // grows; the desk's case number
    char case_code[16]; // what a customer reads out: no number to guess
    char verdict_id[40];
    uint8_t class_; // enum verdict_class
    struct party party;
    struct subscriber_key key;
    char pop[LEASE_NAME_MAX];
    char network_class[LEASE_NAME_MAX];
    uint8_t state;            // enum ticket_state
    uint32_t actions;         // enum ticket_action: desired
    uint32_t actions_applied; // acknowledged by an output
    uint8_t ceiling;          // enum verdict_ceiling of the verdict
    int64_t first_seen_ms;
    int64_t detected_ms;
    int64_t last_seen_ms;
    int64_t changed_ms;
    int64_t expires_ms; // desired actions end by themselves; 0: none in force
    double score;
    uint8_t close_reason;   // enum ticket_close_reason
    uint32_t offence;       // 1: the first within 90 days
    uint32_t self_releases; // within 90 days
    char held[64]; // why an action waits: "helpdesk-hours", "brake:network", "identity"; ""
    char sentence[VERDICT_SENTENCE_MAX];
};

// One line of the feed.
enum ticket_change_kind {
    TICKET_OPENED,
    TICKET_CHANGED, // state, actions or evidence
    TICKET_ENDED,
};

struct ticket_change {
    int64_t number;         // of the change: 1, 2, 3, ... without gaps
    int64_t t_ms;           // packet time in replays
    uint8_t kind;           // enum ticket_change_kind
    char by[32];            // "analysis", "desk:NAME", "customer", "timer"
    struct ticket ticket;   // after the change
    struct verdict verdict; // its evidence; evidence_count 0 when unchanged
};

const char *ticket_change_kind_name(unsigned k); // "opened", ...; NULL: out of range

json_t *ticket_to_json(const struct ticket *t, const struct verdict *v); // `v` may be NULL
int ticket_from_json(const json_t *j, struct ticket *t, char error[static 160]);
json_t *ticket_change_to_json(const struct ticket_change *c);
int ticket_change_from_json(const json_t *j, struct ticket_change *c, char error[static 160]);

// ---- The store: SQLite, WAL, STRICT tables. One writer (feed), any readers.

struct ticket_store;

int ticket_store_open(const char *path, bool write, struct ticket_store **out,
                      char error[static 160]);
void ticket_store_close(struct ticket_store *s);

// Changes between begin and commit are one transaction with the cursor of the verdicts read, so a
// restart neither loses nor repeats one.
int ticket_store_begin(struct ticket_store *s);
int ticket_store_commit(struct ticket_store *s, const char *cursor);
int ticket_store_rollback(struct ticket_store *s);
int ticket_store_cursor(struct ticket_store *s, char *out, size_t size); // "" at first

// Open ticket of party and class: 1 found, 0 none.
int ticket_store_find_open(struct ticket_store *s, const struct party *p, unsigned class_,
                           struct ticket *out);
// Writes the ticket, its evidence and the change; numbers are given here and set in `c`.
int ticket_store_put(struct ticket_store *s, struct ticket_change *c);

struct ticket_query {
    bool open_only;
    int class_;             // -1: any
    const char *subscriber; // text of key or party; NULL: any
    int64_t number;         // 0: any
    int64_t before_number;  // 0: from the newest; paging
    uint32_t limit;         // 0: 100
};

typedef int (*ticket_fn)(const struct ticket *t, const struct verdict *v, void *ctx); // 0: go on

// Newest first.
int ticket_store_each(struct ticket_store *s, const struct ticket_query *q, ticket_fn fn,
                      void *ctx);

typedef int (*ticket_change_fn)(const struct ticket_change *c, void *ctx);

// Number of the newest change, 0: none.
int ticket_store_last_change(struct ticket_store *s, int64_t *out);

// Changes after number `after`, in order: the feed.
int ticket_store_changes(struct ticket_store *s, int64_t after, uint32_t limit, ticket_change_fn fn,
                         void *ctx);
