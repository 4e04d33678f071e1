// The feed file. See output.h.
#include "feed/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_OCTETS 65536

// Where the last whole line begins and ends. 0 or a negative errno.
static int last_line(int fd, off_t *begin, off_t *end)
{
    char block[BLOCK_OCTETS];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    off_t at = st.st_size;
    *begin = *end = 0;
    bool ended = false;
    while (at > 0) {
        size_t n = at < BLOCK_OCTETS ? (size_t)at : BLOCK_OCTETS;
        at -= (off_t)n;
        if (pread(fd, block, n, at) != (ssize_t)n)
            return errno ? -errno : -EIO;
        for (size_t i = n; i-- > 0;) {
            if (block[i] != '\n')
                continue;
            off_t behind = at + (off_t)i + 1;
            if (ended) {
                *begin = behind;
                return 0;
            }
            *end = behind;
            ended = true;
        }
    }
    return 0;
}

static int read_last(struct output *o, off_t begin, off_t end)
{
    size_t n = (size_t)(end - begin);
    char *line = malloc(n + 1);
    if (!line)
        return -ENOMEM;
    int rc = -EPROTO;
    if (pread(o->fd, line, n, begin) == (ssize_t)n) {
        json_t *j = json_loadb(line, n, 0, NULL);
        const json_t *number = json_object_get(j, "change");
        if (json_is_integer(number)) {
            o->last = json_integer_value(number);
            rc = 0;
        }
        json_decref(j);
    }
    free(line);
    return rc;
}

int output_open(struct output *o, const char *path, struct ticket_store *store)
{
    off_t begin, end;
    int64_t newest = 0;
    *o = (struct output){.fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
    if (o->fd < 0)
        return -errno;
    int rc = last_line(o->fd, &begin, &end);
    if (rc == 0 && end > 0)
        rc = read_last(o, begin, end);
    // What stands behind the last whole line was cut by a crash.
    if (rc == 0 && ftruncate(o->fd, end) != 0)
        rc = -errno;
    if (rc == 0)
        rc = ticket_store_last_change(store, &newest);
    if (rc == 0 && o->last > newest)
        rc = -EPROTO;
    if (rc == 0)
        rc = output_follow(o, store);
    if (rc != 0) {
        close(o->fd);
        o->fd = -1;
    }
    return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int append(const struct ticket_change *c, void *ctx)
{
    struct output *o = ctx;
    json_t *j = ticket_change_to_json(c);
    char *text = j ? json_canonical(j) : NULL;
    json_decref(j);
    if (!text)
        return -ENOMEM;
    size_t len = strlen(text);
    text[len] = '\n'; // over the NUL: one write a line
    int rc = write_all(o->fd, text, len + 1);
    free(text);
    if (rc != 0)
        return rc;
    o->last = c->number;
    o->written++;
    return 0;
}

int output_follow(struct output *o, struct ticket_store *store)
{
    return ticket_store_changes(store, o->last, 0, append, o);
}

int output_close(struct output *o)
{
    if (o->fd < 0)
        return 0;
    int rc = fdatasync(o->fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -errno;
    if (close(o->fd) != 0 && rc == 0)
        rc = -errno;
    o->fd = -1;
    return rc;
}
