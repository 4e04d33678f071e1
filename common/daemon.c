// The order in which every program starts, runs and ends; daemon.h says what the order is.
#include "common/daemon_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

#define SECTIONS 2

// One loaded configuration: `site` and the program's own section.
struct loaded {
    struct conf_site site;
    void *own; // conf_size octets, NULL without a section
};

struct skeleton {
    struct daemon d;
    struct loaded *conf;
    struct daemon_control *control;
    struct sandbox *rules;   // NULL: the program has no sandbox
    const char *config_path; // NULL: defaults
};

static size_t sections_of(const struct daemon_spec *spec, struct loaded *c,
                          struct conf_section out[static SECTIONS])
{
    out[0] = (struct conf_section){.name = "site", .keys = conf_site_keys, .out = &c->site};
    if (!spec->section)
        return 1;
    out[1] = (struct conf_section){.name = spec->section, .keys = spec->keys, .out = c->own};
    return 2;
}

static void loaded_free(const struct daemon_spec *spec, struct loaded *c)
{
    if (!c)
        return;
    conf_free(conf_site_keys, &c->site);
    if (c->own)
        conf_free(spec->keys, c->own);
    free(c->own);
    free(c);
}

static struct loaded *loaded_new(const struct daemon_spec *spec)
{
    struct loaded *c = calloc(1, sizeof *c);
    if (c && spec->section && !(c->own = calloc(1, spec->conf_size))) {
        free(c);
        return NULL;
    }
    return c;
}

// Points the daemon at a configuration, which stays its owner's.
static void use(struct daemon *d, struct loaded *c)
{
    struct conf_section sections[SECTIONS];
    d->site = &c->site;
    d->conf = c->own;
    conf_hash(sections, sections_of(d->spec, c, sections), d->conf_hash);
}

// Loads and checks. 0: `*out` is new; else a sysexits code, all said on `errors` and in the log.
static int load(struct skeleton *s, struct loaded **out, FILE *errors)
{
    const struct daemon_spec *spec = s->d.spec;
    struct conf_section sections[SECTIONS];
    struct loaded *c = loaded_new(spec);
    if (!c) {
        log_error("out of memory");
        return EX_OSERR;
    }
    int rc = conf_load(s->config_path, sections, sections_of(spec, c, sections), errors);
    if (rc != 0) {
        loaded_free(spec, c);
        return EX_CONFIG;
    }
    const char *subscribers = daemon_value(s->d.args, "subscribers");
    rc = subscribers ? daemon_take_subscribers(&c->site, subscribers) : 0;
    if (rc != 0) {
        loaded_free(spec, c);
        return rc;
    }
    // The program's check sees the new configuration in the place of the old.
    struct daemon candidate = s->d;
    use(&candidate, c);
    rc = daemon_check_site(&c->site, s->config_path);
    int own = spec->check ? spec->check(&candidate) : 0;
    rc = rc != 0 ? rc : own;
    // At a start the program opens them itself; a check says all that is wrong at once.
    if (daemon_has(s->d.args, "check") &&
        conf_check_files(s->config_path, sections, sections_of(spec, c, sections), errors) != 0 &&
        rc == 0)
        rc = EX_CONFIG;
    if (rc != 0) {
        loaded_free(spec, c);
        return rc;
    }
    *out = c;
    return 0;
}

static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    log_error("cannot write to standard output: %s", strerror(errno));
    return EX_IOERR;
}

static int print_check(struct skeleton *s)
{
    struct conf_section sections[SECTIONS];
    conf_print(sections, sections_of(s->d.spec, s->conf, sections), false, stdout);
    return finish_output();
}

static int print_help(const struct daemon_spec *spec)
{
    struct conf_section sections[SECTIONS];
    struct loaded none = {0};
    daemon_help(spec, sections, sections_of(spec, &none, sections), stdout);
    return finish_output();
}

static void on_stop(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    (void)now_ms;
    (void)ctx;
    log_info("stopping on %s", strsignal(signo));
    loop_stop(l, 0);
}

// Each line an entry of the log.
static void log_lines(char *text)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_error("%s", line);
}

