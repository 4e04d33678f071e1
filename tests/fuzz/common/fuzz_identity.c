// Realms, subscriber keys and parties from text: what is taken has one form and reads back the same.
#include <stdlib.h>

#include "common/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_realm(const char *text)
{
    struct realm r;
    if (realm_parse(text, &r) == 0 && (!realm_is_valid(&r) || strcmp(r.name, text) != 0))
        abort();
}

static void check_key(const char *text)
{
    struct subscriber_key k, again;
    char out[SUBSCRIBER_TEXT_MAX];
    if (subscriber_key_parse(text, &k) != 0)
        return;
    if (subscriber_key_parse(subscriber_key_format(&k, out), &again) != 0 ||
        memcmp(&k, &again, sizeof k) != 0 || subscriber_key_compare(&k, &again) != 0 ||
        subscriber_key_hash(&k, 1) != subscriber_key_hash(&again, 1))
        abort();
}

static void check_party(const char *text)
{
    struct party p;
    char out[PARTY_TEXT_MAX];
    if (party_parse(text, &p) == 0 && strcmp(party_format(&p, out), text) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_realm(text);
    check_key(text);
    check_party(text);
    free(text);
    return 0;
}
