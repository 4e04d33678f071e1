// See mail_journal.h.
#include "maillog/mail_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maillog/mail_text.h"

#define CHUNK      65536
#define PAUSE_MS   1000
#define PAUSE_MOST 60000

#define WARM_UP_S       300
#define WARM_UP_WAIT_MS 10000

struct mail_journal {
    char command[4096];
    char cursor[MAIL_CURSOR_MAX];
    int64_t opened_ms;
    int64_t latest_ms; // of the entry at the cursor; 0: none yet
    pid_t child;       // 0: none
    int fd;
    int64_t again_ms, pause_ms;
    uint64_t restarts;
    struct mail_lines lines;
    mail_lines_fn fn;
    void *ctx;
    uint8_t chunk[CHUNK];
};

// Its standard output is at `fd`.
static int spawn(char *const argv[], pid_t *child, int *fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        // It ends with the sensor, which behind its sandbox may not signal it any more.
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent && dup2(ends[1], 1) == 1)
            execv(argv[0], argv);
        _exit(127);
    }
    int rc = pid < 0 ? -errno : 0;
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        return rc;
    }
    *child = pid;
    *fd = ends[0];
    fcntl(*fd, F_SETFL, O_NONBLOCK);
    return 0;
}

static int start(struct mail_journal *j)
{
    char from[MAIL_CURSOR_MAX + 32];
    // --merge: else only this boot's lines are followed, and what was logged before it, while nobody looked, is left
    // out; and a unit may not be able to tell which boot it is. Without a cursor: from the sensor's start on,
    // whenever journalctl gets round to looking.
    if (j->cursor[0])
        snprintf(from, sizeof from, "--after-cursor=%s", j->cursor);
    else
        snprintf(from, sizeof from, "--since=@%lld", (long long)(j->opened_ms / 1000));
    char *argv[] = {j->command,   "--output=json",     "--follow", "--merge", "--no-tail",
                    "--no-pager", "SYSLOG_FACILITY=2", from,       NULL};
    return spawn(argv, &j->child, &j->fd);
}

static void stop(struct mail_journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
    if (j->child > 0) {
        int options = kill(j->child, SIGTERM) == 0 ? 0 : WNOHANG;
        while (waitpid(j->child, NULL, options) < 0 && errno == EINTR) {}
    }
    j->child = 0;
    j->lines.len = 0;
}

int mail_journal_open(const char *command, const char *cursor, int64_t last_ms, int64_t now_ms,
                      struct mail_journal **out)
{
    struct mail_journal *j = calloc(1, sizeof *j);
    if (!j)
        return -ENOMEM;
    j->fd = -1;
    j->pause_ms = PAUSE_MS;
    snprintf(j->command, sizeof j->command, "%s", command);
    snprintf(j->cursor, sizeof j->cursor, "%s", cursor);
    j->latest_ms = last_ms;
    j->opened_ms = now_ms;
    int rc = start(j);
    if (rc < 0) {
        free(j);
        return rc;
    }
    *out = j;
    return 0;
}

void mail_journal_close(struct mail_journal *j)
{
    if (!j)
        return;
    stop(j);
    free(j);
}

static void on_line(void *ctx, struct span line)
{
    struct mail_journal *j = ctx;
    struct span cursor;
    j->fn(j->ctx, line);
    // journalctl escapes quotes within values, so the key cannot be a value's text.
    if (mail_text_between(line, "\"__CURSOR\":\"", "\"", &cursor) ||
        mail_text_between(line, "\"__CURSOR\" : \"", "\"", &cursor)) {
        if (cursor.len < sizeof j->cursor) {
            memcpy(j->cursor, cursor.data, cursor.len);
            j->cursor[cursor.len] = '\0';
        }
    }
    struct span stamp;
    uint64_t us = 0;
    if (!mail_text_between(line, "\"__REALTIME_TIMESTAMP\":\"", "\"", &stamp))
        return;
    for (size_t i = 0; i < stamp.len && i < 18 && stamp.data[i] >= '0' && stamp.data[i] <= '9'; i++)
        us = us * 10 + (uint64_t)(stamp.data[i] - '0');
    j->latest_ms = (int64_t)(us / 1000);
}

int mail_journal_read(struct mail_journal *j, int64_t now_ms, mail_lines_fn fn, void *ctx)
{
    if (j->fd < 0) {
        if (now_ms < j->again_ms)
            return 0;
        j->restarts++;
        if (start(j) != 0) {
            j->again_ms = now_ms + j->pause_ms;
            return 0;
        }
    }
    j->fn = fn;
    j->ctx = ctx;
    ssize_t n = read(j->fd, j->chunk, CHUNK);
    if (n > 0) {
        j->pause_ms = PAUSE_MS;
        mail_lines_feed(&j->lines, span_of(j->chunk, (size_t)n), on_line, j);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    stop(j); // it ended; a half line is read again from the cursor
    j->again_ms = now_ms + j->pause_ms;
    j->pause_ms = j->pause_ms * 2 < PAUSE_MOST ? j->pause_ms * 2 : PAUSE_MOST;
    return 0;
}

// ---- What was told before.

struct warm {
    const char *cursor;
    bool met;
    struct mail_journal *reader;
};

static void on_warm(void *ctx, struct span line)
{
    struct warm *w = ctx;
    if (w->met)
        return;
    on_line(w->reader, line);
    w->met = strcmp(w->reader->cursor, w->cursor) == 0;
}

int mail_journal_warm_up(const char *command, const char *cursor, int64_t last_ms, mail_lines_fn fn,
                         void *ctx)
{
    char since[48];
    struct mail_journal *j = calloc(1, sizeof *j);
    struct warm warm = {.cursor = cursor, .reader = j};
    if (!j)
        return -ENOMEM;
    j->fn = fn;
    j->ctx = ctx;
    snprintf(j->command, sizeof j->command, "%s", command);
    snprintf(since, sizeof since, "--since=@%lld", (long long)(last_ms / 1000 - WARM_UP_S));
    char *argv[] = {j->command, "--output=json", "--no-pager", "SYSLOG_FACILITY=2", since, NULL};
    int rc = spawn(argv, &j->child, &j->fd);
    while (rc == 0 && !warm.met) {
        struct pollfd ready = {.fd = j->fd, .events = POLLIN};
        ssize_t n = poll(&ready, 1, WARM_UP_WAIT_MS) == 1 ? read(j->fd, j->chunk, CHUNK) : 0;
        if (n <= 0)
            break; // all there is, or it hangs: then some messages in the queue are not known
        mail_lines_feed(&j->lines, span_of(j->chunk, (size_t)n), on_warm, &warm);
    }
    if (rc == 0)
        stop(j);
    free(j);
    return rc < 0 ? rc : warm.met;
}

int64_t mail_journal_latest_ms(const struct mail_journal *j)
{
    return j->latest_ms;
}

const char *mail_journal_cursor(const struct mail_journal *j)
{
    return j->cursor;
}

uint64_t mail_journal_restarts(const struct mail_journal *j)
{
    return j->restarts;
}

bool mail_journal_running(const struct mail_journal *j)
{
    return j->fd >= 0;
}