// Loads anew; what is wrong goes to the log, and its first line to `first` as well.
static int load_again(struct skeleton *s, struct loaded **out, char *first, size_t size)
{
    char *text = NULL;
    size_t len = 0;
    FILE *errors = open_memstream(&text, &len);
    int rc = errors ? load(s, out, errors) : EX_OSERR;
    if (errors && fclose(errors) == 0 && len > 0) {
        snprintf(first, size, "%.*s", (int)strcspn(text, "\n"), text);
        log_lines(text);
    }
    free(text);
    return rc;
}

static int not_reloaded(int rc, struct control_error *e)
{
    log_error("the configuration was not reloaded; the old one stays in force");
    e->code = "failed";
    if (!e->text[0])
        snprintf(e->text, sizeof e->text, "the configuration was not reloaded");
    snprintf(e->fix, sizeof e->fix,
             "mend it; the log and --check say all that is wrong with it; the old "
             "one stays in force");
    return rc;
}

// What of the site all programs open or become at their start. How many of it differ, each said.
static unsigned site_differs(const struct conf_site *old, const struct conf_site *now,
                             struct control_error *error)
{
    const char *const before[] = {old->user, old->run_directory};
    const char *const after[] = {now->user, now->run_directory};
    static const char *const name[] = {"site.user", "site.run_directory", "site.sandbox"};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        bool same = i == 2 ? old->sandbox == now->sandbox
                           : strcmp(before[i] ? before[i] : "", after[i] ? after[i] : "") == 0;
        if (same)
            continue;
        snprintf(error->text, sizeof error->text, "%s: a change needs a restart", name[i]);
        log_error("%s", error->text);
        count++;
    }
    return count;
}

static int reload_now(struct skeleton *s, struct control_error *error)
{
    struct loaded *fresh = NULL;
    if (!s->d.spec->reload) {
        log_warning("this program does not reload; restart it to change its configuration");
        error->code = "failed";
        snprintf(error->text, sizeof error->text, "%s does not reload", s->d.spec->name);
        snprintf(error->fix, sizeof error->fix, "restart it to change its configuration");
        return EX_UNAVAILABLE;
    }
    int rc = load_again(s, &fresh, error->text, sizeof error->text);
    if (rc != 0)
        return not_reloaded(rc, error);
    struct loaded *old = s->conf;
    if (site_differs(&old->site, &fresh->site, error) > 0) {
        loaded_free(s->d.spec, fresh);
        return not_reloaded(EX_CONFIG, error);
    }
    s->d.site = &fresh->site;
    rc = s->d.spec->reload(&s->d, fresh->own);
    if (rc != 0) {
        s->d.site = &old->site;
        loaded_free(s->d.spec, fresh);
        return not_reloaded(rc, error);
    }
    s->conf = fresh;
    use(&s->d, fresh);
    loaded_free(s->d.spec, old);
    log_info("configuration reloaded, hash %s", s->d.conf_hash);
    return 0;
}

static int reload(void *ctx, struct control_error *error)
{
    daemon_notify("RELOADING=1");
    int rc = reload_now(ctx, error);
    daemon_notify("READY=1");
    return rc;
}

static void on_reload(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    struct control_error unheard = {0};
    (void)l;
    (void)signo;
    (void)now_ms;
    reload(ctx, &unheard);
}

static void on_status(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    (void)l;
    (void)signo;
    (void)now_ms;
    struct skeleton *s = ctx;
    daemon_control_log_status(s->control);
}

static void on_watchdog(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)l;
    (void)now_ms;
    (void)ctx;
    daemon_notify("WATCHDOG=1");
}

static int watch_signals(struct skeleton *s)
{
    static const struct {
        int signo;
        loop_signal_fn fn;
    } signals[] = {
        {SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}, {SIGUSR1, on_status}};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        int rc = loop_signal(s->d.loop, signals[i].signo, signals[i].fn, s);
        if (rc != 0)
            return rc;
    }
    int64_t every_ms = daemon_watchdog_ms();
    int rc = every_ms > 0 ? loop_every(s->d.loop, every_ms, on_watchdog, NULL) : 0;
    return rc < 0 ? rc : 0;
}

