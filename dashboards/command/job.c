// One child at a time, around the event loop: its end, our signals and the progress line are events.
#include "command/job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/sandbox.h"
#include "common/loop.h"

enum {
    QUIET_S = 2,        // shorter than this is not worth a line
    PATIENCE_MS = 5000, // between asking a child to end and ending it
    LINE_EVERY_S = 10,
};

struct running {
    const struct job *job;
    struct job_result *result;
    struct loop *loop;
    pid_t pid;
    int seconds;
    bool on_terminal;
    bool line_shown;
};

static void show_progress(struct loop *l, int64_t now_ms, void *ctx)
{
    struct running *r = ctx;
    (void)l;
    (void)now_ms;
    r->seconds++;
    if (!r->job->progress || r->seconds < QUIET_S)
        return;
    if (r->on_terminal) {
        fprintf(stderr, "\r\033[K%s, %d s", r->job->label, r->seconds);
        r->line_shown = true;
    } else if (r->seconds == QUIET_S || r->seconds % LINE_EVERY_S == 0) {
        fprintf(stderr, "%s, %d s\n", r->job->label, r->seconds);
    }
}

static void child_changed(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    struct running *r = ctx;
    int status;
    (void)signo;
    (void)now_ms;
    if (waitpid(r->pid, &status, WNOHANG) != r->pid)
        return;
    if (WIFSIGNALED(status))
        r->result->signal = WTERMSIG(status);
    else
        r->result->status = WEXITSTATUS(status);
    loop_stop(l, 0);
}

static void out_of_patience(struct loop *l, int64_t now_ms, void *ctx)
{
    struct running *r = ctx;
    (void)l;
    (void)now_ms;
    kill(r->pid, SIGKILL);
}

static void asked_to_stop(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    struct running *r = ctx;
    (void)now_ms;
    r->result->stopped = signo;
    kill(r->pid, SIGTERM);
    loop_after(l, PATIENCE_MS, out_of_patience, r);
}

// Puts `path` in the place of descriptor `target`.
static int redirect(const char *path, int target)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, target) < 0)
        return -errno;
    close(fd);
    return 0;
}

// The child's way to exec; a failure is told through the pipe as an errno.
static void become(const struct job *j, pid_t parent, int tell)
{
    sigset_t none;
    int rc = 0;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int nothing = j->reads ? STDIN_FILENO : open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0)
        rc = -errno;
    if (rc == 0 && j->output)
        rc = redirect(j->output, STDOUT_FILENO);
    if (rc == 0 && j->log)
        rc = redirect(j->log, STDERR_FILENO);
    if (rc == 0 && j->sandboxed)
        rc = sandbox_enter();
    // After the sandbox: a change of credentials forgets it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EX_OSERR);
    if (rc == 0) {
        execv(j->argv[0], j->argv);
        rc = -errno;
    }
    if (write(tell, &rc, sizeof rc) != sizeof rc)
        _exit(EX_OSERR);
    _exit(EX_UNAVAILABLE);
}

// Forks; the pipe closes by itself when exec succeeds.
static int start(struct running *r)
{
    int tell[2], rc = 0;
    pid_t self = getpid();
    if (pipe2(tell, O_CLOEXEC) != 0)
        return -errno;
    fflush(NULL);
    r->pid = fork();
    if (r->pid < 0) {
        rc = -errno;
    } else if (r->pid == 0) {
        close(tell[0]);
        become(r->job, self, tell[1]);
    }
    close(tell[1]);
    if (rc == 0 && read(tell[0], &rc, sizeof rc) == sizeof rc)
        waitpid(r->pid, NULL, 0);
    close(tell[0]);
    return rc;
}

int job_run(const struct job *j, struct job_result *out)
{
    struct job_result result = {0};
    struct running r = {.job = j, .result = &result, .on_terminal = isatty(STDERR_FILENO) == 1};
    int rc = -ENOMEM;

    r.loop = loop_new();
    if (!r.loop)
        return rc;
    // Before the fork, so that an early end is not missed.
    if ((rc = loop_signal(r.loop, SIGCHLD, child_changed, &r)) < 0 ||
        (rc = loop_signal(r.loop, SIGINT, asked_to_stop, &r)) < 0 ||
        (rc = loop_signal(r.loop, SIGTERM, asked_to_stop, &r)) < 0 ||
        (rc = loop_every(r.loop, 1000, show_progress, &r)) < 0)
        goto out;
    rc = start(&r);
    if (rc < 0)
        goto out;
    loop_run(r.loop);
    if (r.line_shown)
        fprintf(stderr, "\r\033[K");
    *out = result;
    rc = 0;
out:
    loop_free(r.loop);
    return rc;
}

static bool in_folder(const char *folder, size_t folder_len, const char *name, char *out,
                      size_t size)
{
    int n = snprintf(out, size, "%.*s/%s", (int)folder_len, folder, name);
    return n > 0 && (size_t)n < size && access(out, X_OK) == 0;
}

int job_find_program(const char *name, char *out, unsigned long size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        const char *slash = strrchr(self, '/');
        if (slash && in_folder(self, (size_t)(slash - self), name, out, size))
            return 0;
        // As installed below any prefix: this command in bin, the programs in sbin.
        char sbin[PATH_MAX + sizeof "/../sbin"];
        if (slash && snprintf(sbin, sizeof sbin, "%.*s/../sbin", (int)(slash - self), self) > 0 &&
            in_folder(sbin, strlen(sbin), name, out, size))
            return 0;
    }
    const char *lists[] = {getenv("PATH"), "/usr/local/sbin:/usr/sbin:/sbin"};
    for (size_t i = 0; i < 2; i++) {
        for (const char *at = lists[i]; at && *at;) {
            size_t len = strcspn(at, ":");
            if (len > 0 && in_folder(at, len, name, out, size))
                return 0;
            at += len;
            if (*at == ':')
                at++;
        }
    }
    return -ENOENT;
}
