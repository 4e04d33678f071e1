// What the site, and each POP, did in a minute: one party can then be held against all.
#pragma once

#include "acc.h"
#include "leases.h"

struct site;

struct site *site_new(const struct leases *leases); // NULL: out of memory; `leases` is borrowed
void site_free(struct site *s);
// A subscriber's minute. `number` tells provisional parties apart.
void site_add(struct site *s, const struct acc *a, const struct lease_answer *lease,
              uint64_t number);
// Calls `give` for the whole site, then for each POP that did anything; begins anew. The first negative
// result of `give` ends it.
int site_close(struct site *s, int64_t minute, int (*give)(const struct minute_site *, void *),
               void *ctx);
