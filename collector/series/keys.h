// The series a writer knows: a bounded table of keys, each with the minutes not yet written.
#pragma once

#include "series/values.h"

enum series_file { SERIES_FILE_UNKNOWN, SERIES_FILE_NONE, SERIES_FILE_THERE };

// Which sensors see a key. Who was not among those of its last two active days no longer counts.
struct series_seen {
    uint64_t noted; // in its notes: decides about gaps
    uint64_t now, before;
    int32_t day; // of `now`
    bool read;   // the notes of an earlier run
};

struct series_key {
    uint8_t kind;        // enum series_kind
    uint8_t file;        // enum series_file
    bool earned;         // may have a file
    bool queued;         // stands in the writer's queue
    bool is_new;         // its file is, and has no minute yet
    bool leased;         // `party` is that of the file's notes
    uint32_t attempts;   // connections begun since the key is known
    uint32_t count, cap; // of `minute`
    int64_t last_s;      // last update of the file
    uint64_t party;      // hash of whose it is; 0: not known yet
    struct series_seen seen;
    struct series_minute *minute; // owned, in order of time
    uint64_t hash;
    char name[]; // NUL-terminated
};

struct series_keys {
    struct series_key **key; // owned, in order of appearance
    size_t count, cap, max;
    uint32_t *slot; // index + 1 into `key`; open addressing
    size_t slots;
};

int series_keys_init(struct series_keys *t, size_t max); // -ENOMEM
void series_keys_fini(struct series_keys *t, struct distinct_budget *budget);

// The key of that name, made when new. NULL: the table is full or memory is out.
struct series_key *series_keys_get(struct series_keys *t, enum series_kind kind, const char *name);

// Forgets keys that have no file and earned none, with what they hold, until the table is three
// quarters full; the oldest first. Returns how many.
size_t series_keys_evict(struct series_keys *t, struct distinct_budget *budget);

// The minute of the key, inserted in order when new. NULL: out of memory.
struct series_minute *series_key_minute(struct series_key *k, int64_t minute);

// Forget the first `n` minutes.
void series_key_drop(struct series_key *k, size_t n, struct distinct_budget *budget);
