// A series as a table: the latest intervals with something in them; quiet ones in a row are said
// together.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "web/html.h"
#include "web/web.h"

enum { ROWS = 60 };

static bool is_quiet(const struct series_sample *s)
{
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        if (isnan(s->average[v]) || s->average[v] > 0)
            return false;
    return true;
}

static bool is_unknown(const struct series_sample *s)
{
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        if (!isnan(s->average[v]))
            return false;
    return true;
}

static void number_cell(struct buf *out, double v)
{
    char text[32];
    if (isnan(v)) {
        html(out, "<td class=\"number unknown\">-</td>", NULL);
        return;
    }
    snprintf(text, sizeof text, v >= 1000 ? "%.0f" : "%.4g", v);
    html(out, "<td class=\"number\">{}</td>", text, NULL);
}

// How many intervals, ending with the last of `count`, are all `like` it.
static size_t run_of(const struct series_sample *s, size_t count,
                     bool (*like)(const struct series_sample *))
{
    size_t n = 0;
    while (n < count && like(&s[count - 1 - n]))
        n++;
    return n;
}

static void row(struct buf *out, const struct series_sample *s, int32_t step_s)
{
    char loss[32], share[SERIES_SHARE_MAX];
    struct series_total t = series_sum(s, 1, step_s, 0, 0);
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        number_cell(out, s->average[v]);
    snprintf(loss, sizeof loss, "%.2f %%", s->loss_ppm / 1e4);
    html(out, "<td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
         s->observed ? loss : "-", series_share(&t, share), NULL);
}

// Totals first: what was counted, and in how much of the time.
static void totals(struct buf *out, enum series_kind kind, const struct series_range *range,
                   const struct series_sample *s, size_t count, int64_t until_s)
{
    char share[SERIES_SHARE_MAX], number[32];
    struct series_total t = series_sum(s, count, range->step_s, 0, until_s);
    html(out, "<p class=\"totals\">In all:", NULL);
    for (unsigned v = 0; v < SERIES_SOURCES; v++) {
        struct series_total of = series_sum(s, count, range->step_s, v, until_s);
        if (kind == SERIES_SENSOR && v == SERIES_SENSOR_LOSS_PPM)
            continue; // parts in a million do not add up
        snprintf(number, sizeof number, isnan(of.counted) ? "unknown" : "%.0f", of.counted);
        html(out, "{} {} {}", v > 0 ? "," : "", series_source_name_of(kind, v), number, NULL);
    }
    series_share(&t, share);
    html(out, ". Watched: {} of this time", share, NULL);
    html(out, strcmp(share, "all") == 0 ? ".</p>\n" : "; the numbers are of that alone.</p>\n",
         NULL);
}

void page_numbers(struct buf *out, enum series_kind kind, const struct series_range *range,
                  const struct series_sample *s, size_t count, int64_t until_s)
{
    const char *step = range->step_s == 60     ? "one minute"
                       : range->step_s == 600  ? "ten minutes"
                       : range->step_s == 3600 ? "an hour"
                                               : "a day";
    html(out, "<h2>The same in numbers</h2>\n<p>A minute on average, over intervals of {}.</p>\n",
         step, NULL);
    totals(out, kind, range, s, count, until_s);
    html(out, "<div class=\"wide\"><table class=\"numbers\"><thead><tr><th>Until (UTC)</th>", NULL);
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        html(out, "<th class=\"number\">{}</th>", series_source_name_of(kind, v), NULL);
    html(out,
         "<th class=\"number\">loss</th>"
         "<th class=\"number\">watched</th></tr></thead><tbody>\n",
         NULL);
    unsigned rows = 0;
    for (size_t i = count; i > 0 && rows < ROWS; rows++) {
        char until[HTML_TIME_MAX], text[64];
        size_t quiet = run_of(s, i, is_quiet), unknown = run_of(s, i, is_unknown);
        html(out, "<tr><td>{}</td>", html_time(s[i - 1].t_s * 1000, until), NULL);
        if (quiet <= 1 && unknown <= 1) {
            row(out, &s[--i], range->step_s);
            continue;
        }
        size_t together = quiet > unknown ? quiet : unknown;
        snprintf(text, sizeof text,
                 quiet > unknown ? "nothing in %zu intervals" : "not known in %zu intervals",
                 together);
        html(out, "<td colspan=\"10\" class=\"quiet\">{}</td></tr>\n", text, NULL);
        i -= together;
    }
    html(out, "</tbody></table></div>\n", NULL);
}
