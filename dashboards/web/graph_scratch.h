// librrd draws from RRD files, but those of the series do not know who watched when. So the answer of
// series_fetch is written to a small file of the worker's own, and that is drawn: a picture and a
// table of the same range say the same.
#pragma once

#include "web/graph.h"

// What a picture needs: rows of sources and bands. `a<S>` and `m<S>` are average and maximum of source
// S; `obs`, `loss`, `tick`, `odd`, `other` and `part` are 1 or 0.
struct graph_data {
    struct series_sample *sample; // owned
    size_t count;
    int32_t step_s;
    int64_t start_s;            // of the first row
    bool *odd;                  // owned; by row, out of line with the forecast
    struct series_lease *lease; // owned
    size_t leases;
};

// Negative errno of series_fetch.
int graph_data_get(const struct graph_request *q, const char *rrd_dir, struct graph_data *out);
void graph_data_free(struct graph_data *d);

// Which rows a ticket covers, and loss of more than a thousandth.
bool graph_data_has_ticket(const struct graph_data *d, const struct graph_request *q, size_t row);
bool graph_data_has_loss(const struct graph_data *d, size_t row);
// Before or after the party's own time.
bool graph_data_is_others(const struct graph_data *d, size_t row);
// Watched for some of its minutes.
bool graph_data_is_partial(const struct graph_data *d, size_t row);

// Known rows with nothing beside them, in all narrower than three pixels: `from[row]` is the row whose values are
// drawn there (itself, else the lone one beside it, which so becomes wide enough to be seen), and `lone[row]` says
// that it belongs to such a one. Both have d->count places.
void graph_data_widen(const struct graph_data *d, int32_t width, size_t *from, bool *lone);

// Writes the sources with their bit in `sources`. librrd's words in `error`: -EIO.
int graph_scratch_write(const char *path, const struct graph_data *d, const struct graph_request *q,
                        unsigned sources, char error[static 160]);

// rrd_graph_v with these arguments ("graph", "-", ...): appends the picture. -EIO with librrd's words.
int graph_scratch_draw(int argc, char **argv, struct buf *out, char error[static 160]);
