// See mail_follow.h.
#include "maillog/mail_follow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"

#define CHUNK     65536
#define CHECK_MAX 256
#define PATH_ROOM 4096

struct mail_follow {
    char path[PATH_ROOM];
    int fd; // -1: not there
    struct mail_position at;
    uint64_t read_to; // octets read of the file: `at.offset` and what is held of an unfinished line
    uint64_t rotations, truncations, lost;
    struct mail_lines lines;
    uint8_t chunk[CHUNK];
};

// ---- Which file.

static uint64_t check_of(int fd, uint32_t len)
{
    uint8_t head[CHECK_MAX];
    ssize_t n = pread(fd, head, len, 0);
    return n == (ssize_t)len ? hash_octets(HASH_SNI, span_of(head, len)) : 0;
}

// The first octets grow into the check until there are CHECK_MAX of them.
static void note_check(struct mail_follow *f)
{
    uint32_t len = f->read_to < CHECK_MAX ? (uint32_t)f->read_to : CHECK_MAX;
    if (len == f->at.check_len)
        return;
    f->at.check_len = len;
    f->at.check = check_of(f->fd, len);
}

static bool same_file(int fd, const struct mail_position *p)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (uint64_t)st.st_dev == p->device &&
           (uint64_t)st.st_ino == p->inode && (uint64_t)st.st_size >= p->offset &&
           check_of(fd, p->check_len) == p->check;
}

static int open_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}

static void take_file(struct mail_follow *f, int fd)
{
    struct stat st = {0};
    if (f->fd >= 0)
        close(f->fd);
    fstat(fd, &st);
    f->fd = fd;
    f->lines.len = 0;
    f->read_to = 0;
    f->at = (struct mail_position){.device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino};
}

// A rotated file by the position: every name in the folder that begins with the log's own.
static int find_rotated(const struct mail_follow *f, const struct mail_position *p)
{
    char folder[PATH_ROOM], path[PATH_ROOM + 256];
    snprintf(folder, sizeof folder, "%s", f->path);
    char *slash = strrchr(folder, '/');
    const char *base = slash ? slash + 1 : f->path;
    size_t base_len = strlen(base);
    char name[PATH_ROOM];
    snprintf(name, sizeof name, "%s", base);
    if (slash)
        *slash = '\0';
    DIR *d = opendir(slash ? folder[0] ? folder : "/" : ".");
    int found = -1;
    if (!d)
        return -1;
    for (struct dirent *e; found < 0 && (e = readdir(d));) {
        if (strncmp(e->d_name, name, base_len) != 0 || (uint64_t)e->d_ino != p->inode)
            continue;
        snprintf(path, sizeof path, "%s/%s", slash ? folder : ".", e->d_name);
        int fd = open_path(path);
        if (fd >= 0 && same_file(fd, p))
            found = fd;
        else if (fd >= 0)
            close(fd);
    }
    closedir(d);
    return found;
}

// ---- Opening.

static void warm_up(struct mail_follow *f, size_t warm, mail_lines_fn fn, void *ctx)
{
    uint64_t from = f->at.offset > warm ? f->at.offset - warm : 0;
    bool whole = from == 0;
    while (from < f->at.offset) {
        uint64_t left = f->at.offset - from;
        ssize_t n = pread(f->fd, f->chunk, left < CHUNK ? left : CHUNK, (off_t)from);
        if (n <= 0)
            return;
        struct span in = span_of(f->chunk, (size_t)n);
        from += (uint64_t)n;
        if (!whole) { // begins within a line
            const uint8_t *end = memchr(in.data, '\n', in.len);
            if (!end)
                continue;
            whole = true;
            in = span_cut(in, (size_t)(end - in.data) + 1, in.len);
        }
        mail_lines_feed(&f->lines, in, fn, ctx);
    }
    f->lines.len = 0;
}

static void resume(struct mail_follow *f, int fd, const struct mail_position *from, size_t warm,
                   mail_lines_fn fn, void *ctx)
{
    take_file(f, fd);
    f->at = *from;
    f->read_to = from->offset;
    if (warm > 0)
        warm_up(f, warm, fn, ctx);
}

