// A lease file (CSV or prefix map) that others write while the collector runs: appended to, or replaced. It is read when it has
// stayed as it is for a poll, so that a file in the making is not; a file with a line that is no lease changes nothing,
// and what was known stays.
//
// What was appended costs its lines; a replaced file is read whole. Either is done in slices of some milliseconds.
#pragma once

#include "common/control.h"
#include "leases.h"

struct lease_follow;

// `number` from 1: one for each file of `leases`. NULL: out of memory.
struct lease_follow *lease_follow_new(const char *path, uint8_t source, uint8_t number,
                                      struct leases *leases);
void lease_follow_free(struct lease_follow *f);
// At the start: errors as leases_add_file has them.
int lease_follow_load(struct lease_follow *f, FILE *errors);
// Each second. 1: it was read anew; 0: nothing new; LEASE_FOLLOW_MORE: a slice was read, call it again soon; negative
// errno: it cannot be used, told in `errors` once for each version.
#define LEASE_FOLLOW_MORE 2
int lease_follow_poll(struct lease_follow *f, FILE *errors);
bool lease_follow_busy(const struct lease_follow *f); // a reading is under way
const char *lease_follow_path(const struct lease_follow *f);
// Whether the file that is there now could not be used.
void lease_follow_status(const struct lease_follow *f, struct control_status *s);
// The same of any file: `error` is file_watch's.
void lease_file_status(const char *path, int error, struct control_status *s);
