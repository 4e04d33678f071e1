// Pictures of a series: what series_fetch says, drawn by librrd. Average as area and maximum as line;
// behind them bands for what limits the reading (not observed: hatched; loss; a ticket; a time that
// its forecast calls out of line) and a rule where the lease changed; below them the numbers.
//
// Drawing takes 10-50 ms, so it is done in worker processes (worker.h), never in the web server's loop.
#pragma once

#include "common/buf.h"
#include "common/series.h"

enum graph_view {
    GRAPH_CONNECTIONS, // by outcome
    GRAPH_PEERS,
    GRAPH_MAIL,    // messages and recipients
    GRAPH_SOCKS,   // in above zero, out below
    GRAPH_PACKETS, // of sensors: from here on
    GRAPH_FLOWS,
    GRAPH_LOSS,
    GRAPH_VIEWS,
};

enum graph_format { GRAPH_PNG, GRAPH_SVG };

#define GRAPH_NAME_MAX    128
#define GRAPH_WIDTH       544 // of the plot, in pixels
#define GRAPH_WIDTH_MIN   200
#define GRAPH_WIDTH_PHONE 220 // 365 with what stands around it
#define GRAPH_NARROW      500 // below it the legend is that of a phone
#define GRAPH_HEIGHT      150
#define GRAPH_IMAGE_MAX   (1 << 20)
#define GRAPH_TICKETS_MAX 8

struct graph_span {
    int64_t start_s, end_s;
};

// Plain values only: it is sent to a worker as it is. Zeroed before it is filled, so that equal
// requests are equal octets behind `id`.
struct graph_request {
    uint32_t id;
    uint8_t kind;   // enum series_kind
    uint8_t view;   // enum graph_view
    uint8_t format; // enum graph_format
    uint8_t dark;
    int32_t width, height;
    int64_t start_s, end_s;
    int64_t own_start_s, own_end_s;              // of the party; 0: no limit
    struct graph_span ticket[GRAPH_TICKETS_MAX]; // bands; 0: none
    char name[GRAPH_NAME_MAX];
};

const char *graph_view_name(unsigned view); // "connections", ...; NULL: out of range
int graph_view_parse(const char *name);     // -EINVAL
const char *graph_view_title(unsigned view);
bool graph_view_fits(unsigned view, enum series_kind kind); // has that series such a picture?

// Appends the picture to `out`. -ENOENT: no such series; -EPROTO: a file of another layout; -EIO with
// librrd's words in `error`. Sets TZ, for its axis. `scratch` is a folder for a temporary file of the worker's own.
int graph_draw(const struct graph_request *q, const char *rrd_dir, const char *scratch,
               struct buf *out, char error[static 160]);
