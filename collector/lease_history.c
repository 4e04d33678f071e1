// One file, appended with pwrite at a known size, so that a write that failed half-way is cut off again.
#include "lease_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "lease_index.h"
#include "lease_store.h"

#define WAITING_MAX (64u << 20)
#define LINE_OCTETS 2048 // every name quoted and full of quotes

struct lease_history {
    char *path;
    int fd;
    uint64_t size; // of what is whole
    struct buf waiting;
    uint64_t damaged;
};

// One line into the index. -ENOMEM; else damage is counted.
static int take_line(struct lease_history *h, struct leases *l, char *line, size_t len)
{
    struct lease lease;
    char error[160];
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        line[--len] = '\0';
    if (len == 0 || line[0] == '#' || strncmp(line, "realm,", 6) == 0)
        return 0;
    if (strlen(line) != len || lease_parse_csv(line, &lease, error) < 0) {
        h->damaged++;
        return 0;
    }
    return leases_put(l, &lease);
}

// Whole lines; `*end` is where the last of them ends.
static int read_lines(struct lease_history *h, struct leases *l, FILE *in, uint64_t *end)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc = 0;
    *end = 0;
    while (rc == 0 && (len = getline(&line, &cap, in)) > 0 && line[len - 1] == '\n') {
        *end += (uint64_t)len;
        rc = take_line(h, l, line, (size_t)len);
    }
    if (rc == 0 && ferror(in))
        rc = -EIO;
    free(line);
    return rc;
}

static int load(struct lease_history *h, struct leases *l)
{
    FILE *in = fopen(h->path, "re");
    if (!in)
        return errno == ENOENT ? 0 : -errno;
    l->loading = true;
    int rc = read_lines(h, l, in, &h->size);
    fclose(in);
    int settled = leases_settle(l);
    return rc ? rc : settled;
}

static int open_file(struct lease_history *h)
{
    h->fd = open(h->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (h->fd < 0)
        return -errno;
    struct stat st;
    if (fstat(h->fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size > h->size && ftruncate(h->fd, (off_t)h->size) < 0)
        return -errno;
    if (h->size > 0)
        return 0;
    buf_text(&h->waiting, LEASE_CSV_HEADER ",source\n");
    return lease_history_sync(h);
}

int lease_history_open(const char *path, struct leases *l, bool read_only, FILE *errors,
                       struct lease_history **out)
{
    struct lease_history *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->fd = -1;
    h->path = strdup(path);
    buf_init(&h->waiting, WAITING_MAX);
    int rc = h->path ? load(h, l) : -ENOMEM;
    if (rc == 0 && !read_only)
        rc = open_file(h);
    if (rc < 0) {
        fprintf(errors, "%s: %s; the collector's user must be able to write the lease history\n",
                path, strerror(-rc));
        lease_history_close(h);
        return rc;
    }
    if (h->damaged > 0)
        fprintf(errors, "%s: %llu lines are no leases and were passed over\n", path,
                (unsigned long long)h->damaged);
    *out = h;
    return 0;
}

void lease_history_close(struct lease_history *h)
{
    if (!h)
        return;
    if (h->fd >= 0)
        close(h->fd);
    buf_fini(&h->waiting);
    free(h->path);
    free(h);
}

static size_t format_line(const struct lease *lease, char out[static LINE_OCTETS])
{
    FILE *f = fmemopen(out, LINE_OCTETS, "w");
    if (!f)
        return 0;
    int rc = lease_write_csv(f, lease);
    long len = ftell(f);
    return fclose(f) != 0 || rc < 0 || len <= 0 || len >= LINE_OCTETS ? 0 : (size_t)len;
}

int lease_history_put(struct lease_history *h, const struct lease *lease)
{
    char line[LINE_OCTETS];
    size_t len = format_line(lease, line);
    if (len == 0)
        return -ENOMEM;
    if (h->waiting.len + len > WAITING_MAX)
        return -ENOBUFS;
    buf_bytes(&h->waiting, line, len);
    if (!h->waiting.failed)
        return 0;
    h->waiting.failed = false;
    return -ENOMEM;
}

int lease_history_sync(struct lease_history *h)
{
    size_t done = 0;
    int rc = 0;
    if (h->waiting.len == 0)
        return 0;
    while (rc == 0 && done < h->waiting.len) {
        ssize_t n = pwrite(h->fd, h->waiting.data + done, h->waiting.len - done,
                           (off_t)(h->size + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            rc = n == 0 ? -ENOSPC : -errno;
    }
    if (rc == 0 && fdatasync(h->fd) < 0)
        rc = -errno;
    if (rc < 0) {
        // Should the cut fail too, the next sync writes over what is there.
        if (ftruncate(h->fd, (off_t)h->size) < 0)
            return rc;
        return rc;
    }
    h->size += done;
    buf_clear(&h->waiting);
    return 0;
}

// ---- Rewriting

// Is this line still the last word on a lease that is young enough?
static bool stands(const struct leases *l, char *line, size_t len, int64_t before_ms)
{
    struct lease lease, known;
    char error[160];
    if (len > 0 && line[len - 1] == '\n')
        line[len - 1] = '\0';
    bool parsed = lease_parse_csv(line, &lease, error) == 0;
    line[len - 1] = '\n';
    if (!parsed)
        return false;
    known = lease;
    int64_t last = lease.last_seen_ms > lease.end_ms ? lease.last_seen_ms : lease.end_ms;
    if (last < before_ms || !leases_known(l, &known))
        return false;
    return known.end_ms == lease.end_ms
               ? lease.end_ms || known.last_seen_ms - lease.last_seen_ms <= LEASE_STORE_GRAIN_MS
               : known.last_seen_ms - lease.last_seen_ms <= LEASE_STORE_GRAIN_MS;
}

static int copy_lines(const struct leases *l, FILE *in, FILE *out, int64_t before_ms)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    fputs(LEASE_CSV_HEADER ",source\n", out);
    while ((len = getline(&line, &cap, in)) > 0)
        if (line[0] != '#' && stands(l, line, (size_t)len, before_ms))
            fwrite(line, 1, (size_t)len, out);
    free(line);
    return ferror(in) || ferror(out) || fflush(out) != 0 || fdatasync(fileno(out)) < 0 ? -EIO : 0;
}

int lease_history_rewrite(struct lease_history *h, const struct leases *l, int64_t before_ms)
{
    int rc = lease_history_sync(h);
    char *path = NULL;
    if (rc < 0)
        return rc;
    if (asprintf(&path, "%s.new", h->path) < 0)
        return -ENOMEM;
    FILE *in = fopen(h->path, "re"), *out = in ? fopen(path, "we") : NULL;
    rc = in && out ? copy_lines(l, in, out, before_ms) : -errno;
    long size = out ? ftell(out) : 0;
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    int fd = rc == 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (rc == 0 && (fd < 0 || rename(path, h->path) < 0))
        rc = -errno;
    if (rc == 0) {
        close(h->fd);
        h->fd = fd;
        h->size = (uint64_t)size;
    } else {
        if (fd >= 0)
            close(fd);
        unlink(path);
    }
    free(path);
    return rc;
}

uint64_t lease_history_damaged(const struct lease_history *h)
{
    return h->damaged;
}

uint64_t lease_history_octets(const struct lease_history *h)
{
    return h->size;
}
