// Parties: who answers for a key, and their text forms.
#include <errno.h>
#include <stdio.h>

#include "common/identity.h"
#include "common/utf8.h"

static const char *const kinds[] = {
    [PARTY_PROVISIONAL] = "provisional:",
    [PARTY_LINE] = "line:",
    [PARTY_MAILBOX] = "mailbox:",
};

#define KINDS (sizeof kinds / sizeof *kinds)

const char *party_format(const struct party *p, char out[static PARTY_TEXT_MAX])
{
    const char *kind = p->kind < KINDS && kinds[p->kind] ? kinds[p->kind] : "?:";
    snprintf(out, PARTY_TEXT_MAX, "%s%.127s", kind, p->id);
    return out;
}

// A key's text in its one form, so that a party has one name.
static bool is_key(const char *id)
{
    struct subscriber_key k;
    char text[SUBSCRIBER_TEXT_MAX];
    return subscriber_key_parse(id, &k) == 0 && strcmp(subscriber_key_format(&k, text), id) == 0;
}

static bool is_mailbox(const char *id)
{
    char text[SUBSCRIBER_TEXT_MAX];
    int n = snprintf(text, sizeof text, "mailbox:%s", id);
    return n > 0 && (size_t)n < sizeof text && strchr(id, '/') == NULL && is_key(text);
}

// An account's name: what the operator's systems call it, without blanks at its ends.
static bool is_account(const char *id)
{
    size_t n = strlen(id);
    return n > 0 && id[0] != ' ' && id[n - 1] != ' ' && utf8_is_clean(id);
}

int party_parse(const char *text, struct party *out)
{
    struct party p = {0};
    const char *id = NULL;
    for (uint8_t k = 1; k < KINDS && !id; k++)
        if (strncmp(text, kinds[k], strlen(kinds[k])) == 0) {
            p.kind = k;
            id = text + strlen(kinds[k]);
        }
    if (!id || strlen(id) >= sizeof p.id)
        return -EINVAL;
    bool fits = p.kind == PARTY_LINE      ? is_account(id)
                : p.kind == PARTY_MAILBOX ? is_mailbox(id)
                                          : is_key(id);
    if (!fits)
        return -EINVAL;
    memcpy(p.id, id, strlen(id));
    *out = p;
    return 0;
}

struct party party_provisional(const struct subscriber_key *k)
{
    struct party p = {.kind = PARTY_PROVISIONAL};
    _Static_assert(sizeof p.id >= SUBSCRIBER_TEXT_MAX, "a key's text is a party's id");
    subscriber_key_format(k, p.id);
    return p;
}
