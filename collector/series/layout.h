// The folder of RRD files: one writer at a time, its layout's version, and the way from an older one.
#pragma once

#include "common/series.h"

// Locks the folder (made when missing), brings an older layout to this one's, notes the layout in
// `layout`. `*lock` is to be closed at the end. `why` gets one line with the fix on failure:
//   -EBUSY   another writer is at work on it
//   -EPROTO  of a newer version, or of the other layout
//   others   from the file system
int layout_open(const char *rrd_dir, enum series_layout layout, int *lock, char why[static 300]);
