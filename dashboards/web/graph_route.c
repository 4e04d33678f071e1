// Requests for pictures: checked here, drawn by a worker, answered when it has done so. What goes
// wrong is answered as a picture with the right status, so that a page never shows a broken image.
#include "web/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AGE_S = 30 };

static const char *content_type(uint8_t format)
{
    return format == GRAPH_SVG ? "image/svg+xml" : "image/png";
}

// An SVG with one line of text; browsers show it whatever the format asked for.
static void error_picture(struct http_answer *a, unsigned status, bool dark, const char *text)
{
    a->status = status;
    a->type = "image/svg+xml";
    a->max_age_s = 0;
    buf_clear(&a->body);
    buf_printf(&a->body,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"697\" height=\"60\" "
               "viewBox=\"0 0 697 60\" role=\"img\">"
               "<rect width=\"697\" height=\"60\" fill=\"%s\" stroke=\"#8a9099\"/>"
               "<text x=\"14\" y=\"35\" font-family=\"sans-serif\" font-size=\"13\" fill=\"%s\">",
               dark ? "#16191d" : "#ffffff", dark ? "#e3e6ea" : "#1c2126");
    for (; *text; text++) { // no markup from a name or an error
        if (strchr("<>&\"'", *text))
            buf_text(&a->body, "?");
        else
            buf_bytes(&a->body, text, 1);
    }
    buf_text(&a->body, "</text></svg>\n");
}

// A parameter that is a number from `low` to `high`; absent: `otherwise`. Any other: `error` says so.
static int64_t number_in(const struct http_request *r, const char *name, int64_t low, int64_t high,
                         int64_t otherwise, char error[static 160])
{
    const char *text = http_query(r, name);
    char *end;
    if (!text)
        return otherwise;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno == 0 && end != text && !*end && n >= low && n <= high)
        return n;
    if (high == INT64_MAX)
        snprintf(error, 160, "%s: write an epoch, a number from %lld on", name, (long long)low);
    else
        snprintf(error, 160, "%s: write a number from %lld to %lld", name, (long long)low,
                 (long long)high);
    return otherwise;
}

// "subscriber/connections.png" into kind, view and format.
static bool parse_path(const char *path, struct graph_request *q)
{
    char text[64];
    if (strlen(path) >= sizeof text)
        return false;
    memcpy(text, path, strlen(path) + 1);
    char *slash = strchr(text, '/'), *dot = strrchr(text, '.');
    if (!slash || !dot || dot < slash)
        return false;
    *slash = *dot = '\0';
    int kind = series_kind_parse(text), view = graph_view_parse(slash + 1);
    bool svg = strcmp(dot + 1, "svg") == 0;
    if (kind < 0 || view < 0 || !graph_view_fits((unsigned)view, (enum series_kind)kind) ||
        (!svg && strcmp(dot + 1, "png") != 0))
        return false;
    q->kind = (uint8_t)kind;
    q->view = (uint8_t)view;
    q->format = svg ? GRAPH_SVG : GRAPH_PNG;
    return true;
}

// "1772448000-1772451600,...".
static bool parse_tickets(const char *text, struct graph_span out[static GRAPH_TICKETS_MAX])
{
    for (size_t n = 0; text && *text; n++) {
        char *end;
        long long from = strtoll(text, &end, 10);
        if (n == GRAPH_TICKETS_MAX || end == text || *end != '-')
            return false;
        text = end + 1;
        long long to = strtoll(text, &end, 10);
        if (end == text || from < 0 || to < from || (*end && *end != ','))
            return false;
        out[n] = (struct graph_span){from, to};
        text = *end == ',' ? end + 1 : "";
    }
    return true;
}

