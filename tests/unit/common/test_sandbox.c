// The sandbox from inside: a child closes it around itself and tries what it must not. Each try is one
// child; what it got is its exit code, an errno.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sandbox_parts.h"

static char folder[] = "/tmp/postern-sandbox-XXXXXX";
static char path[128];
static struct sockaddr_in server = {.sin_family = AF_INET};
static int server_fd = -1;
static int abi; // of landlock, 0: none

static const char *at(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

// ---- What is tried. Each returns 0 or an errno.

static int outcome(int rc)
{
    return rc < 0 ? errno : 0;
}

static int read_inside(void)
{
    return outcome(open(at("read/file"), O_RDONLY));
}
static int list_inside(void)
{
    return outcome(open(at("read"), O_RDONLY | O_DIRECTORY));
}
static int write_read_only(void)
{
    return outcome(open(at("read/file"), O_WRONLY));
}
static int make_in_read_only(void)
{
    return outcome(open(at("read/new"), O_WRONLY | O_CREAT, 0600));
}
static int read_outside(void)
{
    return outcome(open("/etc/passwd", O_RDONLY));
}
static int read_beside(void)
{
    return outcome(open(at("other"), O_RDONLY));
}
static int write_inside(void)
{
    return outcome(open(at("write/file"), O_RDWR | O_CREAT, 0600));
}
static int remove_outside(void)
{
    return outcome(unlink(at("other")));
}
static int make_folder(void)
{
    return outcome(mkdir(at("write/folder"), 0700));
}
static int unix_socket(void)
{
    return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int inet_socket(void)
{
    return outcome(socket(AF_INET, SOCK_STREAM, 0));
}
static int packet_socket(void)
{
    return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}
static int netlink_socket(void)
{
    return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int ask_interface(void)
{
    struct ifreq q = {.ifr_name = "lo"};
    return outcome(ioctl(socket(AF_UNIX, SOCK_DGRAM, 0), SIOCGIFFLAGS, &q));
}
static int mount_something(void)
{
    return outcome(mount("none", "/mnt", "tmpfs", 0, NULL));
}
static int become_root(void)
{
    return outcome(setresuid(0, 0, 0));
}
static int change_root(void)
{
    return outcome(chroot("/"));
}
static int read_time(void)
{
    return outcome(usleep(1));
}

static int replace(void)
{
    int fd = open(at("write/new"), O_WRONLY | O_CREAT, 0600);
    return fd < 0 ? errno : outcome(rename(at("write/new"), "/dev/null/x") == 0 ? -1 : 0);
}

static int rename_inside(void)
{
    char to[128];
    int fd = open(at("write/new"), O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        return errno;
    snprintf(to, sizeof to, "%s/write/newer", folder);
    return outcome(rename(path, to));
}

static int connect_inet(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? errno : outcome(connect(fd, (const struct sockaddr *)&server, sizeof server));
}

static int bind_inet(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? errno : outcome(bind(fd, (const struct sockaddr *)&any, sizeof any));
}

static int run_program(void)
{
    execl("/bin/true", "true", NULL);
    return errno;
}

static int executable_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int signal_parent(void)
{
    return outcome(kill(getppid(), 0));
}

static int start_child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return outcome(pid < 0 ? -1 : waitpid(pid, NULL, 0));
}

// A child of the sandbox is in it as well.
static int child_reads_outside(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(read_outside());
    return waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : 99;
}

// ---- The frame.

static struct sandbox *rules(unsigned calls)
{
    struct sandbox *s = sandbox_new();
    assert_non_null(s);
    sandbox_allow(s, calls);
    sandbox_read(s, at("read"));
    sandbox_write(s, at("write"));
    sandbox_read(s, at("not-there"));
    return s;
}

// The errno `try` gets inside `s`, or 1000 and the signal it was ended by.
static int inside(const struct sandbox *s, int (*try)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_result r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || sandbox_apply(s, &r) != 0 ||
            !r.calls_filtered || r.landlock_abi != abi)
            _exit(200);
        _exit(try());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct
try {
    const char *what;
    int (*fn)(void);
    int want;
    int since_abi; // of landlock; 0: seccomp decides
};

static void expect(unsigned calls, const struct try *tries, size_t count)
{
    struct sandbox *s = rules(calls);
    for (size_t i = 0; i < count; i++) {
        if (tries[i].since_abi > abi) {
            print_message("not tried, the kernel has landlock %d: %s\n", abi, tries[i].what);
            continue;
        }
        int got = inside(s, tries[i].fn);
        if (got != tries[i].want)
            fail_msg("%s: %d (%s) instead of %d", tries[i].what, got,
                     got < 1000 ? strerror(got) : "a signal", tries[i].want);
    }
    sandbox_free(s);
}

// A build that counts its lines writes the counters from inside: its sandbox lets every path through.
static void skip_where_open(void)
{
#ifdef POSTERN_COVERAGE
    print_message("skipped: the sandbox of a build with counters is open\n");
    skip();
#endif
}

#define TRY(fn, want, since) \
    {                        \
#fn, fn, want, since \
    }

static void with_no_group(void **state)
{
    (void)state;
    skip_where_open();
    static const struct try tries[] = {
        TRY(read_inside, 0, 0),          TRY(list_inside, 0, 0),
        TRY(unix_socket, 0, 0),          TRY(read_time, 0, 0),
        TRY(write_inside, 0, 0), // a file is made by open, which landlock decides
        TRY(write_read_only, EACCES, 1), TRY(make_in_read_only, EACCES, 1),
        TRY(read_outside, EACCES, 1),    TRY(read_beside, EACCES, 1),
        TRY(remove_outside, EACCES, 1),  TRY(make_folder, EPERM, 0),
        TRY(rename_inside, EPERM, 0),    TRY(inet_socket, EPERM, 0),
        TRY(packet_socket, EPERM, 0),    TRY(netlink_socket, EPERM, 0),
        TRY(ask_interface, EPERM, 0),    TRY(connect_inet, EPERM, 0),
        TRY(run_program, EPERM, 0),      TRY(executable_memory, EPERM, 0),
        TRY(signal_parent, EPERM, 6), // without landlock's scope an instrumented build may
        TRY(mount_something, EPERM, 0),  TRY(become_root, EPERM, 0),
        TRY(change_root, EPERM, 0),
#ifndef INSTRUMENTED
        TRY(start_child, EPERM, 0),
#endif
    };
    expect(0, tries, sizeof tries / sizeof tries[0]);
}

static void with_groups(void **state)
{
    (void)state;
    skip_where_open();
    static const struct try writes[] = {
        TRY(make_folder, 0, 0),     TRY(rename_inside, 0, 0),
        TRY(replace, 0, 0),         TRY(make_in_read_only, EACCES, 1),
        TRY(inet_socket, EPERM, 0),
    };
    static const struct try network[] = {
        TRY(inet_socket, 0, 0),       TRY(connect_inet, 0, 0),    TRY(bind_inet, EACCES, 4),
        TRY(packet_socket, EPERM, 0), TRY(run_program, EPERM, 0),
    };
    static const struct try processes[] = {
        TRY(start_child, 0, 0),
        TRY(child_reads_outside, EACCES, 1),
        TRY(run_program, EPERM, 0),
        TRY(executable_memory, EPERM, 0),
    };
    static const struct try code[] = {TRY(executable_memory, 0, 0), TRY(run_program, EPERM, 0)};
    // The call is allowed, the path is not.
    static const struct try exec[] = {TRY(run_program, EACCES, 1)};
    expect(SANDBOX_WRITES, writes, sizeof writes / sizeof writes[0]);
    expect(SANDBOX_NETWORK, network, sizeof network / sizeof network[0]);
    expect(SANDBOX_PROCESSES, processes, sizeof processes / sizeof processes[0]);
    expect(SANDBOX_CODE, code, sizeof code / sizeof code[0]);
    expect(SANDBOX_EXEC, exec, 1);
    if (geteuid() == 0) {
        static const struct try packets[] = {
            TRY(ask_interface, 0, 0),
            TRY(packet_socket, EPERM, 0),
            TRY(netlink_socket, EPERM, 0),
            TRY(inet_socket, EPERM, 0),
        };
        expect(SANDBOX_PACKETS, packets, sizeof packets / sizeof packets[0]);
    }
}

static void a_program_that_may_run(void **state)
{
    (void)state;
    struct sandbox *s = rules(SANDBOX_EXEC | SANDBOX_PROCESSES);
    static const char *const folders[] = {"/bin", "/usr", "/lib", "/lib64", "/etc"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        sandbox_run(s, folders[i]);
    assert_int_equal(inside(s, run_program), 0); // and ended well
    sandbox_free(s);
}

static void only_some_ports(void **state)
{
    (void)state;
    if (abi < 4) {
        print_message("the kernel's landlock knows no ports\n");
        skip();
    }
    struct sandbox *s = rules(SANDBOX_NETWORK);
    sandbox_connect(s, (uint16_t)(ntohs(server.sin_port) ^ 1));
    assert_int_equal(inside(s, connect_inet), EACCES);
    sandbox_connect(s, ntohs(server.sin_port));
    assert_int_equal(inside(s, connect_inet), 0);
    sandbox_free(s);
}

static void strict_kills(void **state)
{
    (void)state;
    struct sandbox *s = rules(0);
    setenv("POSTERN_SANDBOX_STRICT", "1", 1);
    assert_int_equal(inside(s, inet_socket), 1000 + SIGSYS);
    assert_int_equal(inside(s, read_inside), 0);
    unsetenv("POSTERN_SANDBOX_STRICT");
    sandbox_free(s);
}

static void too_much_to_remember(void **state)
{
    (void)state;
    struct sandbox *s = rules(0);
    struct sandbox_result r;
    for (size_t i = 0; i <= SANDBOX_PATHS_MAX; i++)
        sandbox_read(s, "/tmp");
    assert_int_equal(sandbox_apply(s, &r), -ENOMEM); // before anything was closed
    assert_int_equal(read_outside(), 0);
    sandbox_read(s, NULL);
    sandbox_free(s);
    sandbox_free(NULL);
}

// A kernel or container that refuses `call` with `error`: says what is missing and goes on.
static void expect_missing(const char *call, int error, int want_abi, bool want_calls,
                           const char *want_text)
{
    int tell[2];
    struct sandbox *s = rules(0);
    struct sandbox_result r = {0};
    assert_int_equal(pipe(tell), 0);
    pid_t pid = fork();
    if (pid == 0) {
        scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (!f ||
            seccomp_rule_add_array(f, SCMP_ACT_ERRNO((uint32_t)error),
                                   seccomp_syscall_resolve_name(call), 0, NULL) != 0 ||
            seccomp_load(f) != 0 || sandbox_apply(s, &r) != 0 ||
            write(tell[1], &r, sizeof r) != sizeof r)
            _exit(1);
        _exit(0);
    }
    close(tell[1]);
    assert_int_equal(read(tell[0], &r, sizeof r), sizeof r);
    close(tell[0]);
    waitpid(pid, NULL, 0);
    assert_int_equal(r.landlock_abi, want_abi);
    assert_int_equal(r.calls_filtered, want_calls);
    assert_string_equal(r.missing, want_text);
    sandbox_free(s);
}

static void what_the_kernel_lacks(void **state)
{
    (void)state;
    expect_missing("landlock_create_ruleset", ENOSYS, 0, true,
                   "paths are not restricted: the kernel has no landlock");
    expect_missing("landlock_create_ruleset", EPERM, 0, true,
                   "paths are not restricted: landlock is refused (Operation not permitted)");
    expect_missing("landlock_restrict_self", E2BIG, 0, true,
                   abi > 0
                       ? "paths are not restricted: landlock is refused (Argument list too long)"
                       : "paths are not restricted: the kernel has no landlock");
    if (abi > 0)
        expect_missing("seccomp", EPERM, abi, false,
                       "system calls are not restricted: seccomp is refused");
}

static int setup(void **state)
{
    (void)state;
    socklen_t size = sizeof server;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server_fd < 0 || bind(server_fd, (const struct sockaddr *)&server, size) != 0 ||
        listen(server_fd, 16) != 0 ||
        getsockname(server_fd, (struct sockaddr *)&server, &size) != 0 || !mkdtemp(folder))
        return -1;
    if (mkdir(at("read"), 0700) != 0 || mkdir(at("write"), 0700) != 0)
        return -1;
    close(open(at("read/file"), O_WRONLY | O_CREAT, 0600));
    close(open(at("other"), O_WRONLY | O_CREAT, 0600));
    // What the kernel has is not for this test to say: a rule-less sandbox asks it.
    int tell[2];
    if (pipe(tell) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox *s = sandbox_new();
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int version = s ? sandbox_paths_apply(s) : -1;
        _exit(write(tell[1], &version, sizeof version) == sizeof version ? 0 : 1);
    }
    close(tell[1]);
    ssize_t n = read(tell[0], &abi, sizeof abi);
    close(tell[0]);
    waitpid(pid, NULL, 0);
    abi = abi < 0 ? 0 : abi;
    return n == sizeof abi ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const files[] = {"read/file", "write/file", "write/new", "write/newer",
                                        "other"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(at(files[i]));
    rmdir(at("write/folder"));
    rmdir(at("write"));
    rmdir(at("read"));
    close(server_fd);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_no_group),          cmocka_unit_test(with_groups),
        cmocka_unit_test(a_program_that_may_run), cmocka_unit_test(only_some_ports),
        cmocka_unit_test(strict_kills),           cmocka_unit_test(too_much_to_remember),
        cmocka_unit_test(what_the_kernel_lacks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
