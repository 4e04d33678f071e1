// What signs of a lease confirm. See hold.h.
#include "hold.h"

#define MINUTE_MS 60000LL
#define KEY_SEED  0x1ea5e
#define AGE_MAX   40000 // minutes; the counter wraps at 65,536

static uint64_t hash_of(const struct subscriber_key *key)
{
    return subscriber_key_hash(key, KEY_SEED);
}

static unsigned family_of(const struct subscriber_key *key)
{
    return key->prefix.addr.family == IP_V6;
}

void hold_note(struct hold_leases *l, const struct minute_row *r)
{
    unsigned f = family_of(&r->key);
    uint16_t key = (uint16_t)hash_of(&r->key), now_min = (uint16_t)r->minute;
    if (key != l->key[f] || (r->flags & MINUTE_LEASE_START)) {
        l->key[f] = key;
        l->from_min[f] = now_min;
    }
    uint16_t age = (uint16_t)(now_min - l->from_min[f]);
    // Rows are a minute or two late, and not weeks: what seems so old is ahead.
    if (age > AGE_MAX && age < UINT16_MAX - 60)
        l->from_min[f] = (uint16_t)(now_min - AGE_MAX);
}

int64_t hold_from_ms(const struct hold_leases *l, const struct subscriber_key *key, int64_t now_ms)
{
    int64_t now_min = now_ms / MINUTE_MS;
    uint16_t age = (uint16_t)((uint16_t)now_min - l->from_min[family_of(key)]);
    return age < UINT16_MAX - 60 ? (now_min - age) * MINUTE_MS : now_ms;
}

void hold_begin(struct hold *h, const struct subscriber_key *key, uint16_t unseen, bool own,
                int64_t now_ms)
{
    *h = (struct hold){0};
    if (unseen > 0)
        *h = (struct hold){.since_ms = now_ms, .key = hash_of(key), .other = !own};
}

bool hold_row(struct hold *h, const struct minute_row *r)
{
    if (h->since_ms == 0 || h->other || hash_of(&r->key) != h->key)
        return false;
    // The address went and came back: a sign of this lease says nothing of the one before.
    if ((r->flags & MINUTE_LEASE_START) && r->minute * MINUTE_MS > h->since_ms) {
        h->other = true;
        return false;
    }
    if (r->cut_ms - r->lease_unseen * MINUTE_MS < h->since_ms)
        return false;
    *h = (struct hold){0};
    return true;
}

bool hold_is_past(const struct hold *h, const struct subscriber_key *key)
{
    return h->since_ms != 0 && (h->other || hash_of(key) != h->key);
}
