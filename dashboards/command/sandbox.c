// The sandbox of a replayed stage. Captures come from anywhere; what parses them shall not be able
// to reach anything even when it is subverted.
//
// A network name space of its own where the kernel permits one: root needs no user name space (and
// would lose files of other users in one), anybody else gets one that maps his own identity.
#include "command/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sandbox.h"

enum { SANDBOX_FILES = 1024 };

// Memory a stage may map. The sanitizers reserve terabytes of address space that they never touch.
#define SANDBOX_MEMORY (16ull << 30)

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    // A refusal is seen when the stage cannot write its output; nothing is less safe for it.
    if (write(fd, text, strlen(text)) < 0)
        errno = 0;
    close(fd);
}

static void leave_network(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWNET) == 0)
        return;
    if (uid == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return;
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1\n", uid, uid);
    write_text("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%u %u 1\n", gid, gid);
    write_text("/proc/self/gid_map", map);
}

static void limit(int resource, rlim_t most)
{
    struct rlimit old;
    if (getrlimit((__rlimit_resource_t)resource, &old) != 0)
        return;
    if (old.rlim_max != RLIM_INFINITY && old.rlim_max < most)
        most = old.rlim_max;
    setrlimit((__rlimit_resource_t)resource, &(struct rlimit){.rlim_cur = most, .rlim_max = most});
}

int sandbox_enter(void)
{
    leave_network();
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, SANDBOX_FILES);
#ifndef __SANITIZE_ADDRESS__
    limit(RLIMIT_AS, SANDBOX_MEMORY);
#endif
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return sandbox_refuse_network();
}