// What stands between the dropped rights and the program's start.
static int prepare(struct skeleton *s)
{
    s->d.loop = loop_new();
    int rc = s->d.loop ? watch_signals(s) : -ENOMEM;
    if (rc == 0)
        rc = daemon_control_open(&s->d, reload, s, &s->control);
    if (rc != 0) {
        log_error("cannot set up the event loop: %s", strerror(-rc));
        return EX_OSERR;
    }
    struct sandbox_result result = {0};
    rc = daemon_sandbox_apply(&s->d, s->rules, &result);
    daemon_control_sandbox(s->control, &result);
    return rc;
}

static int run_loop(struct skeleton *s)
{
    int rc = daemon_control_start(s->control);
    if (rc == 0) {
        daemon_notify("READY=1");
        rc = loop_run(s->d.loop);
        daemon_notify("STOPPING=1");
    }
    if (rc >= 0)
        return rc;
    log_error("the event loop failed: %s", strerror(-rc));
    return EX_OSERR;
}

static void abandon(struct skeleton *s)
{
    if (s->d.spec->abandon)
        s->d.spec->abandon(&s->d);
}

static int serve(struct skeleton *s)
{
    const struct daemon_spec *spec = s->d.spec;
    int rc = prepare(s);
    log_set_times(true);
    if (rc != 0)
        abandon(s);
    else
        rc = spec->start ? spec->start(&s->d) : 0;
    if (rc == 0) {
        rc = run_loop(s);
        if (spec->stop)
            spec->stop(&s->d);
        if (rc == 0)
            rc = s->d.exit_code;
    }
    daemon_control_close(s->control);
    loop_free(s->d.loop);
    s->d.loop = NULL;
    return rc;
}

// Steps 3 to 7.
static int work(struct skeleton *s)
{
    const struct daemon_spec *spec = s->d.spec;
    int rc = spec->open ? spec->open(&s->d) : 0;
    bool opened = rc == 0;
    // What is made as root for the user below. A job from file to file has no socket.
    if (rc == 0 && !daemon_has(s->d.args, "status"))
        daemon_make_run_directory(s->d.site);
    if (rc == 0)
        rc = daemon_sandbox_rules(&s->d, s->config_path, &s->rules);
    if (rc == 0)
        rc = daemon_drop_rights(s->d.site->user, s->rules);
    if (rc != 0) {
        if (opened)
            abandon(s);
        return rc;
    }
    bool done = false;
    if (spec->run)
        rc = spec->run(&s->d, &done);
    if (rc != 0 || done)
        return rc;
    if (geteuid() == 0)
        log_warning("running as root; set site.user to an ordinary user");
    return serve(s);
}

const char *daemon_config_path(const struct daemon_args *args)
{
    const char *given = daemon_value(args, "config");
    if (given)
        return given;
    return access(DAEMON_CONFIG_DEFAULT, F_OK) == 0 ? DAEMON_CONFIG_DEFAULT : NULL;
}

int daemon_main(int argc, char **argv, const struct daemon_spec *spec)
{
    struct daemon_args *args = NULL;
    struct skeleton s = {.d = {.spec = spec}};
    log_open(spec->name);
    // A reader that goes away is an error of write, not the end of the program.
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    int rc = daemon_args_parse(argc, argv, spec, &args);
    if (rc != 0)
        return rc;
    s.d.args = args;
    rc = daemon_check_instance(args);
    if (rc != 0) {
        daemon_args_free(args);
        return rc;
    }
    if (daemon_has(args, "help")) {
        rc = print_help(spec);
    } else if (daemon_has(args, "version")) {
        printf("%s %s\n", spec->name, POSTERN_VERSION);
        rc = finish_output();
    } else {
        if (daemon_has(args, "verbose"))
            log_set_level(LOG_LEVEL_DEBUG);
        s.config_path = daemon_config_path(args);
        rc = load(&s, &s.conf, stderr);
        if (rc == 0) {
            use(&s.d, s.conf);
            rc = daemon_has(args, "check") ? print_check(&s) : work(&s);
        }
    }
    sandbox_free(s.rules);
    loaded_free(spec, s.conf);
    daemon_args_free(args);
    return rc;
}
