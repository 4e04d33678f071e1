// A clock that a test can set without touching the machine's: loaded before a program (LD_PRELOAD), adds the
// seconds that stand in the file POSTERN_TEST_CLOCK (a 64-bit integer, in the machine's order) to its wall clock.
// Packets keep the kernel's time.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_s;

__attribute__((constructor)) static void open_offset(void)
{
    const char *path = getenv("POSTERN_TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof *offset_s, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        offset_s = at;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    long rc = syscall(SYS_clock_gettime, id, t);
    if (rc == 0 && id == CLOCK_REALTIME && offset_s)
        t->tv_sec += *offset_s;
    return (int)rc;
}
