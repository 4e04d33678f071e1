// Writing a spool: segments, appending, syncing, removing. The newest segment is the only one that is open for
// writing; one that is followed by another has been synced.
//
// After a failed sync the kernel may hold what was not written for clean, and a second sync would say yes to nothing:
// so what was not synced is written again first.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/spool_format.h"

struct spool {
    int dir; // also the lock
    int fd;  // the newest segment
    struct spool_options options;
    struct spool_segment *segment; // oldest first
    size_t count, cap;
    uint64_t id, ordinal;
    uint64_t synced; // octets of the newest segment that are durable
    bool dir_unsynced, sync_failed, in_callback;
    bool last_known;
    struct record_id last;
    void (*on_segment)(void *ctx, struct spool *s);
    void *ctx;
    struct spool_stats stats;
};

static struct spool_segment *newest(struct spool *s)
{
    return &s->segment[s->count - 1];
}

static void count_octets(struct spool *s)
{
    s->stats.segments = s->count;
    s->stats.octets = 0;
    for (size_t i = 0; i < s->count; i++)
        s->stats.octets += s->segment[i].octets;
}

static struct spool_segment *add_segment(struct spool *s, uint64_t number)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct spool_segment *more = realloc(s->segment, cap * sizeof *more);
        if (!more)
            return NULL;
        s->segment = more;
        s->cap = cap;
    }
    s->segment[s->count] = (struct spool_segment){.number = number, .latest_ms = INT64_MIN};
    return &s->segment[s->count++];
}

// ---- Opening

static int open_dir(const char *path)
{
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        return rc;
    }
    return fd;
}

static int by_number(const void *a, const void *b)
{
    const struct spool_segment *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int list_segments(struct spool *s)
{
    int copy = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int rc = -errno;
        if (copy >= 0)
            close(copy);
        return rc;
    }
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d));) {
        uint64_t number;
        if (spool_name_parse(e->d_name, &number) == 0 && !add_segment(s, number))
            rc = -ENOMEM;
    }
    closedir(d);
    if (s->count > 1)
        qsort(s->segment, s->count, sizeof *s->segment, by_number);
    return rc;
}

static void note_block(struct spool *s, struct spool_segment *g, const struct spool_block *b)
{
    s->ordinal += b->records;
    if (b->latest_ms > g->latest_ms)
        g->latest_ms = b->latest_ms;
    if (b->kind == SPOOL_RECORDS && b->last > 0) {
        s->last_known = true;
        s->last = (struct record_id){.domain = b->domain, .epoch = b->epoch, .sequence = b->last};
    }
}

static bool payload_whole(int fd, const struct spool_block_header *h, uint64_t at)
{
    uint8_t *data = malloc(h->len > 0 ? h->len : 1);
    bool whole = data && spool_read_at(fd, data, h->len, at + SPOOL_BLOCK_HEADER) &&
                 spool_block_whole(h, span_of(data, h->len));
    free(data);
    return whole;
}

// Walks the blocks' headers. The end of what is whole: behind the last block whose payload is.
static uint64_t scan_blocks(struct spool *s, struct spool_segment *g, int fd, uint64_t size)
{
    uint64_t end = SPOOL_SEGMENT_HEADER;
    for (;;) {
        struct spool_block_header h;
        uint64_t at = spool_find_block(fd, end, size, &h);
        if (at == UINT64_MAX)
            return end;
        uint64_t next = at + SPOOL_BLOCK_HEADER + h.len;
        if (size - next < SPOOL_BLOCK_HEADER && !payload_whole(fd, &h, at))
            return end;
        note_block(s, g, &h.b);
        end = next;
    }
}

