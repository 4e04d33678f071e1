// Appends to a journal: entries gather in memory until a commit makes one block of them, rows sorted by
// key, and writes it whole. A commit that fails (disk full) leaves the file as it was and the entries
// in memory: it can be tried again. One writer at a time holds the directory's lock.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/journal_writer_parts.h"

#define SEGMENT_OCTETS_DEFAULT (256 << 20)
// How often a commit goes on in a new place when the one it was written to is gone.
#define PLACES_MAX 3

// ---- Opening

static void writer_free(struct journal_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    if (w->dir >= 0)
        close(w->dir);
    journal_sealer_free(w->sealer);
    journal_rows_free(w->rows);
    buf_fini(&w->others);
    buf_fini(&w->raw);
    buf_fini(&w->block);
    free(w->path);
    free(w->key_dir);
    free(w);
}

// Without following links: whoever turns one wants the journal elsewhere.
static char *absolute(const char *dir)
{
    char *path = NULL, *here = dir[0] == '/' ? NULL : getcwd(NULL, 0);
    if (dir[0] == '/')
        return strdup(dir);
    if (!here || asprintf(&path, "%s/%s", here, dir) < 0)
        path = NULL;
    free(here);
    return path;
}

// Behind a block. `goes_on`: another one of its chain may follow.
static void pending_clear(struct journal_writer *w, bool goes_on)
{
    if (goes_on)
        journal_rows_go_on(w->rows);
    else
        journal_rows_clear(w->rows);
    buf_clear(&w->others);
    w->chain.goes_on = goes_on;
    w->pending = (struct journal_block){.minute_min = INT64_MAX, .minute_max = INT64_MIN};
}

