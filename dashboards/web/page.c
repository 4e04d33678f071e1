// What every page has: head, navigation, range links, graphs, the error page.
#include "web/web.h"

#include <stdio.h>
#include <string.h>

#include "web/html.h"

void page_open(const struct web *w, struct buf *out, const char *title)
{
    html(out,
         "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<meta name=\"color-scheme\" content=\"light dark\">"
         "<title>{} - Postern {}</title><link rel=\"icon\" href=\"/icon.svg\" "
         "type=\"image/svg+xml\">"
         "<link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body>"
         "<header><a class=\"name\" href=\"/\">Postern</a> <span class=\"site\">{}</span>"
         "<nav><a href=\"/\">Site</a> <a href=\"/tickets\">Tickets</a>"
         "<form action=\"/tickets\" method=\"get\"><label for=\"find\">Subscriber</label> "
         "<input id=\"find\" name=\"subscriber\" placeholder=\"192.0.2.7\" size=\"20\"> "
         "<button>Find</button></form></nav></header>\n<main>\n<h1>{}</h1>\n",
         title, w->site, w->site, title, NULL);
}

void page_close(const struct web *w, struct buf *out)
{
    html(out,
         "</main>\n<footer>Times are UTC. {}The same as JSON: <a href=\"/api/v1/tickets\">/api/v1/"
         "tickets</a></footer></body></html>\n",
         w->clock_is_data ? "This is a replay: now is the end of the capture. " : "", NULL);
}

void page_error(const struct web *w, struct http_answer *a, unsigned status, const char *title,
                const char *text)
{
    a->status = status;
    buf_clear(&a->body);
    page_open(w, &a->body, title);
    html(&a->body, "<p>{}</p>\n", text, NULL);
    page_close(w, &a->body);
}

void page_ranges(struct buf *out, const char *base, const struct web_range *now)
{
    static const char *const names[] = {"day", "week", "month", "year"};
    html(out, "<p class=\"ranges\">Range: ", NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], now->name) == 0)
            html(out, "<strong aria-current=\"true\">{}</strong> ", names[i], NULL);
        else
            html(out, "<a href=\"{}?range={}\">{}</a> ", base, names[i], names[i], NULL);
    }
    html(out, "</p>\n", NULL);
}

void page_graphs(struct buf *out, enum series_kind kind, const char *name,
                 const struct web_range *range, int64_t lease_start_s)
{
    char word[3 * GRAPH_NAME_MAX + 8], query[3 * GRAPH_NAME_MAX + 128];
    url_word(name, word, sizeof word);
    snprintf(query, sizeof query, "name=%s&from=%lld&to=%lld&lease=%lld", word,
             (long long)range->start_s, (long long)range->end_s, (long long)lease_start_s);
    for (unsigned v = 0; v < GRAPH_VIEWS; v++) {
        char path[64];
        snprintf(path, sizeof path, "/graph/%s/%s.png", web_kind_name(kind), graph_view_name(v));
        html(out,
             "<figure><picture><source media=\"(prefers-color-scheme: dark)\" "
             "srcset=\"{}?{}&amp;theme=dark\"><img src=\"{}?{}\" alt=\"{} of {}\" "
             "loading=\"lazy\" width=\"703\" height=\"283\"></picture></figure>\n",
             path, query, path, query, graph_view_title(v), name, NULL);
    }
}
