// Makes a replay by root fit for site.user. Whether that user may read a capture is tried as that user, in a
// child: rights of folders above, groups and ACLs are the kernel's to judge.
#include "command/replay_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/stages.h"
#include "common/daemon.h"

// The user of `config`, allocated; NULL: none. What is wrong with a configuration the stages say.
static char *user_of(const char *config)
{
    struct conf_site site;
    struct conf_section section = {.name = "site", .keys = conf_site_keys, .out = &site};
    FILE *nowhere = fopen("/dev/null", "we");
    char *user = NULL;
    if (nowhere && conf_load(config, &section, 1, nowhere) == 0) {
        user = site.user ? strdup(site.user) : NULL;
        conf_free(conf_site_keys, &site);
    }
    if (nowhere)
        fclose(nowhere);
    return user;
}

static int give(const struct state_dir *dir, const struct passwd *pw)
{
    static const char *const inside[] = {"", "/" STATE_STATUS, "/" STATE_JOURNAL, "/" STATE_RRD};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        char *path;
        if (asprintf(&path, "%s%s", dir->path, inside[i]) < 0)
            return -ENOMEM;
        int rc = chown(path, pw->pw_uid, pw->pw_gid) == 0 ? 0 : -errno;
        free(path);
        if (rc != 0)
            return rc;
    }
    return 0;
}

// As that user: the exit code is what cannot be reached, 0 nothing, 1 the folder, 2 and up a capture.
static int try_as(const struct passwd *pw, char *const *captures, size_t count,
                  const struct state_dir *dir)
{
    if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 ||
        setuid(pw->pw_uid) != 0)
        return 255;
    if (access(dir->path, W_OK | X_OK) != 0)
        return 1;
    for (size_t i = 0; i < count; i++)
        if (strcmp(captures[i], "-") != 0 && access(captures[i], R_OK) != 0)
            return i + 2 < 254 ? (int)(i + 2) : 254;
    return 0;
}

static int explain(int missing, const char *user, char *const *captures, const char *folder)
{
    if (missing == 1)
        fprintf(
            stderr,
            "postern replay: %s: the stages run as site.user \"%s\", who cannot get there; name "
            "another folder with TMPDIR or --state\n",
            folder, user);
    else if (missing < 254)
        fprintf(stderr,
                "postern replay: %s: the stages run as site.user \"%s\", who may not read it; give "
                "that user the right, or leave --config out\n",
                captures[missing - 2], user);
    else
        fprintf(stderr,
                "postern replay: site.user \"%s\" cannot be taken or may not read all "
                "captures\n",
                user);
    return missing == 1 ? EX_CANTCREAT : EX_NOINPUT;
}

static int prepare(const char *user, char *const *captures, size_t count,
                   const struct state_dir *dir)
{
    const struct passwd *pw = getpwnam(user);
    if (!pw)
        return 0; // each stage would say so; the first does
    int rc = give(dir, pw), status = 0;
    if (rc != 0) {
        fprintf(stderr, "postern replay: %s: cannot be given to site.user \"%s\": %s\n", dir->path,
                user, strerror(-rc));
        return EX_CANTCREAT;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_as(pw, captures, count, dir));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid < 0 || !WIFEXITED(status))
        return EX_OSERR;
    return WEXITSTATUS(status) ? explain(WEXITSTATUS(status), user, captures, dir->path) : 0;
}

int replay_user_prepare(const char *config, char *const *captures, size_t count,
                        const struct state_dir *dir)
{
    if (geteuid() != 0 || !config)
        return 0;
    char *user = user_of(config);
    int status = user ? prepare(user, captures, count, dir) : 0;
    free(user);
    return status;
}
