// The list of tickets, and a ticket with all that it rests on.
#include "web/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/html.h"

enum { PAGE_ROWS = 100 };

struct rows {
    struct buf *out;
    uint32_t count;
    int64_t last_number;
};

static const char *subscriber_path(const struct ticket *t, char *out, size_t size)
{
    char name[SUBSCRIBER_TEXT_MAX], word[3 * SUBSCRIBER_TEXT_MAX];
    url_word(subscriber_key_format(&t->key, name), word, sizeof word);
    snprintf(out, size, "/subscribers/%s", word);
    return out;
}

static int ticket_row(const struct ticket *t, const struct verdict *v, void *ctx)
{
    (void)v;
    struct rows *rows = ctx;
    char number[24], first[HTML_TIME_MAX], detected[HTML_TIME_MAX], score[16];
    char name[SUBSCRIBER_TEXT_MAX], path[3 * SUBSCRIBER_TEXT_MAX + 32];
    snprintf(number, sizeof number, "%lld", (long long)t->number);
    snprintf(score, sizeof score, "%.3f", t->score);
    html(rows->out,
         "<tr class=\"state-{}\"><td><a href=\"/tickets/{}\">{}</a></td><td>{}</td><td>{}</td>"
         "<td><a href=\"{}\">{}</a></td><td data-label=\"First seen\">{}</td>"
         "<td data-label=\"Detected\">{}</td><td class=\"number\" data-label=\"Score\">{}</td>"
         "<td class=\"why\">{}</td></tr>\n",
         ticket_state_name(t->state), number, number, ticket_state_name(t->state),
         verdict_class_name(t->class_), subscriber_path(t, path, sizeof path),
         subscriber_key_format(&t->key, name), html_time(t->first_seen_ms, first),
         html_time(t->detected_ms, detected), score, t->sentence, NULL);
    rows->count++;
    rows->last_number = t->number;
    return 0;
}

static uint32_t put_rows(const struct web *w, const struct ticket_query *q, struct buf *out,
                         int64_t *last)
{
    struct rows rows = {.out = out};
    html(out,
         "<div class=\"wide\"><table "
         "class=\"tickets\"><thead><tr><th>Ticket</th><th>State</th><th>Class</th>"
         "<th>Subscriber</th><th>First seen</th><th>Detected</th><th "
         "class=\"number\">Score</th><th>Why</th></tr>"
         "</thead><tbody>\n",
         NULL);
    if (w->store && ticket_store_each(w->store, q, ticket_row, &rows) < 0)
        html(out, "<tr><td colspan=\"8\">The ticket store could not be read.</td></tr>\n", NULL);
    else if (rows.count == 0)
        html(out, "<tr><td colspan=\"8\">No tickets.</td></tr>\n", NULL);
    html(out, "</tbody></table></div>\n", NULL);
    *last = rows.last_number;
    return rows.count;
}

void page_ticket_rows(const struct web *w, const struct ticket_query *q, struct buf *out)
{
    int64_t last;
    put_rows(w, q, out, &last);
}

void page_tickets(const struct web *w, const struct http_request *r, struct http_answer *a)
{
    const char *subscriber = http_query(r, "subscriber"), *class_name = http_query(r, "class"),
               *before = http_query(r, "before"), *state = http_query(r, "state");
    struct ticket_query q = {.class_ = -1, .limit = PAGE_ROWS};
    q.subscriber = subscriber && *subscriber ? subscriber : NULL;
    if (before && *before && (q.before_number = web_number(before)) < 0) {
        page_error(w, a, 400, "Which page?", "before: the number of a ticket");
        return;
    }
    if (!web_ticket_state(state, &q.open_only)) {
        page_error(w, a, 400, "No such state", "state: use open or all");
        return;
    }
    if (class_name && *class_name && (q.class_ = verdict_class_parse(class_name)) < 0) {
        page_error(w, a, 400, "No such class",
                   "The classes are those of the ticket list, such as spambot-direct.");
        return;
    }
    page_open(w, &a->body, "Tickets");
    html(&a->body,
         "<p class=\"ranges\">Show: <a href=\"/tickets\">all</a> <a "
         "href=\"/tickets?state=open\">open</a>",
         NULL);
    for (unsigned c = 0; c < VERDICT_CLASSES; c++)
        html(&a->body, " <a href=\"/tickets?class={}\">{}</a>", verdict_class_name(c),
             verdict_class_name(c), NULL);
    html(&a->body, "</p>\n", NULL);
    struct subscriber_key key;
    if (q.subscriber && subscriber_key_parse(q.subscriber, &key) == 0) {
        char word[3 * SUBSCRIBER_TEXT_MAX];
        html(&a->body, "<p>Tickets of <a href=\"/subscribers/{}\">{}</a></p>\n",
             url_word(q.subscriber, word, sizeof word), q.subscriber, NULL);
    } else if (q.subscriber) {
        html(&a->body, "<p>Tickets of {}</p>\n", q.subscriber, NULL);
    }
    int64_t last = 0;
    if (put_rows(w, &q, &a->body, &last) == PAGE_ROWS) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)last);
        html(&a->body,
             "<p><a href=\"/tickets?before={}&amp;class={}&amp;state={}\">Older</a></p>\n", number,
             class_name ? class_name : "", state ? state : "", NULL);
    }
    page_close(w, &a->body);
}

