// What every page has: head, navigation, range links, graphs, the error page.
#include "web/web.h"

#include <stdio.h>
#include <string.h>

#include "web/html.h"

extern const size_t web_uplot_size;

void page_open(const struct web *w, struct buf *out, const char *title)
{
    html(out,
         "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<meta name=\"color-scheme\" content=\"light dark\">"
         "<title>{} - Postern {}</title><link rel=\"icon\" href=\"/icon.svg\" "
         "type=\"image/svg+xml\">"
         "<link rel=\"stylesheet\" href=\"/uplot.css\">"
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

void page_ranges(struct buf *out, const char *base, const struct web_range *now, const char *lease)
{
    static const char *const names[] = {"day", "week", "month", "year"};
    html(out, "<p class=\"ranges\">Range: ", NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], now->name) == 0)
            html(out, "<strong aria-current=\"true\">{}</strong> ", names[i], NULL);
        else
            html(out, "<a href=\"{}?range={}{}{}\">{}</a> ", base, names[i],
                 lease[0] ? "&lease=" : "", lease, names[i], NULL);
    }
    html(out, "</p>\n", NULL);
}

// "name=..&from=..&to=.." with whose time it is; `with_range` false: without from and to.
static void put_query(char *out, size_t size, const char *name, const struct web_range *range,
                      const struct page_own *own)
{
    char word[3 * GRAPH_NAME_MAX + 8];
    int n = snprintf(out, size, "name=%s", url_word(name, word, sizeof word));
    if (range)
        n += snprintf(out + n, size - (size_t)n, "&from=%lld&to=%lld", (long long)range->start_s,
                      (long long)range->end_s);
    if (own->start_s > 0)
        n += snprintf(out + n, size - (size_t)n, "&own_from=%lld", (long long)own->start_s);
    if (own->end_s > 0)
        n += snprintf(out + n, size - (size_t)n, "&own_to=%lld", (long long)own->end_s);
    for (size_t i = 0; range && i < GRAPH_TICKETS_MAX && own->ticket[i].end_s > 0; i++)
        n += snprintf(out + n, size - (size_t)n, "%s%lld-%lld",
                      i ? "," : "&tickets=", (long long)own->ticket[i].start_s,
                      (long long)own->ticket[i].end_s);
}

void page_graphs(struct buf *out, enum series_kind kind, const char *name,
                 const struct web_range *range, const struct page_own *own)
{
    char query[3 * GRAPH_NAME_MAX + 128 + GRAPH_TICKETS_MAX * 48], phone[16];
    put_query(query, sizeof query, name, range, own);
    snprintf(phone, sizeof phone, "%d", GRAPH_WIDTH_PHONE);
    html(out, "<div class=\"graphs\">\n", NULL);
    for (unsigned v = 0; v < GRAPH_VIEWS; v++) {
        if (!graph_view_fits(v, kind))
            continue;
        char path[64];
        snprintf(path, sizeof path, "/graph/%s/%s.png", series_kind_name(kind), graph_view_name(v));
        html(out,
             "<figure><picture><source media=\"(max-width: 42rem) and (prefers-color-scheme: "
             "dark)\" "
             "srcset=\"{}?{}&amp;width={}&amp;theme=dark\"><source media=\"(max-width: 42rem)\" "
             "srcset=\"{}?{}&amp;width={}\"><source media=\"(prefers-color-scheme: dark)\" "
             "srcset=\"{}?{}&amp;theme=dark\">",
             path, query, phone, path, query, phone, path, query, NULL);
        html(out,
             "<img src=\"{}?{}\" alt=\"{} of {}\" loading=\"lazy\" width=\"689\" height=\"309\">"
             "</picture></figure>\n",
             path, query, graph_view_title(v), name, NULL);
    }
    html(out, "</div>\n", NULL);
}

void page_chart(struct buf *out, enum series_kind kind, const char *name,
                const struct web_range *range, const struct page_own *own)
{
    static const char of_sensor[] = "Packets=packets,dropped;"
                                    "Flows=subscriber_flows,tcp_flows,mail_flows;Loss=loss_ppm";
    static const char of_others[] = "Connections=established,refused,unanswered;Mail servers=peers;"
                                    "Messages and recipients=recipients,messages;"
                                    "SOCKS=socks_in,socks_out";
    char query[3 * GRAPH_NAME_MAX + 128], api[sizeof query + 64], from[24], to[24];
    if (web_uplot_size <= 1)
        return;
    put_query(query, sizeof query, name, NULL, own);
    snprintf(api, sizeof api, "/api/v1/series/%s?%s", series_kind_name(kind), query);
    snprintf(from, sizeof from, "%lld", (long long)range->start_s);
    snprintf(to, sizeof to, "%lld", (long long)range->end_s);
    html(out,
         "<section id=\"chart\" data-api=\"{}\" data-from=\"{}\" data-to=\"{}\" "
         "data-views=\"{}\" hidden><h2>Look closer</h2></section>\n"
         "<script src=\"/uplot.js\" defer></script><script src=\"/chart.js\" defer></script>\n",
         api, from, to, kind == SERIES_SENSOR ? of_sensor : of_others, NULL);
}
