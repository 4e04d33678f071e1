// CGNAT port blocks as the configuration lists them: formulas, and tables whose files are followed. A table that changed is
// read and sorted in slices beside what counts, which it then replaces; one with a wrong line is not used.
#pragma once

#include "common/conf.h"
#include "common/control.h"
#include "leases.h"

struct cgnat_follow;

// `sources`: struct lease_source_conf; those of CGNAT are copied, the others passed over. NULL: out of memory.
struct cgnat_follow *cgnat_follow_new(const struct conf_list *sources, struct leases *leases);
void cgnat_follow_free(struct cgnat_follow *f);

// All of it at once, at the start. Errors are written.
int cgnat_follow_load(struct cgnat_follow *f, FILE *errors);

// A slice of a reading that is under way; with `look`, once a second, is there one to begin? 1: there is more, soon;
// 0: nothing to do; CGNAT_FOLLOW_ANEW: tables were read anew; negative errno: not used, errors are written.
#define CGNAT_FOLLOW_ANEW 2
int cgnat_follow_poll(struct cgnat_follow *f, bool look, FILE *errors);
bool cgnat_follow_busy(const struct cgnat_follow *f);
// The table that was read, or refused, last; "" none.
const char *cgnat_follow_path(const struct cgnat_follow *f);
void cgnat_follow_status(const struct cgnat_follow *f, struct control_status *s);
