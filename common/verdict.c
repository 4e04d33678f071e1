// Names of what a verdict is made of, and the one sentence that says it. See verdict.h.
#include "common/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"

// A verdict class: its name in files, what it says of a subscriber, and the detector that looks for just this, if
// there is one: who reads "bounces mail" wants to hear of the bounces, though refusals may weigh more.
static const struct {
    const char *name;
    const char *says;
    const char *mark;
} classes[VERDICT_CLASSES] = {
    [VERDICT_SPAMBOT_DIRECT] = {"spambot-direct",
                                "acts like a spam bot that sends straight to mail providers", NULL},
    [VERDICT_SPAMBOT_SMARTHOST] = {"spambot-smarthost",
                                   "acts like a spam bot that sends through the smarthost", NULL},
    [VERDICT_COMPROMISED_ACCOUNT] = {"compromised-account", "uses mail accounts that look stolen",
                                     NULL},
    [VERDICT_SOCKS_RELAY] = {"socks-relay", "relays mail for others by SOCKS", "socks-relay"},
    [VERDICT_PROXY_ABUSE] = {"proxy-abuse", "looks like a proxy that others dial through",
                             "backconnect"},
    [VERDICT_BACKSCATTER] = {"backscatter", "bounces mail to people who never sent any",
                             "backscatter"},
    [VERDICT_OPEN_RELAY] = {"open-relay", "passes on mail for anybody", "open-relay"},
    [VERDICT_HARVESTER] = {"harvester", "tries out which mail addresses exist", "harvest"},
    [VERDICT_AUTH_GUESSING] = {"auth-guessing", "guesses passwords of mail accounts",
                               "auth-guessing"},
    [VERDICT_POLICY_LIMIT] = {"policy-limit", "is over the mail limit of its contract",
                              "policy-limits"},
};

static const char *const event_names[] = {"opened", "updated", "closed"};
static const char *const ceiling_names[] = {"observe", "ticket", "restrict", "quarantine"};

static const char *const family_names[VERDICT_FAMILIES] = {
    [VERDICT_FAMILY_SPREAD] = "spread",       [VERDICT_FAMILY_CONTACT] = "contact",
    [VERDICT_FAMILY_REJECTION] = "rejection", [VERDICT_FAMILY_REPUTATION] = "reputation",
    [VERDICT_FAMILY_VOLUME] = "volume",       [VERDICT_FAMILY_IDENTITY] = "identity",
    [VERDICT_FAMILY_RELAY] = "relay",         [VERDICT_FAMILY_LOGIN] = "login",
    [VERDICT_FAMILY_BEHAVIOUR] = "behaviour", [VERDICT_FAMILY_BASELINE] = "baseline",
    [VERDICT_FAMILY_FILTER] = "filter",
};

static const struct {
    uint32_t bit;
    const char *name;
    const char *text;
} limitations[] = {
    {VERDICT_LOSS, "loss", "Packets were lost while this was watched, so counts may be too low."},
    {VERDICT_ONE_SIDED, "one-sided",
     "The mirror showed one direction only, so answers may exist that were not seen."},
    {VERDICT_TLS, "tls",
     "Most sessions were encrypted: in those refusals, blocklist replies, recipients and senders "
     "could "
     "not be counted (the families rejection, reputation, volume and identity are blind there)."},
    {VERDICT_FLOW_ONLY, "flow-only",
     "The legal profile allows flows only: no dialogue was looked at."},
    {VERDICT_PROVISIONAL, "provisional",
     "No lease says whose address this was, so it may have changed hands since."},
    {VERDICT_IDENTITY_HELD, "identity-held",
     "Whose address it was is ambiguous, stale, near a change of lease or not yet confirmed."},
    {VERDICT_UNVALIDATED, "unvalidated",
     "Nobody answered and source addresses are not validated here, so a neighbour could have "
     "forged it."},
    {VERDICT_EXEMPT, "exempt", "An exemption holds: it is measured and shown, and nothing more."},
    {VERDICT_SITE_FAILURE, "site-failure",
     "Mail failed for many subscribers at the time, so failed contacts were not counted."},
    {VERDICT_DIGESTS_CUT, "digests-cut",
     "More flows than a minute can list: peers are counted from what was listed."},
    {VERDICT_LOOKS_LIKE_DEAD_QUEUE, "looks-like-dead-queue",
     "A mail server with a queue for dead destinations would look the same."},
    {VERDICT_SAMPLED, "sampled", "Only a sample of the packets was seen."},
    {VERDICT_SHORT_HISTORY, "short-history",
     "The subscriber has not been watched long enough to know its habits."},
    {VERDICT_RELAY_UNSEEN, "relay-unseen",
     "The mirror does not show what flows on ports of no mail, so a bot and a SOCKS relay look "
     "alike: relay is off, not visible."},
};

const char *verdict_class_name(unsigned c)
{
    return c < VERDICT_CLASSES ? classes[c].name : NULL;
}

