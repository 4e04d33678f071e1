// Which remedies a verdict asks for, graduated (docs/formats/ticket.md): none while it is only
// suspected, the class's default at confirmation, never above the verdict's ceiling.
#pragma once

#include "common/ticket.h"

struct remedy_rule {
    double confirm_score;     // a verdict of two families with this score is confirmed at once
    int64_t confirm_after_ms; // else when it has held so long
    int64_t ttl_ms;           // desired actions end by themselves
};

// State of a ticket by its verdict: suspect or confirmed. `opened_ms`: when the ticket was.
enum ticket_state remedy_state(const struct remedy_rule *rule, const struct verdict *v,
                               int64_t opened_ms);

// When a ticket that is still suspect then is confirmed without a further word of its verdict; INT64_MAX:
// never. A stolen password stays stolen while the thief pauses, so a mailbox's verdict stands for itself;
// of all others it has to be said again.
int64_t remedy_confirm_ms(const struct remedy_rule *rule, const struct ticket *t);

// Is the quiet that ended the verdict the remedy's own work? Nobody sends from a locked mailbox.
bool remedy_outlasts_quiet(const struct ticket *t);

// Desired actions of class and party in that state (enum ticket_action), below the ceiling.
uint32_t remedy_actions(unsigned class_, unsigned party_kind, enum ticket_state state,
                        unsigned ceiling);
