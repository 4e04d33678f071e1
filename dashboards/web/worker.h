// Worker processes that draw: the loop hands out requests and gets pictures back, without waiting.
#pragma once

#include "common/loop.h"
#include "web/graph.h"

struct workers;

// `image` is borrowed for the call. `status`: 0 or the negative errno of graph_draw, with `error`.
typedef void (*worker_fn)(uint32_t id, int status, struct span image, const char *error, void *ctx);

// Forks `count` workers, each when first needed. `rrdcached`: its socket, NULL: none. Negative errno.
int workers_open(struct loop *l, unsigned count, const char *rrd_dir, const char *scratch,
                 const char *rrdcached, worker_fn fn, void *ctx, struct workers **out);

// Queues a request (its id is the caller's). -EBUSY: the queue is full, say 503.
int workers_draw(struct workers *w, const struct graph_request *q);

// Ends and reaps the processes.
void workers_close(struct workers *w);
