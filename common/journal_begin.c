// Segments of a journal that is written: which one is gone on with, how one begins, and whether folder, segment and
// key are still where they were. Each names the one it is written behind.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_writer_parts.h"

// ---- The newest segment, cut back to its last whole block

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
    uint64_t end = journal_segment_header(&w->segment);
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

static int load_key(struct journal_writer *w, uint32_t day, bool create)
{
    if (!w->key_dir || w->key.day == day)
        return 0;
    return journal_key_load(w->key_dir, day, create, &w->key);
}

// The segment stays as it is; a new one follows it.
static int leave(struct journal_writer *w, int fd, uint64_t size)
{
    w->before = (struct journal_link){w->segment.day, w->segment.number, size,
                                      journal_digest_segment(fd, size)};
    close(fd);
    return 1;
}

// Cut or damaged by somebody, for what LAST names was synced: the next segment names what there was.
static bool was_longer(struct journal_writer *w)
{
    struct journal_link last;
    if (!journal_last_read(w->dir, &last) || last.day != w->segment.day ||
        last.number != w->segment.number || last.octets <= w->size)
        return false;
    journal_damage_add(&w->damage, JOURNAL_FAULT_CUT, last.day, last.number, w->size);
    w->before = last;
    return true;
}

// 1: it is cut, and more than a crash leaves is gone; 0: it goes on.
static int cut_back(struct journal_writer *w, int fd, uint64_t size)
{
    w->size = whole_end(w, fd, size);
    int longer = was_longer(w);
    if (w->size == size)
        return longer;
    w->torn += size - w->size;
    if (!longer)
        journal_damage_add(&w->damage, JOURNAL_FAULT_TORN, w->segment.day, w->segment.number,
                           w->size);
    return ftruncate(fd, (off_t)w->size) < 0 || fdatasync(fd) < 0 ? -errno : longer;
}

// Of another version or cipher: nothing is written to it any more, but a crash's tail would be called damage for good.
static int leave_whole(struct journal_writer *w, int fd, uint64_t size,
                       const struct journal_segment *s)
{
    w->segment = *s;
    int rc = cut_back(w, fd, size);
    if (rc == 0)
        return leave(w, fd, w->size);
    close(fd);
    return rc;
}

// Goes on with the segment, or leaves it alone (another cipher or version, its key gone, damaged at its head). 0: the
// one before it counts instead, for this was hardly begun, or is another by a wrong name; 1: done; negative errno.
static int take_up(struct journal_writer *w, int fd, uint64_t size)
{
    char name[JOURNAL_NAME_MAX];
    struct journal_segment s;
    uint32_t day = w->segment.day, number = w->segment.number;
    int known = journal_segment_read(fd, size, &s), rc;
    if (known == -EAGAIN) {
        w->torn += size;
        journal_damage_add(&w->damage, JOURNAL_FAULT_UNBEGUN, day, number, 0);
        close(fd);
        return unlinkat(w->dir, journal_segment_name(day, number, name), 0) < 0 ? -errno : 0;
    }
    if (known < 0) {
        w->torn += size;
        journal_damage_add(&w->damage,
                           known == -EINVAL ? JOURNAL_FAULT_SEGMENT : JOURNAL_FAULT_VERSION, day,
                           number, 0);
        return leave(w, fd, size);
    }
    if (s.day != day || s.number != number) {
        journal_damage_add(&w->damage, JOURNAL_FAULT_NAME, day, number, 0);
        close(fd);
        return 0;
    }
    if (s.version != JOURNAL_SEGMENT_VERSION ||
        s.cipher != (w->key_dir ? JOURNAL_XCHACHA20POLY1305 : JOURNAL_PLAIN))
        return leave_whole(w, fd, size, &s);
    w->segment = s;
    rc = load_key(w, day, false);
    if (rc == -ENOENT || (rc == 0 && w->key_dir && w->key.id != s.key_id)) {
        w->keys_lost++;
        journal_damage_add(&w->damage, rc == 0 ? JOURNAL_FAULT_OTHER_KEY : JOURNAL_FAULT_KEY_LOST,
                           day, number, 0);
        return leave(w, fd, size);
    }
    if (rc == 0)
        rc = cut_back(w, fd, size);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    w->digest = journal_digest_segment(fd, w->size);
    w->fd = fd;
    return 1;
}

