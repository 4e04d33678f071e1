// What librrd's calls cannot do: a look at an RRD file's head before librrd believes it, changes of it in
// place, and taking over the rows of one file into another as they are. All read the format as librrd's header declares it, of this machine.
//
// rrd_create with a source file is no substitute: it makes rows that are unknown anew from finer ones,
// and counts some of their minutes wrongly.
#pragma once

#include "common/rrdfile.h"

// librrd believes the counts of a head, and crashes on wrong ones. 0: it can be given to librrd, which may still
// refuse it: a file that cannot be opened, is too short for a head or is none of librrd's is left to it, which
// says so. -EPROTO: of another layout, or damaged.
int rrdhead_check(const char *path, char error[static RRDFILE_ERROR_MAX]);

// Makes a file of layout 1 or 2 one of the present: rows are known when any of their minutes is, and the
// file says whose it is. One write; nothing when it is so already. -EPROTO: not such a file.
int rrdhead_renew(const char *path, uint64_t identity, char error[static RRDFILE_ERROR_MAX]);

// Writes state and rows of `from` over those of `to`; either may have more archives behind those of both.
// -EPROTO: they do not fit.
int rrdhead_transplant(const char *from, const char *to, char error[static RRDFILE_ERROR_MAX]);
