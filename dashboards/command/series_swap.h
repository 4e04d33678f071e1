// Files built anew take the place of old ones: what the old ones alone have is never thrown away.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Series of `old` that `fresh` has not, or not as far: how many, the path below the folder of the first.
// Negative errno.
long series_swap_outlived(const char *old, const char *fresh, char *first, size_t size);

// First minute of a folder's coverage that was watched; 0: none.
int64_t series_swap_begin(const char *rrd_dir);

struct series_swap {
    const char *rrd, *fresh, *kept; // folders; `kept` takes what was in place
    int64_t lost_before;            // minute the files of `fresh` begin with, 0: as those of `rrd`
};

// One file of series with its notes, by its path below the folder. 1: it is made anew, 0: `fresh` has
// none and the old one is put away. Negative errno.
int series_swap_one(const struct series_swap *s, const char *relative);
