// The pages and the API of one state: tickets from the store, series from RRD files. What a page says
// the API says too, from the same look-ups.
#pragma once

#include "common/rrdcached.h"
#include "common/series.h"
#include "common/ticket.h"
#include "web/graph_cache.h"
#include "web/http.h"
#include "web/worker.h"

enum { WEB_PENDING_MAX = 256 };

struct web {
    const char *site; // its name, in titles
    const char *rrd_dir;
    struct ticket_store *store; // NULL: there is none yet
    bool clock_is_data;         // a replay: "now" is the end of what was watched
    struct workers *workers;
    struct graph_cache *cache;
    struct rrdcached *cached; // writes a file before it is read; NULL: files are written directly
    struct web_said *said;    // of a series that cannot be read, so that it is said once a minute
    bool ending;              // no more pictures are begun
    uint32_t next_id;
    struct web_pending { // exchanges that wait for a picture
        uint32_t id;     // 0: free
        struct http_exchange *exchange;
        struct graph_request request;
        int64_t asked_ms;
    } pending[WEB_PENDING_MAX];
};

// http_fn of the server.
bool web_answer(const struct http_request *r, struct http_answer *a, void *ctx);

// End of the data in a replay, else the clock. Seconds.
int64_t web_now_s(const struct web *w, int64_t now_ms);

// `state` of the query: open, all or absent. false: another word.
bool web_ticket_state(const char *text, bool *open_only);
// A whole number from 0 on, -1 for any other text.
int64_t web_number(const char *text);

// A range from the query (`range=day|week|month|year`, or `from`, `to`). Says in `error` which
// parameter is wrong, with the fix: -EINVAL.
struct web_range {
    const char *name; // "day", ... or "" when free
    int64_t start_s, end_s;
};

int web_range(const struct web *w, const struct http_request *r, struct web_range *out,
              char error[static 160]);

// Pages: each fills the answer.
void page_start(const struct web *w, const struct http_request *r, struct http_answer *a);
void page_tickets(const struct web *w, const struct http_request *r, struct http_answer *a);
void page_ticket(const struct web *w, const struct http_request *r, int64_t number,
                 struct http_answer *a);
void page_subscriber(const struct web *w, const struct http_request *r, const char *name,
                     struct http_answer *a);
// A POP, class or sensor: /KIND/NAME.
void page_series(const struct web *w, const struct http_request *r, enum series_kind kind,
                 const char *name, struct http_answer *a);
void page_error(const struct web *w, struct http_answer *a, unsigned status, const char *title,
                const char *text);

// Beginning and end of every page.
void page_open(const struct web *w, struct buf *out, const char *title);
void page_close(const struct web *w, struct buf *out);
// Links to the other ranges; `base` is the page's path, escaped.
// `lease`: whose time was chosen, kept in the links; "": nobody's.
void page_ranges(struct buf *out, const char *base, const struct web_range *now, const char *lease);
// Whose time a page shows, and the tickets in its pictures.
struct page_own {
    int64_t start_s, end_s; // 0: no limit
    struct graph_span ticket[GRAPH_TICKETS_MAX];
};
// The pictures of a series, with alternatives for a dark page.
void page_graphs(struct buf *out, enum series_kind kind, const char *name,
                 const struct web_range *range, const struct page_own *own);
// A place for the chart, which a script fills; nothing when the program was built without uPlot.
void page_chart(struct buf *out, enum series_kind kind, const char *name,
                const struct web_range *range, const struct page_own *own);
// The series as a table, below its totals up to `until_s`.
void page_numbers(struct buf *out, enum series_kind kind, const struct series_range *range,
                  const struct series_sample *s, size_t count, int64_t until_s);
// series_fetch for a page: asks rrdcached first where there is one. What is wrong with a file is logged, and stands
// in `error` with what mends it.
int web_fetch(const struct web *w, enum series_kind kind, const char *name,
              struct series_range *range, int64_t now_ms, struct series_sample **out, size_t *count,
              char error[static SERIES_EXPLAIN_MAX]);
// Logs it, not more than once a minute.
void web_series_failed(const struct web *w, const char *text, int64_t now_ms);
struct web_said {
    int64_t at_ms;
};
// A table row a ticket, below a head.
void page_ticket_rows(const struct web *w, const struct ticket_query *q, struct buf *out);

// JSON: /api/v1/...
void api_answer(const struct web *w, const struct http_request *r, const char *path,
                struct http_answer *a);

// /graph/KIND/VIEW.png|svg: takes the exchange, or answers at once with an error.
bool graph_route(struct web *w, const struct http_request *r, const char *path,
                 struct http_answer *a);
// worker_fn of the workers.
void graph_drawn(uint32_t id, int status, struct span image, const char *error, void *ctx);
// Answers all that still wait, before the server ends.
void graph_give_up(struct web *w);
