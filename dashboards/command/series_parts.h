// The parts of `postern series`: what its verbs share.
#pragma once

#include <stddef.h>

#include "command/command.h"
#include "common/series.h"

static const char series_default_rrd[] = "/var/lib/postern/rrd";

const char *series_value_or(const struct command_args *a, const char *name, const char *otherwise);
int series_wrong(const char *option, const char *text, const char *fix); // EX_USAGE
int series_kind_of(const struct command_args *a); // negative after a line that says why

int series_fsck_run(const struct command_args *a);
int series_rebuild_run(const struct command_args *a);

// Looks a folder through; each fault is one call, with the path below the folder. Returns the number of
// series looked at, or a negative errno.
typedef void (*series_fault_fn)(const char *relative, const char *text, void *ctx);
long series_fsck(const char *rrd_dir, series_fault_fn fault, void *ctx);

// Does `path` end in `end`, with something before it?
bool series_ends_in(const char *path, const char *end);
