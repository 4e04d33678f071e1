// Pages are guarded by a turn that is odd while somebody writes; a reader that meets a change tries again.
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/timefmt.h"

#define PAGE_TEXT_MAX 131072
#define START_MS      30000
#define HUNG_MS       30000
#define STOP_MS       10000
#define STEP_MS       20

struct page {
    _Atomic uint32_t turn;
    _Atomic int64_t written_ms;
    uint32_t len;
    char text[PAGE_TEXT_MAX];
};

struct board {
    size_t count;
    struct page page[];
};

struct board *board_new(size_t count)
{
    size_t size = sizeof(struct board) + count * sizeof(struct page);
    struct board *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        return NULL;
    b->count = count;
    return b;
}

void board_free(struct board *b)
{
    if (b)
        munmap(b, sizeof(struct board) + b->count * sizeof(struct page));
}

void board_write(struct board *b, size_t process, const char *text)
{
    struct page *p = &b->page[process];
    size_t len = strlen(text);
    if (len > sizeof p->text)
        len = 0;
    atomic_fetch_add(&p->turn, 1);
    memcpy(p->text, text, len);
    p->len = (uint32_t)len;
    atomic_fetch_add(&p->turn, 1);
    atomic_store(&p->written_ms, loop_monotonic_ms());
}

int64_t board_age_ms(const struct board *b, size_t process)
{
    int64_t written_ms = atomic_load(&b->page[process].written_ms);
    return written_ms == 0 ? -1 : loop_monotonic_ms() - written_ms;
}

json_t *board_read(const struct board *b, size_t process)
{
    const struct page *p = &b->page[process];
    char *copy = malloc(sizeof p->text);
    json_t *out = NULL;
    for (int tries = 0; copy && !out && tries < 100; tries++) {
        uint32_t turn = atomic_load(&p->turn), len = p->len;
        if (turn % 2 == 1 || len > sizeof p->text)
            continue;
        memcpy(copy, p->text, len);
        if (atomic_load(&p->turn) == turn)
            out = json_loadb(copy, len, 0, NULL);
    }
    free(copy);
    return out;
}

// ---- Processes.

// Signals do not leave a sandbox, so the first speaks to each over a line: an octet means that the
// configuration is to be read again, its end that the process ends.
struct workers {
    struct board *board;
    struct loop *loop;
    size_t count;
    bool stopping;
    struct worker {
        pid_t pid;
        int line;
    } worker[];
};

static int own_line = -1; // of a process that was forked

static void close_lines(struct workers *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->worker[i].line >= 0)
            close(w->worker[i].line);
        w->worker[i].line = -1;
    }
}

// The process's number in the new one, -1 in the first; below that a negative errno less 1.
static int fork_one(struct workers *w)
{
    int line[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, line) != 0)
        return -errno - 1;
    pid_t pid = fork();
    if (pid == 0) {
        int number = (int)w->count;
        close(line[0]);
        close_lines(w);
        free(w);
        own_line = line[1];
        // The service manager speaks with the first alone.
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        return number;
    }
    int error = errno;
    close(line[1]);
    if (pid < 0) {
        close(line[0]);
        return -error - 1;
    }
    w->worker[w->count++] = (struct worker){pid, line[0]};
    return -1;
}

int workers_fork(struct board *board, size_t count, struct workers **out)
{
    struct workers *w = calloc(1, sizeof *w + count * sizeof w->worker[0]);
    if (!w)
        return -ENOMEM - 1;
    w->board = board;
    while (w->count < count) {
        int rc = fork_one(w);
        if (rc == -1)
            continue;
        if (rc < -1)
            workers_stop(w);
        return rc;
    }
    *out = w;
    return -1;
}

static void on_line(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    char octet;
    (void)events;
    (void)now_ms;
    (void)ctx;
    ssize_t n = read(fd, &octet, 1);
    if (n == 1) {
        kill(getpid(), SIGHUP);
        return;
    }
    if (n < 0 && errno == EAGAIN)
        return;
    log_info("the first process ends, so this one does");
    loop_watch(l, fd, 0, NULL, NULL);
    loop_stop(l, 0);
}

int workers_follow(struct loop *l)
{
    return loop_watch(l, own_line, LOOP_READ, on_line, NULL);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
}

// Has one ended? Says so once.
static bool one_ended(struct workers *w)
{
    int status;
    for (size_t i = 0; i < w->count; i++) {
        if (w->worker[i].pid <= 0 ||
            waitpid(w->worker[i].pid, &status, WNOHANG) != w->worker[i].pid)
            continue;
        w->worker[i].pid = 0;
        if (WIFSIGNALED(status))
            log_error("process %zu was ended by signal %d", i, WTERMSIG(status));
        else if (WEXITSTATUS(status) != 0)
            log_error("process %zu ended with status %d", i, WEXITSTATUS(status));
        else
            log_error("process %zu ended", i);
        return true;
    }
    return false;
}

static void on_child(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    (void)signo;
    (void)now_ms;
    struct workers *w = ctx;
    if (w->stopping || !one_ended(w))
        return;
    log_error("the others end too, so that all are started anew");
    loop_stop(l, EX_SOFTWARE);
}

static void look(struct loop *l, int64_t now_ms, void *ctx)
{
    struct workers *w = ctx;
    on_child(l, SIGCHLD, now_ms, ctx);
    for (size_t i = 0; i < w->count; i++) {
        if (w->worker[i].pid > 0 && board_age_ms(w->board, i) > HUNG_MS) {
            log_error("process %zu has said nothing for %d s; all end, to be started anew", i,
                      HUNG_MS / 1000);
            loop_stop(l, EX_SOFTWARE);
        }
    }
}

