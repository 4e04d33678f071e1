// Names of a ticket's states, actions and ends. See ticket.h.
#include "common/ticket.h"

#include <errno.h>
#include <string.h>

static const char *const state_names[TICKET_STATES] = {
    [TICKET_SUSPECT] = "suspect",         [TICKET_CONFIRMED] = "confirmed",
    [TICKET_NOTIFIED] = "notified",       [TICKET_RESTRICTED] = "restricted",
    [TICKET_QUARANTINED] = "quarantined", [TICKET_RELEASED] = "released",
    [TICKET_PROBATION] = "probation",     [TICKET_CLOSED] = "closed",
};

static const struct {
    uint32_t bit;
    const char *name;
} actions[] = {
    {TICKET_NOTIFY, "notify"},
    {TICKET_BLOCK25, "block25"},
    {TICKET_BLOCK_SUBMISSION_EXTERNAL, "block-submission-external"},
    {TICKET_SUSPEND_SMARTHOST, "suspend-smarthost"},
    {TICKET_LOCK_MAILBOX, "lock-mailbox"},
    {TICKET_GARDEN_LEAKY, "garden-leaky"},
    {TICKET_GARDEN_STRICT, "garden-strict"},
};

static const char *const close_names[] = {"open",   "quiet",      "fixed", "false-alarm",
                                          "exempt", "party-gone", "merged"};

static const char *const kind_names[] = {"opened", "changed", "ended"};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

const char *ticket_state_name(unsigned s)
{
    return s < TICKET_STATES ? state_names[s] : NULL;
}

int ticket_state_parse(const char *name)
{
    for (int s = 0; s < TICKET_STATES; s++) {
        if (strcmp(state_names[s], name) == 0)
            return s;
    }
    return -EINVAL;
}

const char *ticket_action_name(uint32_t bit)
{
    for (size_t i = 0; i < COUNT(actions); i++) {
        if (actions[i].bit == bit)
            return actions[i].name;
    }
    return NULL;
}

int ticket_action_parse(const char *name)
{
    for (size_t i = 0; i < COUNT(actions); i++) {
        if (strcmp(actions[i].name, name) == 0)
            return (int)actions[i].bit;
    }
    return -EINVAL;
}

const char *ticket_close_reason_name(unsigned r)
{
    return r < COUNT(close_names) ? close_names[r] : NULL;
}

const char *ticket_change_kind_name(unsigned k)
{
    return k < COUNT(kind_names) ? kind_names[k] : NULL;
}
