// Exemptions: for whom a class is measured and shown and nothing more. Each has an owner, a reason and
// an end, so that none outlives its cause unseen.
#pragma once

#include "common/conf.h"
#include "common/verdict.h"

// As the configuration gives it.
struct exempt_entry {
    char *class_; // class name, or "all"
    char
        *subject; // party text, or an address or prefix: 192.0.2.7, vlan:101/192.0.2.7, */192.0.2.7
    char *owner;
    char *reason;
    char *expires; // RFC 3339
};

extern const struct conf_key exempt_keys[];

// What is wrong with an entry, as a sentence in `why`, and with which of its keys; NULL: nothing.
#define EXEMPT_WHY_MAX  200
#define EXEMPT_NO_REALM "subject's realm" // how `why` begins when a realm is none
const char *exempt_check(const struct exempt_entry *e, char why[static EXEMPT_WHY_MAX]);

// The prefix that a subject names, of whatever realm. 0, or -EINVAL: it names a party, or nothing.
int exempt_prefix(const char *subject, struct ip_prefix *out);

// The first entry of `list` that holds for the class at that time; NULL: none.
const struct exempt_entry *exempt_find(const struct conf_list *list, unsigned class_,
                                       const struct party *party, const struct subscriber_key *key,
                                       int64_t now_ms);
