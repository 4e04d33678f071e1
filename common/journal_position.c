// How far the rows of a journal go: the last position of an intake, looked for from the end.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

struct search {
    int dir, fd;
    const char *key_dir;
    uint64_t log;
    struct journal_key key;
    struct journal_sealer *sealer;
    struct buf stored, raw;
    uint64_t *block; // where blocks begin
    size_t count, cap;
};

// The newest segment older than day.number. 1; 0: none.
static int segment_before(int dir, uint64_t before, uint64_t *out)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int rc = -errno;
        if (copy >= 0)
            close(copy);
        return rc;
    }
    uint64_t best = 0;
    for (struct dirent *e; (e = readdir(d));) {
        uint32_t day, number;
        if (journal_segment_parse(e->d_name, &day, &number) < 0)
            continue;
        uint64_t id = (uint64_t)day << 32 | number;
        if (id < before && id > best)
            best = id;
    }
    closedir(d);
    *out = best;
    return best != 0;
}

static int list_blocks(struct search *s, uint64_t size)
{
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
    struct journal_block b;
    s->count = 0;
    for (uint64_t at = JOURNAL_SEGMENT_HEADER;;) {
        at = journal_find_block(s->fd, at, size);
        if (at == UINT64_MAX || !journal_block_at(s->fd, at, size, &b, header))
            return 0;
        if (s->count == s->cap) {
            size_t cap = s->cap ? 2 * s->cap : 1024;
            uint64_t *more = realloc(s->block, cap * sizeof *more);
            if (!more)
                return -ENOMEM;
            s->block = more;
            s->cap = cap;
        }
        s->block[s->count++] = at;
        at += (uint64_t)b.header + b.stored;
    }
}

static bool position_at(struct search *s, uint64_t at, uint64_t size, const struct journal_key *key,
                        struct journal_position *out)
{
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX], piece[4096];
    struct journal_block b;
    if (!journal_block_at(s->fd, at, size, &b, header))
        return false;
    buf_clear(&s->stored);
    for (uint64_t done = 0; done < b.stored;) {
        size_t len = b.stored - done < sizeof piece ? (size_t)(b.stored - done) : sizeof piece;
        if (!journal_read_at(s->fd, piece, len, at + b.header + done))
            return false;
        buf_bytes(&s->stored, piece, len);
        done += len;
    }
    struct journal_position p;
    if (s->stored.failed ||
        journal_unseal(s->sealer, &b, span_of(header, b.header), buf_span(&s->stored), key,
                       &s->raw) < 0 ||
        !journal_entry_get_position(cursor_of(buf_span(&s->raw)), &p) || p.log != s->log)
        return false;
    *out = p;
    return true;
}

// 1: found; 0: not here.
static int look_in(struct search *s, uint64_t segment, struct journal_position *out)
{
    char name[JOURNAL_NAME_MAX];
    uint8_t header[JOURNAL_SEGMENT_HEADER];
    struct journal_segment g;
    struct stat st;
    uint32_t day = (uint32_t)(segment >> 32);
    s->fd = openat(s->dir, journal_segment_name(day, (uint32_t)segment, name),
                   O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return -errno;
    int rc = 0;
    if (fstat(s->fd, &st) == 0 && journal_read_at(s->fd, header, sizeof header, 0) &&
        journal_segment_get(span_of(header, sizeof header), &g) == 0) {
        const struct journal_key *key = NULL;
        if (g.cipher != JOURNAL_PLAIN && s->key_dir &&
            journal_key_load(s->key_dir, g.day, false, &s->key) == 0)
            key = &s->key;
        if (g.cipher == JOURNAL_PLAIN || key)
            rc = list_blocks(s, (uint64_t)st.st_size);
        for (size_t i = rc == 0 ? s->count : 0; i > 0 && rc == 0; i--)
            rc = position_at(s, s->block[i - 1], (uint64_t)st.st_size, key, out);
    }
    close(s->fd);
    return rc;
}

int journal_find_position(const char *dir, const char *key_dir, uint64_t log,
                          struct journal_position *out)
{
    struct search s = {.key_dir = key_dir, .log = log};
    uint64_t segment = UINT64_MAX;
    s.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s.dir < 0)
        return -errno;
    buf_init(&s.stored, 2 * (size_t)JOURNAL_RAW_MAX);
    buf_init(&s.raw, JOURNAL_RAW_MAX);
    s.sealer = journal_sealer_new();
    int rc = s.sealer ? 0 : -ENOMEM;
    while (rc == 0) {
        rc = segment_before(s.dir, segment, &segment);
        if (rc <= 0) {
            rc = rc == 0 ? -ENOENT : rc;
            break;
        }
        rc = look_in(&s, segment, out);
    }
    journal_sealer_free(s.sealer);
    buf_fini(&s.stored);
    buf_fini(&s.raw);
    free(s.block);
    close(s.dir);
    return rc > 0 ? 0 : rc;
}