static void evidence_table(const struct verdict *v, struct buf *out)
{
    html(out,
         "<h2>Evidence</h2>\n<div class=\"wide\"><table><thead><tr><th>Detector</th><th>What was "
         "seen</th>"
         "<th>Measured</th><th>Limit</th><th>Window</th><th>Weight</th></tr></thead><tbody>\n",
         NULL);
    for (uint32_t i = 0; i < v->evidence_count; i++) {
        const struct verdict_evidence *e = &v->evidence[i];
        char measured[32], limit[32], weight[32], window[HTML_TIME_MAX];
        snprintf(measured, sizeof measured, "%.6g", e->measured);
        snprintf(limit, sizeof limit, "%.6g", e->limit);
        snprintf(weight, sizeof weight, "%+.2f", e->log_odds);
        html(out,
             "<tr class=\"{}\"><td>{}<br><small>{}</small></td><td>{}</td><td class=\"number\">{} "
             "{}</td>"
             "<td class=\"number\">{}</td><td>{}</td><td class=\"number\">{}{}</td></tr>\n",
             e->counted ? "" : "uncounted", e->detector, verdict_family_name(e->family),
             e->sentence, measured, e->unit, limit,
             html_duration((int64_t)e->window_s * 1000, window), weight,
             e->counted ? "" : " (a stronger one of its family counts)", NULL);
    }
    char prior[32], sum[32], score[32];
    snprintf(prior, sizeof prior, "%+.2f", v->prior);
    snprintf(sum, sizeof sum, "%+.2f", v->log_odds);
    snprintf(score, sizeof score, "%.4f", v->score);
    html(out,
         "</tbody></table></div>\n<p>Prior {} (role: {}), with the evidence counted {}: score {}. "
         "Weights are log-odds.</p>\n",
         prior, v->role, sum, score, NULL);
}

static void limitations(const struct verdict *v, struct buf *out)
{
    if (v->limitations == 0)
        return;
    html(out, "<h2>What limits it</h2>\n<ul>\n", NULL);
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *text = verdict_limitation_text(v->limitations & 1u << bit);
        if (v->limitations & 1u << bit && text)
            html(out, "<li>{}</li>\n", text, NULL);
    }
    html(out, "</ul>\n", NULL);
}

