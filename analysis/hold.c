// What signs of a lease confirm. See hold.h.
#include "hold.h"

#define MINUTE_MS 60000LL
#define KEY_SEED  0x1ea5e

void hold_begin(struct hold *h, const struct subscriber_key *key, uint16_t unseen, int64_t now_ms)
{
    *h = (struct hold){0};
    if (unseen > 0)
        *h = (struct hold){
            .since_ms = now_ms, .row_ms = now_ms, .key = subscriber_key_hash(key, KEY_SEED)};
}

bool hold_row(struct hold *h, const struct minute_row *r)
{
    if (h->since_ms == 0 || h->other || subscriber_key_hash(&r->key, KEY_SEED) != h->key)
        return false;
    // The address went and came back: a sign of this lease says nothing of the one before.
    if ((r->flags & MINUTE_LEASE_START) && r->minute * MINUTE_MS > h->since_ms) {
        h->other = true;
        return false;
    }
    if (r->cut_ms > h->row_ms)
        h->row_ms = r->cut_ms;
    if (r->cut_ms - r->lease_unseen * MINUTE_MS < h->since_ms)
        return false;
    *h = (struct hold){0};
    return true;
}

bool hold_is_past(const struct hold *h, const struct subscriber_key *key)
{
    return h->since_ms != 0 && (h->other || subscriber_key_hash(key, KEY_SEED) != h->key);
}
