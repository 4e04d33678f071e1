// How many leases a place has, how many change, and when so many changed at once that an access router must
// have restarted: then who had which address is in doubt for a while.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lease_churn;

struct lease_churn *lease_churn_new(void); // NULL: out of memory
void lease_churn_free(struct lease_churn *c);
bool lease_churn_add(struct lease_churn *c, int64_t start_ms, int64_t end_ms); // INT64_MAX: open
bool lease_churn_freeze(struct lease_churn *c); // after the last; false: out of memory
// Leases open at `t_ms`, and starts and ends in the 60 s before.
void lease_churn_at(const struct lease_churn *c, int64_t t_ms, uint32_t *open, uint32_t *changes);
// Within 15 min after more than 5 % of the leases began anew within 5 min?
bool lease_churn_reboot(const struct lease_churn *c, int64_t t_ms);
