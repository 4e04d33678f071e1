// Decides what is news for the history.
#include "lease_store.h"

static bool same_grain(int64_t a_ms, int64_t b_ms)
{
    return a_ms / LEASE_STORE_GRAIN_MS == b_ms / LEASE_STORE_GRAIN_MS;
}

int lease_store_put(struct lease_store *s, const struct lease *lease)
{
    struct lease known = *lease;
    bool is_known = leases_known(s->leases, &known);
    // Said of an earlier time than what is known already.
    bool old = is_known && lease->last_seen_ms < known.last_seen_ms;
    bool ends = lease->end_ms != 0 &&
                (!is_known || known.end_ms == 0 || lease->end_ms < known.end_ms);
    bool news = !is_known || (!old && (ends || (known.end_ms != 0 && lease->end_ms == 0) ||
                                       !same_grain(lease->last_seen_ms, known.last_seen_ms)));
    int rc = news && s->history ? lease_history_put(s->history, lease) : 0;
    if (rc == 0)
        rc = leases_put(s->leases, lease);
    if (rc < 0)
        return rc;
    s->begun += !is_known;
    s->ended += is_known && !old && ends;
    s->renewed += is_known && !old && !ends;
    return 0;
}

int lease_store_sync(struct lease_store *s)
{
    return s->history ? lease_history_sync(s->history) : 0;
}
