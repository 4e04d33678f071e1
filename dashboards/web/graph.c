// The arguments of rrd_graph_v for each view.
#include "web/graph.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "web/graph_args.h"
#include "web/graph_axis.h"
#include "web/graph_legend.h"
#include "web/graph_scratch.h"
#include "web/graph_view.h"

struct band {
    const char *source, *label;
    const char *colour[2]; // light, dark
};

static const struct band bands[] = {
    {"tick", "ticket", {"#c2185b28", "#f06aa040"}},
    {"loss", "loss over 0.1 %", {"#e6c30050", "#e6c30048"}},
    {"odd", "out of line", {"#8a5fbf40", "#b794e048"}},
};

static const char *const other_colour[2] = {"#5b7fa638", "#7fa3cc30"};

// How far below zero the picture goes; some air, so that no line lies on the frame.
static double lowest(const struct graph_viewing *v, const struct graph_data *d)
{
    double most = 0;
    for (unsigned l = 0; l < v->lines; l++)
        for (size_t i = 0; v->line[l].below && i < d->count; i++)
            if (d->sample[i].maximum[v->line[l].source] > most)
                most = d->sample[i].maximum[v->line[l].source];
    return most;
}

// A name that would not fit into the title loses its middle.
static const char *title_name(const char *name, char out[static 64])
{
    enum { KEPT = 22 };
    size_t n = strlen(name);
    if (n <= 2 * KEPT + 3)
        snprintf(out, 64, "%.47s", name);
    else
        snprintf(out, 64, "%.*s...%s", KEPT, name, name + n - KEPT);
    return out;
}

static bool is_narrow(const struct graph_request *q)
{
    return q->width < GRAPH_NARROW;
}

static void common_args(struct graph_args *a, const struct graph_request *q,
                        const struct graph_data *d)
{
    const struct graph_viewing *v = &graph_views[q->view];
    graph_arg(a, "graph");
    graph_arg(a, "-");
    graph_arg(a, "--imgformat=%s", q->format == GRAPH_SVG ? "SVG" : "PNG");
    graph_arg(a, "--start=%lld", (long long)d->start_s);
    graph_arg(a, "--end=%lld", (long long)(d->start_s + (int64_t)d->count * d->step_s));
    graph_arg(a, "--width=%d", q->width);
    graph_arg(a, "--height=%d", q->height);
    char name[64];
    if (is_narrow(q)) // the name stands below
        graph_arg(a, "--title=%s", v->title);
    else
        graph_arg(a, "--title=%s - %s", v->title, title_name(q->name, name));
    struct graph_axis axis = graph_axis_of((int64_t)d->count * d->step_s, is_narrow(q));
    graph_axis_use(&axis);
    if (axis.grid)
        graph_arg(a, "--x-grid=%s", axis.grid);
    graph_arg(a, "--vertical-label=%s", v->unit);
    graph_arg(a, "--border=0");
    // An axis with blanks for words on the right: room for the last word below, else cut off.
    graph_arg(a, "--right-axis=1:0");
    graph_arg(a, "--right-axis-formatter=timestamp");
    graph_arg(a, "--right-axis-format= ");
    graph_arg(a, "--disable-rrdtool-tag");
    graph_arg(a, "--alt-autoscale-max");
    graph_arg(a, "--lower-limit=%.3g", -1.1 * lowest(v, d));
    if (!v->sensor)
        graph_arg(a, "--units-exponent=0");
    graph_arg(a, "--font=DEFAULT:8:DejaVu Sans Mono");
    graph_arg(a, "--font=TITLE:%d:DejaVu Sans", is_narrow(q) ? 9 : 10);
    if (is_narrow(q)) // a title as wide as the plot would lie on the arrows of its axes
        graph_arg(a, "--color=ARROW#00000000");
    if (q->dark) {
        graph_arg(a, "--color=BACK#16191d");
        graph_arg(a, "--color=CANVAS#1d2126");
        graph_arg(a, "--color=FONT#e3e6ea");
        graph_arg(a, "--color=GRID#3a414a80");
        graph_arg(a, "--color=MGRID#59626e80");
        graph_arg(a, "--color=AXIS#9aa4b0");
        if (!is_narrow(q))
            graph_arg(a, "--color=ARROW#9aa4b0");
        graph_arg(a, "--color=FRAME#9aa4b0");
    } else {
        graph_arg(a, "--color=BACK#ffffff");
        graph_arg(a, "--color=CANVAS#ffffff");
        graph_arg(a, "--color=FONT#1c2126");
        graph_arg(a, "--color=FRAME#59626e");
    }
}