// Behind the newest there was another: numbers go on behind that, and the next segment names it.
static void find_missing(struct journal_writer *w, uint64_t newest)
{
    struct journal_link last;
    if (!journal_last_read(w->dir, &last) || ((uint64_t)last.day << 32 | last.number) <= newest)
        return;
    journal_damage_add(&w->damage, JOURNAL_FAULT_MISSING, last.day, last.number, 0);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->before = last;
    w->segment = (struct journal_segment){.day = last.day, .number = last.number};
}

// The newest name decides which number comes next, whatever is behind it.
static int find_newest(struct journal_writer *w)
{
    uint64_t at = UINT64_MAX, newest = 0;
    int rc;
    while ((rc = journal_segment_before(w->dir, at, &at)) > 0) {
        char name[JOURNAL_NAME_MAX];
        struct stat st;
        w->segment = (struct journal_segment){.day = (uint32_t)(at >> 32), .number = (uint32_t)at};
        int fd = openat(w->dir, journal_segment_name(w->segment.day, w->segment.number, name),
                        O_RDWR | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) {
            rc = -errno;
            if (fd >= 0)
                close(fd);
            return rc;
        }
        newest = newest ? newest : at;
        rc = take_up(w, fd, (uint64_t)st.st_size);
        if (rc < 0)
            return rc;
        if (fstatat(w->dir, name, &st, 0) < 0 && newest == at)
            newest = 0; // it was removed
        if (rc > 0)
            break;
    }
    if (rc < 0)
        return rc;
    // Not behind a wrong name, but in a new one behind all names.
    uint64_t taken = (uint64_t)w->segment.day << 32 | w->segment.number;
    if (w->fd >= 0 && newest > taken) {
        w->before = (struct journal_link){w->segment.day, w->segment.number, w->size, w->digest};
        close(w->fd);
        w->fd = -1;
    }
    if (w->fd < 0)
        w->segment = (struct journal_segment){.day = (uint32_t)(newest >> 32),
                                              .number = (uint32_t)newest};
    find_missing(w, newest);
    return 0;
}

// ---- The folder

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

static int open_folder(struct journal_writer *w)
{
    w->dir = open_dir(w->path);
    if (w->dir < 0)
        return w->dir;
    int rc = journal_tag_write(w->dir);
    if (rc == 0)
        rc = journal_first_make(w->dir);
    return rc < 0 ? rc : find_newest(w);
}

int journal_begin(struct journal_writer *w)
{
    int rc = w->key_dir ? journal_keys_check(w->key_dir) : 0;
    return rc < 0 ? -ENOKEY : open_folder(w);
}

// ---- A new segment

int journal_write_all(int fd, struct span s, uint64_t offset)
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

// What a failed block may have left behind the last whole one goes: the next segment says how long this one is.
static int close_segment(struct journal_writer *w)
{
    struct stat st;
    if (w->fd < 0)
        return 0;
    if (fstat(w->fd, &st) < 0 ||
        ((uint64_t)st.st_size > w->size && ftruncate(w->fd, (off_t)w->size) < 0))
        return -errno;
    w->before = (struct journal_link){w->segment.day, w->segment.number, w->size, w->digest};
    return 0;
}

