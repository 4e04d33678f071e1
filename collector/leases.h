// Whose an address was, at a time: an index over the lease history (lines of identity.h's CSV), with the
// doubts of the trade: near a change, lost stop, overlap, stale, an access router's reboot, clocks that differ.
//
// Grows while the collector runs: what a source says is put in, what is older than the retention is forgotten.
// A key is (realm, prefix, port block); of several leases that hold an address at a time the longest prefix
// counts, then the narrowest port block. Behind CGNAT the outside address and port lead to the inside address.
#pragma once

#include <stdio.h>

#include "common/identity.h"

#define LEASES_NEAR_CHANGE_MS   (120 * 1000)
#define LEASES_REBOOT_WINDOW_MS (5 * 60 * 1000)
#define LEASES_REBOOT_HOLD_MS   (15 * 60 * 1000)
#define LEASES_REBOOT_MIN       20 // starts: a POP of ten lines has no 5 %

#define LEASES_NONE 0

struct leases;
struct cgnat;

// `lease` is the one that fits best, LEASES_NONE when nobody says. When `confidence` is
// IDENTITY_AMBIGUOUS the party is provisional all the same; the lease still tells POP and class.
struct lease_answer {
    uint32_t lease;
    uint8_t confidence;             // enum identity_confidence
    uint32_t doubts;                // enum identity_doubt
    uint16_t port_first, port_last; // of the lease's port block; 0 and 65535
};

struct leases *leases_new(void); // NULL: out of memory
// All errors of the file go to `errors` as FILE:LINE: TEXT. Empty lines, those that begin with # and
// the line of column names are passed over. A line of a key, party and start that is there already brings
// the lease up to date. `path` NULL: an empty index. 0, -EINVAL, or another negative errno; all are written.
int leases_load(const char *path, FILE *errors, struct leases **out);
// The same into an index that is there, for `source` (LEASE_CSV, or LEASE_PREFIX_MAP: then a lease without an end
// never grows stale). -EINVAL: none of the file's leases behind the first error is taken.
int leases_add_file(struct leases *l, const char *path, uint8_t source, FILE *errors);
// The same of an open file that is followed, known by a number from 1 and a `round` that differs from that of the
// reading before: leases that stood in it then and no longer do are taken out, so that the index says what the
// file says. -EINVAL: some line is no lease, and nothing changed.
int leases_file_read(struct leases *l, FILE *in, const char *path, uint8_t source, uint8_t file,
                     uint16_t round, FILE *errors);
void leases_free(struct leases *l);
size_t leases_count(const struct leases *l);

// ---- What sources say

// A lease that begins, is seen again, or ends. One of the same key, party and start is brought up to date by
// what was said later (`last_seen_ms`). -ENOMEM.
int leases_put(struct leases *l, const struct lease *lease);
// A renewal that does not say when the lease began: `lease->start_ms` becomes the start of the lease that the
// same party holds at that time, if there is one. The caller puts it.
// True when there was one.
bool leases_renewal(const struct leases *l, struct lease *lease);
// What is known of the lease of this key, party and start takes the place of what `lease` says. False: nothing.
bool leases_known(const struct leases *l, struct lease *lease);
// Leases of one access session that are open. `nas` and `session_id` as they were put.
#define LEASES_SESSION_MAX 8
size_t leases_session(const struct leases *l, const char *nas, const char *session_id,
                      struct lease out[static LEASES_SESSION_MAX]);
// Calls `fn` for each lease of `nas` that is open at `t_ms`; it may put them.
typedef int (*leases_fn)(const struct lease *lease, void *ctx);
int leases_each_open(struct leases *l, const char *nas, int64_t t_ms, leases_fn fn, void *ctx);
// Forgets leases that ended before. No answer given within the hour may be of one of them; call it no more often.
void leases_forget(struct leases *l, int64_t before_ms);
// The clock of `nas` differs from ours by more than practice allows (or no longer).
void leases_clock(struct leases *l, const char *nas, bool differs);
// Outside addresses and ports that lead to inside addresses; borrowed.
void leases_cgnat(struct leases *l, const struct cgnat *cgnat);

// ---- Whose it was

// `port` is the subscriber's own; 0: not known.
struct lease_answer leases_find(const struct leases *l, const struct realm *realm,
                                const struct ip_addr *addr, uint16_t port, int64_t t_ms);

// When accounting last gave a sign of the answer's lease, its stop among them; INT64_MAX: other sources, which read what
// their server has written and lose nothing on the way, and leases that no source has to confirm.
int64_t leases_seen_ms(const struct leases *l, const struct lease_answer *a);
// Minutes since then, rounded up; 0: none, 65,535 at most.
uint16_t leases_unseen_min(const struct leases *l, const struct lease_answer *a, int64_t t_ms);

// All of an identity that follows from the answer; `key` names the party when it is provisional.
struct identity leases_identity(const struct leases *l, const struct lease_answer *a,
                                const struct subscriber_key *key);

// The lease itself, as far as the index keeps it: key, party, times, NAS, POP, class.
void leases_get(const struct leases *l, uint32_t lease, struct lease *out);
// Every lease that held the address at some time of [from_ms, to_ms]; fn's lease is valid during the call.
// Negative results of `fn` end it.
int leases_window(const struct leases *l, const struct realm *realm, const struct ip_addr *addr,
                  uint16_t port, int64_t from_ms, int64_t to_ms, leases_fn fn, void *ctx);

// A number that two answers share when they name the same party; 0: provisional.
uint32_t leases_party(const struct leases *l, const struct lease_answer *a);
int leases_pop_of(const struct leases *l, const struct lease_answer *a); // -1: none

// POPs: sorted by name as loaded, later ones behind. `pop` below is an index into them, or -1 for the whole
// site.
size_t leases_pops(const struct leases *l);
const char *leases_pop(const struct leases *l, size_t pop);
// Leases open at `t_ms`, and changes (starts and ends) in the minute before.
void leases_churn(const struct leases *l, int pop, int64_t t_ms, uint32_t *open, uint32_t *changes);
