// The engine's state as a file, so that a restart goes on where it stopped instead of reading weeks.
//
// Header (magic, version, layout), where in the journal and in the verdicts it was taken, the site, the names of
// POPs and network classes, then the parties from the longest silent to the latest, each as its memory with runs of zeros left out; a
// checksum at the end. Written beside its place and renamed. The layout says which build may read it
// (sizes, rules version): another one is refused and the journal is read from its start, which gives
// all but the baselines of more weeks than the journal keeps. docs/formats/verdict.md, "State".
#pragma once

#include "engine.h"

#define SNAPSHOT_VERSION 2

struct snapshot_place {
    struct journal_cursor cursor; // behind the last entry taken
    int64_t last_ms;              // latest mark
    int64_t verdict_octets;       // length of the file of verdicts
    char conf_hash[33];
};

// Negative errno.
int snapshot_save(const struct engine *e, const struct snapshot_place *place, const char *path);

// Into an engine that has seen nothing. 0; -ENOENT: there is none; -EPROTO: of another build; -EBADMSG:
// damaged; then the engine must be thrown away.
int snapshot_load(struct engine *e, struct snapshot_place *place, const char *path);
