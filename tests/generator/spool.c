// An arena with an index that is sorted when full; runs on disk are merged by a small heap.
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RUN_BUFFER = 1 << 17, RUNS_MAX = 512, FRAME_LIMIT = 65535 };

struct entry {
    int64_t t_ns;
    uint32_t at; // in the arena
    uint32_t len;
    uint32_t wire_len;
};

struct head { // of a packet in a run; written and read by this process only
    int64_t t_ns;
    uint32_t len, wire_len;
};

struct run {
    FILE *file;
    struct head head;
    uint8_t *frame; // the packet that comes next
};

struct spool {
    char *folder;
    uint8_t *arena;
    size_t cap, used;
    struct entry *index;
    size_t count, index_cap;
    struct run run[RUNS_MAX];
    size_t runs;
    int error;
};

struct spool *spool_new(const char *folder, size_t memory)
{
    struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->folder = strdup(folder);
    s->cap = memory > UINT32_MAX ? UINT32_MAX : memory;
    s->arena = malloc(s->cap);
    if (!s->folder || !s->arena) {
        spool_free(s);
        return NULL;
    }
    return s;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->runs; i++) {
        if (s->run[i].file)
            fclose(s->run[i].file);
        free(s->run[i].frame);
    }
    free(s->folder);
    free(s->arena);
    free(s->index);
    free(s);
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->t_ns != y->t_ns)
        return x->t_ns < y->t_ns ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at; // the arena grows in order of arrival
}

static FILE *unnamed_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { // not every file system knows O_TMPFILE
        char path[4096];
        int n = snprintf(path, sizeof path, "%s/postern-generate.XXXXXX", folder);
        if (n < 0 || (size_t)n >= sizeof path) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
            return NULL;
        unlink(path);
    }
    FILE *f = fdopen(fd, "w+b");
    if (!f)
        close(fd);
    else
        setvbuf(f, NULL, _IOFBF, RUN_BUFFER);
    return f;
}

static int spill(struct spool *s)
{
    if (s->runs == RUNS_MAX)
        return -EFBIG;
    FILE *f = unnamed_file(s->folder);
    if (!f)
        return -errno;
    struct run *run = &s->run[s->runs++];
    *run = (struct run){.file = f};
    qsort(s->index, s->count, sizeof *s->index, by_time);
    for (size_t i = 0; i < s->count; i++) {
        const struct entry *e = &s->index[i];
        struct head head = {.t_ns = e->t_ns, .len = e->len, .wire_len = e->wire_len};
        if (fwrite(&head, sizeof head, 1, f) != 1 ||
            (e->len > 0 && fwrite(s->arena + e->at, e->len, 1, f) != 1))
            return -EIO;
    }
    s->count = 0;
    s->used = 0;
    return 0;
}

static int reserve(struct spool *s, size_t len)
{
    // The index is counted into the memory: it is a fifth of it with the usual sizes of packets.
    if (s->used + len > s->cap || (s->count + 1) * sizeof *s->index > s->cap / 2) {
        int rc = spill(s);
        if (rc < 0)
            return rc;
    }
    if (s->count == s->index_cap) {
        size_t cap = s->index_cap ? s->index_cap * 2 : 4096;
        struct entry *grown = realloc(s->index, cap * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        s->index = grown;
        s->index_cap = cap;
    }
    return 0;
}

int spool_add(struct spool *s, int64_t t_ns, struct span frame, uint32_t wire_len)
{
    if (s->error)
        return s->error;
    if (frame.len > FRAME_LIMIT || frame.len > s->cap)
        return s->error = -EMSGSIZE;
    s->error = reserve(s, frame.len);
    if (s->error)
        return s->error;
    s->index[s->count++] = (struct entry){
        .t_ns = t_ns, .at = (uint32_t)s->used, .len = (uint32_t)frame.len, .wire_len = wire_len};
    if (frame.len > 0)
        memcpy(s->arena + s->used, frame.data, frame.len);
    s->used += frame.len;
    return 0;
}

// Reads the next packet of a run. 1: there is one, 0: the run is at its end.
static int advance(struct run *r)
{
    if (fread(&r->head, sizeof r->head, 1, r->file) != 1)
        return ferror(r->file) ? -EIO : 0;
    if (r->head.len > 0 && fread(r->frame, r->head.len, 1, r->file) != 1)
        return -EIO;
    return 1;
}

static int merge(struct spool *s, spool_fn fn, void *ctx)
{
    for (size_t i = 0; i < s->runs; i++) {
        struct run *r = &s->run[i];
        r->frame = malloc(FRAME_LIMIT);
        if (!r->frame)
            return -ENOMEM;
        rewind(r->file);
        int rc = advance(r);
        if (rc < 0)
            return rc;
        if (rc == 0)
            r->head.t_ns = INT64_MAX;
    }
    for (;;) {
        // Runs are few (a day of a small ISP: one), so the earliest is looked for one by one; on a tie
        // the older run goes first, which keeps the order of arrival.
        struct run *first = NULL;
        for (size_t i = 0; i < s->runs; i++)
            if (s->run[i].head.t_ns != INT64_MAX &&
                (!first || s->run[i].head.t_ns < first->head.t_ns))
                first = &s->run[i];
        if (!first)
            return 0;
        int rc = fn(first->head.t_ns, span_of(first->frame, first->head.len), first->head.wire_len,
                    ctx);
        if (rc < 0)
            return rc;
        rc = advance(first);
        if (rc < 0)
            return rc;
        if (rc == 0)
            first->head.t_ns = INT64_MAX;
    }
}

int spool_drain(struct spool *s, spool_fn fn, void *ctx)
{
    if (s->error)
        return s->error;
    if (s->runs > 0) {
        int rc = s->count > 0 ? spill(s) : 0;
        return rc < 0 ? rc : merge(s, fn, ctx);
    }
    qsort(s->index, s->count, sizeof *s->index, by_time);
    for (size_t i = 0; i < s->count; i++) {
        const struct entry *e = &s->index[i];
        int rc = fn(e->t_ns, span_of(s->arena + e->at, e->len), e->wire_len, ctx);
        if (rc < 0)
            return rc;
    }
    s->count = 0;
    s->used = 0;
    return 0;
}
