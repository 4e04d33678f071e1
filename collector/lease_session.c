// What an access router says of its sessions as a whole: which leases are one's, which are open, and whether its
// clock can be believed.
#include <stdio.h>

#include "lease_index.h"

size_t leases_session(const struct leases *l, const char *nas, const char *session_id,
                      struct lease out[static LEASES_SESSION_MAX])
{
    uint64_t hash = session_hash(nas, session_id);
    size_t n = 0;
    if (hash == 0)
        return 0;
    for (uint32_t s = l->session[hash & l->session_mask]; s && n < LEASES_SESSION_MAX;
         s = l->span[s].session_next) {
        // A NAS that counts its sessions anew: the old ones of that number are over.
        if (l->span[s].session != hash || l->span[s].end_ms != INT64_MAX)
            continue;
        leases_get(l, s, &out[n]);
        snprintf(out[n].session_id, sizeof out[n].session_id, "%s", session_id);
        n++;
    }
    return n;
}

int leases_each_open(struct leases *l, const char *nas, int64_t t_ms, leases_fn fn, void *ctx)
{
    uint32_t number;
    int rc = 0;
    if (!strings_find(l->strings, nas, &number))
        return 0;
    uint32_t last = l->used;
    for (uint32_t s = 1; s <= last && rc >= 0; s++) {
        const struct lease_span *x = &l->span[s];
        if (!x->used || x->nas != number || x->end_ms != INT64_MAX || x->start_ms > t_ms)
            continue;
        struct lease lease;
        leases_get(l, s, &lease);
        rc = fn(&lease, ctx);
    }
    return rc < 0 ? rc : 0;
}

void leases_clock(struct leases *l, const char *nas, bool differs)
{
    uint32_t number;
    if (!strings_find(l->strings, nas, &number))
        return;
    for (uint32_t s = 1; s <= l->used; s++)
        if (l->span[s].used && l->span[s].nas == number && l->span[s].end_ms == INT64_MAX)
            l->span[s].clock_differs = differs;
}
