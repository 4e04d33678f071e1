// One archive of exactly the rows of the picture, filled by updates in batches. The one place that
// calls librrd for pictures.
#include "web/graph_scratch.h"

#include <errno.h>
#include <math.h>
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONE_PIXELS = 3, BANDS = 7, SOURCES_MAX = 2 * SERIES_SOURCES + BANDS, LOSS_PPM = 1000 };

static int mark_odd(const struct graph_request *q, const char *rrd_dir, struct graph_data *d)
{
    struct series_band *band;
    size_t bands;
    d->odd = calloc(d->count ? d->count : 1, sizeof *d->odd);
    if (!d->odd)
        return -ENOMEM;
    if (q->kind == SERIES_SUBSCRIBER) // forecasts are of everybody together
        return 0;
    int rc = series_coverage(rrd_dir, q->kind, q->name, d->start_s,
                             d->start_s + (int64_t)d->count * d->step_s, &band, &bands);
    for (size_t b = 0; rc == 0 && b < bands; b++) {
        if (!(band[b].alarms & COVERAGE_ANOMALY))
            continue;
        for (int64_t t = band[b].start_s; t < band[b].end_s; t += SERIES_STEP_S) {
            size_t row = (size_t)((t - d->start_s) / d->step_s);
            if (t >= d->start_s && row < d->count)
                d->odd[row] = true;
        }
    }
    if (rc == 0)
        free(band);
    return rc;
}

int graph_data_get(const struct graph_request *q, const char *rrd_dir, struct graph_data *out)
{
    struct graph_data d = {0};
    struct series_range r = {.start_s = q->start_s,
                             .end_s = q->end_s,
                             .own_start_s = q->own_start_s,
                             .own_end_s = q->own_end_s};
    int rc = series_fetch(rrd_dir, q->kind, q->name, &r, &d.sample, &d.count);
    if (rc != 0)
        return rc;
    d.step_s = r.step_s;
    d.start_s = r.start_s;
    rc = mark_odd(q, rrd_dir, &d);
    if (rc == 0)
        rc = series_leases(rrd_dir, q->kind, q->name, &d.lease, &d.leases);
    if (rc != 0) {
        graph_data_free(&d);
        return rc;
    }
    *out = d;
    return 0;
}

void graph_data_free(struct graph_data *d)
{
    free(d->sample);
    free(d->odd);
    free(d->lease);
    *d = (struct graph_data){0};
}

bool graph_data_has_ticket(const struct graph_data *d, const struct graph_request *q, size_t row)
{
    int64_t end_s = d->sample[row].t_s, start_s = end_s - d->step_s;
    for (size_t i = 0; i < GRAPH_TICKETS_MAX; i++)
        if (q->ticket[i].end_s > start_s && q->ticket[i].start_s < end_s)
            return true;
    return false;
}

bool graph_data_has_loss(const struct graph_data *d, size_t row)
{
    return d->sample[row].observed && d->sample[row].loss_ppm > LOSS_PPM;
}

bool graph_data_is_others(const struct graph_data *d, size_t row)
{
    return d->sample[row].others;
}

bool graph_data_is_partial(const struct graph_data *d, size_t row)
{
    const struct series_sample *s = &d->sample[row];
    return s->observed && !s->others && s->minutes * SERIES_STEP_S < (uint32_t)d->step_s;
}

static bool is_known(const struct graph_data *d, size_t row)
{
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        if (!isnan(d->sample[row].maximum[v]))
            return true;
    return false;
}

void graph_data_widen(const struct graph_data *d, int32_t width, size_t *from, bool *lone)
{
    size_t wide = (LONE_PIXELS * d->count + (size_t)width - 1) / (size_t)width; // in rows
    for (size_t row = 0; row < d->count; row++) {
        from[row] = row;
        lone[row] = false;
    }
    for (size_t first = 0, end; first < d->count; first = end) {
        end = first + 1;
        if (!is_known(d, first))
            continue;
        while (end < d->count && is_known(d, end))
            end++;
        if (end - first >= wide)
            continue;
        size_t last = end - 1;
        // To the right while nothing is there, and to the left when that does not do.
        while (end < d->count && end - first < wide && !is_known(d, end))
            from[end++] = last;
        size_t begin = first;
        while (begin > 0 && end - begin < wide && !is_known(d, begin - 1) &&
               from[begin - 1] == begin - 1)
            from[--begin] = first;
        memset(lone + begin, true, end - begin);
    }
}

