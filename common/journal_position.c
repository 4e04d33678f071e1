// How far the rows of a journal go: the last position of an intake, looked for from the end.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

struct place {
    uint64_t at;
    bool goes_on; // from the block before
};

struct search {
    int dir, fd;
    const char *key_dir;
    uint64_t log;
    struct journal_key key;
    struct journal_chain *chain;
    struct place *block;
    size_t count, cap;
};

static int list_blocks(struct search *s, uint64_t from, uint64_t size)
{
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
    struct journal_block b;
    s->count = 0;
    for (uint64_t at = from;;) {
        at = journal_find_block(s->fd, at, size);
        if (at == UINT64_MAX || !journal_block_at(s->fd, at, size, &b, header))
            return 0;
        if (s->count == s->cap) {
            size_t cap = s->cap ? 2 * s->cap : 1024;
            struct place *more = realloc(s->block, cap * sizeof *more);
            if (!more)
                return -ENOMEM;
            s->block = more;
            s->cap = cap;
        }
        s->block[s->count++] = (struct place){.at = at, .goes_on = b.back > 0};
        at += (uint64_t)b.header + b.stored;
    }
}

// The last position of the log in the chain that `chain` is the first block of.
static int position_in(struct search *s, const struct place *chain, size_t blocks, uint64_t size,
                       const struct journal_key *key, struct journal_position *out)
{
    int found = 0;
    journal_chain_forget(s->chain);
    for (size_t i = 0; i < blocks; i++) {
        struct journal_entries e;
        struct journal_position p;
        int rc = journal_chain_load(s->chain, s->fd, chain[i].at, size, key, &e);
        if (rc == -ENOMEM || rc == -EIO)
            return rc;
        if (rc == 0 && journal_entry_get_position(e.left, &p) && p.log == s->log) {
            *out = p;
            found = 1;
        }
    }
    return found;
}

static int position_of_segment(struct search *s, uint64_t from, uint64_t size,
                               const struct journal_key *key, struct journal_position *out)
{
    int rc = list_blocks(s, from, size);
    for (size_t end = s->count; end > 0 && rc == 0;) {
        size_t first = end - 1;
        while (first > 0 && s->block[first].goes_on)
            first--;
        rc = position_in(s, &s->block[first], end - first, size, key, out);
        end = first;
    }
    return rc;
}

// 1: found; 0: not here.
static int look_in(struct search *s, uint64_t segment, struct journal_position *out)
{
    char name[JOURNAL_NAME_MAX];
    struct journal_segment g;
    struct stat st;
    uint32_t day = (uint32_t)(segment >> 32);
    s->fd = openat(s->dir, journal_segment_name(day, (uint32_t)segment, name),
                   O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return -errno;
    int rc = 0;
    if (fstat(s->fd, &st) == 0 && journal_segment_read(s->fd, (uint64_t)st.st_size, &g) == 0) {
        const struct journal_key *key = NULL;
        if (g.cipher != JOURNAL_PLAIN && s->key_dir &&
            journal_key_load(s->key_dir, g.day, false, &s->key) == 0)
            key = &s->key;
        if (g.cipher == JOURNAL_PLAIN || key)
            rc = position_of_segment(s, journal_segment_header(&g), (uint64_t)st.st_size, key, out);
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
    s.chain = journal_chain_new();
    int rc = s.chain ? 0 : -ENOMEM;
    while (rc == 0) {
        rc = journal_segment_before(s.dir, segment, &segment);
        if (rc <= 0) {
            rc = rc == 0 ? -ENOENT : rc;
            break;
        }
        rc = look_in(&s, segment, out);
    }
    journal_chain_free(s.chain);
    free(s.block);
    close(s.dir);
    return rc > 0 ? 0 : rc;
}
