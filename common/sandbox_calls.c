// The seccomp filter of a sandbox: lists of system calls by purpose. Calls that only touch what is open
// already are in the list of all; what opens, makes or starts something is in a group.
//
// What is not listed fails with EPERM and is logged by the kernel: a daemon that is killed by a new
// version of a library loses the traffic of its restart, one that is told "no" goes on. Under
// POSTERN_SANDBOX_STRICT in the environment (our tests) it is killed, so that nothing is overlooked.
#include "common/sandbox_parts.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const char *const all_calls[] = {
    // its own descriptors
    "read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "pwritev", "close",
    "close_range", "lseek", "_llseek", "fcntl", "fcntl64", "dup", "dup2", "dup3", "pipe", "pipe2",
    "flock", "fsync", "fdatasync", "sync_file_range", "ftruncate", "ftruncate64", "fallocate",
    "fadvise64", "sendfile", "copy_file_range", "memfd_create", "umask",
    // files that are there
    "open", "openat", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat",
    "fstatat64", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents",
    "getdents64", "getcwd", "statfs", "statfs64", "fstatfs", "fstatfs64",
    // the control socket is removed at the end; of other paths landlock decides
    "unlink", "unlinkat",
    // waiting
    "poll", "ppoll", "select", "_newselect", "pselect6", "epoll_create", "epoll_create1",
    "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "timerfd_create",
    "timerfd_settime", "timerfd_gettime", "signalfd", "signalfd4", "nanosleep", "clock_nanosleep",
    "futex", "restart_syscall",
    // signals
    "rt_sigaction", "sigaction", "rt_sigprocmask", "sigprocmask", "rt_sigpending", "rt_sigreturn",
    "sigreturn", "rt_sigtimedwait", "sigaltstack",
    // memory
    "brk", "munmap", "mremap", "madvise", "msync", "mincore", "mlock", "munlock", "membarrier",
    // time (to set it needs a capability as well), and what it knows of itself
    "time", "times", "gettimeofday", "clock_gettime", "clock_getres", "adjtimex", "clock_adjtime",
    "getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "geteuid", "getgid",
    "getegid", "getgroups", "getresuid", "getresgid", "getrusage", "getrlimit", "sysinfo", "uname",
    "getcpu", "getrandom", "sched_yield", "sched_getaffinity", "set_robust_list", "get_robust_list",
    "set_tid_address", "rseq", "exit", "exit_group",
    // sockets that are there, and Unix ones
    "connect", "bind", "listen", "accept", "accept4", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "shutdown", "send", "sendto", "sendmsg", "sendmmsg", "recv", "recvfrom",
    "recvmsg", "recvmmsg", NULL};

static const char *const write_calls[] = {
    "creat",      "mkdir",    "mkdirat", "rmdir",     "rename",    "renameat",
    "renameat2",  "link",     "linkat",  "symlink",   "symlinkat", "truncate",
    "truncate64", "chmod",    "fchmod",  "fchmodat",  "utimensat", "utime",
    "fchown",     "fchown32", "utimes",  "futimesat", NULL};

static const char *const process_calls[] = {
    "clone", "clone3", "fork", "vfork", "wait4", "waitid", "waitpid", "kill", "tkill", "setpgid",
    "setsid", "setrlimit", "setpriority", "sched_setaffinity", "sched_getparam",
    "sched_getscheduler", "sched_setscheduler", "pidfd_open", "pidfd_send_signal", "prctl",
    // a child may be shut in further
    "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", NULL};

static const char *const exec_calls[] = {"execve", "execveat", "arch_prctl",
                                         "chdir",  "fchdir",   NULL};

static const struct {
    unsigned group;
    const char *const *names;
} groups[] = {
    {0, all_calls},
    {SANDBOX_WRITES, write_calls},
    {SANDBOX_PROCESSES, process_calls},
    {SANDBOX_EXEC, exec_calls},
};

// A call that this architecture does not have is none to allow.
static int allow(scmp_filter_ctx f, const char *const *names)
{
    int rc = 0;
    for (; rc == 0 && *names; names++) {
        int number = seccomp_syscall_resolve_name(*names);
        if (number >= 0)
            rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, number, 0, NULL);
    }
    return rc;
}

