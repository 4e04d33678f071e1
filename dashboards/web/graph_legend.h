// The numbers below a picture: whole, for people.
#pragma once

#include "common/series.h"

struct graph_numbers {
    double now; // of the last known interval; NaN: all unknown
    double average, maximum, p95, total;
};

// Over the known intervals of one source; average and total over the minutes that were watched. The 95th is
// the smallest average that 95 of 100 intervals do not exceed (nearest rank). -ENOMEM.
int graph_numbers(const struct series_sample *s, size_t count, int32_t step_s, unsigned source,
                  struct graph_numbers *out);

#define GRAPH_NUMBER_MAX 24
// "1,234"; "<1" for what would round to 0 and is not; "-" for NaN.
const char *graph_number(double v, char out[static GRAPH_NUMBER_MAX]);
