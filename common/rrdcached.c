// Commands go out in one buffer a batch; answers are lines, the first with the number of those that
// follow.
#include "common/rrdcached.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"

enum {
    COMMAND_MAX = 4000, // rrdcached takes 4,096 octets a line
    BATCH_OCTETS_MAX = 64 << 20,
    ANSWER_MAX = 4096,
    FOLLOWING_MAX = 10000000, // lines that an answer may announce
    TAIL_KEPT = 64 << 10,     // rrdcached's journal is behind by up to its buffer of 4,096 octets
};

static const char batch_begins[] = "BATCH\n", batch_ends[] = ".\n";
enum { BEGINS = sizeof batch_begins - 1, ENDS = sizeof batch_ends - 1 };

struct rrdcached {
    struct sockaddr_un address;
    int timeout_ms;
    int fd; // -1: not connected
    struct buf batch;
    struct buf tail; // of what was taken last: given again after a lost connection
    bool lost;
    char in[ANSWER_MAX];
    size_t in_len, in_at;
};

int rrdcached_open(const char *address, int timeout_ms, struct rrdcached **out)
{
    const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
    struct rrdcached *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    if (path[0] != '/' || strlen(path) >= sizeof c->address.sun_path) {
        free(c);
        return -EINVAL;
    }
    c->fd = -1;
    c->timeout_ms = timeout_ms;
    c->address.sun_family = AF_UNIX;
    memcpy(c->address.sun_path, path, strlen(path) + 1);
    buf_init(&c->batch, BATCH_OCTETS_MAX);
    buf_init(&c->tail, BATCH_OCTETS_MAX);
    *out = c;
    return 0;
}

static int disconnect(struct rrdcached *c, int code)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->in_len = c->in_at = 0;
    c->lost = true;
    return code;
}

static int reconnect(struct rrdcached *c)
{
    if (c->fd >= 0)
        return 0;
    struct timeval t = {c->timeout_ms / 1000, c->timeout_ms % 1000 * 1000};
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -errno;
    if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) != 0 ||
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) != 0 ||
        connect(c->fd, (const struct sockaddr *)&c->address, sizeof c->address) != 0)
        return disconnect(c, -errno);
    return 0;
}

