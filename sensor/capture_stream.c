// See capture_stream.h. stdio over a cookie: libpcap reads its kinds through the same FILE.
#include "capture_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER (1u << 17)
#define MAGIC  4

// The first octets, looked at and still to be read.
struct head {
    uint8_t octet[MAGIC];
    size_t have, at; // `at`: how many were read since
};

struct capture_stream {
    int fd;
    struct gunzip *gz;      // NULL: not compressed
    struct head raw, plain; // before and behind decompression
    bool regular, empty;
};

static size_t take(struct head *h, void *out, size_t size)
{
    size_t n = h->have - h->at < size ? h->have - h->at : size;
    memcpy(out, h->octet + h->at, n);
    h->at += n;
    return n;
}

static ssize_t read_raw(void *cookie, char *out, size_t size)
{
    struct capture_stream *s = cookie;
    ssize_t n = (ssize_t)take(&s->raw, out, size);
    while (n == 0) {
        n = read(s->fd, out, size);
        if (n >= 0 || errno != EINTR)
            break;
        n = 0;
    }
    return n;
}

static ssize_t read_plain(void *cookie, char *out, size_t size)
{
    struct capture_stream *s = cookie;
    size_t n = take(&s->plain, out, size);
    if (n > 0)
        return (ssize_t)n;
    return s->gz ? (ssize_t)gunzip_read(s->gz, out, size) : read_raw(s, out, size);
}

static int seek_plain(void *cookie, off64_t *offset, int whence)
{
    struct capture_stream *s = cookie;
    off64_t at = lseek64(s->fd, *offset, whence);
    if (at < 0)
        return -1;
    *offset = at;
    return 0;
}

// Until four are there or no more come: a pipe may bring them one by one. Negative errno.
static int look(struct capture_stream *s, cookie_read_function_t *from, struct head *h)
{
    struct head found = {0};
    while (found.have < MAGIC) {
        ssize_t n = from(s, (char *)found.octet + found.have, MAGIC - found.have);
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        found.have += (size_t)n;
    }
    *h = found;
    return 0;
}

static int begin_gzip(struct capture_stream *s)
{
    FILE *packed = fopencookie(s, "rb", (cookie_io_functions_t){.read = read_raw});
    s->gz = packed ? gunzip_new(packed) : NULL;
    return s->gz ? look(s, read_plain, &s->plain) : -ENOMEM;
}

static int begin(struct capture_stream *s, const char *path)
{
    struct stat st;
    bool standard = strcmp(path, "-") == 0;
    s->fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return -errno;
    s->regular = S_ISREG(st.st_mode) && !standard;
    int rc = look(s, read_raw, &s->raw);
    if (rc != 0)
        return rc;
    s->empty = s->raw.have == 0;
    if (s->raw.have >= 2 && s->raw.octet[0] == 0x1f && s->raw.octet[1] == 0x8b)
        return begin_gzip(s);
    s->plain = s->raw;
    s->raw.at = s->raw.have;
    // Where it is possible nothing is pushed back, so that seeking needs to know of nothing.
    if (s->regular && lseek(s->fd, 0, SEEK_SET) == 0)
        s->plain.at = s->plain.have;
    return 0;
}

int capture_stream_open(const char *path, struct capture_stream **out)
{
    struct capture_stream *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->fd = -1;
    int rc = begin(s, path);
    if (rc != 0) {
        capture_stream_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void capture_stream_free(struct capture_stream *s)
{
    if (!s)
        return;
    gunzip_free(s->gz);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

bool capture_stream_magic(const struct capture_stream *s, uint8_t out[static 4])
{
    memcpy(out, s->plain.octet, MAGIC);
    return s->plain.have == MAGIC;
}

bool capture_stream_is_empty(const struct capture_stream *s)
{
    return s->empty;
}

ssize_t capture_stream_read(struct capture_stream *s, void *out, size_t size)
{
    ssize_t n = read_plain(s, out, size);
    return n < 0 ? -errno : n;
}

FILE *capture_stream_file(struct capture_stream *s)
{
    cookie_io_functions_t io = {.read = read_plain,
                                .seek = capture_stream_plain(s) >= 0 ? seek_plain : NULL};
    FILE *f = fopencookie(s, "rb", io);
    if (f)
        setvbuf(f, NULL, _IOFBF, BUFFER);
    return f;
}

bool capture_stream_reopens(const struct capture_stream *s)
{
    return s->regular;
}

int capture_stream_plain(const struct capture_stream *s)
{
    return s->regular && !s->gz ? s->fd : -1;
}

enum gunzip_state capture_stream_state(const struct capture_stream *s)
{
    return s->gz ? gunzip_state(s->gz) : GUNZIP_WHOLE;
}

uint64_t capture_stream_offset(const struct capture_stream *s)
{
    return s->gz ? gunzip_offset(s->gz) : 0;
}
