// A POP, a network class or a sensor: graphs and numbers.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/html.h"
#include "web/web.h"

static const char *title_of(enum series_kind kind)
{
    return kind == SERIES_POP ? "POP" : kind == SERIES_CLASS ? "Network class" : "Sensor";
}

void page_series(const struct web *w, const struct http_request *r, enum series_kind kind,
                 const char *name, struct http_answer *a)
{
    char error[160], title[GRAPH_NAME_MAX + 32], base[3 * GRAPH_NAME_MAX + 32],
        word[3 * GRAPH_NAME_MAX];
    struct web_range range;
    const struct page_own own = {0};
    if (strlen(name) >= GRAPH_NAME_MAX) {
        page_error(w, a, 400, "Which?", "The name is too long.");
        return;
    }
    if (web_range(w, r, &range, error) != 0) {
        page_error(w, a, 400, "Which range?", error);
        return;
    }
    struct series_range sr = {.start_s = range.start_s, .end_s = range.end_s};
    struct series_sample *samples;
    size_t count;
    char why[SERIES_EXPLAIN_MAX];
    int rc = web_fetch(w, kind, name, &sr, r->now_ms, &samples, &count, why);
    if (rc != 0) {
        page_error(w, a, rc == -ENOENT ? 404 : 500,
                   rc == -ENOENT ? "No such series" : "The series cannot be read",
                   rc == -ENOENT ? "No traffic of this name has been recorded." : why);
        return;
    }
    snprintf(title, sizeof title, "%s %s", title_of(kind), name);
    snprintf(base, sizeof base, "/%s/%s", series_kind_name(kind),
             url_word(name, word, sizeof word));
    page_open(w, &a->body, title);
    page_ranges(&a->body, base, &range, "");
    page_graphs(&a->body, kind, name, &range, &own);
    page_chart(&a->body, kind, name, &range, &own);
    page_numbers(&a->body, kind, &sr, samples, count, range.end_s);
    page_close(w, &a->body);
    free(samples);
}