// Full height, also below zero where the picture has that.
static void full_height(struct graph_args *a, const char *name, const char *condition,
                        const char *colour, bool below)
{
    graph_arg(a, "CDEF:%s=%s,INF,UNKN,IF", name, condition);
    graph_arg(a, "AREA:%s%s", name, colour);
    if (!below)
        return;
    graph_arg(a, "CDEF:%sb=%s,NEGINF,UNKN,IF", name, condition);
    graph_arg(a, "AREA:%sb%s", name, colour);
}

// Behind the values. Not observed: a light ground with bars of some pixels, which no value looks like.
// Observed in part: the bars alone.
static void draw_bands(struct graph_args *a, const struct graph_request *q,
                       const struct graph_data *d, const char *file)
{
    bool below = q->view == GRAPH_SOCKS;
    char condition[128], name[16];
    for (size_t b = 0; b < sizeof bands / sizeof bands[0]; b++) {
        graph_arg(a, "DEF:%s=%s:%s:AVERAGE:reduce=MAX", bands[b].source, file, bands[b].source);
        snprintf(condition, sizeof condition, "%s,0,GT", bands[b].source);
        snprintf(name, sizeof name, "band%zu", b);
        full_height(a, name, condition, bands[b].colour[q->dark], below);
    }
    // The time of another party, which is not this one's to see.
    graph_arg(a, "DEF:other=%s:other:AVERAGE:reduce=MAX", file);
    full_height(a, "others", "other,0,GT", other_colour[q->dark], below);
    int64_t pixel_s = (int64_t)d->count * d->step_s / q->width;
    int64_t bar_s = (4 * pixel_s + d->step_s - 1) / d->step_s * d->step_s;
    if (bar_s < d->step_s)
        bar_s = d->step_s;
    graph_arg(a, "DEF:obs=%s:obs:AVERAGE:reduce=MAX", file);
    full_height(a, "blind", "obs,0,EQ", q->dark ? "#6b728040" : "#9aa0a638", below);
    graph_arg(a, "DEF:part=%s:part:AVERAGE:reduce=MAX", file);
    snprintf(condition, sizeof condition, "obs,0,EQ,part,0,GT,+,0,GT,TIME,%lld,%%,%lld,LT,*",
             (long long)(2 * bar_s), (long long)bar_s);
    full_height(a, "bars", condition, q->dark ? "#6b728060" : "#9aa0a660", below);
}

// `sm`: the maximum as it is drawn. On a stack it lies on those below it, and where it is nothing it is left out:
// there its line would hide the one beneath.
static void define_line(struct graph_args *a, const struct graph_viewing *v, unsigned at,
                        const char *file)
{
    const struct graph_line *l = &v->line[at];
    const char *sign = l->below ? "-1" : "1";
    graph_arg(a, "DEF:a%d=%s:a%d:AVERAGE", l->source, file, l->source);
    graph_arg(a, "DEF:m%d=%s:m%d:AVERAGE:reduce=MAX", l->source, file, l->source);
    graph_arg(a, "CDEF:sa%d=a%d,%s,*", l->source, l->source, sign);
    if (!l->stacked) {
        graph_arg(a, "CDEF:top%d=m%d,%s,*", l->source, l->source, sign);
        graph_arg(a, "CDEF:sm%d=top%d", l->source, l->source);
    } else {
        graph_arg(a, "CDEF:top%d=m%d,top%d,+", l->source, l->source, v->line[at - 1].source);
        graph_arg(a, "CDEF:sm%d=m%d,0,GT,top%d,UNKN,IF", l->source, l->source, l->source);
    }
    graph_arg(a, "CDEF:st%d=lone,0,GT,m%d,%s,*,UNKN,IF", l->source, l->source, sign);
}

static void draw_area(struct graph_args *a, const struct graph_line *l,
                      const struct graph_request *q)
{
    graph_arg(a, "AREA:sa%d%s%s%s", l->source, graph_shades[q->dark][l->shade].fill,
              q->view == GRAPH_MAIL ? "d0" : "", l->stacked ? "::STACK" : "");
}

// A time that stands alone and is some pixels wide: from zero to its maximum, else that is a speck in the air.
static void draw_stem(struct graph_args *a, const struct graph_line *l,
                      const struct graph_request *q)
{
    graph_arg(a, "AREA:st%d%s%s%s", l->source, graph_shades[q->dark][l->shade].line,
              graph_is_stacked(q->view) ? "" : "c0", l->stacked ? "::STACK" : "");
}

// After all areas, so that none hides a line. Of equal lines the later is broken, and shows the earlier.
static void draw_maximum(struct graph_args *a, unsigned at, const struct graph_request *q)
{
    static const char *const dashes[GRAPH_LINES_MAX] = {"", "::dashes=3,3", "::dashes=1,3"};
    const struct graph_line *l = &graph_views[q->view].line[at];
    bool together = !l->stacked && !l->below;
    graph_arg(a, "LINE1:sm%d%s%s", l->source, graph_shades[q->dark][l->shade].line,
              together ? dashes[at] : "");
}

