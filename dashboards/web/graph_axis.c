// librrd's own choice puts dates so close that they nearly touch, and begins weeks on Sunday. Its words are
// BASE:STEPS:MAJOR:STEPS:LABEL:STEPS:WIDTH:FORMAT, a label stands in the middle of its width.
#include "web/graph_axis.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum { DAY_S = 86400 };

struct graph_axis graph_axis_of(int64_t span_s, bool narrow)
{
    static const struct {
        int64_t from_s;
        const char *wide, *narrow;
        bool weeks;
    } axes[] = {
        {400 * DAY_S, NULL, NULL, false},
        {130 * DAY_S, "MONTH:1:MONTH:1:MONTH:1:2592000:%b", "MONTH:1:MONTH:3:MONTH:3:0:%b", false},
        {45 * DAY_S, "MONTH:1:MONTH:1:MONTH:1:2592000:%b %Y", "MONTH:1:MONTH:1:MONTH:1:2592000:%b",
         false},
        {10 * DAY_S, "DAY:1:WEEK:1:WEEK:1:604800:Week %V", "DAY:1:WEEK:1:WEEK:1:604800:W%V", true},
        {3 * DAY_S, "HOUR:6:DAY:1:DAY:1:86400:%a %d", "HOUR:12:DAY:1:DAY:1:86400:%d", false},
    };
    for (size_t i = 0; i < sizeof axes / sizeof axes[0]; i++)
        if (span_s >= axes[i].from_s)
            return (struct graph_axis){narrow ? axes[i].narrow : axes[i].wide, axes[i].weeks};
    return (struct graph_axis){0};
}

void graph_axis_use(const struct graph_axis *a)
{
    setenv("TZ", a->weeks ? "UTC+24" : "UTC", 1);
    tzset();
}
