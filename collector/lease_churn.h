// How many leases a place has, how many change, and when so many changed at once that an access router must
// have restarted: then who had which address is in doubt for a while.
//
// Counted by the second. Looking at one time after another costs what lies between them, so a minute's close
// is cheap; memory is what seconds had a change.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lease_churn;

struct lease_churn *lease_churn_new(void); // NULL: out of memory
void lease_churn_free(struct lease_churn *c);

// All at once: empty it, add in any order, freeze. INT64_MAX: open. False: out of memory.
void lease_churn_clear(struct lease_churn *c);
bool lease_churn_add(struct lease_churn *c, int64_t start_ms, int64_t end_ms);
bool lease_churn_freeze(struct lease_churn *c);

// One by one, afterwards: a lease began; an end moved (INT64_MAX: from or to "open").
bool lease_churn_start(struct lease_churn *c, int64_t start_ms);
bool lease_churn_end(struct lease_churn *c, int64_t from_ms, int64_t to_ms);
// A lease that was counted never was: the file that had it no longer does.
bool lease_churn_gone(struct lease_churn *c, int64_t start_ms, int64_t end_ms);
// What changed before is no longer told by the second; what is open since then still counts.
void lease_churn_forget(struct lease_churn *c, int64_t before_ms);

// Leases open at `t_ms`, and starts and ends in the 60 s before.
void lease_churn_at(struct lease_churn *c, int64_t t_ms, uint32_t *open, uint32_t *changes);
// Within 15 min after more than 5 % of the leases began anew within 5 min?
bool lease_churn_reboot(const struct lease_churn *c, int64_t t_ms);
