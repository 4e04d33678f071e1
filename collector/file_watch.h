// Has a file changed that others write? A version is its inode, size and time of change; one counts when it stood for a look, so
// that a file in the making does not, and one that could not be used is not tried again.
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

struct file_version {
    bool there;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

// Zeroed is valid: nothing was read.
struct file_watch {
    struct file_version read, refused, seen;
    int error; // of `refused`, negative errno; 0: what is there was read
};

struct file_version file_version_of(const struct stat *st);
struct file_version file_version_now(const char *path); // not there: zero
// Once a second. True: read it, then say how it went.
bool file_watch_look(struct file_watch *w, const char *path);
void file_watch_took(struct file_watch *w, const struct file_version *read);
void file_watch_refused(struct file_watch *w, int error); // the version that was looked at
