// Where frames come from: one descriptor a kind. A file hands out frames as it has them; a live ring
// will hand out the same, with its own descriptor, and nothing behind this seam will know.
#pragma once

#include "common/span.h"

struct source_frame {
    int64_t t_us;
    int linktype; // DLT_ number
    struct span data;
    uint32_t wire; // octets it had on the wire
};

enum source_result {
    SOURCE_END,   // no more will come
    SOURCE_FRAME, // `*out` is filled; its octets are borrowed until the next call
};

// A file may name any second; what lies beyond the year 36000 is as far.
static inline int64_t source_second(int64_t s)
{
    const int64_t most = INT64_C(1) << 40;
    return s < -most ? -most : s > most ? most : s;
}

struct source_kind {
    const char *name;
    enum source_result (*next)(void *state, struct source_frame *out);
    // Up to `max` frames at once, in order, all borrowed until the next call of either; 0: no more will
    // come. NULL: `next` is asked for one. Never waits to fill a batch.
    size_t (*next_batch)(void *state, struct source_frame *out, size_t max);
    // Did an input end too early, behind what was handed out before the last call for frames? Each end is told
    // once. NULL: never.
    bool (*cut)(void *state);
    void (*close)(void *state);
};

struct source {
    const struct source_kind *kind;
    void *state;
};

static inline enum source_result source_next(struct source *s, struct source_frame *out)
{
    return s->kind->next(s->state, out);
}

// Frames 1 to `max`, borrowed until the next call; 0: no more will come.
static inline size_t source_next_batch(struct source *s, struct source_frame *out, size_t max)
{
    if (s->kind->next_batch)
        return s->kind->next_batch(s->state, out, max);
    return s->kind->next(s->state, out) == SOURCE_FRAME;
}

static inline bool source_cut(struct source *s)
{
    return s->kind->cut && s->kind->cut(s->state);
}

static inline void source_close(struct source *s)
{
    if (s->kind)
        s->kind->close(s->state);
    s->kind = NULL;
}

// ---- Capture files: pcap, pcapng, and both compressed by gzip; "-" is standard input.

enum source_state { SOURCE_WHOLE, SOURCE_TRUNCATED, SOURCE_BROKEN, SOURCE_EMPTY };

#define SOURCE_TEXT_MAX 320

// What became of a file; the text is "" for a whole one.
struct source_input {
    const char *path; // of the caller
    enum source_state state;
    uint64_t frames;
    char text[SOURCE_TEXT_MAX];
};

// Frames of all files in order of time: files are opened in the order of their first frame and merged
// where they overlap. Files that cannot be read as captures are passed over and say so in their
// source_input. -ENOENT and the like: `*failed` is the path that could not be opened.
int source_files_open(const char *const *paths, size_t count, struct source *out,
                      const char **failed);
// Borrowed until source_close; `*count` inputs in the caller's order.
const struct source_input *source_files_inputs(const struct source *s, size_t *count);
// "whole", "truncated", "broken", "empty".
const char *source_state_name(enum source_state state);