// 0; -EINVAL: the newest segment has no whole header.
static int scan_segment(struct spool *s, size_t i)
{
    struct spool_segment *g = &s->segment[i];
    bool last = i + 1 == s->count;
    char name[SPOOL_NAME_MAX];
    uint8_t header[SPOOL_SEGMENT_HEADER];
    struct spool_segment_header h;
    struct stat st;
    int rc = 0;
    int fd = openat(s->dir, spool_name(g->number, name), O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        goto fail;
    bool good = spool_read_at(fd, header, sizeof header, 0) &&
                spool_segment_get(span_of(header, sizeof header), &h) == 0;
    if (!good && last) {
        rc = -EINVAL;
        goto out;
    }
    if (good) {
        s->id = h.id;
        if (h.ordinal > s->ordinal)
            s->ordinal = h.ordinal;
    }
    s->stats.bad_blocks += !good;
    g->ordinal = s->ordinal;
    g->octets = scan_blocks(s, g, fd, (uint64_t)st.st_size);
    if (last && g->octets < (uint64_t)st.st_size) {
        s->stats.torn_octets += (uint64_t)st.st_size - g->octets;
        if (ftruncate(fd, (off_t)g->octets) < 0)
            goto fail;
    }
    if (!last)
        g->octets = (uint64_t)st.st_size;
    if (last) {
        s->fd = fd;
        s->synced = SPOOL_SEGMENT_HEADER; // who knows what the last run had synced
        return 0;
    }
out:
    close(fd);
    return rc;
fail:
    rc = -errno;
    if (fd >= 0)
        close(fd);
    return rc;
}

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

static int begin_segment(struct spool *s)
{
    uint64_t number = s->count > 0 ? newest(s)->number + 1 : 1;
    struct spool_segment_header h = {.number = number, .id = s->id, .ordinal = s->ordinal};
    uint8_t header[SPOOL_SEGMENT_HEADER];
    char name[SPOOL_NAME_MAX];
    int rc = s->fd >= 0 ? spool_sync(s) : 0;
    if (rc < 0)
        return rc;
    int fd = openat(s->dir, spool_name(number, name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    spool_segment_put(&h, header);
    rc = write_all(fd, span_of(header, sizeof header), 0);
    struct spool_segment *g = rc == 0 ? add_segment(s, number) : NULL;
    if (!g) {
        close(fd);
        unlinkat(s->dir, name, 0);
        return rc < 0 ? rc : -ENOMEM;
    }
    g->octets = sizeof header;
    g->ordinal = s->ordinal;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = fd;
    s->synced = 0;
    s->dir_unsynced = true;
    count_octets(s);
    if (s->on_segment && !s->in_callback) {
        s->in_callback = true;
        s->on_segment(s->ctx, s);
        s->in_callback = false;
    }
    return 0;
}

static int scan(struct spool *s)
{
    int rc = list_segments(s);
    for (size_t i = 0; rc == 0 && i < s->count; i++) {
        rc = scan_segment(s, i);
        if (rc == -EINVAL && i + 1 == s->count) { // its making was cut: nothing is in it
            char name[SPOOL_NAME_MAX];
            unlinkat(s->dir, spool_name(s->segment[i].number, name), 0);
            s->count--;
            if (s->count > 0)
                s->ordinal = newest(s)->ordinal;
            rc = s->count > 0 ? scan_segment(s, s->count - 1) : 0;
            break;
        }
    }
    if (rc == 0 && s->id == 0 && getrandom(&s->id, sizeof s->id, 0) != (ssize_t)sizeof s->id)
        rc = -EIO;
    if (rc == 0 && s->count == 0)
        rc = begin_segment(s);
    count_octets(s);
    return rc;
}

int spool_open(const char *dir, const struct spool_options *options, struct spool **out)
{
    struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->options = *options;
    s->fd = -1;
    s->dir = open_dir(dir);
    int rc = s->dir < 0 ? s->dir : scan(s);
    if (rc < 0) {
        spool_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->dir >= 0)
        close(s->dir);
    free(s->segment);
    free(s);
}

// ---- Appending

static bool turn_is_due(struct spool *s)
{
    return !s->in_callback && newest(s)->octets >= s->options.segment_octets;
}

int spool_turn(struct spool *s)
{
    return turn_is_due(s) ? begin_segment(s) : 0;
}

int spool_append(struct spool *s, const struct spool_block *b, struct span payload)
{
    uint8_t header[SPOOL_BLOCK_HEADER];
    if (payload.len > SPOOL_BLOCK_MAX)
        return -EMSGSIZE;
    uint64_t need = sizeof header + payload.len;
    bool turn = !s->options.caller_turns && turn_is_due(s);
    uint64_t more = need + (turn ? SPOOL_SEGMENT_HEADER : 0);
    // What a segment begins with is small, and what follows needs it.
    if (!s->in_callback && s->stats.octets + more > s->options.octets_max)
        return -ENOSPC;
    int rc = turn ? begin_segment(s) : 0;
    struct spool_segment *g = newest(s);
    if (rc == 0) {
        spool_block_put(b, payload, header);
        rc = write_all(s->fd, span_of(header, sizeof header), g->octets);
    }
    if (rc == 0)
        rc = write_all(s->fd, payload, g->octets + sizeof header);
    if (rc < 0) {
        s->stats.failures++;
        // Should the cut fail too, the next block is written over it, and the next opening cuts.
        return ftruncate(s->fd, (off_t)g->octets) < 0 ? -errno : rc;
    }
    g->octets += need;
    s->stats.octets += need;
    note_block(s, g, b);
    return 0;
}

// Writes again what a failed sync may have left unwritten.
static int write_again(struct spool *s)
{
    uint8_t piece[65536];
    uint64_t end = newest(s)->octets;
    for (uint64_t at = s->synced; at < end;) {
        size_t len = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        if (!spool_read_at(s->fd, piece, len, at))
            return -EIO;
        int rc = write_all(s->fd, span_of(piece, len), at);
        if (rc < 0)
            return rc;
        at += len;
    }
    return 0;
}

int spool_sync(struct spool *s)
{
    if (!spool_unsynced(s))
        return 0;
    int rc = s->sync_failed ? write_again(s) : 0;
    if (rc == 0 && fdatasync(s->fd) < 0)
        rc = -errno;
    if (rc == 0 && s->dir_unsynced && fsync(s->dir) < 0)
        rc = -errno;
    s->sync_failed = rc < 0;
    if (rc < 0) {
        s->stats.failures++;
        return rc;
    }
    s->dir_unsynced = false;
    s->synced = newest(s)->octets;
    s->stats.syncs++;
    return 0;
}

bool spool_unsynced(const struct spool *s)
{
    return s->dir_unsynced || s->synced < s->segment[s->count - 1].octets;
}

void spool_on_segment(struct spool *s, void (*fn)(void *ctx, struct spool *s), void *ctx)
{
    s->on_segment = fn;
    s->ctx = ctx;
}

// ---- Removing, asking

unsigned spool_remove(struct spool *s, uint64_t segment)
{
    unsigned n = 0;
    char name[SPOOL_NAME_MAX];
    while (n + 1 < s->count && s->segment[n].number <= segment) {
        if (unlinkat(s->dir, spool_name(s->segment[n].number, name), 0) < 0 && errno != ENOENT)
            break;
        n++;
    }
    if (n > 0) {
        memmove(s->segment, s->segment + n, (s->count - n) * sizeof *s->segment);
        s->count -= n;
        count_octets(s);
    }
    return n;
}

bool spool_oldest(const struct spool *s, uint64_t *segment, int64_t *latest_ms)
{
    if (s->count < 2)
        return false;
    *segment = s->segment[0].number;
    *latest_ms = s->segment[0].latest_ms;
    return true;
}

uint64_t spool_id(const struct spool *s)
{
    return s->id;
}

uint64_t spool_ordinal(const struct spool *s)
{
    return s->ordinal;
}

bool spool_last(const struct spool *s, struct record_id *last)
{
    if (s->last_known)
        *last = s->last;
    return s->last_known;
}

const struct spool_stats *spool_stats(const struct spool *s)
{
    return &s->stats;
}

// ---- For the reader

const struct spool_segment *spool_segment_at(const struct spool *s, uint64_t number)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->segment[i].number >= number)
            return &s->segment[i];
    return NULL;
}

int spool_segment_open(const struct spool *s, uint64_t number)
{
    char name[SPOOL_NAME_MAX];
    int fd = openat(s->dir, spool_name(number, name), O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void spool_count_bad(struct spool *s)
{
    s->stats.bad_blocks++;
}
