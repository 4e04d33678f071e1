// A folder of a test's own below /tmp, removed with all that is in it.
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#define SCRATCH_MAX 64

static inline int scratch_make(char dir[static SCRATCH_MAX])
{
    snprintf(dir, SCRATCH_MAX, "/tmp/postern-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static inline int scratch_remove_entry(const char *path, const struct stat *st, int type,
                                       struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline int scratch_remove(const char *dir)
{
    return nftw(dir, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
