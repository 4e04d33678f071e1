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

static int become(const struct passwd *pw)
{
    capng_get_caps_process();
    capng_clear(CAPNG_SELECT_BOUNDS);
    if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return failed("bounding set");
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

static int clear_capabilities(void)
{
    capng_get_caps_process();
    if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
        return 0;
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return failed("capabilities");
    capng_get_caps_process();
    if (capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE) {
        log_error("cannot drop rights: capabilities remain; report this with the kernel's version");
        return EX_OSERR;
    }
    return 0;
}

int daemon_drop_rights(const char *user)
{
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
        int rc = become(pw);
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
    return root ? 0 : clear_capabilities();
}