static int make_file(struct journal_writer *w, const char *name,
                     const uint8_t header[static JOURNAL_SEGMENT_HEADER])
{
    int fd = openat(w->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    int rc = journal_write_all(fd, span_of(header, JOURNAL_SEGMENT_HEADER), 0);
    if (rc == 0 && w->sync && (fdatasync(fd) < 0 || fsync(w->dir) < 0))
        rc = -errno;
    if (rc == 0)
        return fd;
    close(fd);
    unlinkat(w->dir, name, 0);
    return rc;
}

static int begin_segment(struct journal_writer *w, uint32_t day, uint32_t number)
{
    int rc = load_key(w, day, true);
    if (rc == 0)
        rc = close_segment(w);
    if (rc < 0)
        return rc;
    struct journal_segment s = {
        .version = JOURNAL_SEGMENT_VERSION, .day = day, .number = number, .before = w->before};
    if (w->key_dir) {
        s.cipher = JOURNAL_XCHACHA20POLY1305;
        s.key_id = w->key.id;
    }
    uint8_t header[JOURNAL_SEGMENT_HEADER];
    char name[JOURNAL_NAME_MAX];
    journal_segment_put(&s, header);
    if (journal_segment_get(span_of(header, sizeof header), &s) < 0)
        return -EIO;
    int fd = make_file(w, journal_segment_name(day, number, name), header);
    if (fd < 0)
        return fd;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = fd;
    w->segment = s;
    w->size = sizeof header;
    w->digest = journal_digest_begin(&s);
    w->chain.goes_on = false;
    return 0;
}

// A new day, or a full file, begins a new segment. Marks may go back (another capture into the same
// journal); segments never do, for readers move forward only.
int journal_begin_segment_for(struct journal_writer *w, int64_t mark_ms)
{
    uint32_t day = journal_day(mark_ms);
    if (day < w->segment.day)
        day = w->segment.day;
    if (w->fd >= 0 && day == w->segment.day && w->size < (uint64_t)w->octets_max)
        return 0;
    uint32_t number = day == w->segment.day ? w->segment.number + 1 : 1;
    return begin_segment(w, day, number);
}

// ---- Still there?

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool folder_there(const struct journal_writer *w)
{
    struct stat open, named;
    return w->dir >= 0 && fstat(w->dir, &open) == 0 && stat(w->path, &named) == 0 &&
           same_file(&open, &named);
}

static bool segment_there(const struct journal_writer *w)
{
    char name[JOURNAL_NAME_MAX];
    struct stat open, named;
    journal_segment_name(w->segment.day, w->segment.number, name);
    return w->fd < 0 ||
           (fstat(w->fd, &open) == 0 && fstatat(w->dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            same_file(&open, &named));
}

// What is written from here on stands behind what was open, under a number of its own.
static void let_go(struct journal_writer *w, enum journal_fault fault)
{
    w->before = (struct journal_link){w->segment.day, w->segment.number, w->size, w->digest};
    journal_damage_add(&w->damage, fault, w->segment.day, w->segment.number, w->size);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->chain.goes_on = false;
}

// The folder as its name leads there now. Numbers go on behind those of the one that is gone.
static int open_again(struct journal_writer *w)
{
    struct journal_link before = w->before;
    struct journal_segment segment = w->segment;
    if (w->dir >= 0)
        close(w->dir);
    int rc = open_folder(w);
    if (rc < 0) {
        if (w->dir >= 0)
            close(w->dir);
        w->dir = -1;
    } else if (w->segment.day > segment.day ||
               (w->segment.day == segment.day && w->segment.number >= segment.number)) {
        return 0; // there are segments behind it: it goes on with these
    }
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->before = before;
    w->segment = segment;
    return rc;
}

int journal_place_look(struct journal_writer *w)
{
    if (!folder_there(w)) {
        if (w->dir >= 0) {
            w->gone++;
            let_go(w, JOURNAL_FAULT_FOLDER);
        }
        return open_again(w);
    }
    if (!segment_there(w)) {
        w->gone++;
        let_go(w, JOURNAL_FAULT_GONE);
        return 0;
    }
    return 1;
}

void journal_key_look(struct journal_writer *w)
{
    if (!w->key_dir || w->fd < 0 || journal_key_exists(w->key_dir, w->segment.day))
        return;
    w->keys_lost++;
    let_go(w, JOURNAL_FAULT_KEY_LOST);
    w->key.day = 0;
}
