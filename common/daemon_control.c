// A running program's control socket: where it is made, and the commands that all programs answer
// (status, reload, loglevel). Without the socket a program works as well, only unasked.
#include "common/daemon_parts.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/timefmt.h"

#define RATES_EVERY_MS 10000

struct daemon_control {
    struct daemon *d;
    daemon_reload_fn reload;
    void *ctx;
    struct control_server *server; // NULL: no socket
    struct sandbox_result sandbox;
    int64_t since_ms;
    // Counters as they were at the last two looks, for the rates.
    json_t *earlier, *later;
    char told[200]; // what the service manager heard last
    int64_t earlier_ms, later_ms;
};

// ---- The folder.

static bool name_fits(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
    size_t n = strlen(name);
    return n > 0 && n <= 32 && name[0] != '.' && strspn(name, letters) == n;
}

int daemon_check_instance(const struct daemon_args *args)
{
    const char *name = daemon_value(args, "instance");
    if (!name || name_fits(name))
        return 0;
    log_error("--instance: a name is letters, digits and \"_.:-\", at most 32");
    return EX_USAGE;
}

void daemon_make_run_directory(const struct conf_site *site)
{
    // What goes wrong here shows when the socket is made, and is said there, once.
    if (mkdir(site->run_directory, 0750) != 0 || geteuid() != 0 || !site->user)
        return;
    const struct passwd *pw = getpwnam(site->user);
    if (pw && chown(site->run_directory, pw->pw_uid, pw->pw_gid) != 0)
        log_debug("%s: %s", site->run_directory, strerror(errno));
}

// ---- Status.

// The document without the rates; NULL: out of memory.
static json_t *document(struct daemon_control *c)
{
    struct daemon *d = c->d;
    const char *instance = daemon_value(d->args, "instance");
    char since[TIME_TEXT_MAX];
    struct control_status *s = control_status_new(d->spec->name);
    if (!s)
        return NULL;
    control_status_conf_hash(s, d->conf_hash);
    if (d->spec->status_fill)
        d->spec->status_fill(d, s);
    json_t *j = control_status_json(s);
    control_status_free(s);
    bool whole = j && json_object_set_new(j, "pid", json_integer(getpid())) == 0 &&
                 json_object_set_new(j, "loglevel", json_string(log_level_name(log_get_level()))) ==
                     0;
    if (whole)
        whole = json_object_set_new(j, "sandbox",
                                    json_pack("{s:i, s:b}", "landlock", c->sandbox.landlock_abi,
                                              "seccomp", c->sandbox.calls_filtered)) == 0;
    if (whole && instance)
        whole = json_object_set_new(j, "instance", control_text(instance)) == 0;
    if (whole && c->since_ms > 0)
        whole = json_object_set_new(j, "since", json_string(time_format(c->since_ms, since))) == 0;
    if (whole)
        return j;
    json_decref(j);
    return NULL;
}

// What each counter grew by a second since an earlier look, at most twice RATES_EVERY_MS ago.
static json_t *rates(const struct daemon_control *c, const json_t *counters, int64_t now_ms)
{
    json_t *out = json_object(), *value;
    const char *name;
    if (!out || !c->earlier || now_ms - c->earlier_ms < 1000)
        return out;
    json_object_foreach ((json_t *)counters, name, value) {
        const json_t *before = json_object_get(c->earlier, name);
        double grown = (double)(json_integer_value(value) - json_integer_value(before));
        if (before && grown >= 0)
            json_object_set_new(out, name,
                                json_number(grown * 1000 / (double)(now_ms - c->earlier_ms), 3));
    }
    return out;
}

// State and first problem, when they have changed.
static void tell_manager(struct daemon_control *c, const json_t *document)
{
    const json_t *problem = json_array_get(json_object_get(document, "problems"), 0);
    const char *state = json_string_value(json_object_get(document, "state"));
    const char *text = json_string_value(json_object_get(problem, "text"));
    char now[sizeof c->told];
    snprintf(now, sizeof now, "%s%s%s", state ? state : "unknown", text ? ": " : "",
             text ? text : "");
    if (strcmp(now, c->told) == 0)
        return;
    memcpy(c->told, now, sizeof now);
    daemon_notify_status(now);
}

static void look(struct loop *l, int64_t now_ms, void *ctx)
{
    struct daemon_control *c = ctx;
    (void)l;
    if (c->since_ms == 0)
        c->since_ms = now_ms;
    json_t *j = document(c);
    json_decref(c->earlier);
    c->earlier = c->later;
    c->earlier_ms = c->later_ms;
    c->later = json_incref(json_object_get(j, "counters"));
    c->later_ms = now_ms;
    if (!c->earlier) {
        c->earlier = json_incref(c->later);
        c->earlier_ms = now_ms;
    }
    tell_manager(c, j);
    json_decref(j);
}

static json_t *failed(struct control_error *e, const char *code, const char *text, const char *fix)
{
    e->code = code;
    snprintf(e->text, sizeof e->text, "%s", text);
    snprintf(e->fix, sizeof e->fix, "%s", fix);
    return NULL;
}