// What is asked for; `error` says which parameter is none.
static void parse_query(const struct http_request *r, struct graph_request *q,
                        char error[static 160])
{
    q->width = (int32_t)number_in(r, "width", GRAPH_WIDTH_MIN, 2000, GRAPH_WIDTH, error);
    q->height = (int32_t)number_in(r, "height", 60, 1000, GRAPH_HEIGHT, error);
    q->own_start_s = number_in(r, "own_from", 0, INT64_MAX, 0, error);
    q->own_end_s = number_in(r, "own_to", 0, INT64_MAX, 0, error);
    const char *theme = http_query(r, "theme");
    q->dark = theme && strcmp(theme, "dark") == 0;
    if (theme && !q->dark && strcmp(theme, "light") != 0)
        snprintf(error, 160, "theme: write light or dark");
    if (!parse_tickets(http_query(r, "tickets"), q->ticket))
        snprintf(error, 160, "tickets: write up to %d spans of epochs, as 1772448000-1772451600",
                 GRAPH_TICKETS_MAX);
}

static struct web_pending *free_place(struct web *w)
{
    for (size_t i = 0; i < WEB_PENDING_MAX; i++)
        if (w->pending[i].id == 0)
            return &w->pending[i];
    return NULL;
}

bool graph_route(struct web *w, const struct http_request *r, const char *path,
                 struct http_answer *a)
{
    struct graph_request q;
    memset(&q, 0, sizeof q); // as octets, so that equal requests are equal
    const char *name = http_query(r, "name");
    char error[160] = "";
    struct web_range range;
    parse_query(r, &q, error);
    if (!parse_path(path, &q)) {
        error_picture(a, 404, q.dark, "No such graph: /graph/subscriber/connections.png?name=...");
        return true;
    }
    if (!name || !*name || strlen(name) >= sizeof q.name) {
        error_picture(a, 400, q.dark, "name: whose graph? An address such as 192.0.2.7");
        return true;
    }
    if (error[0] || web_range(w, r, &range, error) != 0) {
        error_picture(a, 400, q.dark, error);
        return true;
    }
    memcpy(q.name, name, strlen(name) + 1);
    q.start_s = range.start_s;
    q.end_s = range.end_s;
    struct span drawn = graph_cache_get(w->cache, &q, r->now_ms);
    if (drawn.len > 0) {
        a->type = content_type(q.format);
        a->max_age_s = MAX_AGE_S;
        buf_bytes(&a->body, drawn.data, drawn.len);
        return true;
    }
    struct web_pending *place = w->ending ? NULL : free_place(w);
    if (!place) {
        error_picture(a, 503, q.dark, "Too many graphs are being drawn; try again.");
        return true;
    }
    q.id = ++w->next_id ? w->next_id : ++w->next_id;
    *place = (struct web_pending){
        .id = q.id, .exchange = r->exchange, .request = q, .asked_ms = r->now_ms};
    if (workers_draw(w->workers, &q) != 0) {
        place->id = 0;
        error_picture(a, 503, q.dark, "Too many graphs are being drawn; try again.");
        return true;
    }
    return false;
}

static void give(struct web *w, struct web_pending *p, int status, struct span image,
                 const char *error)
{
    bool dark = p->request.dark;
    struct http_answer a = {
        .status = 200, .type = content_type(p->request.format), .max_age_s = MAX_AGE_S};
    buf_init(&a.body, GRAPH_IMAGE_MAX + 4096);
    if (status == 0) {
        buf_bytes(&a.body, image.data, image.len);
        graph_cache_put(w->cache, &p->request, image, p->asked_ms);
    } else if (status == -ENOENT) {
        error_picture(&a, 404, dark, "No traffic of this name has been recorded.");
    } else if (status == -ESHUTDOWN) {
        error_picture(&a, 503, dark, error);
    } else {
        error_picture(&a, 500, dark, error);
        web_series_failed(w, error, p->asked_ms);
    }
    p->id = 0;
    http_finish(p->exchange, &a);
    buf_fini(&a.body);
}

void graph_drawn(uint32_t id, int status, struct span image, const char *error, void *ctx)
{
    struct web *w = ctx;
    for (size_t i = 0; i < WEB_PENDING_MAX; i++) {
        if (w->pending[i].id == id) {
            give(w, &w->pending[i], status, image, error);
            return;
        }
    }
}

void graph_give_up(struct web *w)
{
    w->ending = true;
    for (size_t i = 0; i < WEB_PENDING_MAX; i++)
        if (w->pending[i].id != 0)
            give(w, &w->pending[i], -ESHUTDOWN, (struct span){0}, "The server is ending.");
}
