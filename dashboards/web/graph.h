// Pictures of a series: what series_fetch says, drawn by librrd. A picture shows unobserved time as
// such, average as area and maximum as line, and says its range in UTC.
//
// Drawing takes 10-50 ms, so it is done in worker processes (worker.h), never in the web server's loop.
#pragma once

#include "common/buf.h"
#include "common/series.h"

enum graph_view {
    GRAPH_CONNECTIONS, // by outcome
    GRAPH_PEERS,
    GRAPH_MAIL,  // messages and recipients
    GRAPH_SOCKS, // in above zero, out below
    GRAPH_VIEWS,
};

enum graph_format { GRAPH_PNG, GRAPH_SVG };

#define GRAPH_NAME_MAX  128
#define GRAPH_IMAGE_MAX (1 << 20)

// Plain values only: it is sent to a worker as it is.
struct graph_request {
    uint32_t id;
    uint8_t kind;   // enum series_kind
    uint8_t view;   // enum graph_view
    uint8_t format; // enum graph_format
    bool dark;
    int32_t width, height;
    int64_t start_s, end_s;
    int64_t lease_start_s;
    char name[GRAPH_NAME_MAX];
};

const char *graph_view_name(unsigned view); // "connections", ...; NULL: out of range
int graph_view_parse(const char *name);     // -EINVAL
const char *graph_view_title(unsigned view);

// Appends the picture to `out`. -ENOENT: no such series; -EPROTO: a file of another layout; -EIO with
// librrd's words in `error`. `scratch` is a folder for a temporary file of the worker's own.
int graph_draw(const struct graph_request *q, const char *rrd_dir, const char *scratch,
               struct buf *out, char error[static 160]);
