// Remedies by class. See remedy.h.
#include "feed/remedy.h"

// What a class asks for at confirmation, and the least ceiling each action needs.
static const uint32_t class_actions[VERDICT_CLASSES] = {
    [VERDICT_SPAMBOT_DIRECT] = TICKET_NOTIFY | TICKET_BLOCK25,
    [VERDICT_SPAMBOT_SMARTHOST] = TICKET_NOTIFY | TICKET_SUSPEND_SMARTHOST,
    [VERDICT_COMPROMISED_ACCOUNT] = TICKET_NOTIFY | TICKET_LOCK_MAILBOX,
    [VERDICT_SOCKS_RELAY] = TICKET_NOTIFY | TICKET_BLOCK25,
    [VERDICT_PROXY_ABUSE] = TICKET_NOTIFY,
    [VERDICT_BACKSCATTER] = TICKET_NOTIFY,
    [VERDICT_OPEN_RELAY] = TICKET_NOTIFY | TICKET_BLOCK25,
    [VERDICT_HARVESTER] = TICKET_NOTIFY | TICKET_BLOCK25,
    [VERDICT_AUTH_GUESSING] = TICKET_NOTIFY | TICKET_BLOCK_SUBMISSION_EXTERNAL,
    [VERDICT_POLICY_LIMIT] = TICKET_NOTIFY,
};

#define RESTRICTING                                                      \
    (TICKET_NOTIFY | TICKET_BLOCK25 | TICKET_BLOCK_SUBMISSION_EXTERNAL | \
     TICKET_SUSPEND_SMARTHOST | TICKET_LOCK_MAILBOX)

static unsigned families(const struct verdict *v)
{
    uint32_t seen = 0;
    unsigned n = 0;
    for (uint32_t i = 0; i < v->evidence_count; i++) {
        uint32_t bit = 1u << v->evidence[i].family;
        if (!v->evidence[i].counted || (seen & bit))
            continue;
        seen |= bit;
        n++;
    }
    return n;
}

enum ticket_state remedy_state(const struct remedy_rule *rule, const struct verdict *v,
                               int64_t opened_ms)
{
    if (v->score >= rule->confirm_score && families(v) >= 2)
        return TICKET_CONFIRMED;
    return v->made_ms - opened_ms >= rule->confirm_after_ms ? TICKET_CONFIRMED : TICKET_SUSPECT;
}

int64_t remedy_confirm_ms(const struct remedy_rule *rule, const struct ticket *t)
{
    bool stolen = t->class_ == VERDICT_COMPROMISED_ACCOUNT && t->party.kind == PARTY_MAILBOX;
    return stolen && t->state == TICKET_SUSPECT ? t->detected_ms + rule->confirm_after_ms
                                                : INT64_MAX;
}

bool remedy_outlasts_quiet(const struct ticket *t)
{
    return (t->actions & TICKET_LOCK_MAILBOX) != 0;
}

uint32_t remedy_actions(unsigned class_, unsigned party_kind, enum ticket_state state,
                        unsigned ceiling)
{
    if (state != TICKET_CONFIRMED)
        return 0;
    uint32_t wanted = class_actions[class_];
    // A line has no mailbox to lock: its way to the smarthost is what can be stopped.
    if ((wanted & TICKET_LOCK_MAILBOX) && party_kind != PARTY_MAILBOX)
        wanted = (wanted & ~(uint32_t)TICKET_LOCK_MAILBOX) | TICKET_SUSPEND_SMARTHOST;
    switch (ceiling) {
    case VERDICT_QUARANTINE: return wanted;
    case VERDICT_RESTRICT: return wanted & RESTRICTING;
    default: return 0; // a ticket, and people
    }
}
