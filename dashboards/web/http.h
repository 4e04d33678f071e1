// HTTP for the pages: libmicrohttpd in the daemon's own loop. GET and HEAD only; the Host must be one
// of ours (so that no foreign page can make a browser ask us by another name); nothing from outside
// may be loaded by a page of ours (Content-Security-Policy).
#pragma once

#include "common/buf.h"
#include "common/loop.h"

struct http_server;

#define HTTP_PATH_MAX 512

struct http_exchange; // one request and its answer, under way

struct http_request {
    const char *path; // decoded, begins with '/'
    int64_t now_ms;   // wall clock
    struct http_exchange *exchange;
};

// Value of a query parameter, borrowed; NULL when absent.
const char *http_query(const struct http_request *r, const char *name);

struct http_answer {
    unsigned status;
    const char *type; // Content-Type, a constant
    int max_age_s;    // 0: not to be stored, -1: must ask again by ETag
    struct buf body;
};

// Fills `a` and returns true, or returns false after having taken the exchange: http_finish is then
// called later, from the loop.
typedef bool (*http_fn)(const struct http_request *r, struct http_answer *a, void *ctx);

// `address` is "127.0.0.1:8025" or "[::1]:8025"; only loopback is accepted. `why` gets one line with
// the fix on failure. Negative errno.
int http_check_address(const char *address, char why[static 200]); // would it be accepted? -EINVAL
int http_open(const char *address, http_fn fn, void *ctx, struct http_server **out,
              char why[static 200]);
void http_finish(struct http_exchange *x, const struct http_answer *a);
// After `open`: begins to answer, within the loop, which there is only once rights are dropped.
int http_start(struct http_server *s, struct loop *l);
void http_close(struct http_server *s);