static int create(const char *path, const struct graph_data *d, unsigned sources)
{
    static const char *const bands[BANDS] = {"obs", "loss", "tick", "odd", "other", "part", "lone"};
    char text[SOURCES_MAX + 1][64];
    const char *argv[SOURCES_MAX + 1];
    int argc = 0;
    for (int s = 0; s < SERIES_SOURCES; s++) {
        if (!(sources >> s & 1))
            continue;
        snprintf(text[argc++], sizeof text[0], "DS:a%d:GAUGE:%d:U:U", s, 2 * d->step_s);
        snprintf(text[argc++], sizeof text[0], "DS:m%d:GAUGE:%d:U:U", s, 2 * d->step_s);
    }
    for (int b = 0; b < BANDS; b++)
        snprintf(text[argc++], sizeof text[0], "DS:%s:GAUGE:%d:U:U", bands[b], 2 * d->step_s);
    snprintf(text[argc++], sizeof text[0], "RRA:AVERAGE:0.5:1:%zu", d->count);
    for (int i = 0; i < argc; i++)
        argv[i] = text[i];
    return rrd_create_r(path, (unsigned long)d->step_s, (time_t)d->start_s, argc, argv);
}

static size_t put_number(char *at, size_t room, double v)
{
    int n = isnan(v) ? snprintf(at, room, ":U") : snprintf(at, room, ":%.10g", v);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static int fill(const char *path, const struct graph_data *d, const struct graph_request *q,
                unsigned sources)
{
    enum { LINE = 40 + SOURCES_MAX * 20, BATCH = 256 };
    char(*line)[LINE] = malloc(BATCH * sizeof *line);
    size_t *from = calloc(d->count, sizeof *from);
    bool *lone = calloc(d->count, sizeof *lone);
    const char *argv[BATCH];
    int rc = line && from && lone ? 0 : -1;
    if (rc == 0)
        graph_data_widen(d, q->width, from, lone);
    for (size_t row = 0; rc == 0 && row < d->count;) {
        int n = 0;
        for (; n < BATCH && row < d->count; n++, row++) {
            const struct series_sample *s = &d->sample[row], *drawn = &d->sample[from[row]];
            size_t at = (size_t)snprintf(line[n], LINE, "%lld", (long long)s->t_s);
            for (unsigned v = 0; v < SERIES_SOURCES; v++) {
                if (!(sources >> v & 1))
                    continue;
                at += put_number(line[n] + at, LINE - at, drawn->average[v]);
                at += put_number(line[n] + at, LINE - at, drawn->maximum[v]);
            }
            snprintf(line[n] + at, LINE - at, ":%d:%d:%d:%d:%d:%d:%d", s->observed || s->others,
                     graph_data_has_loss(d, row), graph_data_has_ticket(d, q, row), d->odd[row],
                     graph_data_is_others(d, row), graph_data_is_partial(d, row), lone[row]);
            argv[n] = line[n];
        }
        rc = rrd_update_r(path, NULL, n, argv);
    }
    free(line);
    free(from);
    free(lone);
    return rc;
}

int graph_scratch_write(const char *path, const struct graph_data *d, const struct graph_request *q,
                        unsigned sources, char error[static 160])
{
    rrd_clear_error();
    if (create(path, d, sources) == 0 && fill(path, d, q, sources) == 0)
        return 0;
    snprintf(error, 160, "%s", rrd_test_error() ? rrd_get_error() : "out of memory or space");
    return -EIO;
}

int graph_scratch_draw(int argc, char **argv, struct buf *out, char error[static 160])
{
    rrd_clear_error();
    rrd_info_t *info = rrd_graph_v(argc, argv);
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
