// Pairs of effect and cause. See cause.h.
#include "cause.h"

#define HOUR_S   3600
#define MAIL_MIN 5 // messages in an hour: mail of its own

const uint8_t cause_order[VERDICT_CLASSES] = {
    VERDICT_SOCKS_RELAY,       VERDICT_OPEN_RELAY,          VERDICT_BACKSCATTER,
    VERDICT_HARVESTER,         VERDICT_PROXY_ABUSE,         VERDICT_AUTH_GUESSING,
    VERDICT_SPAMBOT_SMARTHOST, VERDICT_COMPROMISED_ACCOUNT, VERDICT_SPAMBOT_DIRECT,
    VERDICT_POLICY_LIMIT,
};

enum reach {
    WHOLLY,      // the effect is what the cause does
    AS_FAR,      // as far as the cause allows as much: a remedy for mail is not lost to a notice
    WITHOUT_MAIL // unless the line sends messages too: who looks for addresses or passwords sends none
};

static const struct pair {
    uint8_t effect, cause;
    enum reach reach;
} pairs[] = {
    {VERDICT_SPAMBOT_DIRECT, VERDICT_SOCKS_RELAY, WHOLLY},
    {VERDICT_SPAMBOT_DIRECT, VERDICT_OPEN_RELAY, WHOLLY},
    {VERDICT_SPAMBOT_DIRECT, VERDICT_PROXY_ABUSE, AS_FAR},
    {VERDICT_SPAMBOT_DIRECT, VERDICT_HARVESTER, WITHOUT_MAIL},
    {VERDICT_SPAMBOT_DIRECT, VERDICT_AUTH_GUESSING, WITHOUT_MAIL},
    {VERDICT_COMPROMISED_ACCOUNT, VERDICT_SPAMBOT_SMARTHOST, WHOLLY},
    {VERDICT_COMPROMISED_ACCOUNT, VERDICT_AUTH_GUESSING, WHOLLY},
    {VERDICT_COMPROMISED_ACCOUNT, VERDICT_PROXY_ABUSE, WHOLLY},
    {VERDICT_AUTH_GUESSING, VERDICT_PROXY_ABUSE, WHOLLY},
};
#define PAIRS (sizeof pairs / sizeof pairs[0])

static const struct party_verdict *open_of(const struct party_state *p, unsigned class_)
{
    const struct party_verdict *pv = p->verdicts;
    while (pv && pv->verdict.class_ != class_)
        pv = pv->next;
    return pv;
}

// Messages of its own on port 25 within the hour, or sessions under TLS that may carry one.
static bool sends_mail(const struct window *w, int64_t now_ms)
{
    uint64_t messages = window_sum(w, FEATURE_MX_MESSAGES, now_ms, HOUR_S);
    uint64_t tls = window_sum(w, FEATURE_MX_TLS, now_ms, HOUR_S);
    uint64_t empty = window_sum(w, FEATURE_MX_TLS_SHORT, now_ms, HOUR_S);
    return messages + (tls > empty ? tls - empty : 0) >= MAIL_MIN;
}

const struct party_verdict *cause_of(const struct party_state *p, unsigned class_,
                                     const struct judgement *j, int64_t now_ms)
{
    for (size_t i = 0; i < PAIRS; i++) {
        const struct party_verdict *cause;
        if (pairs[i].effect != class_ || !(cause = open_of(p, pairs[i].cause)))
            continue;
        bool two = (pairs[i].reach == AS_FAR && j->found && j->ceiling > cause->sure_ceiling) ||
                   (pairs[i].reach == WITHOUT_MAIL && j->found && sends_mail(&p->window, now_ms));
        if (!two)
            return cause;
    }
    return NULL;
}

const struct party_verdict *cause_beside(const struct party_state *p, unsigned class_)
{
    for (size_t i = 0; i < PAIRS; i++) {
        bool effect = pairs[i].effect == class_;
        if (!effect && pairs[i].cause != class_)
            continue;
        const struct party_verdict *other = open_of(p, effect ? pairs[i].cause : pairs[i].effect);
        if (other)
            return other;
    }
    return NULL;
}

int64_t cause_first(const struct party_state *p, unsigned class_, int64_t first_ms)
{
    for (size_t i = 0; i < PAIRS; i++) {
        const struct party_verdict *effect;
        if (pairs[i].cause == class_ && (effect = open_of(p, pairs[i].effect)) &&
            effect->verdict.first_ms < first_ms)
            first_ms = effect->verdict.first_ms;
    }
    return first_ms;
}
