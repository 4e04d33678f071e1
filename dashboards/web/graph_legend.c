// Sums over samples, and numbers with commas.
#include "web/graph_legend.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int graph_numbers(const struct series_sample *s, size_t count, int32_t step_s, unsigned source,
                  struct graph_numbers *out)
{
    struct graph_numbers n = {NAN, NAN, NAN, NAN, NAN};
    double *known = calloc(count ? count : 1, sizeof *known);
    struct series_total t = series_sum(s, count, step_s, source, 0);
    size_t k = 0;
    if (!known)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        double v = s[i].average[source], m = s[i].maximum[source];
        if (!isnan(m) && (isnan(n.maximum) || m > n.maximum))
            n.maximum = m;
        if (isnan(v))
            continue;
        known[k++] = v;
        n.now = v;
    }
    if (k > 0) {
        qsort(known, k, sizeof *known, ascending);
        n.average = t.minutes > 0 ? t.counted / (double)t.minutes : NAN;
        n.p95 = known[(95 * k + 99) / 100 - 1];
        n.total = t.counted;
    }
    free(known);
    *out = n;
    return 0;
}

const char *graph_number(double v, char out[static GRAPH_NUMBER_MAX])
{
    char digits[GRAPH_NUMBER_MAX];
    if (isnan(v) || fabs(v) > 1e15)
        return memcpy(out, "-", 2);
    if (v > 0 && v < 0.5)
        return memcpy(out, "<1", 3);
    int n = snprintf(digits, sizeof digits, "%.0f", round(v)); // half is one, not even
    char *at = out;
    for (int i = 0; i < n; i++) {
        *at++ = digits[i];
        if (digits[i] != '-' && i < n - 1 && (n - 1 - i) % 3 == 0)
            *at++ = ',';
    }
    *at = '\0';
    return out;
}