int verdict_class_parse(const char *name)
{
    for (int c = 0; c < VERDICT_CLASSES; c++) {
        if (strcmp(classes[c].name, name) == 0)
            return c;
    }
    return -EINVAL;
}

const char *verdict_event_name(unsigned e)
{
    return e < sizeof event_names / sizeof event_names[0] ? event_names[e] : NULL;
}

const char *verdict_ceiling_name(unsigned c)
{
    return c < sizeof ceiling_names / sizeof ceiling_names[0] ? ceiling_names[c] : NULL;
}

int verdict_ceiling_parse(const char *name)
{
    for (unsigned c = 0; verdict_ceiling_name(c); c++) {
        if (strcmp(ceiling_names[c], name) == 0)
            return (int)c;
    }
    return -EINVAL;
}

const char *verdict_family_name(unsigned f)
{
    return f < VERDICT_FAMILIES ? family_names[f] : NULL;
}

const char *verdict_limitation_name(uint32_t bit)
{
    for (size_t i = 0; i < sizeof limitations / sizeof limitations[0]; i++) {
        if (limitations[i].bit == bit)
            return limitations[i].name;
    }
    return NULL;
}

const char *verdict_limitation_text(uint32_t bit)
{
    for (size_t i = 0; i < sizeof limitations / sizeof limitations[0]; i++) {
        if (limitations[i].bit == bit)
            return limitations[i].text;
    }
    return NULL;
}

// What it rests on when that is not the packets alone, as nearly always.
static const char *rests_on(uint32_t sources)
{
    switch (sources) {
    case VERDICT_FROM_LOG: return ", by the mail log";
    case VERDICT_FROM_LOG | VERDICT_FROM_PACKETS: return ", by packets and the mail log";
    case VERDICT_FROM_EXPORT: return ", by a router's flows";
    default: return "";
    }
}

static bool is_mark(const struct verdict *v, const struct verdict_evidence *e)
{
    const char *mark = v->class_ < VERDICT_CLASSES ? classes[v->class_].mark : NULL;
    return mark && strcmp(e->detector, mark) == 0 && e->counted && e->log_odds > 0;
}

bool verdict_tells_class(const struct verdict *v)
{
    if (v->class_ >= VERDICT_CLASSES || !classes[v->class_].mark)
        return true;
    for (uint32_t i = 0; i < v->evidence_count; i++) {
        if (is_mark(v, &v->evidence[i]))
            return true;
    }
    return false;
}

// The evidence that the sentence tells: the class's own mark before the strongest of all.
static const struct verdict_evidence *telling(const struct verdict *v)
{
    const struct verdict_evidence *best = NULL;
    bool own = false;
    for (uint32_t i = 0; i < v->evidence_count; i++) {
        const struct verdict_evidence *e = &v->evidence[i];
        bool mark = is_mark(v, e);
        if (!e->counted || (own && !mark))
            continue;
        if (!best || (mark && !own) || e->log_odds > best->log_odds)
            best = e;
        own = mark;
    }
    return best;
}

// "; now told as harvester": the cause that it is closed for, or a second thing that the party does.
static void put_other(const struct verdict *v, char out[static 64])
{
    out[0] = '\0';
    if (v->other_class != 0 && v->other_class <= VERDICT_CLASSES)
        snprintf(out, 64, v->event == VERDICT_CLOSED ? ", now told as %s" : ", beside %s",
                 verdict_class_name(v->other_class - 1u));
}

void verdict_sentence(const struct verdict *v, char out[static VERDICT_SENTENCE_MAX])
{
    char subscriber[SUBSCRIBER_TEXT_MAX];
    char since[TIME_TEXT_MAX];
    char other[64];
    put_other(v, other);
    const struct verdict_evidence *best = telling(v);
    time_format(v->first_ms - v->first_ms % 1000, since);
    const char *who = v->party.kind == PARTY_LINE ? v->party.id
                                                  : subscriber_key_format(&v->key, subscriber);
    const char *says = v->class_ < VERDICT_CLASSES ? classes[v->class_].says : "misbehaves";
    if (v->class_ == VERDICT_COMPROMISED_ACCOUNT && v->party.kind == PARTY_MAILBOX)
        says = "looks stolen";
    const char *or_relay = v->limitations & VERDICT_RELAY_UNSEEN
                               ? " (or a SOCKS relay: not visible here)"
                               : "";
    int n = snprintf(out, VERDICT_SENTENCE_MAX, "%.60s%s %s%s since %s%s%s",
                     v->party.kind == PARTY_LINE ? "Line " : "", who, says, or_relay, since,
                     rests_on(v->sources), other);
    if (n <= 0 || n >= VERDICT_SENTENCE_MAX || !best)
        return;
    // The reason stands whole, or by its first clause, or not at all: half a number would be a wrong one.
    size_t room = VERDICT_SENTENCE_MAX - (size_t)n;
    int clause = (int)strcspn(best->sentence, ";");
    if ((size_t)snprintf(out + n, room, ": %s", best->sentence) >= room &&
        (size_t)snprintf(out + n, room, ": %.*s.", clause, best->sentence) >= room)
        out[n] = '\0';
}
