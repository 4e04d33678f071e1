// The start page (the site) and a subscriber: tickets, graphs, and the numbers of the graphs.
#include "web/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/html.h"

// Links to the POPs, classes and sensors that have series.
static void links(const struct web *w, struct buf *out)
{
    static const struct {
        enum series_kind kind;
        const char *title;
    } kinds[] = {
        {SERIES_POP, "POPs"}, {SERIES_CLASS, "Network classes"}, {SERIES_SENSOR, "Sensors"}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        char **name, word[3 * GRAPH_NAME_MAX];
        size_t count;
        if (series_names(w->rrd_dir, kinds[k].kind, &name, &count) != 0)
            continue;
        if (count > 0)
            html(out, "<p class=\"ranges\">{}:", kinds[k].title, NULL);
        for (size_t i = 0; i < count; i++)
            html(out, " <a href=\"/{}/{}\">{}</a>", series_kind_name(kinds[k].kind),
                 url_word(name[i], word, sizeof word), name[i], NULL);
        if (count > 0)
            html(out, "</p>\n", NULL);
        free(name);
    }
}

void page_start(const struct web *w, const struct http_request *r, struct http_answer *a)
{
    char error[160];
    struct web_range range;
    const struct page_own own = {0};
    if (web_range(w, r, &range, error) != 0) {
        page_error(w, a, 400, "Which range?", error);
        return;
    }
    page_open(w, &a->body, "Site");
    html(&a->body, "<h2>Open tickets</h2>\n", NULL);
    struct ticket_query q = {.class_ = -1, .open_only = true, .limit = 50};
    page_ticket_rows(w, &q, &a->body);
    html(&a->body, "<h2>All subscribers together</h2>\n", NULL);
    page_ranges(&a->body, "/", &range, "");
    page_graphs(&a->body, SERIES_SITE, SERIES_SITE_NAME, &range, &own);
    links(w, &a->body);
    page_close(w, &a->body);
}

struct spans {
    struct page_own *own;
    size_t count;
};

static int add_span(const struct ticket *t, const struct verdict *v, void *ctx)
{
    (void)v;
    struct spans *s = ctx;
    if (s->count < GRAPH_TICKETS_MAX)
        s->own->ticket[s->count++] = (struct graph_span){t->first_seen_ms / 1000,
                                                         t->last_seen_ms / 1000 + 60};
    return 0;
}

enum { LEASE_TEXT = 24 };

// A link to a party's time: a past one's is shown from its beginning to its end.
static void lease_link(const struct series_lease *l, const char *base,
                       const struct web_range *range, struct buf *out)
{
    char since[HTML_TIME_MAX], number[LEASE_TEXT], span[80] = "";
    html_time(l->start_s * 1000, since);
    snprintf(number, sizeof number, "%lld", (long long)l->start_s);
    if (l->end_s > 0)
        snprintf(span, sizeof span, "&from=%lld&to=%lld", (long long)l->start_s,
                 (long long)l->end_s);
    else if (range->name[0])
        snprintf(span, sizeof span, "&range=%s", range->name);
    html(out, " <a href=\"{}?lease={}{}\">{} since {}</a>", base, number, span, l->party, since,
         NULL);
}

