// Makes and removes the folder of a replay. Only what a replay writes is ever removed: a folder that
// was named by mistake keeps what is in it.
#include "command/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/stages.h"

enum { OPEN_AT_ONCE = 16 };

static const char *const ours[] = {
    STATE_RECORDS, STATE_JOURNAL,   STATE_RRD,       STATE_VERDICTS, STATE_DB,
    STATE_FEED,    STATE_DB "-wal", STATE_DB "-shm", STATE_STATUS,
};

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (strcmp(ours[i], name) == 0)
            return true;
    }
    return false;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path) == 0 ? 0 : -errno;
}

// Links are removed, never followed; another file system is not entered.
static int remove_tree(const char *path)
{
    int rc = nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return rc == 0 || errno == ENOENT ? 0 : -errno;
}

// -ENOTEMPTY when there is anything that no replay wrote.
static int look_through(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !is_ours(e->d_name))
            rc = -ENOTEMPTY;
    }
    closedir(dir);
    return rc;
}

static int make_inside(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return -ENOMEM;
    int rc = mkdir(path, 0700) == 0 ? 0 : -errno;
    free(path);
    return rc;
}

static int empty_kept(const char *folder)
{
    int rc = look_through(folder);
    for (size_t i = 0; rc == 0 && i < sizeof ours / sizeof *ours; i++) {
        char *path;
        if (asprintf(&path, "%s/%s", folder, ours[i]) < 0)
            return -ENOMEM;
        rc = remove_tree(path);
        free(path);
    }
    return rc;
}

const char *state_dir_base(void)
{
    const char *base = getenv("TMPDIR");
    return base && base[0] == '/' ? base : "/tmp";
}

static int open_temporary(struct state_dir *d)
{
    if (asprintf(&d->path, "%s/postern-replay-XXXXXX", state_dir_base()) < 0) {
        d->path = NULL;
        return -ENOMEM;
    }
    if (!mkdtemp(d->path)) {
        int rc = -errno;
        free(d->path);
        d->path = NULL;
        return rc;
    }
    d->temporary = true;
    return 0;
}

static int open_kept(struct state_dir *d, const char *wanted)
{
    if (mkdir(wanted, 0700) != 0 && errno != EEXIST)
        return -errno;
    // The stages are given absolute paths, so that nobody's folder matters.
    d->path = realpath(wanted, NULL);
    if (!d->path)
        return -errno;
    return empty_kept(d->path);
}

int state_dir_open(struct state_dir *d, const char *wanted)
{
    *d = (struct state_dir){0};
    int rc = wanted ? open_kept(d, wanted) : open_temporary(d);
    static const char *const folders[] = {STATE_STATUS, STATE_JOURNAL, STATE_RRD};
    for (size_t i = 0; rc == 0 && i < sizeof folders / sizeof *folders; i++)
        rc = make_inside(d->path, folders[i]);
    if (rc != 0)
        state_dir_close(d);
    return rc;
}

void state_dir_close(struct state_dir *d)
{
    if (d->temporary && d->path)
        remove_tree(d->path);
    free(d->path);
    *d = (struct state_dir){0};
}
