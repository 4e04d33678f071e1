// The file of verdicts as a running analysis writes it: whole lines, appended, synced at each mark.
//
// After a restart analysis takes up an older state and reads the journal from there once more. What it
// says again is in the file already and is not written twice: `stream_skip`.
#pragma once

#include "common/verdict.h"

struct stream {
    int fd;
    int64_t octets;  // length, whole lines
    int64_t skip;    // octets still to be passed over, being there already
    int64_t skip_ms; // verdicts made up to then are passed over
    int64_t last_ms; // when the last one in the file was made; 0: none
    uint64_t written, skipped;
    bool unsynced;
};

// Opens for appending; a line that a crash has cut is taken back. Negative errno.
int stream_open(struct stream *s, const char *path);

// How to go on: a state that was saved when the file had `octets` of what it has now says the same
// again (`same`: under the same rules and configuration), or something like it.
void stream_skip(struct stream *s, int64_t octets, bool same);

int stream_put(struct stream *s, const struct verdict *v);
int stream_sync(struct stream *s);
void stream_close(struct stream *s);
