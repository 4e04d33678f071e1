// The program of daemon_sample.h: says on standard output which of its functions ran, and fails where
// its options tell it to.
#include "daemon_sample.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "scratch.h"

struct sensor_conf {
    int64_t flows;
    int64_t low, high;
    char *text;
};

#define FIELD(member) offsetof(struct sensor_conf, member)

static const struct conf_key sensor_keys[] = {
    {.name = "flows",
     .type = CONF_INT,
     .offset = FIELD(flows),
     .min = 16,
     .max = 1024,
     .def = "64",
     .unit = "flows",
     .help = "Size of the flow table."},
    {.name = "low", .type = CONF_INT, .offset = FIELD(low), .def = "1", .help = "Below high."},
    {.name = "high", .type = CONF_INT, .offset = FIELD(high), .def = "2", .help = "Above low."},
    {.name = "text", .type = CONF_STRING, .offset = FIELD(text), .def = "a", .help = "A text."},
    {0},
};

static const struct daemon_option options[] = {
    {'r', "read", "CAPTURE", true, "Reads this capture."},
    {'o', "output", "FILE", false, "Writes here."},
    {0, "fail-open", NULL, false, "Opening fails."},
    {0, "fail-start", NULL, false, "Starting fails."},
    {0, "refuse-reload", NULL, false, "A reload is refused."},
    {0, "rights", NULL, false, "Shows its rights, ends."},
    {0, "keep", NULL, false, "Keeps CAP_NET_RAW."},
    {0, "try", NULL, false, "Tries what its sandbox forbids, ends."},
    {0},
};

// Shown at once: the test reads it while the program runs.
__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    fflush(stdout);
}

static int check(struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    if (c->low < c->high)
        return 0;
    log_error("sensor.low must be below sensor.high; lower it");
    return EX_CONFIG;
}

static int open_all(struct daemon *d)
{
    say("open loop=%d\n", d->loop != NULL);
    if (!daemon_has(d->args, "fail-open"))
        return 0;
    log_error("cannot open");
    return EX_UNAVAILABLE;
}

static int run(struct daemon *d, bool *done)
{
    const struct sensor_conf *c = d->conf;
    *done = daemon_has(d->args, "read");
    if (!*done)
        return 0;
    say("run loop=%d flows=%lld site=%s\n", d->loop != NULL, (long long)c->flows, d->site->name);
    for (size_t i = 0; i < daemon_count(d->args, "read"); i++)
        say("read %s\n", daemon_nth(d->args, "read", i));
    for (size_t i = 0; i < daemon_operands(d->args); i++)
        say("operand %s\n", daemon_operand(d->args, i));
    return 0;
}

static int show_rights(void)
{
    static const char *const names[] = {"Uid:",    "Gid:",    "Groups:", "CapInh:",    "CapPrm:",
                                        "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:"};
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                say("%s", line);
        }
    }
    if (f)
        fclose(f);
    return 0;
}

static void sandbox(const struct daemon *d, struct sandbox *s)
{
    sandbox_read(s, "/proc/self");
    if (daemon_has(d->args, "keep"))
        sandbox_keep(s, 13); // CAP_NET_RAW
}

static void try_what_is_forbidden(void)
{
    int rc = open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
    say("open %s\n", rc ? strerror(rc) : "done");
    rc = socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
    say("socket %s\n", rc ? strerror(rc) : "done");
    execl("/bin/true", "true", NULL);
    say("exec %s\n", strerror(errno));
}

static int start(struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    if (daemon_has(d->args, "try")) {
        try_what_is_forbidden();
        loop_stop(d->loop, 0);
    }
    say("start loop=%d flows=%lld\n", d->loop != NULL, (long long)c->flows);
    if (daemon_has(d->args, "rights")) {
        show_rights();
        loop_stop(d->loop, 0);
    }
    if (!daemon_has(d->args, "fail-start"))
        return 0;
    log_error("cannot start");
    return EX_SOFTWARE;
}

