// Several capture files as one source, in order of time: rotated captures follow one another, the two
// directions of a tap are merged. A file is open only while it is read.
#include <errno.h>
#include <stdlib.h>

#include "source_file.h"

#define READ_AHEAD 64

struct part {
    struct source_input *input;
    struct source_file *file; // NULL: not opened yet, or done
    struct source_frame frame[READ_AHEAD];
    size_t at, count; // of `frame`: the next, and how many there are
    int64_t first_us;
    bool begun, done;
};

struct files {
    struct source_input *input; // in the caller's order
    struct part *part;          // in order of first frames
    size_t count;
    struct part *last; // whose frames were handed out
    bool cut;          // one of them ended too early, and nobody has asked
};

static int64_t time_of(const struct part *p)
{
    return p->frame[p->at].t_us;
}

static void end(struct part *p)
{
    source_file_close(p->file);
    p->file = NULL;
    p->done = true;
}

// In the middle of what it showed.
static bool ended_early(const struct part *p)
{
    return p->done && p->input->frames > 0 && p->input->state != SOURCE_WHOLE;
}

// What was handed out is no longer borrowed.
static void read_next(struct part *p, size_t max)
{
    p->at = 0;
    p->count = source_file_next(p->file, p->frame, max);
    if (p->count == 0)
        end(p);
}

// When does it begin? The file is closed again: there may be more of them than descriptors. A pipe stays open.
static int look(struct part *p)
{
    int rc = source_file_open(p->input, &p->file);
    if (rc != 0)
        return rc;
    read_next(p, 1);
    p->first_us = p->done ? 0 : time_of(p);
    if (!p->done && !source_file_reopens(p->file)) {
        p->begun = true;
        return 0;
    }
    source_file_close(p->file);
    p->file = NULL;
    if (!p->done)
        *p->input = (struct source_input){.path = p->input->path};
    return 0;
}

static void begin(struct part *p)
{
    p->begun = true;
    if (source_file_open(p->input, &p->file) != 0) {
        p->done = true;
        p->input->state = SOURCE_BROKEN;
        return;
    }
    read_next(p, READ_AHEAD);
}

// Whose frame comes next. As long as its frames are before `*limit` so do they.
static struct part *choose(struct files *s, int64_t *limit)
{
    struct part *best = NULL;
    *limit = INT64_MAX;
    for (size_t i = 0; i < s->count; i++) {
        struct part *p = &s->part[i];
        if (p->done)
            continue;
        if (!p->begun) {
            // Those behind it begin later still.
            if (best && time_of(best) < p->first_us) {
                *limit = p->first_us < *limit ? p->first_us : *limit;
                break;
            }
            begin(p);
            if (p->done)
                continue;
        }
        // Of equal times the file before goes first.
        struct part *other = p;
        if (!best || time_of(p) < time_of(best)) {
            other = best;
            best = p;
        }
        if (other && time_of(other) < *limit)
            *limit = time_of(other);
    }
    return best;
}

static size_t next_batch(void *state, struct source_frame *out, size_t max)
{
    struct files *s = state;
    struct part *used = s->last && s->last->file && s->last->at == s->last->count ? s->last : NULL;
    // A file that is alone hands out its frames itself.
    if (used && s->count == 1) {
        size_t n = source_file_next(used->file, out, max);
        if (n == 0)
            end(used);
        s->cut = ended_early(used);
        return n;
    }
    if (used) {
        read_next(used, READ_AHEAD);
        s->cut = s->cut || ended_early(used);
    }
    int64_t limit;
    struct part *p = s->last = choose(s, &limit);
    size_t n = 0;
    while (p && n < max && p->at < p->count && (n == 0 || time_of(p) < limit))
        out[n++] = p->frame[p->at++];
    return n;
}

static enum source_result next(void *state, struct source_frame *out)
{
    return next_batch(state, out, 1) == 1 ? SOURCE_FRAME : SOURCE_END;
}

static bool cut(void *state)
{
    struct files *s = state;
    bool was = s->cut;
    s->cut = false;
    return was;
}

static void close_all(void *state)
{
    struct files *s = state;
    for (size_t i = 0; s->part && i < s->count; i++)
        source_file_close(s->part[i].file);
    free(s->part);
    free(s->input);
    free(s);
}

static const struct source_kind kind = {
    .name = "file", .next = next, .next_batch = next_batch, .cut = cut, .close = close_all};

static int by_first(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    if (x->first_us != y->first_us)
        return x->first_us < y->first_us ? -1 : 1;
    return x->input < y->input ? -1 : x->input > y->input;
}

int source_files_open(const char *const *paths, size_t count, struct source *out,
                      const char **failed)
{
    struct files *s = calloc(1, sizeof *s);
    *failed = NULL;
    if (!s)
        return -ENOMEM;
    s->count = count;
    s->input = calloc(count + 1, sizeof *s->input);
    s->part = calloc(count + 1, sizeof *s->part);
    int rc = s->input && s->part ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        s->input[i].path = paths[i];
        s->part[i].input = &s->input[i];
        rc = look(&s->part[i]);
        if (rc != 0)
            *failed = paths[i];
    }
    if (rc != 0) {
        close_all(s);
        return rc;
    }
    qsort(s->part, count, sizeof *s->part, by_first);
    *out = (struct source){.kind = &kind, .state = s};
    return 0;
}

const struct source_input *source_files_inputs(const struct source *s, size_t *count)
{
    const struct files *f = s->state;
    *count = f->count;
    return f->input;
}

const char *source_state_name(enum source_state state)
{
    static const char *const name[] = {"whole", "truncated", "broken", "empty"};
    return name[state];
}
