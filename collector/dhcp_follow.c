// One descriptor and an offset; a new file is begun only when the old one was read to its end.
#include "dhcp_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dhcp_isc.h"
#include "dhcp_kea.h"

#define CHUNK    65536
#define POLL_MAX (1 << 18) // what a call reads: some milliseconds

struct dhcp_follow {
    char *path;
    enum dhcp_format format;
    struct dhcp_naming naming;
    struct lease_store *store;
    struct dhcp_counts *counts;
    struct dhcp_kea *kea;
    struct dhcp_isc *isc;
    uint64_t broken; // told to `counts`
    int fd;          // -1: none
    ino_t inode;
    dev_t device;
    off_t offset;
    int64_t now_ms;
};

static int take(const struct dhcp_lease *lease, void *ctx)
{
    struct dhcp_follow *f = ctx;
    return dhcp_apply(f->store, &f->naming, lease, f->now_ms, f->counts);
}

struct dhcp_follow *dhcp_follow_new(const char *path, enum dhcp_format format,
                                    const struct dhcp_naming *naming, struct lease_store *store,
                                    struct dhcp_counts *counts)
{
    struct dhcp_follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->fd = -1;
    f->format = format;
    f->naming = *naming;
    f->store = store;
    f->counts = counts;
    f->path = strdup(path);
    f->naming.pop = strdup(naming->pop);
    f->naming.network_class = strdup(naming->network_class);
    f->naming.server = strdup(naming->server);
    if (format == DHCP_KEA)
        f->kea = dhcp_kea_new(take, f);
    else
        f->isc = dhcp_isc_new(take, f);
    if (f->path && f->naming.pop && f->naming.network_class && f->naming.server &&
        (f->kea || f->isc))
        return f;
    dhcp_follow_free(f);
    return NULL;
}

void dhcp_follow_free(struct dhcp_follow *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    dhcp_kea_free(f->kea);
    dhcp_isc_free(f->isc);
    free((char *)f->naming.pop); // our copies
    free((char *)f->naming.network_class);
    free((char *)f->naming.server);
    free(f->path);
    free(f);
}

const char *dhcp_follow_path(const struct dhcp_follow *f)
{
    return f->path;
}

static int feed(struct dhcp_follow *f, struct span s)
{
    int rc = f->kea ? dhcp_kea_feed(f->kea, s) : dhcp_isc_feed(f->isc, s);
    uint64_t broken = f->kea ? dhcp_kea_broken(f->kea) : dhcp_isc_broken(f->isc);
    f->counts->broken += broken - f->broken;
    f->broken = broken;
    return rc;
}

static int open_file(struct dhcp_follow *f, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    if (f->fd >= 0)
        close(f->fd);
    f->fd = fd;
    f->inode = st.st_ino;
    f->device = st.st_dev;
    f->offset = 0;
    if (f->kea)
        dhcp_kea_begin(f->kea);
    else
        dhcp_isc_begin(f->isc);
    return 0;
}

// From the offset on, at most `max` octets. 1: more may be there; 0: the end.
static int read_on(struct dhcp_follow *f, size_t max)
{
    uint8_t chunk[CHUNK];
    for (size_t done = 0; done < max;) {
        ssize_t n = pread(f->fd, chunk, sizeof chunk, f->offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int rc = feed(f, span_of(chunk, (size_t)n));
        if (rc < 0) { // read all of it again: what was taken is taken only once
            close(f->fd);
            f->fd = -1;
            return rc;
        }
        f->offset += n;
        done += (size_t)n;
    }
    return 1;
}

static int read_beside(struct dhcp_follow *f, const char *suffix)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s%s", f->path, suffix);
    if (n < 0 || (size_t)n >= sizeof path)
        return 0;
    int rc = open_file(f, path);
    return rc == -ENOENT ? 0 : rc < 0 ? rc : read_on(f, SIZE_MAX);
}

int dhcp_follow_read_all(struct dhcp_follow *f, int64_t now_ms)
{
    static const char *const beside[] = {".2", ".completed", ".1"};
    int rc = 0;
    f->now_ms = now_ms;
    for (size_t i = 0; f->kea && i < sizeof beside / sizeof *beside && rc == 0; i++)
        rc = read_beside(f, beside[i]);
    if (rc == 0)
        rc = open_file(f, f->path);
    return rc < 0 ? rc : read_on(f, SIZE_MAX);
}

// Was the file replaced, or cut?
static bool is_another(const struct dhcp_follow *f, const struct stat *st)
{
    return f->fd < 0 || st->st_ino != f->inode || st->st_dev != f->device ||
           st->st_size < f->offset;
}

int dhcp_follow_poll(struct dhcp_follow *f, int64_t now_ms)
{
    struct stat st;
    f->now_ms = now_ms;
    int rc = f->fd >= 0 ? read_on(f, POLL_MAX) : 0;
    if (rc != 0)
        return rc;
    if (stat(f->path, &st) < 0)
        return errno == ENOENT ? 0 : -errno; // between two renames
    if (!is_another(f, &st))
        return 0;
    rc = open_file(f, f->path);
    return rc < 0 ? rc : read_on(f, POLL_MAX);
}
