// Collects the rules of sandbox.h and puts them in force: paths first, since the filter of system calls
// then also takes away the means to touch the paths' rules.
#include "common/sandbox_parts.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct sandbox *sandbox_new(void)
{
    struct sandbox *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    // What the C library and its time zones read, in whatever program.
    sandbox_read(s, "/etc/localtime");
    sandbox_read(s, "/usr/share/zoneinfo");
    sandbox_read(s, "/dev/urandom");
    sandbox_write(s, "/dev/null");
#ifdef INSTRUMENTED
    sandbox_allow(s, SANDBOX_PROCESSES);
    sandbox_read(s, "/proc");
    sandbox_read(s, "/usr");
    sandbox_read(s, "/lib");
#endif
#ifdef POSTERN_COVERAGE
    sandbox_allow(s, SANDBOX_WRITES);
    sandbox_write(s, "/");
#endif
    return s;
}

void sandbox_free(struct sandbox *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->paths; i++)
        free(s->path[i].path);
    free(s);
}

void sandbox_allow(struct sandbox *s, unsigned calls)
{
    s->calls |= calls;
}

void sandbox_keep(struct sandbox *s, int capability)
{
    assert(capability >= 0 && capability < 64);
    s->kept |= UINT64_C(1) << capability;
}

static void add(struct sandbox *s, const char *path, enum sandbox_access access)
{
    if (!path)
        return;
    char *copy = s->paths < SANDBOX_PATHS_MAX ? strdup(path) : NULL;
    if (copy)
        s->path[s->paths++] = (struct sandbox_path){.path = copy, .access = access};
    else
        s->failed = true;
}

void sandbox_read(struct sandbox *s, const char *path)
{
    add(s, path, SANDBOX_READS);
}

void sandbox_write(struct sandbox *s, const char *path)
{
    add(s, path, SANDBOX_CHANGES);
}

void sandbox_run(struct sandbox *s, const char *path)
{
    add(s, path, SANDBOX_RUNS);
}

static void add_folder(struct sandbox *s, const char *path, enum sandbox_access access)
{
    struct stat st;
    if (!path || (stat(path, &st) == 0 && S_ISDIR(st.st_mode))) {
        add(s, path, access);
        return;
    }
    char *copy = strdup(path);
    if (copy)
        add(s, dirname(copy), access);
    else
        s->failed = true;
    free(copy);
}

void sandbox_make(struct sandbox *s, const char *path)
{
    add_folder(s, path, SANDBOX_CHANGES);
}

void sandbox_follow(struct sandbox *s, const char *path)
{
    add_folder(s, path, SANDBOX_READS);
}

void sandbox_connect(struct sandbox *s, uint16_t port)
{
    if (s->ports < SANDBOX_PORTS_MAX)
        s->port[s->ports++] = port;
    else
        s->failed = true;
}

unsigned sandbox_calls_of(const struct sandbox *s)
{
    return s->calls;
}

uint64_t sandbox_kept(const struct sandbox *s)
{
    return s->kept;
}

// Adds to the list of what is missing.
static void miss(struct sandbox_result *out, const char *what, int rc)
{
    size_t n = strlen(out->missing);
    snprintf(out->missing + n, sizeof out->missing - n, "%s%s%s%s%s", n ? "; " : "", what,
             rc ? " (" : "", rc ? strerror(-rc) : "", rc ? ")" : "");
}

int sandbox_apply(const struct sandbox *s, struct sandbox_result *out)
{
    *out = (struct sandbox_result){0};
    if (s->failed)
        return -ENOMEM;
    int rc = sandbox_paths_apply(s);
    if (rc == -EINVAL || rc == -ENOMEM)
        return rc;
    if (rc == 0)
        miss(out, "paths are not restricted: the kernel has no landlock", 0);
    else if (rc < 0) // by a container, mostly
        miss(out, "paths are not restricted: landlock is refused", rc);
    else
        out->landlock_abi = rc;
    rc = sandbox_calls_apply(s->calls);
    if (rc == -ENOMEM)
        return rc;
    if (rc != 0)
        miss(out, "system calls are not restricted: seccomp is refused", 0);
    out->calls_filtered = rc == 0;
    return 0;
}
