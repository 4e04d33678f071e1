// The sandbox of a daemon: what its program needs and what the skeleton itself does.
#include "common/daemon_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

// The configuration is read again at a reload; an editor replaces the file, so its folder is named.
static void read_folder_of(struct sandbox *s, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    char *folder = !path ? NULL : slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    sandbox_read(s, folder);
    free(folder);
}

int daemon_sandbox_rules(const struct daemon *d, const char *config_path, struct sandbox **out)
{
    if (!d->spec->sandbox)
        return 0;
    struct sandbox *s = sandbox_new();
    if (!s) {
        log_error("out of memory");
        return EX_OSERR;
    }
    read_folder_of(s, config_path);
    sandbox_read(s, d->site->provider_file);
    sandbox_write(s, d->site->run_directory); // its socket is removed at the end
    d->spec->sandbox(d, s);
    *out = s;
    return 0;
}

int daemon_sandbox_apply(const struct daemon *d, const struct sandbox *rules,
                         struct sandbox_result *out)
{
    *out = (struct sandbox_result){0};
    if (!rules)
        return 0;
    if (d->site->sandbox == SITE_SANDBOX_OFF) {
        log_info("site.sandbox is off: paths and system calls are not restricted");
        return 0;
    }
    int rc = sandbox_apply(rules, out);
    if (rc != 0) {
        log_error("cannot close the sandbox: %s; report this, and set site.sandbox: off until then",
                  strerror(-rc));
        return EX_OSERR;
    }
    if (out->missing[0])
        log_warning("the sandbox is not whole: %s; going on", out->missing);
    return 0;
}
