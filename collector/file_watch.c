// Three versions: that which was read, that which was refused, that of the last look.
#include "file_watch.h"

struct file_version file_version_of(const struct stat *st)
{
    return (struct file_version){.there = true,
                                 .device = st->st_dev,
                                 .inode = st->st_ino,
                                 .size = st->st_size,
                                 .changed = st->st_mtim};
}

static bool same(const struct file_version *a, const struct file_version *b)
{
    return a->there == b->there && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

struct file_version file_version_now(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? file_version_of(&st) : (struct file_version){0};
}

bool file_watch_look(struct file_watch *w, const char *path)
{
    struct file_version now = file_version_now(path);
    bool settled = same(&now, &w->seen);
    w->seen = now;
    if (!settled)
        return false;
    if (same(&now, &w->read)) {
        w->error = 0; // what was there before is back
        return false;
    }
    return w->error == 0 || !same(&now, &w->refused);
}

void file_watch_took(struct file_watch *w, const struct file_version *read)
{
    w->read = *read;
    w->error = 0;
}

void file_watch_refused(struct file_watch *w, int error)
{
    w->refused = w->seen;
    w->error = error;
}