int workers_start(struct workers *w, struct daemon *d)
{
    w->loop = d->loop;
    for (int waited = 0; waited < START_MS; waited += STEP_MS) {
        size_t there = 0;
        for (size_t i = 0; i < w->count; i++)
            there += board_age_ms(w->board, i) >= 0;
        if (one_ended(w))
            break;
        if (there == w->count)
            return loop_signal(d->loop, SIGCHLD, on_child, w) == 0 &&
                           loop_every(d->loop, 1000, look, w) > 0
                       ? 0
                       : EX_OSERR;
        nap();
    }
    log_error("not every process of sensor.processes has started; see what it said");
    return EX_UNAVAILABLE;
}

void workers_reload(const struct workers *w)
{
    for (size_t i = 0; i < w->count; i++)
        (void)send(w->worker[i].line, "r", 1, MSG_NOSIGNAL);
}

void workers_end(struct workers *w)
{
    w->stopping = true;
    close_lines(w);
    size_t left = w->count;
    for (int waited = 0; left > 0 && waited < STOP_MS; waited += STEP_MS) {
        left = 0;
        for (size_t i = 0; i < w->count; i++) {
            if (w->worker[i].pid > 0 &&
                waitpid(w->worker[i].pid, NULL, WNOHANG) == w->worker[i].pid)
                w->worker[i].pid = 0;
            left += w->worker[i].pid > 0;
        }
        if (left > 0)
            nap();
    }
}

void workers_stop(struct workers *w)
{
    if (w)
        workers_end(w);
    free(w);
}

// ---- One document of all.

static void add_numbers(json_t *to, const json_t *from)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)from, key, value) {
        json_int_t sum = json_integer_value(json_object_get(to, key)) + json_integer_value(value);
        json_object_set_new(to, key, json_integer(sum));
    }
}

static bool has_problem(const json_t *list, const json_t *problem)
{
    size_t i;
    json_t *p;
    json_array_foreach ((json_t *)list, i, p)
        if (json_equal(json_object_get(p, "code"), json_object_get(problem, "code")))
            return true;
    return false;
}

static int state_of(const json_t *document)
{
    const char *state = json_string_value(json_object_get(document, "state"));
    return !state || strcmp(state, "ok") == 0 ? 0 : strcmp(state, "degraded") == 0 ? 1 : 2;
}

struct sum {
    json_t *counters, *skipped, *problems;
    int state;
};

static void add_document(struct sum *sum, const json_t *from)
{
    size_t i;
    json_t *p;
    add_numbers(sum->counters, json_object_get(from, "counters"));
    add_numbers(sum->skipped, json_object_get(from, "skipped"));
    json_array_foreach (json_object_get(from, "problems"), i, p)
        if (!has_problem(sum->problems, p))
            json_array_append(sum->problems, p);
    if (state_of(from) > sum->state)
        sum->state = state_of(from);
}

static void say_process(const json_t *document, size_t process, struct control_status *out)
{
    char name[32], text[400];
    const json_t *counters = json_object_get(document, "counters");
    const char *state = json_string_value(json_object_get(document, "state"));
    size_t i;
    json_t *input;
    snprintf(name, sizeof name, "process %zu", process);
    int n = snprintf(text, sizeof text,
                     "%lld packets, %lld dropped by the ring, %lld frames above the MTU, %lld "
                     "records",
                     (long long)json_integer_value(json_object_get(counters, "packets")),
                     (long long)json_integer_value(json_object_get(counters, "ring_drops")),
                     (long long)json_integer_value(json_object_get(counters, "oversized")),
                     (long long)json_integer_value(json_object_get(counters, "records")));
    // Each has a socket of its own on each interface, and sees by itself what becomes of it.
    json_array_foreach (json_object_get(document, "inputs"), i, input) {
        if (n < (int)sizeof text)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%s %s", i == 0 ? "; " : ", ",
                          json_string_value(json_object_get(input, "name")),
                          json_string_value(json_object_get(input, "state")));
    }
    control_status_input(out, name, state ? state : "unknown", text);
}

static void say(const struct sum *sum, struct control_status *out)
{
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach (sum->counters, key, value) {
        control_status_counter(out, key, (uint64_t)json_integer_value(value));
    }
    json_object_foreach (sum->skipped, key, value) {
        control_status_skipped(out, key, (uint64_t)json_integer_value(value));
    }
    json_array_foreach (sum->problems, i, value) {
        control_status_problem(out, sum->state, json_string_value(json_object_get(value, "code")),
                               json_string_value(json_object_get(value, "text")),
                               json_string_value(json_object_get(value, "fix")));
    }
}

// Interfaces are the same for all: those of the first that has written.
static void say_interfaces(const json_t *document, struct control_status *out)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(document, "inputs"), i, p) {
        control_status_input(out, json_string_value(json_object_get(p, "name")),
                             json_string_value(json_object_get(p, "state")),
                             json_string_value(json_object_get(p, "text")));
    }
}

void workers_status(const struct workers *w, struct control_status *out)
{
    struct sum sum = {json_object(), json_object(), json_array(), 0};
    int64_t t_ms, earliest_ms = INT64_MAX;
    for (size_t i = 0; i < w->count; i++) {
        json_t *one = board_read(w->board, i);
        const char *t = json_string_value(json_object_get(one, "time"));
        if (!one)
            continue;
        if (earliest_ms == INT64_MAX)
            say_interfaces(one, out);
        if (t && time_parse(t, &t_ms) == 0 && t_ms < earliest_ms)
            earliest_ms = t_ms;
        say_process(one, i, out);
        add_document(&sum, one);
        json_decref(one);
    }
    if (earliest_ms != INT64_MAX)
        control_status_time(out, earliest_ms);
    say(&sum, out);
    json_decref(sum.counters);
    json_decref(sum.skipped);
    json_decref(sum.problems);
}