// Allows `name` when its argument number `arg`, of which the bits of `mask` count, is `value`.
static int allow_when(scmp_filter_ctx f, const char *name, unsigned arg, uint64_t mask,
                      uint64_t value)
{
    int number = seccomp_syscall_resolve_name(name);
    struct scmp_arg_cmp cmp = {
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    return number >= 0 ? seccomp_rule_add_array(f, SCMP_ACT_ALLOW, number, 1, &cmp) : 0;
}

#define WORD UINT32_MAX // arguments that are an int: the upper half of the register is noise

static int allow_sockets(scmp_filter_ctx f, unsigned calls)
{
    static const struct {
        unsigned group;
        int family;
    } families[] = {
        {0, AF_UNIX},
        {SANDBOX_NETWORK, AF_INET},
        {SANDBOX_NETWORK, AF_INET6},
        {SANDBOX_NETWORK, AF_NETLINK}, // the resolver asks which addresses there are
    };
    int rc = allow_when(f, "socketpair", 0, WORD, AF_UNIX);
    for (size_t i = 0; rc == 0 && i < sizeof families / sizeof families[0]; i++) {
        if ((calls & families[i].group) == families[i].group)
            rc = allow_when(f, "socket", 0, WORD, (uint64_t)families[i].family);
    }
    return rc;
}

static int allow_ioctls(scmp_filter_ctx f, unsigned calls)
{
    static const unsigned requests[] = {TCGETS, FIONREAD, FIONBIO, FIOCLEX};
    // What an interface is asked through a socket that is open, by number 0x89xx (linux/sockios.h).
    int rc = calls & SANDBOX_PACKETS ? allow_when(f, "ioctl", 1, 0xffffff00, 0x8900) : 0;
    for (size_t i = 0; rc == 0 && i < sizeof requests / sizeof requests[0]; i++)
        rc = allow_when(f, "ioctl", 1, WORD, requests[i]);
    return rc;
}

// Memory that is not executable, or any.
static int allow_memory(scmp_filter_ctx f, unsigned calls)
{
    static const char *const names[] = {"mmap", "mmap2", "mprotect", NULL};
    int rc = 0;
    if (calls & (SANDBOX_CODE | SANDBOX_EXEC))
        return allow(f, names);
    for (size_t i = 0; rc == 0 && names[i]; i++)
        rc = allow_when(f, names[i], 2, PROT_EXEC, 0);
    return rc;
}

// Reading limits, naming oneself, dying with the parent; a signal to oneself (abort).
static int allow_some(scmp_filter_ctx f)
{
    static const int options[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_GET_DUMPABLE,
                                  0x53564d41 /* PR_SET_VMA: the allocator names its maps */};
    int rc = allow_when(f, "prlimit64", 2, UINT64_MAX, 0);
    for (size_t i = 0; rc == 0 && i < sizeof options / sizeof options[0]; i++)
        rc = allow_when(f, "prctl", 0, WORD, (uint64_t)options[i]);
    if (rc == 0)
        rc = allow_when(f, "tgkill", 2, WORD, SIGABRT);
    return rc;
}

static int build(scmp_filter_ctx f, unsigned calls)
{
    int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);
    // A kernel that cannot log refuses all the same.
    if (rc == -EOPNOTSUPP)
        rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof groups / sizeof groups[0]; i++) {
        if ((calls & groups[i].group) == groups[i].group)
            rc = allow(f, groups[i].names);
    }
    if (rc == 0)
        rc = allow_sockets(f, calls);
    if (rc == 0)
        rc = allow_ioctls(f, calls);
    if (rc == 0)
        rc = allow_memory(f, calls);
    if (rc == 0 && !(calls & SANDBOX_PROCESSES))
        rc = allow_some(f);
    else if (rc == 0)
        rc = allow(f, (const char *const[]){"prlimit64", "tgkill", NULL});
#ifdef INSTRUMENTED
    // The leak check at the end stops the process from a thread of its own.
    if (rc == 0 && calls & SANDBOX_PROCESSES)
        rc = allow(f, (const char *const[]){"ptrace", "personality", "process_vm_readv", NULL});
#endif
    return rc;
}

int sandbox_calls_apply(unsigned calls)
{
    bool strict = getenv("POSTERN_SANDBOX_STRICT") != NULL;
    scmp_filter_ctx f = seccomp_init(strict ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
    if (!f)
        return -ENOMEM;
    int rc = build(f, calls);
    if (rc == 0)
        rc = seccomp_load(f);
    seccomp_release(f);
    return rc;
}

int sandbox_refuse_network(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return -ENOMEM;
    struct scmp_arg_cmp outside = {.arg = 0, .op = SCMP_CMP_NE, .datum_a = AF_UNIX};
    int rc = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1, &outside);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc;
}
