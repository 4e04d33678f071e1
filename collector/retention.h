// The journal's age and size are kept within bounds while the collector runs: looked at when it starts and each
// hour. A file job removes nothing.
#pragma once

#include "common/control.h"
#include "common/loop.h"
#include "config.h"

struct retention;

// All borrowed; reload gives another configuration. NULL: out of memory.
struct retention *retention_new(struct loop *l, const char *journal, const struct collector_conf *c,
                                int64_t now_ms);
void retention_free(struct retention *r);
void retention_reload(struct retention *r, const struct collector_conf *conf);
void retention_status(const struct retention *r, struct control_status *s);