int mail_follow_open(const char *path, const struct mail_position *from, bool at_end, size_t warm,
                     mail_lines_fn warm_fn, void *ctx, struct mail_follow **out)
{
    struct mail_follow *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->fd = -1;
    int rc = snprintf(f->path, sizeof f->path, "%s", path) < PATH_ROOM ? 0 : -ENAMETOOLONG;
    int fd = rc == 0 ? open_path(path) : -1;
    if (rc == 0 && fd < 0 && fd != -ENOENT)
        rc = fd;
    if (rc < 0) {
        free(f);
        return rc;
    }
    *out = f;
    int old = -1;
    if (from && from->inode && fd >= 0 && same_file(fd, from)) {
        resume(f, fd, from, warm, warm_fn, ctx);
        return 0;
    }
    if (from && from->inode && (old = find_rotated(f, from)) >= 0) {
        resume(f, old, from, warm, warm_fn, ctx);
        if (fd >= 0)
            close(fd);
        return 0;
    }
    f->lost += from && from->inode;
    if (fd < 0)
        return 0;
    take_file(f, fd);
    struct stat st;
    if (at_end && !(from && from->inode) && fstat(fd, &st) == 0) {
        f->at.offset = f->read_to = (uint64_t)st.st_size;
        note_check(f);
    }
    return 0;
}

void mail_follow_close(struct mail_follow *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f);
}

// ---- Reading.

// At the end of what there is: is the path another file by now, or was this one emptied? True: there may be
// more to read.
static bool move_on(struct mail_follow *f, mail_lines_fn fn, void *ctx)
{
    struct stat here, there;
    if (f->fd >= 0 && fstat(f->fd, &here) == 0 && (uint64_t)here.st_size < f->read_to) {
        f->truncations++;
        f->lines.len = 0;
        f->at.offset = f->read_to = 0;
        f->at.check_len = 0;
        f->at.check = 0;
        return here.st_size > 0;
    }
    if (stat(f->path, &there) != 0)
        return false; // between renaming and making anew
    if (f->fd >= 0 && (uint64_t)there.st_dev == f->at.device &&
        (uint64_t)there.st_ino == f->at.inode)
        return false;
    int fd = open_path(f->path);
    if (fd < 0)
        return false;
    // What the old file still got while we looked.
    if (f->fd >= 0) {
        ssize_t n;
        while ((n = pread(f->fd, f->chunk, CHUNK, (off_t)f->read_to)) > 0) {
            f->read_to += (uint64_t)n;
            mail_lines_feed(&f->lines, span_of(f->chunk, (size_t)n), fn, ctx);
        }
        mail_lines_end(&f->lines, fn, ctx);
        f->rotations++;
    }
    take_file(f, fd);
    return true;
}

int mail_follow_read(struct mail_follow *f, size_t max, mail_lines_fn fn, void *ctx)
{
    size_t taken = 0;
    while (taken < max) {
        ssize_t n = f->fd >= 0 ? pread(f->fd, f->chunk, CHUNK, (off_t)f->read_to) : 0;
        if (n < 0)
            return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        if (n == 0) {
            if (!move_on(f, fn, ctx))
                return 0;
            continue;
        }
        taken += (size_t)n;
        f->read_to += (uint64_t)n;
        mail_lines_feed(&f->lines, span_of(f->chunk, (size_t)n), fn, ctx);
        // A line over the bound is not read again: its octets held are not those of the file.
        f->at.offset = f->lines.len < sizeof f->lines.held ? f->read_to - f->lines.len : f->read_to;
        note_check(f);
    }
    return 1;
}

struct mail_position mail_follow_position(const struct mail_follow *f)
{
    return f->at;
}

uint64_t mail_follow_rotations(const struct mail_follow *f)
{
    return f->rotations;
}

uint64_t mail_follow_truncations(const struct mail_follow *f)
{
    return f->truncations;
}

uint64_t mail_follow_lost(const struct mail_follow *f)
{
    return f->lost;
}

bool mail_follow_present(const struct mail_follow *f)
{
    return f->fd >= 0;
}