static void facts(const struct ticket *t, const struct verdict *v, struct buf *out)
{
    char a[HTML_TIME_MAX], b[HTML_TIME_MAX], c[HTML_TIME_MAX], d[HTML_TIME_MAX];
    char name[SUBSCRIBER_TEXT_MAX], path[3 * SUBSCRIBER_TEXT_MAX + 32], party[PARTY_TEXT_MAX];
    html(
        out,
        "<dl><dt>State</dt><dd>{}{}{}</dd><dt>Class</dt><dd>{}</dd><dt>Subscriber</dt><dd><a "
        "href=\"{}\">"
        "{}</a></dd><dt>Party</dt><dd>{}</dd><dt>First seen</dt><dd>{}</dd><dt>Detected</dt><dd>{} "
        "({} after)</dd><dt>Last seen</dt><dd>{}</dd><dt>Case code</dt><dd>{}</dd>",
        ticket_state_name(t->state), t->held[0] ? ", held: " : "", t->held,
        verdict_class_name(t->class_), subscriber_path(t, path, sizeof path),
        subscriber_key_format(&t->key, name), party_format(&t->party, party),
        html_time(t->first_seen_ms, a), html_time(t->detected_ms, b),
        html_duration(t->detected_ms - t->first_seen_ms, d), html_time(t->last_seen_ms, c),
        t->case_code, NULL);
    html(out, "<dt>Actions wanted</dt><dd>", NULL);
    bool any = false;
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *action = ticket_action_name(t->actions & 1u << bit);
        if (!(t->actions & 1u << bit) || !action)
            continue;
        html(out, "{}{}", any ? ", " : "", action, NULL);
        any = true;
    }
    html(out, "{}</dd><dt>Rules</dt><dd>{}, configuration <code>{}</code></dd></dl>\n",
         any ? "" : "none", v->rules_version, v->conf_hash, NULL);
}

struct found {
    const struct web *web;
    struct buf *out;
    bool any;
    struct ticket ticket;
};

static int show_ticket(const struct ticket *t, const struct verdict *v, void *ctx)
{
    struct found *f = ctx;
    char title[64];
    snprintf(title, sizeof title, "Ticket %lld", (long long)t->number);
    page_open(f->web, f->out, title);
    html(f->out, "<p class=\"sentence\">{}</p>\n", t->sentence, NULL);
    facts(t, v, f->out);
    evidence_table(v, f->out);
    limitations(v, f->out);
    f->ticket = *t;
    f->any = true;
    return 0;
}

// A ticket is a party's: it shows the time in which the address was that party's, and no other.
static void own_time(const struct web *w, const char *name, const struct ticket *t,
                     struct page_own *own)
{
    char party[PARTY_TEXT_MAX];
    struct series_lease *lease;
    size_t count;
    party_format(&t->party, party);
    if (series_leases(w->rrd_dir, SERIES_SUBSCRIBER, name, &lease, &count) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        int64_t start_ms = lease[i].start_s * 1000, end_ms = lease[i].end_s * 1000;
        if (start_ms <= t->last_seen_ms && (end_ms == 0 || end_ms > t->first_seen_ms)) {
            if (strcmp(lease[i].party, party) != 0)
                continue;
            own->start_s = lease[i].start_s;
            own->end_s = lease[i].end_s;
            break;
        }
        // No lease of its own: the time between those of others.
        if (end_ms > 0 && end_ms <= t->first_seen_ms)
            own->start_s = lease[i].end_s;
        else if (start_ms > t->last_seen_ms && own->end_s == 0)
            own->end_s = lease[i].start_s;
    }
    free(lease);
}

void page_ticket(const struct web *w, const struct http_request *r, int64_t number,
                 struct http_answer *a)
{
    (void)r;
    struct found f = {.web = w, .out = &a->body};
    struct ticket_query q = {.class_ = -1, .number = number, .limit = 1};
    int rc = w->store ? ticket_store_each(w->store, &q, show_ticket, &f) : 0;
    if (rc < 0) {
        page_error(w, a, 500, "Ticket store", "The ticket store could not be read.");
        return;
    }
    if (!f.any) {
        page_error(w, a, 404, "No such ticket", "There is no ticket of this number.");
        return;
    }
    // From an hour before the first event to two hours after the last, on whole minutes.
    struct web_range range = {.name = "",
                              .start_s = f.ticket.first_seen_ms / 1000 - 3600,
                              .end_s = f.ticket.last_seen_ms / 1000 + 7200};
    char name[SUBSCRIBER_TEXT_MAX];
    html(&a->body, "<h2>Traffic around it</h2>\n", NULL);
    subscriber_key_format(&f.ticket.key, name);
    struct page_own own = {
        .ticket[0] = {f.ticket.first_seen_ms / 1000, f.ticket.last_seen_ms / 1000 + 60}};
    own_time(w, name, &f.ticket, &own);
    page_graphs(&a->body, SERIES_SUBSCRIBER, name, &range, &own);
    page_close(w, &a->body);
}
