// Which seconds of a minute each sensor process watched, and with what loss.
#pragma once

#include "common/coverage.h"

struct cover { // one process in one minute
    int process;
    uint64_t seconds; // bit a second
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

// Minute and second that a coverage record ends.
int64_t cover_minute(const struct coverage *c);
