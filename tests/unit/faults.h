// Calls of the disk that fail when a test says so. Linked with --wrap for each (CMakeLists.txt).
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

struct faults {
    unsigned calls; // so far
    unsigned at;    // the call that fails, from 1; 0: none
    unsigned every; // or every so manyeth
    int error;
    bool half; // a write that fails has written half of it
};

static struct faults faults;

static bool fault_due(void)
{
    faults.calls++;
    bool due = faults.calls == faults.at || (faults.every && faults.calls % faults.every == 0);
    if (due)
        errno = faults.error;
    return due;
}

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
    if (!fault_due())
        return __real_pwrite(fd, data, len, at);
    int error = errno;
    if (faults.half)
        __real_pwrite(fd, data, len / 2, at);
    errno = error;
    return -1;
}

int __wrap_fdatasync(int fd)
{
    return fault_due() ? -1 : __real_fdatasync(fd);
}
