// Who is exempt, from what, until when. See exempt.h.
#include "exempt.h"

#include <errno.h>
#include <stdio.h>
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
     .help = "A party (line:4711), or an address or prefix: of the default realm, of another as "
             "vlan:101/192.0.2.7, of every one as */192.0.2.7."},
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

#define EVERY_REALM "*/"

// The address that a subject names, and whether in every realm. 0, or -EINVAL.
static int parse_address(const char *subject, struct subscriber_key *key, bool *everywhere)
{
    size_t n = strlen(EVERY_REALM);
    *everywhere = strncmp(subject, EVERY_REALM, n) == 0;
    int rc = subscriber_key_parse(subject + (*everywhere ? n : 0), key);
    bool plain = rc == 0 && key->kind == SUBSCRIBER_ADDRESS && key->port_first == 0 &&
                 key->port_last == UINT16_MAX;
    return plain && (!*everywhere || key->realm.name[0] == '\0') ? 0 : -EINVAL;
}

int exempt_prefix(const char *subject, struct ip_prefix *out)
{
    struct subscriber_key key;
    bool everywhere;
    if (parse_address(subject, &key, &everywhere) != 0)
        return -EINVAL;
    *out = key.prefix;
    return 0;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static const char *wrong(const char *key, const char *text, char why[static EXEMPT_WHY_MAX])
{
    snprintf(why, EXEMPT_WHY_MAX, "%s %s", key, text);
    return key;
}

static const char *check_subject(const char *subject, char why[static EXEMPT_WHY_MAX])
{
    struct party party;
    struct subscriber_key key = {0};
    bool everywhere;
    bool is_party = party_parse(subject, &party) == 0;
    if (!is_party && parse_address(subject, &key, &everywhere) != 0)
        return wrong("subject",
                     "is neither a party (line:4711) nor a prefix (192.0.2.0/24, "
                     "vlan:101/192.0.2.0/24 of a realm, */192.0.2.0/24 of every one)",
                     why);
    if (is_party && party.kind == PARTY_PROVISIONAL)
        (void)subscriber_key_parse(party.id, &key); // a party's name is the key's text
    // What no sensor can have named would exempt nobody, and nobody would notice.
    const char *text = realm_check(key.realm.name);
    if (!text)
        return NULL;
    snprintf(why, EXEMPT_WHY_MAX, EXEMPT_NO_REALM " %.47s %s", key.realm.name, text);
    return "subject";
}

const char *exempt_check(const struct exempt_entry *e, char why[static EXEMPT_WHY_MAX])
{
    int64_t t_ms;
    const char *key;
    if (strcmp(e->class_, "all") != 0 && verdict_class_parse(e->class_) < 0)
        return wrong("class", "is no class of verdicts; use a name such as spambot-direct, or all",
                     why);
    if ((key = check_subject(e->subject, why)) != NULL)
        return key;
    if (is_blank(e->owner))
        return wrong("owner", "may not be blank; say who answers for it", why);
    if (is_blank(e->reason))
        return wrong("reason", "may not be blank; say why it is exempt", why);
    if (time_parse(e->expires, &t_ms) != 0)
        return wrong("expires", "is no RFC 3339 time; write it as 2027-01-31T00:00:00Z", why);
    return NULL;
}

static bool is_subject(const struct exempt_entry *e, const struct party *party,
                       const struct subscriber_key *key)
{
    struct party named;
    struct subscriber_key said;
    bool everywhere;
    if (party_parse(e->subject, &named) == 0)
        return named.kind == party->kind && strcmp(named.id, party->id) == 0;
    // Private ranges repeat: the same address is somebody else's in another realm.
    return parse_address(e->subject, &said, &everywhere) == 0 && key->kind == SUBSCRIBER_ADDRESS &&
           (everywhere || memcmp(&said.realm, &key->realm, sizeof said.realm) == 0) &&
           key->prefix.len >= said.prefix.len && prefix_contains(&said.prefix, &key->prefix.addr);
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
