// librrd draws from RRD files, but its files do not know who watched when. So the answer of
// series_fetch is written to a small file of the worker's own, and that is drawn: a picture and a
// table of the same range say the same.
#include "web/graph.h"

#include <errno.h>
#include <math.h>
#include <rrd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/timefmt.h"

enum { ARGS_MAX = 96, ARG_MAX = 256, SOURCES = 2 * SERIES_SOURCES + 1 };

// Arguments for rrd_graph_v, in storage of a fixed size.
struct args {
    char text[ARGS_MAX][ARG_MAX];
    char *argv[ARGS_MAX];
    int argc;
};

static void arg(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void arg(struct args *a, const char *fmt, ...)
{
    if (a->argc == ARGS_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(a->text[a->argc], ARG_MAX, fmt, ap);
    va_end(ap);
    a->argv[a->argc] = a->text[a->argc];
    a->argc++;
}

static const char *const view_names[GRAPH_VIEWS] = {"connections", "peers", "mail", "socks"};
static const char *const view_titles[GRAPH_VIEWS] = {
    "Mail connections a minute, by outcome",
    "Distinct mail servers a minute",
    "Messages and recipients a minute",
    "SOCKS sessions a minute (in above, out below)",
};

const char *graph_view_name(unsigned view)
{
    return view < GRAPH_VIEWS ? view_names[view] : NULL;
}

const char *graph_view_title(unsigned view)
{
    return view < GRAPH_VIEWS ? view_titles[view] : NULL;
}

int graph_view_parse(const char *name)
{
    for (int v = 0; v < GRAPH_VIEWS; v++)
        if (strcmp(name, view_names[v]) == 0)
            return v;
    return -EINVAL;
}

// A source of the temporary file: a<N> average, m<N> maximum, obs 1 or unknown.
static int create_scratch(const char *path, int64_t start_s, int32_t step_s, size_t rows)
{
    char text[SOURCES + 1][64];
    const char *argv[SOURCES + 1];
    int argc = 0;
    for (int s = 0; s < SERIES_SOURCES; s++) {
        snprintf(text[argc++], sizeof text[0], "DS:a%d:GAUGE:%d:U:U", s, 2 * step_s);
        snprintf(text[argc++], sizeof text[0], "DS:m%d:GAUGE:%d:U:U", s, 2 * step_s);
    }
    snprintf(text[argc++], sizeof text[0], "DS:obs:GAUGE:%d:U:U", 2 * step_s);
    snprintf(text[argc++], sizeof text[0], "RRA:AVERAGE:0.5:1:%zu", rows);
    for (int i = 0; i < argc; i++)
        argv[i] = text[i];
    return rrd_create_r(path, (unsigned long)step_s, (time_t)start_s, argc, argv);
}

static size_t put_number(char *at, size_t room, double v)
{
    int n = isnan(v) ? snprintf(at, room, ":U") : snprintf(at, room, ":%.10g", v);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static int fill_scratch(const char *path, const struct series_sample *s, size_t count)
{
    enum { LINE = 32 + SOURCES * 20, BATCH = 128 };
    char(*line)[LINE] = malloc(BATCH * sizeof *line);
    const char *argv[BATCH];
    int rc = line ? 0 : -1;
    for (size_t done = 0; rc == 0 && done < count;) {
        int n = 0;
        for (; n < BATCH && done < count; n++, done++) {
            size_t at = (size_t)snprintf(line[n], LINE, "%lld", (long long)s[done].t_s);
            for (unsigned v = 0; v < SERIES_SOURCES; v++) {
                at += put_number(line[n] + at, LINE - at, s[done].average[v]);
                at += put_number(line[n] + at, LINE - at, s[done].maximum[v]);
            }
            put_number(line[n] + at, LINE - at, s[done].observed ? 1.0 : 0.0);
            argv[n] = line[n];
        }
        rc = rrd_update_r(path, NULL, n, argv);
    }
    free(line);
    return rc;
}

struct shade {
    const char *fill, *line;
};

// Colours that differ in lightness too, so that they can be told apart without seeing hue.
static const struct shade shades[2][4] = {
    {{"#8fbf9f", "#2f6b45"},
     {"#e0a458", "#9a5b13"},
     {"#d0605e", "#8c1c1a"},
     {"#7fa8d9", "#1f4e8c"}},
    {{"#4f8f68", "#9fe0b8"},
     {"#b87a2c", "#f2c078"},
     {"#b5403d", "#f59a98"},
     {"#3f6fae", "#a9cbf5"}},
};

static void common_args(struct args *a, const struct graph_request *q, const char *range)
{
    arg(a, "graph");
    arg(a, "-");
    arg(a, "--imgformat=%s", q->format == GRAPH_SVG ? "SVG" : "PNG");
    arg(a, "--start=%lld", (long long)q->start_s);
    arg(a, "--end=%lld", (long long)q->end_s);
    arg(a, "--width=%d", q->width);
    arg(a, "--height=%d", q->height);
    arg(a, "--title=%s - %s", graph_view_title(q->view), q->name);
    arg(a, "--vertical-label=a minute");
    arg(a, "--watermark=%s", range);
    arg(a, "--border=0");
    arg(a, "--slope-mode");
    arg(a, "--alt-autoscale-max");
    if (q->view != GRAPH_SOCKS)
        arg(a, "--lower-limit=0");
    arg(a, "--units-exponent=0");
    arg(a, "--font=DEFAULT:8:DejaVu Sans Mono");
    arg(a, "--font=TITLE:10:DejaVu Sans");
    if (q->dark) {
        arg(a, "--color=BACK#16191d");
        arg(a, "--color=CANVAS#1d2126");
        arg(a, "--color=FONT#e3e6ea");
        arg(a, "--color=GRID#3a414a80");
        arg(a, "--color=MGRID#59626e80");
        arg(a, "--color=AXIS#9aa4b0");
        arg(a, "--color=ARROW#9aa4b0");
    } else {
        arg(a, "--color=BACK#ffffff");
        arg(a, "--color=CANVAS#ffffff");
        arg(a, "--color=FONT#1c2126");
    }
}

// Average as area, maximum as line, with current, average, maximum and total in whole numbers.
static void draw_source(struct args *a, const char *file, int source, const char *label,
                        const struct shade *shade, bool stacked, bool below)
{
    const char *sign = below ? "-1" : "1";
    arg(a, "DEF:a%d=%s:a%d:AVERAGE", source, file, source);
    arg(a, "DEF:m%d=%s:m%d:AVERAGE", source, file, source);
    arg(a, "CDEF:sa%d=a%d,%s,*", source, source, sign);
    arg(a, "CDEF:sm%d=m%d,%s,*", source, source, sign);
    arg(a, "AREA:sa%d%s:%-12s%s", source, shade->fill, label, stacked ? ":STACK" : "");
    if (!stacked)
        arg(a, "LINE1:sm%d%s", source, shade->line);
    arg(a, "VDEF:l%d=a%d,LAST", source, source);
    arg(a, "VDEF:v%d=a%d,AVERAGE", source, source);
    arg(a, "VDEF:x%d=m%d,MAXIMUM", source, source);
    arg(a, "CDEF:c%d=a%d,60,/", source, source); // a second, as TOTAL multiplies by seconds
    arg(a, "VDEF:n%d=c%d,TOTAL", source, source);
    arg(a, "GPRINT:l%d:now %%6.0lf", source);
    arg(a, "GPRINT:v%d:average %%8.2lf", source);
    arg(a, "GPRINT:x%d:maximum %%6.0lf", source);
    arg(a, "GPRINT:n%d:total %%8.0lf\\l", source);
}

static void view_args(struct args *a, const struct graph_request *q, const char *file)
{
    const struct shade *shade = shades[q->dark];
    switch (q->view) {
    case GRAPH_CONNECTIONS:
        draw_source(a, file, SERIES_ESTABLISHED, "established", &shade[0], false, false);
        draw_source(a, file, SERIES_REFUSED, "refused", &shade[1], true, false);
        draw_source(a, file, SERIES_UNANSWERED, "unanswered", &shade[2], true, false);
        break;
    case GRAPH_PEERS: draw_source(a, file, SERIES_PEERS, "servers", &shade[3], false, false); break;
    case GRAPH_MAIL:
        draw_source(a, file, SERIES_RECIPIENTS, "recipients", &shade[1], false, false);
        draw_source(a, file, SERIES_MESSAGES, "messages", &shade[3], false, false);
        break;
    default:
        draw_source(a, file, SERIES_SOCKS_IN, "in", &shade[2], false, false);
        draw_source(a, file, SERIES_SOCKS_OUT, "out", &shade[3], false, true);
        arg(a, "HRULE:0#808080");
        break;
    }
    arg(a, "DEF:obs=%s:obs:AVERAGE", file);
    arg(a, "CDEF:blind=obs,0,GT,UNKN,INF,IF");
    arg(a, "AREA:blind%s:not observed\\l", q->dark ? "#6b728060" : "#9aa0a660");
}

// librrd takes ':' in file names and texts as a separator.
static bool is_safe_path(const char *path)
{
    return !strpbrk(path, ":\\");
}

static int render(const struct graph_request *q, const char *file, struct buf *out,
                  char error[static 160])
{
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX], range[2 * TIME_TEXT_MAX + 8];
    snprintf(range, sizeof range, "%s to %s", time_format(q->start_s * 1000, from),
             time_format(q->end_s * 1000, to));
    struct args *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    common_args(a, q, range);
    view_args(a, q, file);
    rrd_clear_error();
    rrd_info_t *info = rrd_graph_v(a->argc, a->argv);
    free(a);
    int rc = -EIO;
    for (const rrd_info_t *i = info; i; i = i->next) {
        if (strcmp(i->key, "image") != 0 || i->type != RD_I_BLO)
            continue;
        buf_bytes(out, i->value.u_blo.ptr, i->value.u_blo.size);
        rc = out->failed ? -ENOSPC : 0;
    }
    if (rc != 0)
        snprintf(error, 160, "%s", rrd_test_error() ? rrd_get_error() : "no picture was made");
    rrd_clear_error();
    if (info)
        rrd_info_free(info);
    return rc;
}

int graph_draw(const struct graph_request *q, const char *rrd_dir, const char *scratch,
               struct buf *out, char error[static 160])
{
    struct series_range range = {
        .start_s = q->start_s, .end_s = q->end_s, .own_start_s = q->lease_start_s};
    struct series_sample *samples;
    size_t count;
    int rc = series_fetch(rrd_dir, q->kind, q->name, &range, &samples, &count);
    if (rc != 0) {
        snprintf(error, 160, "%s: %s", q->name, strerror(-rc));
        return rc;
    }
    char file[256];
    int n = snprintf(file, sizeof file, "%s/graph.%ld.rrd", scratch, (long)getpid());
    if (n >= (int)sizeof file || !is_safe_path(file)) {
        snprintf(error, 160, "the scratch folder's path is too long or has ':' or '\\' in it");
        rc = -EINVAL;
    }
    rrd_clear_error();
    if (rc == 0 && (create_scratch(file, range.start_s, range.step_s, count) != 0 ||
                    fill_scratch(file, samples, count) != 0)) {
        snprintf(error, 160, "%s", rrd_test_error() ? rrd_get_error() : "out of memory");
        rc = -EIO;
    }
    if (rc == 0)
        rc = render(q, file, out, error);
    unlink(file);
    free(samples);
    return rc;
}
