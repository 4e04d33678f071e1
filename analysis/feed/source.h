// The file of verdicts as the feed reads it: whole lines, from where it stopped.
//
// The cursor names the end of the last line read and that line's hash, so that another file in its
// place is noticed instead of half-read.
#pragma once

#include <stdio.h>

#include "common/verdict.h"

#define SOURCE_CURSOR_MAX 80

struct source {
    FILE *in;
    int64_t offset;      // behind the last whole line read
    int64_t line_octets; // of that line
    uint64_t line_hash;
    uint64_t lines, bad_lines;
};

// Opens `path` and goes to `cursor` ("" for the start). -ESTALE: the file is not the one that the
// cursor was taken from. Other negative errno as usual.
int source_open(struct source *s, const char *path, const char *cursor);
void source_close(struct source *s);

// 1: `*v` filled; 0: no whole line more; -EINVAL: a line that is no verdict was passed over, `error`
// says why; another negative errno.
int source_next(struct source *s, struct verdict *v, char error[static 160]);

const char *source_cursor(const struct source *s, char out[static SOURCE_CURSOR_MAX]);
