// What a request asks for in its query: numbers, ranges, states; and the series of such a range.
#include "web/web.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/series_coverage.h"

int64_t web_now_s(const struct web *w, int64_t now_ms)
{
    int64_t end_s;
    if (!w->clock_is_data || series_coverage_end(w->rrd_dir, &end_s) != 0)
        return now_ms / 1000;
    return end_s;
}

int64_t web_number(const char *text)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return errno != 0 || end == text || *end || n < 0 ? -1 : n;
}

// A range by name ends on a whole step, so that who asks again soon asks for the same.
static const struct {
    const char *name;
    int64_t seconds, step_s;
} ranges[] = {{"day", 86400, 60},
              {"week", 7 * 86400, 600},
              {"month", 31 * 86400, 3600},
              {"year", 366 * 86400, 3600}};

int web_range(const struct web *w, const struct http_request *r, struct web_range *out,
              char error[static 160])
{
    const char *name = http_query(r, "range"), *from = http_query(r, "from"),
               *to = http_query(r, "to");
    int64_t now_s = web_now_s(w, r->now_ms);
    *out = (struct web_range){.name = "", .start_s = now_s - 86400, .end_s = now_s};
    if (from || to) {
        if (from && series_parse_time(from, now_s, &out->start_s) != 0)
            return snprintf(error, 160, "from: write now-24h, an epoch or an RFC 3339 time"),
                   -EINVAL;
        if (to && series_parse_time(to, now_s, &out->end_s) != 0)
            return snprintf(error, 160, "to: write now, an epoch or an RFC 3339 time"), -EINVAL;
        if (out->start_s < 0 || out->end_s <= out->start_s ||
            out->end_s - out->start_s > 10LL * 366 * 86400)
            return snprintf(error, 160, "from must lie before to, within ten years"), -EINVAL;
        return 0;
    }
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (strcmp(name ? name : "day", ranges[i].name) != 0)
            continue;
        out->name = ranges[i].name;
        out->end_s = (now_s + ranges[i].step_s - 1) / ranges[i].step_s * ranges[i].step_s;
        out->start_s = out->end_s - ranges[i].seconds;
        return 0;
    }
    return snprintf(error, 160, "range: use day, week, month or year"), -EINVAL;
}

bool web_ticket_state(const char *text, bool *open_only)
{
    if (text && *text && strcmp(text, "open") != 0 && strcmp(text, "all") != 0)
        return false;
    *open_only = text && strcmp(text, "open") == 0;
    return true;
}

void web_series_failed(const struct web *w, const char *text, int64_t now_ms)
{
    enum { EVERY_MS = 60000 };
    if (w->said->at_ms != 0 && now_ms >= w->said->at_ms && now_ms - w->said->at_ms < EVERY_MS)
        return;
    w->said->at_ms = now_ms;
    log_warning("%s: %s", w->rrd_dir, text);
}

int web_fetch(const struct web *w, enum series_kind kind, const char *name,
              struct series_range *range, int64_t now_ms, struct series_sample **out, size_t *count,
              char error[static SERIES_EXPLAIN_MAX])
{
    if (w->cached) // when it does not answer, what the file has is shown
        rrdcached_flush_series(w->cached, w->rrd_dir, kind, name);
    int rc = series_fetch(w->rrd_dir, kind, name, range, out, count);
    if (rc != 0)
        series_explain(kind, name, rc, error);
    if (rc != 0 && rc != -ENOENT && rc != -EINVAL)
        web_series_failed(w, error, now_ms);
    return rc;
}
