// The folder a replay works in: a private temporary one that is removed, or the one of --state.
#pragma once

#include <stdbool.h>

struct state_dir {
    char *path; // owned
    bool temporary;
};

// `wanted` NULL: a new folder under TMPDIR (or /tmp), for its owner alone. Otherwise that folder is
// made, or taken when it is empty or holds an earlier replay, whose files are then removed. 0, or a
// negative errno; -ENOTEMPTY: the folder holds something else.
int state_dir_open(struct state_dir *d, const char *wanted);

// Where temporary folders are made: TMPDIR when it is an absolute path, else /tmp.
const char *state_dir_base(void);

// Removes the folder when it is temporary.
void state_dir_close(struct state_dir *d);
