// Last week under new rules: one pass over the journal with two engines, the configured and the proposed
// one, and who would be flagged by one and not by the other. Nothing is written but the answer.
//
//   {"v":1,"from","to","old":{"conf_hash","flagged"},"new":{...},"rows",
//    "counts":{"newly_flagged","no_longer_flagged","changed","same"},
//    "newly_flagged":[FLAG],"no_longer_flagged":[FLAG],"changed":[{"party","class","old":FLAG,"new":FLAG}]}
//   FLAG: {"party","subscriber","class","ceiling","score","first_seen","detected","sentence"}
// A party and class is flagged once, by the first verdict and with the highest ceiling that it reached.
#pragma once

#include "common/daemon.h"
#include "common/json.h"

// `from`: RFC 3339, or "-7d" before the journal's newest mark; NULL: all of it. `config`: the proposed
// file. 0 or a sysexits code after having said why; EX_DATAERR with `*out` set when the journal is damaged.
int compare_rules(const struct daemon *d, const char *journal, const char *from, const char *config,
                  json_t **out);
