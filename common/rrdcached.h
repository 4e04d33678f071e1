// A client of rrdcached(1): its text protocol over a Unix socket, updates in BATCHes. rrdcached keeps
// updates of a file in memory and writes them together, which saves most of the disk's work.
//
// Its journal (-j) is written through a buffer, so a crash of it loses the last 4,096 octets even with one:
// after a lost connection the last 64 KiB that it took are given again.
//
// Blocks, each wait bounded by the time-out given. Who must not wait uses a short one.
#pragma once

#include "common/rrdfile.h"

struct rrdcached;

// `address` is "unix:/run/rrdcached.sock" or the path alone. Connects at the first use, and again
// after a failure. -EINVAL: no such address.
int rrdcached_open(const char *address, int timeout_ms, struct rrdcached **out);

// Adds updates of one file (absolute path) to the batch. -E2BIG: the path is too long for a command;
// -ENOMEM.
int rrdcached_put(struct rrdcached *c, const char *path, const struct rrdfile_update *update,
                  size_t count);

// Sends the batch and waits until rrdcached has taken it. 0 also when it refused some lines: how many
// stands in `*refused`, why the first was in `error`; a line refused only because its time is not
// after the file's last is none of them (it had been sent before). Else a negative errno: nothing is
// known to have been taken, and the batch is empty again.
int rrdcached_commit(struct rrdcached *c, size_t *refused, char error[static RRDFILE_ERROR_MAX]);

// Has it a journal of its own (-j)? Without one, a crash loses what it holds. To be asked after a commit:
// it says how much it wrote there. Negative errno.
int rrdcached_has_journal(struct rrdcached *c, bool *out);

// Has a file written now, so that it can be read. A file that rrdcached does not know is no error.
int rrdcached_flush(struct rrdcached *c, const char *path);

// The same for a series of a folder.
int rrdcached_flush_series(struct rrdcached *c, const char *rrd_dir, enum series_kind kind,
                           const char *name);

void rrdcached_close(struct rrdcached *c);