int journal_writer_open(const char *dir, const struct journal_options *options,
                        struct journal_writer **out)
{
    struct journal_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->fd = w->dir = -1;
    w->sync = options->sync;
    w->octets_max = options->segment_octets_max > 0 ? options->segment_octets_max
                                                    : SEGMENT_OCTETS_DEFAULT;
    buf_init(&w->others, JOURNAL_RAW_MAX);
    buf_init(&w->raw, JOURNAL_RAW_MAX);
    buf_init(&w->block, 2 * (size_t)JOURNAL_RAW_MAX);
    w->path = absolute(dir);
    w->sealer = journal_sealer_new();
    w->rows = journal_rows_new();
    if (options->key_dir)
        w->key_dir = strdup(options->key_dir);
    int rc = w->path && w->sealer && w->rows && (!options->key_dir || w->key_dir) ? 0 : -ENOMEM;
    if (rc == 0) {
        pending_clear(w, false);
        rc = journal_begin(w);
    }
    if (rc < 0) {
        writer_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

// ---- Putting

static size_t raw_octets(const struct journal_writer *w)
{
    return w->others.len + journal_rows_octets(w->rows);
}

int journal_put_row(struct journal_writer *w, const struct minute_row *r)
{
    int rc = journal_rows_put(w->rows, r, JOURNAL_RAW_MAX - w->others.len);
    if (rc < 0)
        return rc;
    w->pending.rows++;
    if (r->minute < w->pending.minute_min)
        w->pending.minute_min = r->minute;
    if (r->minute > w->pending.minute_max)
        w->pending.minute_max = r->minute;
    return 0;
}

static int put_other(struct journal_writer *w, size_t at)
{
    if (w->others.failed || raw_octets(w) > JOURNAL_RAW_MAX) {
        w->others.failed = false;
        w->others.len = at;
        return -EMSGSIZE;
    }
    return 0;
}

int journal_put_coverage(struct journal_writer *w, const struct coverage_minute *c)
{
    size_t at = w->others.len;
    journal_entry_coverage(c, &w->others);
    int rc = put_other(w, at);
    w->pending.coverages += rc == 0;
    return rc;
}

int journal_put_site(struct journal_writer *w, const struct minute_site *s)
{
    size_t at = w->others.len;
    journal_entry_site(s, &w->others);
    int rc = put_other(w, at);
    w->pending.sites += rc == 0;
    return rc;
}

// ---- Committing

static int write_block(struct journal_writer *w)
{
    int rc = journal_write_all(w->fd, buf_span(&w->block), w->size);
    if (rc == 0 && w->sync && fdatasync(w->fd) < 0)
        rc = -errno;
    if (rc < 0) {
        // Should the cut fail too, the next open makes it.
        if (ftruncate(w->fd, (off_t)w->size) < 0)
            return -errno;
        return rc;
    }
    w->size += w->block.len;
    return 0;
}

void journal_writer_live(struct journal_writer *w, uint64_t log,
                         const struct journal_position *done, int (*before)(void *ctx), void *ctx)
{
    w->live = true;
    w->sync = true;
    w->before_block = before;
    w->ctx = ctx;
    w->at = (struct journal_position){.log = log};
    w->done = (struct journal_position){0};
    if (done && done->log == log)
        w->done = *done;
}

void journal_writer_at(struct journal_writer *w, uint64_t ordinal)
{
    w->at.ordinal = ordinal;
    w->at.part = 0;
}

// The block stands in the journal since before the crash.
static bool is_done(const struct journal_writer *w)
{
    const struct journal_position *a = &w->at, *d = &w->done;
    return d->log == a->log &&
           (a->ordinal < d->ordinal || (a->ordinal == d->ordinal && a->part <= d->part));
}

// The pending entries as a block of the chain, or one that begins another: then it has the hashes of the chain
// before with it, for its rows may refer to them.
static int seal(struct journal_writer *w, struct journal_block *b)
{
    bool first = !w->chain.goes_on;
    uint64_t back = first ? 0 : w->size - w->chain.at;
    buf_clear(&w->raw);
    if (w->live)
        journal_entry_position(&w->at, &w->raw);
    buf_bytes(&w->raw, w->others.data, w->others.len);
    int rc = journal_rows_gather(w->rows, b->mark_ms, first, &w->raw);
    if (rc < 0)
        return rc;
    assert(back <= UINT32_MAX);
    b->back = (uint32_t)back;
    // Until the block is written nothing can follow it.
    w->chain.goes_on = false;
    rc = journal_seal(w->sealer, b, buf_span(&w->raw), journal_rows_hashes(w->rows, first),
                      w->key_dir ? &w->key : NULL, &w->block);
    if (first) {
        w->chain.at = w->size;
        w->chain.octets = 0;
        w->chain.mark_ms = b->mark_ms;
    }
    w->chain.octets += b->raw;
    return rc;
}

static void written(struct journal_writer *w, const struct journal_block *b)
{
    int64_t span_ms;
    bool goes_on = b->compression == JOURNAL_ZSTD_PIECE &&
                   w->chain.octets <= JOURNAL_CHAIN_OCTETS &&
                   !__builtin_sub_overflow(b->mark_ms, w->chain.mark_ms, &span_ms) &&
                   span_ms >= 0 && span_ms < JOURNAL_CHAIN_MS;
    pending_clear(w, goes_on);
    w->at.part++;
}

static int write_pending(struct journal_writer *w, struct journal_block *b)
{
    int rc = journal_begin_segment_for(w, b->mark_ms);
    if (rc == 0)
        rc = seal(w, b);
    if (rc == 0)
        rc = write_block(w);
    if (rc == 0)
        w->digest = journal_digest(w->digest, span_of(w->block.data, b->header));
    return rc;
}

// Durable is what stands where the journal is: a block that went into a segment that was taken away meanwhile is
// written again.
static int write_in_place(struct journal_writer *w, struct journal_block *b)
{
    struct journal_block empty = *b;
    int rc = w->sync ? journal_writer_look(w) : 0;
    for (int i = 0; i < PLACES_MAX && rc >= 0; i++) {
        *b = empty;
        rc = write_pending(w, b);
        if (rc == 0)
            rc = w->sync ? journal_place_look(w) : 1;
        if (rc == 1)
            return 0;
    }
    return rc < 0 ? rc : -ESTALE;
}

static int commit(struct journal_writer *w, int64_t mark_ms)
{
    if (w->live && is_done(w)) {
        pending_clear(w, false);
        w->at.part++;
        return 0;
    }
    int rc = w->live ? w->before_block(w->ctx) : 0;
    if (rc < 0)
        return rc;
    struct journal_block b = w->pending;
    b.mark_ms = mark_ms;
    if (b.rows == 0) {
        b.minute_min = 1;
        b.minute_max = 0;
    }
    rc = write_in_place(w, &b);
    if (rc == 0)
        written(w, &b);
    return rc;
}

int journal_commit(struct journal_writer *w, int64_t mark_ms)
{
    int rc = commit(w, mark_ms);
    bool full = rc == -ENOSPC || rc == -EDQUOT;
    if (rc < 0 && rc != -ENOMEM)
        journal_damage_add(&w->damage, full ? JOURNAL_FAULT_FULL : JOURNAL_FAULT_WRITE,
                           w->segment.day, w->segment.number, w->size);
    return rc;
}

bool journal_writer_damage(struct journal_writer *w, char out[static JOURNAL_DAMAGE_TEXT_MAX])
{
    return journal_damage_take(&w->damage, out);
}

int journal_writer_look(struct journal_writer *w)
{
    int rc = journal_place_look(w);
    journal_key_look(w);
    return rc < 0 ? rc : 0;
}

void journal_writer_lost(const struct journal_writer *w, uint64_t *gone, uint64_t *keys)
{
    *gone = w->gone;
    *keys = w->keys_lost;
}

uint64_t journal_torn_octets(const struct journal_writer *w)
{
    return w->torn;
}

int journal_writer_close(struct journal_writer *w)
{
    if (!w)
        return 0;
    int rc = 0;
    if (w->fd >= 0 && w->sync && fdatasync(w->fd) < 0)
        rc = -errno;
    writer_free(w);
    return rc;
}