static int reload(struct daemon *d, void *new_conf)
{
    const struct sensor_conf *old = d->conf, *new = new_conf;
    say("reload %lld -> %lld site=%s\n", (long long)old->flows, (long long)new->flows,
        d->site->name);
    return daemon_has(d->args, "refuse-reload") ? EX_CONFIG : 0;
}

static void status(struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    say("status flows=%lld site=%s\n", (long long)c->flows, d->site->name);
}

static void status_fill(struct daemon *d, struct control_status *s)
{
    const struct sensor_conf *c = d->conf;
    static uint64_t calls;
    control_status_counter(s, "flows", (uint64_t)c->flows);
    control_status_counter(s, "calls", ++calls);
    if (c->flows < 20)
        control_status_problem(s, 1, "few-flows", "few flows", "raise sensor.flows");
}

static json_t *command(struct daemon *d, const char *name, const json_t *request, int64_t now_ms,
                       struct control_error *error)
{
    (void)d;
    if (strcmp(name, "lookup") == 0 && now_ms > 0)
        return json_incref(json_object_get(request, "address"));
    error->code = "unknown-command";
    snprintf(error->text, sizeof error->text, "no %s here", name);
    return NULL;
}

static void stop(struct daemon *d)
{
    say("stop loop=%d\n", d->loop != NULL);
}

const struct daemon_spec sample_spec = {
    .name = "postern-sample",
    .summary = "stands in for a program",
    .synopsis = "[-c FILE] [-r CAPTURE]",
    .options = options,
    .section = "sensor",
    .keys = sensor_keys,
    .conf_size = sizeof(struct sensor_conf),
    .check = check,
    .run = run,
    .open = open_all,
    .sandbox = sandbox,
    .start = start,
    .reload = reload,
    .status = status,
    .status_fill = status_fill,
    .command = command,
    .stop = stop,
};

static char path_text[160];

static const char *path_of(const struct sample_run *r, const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", r->folder, name);
    return path_text;
}

void sample_init(struct sample_run *r)
{
    *r = (struct sample_run){0};
    if (scratch_make(r->folder) != 0)
        abort();
}

void sample_fini(struct sample_run *r)
{
    scratch_remove(r->folder);
}

static void redirect(const struct sample_run *r, const char *name, int to)
{
    int fd = open(path_of(r, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, to) < 0)
        _exit(126);
    close(fd);
}

void sample_start(struct sample_run *r, const char *const *args)
{
    char *words[32] = {"postern-sample"};
    for (size_t i = 0; args[i]; i++) {
        assert(i + 2 < sizeof words / sizeof words[0]);
        words[i + 1] = (char *)args[i];
    }
    // What an earlier run wrote is not to be taken for this one's.
    unlink(path_of(r, "out"));
    unlink(path_of(r, "err"));
    r->pid = fork();
    if (r->pid != 0)
        return;
    redirect(r, "out", STDOUT_FILENO);
    redirect(r, "err", STDERR_FILENO);
    setenv("POSTERN_TEST_DAEMON", "1", 1);
    execv("/proc/self/exe", words);
    _exit(127);
}

int sample_wait(struct sample_run *r)
{
    int status = 0;
    if (waitpid(r->pid, &status, 0) != r->pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int sample_run(struct sample_run *r, const char *const *args)
{
    sample_start(r, args);
    return sample_wait(r);
}

const char *sample_text(const struct sample_run *r, const char *file)
{
    static char text[32768];
    FILE *f = fopen(path_of(r, file), "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return text;
}

bool sample_await(const struct sample_run *r, const char *file, const char *text)
{
    for (int i = 0; i < 1000; i++) {
        if (strstr(sample_text(r, file), text))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

const char *sample_file(const struct sample_run *r, const char *name, const char *text)
{
    FILE *f = fopen(path_of(r, name), "w");
    if (!f || fputs(text, f) == EOF || fclose(f) != 0)
        abort();
    return path_text;
}
