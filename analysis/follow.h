// The journal into an engine, entry by entry: what a file job, a running analysis, `why` and a
// comparison of rules have in common.
#pragma once

#include "common/daemon.h"
#include "engine.h"

#define FOLLOW_ENGINES 2 // a comparison feeds two

struct follow {
    struct engine *engine[FOLLOW_ENGINES]; // borrowed; NULL: none
    struct journal_reader *reader;         // owned
    const char *folder;                    // borrowed
    int64_t last_ms;                       // latest mark
    int64_t until_ms;                      // entries of later minutes are not taken; 0: no end
    uint64_t damaged;                      // places of the journal that were passed over
    bool past;                             // `until_ms` is reached
};

// `from` NULL: from the oldest segment. 0 or a sysexits code after having said why.
int follow_open(struct follow *f, const char *folder, const struct journal_cursor *from,
                const char *journal_keys);
void follow_close(struct follow *f);

// Takes at most `entries` (0: all there are now). 1: there is more; 0: nothing more now, or the end is
// reached; negative errno, -ENOMEM of an engine included. Damage is said and counted.
int follow_take(struct follow *f, uint64_t entries);
