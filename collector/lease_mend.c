// What the leases of one key say together: ends that nobody reported, and who claims the key at the same time.
//
// A start ends what its own source said to be open. Of what another source says it is no word: both leases hold, and
// the answer is ambiguous, until one is ended or not seen for twice its interval. Leases of one source that began
// at the same time end each other neither: nobody can say which was first.
#include <errno.h>

#include "lease_index.h"

static bool is_dhcp(uint8_t source)
{
    return source == LEASE_DHCP_KEA || source == LEASE_DHCP_ISC;
}

// Who has not been seen for so long gives way to a lease of another source.
static int64_t stale_from(const struct lease_span *s)
{
    int64_t ms = 2000 * (int64_t)s->interim_s + 1;
    return s->interim_s == 0 || s->last_seen_ms > INT64_MAX - ms ? INT64_MAX : s->last_seen_ms + ms;
}

// The end that counts of the group's lease `i`; `*by`: what ended it, NULL: itself or nothing.
static int64_t end_of(const struct leases *l, const struct group *g, uint32_t i,
                      const struct lease_span **by)
{
    const struct lease_span *s = &l->span[g->span[i]];
    bool open = s->end_ms == INT64_MAX;
    int64_t until = s->end_ms;
    *by = NULL;
    for (uint32_t k = i + 1; k < g->count; k++) {
        const struct lease_span *next = &l->span[g->span[k]];
        if (next->start_ms >= until)
            break;
        if (next->start_ms == s->start_ms)
            continue;
        if (next->source == s->source) {
            // A server gives an address to one at a time, whatever it told of the end before.
            if (!open && !is_dhcp(s->source))
                break;
            *by = next;
            return next->start_ms;
        }
        int64_t stale = stale_from(s);
        if (open && next->party != s->party && stale < until) {
            until = stale > next->start_ms ? stale : next->start_ms;
            *by = next;
        }
    }
    return until;
}

static bool end_spans(struct leases *l, struct group *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        struct lease_span *s = &l->span[g->span[i]];
        const struct lease_span *by;
        int64_t until = end_of(l, g, i, &by);
        s->lost_stop = s->end_ms == INT64_MAX && by && by->party != s->party;
        if (until == s->until_ms)
            continue;
        if (!l->loading && (!lease_churn_end(l->churn[0], s->until_ms, until) ||
                            (s->pop_index >= 0 &&
                             !lease_churn_end(l->churn[s->pop_index + 1], s->until_ms, until))))
            return false;
        s->until_ms = until;
    }
    return true;
}

int mend_group(struct leases *l, struct group *g)
{
    if (!end_spans(l, g))
        return -ENOMEM;
    // The latest end so far, and the latest of another party than that one's.
    int64_t best = INT64_MIN, other = INT64_MIN;
    uint32_t party = 0, longest = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        struct lease_span *s = &l->span[g->span[i]];
        if (s->until_ms > best) {
            if (s->party != party)
                other = best;
            best = s->until_ms;
            party = s->party;
            longest = i;
        } else if (s->party != party && s->until_ms > other) {
            other = s->until_ms;
        }
        s->until_all_ms = best;
        s->until_other_ms = other;
        s->longest = longest;
    }
    return 0;
}