static void put_numbers(struct graph_args *a, const struct graph_line *l,
                        const struct graph_request *q, const struct graph_data *d)
{
    struct graph_numbers n;
    char now[GRAPH_NUMBER_MAX], average[GRAPH_NUMBER_MAX], maximum[GRAPH_NUMBER_MAX],
        p95[GRAPH_NUMBER_MAX], total[GRAPH_NUMBER_MAX], text[GRAPH_ARG_MAX];
    if (graph_numbers(d->sample, d->count, d->step_s, l->source, &n) != 0)
        return;
    graph_number(n.now, now);
    graph_number(n.average, average);
    graph_number(n.maximum, maximum);
    graph_number(n.p95, p95);
    if (q->view == GRAPH_LOSS) // parts in a million do not add up
        total[0] = '\0';
    else
        graph_number(n.total, total);
    if (is_narrow(q))
        snprintf(text, sizeof text, "%9s%9s%14s", average, maximum, total);
    else
        snprintf(text, sizeof text, "%11s%11s%11s%11s%17s", now, average, maximum, p95, total);
    graph_arg(a, "AREA:none%s:%-13s", graph_shades[q->dark][l->shade].fill, l->label);
    graph_comment(a, text, "\\l");
}

static void time_text(int64_t t_s, char out[static 32])
{
    struct tm tm;
    time_t t = (time_t)t_s;
    if (!gmtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M", &tm) == 0)
        out[0] = '\0';
}

static const char *step_text(int32_t step_s)
{
    return step_s == 60 ? "1 min" : step_s == 600 ? "10 min" : step_s == 3600 ? "1 h" : "1 day";
}

static bool lease_begins(const struct graph_data *d, size_t lease)
{
    int64_t end_s = d->start_s + (int64_t)d->count * d->step_s;
    return d->lease[lease].start_s > d->start_s && d->lease[lease].start_s < end_s;
}

static void put_range(struct graph_args *a, const struct graph_request *q, const char *range,
                      const char *step)
{
    char text[GRAPH_ARG_MAX];
    if (is_narrow(q))
        graph_comment(a, range, "\\l");
    snprintf(text, sizeof text, "%.60s%sy %s. Area: average, line: maximum%s.",
             is_narrow(q) ? "" : range, is_narrow(q) ? "B" : ", b", step,
             graph_is_stacked(q->view) ? ", stacked" : "");
    graph_comment(a, text, "\\l");
}

// Of how much of the time the numbers speak.
static void put_share(struct graph_args *a, const struct graph_request *q,
                      const struct graph_data *d)
{
    char text[GRAPH_ARG_MAX], share[SERIES_SHARE_MAX];
    struct series_total t = series_sum(d->sample, d->count, d->step_s,
                                       graph_views[q->view].line[0].source, q->end_s);
    series_share(&t, share);
    if (strcmp(share, "all") == 0)
        snprintf(text, sizeof text, "Watched: all of this time.");
    else if (strcmp(share, "none") == 0)
        snprintf(text, sizeof text, "Watched: none of this time.");
    else
        snprintf(text, sizeof text, "Watched: %s of this time; average and total%s", share,
                 is_narrow(q) ? "" : " are of that alone.");
    graph_comment(a, text, "\\l");
    if (is_narrow(q) && strstr(text, "average"))
        graph_comment(a, "are of that alone.", "\\l");
}

static void put_legend(struct graph_args *a, const struct graph_request *q,
                       const struct graph_data *d)
{
    const struct graph_viewing *v = &graph_views[q->view];
    char text[GRAPH_ARG_MAX], from[32], to[32];
    graph_arg(a, "CDEF:none=obs,UN,UNKN,UNKN,IF");
    const char *total = q->view == GRAPH_LOSS ? "" : "total";
    if (is_narrow(q)) {
        graph_comment(a, title_name(q->name, text), "\\l");
        snprintf(text, sizeof text, "%-15s%9s%9s%14s", "", "average", "maximum", total);
    } else {
        snprintf(text, sizeof text, "%-17s%11s%11s%11s%11s%17s", "", "now", "average", "maximum",
                 "95th", total);
    }
    graph_comment(a, text, "\\l");
    for (unsigned i = 0; i < v->lines; i++)
        put_numbers(a, &v->line[i], q, d);
    bool has[6] = {false}, lease = false;
    for (size_t i = 0; i < d->count; i++) {
        has[0] = has[0] || graph_data_has_ticket(d, q, i);
        has[1] = has[1] || graph_data_has_loss(d, i);
        has[2] = has[2] || d->odd[i];
        has[3] = has[3] || (!d->sample[i].observed && !d->sample[i].others);
        has[4] = has[4] || graph_data_is_others(d, i);
        has[5] = has[5] || graph_data_is_partial(d, i);
    }
    time_text(d->start_s, from);
    time_text(d->start_s + (int64_t)d->count * d->step_s, to);
    const char *gap = is_narrow(q) ? "" : "  ";
    for (size_t b = 0; b < 3; b++)
        if (has[b])
            graph_arg(a, "AREA:none%.7s:%s%s", bands[b].colour[q->dark], bands[b].label, gap);
    if (has[3])
        graph_arg(a, "AREA:none%s:not observed%s", q->dark ? "#6b7280" : "#9aa0a6", gap);
    if (has[5])
        graph_arg(a, "AREA:none%s:observed in part%s", q->dark ? "#4d535c" : "#c3c7cb", gap);
    if (has[4])
        graph_arg(a, "AREA:none%.7s:another party's%s", other_colour[q->dark], gap);
    for (size_t i = 0; i < d->leases; i++)
        lease = lease || lease_begins(d, i);
    if (lease)
        graph_arg(a, "AREA:none%s:lease change%s", q->dark ? "#e3e6ea" : "#1c2126", gap);
    graph_arg(a, "COMMENT:\\l");
    snprintf(text, sizeof text, "%s to %s UTC", from, to);
    put_range(a, q, text, step_text(d->step_s));
    put_share(a, q, d);
}

static void draw_leases(struct graph_args *a, const struct graph_request *q,
                        const struct graph_data *d)
{
    enum { RULES_MAX = 12 };
    int rules = 0;
    for (size_t i = 0; i < d->leases && rules < RULES_MAX; i++) {
        if (!lease_begins(d, i))
            continue;
        graph_arg(a, "VRULE:%lld%s::dashes=4,3", (long long)d->lease[i].start_s,
                  q->dark ? "#e3e6ea" : "#1c2126");
        rules++;
    }
}

static void view_args(struct graph_args *a, const struct graph_request *q,
                      const struct graph_data *d, const char *file)
{
    const struct graph_viewing *v = &graph_views[q->view];
    draw_bands(a, q, d, file);
    graph_arg(a, "DEF:lone=%s:lone:AVERAGE:reduce=MAX", file);
    for (unsigned i = 0; i < v->lines; i++)
        define_line(a, v, i, file);
    for (unsigned i = 0; i < v->lines; i++)
        draw_area(a, &v->line[i], q);
    for (unsigned i = 0; i < v->lines; i++)
        draw_stem(a, &v->line[i], q);
    for (unsigned i = 0; i < v->lines; i++)
        draw_maximum(a, i, q);
    if (q->view == GRAPH_SOCKS)
        graph_arg(a, "HRULE:0#808080");
    draw_leases(a, q, d);
    put_legend(a, q, d);
}

// librrd takes ':' in file names and texts as a separator.
static bool is_safe_path(const char *path)
{
    return !strpbrk(path, ":\\");
}

// The size in the head of an SVG: librrd writes a pixel as "pt", which is larger on a page.
static void points_to_pixels(struct buf *out, size_t from)
{
    enum { HEAD = 400 };
    for (size_t i = from; i + 3 < out->len && i < from + HEAD; i++)
        if (memcmp(out->data + i, "pt\"", 3) == 0)
            memcpy(out->data + i, "px", 2);
}

static int render(const struct graph_request *q, const struct graph_data *d, const char *file,
                  struct buf *out, char error[static 160])
{
    struct graph_args *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    common_args(a, q, d);
    view_args(a, q, d, file);
    size_t from = out->len;
    int rc = graph_scratch_draw(a->argc, a->argv, out, error);
    if (rc == 0 && q->format == GRAPH_SVG)
        points_to_pixels(out, from);
    free(a);
    return rc;
}

int graph_draw(const struct graph_request *q, const char *rrd_dir, const char *scratch,
               struct buf *out, char error[static 160])
{
    struct graph_data d;
    int rc = graph_data_get(q, rrd_dir, &d);
    if (rc != 0) {
        char why[SERIES_EXPLAIN_MAX];
        snprintf(error, 160, "%.159s", series_explain(q->kind, q->name, rc, why));
        return rc;
    }
    unsigned sources = 0;
    for (unsigned i = 0; i < graph_views[q->view].lines; i++)
        sources |= 1u << graph_views[q->view].line[i].source;
    char file[256];
    int n = snprintf(file, sizeof file, "%s/graph.%ld.rrd", scratch, (long)getpid());
    if (n >= (int)sizeof file || !is_safe_path(file)) {
        snprintf(error, 160, "the scratch folder's path is too long or has ':' or '\\' in it");
        rc = -EINVAL;
    }
    if (rc == 0)
        rc = graph_scratch_write(file, &d, q, sources, error);
    if (rc == 0)
        rc = render(q, &d, file, out, error);
    unlink(file);
    graph_data_free(&d);
    return rc;
}
