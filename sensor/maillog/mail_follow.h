// Follows a log file as it grows: through rotation (renamed and made anew, or copied and truncated), over
// restarts by a position that names the file and not only its path, and without reading a line twice.
//
// A rotated file is read to its end before its successor; after a restart it is looked for under the names
// that logrotate gives (PATH.1, PATH-YYYYMMDD in the same folder).
#pragma once

#include "maillog/mail_lines.h"

struct mail_position {
    uint64_t device, inode;
    uint64_t offset; // behind the last whole line
    uint64_t check;  // of the file's first octets: a file that was written anew is another
    uint32_t check_len;
};

struct mail_follow;

// The file need not be there yet. `from` NULL: from its beginning, or its end when `at_end`. With a
// position the last `warm` octets before it are handed out first, to `warm_fn`. Negative errno:
// out of memory, or a file that may not be read.
int mail_follow_open(const char *path, const struct mail_position *from, bool at_end, size_t warm,
                     mail_lines_fn warm_fn, void *ctx, struct mail_follow **out);
void mail_follow_close(struct mail_follow *f);

// Hands out whole lines, some `max` octets at most. 1: there may be more; 0: none for now; negative errno
// of reading.
int mail_follow_read(struct mail_follow *f, size_t max, mail_lines_fn fn, void *ctx);

struct mail_position mail_follow_position(const struct mail_follow *f);
uint64_t mail_follow_rotations(const struct mail_follow *f);
uint64_t mail_follow_truncations(const struct mail_follow *f);
// Lines may be missing: after a restart the file of the position was not found.
uint64_t mail_follow_lost(const struct mail_follow *f);
bool mail_follow_present(const struct mail_follow *f);
