// Verdicts appended to a file. See stream.h.
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_OCTETS (256 * 1024)

// When the last whole line's verdict was made, and where that line ends.
static int read_tail(struct stream *s)
{
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return -errno;
    size_t len = st.st_size > 2 * LINE_MAX_OCTETS ? 2 * LINE_MAX_OCTETS : (size_t)st.st_size;
    off_t begin = st.st_size - (off_t)len;
    char *tail = malloc(len + 1);
    if (!tail)
        return -ENOMEM;
    if (pread(s->fd, tail, len, begin) != (ssize_t)len) {
        free(tail);
        return -EIO;
    }
    size_t end = len;
    while (end > 0 && tail[end - 1] != '\n')
        end--;
    s->octets = begin + (off_t)end;
    size_t line = end > 0 ? end - 1 : 0;
    while (line > 0 && tail[line - 1] != '\n')
        line--;
    struct verdict *v = malloc(sizeof *v);
    char error[160];
    json_t *j = end > 0 ? json_loadb(tail + line, end - line, 0, NULL) : NULL;
    if (v && j && verdict_from_json(j, v, error) == 0)
        s->last_ms = v->made_ms;
    json_decref(j);
    free(tail);
    int rc = v ? 0 : -ENOMEM;
    free(v);
    return rc;
}

int stream_open(struct stream *s, const char *path)
{
    *s = (struct stream){.fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
    if (s->fd < 0)
        return -errno;
    int rc = read_tail(s);
    if (rc == 0 && ftruncate(s->fd, s->octets) != 0)
        rc = -errno;
    if (rc != 0)
        stream_close(s);
    return rc;
}

void stream_skip(struct stream *s, int64_t octets, bool same)
{
    s->skip = s->skip_ms = 0;
    if (same && octets <= s->octets)
        s->skip = s->octets - octets;
    else
        s->skip_ms = s->last_ms;
}

static int write_all(struct stream *s, const char *text, size_t len)
{
    int64_t before = s->octets;
    while (len > 0) {
        ssize_t n = write(s->fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int rc = -errno;
            // Half a line is no line: what is there stays whole, or the next start makes it so.
            if (ftruncate(s->fd, before) == 0)
                s->octets = before;
            return rc;
        }
        text += n;
        len -= (size_t)n;
        s->octets += n;
    }
    return 0;
}

int stream_put(struct stream *s, const struct verdict *v)
{
    if (s->skip_ms != 0 && v->made_ms <= s->skip_ms) {
        s->skipped++;
        return 0;
    }
    json_t *j = verdict_to_json(v);
    char *text = j ? json_canonical(j) : NULL;
    json_decref(j);
    if (!text)
        return -ENOMEM;
    size_t len = strlen(text);
    text[len] = '\n'; // over the NUL: one write a line
    int rc = 0;
    if (s->skip > 0) {
        s->skip -= (int64_t)len + 1;
        s->skipped++;
    } else {
        rc = write_all(s, text, len + 1);
        s->written += rc == 0;
        s->unsynced = true;
    }
    free(text);
    return rc;
}

int stream_sync(struct stream *s)
{
    if (!s->unsynced)
        return 0;
    if (fdatasync(s->fd) != 0 && errno != EINVAL && errno != EROFS)
        return -errno;
    s->unsynced = false;
    return 0;
}

void stream_close(struct stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
