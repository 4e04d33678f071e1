// What journal_writer.c (putting, committing) and journal_begin.c (opening, segments, their place) share.
#pragma once

#include "common/journal_format.h"

struct journal_writer {
    char *path; // of the folder, absolute
    int dir;    // also the lock
    int fd;     // segment; -1: none begun
    bool sync;
    int64_t octets_max;
    char *key_dir; // owned; NULL: plain
    struct journal_segment segment;
    uint64_t size;              // of the segment
    uint64_t digest;            // of its blocks
    struct journal_link before; // what the next segment follows when none is open
    uint64_t gone;              // segments and folders that were taken away under the writer
    uint64_t keys_lost;         // days whose key was gone
    uint64_t torn;
    struct journal_key key;
    struct journal_sealer *sealer;
    struct journal_rows *rows; // put since the last commit
    struct buf others;         // and entries of coverage and sites
    struct buf raw, block;
    struct journal_block pending; // counts and minutes so far
    struct {
        bool goes_on; // the next block may be of it
        uint64_t at;  // where it began
        uint64_t octets;
        int64_t mark_ms; // of its first block
    } chain;
    struct journal_damage damage;
    // Of a live collector.
    bool live;
    struct journal_position at, done;
    int (*before_block)(void *ctx);
    void *ctx;
};

// The folder, its lock and tags, and the newest segment, cut back to its last whole block. Negative errno.
int journal_begin(struct journal_writer *w);
// The segment that a block of this mark goes into: the open one, or a new one.
int journal_begin_segment_for(struct journal_writer *w, int64_t mark_ms);
// Is what is open still what its name, and the folder's, lead to? If not it is said and closed, and what comes next
// is begun anew in the place that exists. 1: all is there; 0: it was not; negative errno: nor can it be made.
int journal_place_look(struct journal_writer *w);

// The same of the day's key: without it nobody can read what is written, so a new segment begins under a new one.
void journal_key_look(struct journal_writer *w);

int journal_write_all(int fd, struct span s, uint64_t offset);