static json_t *do_status(struct daemon_control *c, int64_t now_ms, struct control_error *error)
{
    json_t *j = document(c);
    if (j && json_object_set_new(j, "rates", rates(c, json_object_get(j, "counters"), now_ms)) == 0)
        return j;
    json_decref(j);
    return failed(error, "failed", "out of memory", "ask again later");
}

void daemon_control_sandbox(struct daemon_control *c, const struct sandbox_result *result)
{
    c->sandbox = *result;
}

void daemon_control_log_status(struct daemon_control *c)
{
    struct daemon *d = c->d;
    if (d->spec->status)
        d->spec->status(d);
    if (d->spec->status || !d->spec->status_fill)
        return;
    char text[1500];
    size_t n = 0, i;
    const char *name;
    json_t *value, *j = document(c);
    text[0] = '\0';
    json_object_foreach (json_object_get(j, "counters"), name, value) {
        n += (size_t)snprintf(text + n, sizeof text - n, ", %s %lld", name,
                              (long long)json_integer_value(value));
        if (n >= sizeof text)
            break;
    }
    log_info("state %s%s", j ? json_string_value(json_object_get(j, "state")) : "unknown", text);
    json_array_foreach (json_object_get(j, "problems"), i, value) {
        const char *words = json_string_value(json_object_get(value, "text"));
        const char *fix = json_string_value(json_object_get(value, "fix"));
        log_warning("%s%s%s", words, control_joint(words, fix), fix);
    }
    json_decref(j);
}

// ---- Commands.

static json_t *do_loglevel(const json_t *request, struct control_error *error)
{
    const json_t *level = json_object_get(request, "level");
    enum log_level wanted;
    if (level) {
        const char *name = json_string_value(level);
        if (!name || log_level_parse(name, &wanted) != 0)
            return failed(error, "bad-argument", "\"level\" is no log level",
                          "use error, warning, info or debug");
        log_set_level(wanted);
    }
    return json_pack("{s:s}", "level", log_level_name(log_get_level()));
}

static json_t *do_reload(struct daemon_control *c, struct control_error *error)
{
    if (c->reload(c->ctx, error) != 0)
        return NULL;
    return json_pack("{s:s}", "conf_hash", c->d->conf_hash);
}

static json_t *command(void *ctx, const char *name, const json_t *request, int64_t now_ms,
                       struct control_error *error)
{
    struct daemon_control *c = ctx;
    if (strcmp(name, "status") == 0)
        return do_status(c, now_ms, error);
    if (strcmp(name, "reload") == 0)
        return do_reload(c, error);
    if (strcmp(name, "loglevel") == 0)
        return do_loglevel(request, error);
    if (c->d->spec->command)
        return c->d->spec->command(c->d, name, request, now_ms, error);
    error->code = "unknown-command";
    snprintf(error->text, sizeof error->text, "%s takes no command \"%.60s\"", c->d->spec->name,
             name);
    snprintf(error->fix, sizeof error->fix, "it takes status, reload and loglevel");
    return NULL;
}

// ---- Open and close.

static void warn(const char *path, const char *folder, int rc)
{
    char fix[400];
    if (rc == -EADDRINUSE)
        snprintf(fix, sizeof fix,
                 "another one runs and answers there; stop it, or tell them apart "
                 "with --instance or site.run_directory");
    else if (rc == -ENAMETOOLONG)
        snprintf(fix, sizeof fix, "use a shorter site.run_directory");
    else if (rc == -EEXIST)
        snprintf(fix, sizeof fix, "this is no socket; remove it");
    else
        snprintf(fix, sizeof fix,
                 "as root: install -d -m 750 -o %ld -g %ld %.200s, or name another "
                 "site.run_directory",
                 (long)geteuid(), (long)getegid(), folder);
    log_warning("no control socket at %s: %s; going on without it: %s", path, strerror(-rc), fix);
}

static void open_socket(struct daemon_control *c)
{
    const char *folder = c->d->site->run_directory;
    const char *instance = daemon_value(c->d->args, "instance");
    char name[128], path[PATH_MAX];
    snprintf(name, sizeof name, "%s%s%s", c->d->spec->name, instance ? "@" : "",
             instance ? instance : "");
    int rc = control_socket_path(folder, name, path, sizeof path);
    if (rc == 0)
        rc = control_server_open(c->d->loop, path, command, c, &c->server);
    if (rc != 0)
        warn(path, folder, rc);
}

int daemon_control_open(struct daemon *d, daemon_reload_fn reload, void *ctx,
                        struct daemon_control **out)
{
    struct daemon_control *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->d = d;
    c->reload = reload;
    c->ctx = ctx;
    *out = c;
    if (!d->unasked)
        open_socket(c);
    return 0;
}

int daemon_control_start(struct daemon_control *c)
{
    int rc = loop_after(c->d->loop, 0, look, c);
    if (rc >= 0)
        rc = loop_every(c->d->loop, RATES_EVERY_MS, look, c);
    return rc < 0 ? rc : 0;
}

void daemon_control_close(struct daemon_control *c)
{
    if (!c)
        return;
    control_server_close(c->server);
    json_decref(c->earlier);
    json_decref(c->later);
    free(c);
}
