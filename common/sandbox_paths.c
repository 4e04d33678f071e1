// Landlock: the paths (and TCP ports) of a sandbox. By raw system calls, since the C library has no
// wrappers, and with the constants of versions later than the headers', since the kernel in use decides:
// each version's rights are handled when the kernel knows them. landlock(7), kernel's
// Documentation/userspace-api/landlock.rst.
#include "common/sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Rights beyond the first version, with the version that brought each.
#define ACCESS_REFER     (UINT64_C(1) << 13) // 2: linking and renaming between folders
#define ACCESS_TRUNCATE  (UINT64_C(1) << 14) // 3
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15) // 5
#define NET_BIND_TCP     UINT64_C(1)         // 4
#define NET_CONNECT_TCP  UINT64_C(2)         // 4
#define SCOPE_ABSTRACT   UINT64_C(1)         // 6: abstract Unix sockets of others
#define SCOPE_SIGNAL     UINT64_C(2)         // 6: signals to others
#define RULE_NET_PORT    2

#define ACCESS_FIRST ((UINT64_C(1) << 13) - 1)

static const uint64_t reads = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t changes = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                LANDLOCK_ACCESS_FS_REMOVE_DIR | ACCESS_REFER | ACCESS_TRUNCATE;
static const uint64_t runs = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                             LANDLOCK_ACCESS_FS_EXECUTE;
// What a rule on a file, not a folder, may say.
static const uint64_t of_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                 LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV;

// As the kernel has it from version 6 on; older ones take the front of it.
struct ruleset {
    uint64_t fs, net, scoped;
};

struct net_port {
    uint64_t access, port;
};

static struct ruleset handled(int abi, const struct sandbox *s)
{
    struct ruleset r = {.fs = ACCESS_FIRST};
    if (abi >= 2)
        r.fs |= ACCESS_REFER;
    if (abi >= 3)
        r.fs |= ACCESS_TRUNCATE;
    // Bound and listening is done by now.
    if (abi >= 4)
        r.net = NET_BIND_TCP;
    if (abi >= 4 && (s->ports > 0 || !(s->calls & SANDBOX_NETWORK)))
        r.net |= NET_CONNECT_TCP;
    if (abi >= 5)
        r.fs |= ACCESS_IOCTL_DEV;
    // A service manager may listen on an abstract socket, and it is the only one we speak to.
    const char *notify = getenv("NOTIFY_SOCKET");
    if (abi >= 6)
        r.scoped = SCOPE_SIGNAL | (notify && notify[0] == '@' ? 0 : SCOPE_ABSTRACT);
    return r;
}

static size_t ruleset_size(int abi)
{
    return abi >= 6 ? sizeof(struct ruleset) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static int add_path(int ruleset, const struct sandbox_path *p, uint64_t handled_fs)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = reads};
    struct stat st;
    if (p->access != SANDBOX_READS)
        rule.allowed_access = p->access == SANDBOX_CHANGES ? changes : runs;
    rule.parent_fd = open(p->path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -errno : 0;
    int rc = fstat(rule.parent_fd, &st) == 0 ? 0 : -errno;
    if (!S_ISDIR(st.st_mode))
        rule.allowed_access &= of_files;
    rule.allowed_access &= handled_fs;
    if (rc == 0 && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
        rc = -errno;
    close(rule.parent_fd);
    return rc;
}

static int add_rules(int ruleset, const struct sandbox *s, const struct ruleset *r)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->paths; i++)
        rc = add_path(ruleset, &s->path[i], r->fs);
    for (size_t i = 0; rc == 0 && r->net & NET_CONNECT_TCP && i < s->ports; i++) {
        struct net_port rule = {.access = NET_CONNECT_TCP, .port = s->port[i]};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0)
            rc = -errno;
    }
    return rc;
}

int sandbox_paths_apply(const struct sandbox *s)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return abi < 0 && errno != ENOSYS && errno != EOPNOTSUPP ? -errno : 0;
    struct ruleset r = handled((int)abi, s);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &r, ruleset_size((int)abi), 0);
    if (ruleset < 0)
        return -errno;
    int rc = add_rules(ruleset, s, &r);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        rc = -errno;
    close(ruleset);
    return rc == 0 ? (int)abi : rc;
}
