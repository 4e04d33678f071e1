// Pictures drawn a moment ago: who asks for the same gets the same, and no drawing process works for
// it.
#pragma once

#include "web/graph.h"

struct graph_cache;

struct graph_cache *graph_cache_new(void); // NULL: out of memory
void graph_cache_free(struct graph_cache *c);

// Borrowed until the next put. Empty: there is none that is fresh.
struct span graph_cache_get(struct graph_cache *c, const struct graph_request *q, int64_t now_ms);
void graph_cache_put(struct graph_cache *c, const struct graph_request *q, struct span image,
                     int64_t now_ms);
