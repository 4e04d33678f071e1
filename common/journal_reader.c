// Reads a journal forward, block by block, also while it is written: an incomplete tail is "nothing more
// now". Damaged blocks are counted and passed over; behind damage the next valid header is looked for.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

struct journal_reader {
    char *path; // of the folder
    int dir;
    int fd; // segment; -1: none found yet
    char *key_dir;
    struct journal_segment segment;
    bool segment_bad;          // header damaged, or its key is not to be had: passed over
    bool checked;              // against the segment before it
    bool misnamed;             // its header names another: it is no link of the chain
    bool whole;                // read from its beginning, no damage so far: `digest` is of it
    uint64_t digest, digested; // up to there
    struct journal_passed passed;
    bool end_said; // that there was more behind the newest segment's end
    struct journal_key key;
    struct journal_chain *chain;
    struct journal_cursor at;
    bool in_block; // `entries` are those of the block at `at.offset`
    struct journal_block block;
    struct journal_entries entries;
    bool mark_given;
    int64_t minute_from; // blocks whose rows all lie before are passed over
    struct journal_entry entry;
    struct journal_stats stats;
    struct journal_damage damage;
};

// ---- Segments

// Opens the segment the cursor names, or the first behind it. 1; 0: none yet.
static int open_segment(struct journal_reader *r)
{
    uint32_t day = r->at.day, number = r->at.segment;
    int rc = journal_segment_find(r->dir, &day, &number);
    if (rc <= 0)
        return rc;
    char name[JOURNAL_NAME_MAX];
    int fd = openat(r->dir, journal_segment_name(day, number, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno; // deleted just now: look again next time
    if (day != r->at.day || number != r->at.segment)
        r->at = (struct journal_cursor){.day = day, .segment = number};
    r->fd = fd;
    r->segment = (struct journal_segment){0};
    r->segment_bad = r->checked = r->misnamed = r->whole = false;
    r->digested = 0;
    r->in_block = false;
    journal_chain_forget(r->chain);
    return 1;
}

static uint64_t segment_size(const struct journal_reader *r)
{
    struct stat st;
    return fstat(r->fd, &st) < 0 || st.st_size < 0 ? 0 : (uint64_t)st.st_size;
}

static void damaged(struct journal_reader *r, enum journal_fault fault, uint64_t offset)
{
    r->stats.bad_blocks++;
    r->whole = false;
    journal_damage_add(&r->damage, fault, r->at.day, r->at.segment, offset);
}

static void pass_segment(struct journal_reader *r, enum journal_fault fault)
{
    r->segment_bad = true;
    damaged(r, fault, 0);
}

// The key of the segment's day. A key that is gone was deleted to shred the day.
static int segment_key(struct journal_reader *r, const struct journal_segment *s)
{
    if (s->cipher == JOURNAL_PLAIN || (r->key.day == s->day && r->key.id == s->key_id))
        return 0;
    if (!r->key_dir) {
        pass_segment(r, JOURNAL_FAULT_NO_KEY);
        return 0;
    }
    int rc = journal_key_load(r->key_dir, s->day, false, &r->key);
    if (rc == -ENOENT) {
        r->segment_bad = true;
        r->whole = false;
        r->key.day = 0;
        r->stats.shredded++;
        return 0;
    }
    if (rc == 0 && r->key.id != s->key_id) {
        r->key.day = 0;
        pass_segment(r, JOURNAL_FAULT_OTHER_KEY);
    }
    return rc;
}

// Once a segment, and only from its beginning: what a cursor leads into was checked when it was begun.
static void check_link(struct journal_reader *r, const struct journal_segment *s)
{
    bool use = true;
    if (r->checked || r->at.offset > 0)
        return;
    r->checked = r->whole = true;
    r->digest = journal_digest_begin(s);
    r->misnamed = s->day != r->at.day || s->number != r->at.segment;
    r->stats.segments++;
    r->stats.unchained += s->version < 4;
    r->stats.bad_blocks += journal_link_check(r->dir, r->at.day, r->at.segment, s, &r->passed,
                                              &r->damage, &use);
    r->segment_bad = !use;
}

// Reads the segment's header once it is whole. 1; 0: not yet; negative errno: another version.
static int segment_header(struct journal_reader *r)
{
    if (r->segment.day != 0 || r->segment_bad)
        return 1;
    struct journal_segment s;
    int rc = journal_segment_read(r->fd, segment_size(r), &s);
    if (rc == -EAGAIN)
        return 0;
    if (rc == -EPROTONOSUPPORT) {
        damaged(r, JOURNAL_FAULT_VERSION, 0);
        return rc;
    }
    if (rc < 0) {
        pass_segment(r, JOURNAL_FAULT_SEGMENT);
        return 1;
    }
    check_link(r, &s);
    if (!r->segment_bad && (rc = segment_key(r, &s)) < 0)
        return rc;
    r->segment = s;
    if (r->at.offset < journal_segment_header(&s))
        r->at.offset = journal_segment_header(&s);
    return 1;
}

// At the end of what is there. 1: moved to a later segment; 0: there is none.
static int next_segment(struct journal_reader *r)
{
    uint32_t day = r->at.day, number = r->at.segment + 1;
    int rc = journal_segment_find(r->dir, &day, &number);
    if (rc <= 0)
        return rc;
    if (!r->misnamed)
        r->passed = (struct journal_passed){{r->at.day, r->at.segment, segment_size(r), r->digest},
                                            r->whole};
    close(r->fd);
    r->fd = -1;
    r->at = (struct journal_cursor){.day = day, .segment = number};
    return 1;
}

static bool later_segment(const struct journal_reader *r)
{
    uint32_t day = r->at.day, number = r->at.segment + 1;
    return journal_segment_find(r->dir, &day, &number) > 0;
}

// ---- Blocks

static void pass_block(struct journal_reader *r, uint64_t to)
{
    r->at.offset = to;
    r->at.entry = 0;
    r->in_block = false;
}

// Loads the block at `at.offset`. 1: `entries` are there; 0: damaged, passed over. Of a block whose stored octets
// are lost in part its length says nothing: the next header may stand before its end.
static int load_block(struct journal_reader *r, uint64_t next, uint64_t size)
{
    int rc = journal_chain_load(r->chain, r->fd, r->at.offset, size, r->key.day ? &r->key : NULL,
                                &r->entries);
    if (rc == -ENOMEM || rc == -EIO)
        return rc;
    if (rc < 0) {
        uint64_t found = journal_find_block(r->fd, r->at.offset + 1, size);
        damaged(r, rc == -ESTALE ? JOURNAL_FAULT_CHAIN : JOURNAL_FAULT_BLOCK, r->at.offset);
        pass_block(r, found < next ? found : next);
        return 0;
    }
    r->stats.blocks++;
    r->stats.octets += (uint64_t)r->block.header + r->block.stored;
    r->stats.octets_raw += r->block.raw;
    r->in_block = true;
    r->mark_given = false;
    return 1;
}

// Nothing whole behind `whole` now: LAST knows whether there was.
static void check_end(struct journal_reader *r, uint64_t whole)
{
    if (r->end_said || r->misnamed)
        return;
    unsigned faults = journal_end_check(r->dir, r->at.day, r->at.segment, r->fd, whole, &r->damage);
    r->stats.bad_blocks += faults;
    r->end_said = faults > 0;
}

// No valid header where one should be. 1: passed over; 0: the file's end may still be written.
static int pass_damage(struct journal_reader *r, uint64_t size)
{
    uint64_t found = journal_find_block(r->fd, r->at.offset, size);
    bool over = found == UINT64_MAX && later_segment(r);
    if (found == UINT64_MAX && !over) {
        r->stats.torn = true;
        check_end(r, r->at.offset);
        return 0;
    }
    // A segment that has a successor is final, but may have grown since its size was taken.
    if (over && segment_size(r) != size)
        return 1;
    damaged(r, JOURNAL_FAULT_HEADER, r->at.offset);
    pass_block(r, over ? size : found);
    return 1;
}

// Does the block hold nothing from `minute_from` on? Its mark ends the last minute it may close.
static bool is_before(const struct journal_reader *r, const struct journal_block *b)
{
    return r->minute_from > INT64_MIN / 60000 && b->mark_ms <= r->minute_from * 60000 &&
           b->minute_max < r->minute_from;
}

// At the end of a segment that is or is not whole (`begun`: its header is). 1: there is more to look at; 0: not now.
static int pass_end(struct journal_reader *r, bool begun, uint64_t size)
{
    struct stat st;
    if (!later_segment(r)) {
        r->stats.torn = r->stats.torn || !begun;
        if (!r->segment_bad)
            check_end(r, begun ? size : 0);
        // A writer removes what was begun and has no header, and may give the name again.
        if (begun || fstat(r->fd, &st) < 0 || st.st_nlink > 0)
            return 0;
        close(r->fd);
        r->fd = -1;
        return 1;
    }
    if (!r->segment_bad && segment_size(r) != size)
        return 1;
    if (!begun)
        damaged(r, size == 0 ? JOURNAL_FAULT_EMPTY : JOURNAL_FAULT_SEGMENT, 0);
    return next_segment(r);
}

static void digest_block(struct journal_reader *r, const uint8_t *header, uint64_t next)
{
    if (!r->whole || r->at.offset < r->digested)
        return;
    r->digest = journal_digest(r->digest, span_of(header, r->block.header));
    r->digested = next;
}

// Finds the next block. 1: `entries` are there; 0: nothing more now.
static int next_block(struct journal_reader *r)
{
    for (;;) {
        int rc;
        if (r->fd < 0 && (rc = open_segment(r)) <= 0) {
            if (rc == 0)
                check_end(r, 0);
            return rc;
        }
        if ((rc = segment_header(r)) < 0)
            return rc;
        uint64_t size = segment_size(r);
        if (r->segment_bad || rc == 0 || r->at.offset >= size) {
            if ((rc = pass_end(r, rc != 0, size)) <= 0)
                return rc;
            continue;
        }
        uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
        bool whole = journal_block_at(r->fd, r->at.offset, size, &r->block, header);
        if (!whole) {
            if ((rc = pass_damage(r, size)) <= 0)
                return rc;
            continue;
        }
        uint64_t next = r->at.offset + r->block.header + r->block.stored;
        digest_block(r, header, next);
        if (is_before(r, &r->block)) {
            pass_block(r, next);
            continue;
        }
        if ((rc = load_block(r, next, size)) != 0)
            return rc;
    }
}

static void give_entry(struct journal_reader *r, const struct journal_entry **e)
{
    r->at.entry++;
    *e = &r->entry;
}

// The next entry of the loaded block. 1: there; 0: the block is through.
static int block_entry(struct journal_reader *r)
{
    uint64_t next = r->at.offset + r->block.header + r->block.stored;
    minute_row_fini(&r->entry.row, NULL);
    if (r->mark_given) {
        pass_block(r, next);
        return 0;
    }
    int rc = journal_entry_get(&r->entries, &r->entry);
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0) {
        // The checksum was right, so a writer made it so: what went before stands, the rest is lost.
        damaged(r, JOURNAL_FAULT_ENTRY, r->at.offset);
        r->entries = (struct journal_entries){0};
    }
    if (rc <= 0) {
        r->entry.kind = JOURNAL_MARK;
        r->entry.mark_ms = r->block.mark_ms;
        r->mark_given = true;
    }
    return 1;
}

// Steps over the entries a cursor says were read already.
static int step_to(struct journal_reader *r, uint32_t entry)
{
    for (uint32_t i = 0; i < entry; i++) {
        int rc = block_entry(r);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

// Nothing more here: does the folder's name lead to another one now? Then reading goes on there. 1: it does.
static int follow_folder(struct journal_reader *r)
{
    struct stat here, there;
    if (fstat(r->dir, &here) < 0 || stat(r->path, &there) < 0 ||
        (here.st_ino == there.st_ino && here.st_dev == there.st_dev))
        return 0;
    int dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint32_t day = r->at.day, number = r->at.segment;
    if (dir < 0)
        return 0;
    if (journal_segment_find(dir, &day, &number) <= 0) { // later, perhaps
        close(dir);
        return 0;
    }
    close(r->dir);
    if (r->fd >= 0)
        close(r->fd);
    r->dir = dir;
    r->fd = -1;
    return 1;
}

int journal_next(struct journal_reader *r, const struct journal_entry **e)
{
    r->stats.torn = false;
    for (;;) {
        if (!r->in_block) {
            int rc = next_block(r);
            if (rc == 0 && follow_folder(r) == 1)
                continue;
            if (rc <= 0)
                return rc;
            rc = step_to(r, r->at.entry);
            if (rc < 0)
                return rc;
            if (rc == 0)
                continue;
        }
        int rc = block_entry(r);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        r->stats.rows += r->entry.kind == JOURNAL_ROW;
        r->stats.coverages += r->entry.kind == JOURNAL_COVERAGE;
        r->stats.sites += r->entry.kind == JOURNAL_SITE;
        give_entry(r, e);
        return 1;
    }
}

struct journal_cursor journal_reader_cursor(const struct journal_reader *r)
{
    struct journal_cursor c = r->at;
    if (r->in_block && r->mark_given) {
        c.offset += (uint64_t)r->block.header + r->block.stored;
        c.entry = 0;
    }
    return c;
}

void journal_reader_skip_to(struct journal_reader *r, int64_t minute)
{
    r->minute_from = minute;
}

const struct journal_stats *journal_reader_stats(const struct journal_reader *r)
{
    return &r->stats;
}

bool journal_reader_damage(struct journal_reader *r, char out[static JOURNAL_DAMAGE_TEXT_MAX])
{
    return journal_damage_take(&r->damage, out);
}

int journal_reader_open(const char *dir, const struct journal_cursor *from, const char *key_dir,
                        struct journal_reader **out)
{
    struct journal_reader *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->fd = -1;
    r->minute_from = INT64_MIN;
    if (from)
        r->at = *from;
    r->path = strdup(dir);
    r->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = r->dir < 0 ? -errno : 0;
    r->chain = journal_chain_new();
    if (key_dir)
        r->key_dir = strdup(key_dir);
    if (rc == 0 && (!r->chain || !r->path || (key_dir && !r->key_dir)))
        rc = -ENOMEM;
    if (rc < 0) {
        journal_reader_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    minute_row_fini(&r->entry.row, NULL);
    if (r->fd >= 0)
        close(r->fd);
    if (r->dir >= 0)
        close(r->dir);
    journal_chain_free(r->chain);
    free(r->path);
    free(r->key_dir);
    free(r);
}
