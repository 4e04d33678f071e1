// From a path to a page.
#include "web/web.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char web_style[];
extern const size_t web_style_size;

extern const unsigned char web_chart[], web_uplot[], web_uplot_style[];
extern const size_t web_chart_size, web_uplot_size, web_uplot_style_size;

struct file {
    const char *path, *type;
    const unsigned char *octets;
    const size_t *size;
};

// What is part of the program. The file of that path, NULL: none.
static const struct file *file_of(const char *path)
{
    static const struct file files[] = {
        {"/style.css", "text/css; charset=utf-8", web_style, &web_style_size},
        {"/chart.js", "text/javascript; charset=utf-8", web_chart, &web_chart_size},
        {"/uplot.js", "text/javascript; charset=utf-8", web_uplot, &web_uplot_size},
        {"/uplot.css", "text/css; charset=utf-8", web_uplot_style, &web_uplot_style_size},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(path, files[i].path) == 0 && *files[i].size > 1)
            return &files[i];
    return NULL;
}

static void give_file(const struct file *f, struct http_answer *a)
{
    a->type = f->type;
    a->max_age_s = -1;
    buf_bytes(&a->body, f->octets, *f->size);
}

// "/pop/NAME", "/class/NAME", "/sensor/NAME".
static bool aggregate(const struct web *w, const struct http_request *r, struct http_answer *a)
{
    static const enum series_kind kinds[] = {SERIES_POP, SERIES_CLASS, SERIES_SENSOR};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *name = series_kind_name(kinds[i]);
        size_t n = strlen(name);
        if (strncmp(r->path + 1, name, n) != 0 || r->path[1 + n] != '/' || !r->path[2 + n])
            continue;
        page_series(w, r, kinds[i], r->path + 2 + n, a);
        return true;
    }
    return false;
}

// A gate in a wall.
static void icon(struct http_answer *a)
{
    a->type = "image/svg+xml";
    a->max_age_s = -1;
    buf_text(&a->body, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">"
                       "<rect width=\"16\" height=\"16\" rx=\"3\" fill=\"#2f6b45\"/>"
                       "<path d=\"M5 14V7a3 3 0 0 1 6 0v7z\" fill=\"#fff\"/></svg>\n");
}

// What follows `prefix` in the path, or NULL.
static const char *behind(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

bool web_answer(const struct http_request *r, struct http_answer *a, void *ctx)
{
    struct web *w = ctx;
    const char *rest;
    if (strcmp(r->path, "/") == 0) {
        page_start(w, r, a);
    } else if (strcmp(r->path, "/tickets") == 0) {
        page_tickets(w, r, a);
    } else if ((rest = behind(r->path, "/tickets/")) && *rest) {
        char *end;
        errno = 0;
        long long number = strtoll(rest, &end, 10);
        if (errno != 0 || *end || number <= 0)
            page_error(w, a, 404, "No such ticket", "Tickets have numbers: /tickets/1");
        else
            page_ticket(w, r, number, a);
    } else if ((rest = behind(r->path, "/subscribers/")) && *rest) {
        page_subscriber(w, r, rest, a);
    } else if ((rest = behind(r->path, "/graph/"))) {
        return graph_route(w, r, rest, a);
    } else if ((rest = behind(r->path, "/api/v1/"))) {
        api_answer(w, r, rest, a);
    } else if (file_of(r->path)) {
        give_file(file_of(r->path), a);
    } else if (strcmp(r->path, "/icon.svg") == 0 || strcmp(r->path, "/favicon.ico") == 0) {
        icon(a);
    } else if (!aggregate(w, r, a)) {
        page_error(w, a, 404, "Not found", "There is no such page here.");
    }
    return true;
}
