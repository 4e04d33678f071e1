// Sums over samples: what was counted is added up over the time that was watched, and never reckoned
// beyond it; how much that was is said with it.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/series.h"

struct series_total series_sum(const struct series_sample *s, size_t count, int32_t step_s,
                               unsigned source, int64_t until_s)
{
    struct series_total t = {.counted = NAN};
    for (size_t i = 0; i < count; i++) {
        int64_t start_s = s[i].t_s - step_s;
        int64_t end_s = until_s > 0 && until_s < s[i].t_s ? until_s : s[i].t_s;
        if (s[i].others || (end_s <= start_s && s[i].minutes == 0))
            continue;
        if (end_s > start_s)
            t.span_s += (uint64_t)(end_s - start_s);
        t.watched_s += s[i].watched_s;
        if (isnan(s[i].average[source]) || s[i].minutes == 0)
            continue;
        t.counted = (isnan(t.counted) ? 0 : t.counted) + s[i].average[source] * s[i].minutes;
        t.minutes += s[i].minutes;
    }
    if (t.watched_s > t.span_s) // the last interval is cut
        t.watched_s = t.span_s;
    return t;
}

const char *series_share(const struct series_total *t, char out[static SERIES_SHARE_MAX])
{
    uint64_t permille = t->span_s ? t->watched_s * 1000 / t->span_s : 0;
    if (t->span_s > 0 && t->watched_s == t->span_s)
        return memcpy(out, "all", 4);
    if (t->watched_s == 0)
        return memcpy(out, "none", 5);
    if (permille == 0)
        return memcpy(out, "<0.1 %", 7);
    snprintf(out, SERIES_SHARE_MAX, "%u.%u %%", (unsigned)permille / 10 % 1000,
             (unsigned)permille % 10);
    return out;
}
