// Retention: a marker says what is kept, so that what goes is not taken for lost; then old days go, and when the journal is larger than it may be, the oldest segments. A day is shredded
// by deleting its key first: what is left of its segments, on disk or in a copy, can then be read by nobody.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

struct segment {
    uint32_t day, number;
    uint64_t octets;
};

struct segments {
    struct segment *item;
    size_t count, cap;
    uint64_t octets;
};

static int by_name(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int add(struct segments *s, const struct segment *item)
{
    if (s->count == s->cap) {
        size_t cap = 2 * s->cap + 64;
        struct segment *more = realloc(s->item, cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        s->item = more;
        s->cap = cap;
    }
    s->item[s->count++] = *item;
    s->octets += item->octets;
    return 0;
}

static int list(int dir, struct segments *s)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d)
        return -errno;
    for (struct dirent *e; rc == 0 && (e = readdir(d));) {
        struct segment item;
        struct stat st;
        if (journal_segment_parse(e->d_name, &item.day, &item.number) < 0 ||
            fstatat(dir, e->d_name, &st, 0) < 0)
            continue;
        item.octets = (uint64_t)st.st_size;
        rc = add(s, &item);
    }
    closedir(d);
    if (s->count > 1)
        qsort(s->item, s->count, sizeof *s->item, by_name);
    return rc;
}

// The key is gone for good before the segments are touched.
static int shred(const char *key_dir, uint32_t day)
{
    char name[32];
    if (!key_dir)
        return 0;
    int dir = open(key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    snprintf(name, sizeof name, "%08u.key", day);
    int rc = unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
    if (rc == 0 && fsync(dir) < 0)
        rc = -errno;
    close(dir);
    return rc;
}

// How many segments go, from the oldest: whole days, but of the newest day the oldest alone. The newest is being
// written and stays.
static size_t count_old(const struct segments *s, uint32_t day_from, uint64_t octets_max)
{
    uint64_t octets = s->octets;
    size_t n = 0;
    while (n + 1 < s->count) {
        bool newest_day = s->item[n].day == s->item[s->count - 1].day;
        bool same_day = n > 0 && s->item[n].day == s->item[n - 1].day && !newest_day;
        bool large = octets_max > 0 && octets > octets_max;
        if (s->item[n].day >= day_from && !large && !same_day)
            break;
        octets -= s->item[n++].octets;
    }
    return n;
}

static int remove_segment(int dir, const struct segment *item)
{
    char name[JOURNAL_NAME_MAX];
    journal_segment_name(item->day, item->number, name);
    return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int journal_retain(const char *path, const char *key_dir, uint32_t day_from, uint64_t octets_max,
                   uint64_t *removed)
{
    struct segments s = {0};
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir < 0 ? -errno : list(dir, &s), marked = 0;
    uint32_t shredded = 0;
    *removed = 0;
    size_t old = rc == 0 ? count_old(&s, day_from, octets_max) : 0;
    // On a full disk the marker may fail: room is what is needed, and what is missing then is said to be.
    if (old > 0)
        marked = journal_first_write(dir, s.item[old].day, s.item[old].number, true);
    for (size_t i = 0; rc == 0 && i < old; i++) {
        if (s.item[i].day != s.item[s.count - 1].day && s.item[i].day != shredded) {
            rc = shred(key_dir, s.item[i].day);
            shredded = s.item[i].day;
        }
        if (rc == 0)
            rc = remove_segment(dir, &s.item[i]);
        *removed += rc == 0;
    }
    if (*removed > 0 && fsync(dir) < 0 && rc == 0)
        rc = -errno;
    if (dir >= 0)
        close(dir);
    free(s.item);
    return rc < 0 ? rc : marked;
}
