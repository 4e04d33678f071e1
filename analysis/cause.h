// One cause, one verdict: which class explains another, and when a line does two things indeed.
// docs/detectors/evidence.md argues the pairs.
#pragma once

#include "party.h"
#include "policy.h"

// Causes before effects: who relays for others sends straight to mail providers because of it, and one
// ticket that names the cause is worth more than two.
extern const uint8_t cause_order[VERDICT_CLASSES];

// The open verdict that explains what `j` makes of the class at `now_ms`; NULL: none does. Borrowed.
const struct party_verdict *cause_of(const struct party_state *p, unsigned class_,
                                     const struct judgement *j, int64_t now_ms);

// An open verdict of another class that this one would be a second to; NULL: none. Borrowed.
const struct party_verdict *cause_beside(const struct party_state *p, unsigned class_);

// The earliest first event of open verdicts that the class would explain; `first_ms` when there is none.
int64_t cause_first(const struct party_state *p, unsigned class_, int64_t first_ms);