static int send_all(struct rrdcached *c, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return disconnect(c, errno == EAGAIN ? -ETIMEDOUT : -errno);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

// A line without its end; what is longer than `size` is cut.
static int take_line(struct rrdcached *c, char *line, size_t size)
{
    size_t n = 0;
    for (;;) {
        if (c->in_at == c->in_len) {
            ssize_t got = recv(c->fd, c->in, sizeof c->in, 0);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return disconnect(c, got == 0          ? -ECONNRESET
                                     : errno == EAGAIN ? -ETIMEDOUT
                                                       : -errno);
            c->in_len = (size_t)got;
            c->in_at = 0;
        }
        char octet = c->in[c->in_at++];
        if (octet == '\n')
            break;
        if (n + 1 < size)
            line[n++] = octet;
    }
    line[n] = '\0';
    return 0;
}

// The first line of an answer: its number, and the text behind it.
static int take_status(struct rrdcached *c, long *status, char *text, size_t size)
{
    char line[512], *end;
    int rc = take_line(c, line, sizeof line);
    if (rc != 0)
        return rc;
    errno = 0;
    *status = strtol(line, &end, 10);
    if (errno != 0 || end == line || *status > FOLLOWING_MAX)
        return disconnect(c, -EPROTO);
    snprintf(text, size, "%s", end + (*end == ' '));
    return 0;
}

// Blanks and backslashes of a path are escaped.
static bool put_path(struct buf *out, const char *path)
{
    size_t before = out->len;
    for (; *path; path++) {
        if (*path == '\n')
            return false;
        if (*path == ' ' || *path == '\\' || *path == '\t')
            buf_text(out, "\\");
        buf_bytes(out, path, 1);
    }
    return out->len - before < COMMAND_MAX / 2;
}

int rrdcached_put(struct rrdcached *c, const char *path, const struct rrdfile_update *update,
                  size_t count)
{
    size_t before = c->batch.len;
    if (before == 0)
        buf_text(&c->batch, batch_begins);
    for (size_t done = 0; done < count;) {
        size_t line = c->batch.len;
        buf_text(&c->batch, "UPDATE ");
        if (!put_path(&c->batch, path)) {
            c->batch.len = before;
            return -E2BIG;
        }
        do {
            char text[RRDFILE_UPDATE_TEXT_MAX];
            rrdfile_update_text(&update[done++], text);
            buf_text(&c->batch, " ");
            buf_text(&c->batch, text);
        } while (done < count && c->batch.len - line < COMMAND_MAX - RRDFILE_UPDATE_TEXT_MAX);
        buf_text(&c->batch, "\n");
    }
    return c->batch.failed ? -ENOMEM : 0;
}

// The lines of the batch that was taken; of all such the latest are kept, from a line's beginning on.
static void keep_tail(struct rrdcached *c)
{
    buf_bytes(&c->tail, c->batch.data + BEGINS, c->batch.len - BEGINS - ENDS);
    if (c->tail.failed)
        buf_clear(&c->tail);
    if (c->tail.len <= 2 * TAIL_KEPT)
        return;
    size_t cut = c->tail.len - TAIL_KEPT;
    const uint8_t *end = memchr(c->tail.data + cut, '\n', TAIL_KEPT);
    buf_consume(&c->tail, end ? (size_t)(end - c->tail.data) + 1 : c->tail.len);
}

// When rrdcached was away, first what was taken last: it may have crashed before that stood in its
// journal. What it has already it refuses as old.
static int send_batch(struct rrdcached *c)
{
    int rc = send_all(c, batch_begins, BEGINS);
    if (rc == 0 && c->lost && c->tail.len > 0)
        rc = send_all(c, c->tail.data, c->tail.len);
    return rc == 0 ? send_all(c, c->batch.data + BEGINS, c->batch.len - BEGINS) : rc;
}

static int commit(struct rrdcached *c, size_t *refused, char error[static RRDFILE_ERROR_MAX])
{
    char text[256];
    long status;
    int rc = reconnect(c);
    if (rc == 0)
        rc = send_batch(c);
    if (rc == 0)
        rc = take_status(c, &status, text, sizeof text); // "0 Go ahead."
    if (rc == 0 && status < 0)
        rc = disconnect(c, -EPROTO);
    if (rc == 0)
        rc = take_status(c, &status, text, sizeof text); // "N errors"
    if (rc == 0 && status < 0)
        rc = disconnect(c, -EPROTO);
    *refused = 0;
    for (long i = 0; rc == 0 && i < status; i++) {
        char line[RRDFILE_ERROR_MAX];
        rc = take_line(c, line, sizeof line);
        if (rc != 0 || strstr(line, "illegal attempt to update"))
            continue;
        if ((*refused)++ == 0)
            snprintf(error, RRDFILE_ERROR_MAX, "%s", line);
    }
    if (rc != 0)
        return rc;
    c->lost = false;
    keep_tail(c);
    return 0;
}

int rrdcached_commit(struct rrdcached *c, size_t *refused, char error[static RRDFILE_ERROR_MAX])
{
    *refused = 0;
    if (c->batch.len == 0)
        return 0;
    buf_text(&c->batch, batch_ends);
    int rc = c->batch.failed ? -ENOMEM : commit(c, refused, error);
    if (rc != 0)
        snprintf(error, RRDFILE_ERROR_MAX, "rrdcached at %s: %s", c->address.sun_path,
                 strerror(-rc));
    buf_clear(&c->batch);
    return rc;
}

int rrdcached_flush(struct rrdcached *c, const char *path)
{
    struct buf command;
    char text[256];
    long status;
    buf_init(&command, 2 * COMMAND_MAX);
    buf_text(&command, "FLUSH ");
    bool fits = put_path(&command, path);
    buf_text(&command, "\n");
    int rc = fits && !command.failed ? reconnect(c) : -E2BIG;
    if (rc == 0)
        rc = send_all(c, command.data, command.len);
    buf_fini(&command);
    if (rc == 0)
        rc = take_status(c, &status, text, sizeof text);
    if (rc == 0 && status < 0 && !strstr(text, "No such file"))
        rc = -EIO;
    return rc;
}

int rrdcached_has_journal(struct rrdcached *c, bool *out)
{
    char text[256];
    long lines;
    bool has = false;
    int rc = reconnect(c);
    if (rc == 0)
        rc = send_all(c, "STATS\n", 6);
    if (rc == 0)
        rc = take_status(c, &lines, text, sizeof text); // "9 Statistics follow"
    for (long i = 0; rc == 0 && i < lines; i++) {
        rc = take_line(c, text, sizeof text);
        if (rc == 0 && strncmp(text, "JournalBytes: ", 14) == 0)
            has = strtoull(text + 14, NULL, 10) > 0;
    }
    if (rc == 0)
        *out = has;
    return rc;
}

int rrdcached_flush_series(struct rrdcached *c, const char *rrd_dir, enum series_kind kind,
                           const char *name)
{
    char relative[SERIES_PATH_MAX], path[COMMAND_MAX / 2];
    char *absolute = realpath(rrd_dir, NULL);
    if (!absolute)
        return -errno;
    int n = snprintf(path, sizeof path, "%s/%s", absolute, series_path(kind, name, relative));
    free(absolute);
    return n < (int)sizeof path ? rrdcached_flush(c, path) : -ENAMETOOLONG;
}

void rrdcached_close(struct rrdcached *c)
{
    if (!c)
        return;
    disconnect(c, 0);
    buf_fini(&c->batch);
    buf_fini(&c->tail);
    free(c);
}
