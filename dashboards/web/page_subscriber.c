// The start page (the site) and a subscriber: tickets, graphs, and the numbers of the graphs.
#include "web/web.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/html.h"

void page_start(const struct web *w, const struct http_request *r, struct http_answer *a)
{
    char error[160];
    struct web_range range;
    if (web_range(w, r, &range, error) != 0) {
        page_error(w, a, 400, "Which range?", error);
        return;
    }
    page_open(w, &a->body, "Site");
    html(&a->body, "<h2>Open tickets</h2>\n", NULL);
    struct ticket_query q = {.class_ = -1, .open_only = true, .limit = 50};
    page_ticket_rows(w, &q, &a->body);
    html(&a->body, "<h2>All subscribers together</h2>\n", NULL);
    page_ranges(&a->body, "/", &range);
    page_graphs(&a->body, SERIES_SITE, SERIES_SITE_NAME, &range, 0);
    page_close(w, &a->body);
}

static bool is_quiet(const struct series_sample *s)
{
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        if (isnan(s->average[v]) || s->average[v] > 0)
            return false;
    return true;
}

static void number_cell(struct buf *out, double v)
{
    char text[32];
    if (isnan(v))
        html(out, "<td class=\"number unknown\">-</td>", NULL);
    else {
        snprintf(text, sizeof text, "%.4g", v);
        html(out, "<td class=\"number\">{}</td>", text, NULL);
    }
}

// The latest intervals with something in them; quiet ones are said in a row together.
static void numbers(const struct series_sample *s, size_t count, struct buf *out)
{
    enum { ROWS = 60 };
    html(out, "<div class=\"wide\"><table><thead><tr><th>Until (UTC)</th>", NULL);
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        html(out, "<th>{}</th>", series_source_name(v), NULL);
    html(out, "<th>loss</th></tr></thead><tbody>\n", NULL);
    unsigned rows = 0;
    for (size_t i = count; i > 0 && rows < ROWS; rows++) {
        char until[HTML_TIME_MAX], loss[32];
        size_t quiet = 0;
        while (i > quiet && is_quiet(&s[i - 1 - quiet]))
            quiet++;
        html(out, "<tr><td>{}</td>", html_time(s[i - 1].t_s * 1000, until), NULL);
        if (quiet > 1) {
            char text[64];
            snprintf(text, sizeof text, "nothing in %zu intervals", quiet);
            html(out, "<td colspan=\"9\" class=\"quiet\">{}</td></tr>\n", text, NULL);
            i -= quiet;
            continue;
        }
        for (unsigned v = 0; v < SERIES_SOURCES; v++)
            number_cell(out, s[i - 1].average[v]);
        snprintf(loss, sizeof loss, "%.2f %%", s[i - 1].loss_ppm / 1e4);
        html(out, "<td class=\"number\">{}</td></tr>\n", s[i - 1].observed ? loss : "not observed",
             NULL);
        i--;
    }
    html(out, "</tbody></table></div>\n", NULL);
}

void page_subscriber(const struct web *w, const struct http_request *r, const char *name,
                     struct http_answer *a)
{
    char error[160], text[SUBSCRIBER_TEXT_MAX], base[3 * SUBSCRIBER_TEXT_MAX + 32],
        word[3 * SUBSCRIBER_TEXT_MAX];
    struct subscriber_key key;
    struct web_range range;
    if (strlen(name) >= sizeof text || subscriber_key_parse(name, &key) != 0) {
        page_error(w, a, 400, "Who?",
                   "A subscriber is an address (192.0.2.7, 2001:db8:1::/56), with its realm "
                   "before it where it has one (vlan:101/10.0.0.1).");
        return;
    }
    if (web_range(w, r, &range, error) != 0) {
        page_error(w, a, 400, "Which range?", error);
        return;
    }
    subscriber_key_format(&key, text);
    snprintf(base, sizeof base, "/subscribers/%s", url_word(text, word, sizeof word));
    page_open(w, &a->body, text);
    struct ticket_query q = {.class_ = -1, .subscriber = text, .limit = 20};
    html(&a->body, "<h2>Tickets</h2>\n", NULL);
    page_ticket_rows(w, &q, &a->body);
    html(&a->body, "<h2>Traffic</h2>\n", NULL);
    page_ranges(&a->body, base, &range);
    struct series_range sr = {.start_s = range.start_s, .end_s = range.end_s};
    struct series_sample *samples;
    size_t count;
    int rc = series_fetch(w->rrd_dir, SERIES_SUBSCRIBER, text, &sr, &samples, &count);
    if (rc == -ENOENT) {
        a->status = 404;
        html(&a->body, "<p>No mail traffic of this subscriber has been recorded.</p>\n", NULL);
    } else if (rc != 0) {
        a->status = 500;
        html(&a->body, "<p>The series could not be read: {}</p>\n", strerror(-rc), NULL);
    } else {
        page_graphs(&a->body, SERIES_SUBSCRIBER, text, &range, 0);
        char step[HTML_TIME_MAX];
        html(&a->body,
             "<h2>The same in numbers</h2>\n<p>A minute on average, over intervals of {}.</p>\n",
             html_duration((int64_t)sr.step_s * 1000, step), NULL);
        numbers(samples, count, &a->body);
        free(samples);
    }
    page_close(w, &a->body);
}
