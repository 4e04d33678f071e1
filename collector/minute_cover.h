// Which seconds of a minute each sensor process watched, and with what loss.
#pragma once

#include "common/minute.h"
#include "watermark.h"

struct cover { // one process in one minute
    int process;
    uint64_t seconds; // bit a second
    bool put;         // stands in the journal
    struct coverage_minute row;
};

// Zeroed is valid and empty; `item` is owned.
struct covers {
    struct cover *item;
    size_t count, cap;
};

// The process's entry of a minute, made when it is not there. NULL: out of memory.
struct cover *covers_get(struct covers *c, int process, int64_t minute);
struct cover *covers_find(const struct covers *c, int process, int64_t minute);
void cover_add(struct cover *c, const struct coverage *second);
void covers_clear(struct covers *c);

// The last coverage of each process; `packets` are those of the last that had any. Zeroed is valid and empty; `item` is owned.
struct covers_known {
    struct coverage *item;
    size_t count;
};
void covers_remember(struct covers_known *k, int process, const struct coverage *c);
// Silent processes were expected: their minute stands in the journal as not watched.
void covers_add_silent(struct covers *c, int64_t minute, const struct covers_known *k,
                       const struct watermark *w);
// Writes each once, but for those of processes that are `behind`. Negative errno.
int covers_put(struct covers *c, struct journal_writer *journal, uint64_t behind);
// Who of `processes` watched the row's minute: seconds, loss, and whether one fell silent.
void covers_observe(const struct covers *c, const struct watermark *w, uint64_t processes,
                    struct minute_row *r);
// Which sensors of `processes` the row rests on; `mailbox`: it is a mailbox's.
void covers_name_sensors(const struct covers_known *k, uint64_t processes, bool mailbox,
                         struct minute_row *r);

// Minute and second that a coverage record ends.
int64_t cover_minute(const struct coverage *c);
