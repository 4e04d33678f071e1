// Giving up rights, and looking whether they are gone. The order matters: the bounding set and the
// groups need root, so they go first, then the group, then the user, then what capabilities are left.
#include "common/daemon_parts.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/log.h"

static int failed(const char *what)
{
    log_error("cannot drop rights: %s: %s; start as root or remove site.user", what,
              strerror(errno));
    return EX_OSERR;
}

static int become(const struct passwd *pw, uint64_t kept)
{
    capng_get_caps_process();
    capng_clear(CAPNG_SELECT_BOUNDS);
    for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
        if (kept >> c & 1)
            capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, c);
    if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return failed("bounding set");
    if (kept && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return failed("capabilities");
    if (initgroups(pw->pw_name, pw->pw_gid) != 0)
        return failed("groups");
    if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0)
        return failed("group");
    if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
        return failed("user");
    return 0;
}

// Every one of the three user and group numbers is the wanted one, and root does not come back.
static bool became(const struct passwd *pw)
{
    uid_t ru, eu, su;
    gid_t rg, eg, sg;
    if (getresuid(&ru, &eu, &su) != 0 || getresgid(&rg, &eg, &sg) != 0)
        return false;
    return ru == pw->pw_uid && eu == pw->pw_uid && su == pw->pw_uid && rg == pw->pw_gid &&
           eg == pw->pw_gid && sg == pw->pw_gid && setuid(0) != 0 && setgid(0) != 0;
}

// Leaves of what is held only `kept`; programs that are run inherit it when `to_children`.
static int reduce_capabilities(uint64_t kept, bool to_children)
{
    unsigned kinds = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
    capng_get_caps_process();
    uint64_t held = 0;
    bool more = false; // than what is to stay
    for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
        bool has = capng_have_capability(CAPNG_PERMITTED, c);
        if (kept >> c & 1 && has)
            held |= UINT64_C(1) << c;
        else
            more = more || has || capng_have_capability(CAPNG_INHERITABLE, c);
    }
    // A service manager that started us without any may also forbid the call.
    if (!more && held == 0)
        return 0;
    if (to_children)
        kinds |= CAPNG_INHERITABLE | CAPNG_AMBIENT;
    capng_clear(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT);
    for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
        if (held >> c & 1)
            capng_update(CAPNG_ADD, (capng_type_t)kinds, c);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return failed("capabilities");
    if (capng_apply(CAPNG_SELECT_AMBIENT) != 0)
        return failed("ambient capabilities");
    capng_get_caps_process();
    for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
        if (held >> c & 1 || (!capng_have_capability(CAPNG_PERMITTED, c) &&
                              !capng_have_capability(CAPNG_EFFECTIVE, c)))
            continue;
        log_error("cannot drop rights: capabilities remain; report this with the kernel's version");
        return EX_OSERR;
    }
    return 0;
}

int daemon_drop_rights(const char *user, const struct sandbox *rules)
{
    uint64_t kept = rules ? sandbox_kept(rules) : 0;
    bool to_children = rules && sandbox_calls_of(rules) & SANDBOX_EXEC;
    bool root = geteuid() == 0;
    if (root && user) {
        errno = 0;
        const struct passwd *pw = getpwnam(user);
        if (!pw) {
            log_error("site.user: there is no user \"%s\"; create it or name another", user);
            return EX_CONFIG;
        }
        if (pw->pw_uid == 0) {
            log_error("site.user: \"%s\" is root; name an ordinary user", user);
            return EX_CONFIG;
        }
        int rc = become(pw, kept);
        if (rc != 0)
            return rc;
        if (!became(pw)) {
            log_error("cannot drop rights: still not only \"%s\"; not starting", user);
            return EX_OSERR;
        }
        root = false;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return failed("no_new_privs");
    // Who stays root by the operator's choice keeps what makes root work (files of other users).
    return root ? 0 : reduce_capabilities(kept, to_children);
}
