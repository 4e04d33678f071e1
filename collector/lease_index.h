// What leases.c (putting), lease_mend.c (ends), lease_load.c (files, POPs) and lease_find.c (looking up) share: leases in a pool
// whose indexes never move, grouped by key, groups found by realm and prefix.
#pragma once

#include "cgnat.h"
#include "lease_churn.h"
#include "leases.h"
#include "strings.h"

struct span_key {
    uint32_t realm; // string
    struct ip_prefix prefix;
    uint16_t port_first, port_last;
};

// One lease, texts as numbers.
struct lease_span {
    int64_t start_ms;
    int64_t end_ms;   // as reported; INT64_MAX: open
    int64_t until_ms; // the end that counts: a later start ends what nobody stopped
    int64_t last_seen_ms;
    // Of this one and those before it in its group: the latest end, and the latest of a party other than that one's.
    int64_t until_all_ms, until_other_ms;
    uint64_t session;      // hash of NAS and session id; 0: none
    uint32_t session_next; // chain of the session table; 0: end
    uint32_t group;
    uint32_t party; // string, as party_format writes it
    uint32_t pop, network_class, nas;
    int32_t pop_index; // into the POPs; -1: none
    uint32_t interim_s;
    uint32_t longest; // place in the group of the lease with that latest end
    uint8_t source;
    uint8_t file;   // that it stands in, alone; 0: none, or others say so too
    uint16_t round; // of reading the file
    bool used, lost_stop, clock_differs;
};

struct group { // leases of one key, in order of start
    struct span_key key;
    uint32_t *span; // owned; indexes of the pool
    uint32_t count, cap;
    uint32_t next; // chain of the place table; 0: end
};

struct leases {
    struct strings *strings;
    struct lease_span *span; // [1..used]
    uint32_t used, cap, count;
    uint32_t free; // chain by `group` of spans that were forgotten
    uint32_t gone
        [2]; // chains by `session_next` of spans taken out: since the last leases_forget, and before
    uint8_t file; // being read; 0: none
    uint16_t round;
    struct group *group; // [1..groups]
    uint32_t groups, group_cap;
    uint32_t *place, *session; // hash tables
    uint32_t place_mask, session_mask;
    uint32_t lengths_used[2][129]; // IPv4, IPv6: groups of each prefix length
    uint8_t lengths[2][129];       // those that occur, longest first
    size_t length_count[2];
    bool loading;  // groups, POPs and churn are put in order at the end
    uint32_t *pop; // strings
    size_t pops, pop_cap;
    struct lease_churn **churn; // the site's, then one a POP
    const struct cgnat *cgnat;
};

uint64_t place_hash(const struct span_key *k);
bool same_place(const struct span_key *a, const struct span_key *b); // realm and prefix
// The lease of this key, party and start; 0: none.
uint32_t leases_span_of(const struct leases *l, const struct lease *lease);
uint64_t session_hash(const char *nas, const char *session_id); // 0: no session

// Ends that nobody reported, and leases that claim a key at the same time; tells the churn what changed (lease_mend.c).
int mend_group(struct leases *l, struct group *g);

void group_take_out(struct group *g, uint32_t at); // `at`: place in the group
// Takes a span out of group and session; answers that name it stay good until leases_forget was called twice.
void take_out_span(struct leases *l, uint32_t s);

// The POP's index, made on first sight while not loading; -1: none, or out of memory.
int32_t pop_index(struct leases *l, uint32_t name);
int leases_settle(struct leases *l); // ends loading
