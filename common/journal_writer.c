// Appends to a journal: entries gather in memory until a commit makes one block of them, rows sorted by
// key, and writes it whole. A commit that fails (disk full) leaves the file as it was and the entries
// in memory: it can be tried again. One writer at a time holds the directory's lock.
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

#define SEGMENT_OCTETS_DEFAULT (256 << 20)

struct journal_writer {
    int dir; // also the lock
    int fd;  // segment; -1: none begun
    bool sync;
    int64_t octets_max;
    char *key_dir; // owned; NULL: plain
    struct journal_segment segment;
    uint64_t size; // of the segment
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
    int (*before)(void *ctx);
    void *ctx;
};

// ---- Opening: the newest segment, cut back to its last whole block

static int newest_segment(int dir, uint32_t *day, uint32_t *number)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int rc = -errno;
        if (copy >= 0)
            close(copy);
        return rc;
    }
    *day = 0;
    *number = 0;
    for (struct dirent *e; (e = readdir(d));) {
        uint32_t a, b;
        if (journal_segment_parse(e->d_name, &a, &b) == 0 &&
            (a > *day || (a == *day && b > *number))) {
            *day = a;
            *number = b;
        }
    }
    closedir(d);
    return 0;
}

// Is the payload behind `offset` whole? Only the last block of a file is asked.
static bool payload_whole(int fd, const struct journal_block *b, uint64_t offset)
{
    uint8_t *stored = malloc(b->stored > 0 ? b->stored : 1);
    bool whole = stored && journal_read_at(fd, stored, b->stored, offset) &&
                 journal_block_sum(b, span_of(stored, b->stored)) == b->payload_sum;
    free(stored);
    return whole;
}

// End of the last whole block. Blocks are written one after another: damage with a whole block behind it
// is no torn write, and stays for the reader to pass over.
static uint64_t whole_end(struct journal_writer *w, int fd, uint64_t size)
{
    uint64_t end = JOURNAL_SEGMENT_HEADER;
    for (;;) {
        uint64_t at = journal_find_block(fd, end, size);
        uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
        struct journal_block b;
        if (at == UINT64_MAX || !journal_block_at(fd, at, size, &b, header))
            return end;
        if (at > end)
            journal_damage_add(&w->damage, JOURNAL_FAULT_HEADER, w->segment.day, w->segment.number,
                               end);
        uint64_t next = at + b.header + b.stored;
        if (size - next < JOURNAL_BLOCK_HEADER_MAX && !payload_whole(fd, &b, at + b.header))
            return end;
        end = next;
    }
}

static int load_key(struct journal_writer *w, uint32_t day)
{
    if (!w->key_dir || w->key.day == day)
        return 0;
    return journal_key_load(w->key_dir, day, true, &w->key);
}

