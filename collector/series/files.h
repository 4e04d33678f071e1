// The RRD files of a writer: found, made, updated; by librrd, or through rrdcached for those of
// subscribers (everybody's series are few, and their forecast is read back at once).
#pragma once

#include "common/rrdfile.h"
#include "series/keys.h"

struct series_files;

// `rrdcached` NULL: by librrd. `in_bulk`: many files are made at once, none waits for the disk. Negative errno, with what is wrong in `error`.
int series_files_open(const char *rrd_dir, enum series_layout layout, const char *rrdcached,
                      bool in_bulk, struct series_files **out,
                      char error[static RRDFILE_ERROR_MAX]);

// Is there a file already (an earlier run made it)? Sets `file` and `last_s` of the key. -EIO, ...:
// there is one that cannot be read.
int series_files_look(struct series_files *f, struct series_key *k,
                      char error[static RRDFILE_ERROR_MAX]);

// Makes the file of a key that has none; its first sample begins at `start_s`.
int series_files_create(struct series_files *f, struct series_key *k, int64_t start_s,
                        char error[static RRDFILE_ERROR_MAX]);

// Updates in order of time. Through rrdcached they are under way until the commit.
int series_files_update(struct series_files *f, const struct series_key *k,
                        const struct rrdfile_update *update, size_t count,
                        char error[static RRDFILE_ERROR_MAX]);
bool series_files_are_cached(const struct series_files *f, const struct series_key *k);
int series_files_commit(struct series_files *f, size_t *refused,
                        char error[static RRDFILE_ERROR_MAX]);

// After a commit: a crash of rrdcached would lose what it holds, since it has no journal.
bool series_files_may_lose(struct series_files *f);

// The file's head will be wanted soon: asks the kernel to read it meanwhile.
void series_files_prefetch(const struct series_files *f, const struct series_key *k);

// Has what rrdcached holds of a key written, so that it can be read.
void series_files_flush(struct series_files *f, const struct series_key *k);

// Failures of the forecast among the minutes ending in (start_s, end_s]: bit i of `*out` is the i-th.
int series_files_failures(struct series_files *f, const struct series_key *k, int64_t start_s,
                          int64_t end_s, uint64_t *out);

void series_files_close(struct series_files *f);