// The present party's time, unless another is asked for (`lease=START`) or all (`lease=all`). Says
// whose it is, with links to the others. `chosen_text`: what was asked for and is there, else "".
static void choose_lease(const struct web *w, const struct http_request *r, const char *name,
                         const char *base, const struct web_range *range, struct buf *out,
                         struct page_own *own, char chosen_text[static LEASE_TEXT])
{
    const char *asked = http_query(r, "lease");
    struct series_lease *lease;
    size_t count;
    bool all = asked && strcmp(asked, "all") == 0;
    int64_t start_s = asked ? web_number(asked) : -1;
    if (series_leases(w->rrd_dir, SERIES_SUBSCRIBER, name, &lease, &count) != 0 || count == 0)
        return;
    size_t chosen = count - 1;
    for (size_t i = 0; i < count; i++)
        if (lease[i].start_s == start_s) {
            chosen = i;
            snprintf(chosen_text, LEASE_TEXT, "%lld", (long long)start_s);
        }
    if (all)
        snprintf(chosen_text, LEASE_TEXT, "all");
    html(out, "<p class=\"ranges\">Whose:", NULL);
    for (size_t i = count > 12 ? count - 12 : 0; i < count; i++) {
        char since[HTML_TIME_MAX];
        html_time(lease[i].start_s * 1000, since);
        if (!all && i == chosen)
            html(out, " <strong aria-current=\"true\">{} since {}</strong>", lease[i].party, since,
                 NULL);
        else
            lease_link(&lease[i], base, range, out);
    }
    html(out,
         all ? " <strong aria-current=\"true\">all</strong></p>\n"
             : " <a href=\"{}?lease=all\">all</a></p>\n",
         all ? NULL : base, NULL);
    if (!all) {
        own->start_s = lease[chosen].start_s;
        own->end_s = lease[chosen].end_s;
    }
    free(lease);
}

static void traffic(const struct web *w, const char *name, const struct web_range *range,
                    const struct page_own *own, int64_t now_ms, struct http_answer *a)
{
    struct series_range sr = {.start_s = range->start_s,
                              .end_s = range->end_s,
                              .own_start_s = own->start_s,
                              .own_end_s = own->end_s};
    struct series_sample *samples;
    size_t count;
    char why[SERIES_EXPLAIN_MAX];
    int rc = web_fetch(w, SERIES_SUBSCRIBER, name, &sr, now_ms, &samples, &count, why);
    if (rc == -ENOENT) {
        a->status = 404;
        html(&a->body, "<p>No mail traffic of this subscriber has been recorded.</p>\n", NULL);
    } else if (rc != 0) {
        a->status = 500;
        html(&a->body, "<p>The series cannot be read: {}</p>\n", why, NULL);
    } else {
        page_graphs(&a->body, SERIES_SUBSCRIBER, name, range, own);
        page_chart(&a->body, SERIES_SUBSCRIBER, name, range, own);
        page_numbers(&a->body, SERIES_SUBSCRIBER, &sr, samples, count, range->end_s);
        free(samples);
    }
}

void page_subscriber(const struct web *w, const struct http_request *r, const char *name,
                     struct http_answer *a)
{
    char error[160], text[SUBSCRIBER_TEXT_MAX], base[3 * SUBSCRIBER_TEXT_MAX + 32],
        word[3 * SUBSCRIBER_TEXT_MAX];
    struct subscriber_key key;
    struct web_range range;
    struct page_own own = {0};
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
    const char *lease = http_query(r, "lease");
    if (lease && strcmp(lease, "all") != 0 && web_number(lease) < 0) {
        page_error(w, a, 400, "Which lease?", "lease: write the epoch that it starts at, or all.");
        return;
    }
    subscriber_key_format(&key, text);
    snprintf(base, sizeof base, "/subscribers/%s", url_word(text, word, sizeof word));
    page_open(w, &a->body, text);
    struct ticket_query q = {.class_ = -1, .subscriber = text, .limit = 20};
    struct spans spans = {.own = &own};
    html(&a->body, "<h2>Tickets</h2>\n", NULL);
    page_ticket_rows(w, &q, &a->body);
    if (w->store)
        ticket_store_each(w->store, &q, add_span, &spans); // the list above says when it fails
    html(&a->body, "<h2>Traffic</h2>\n", NULL);
    char chosen[LEASE_TEXT] = "";
    choose_lease(w, r, text, base, &range, &a->body, &own, chosen);
    page_ranges(&a->body, base, &range, chosen);
    traffic(w, text, &range, &own, r->now_ms, a);
    page_close(w, &a->body);
}
