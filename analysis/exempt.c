// Who is exempt, from what, until when. See exempt.h.
#include "exempt.h"

#include <string.h>

#include "common/timefmt.h"

#define FIELD(m) offsetof(struct exempt_entry, m)

const struct conf_key exempt_keys[] = {
    {.name = "class",
     .type = CONF_STRING,
     .offset = FIELD(class_),
     .min = 1,
     .max = 32,
     .help = "Class that is not acted on (spambot-direct, ...), or all."},
    {.name = "subject",
     .type = CONF_STRING,
     .offset = FIELD(subject),
     .min = 1,
     .max = 128,
     .help = "A party (line:4711), an address or a prefix; an address holds in every realm."},
    {.name = "owner",
     .type = CONF_STRING,
     .offset = FIELD(owner),
     .min = 1,
     .max = 64,
     .help = "Who answers for the exemption."},
    {.name = "reason",
     .type = CONF_STRING,
     .offset = FIELD(reason),
     .min = 1,
     .max = 200,
     .help = "Why it is exempt."},
    {.name = "expires",
     .type = CONF_STRING,
     .offset = FIELD(expires),
     .min = 1,
     .max = 40,
     .help = "When it ends, RFC 3339: none lasts for ever."},
    {.name = NULL},
};

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

const char *exempt_check(const struct exempt_entry *e)
{
    struct party party;
    struct ip_prefix prefix;
    int64_t t_ms;
    if (strcmp(e->class_, "all") != 0 && verdict_class_parse(e->class_) < 0)
        return "class is no class of verdicts; use a name such as spambot-direct, or all";
    if (party_parse(e->subject, &party) != 0 && prefix_parse(e->subject, &prefix) != 0)
        return "subject is neither a party (line:4711) nor a prefix (192.0.2.0/24)";
    if (is_blank(e->owner) || is_blank(e->reason))
        return "owner and reason may not be blank; say who answers for it, and why";
    if (time_parse(e->expires, &t_ms) != 0)
        return "expires is no RFC 3339 time; write it as 2027-01-31T00:00:00Z";
    return NULL;
}

static bool is_subject(const struct exempt_entry *e, const struct party *party,
                       const struct subscriber_key *key)
{
    struct party named;
    struct ip_prefix prefix;
    if (party_parse(e->subject, &named) == 0)
        return named.kind == party->kind && strcmp(named.id, party->id) == 0;
    return prefix_parse(e->subject, &prefix) == 0 && key->kind == SUBSCRIBER_ADDRESS &&
           key->prefix.len >= prefix.len && prefix_contains(&prefix, &key->prefix.addr);
}

const struct exempt_entry *exempt_find(const struct conf_list *list, unsigned class_,
                                       const struct party *party, const struct subscriber_key *key,
                                       int64_t now_ms)
{
    const struct exempt_entry *entries = list->item;
    for (size_t i = 0; i < list->count; i++) {
        const struct exempt_entry *e = &entries[i];
        int64_t end_ms;
        if (strcmp(e->class_, "all") != 0 && verdict_class_parse(e->class_) != (int)class_)
            continue;
        if (time_parse(e->expires, &end_ms) != 0 || now_ms >= end_ms)
            continue;
        if (is_subject(e, party, key))
            return e;
    }
    return NULL;
}