// Continues segment `day`.`number`. 1: done; 0: it is to be left alone (another cipher or version, or
// not even a header), a new one follows it.
static int continue_segment(struct journal_writer *w, uint32_t day, uint32_t number)
{
    char name[JOURNAL_NAME_MAX];
    struct stat st;
    uint8_t header[JOURNAL_SEGMENT_HEADER];
    int fd = openat(w->dir, journal_segment_name(day, number, name), O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        goto fail;
    w->segment = (struct journal_segment){.day = day, .number = number};
    struct journal_segment s;
    uint64_t size = (uint64_t)st.st_size;
    int known = -EINVAL;
    if (size >= sizeof header && journal_read_at(fd, header, sizeof header, 0))
        known = journal_segment_get(span_of(header, sizeof header), &s);
    if (known < 0) {
        w->torn += size;
        journal_damage_add(&w->damage,
                           known == -EINVAL ? JOURNAL_FAULT_SEGMENT : JOURNAL_FAULT_VERSION, day,
                           number, 0);
        close(fd);
        return 0;
    }
    if (s.version != JOURNAL_VERSION ||
        s.cipher != (w->key_dir ? JOURNAL_XCHACHA20POLY1305 : JOURNAL_PLAIN)) {
        close(fd);
        return 0;
    }
    uint64_t end = whole_end(w, fd, size);
    if (end < size) {
        w->torn += size - end;
        journal_damage_add(&w->damage, JOURNAL_FAULT_TORN, day, number, end);
        if (ftruncate(fd, (off_t)end) < 0 || fdatasync(fd) < 0)
            goto fail;
    }
    int rc = load_key(w, day);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    w->fd = fd;
    w->size = end;
    return 1;
fail:;
    int error = -errno;
    if (fd >= 0)
        close(fd);
    return error;
}

static int open_dir(const char *dir)
{
    if (mkdir(dir, 0750) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        return rc;
    }
    return fd;
}

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
    free(w->key_dir);
    free(w);
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
    w->fd = -1;
    w->sync = options->sync;
    w->octets_max = options->segment_octets_max > 0 ? options->segment_octets_max
                                                    : SEGMENT_OCTETS_DEFAULT;
    buf_init(&w->others, JOURNAL_RAW_MAX);
    buf_init(&w->raw, JOURNAL_RAW_MAX);
    buf_init(&w->block, 2 * (size_t)JOURNAL_RAW_MAX);
    w->dir = open_dir(dir);
    int rc = w->dir < 0 ? w->dir : 0;
    w->sealer = journal_sealer_new();
    w->rows = journal_rows_new();
    if (options->key_dir)
        w->key_dir = strdup(options->key_dir);
    if (rc == 0 && (!w->sealer || !w->rows || (options->key_dir && !w->key_dir)))
        rc = -ENOMEM;
    if (rc == 0)
        pending_clear(w, false);
    uint32_t day = 0, number = 0;
    if (rc == 0)
        rc = journal_tag_write(w->dir);
    if (rc == 0)
        rc = newest_segment(w->dir, &day, &number);
    if (rc == 0 && day > 0)
        rc = continue_segment(w, day, number);
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

static int write_all(int fd, struct span s, uint64_t offset)
{
    while (s.len > 0) {
        ssize_t n = pwrite(fd, s.data, s.len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        offset += (uint64_t)n;
        s = span_cut(s, (size_t)n, s.len);
    }
    return 0;
}

static int begin_segment(struct journal_writer *w, uint32_t day, uint32_t number)
{
    int rc = load_key(w, day);
    if (rc < 0)
        return rc;
    struct journal_segment s = {.day = day, .number = number};
    if (w->key_dir) {
        s.cipher = JOURNAL_XCHACHA20POLY1305;
        s.key_id = w->key.id;
    }
    uint8_t header[JOURNAL_SEGMENT_HEADER];
    char name[JOURNAL_NAME_MAX];
    journal_segment_put(&s, header);
    journal_segment_name(day, number, name);
    int fd = openat(w->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, span_of(header, sizeof header), 0);
    if (rc == 0 && w->sync && (fdatasync(fd) < 0 || fsync(w->dir) < 0))
        rc = -errno;
    if (rc < 0) {
        close(fd);
        unlinkat(w->dir, name, 0);
        return rc;
    }
    if (w->fd >= 0)
        close(w->fd);
    w->fd = fd;
    w->segment = s;
    w->size = sizeof header;
    w->chain.goes_on = false;
    return 0;
}

// A new day, or a full file, begins a new segment. Marks may go back (another capture into the same
// journal); segments never do, for readers move forward only.
static int choose_segment(struct journal_writer *w, int64_t mark_ms)
{
    uint32_t day = journal_day(mark_ms);
    if (day < w->segment.day)
        day = w->segment.day;
    if (w->fd >= 0 && day == w->segment.day && w->size < (uint64_t)w->octets_max)
        return 0;
    uint32_t number = day == w->segment.day ? w->segment.number + 1 : 1;
    return begin_segment(w, day, number);
}

static int write_block(struct journal_writer *w)
{
    int rc = write_all(w->fd, buf_span(&w->block), w->size);
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
    w->before = before;
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

static int commit(struct journal_writer *w, int64_t mark_ms)
{
    if (w->live && is_done(w)) {
        pending_clear(w, false);
        w->at.part++;
        return 0;
    }
    int rc = w->live ? w->before(w->ctx) : 0;
    if (rc == 0)
        rc = choose_segment(w, mark_ms);
    if (rc < 0)
        return rc;
    struct journal_block b = w->pending;
    b.mark_ms = mark_ms;
    if (b.rows == 0) {
        b.minute_min = 1;
        b.minute_max = 0;
    }
    rc = seal(w, &b);
    if (rc == 0)
        rc = write_block(w);
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
