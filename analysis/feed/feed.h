// Verdicts to tickets: opens, goes on with and closes one ticket a party and class, and says which
// remedies are wanted. Time is the verdicts' own, so a replay gives the same tickets.
#pragma once

#include "common/keyed_hash.h"
#include "feed/remedy.h"

struct feed_rule {
    struct remedy_rule remedy;
    int64_t offence_ms; // within this, a further ticket is a further offence
};

struct feed {
    struct ticket_store *store; // borrowed
    struct feed_rule rule;
    struct keyed_hash_key key; // of case codes
    int64_t now_ms;            // latest verdict
    int64_t next_due_ms;       // earliest change that time alone makes (due.h); INT64_MAX: none
    uint64_t opened, changed, ended, expired, confirmed, observed;
};

// Looks through the open tickets once, so that what is due survives a restart. 0 or a negative errno.
int feed_init(struct feed *f, struct ticket_store *store, const struct feed_rule *rule,
              const struct keyed_hash_key *key);

// Other rules, from now on. 0 or a negative errno.
int feed_set_rule(struct feed *f, const struct feed_rule *rule);

// Time has passed, verdicts or none: what is due happens. Within a transaction, and behind the verdicts of
// that time: the one that takes a suspicion back may be among them.
int feed_advance(struct feed *f, int64_t now_ms);

// One verdict, within a transaction of the store. 0 or a negative errno.
int feed_take(struct feed *f, const struct verdict *v);

// Writes a change of a ticket at f->now_ms.
int feed_put(struct feed *f, struct ticket_change *c, enum ticket_change_kind kind, const char *by);
