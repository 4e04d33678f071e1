// The server of control_socket.h. What can go wrong on a listening socket is a client's doing or the
// machine's: the first is closed or evicted, the second waited for; the program never notices.
//
// Two programs starting at once look for a dead socket, remove it and make their own under a lock of
// the folder, so that none removes what the other has just made.
#include "common/control_socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/control_line.h"
#include "common/log.h"

enum {
    LINES_A_TURN = 4, // answered before the loop has its turn again
    PAUSE_MS = 1000,  // without descriptors, before the next client is taken
    LOCK_TRIES = 100, // of LOCK_WAIT_NS each
    LOCK_WAIT_NS = 10000000,
    READ_OCTETS = 16384,
};

struct client {
    int fd;         // -1: free
    bool at_end;    // it will send no more
    uint64_t order; // of coming
    struct ucred who;
    struct control_line line;
    struct control_server *server;
};

struct control_server {
    struct loop *loop;
    control_fn fn;
    void *ctx;
    int fd;
    int sweep, pause; // timers, 0: none
    uint64_t came;    // clients so far
    struct sockaddr_un at;
    dev_t made_dev;
    ino_t made_ino;
    struct client client[CONTROL_CLIENTS_MAX];
};

int control_socket_path(const char *run_directory, const char *program, char *out, size_t size)
{
    const struct sockaddr_un *longest = NULL;
    int n = snprintf(out, size, "%s/%s.sock", run_directory, program);
    return n < 0 || (size_t)n >= size || (size_t)n >= sizeof longest->sun_path ? -ENAMETOOLONG : 0;
}

// ---- Clients.

static void client_close(struct client *c)
{
    loop_watch(c->server->loop, c->fd, 0, NULL, NULL);
    close(c->fd);
    control_line_fini(&c->line);
    c->fd = -1;
}

// Commands that only look are not worth a line in the log.
static bool changes_something(const char *command)
{
#define CHANGES(name, who, does)                                               \
    if (strcmp(command, #name) == 0)                                           \
        return strcmp(#name, "status") != 0 && strcmp(#name, "lookup") != 0 && \
               strcmp(#name, "why") != 0;
    CONTROL_COMMANDS(CHANGES)
#undef CHANGES
    return false;
}

static json_t *answer(void *ctx, const char *command, const json_t *request, int64_t now_ms,
                      struct control_error *error)
{
    struct client *c = ctx;
    if (changes_something(command))
        log_info("control: %s, asked by uid %ld, pid %ld", command, (long)c->who.uid,
                 (long)c->who.pid);
    return c->server->fn(c->server->ctx, command, request, now_ms, error);
}

// False: the client is gone.
static bool client_send(struct client *c, int64_t now_ms)
{
    struct span left = control_line_pending(&c->line);
    while (left.len > 0) {
        ssize_t n = send(c->fd, left.data, left.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        control_line_sent(&c->line, (size_t)n, now_ms);
        left = control_line_pending(&c->line);
    }
    return true;
}

static bool client_receive(struct client *c, int64_t now_ms)
{
    uint8_t data[READ_OCTETS];
    size_t room = control_line_room(&c->line);
    ssize_t n = recv(c->fd, data, room < sizeof data ? room : sizeof data, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        c->at_end = true;
    else
        control_line_feed(&c->line, span_of(data, (size_t)n), now_ms);
    return true;
}

static void on_client(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct client *c = ctx;
    bool alive = true;
    // While an answer is not taken nothing more is read: that is the client's memory, not ours.
    if (events & LOOP_READ && !c->at_end && !control_line_waits(&c->line))
        alive = client_receive(c, now_ms);
    alive = alive && client_send(c, now_ms);
    for (int i = 0; alive && i < LINES_A_TURN; i++) {
        if (!control_line_answer(&c->line, answer, c, now_ms))
            break;
        alive = client_send(c, now_ms);
    }
    bool busy = control_line_pending(&c->line).len > 0 || control_line_waits(&c->line);
    if (!alive || control_line_broken(&c->line) || (c->at_end && !busy) ||
        loop_watch(l, fd, busy ? LOOP_WRITE : LOOP_READ, on_client, c) != 0)
        client_close(c);
}

static bool silent_longer(const struct client *a, const struct client *b)
{
    return a->line.last_ms != b->line.last_ms ? a->line.last_ms < b->line.last_ms
                                              : a->order < b->order;
}

// A free place; with none, that of the client which has been silent longest.
static struct client *place_for_one(struct control_server *s)
{
    struct client *oldest = &s->client[0];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *c = &s->client[i];
        if (c->fd < 0)
            return c;
        if (silent_longer(c, oldest))
            oldest = c;
    }
    client_close(oldest);
    return oldest;
}

static void on_accept(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx);

static void end_pause(struct loop *l, int64_t now_ms, void *ctx)
{
    struct control_server *s = ctx;
    (void)now_ms;
    s->pause = 0;
    loop_watch(l, s->fd, LOOP_READ, on_accept, s);
}

static void on_accept(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct control_server *s = ctx;
    (void)events;
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
        // Out of descriptors the socket stays readable: asked again at once, it would spin.
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            loop_watch(l, fd, 0, NULL, NULL);
            s->pause = loop_after(l, PAUSE_MS, end_pause, s);
        }
        return;
    }
    struct client *c = place_for_one(s);
    *c = (struct client){.fd = client, .server = s, .order = s->came++, .who = {.uid = (uid_t)-1}};
    control_line_init(&c->line, now_ms);
    socklen_t size = sizeof c->who;
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &c->who, &size) != 0 ||
        loop_watch(l, client, LOOP_READ, on_client, c) != 0)
        client_close(c);
}

static void sweep(struct loop *l, int64_t now_ms, void *ctx)
{
    struct control_server *s = ctx;
    (void)l;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *c = &s->client[i];
        if (c->fd >= 0 && control_line_idle(&c->line, now_ms))
            client_close(c);
    }
}

// ---- The socket.

static int lock_folder_of(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    int fd = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (i == LOCK_TRIES || errno != EWOULDBLOCK) {
            int rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
            close(fd);
            return rc;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_NS}, NULL);
    }
    return fd;
}

// 0: nothing is there any more. -EADDRINUSE: a program answers; -EEXIST: it is no socket.
static int remove_dead(const struct sockaddr_un *at)
{
    struct stat st;
    if (lstat(at->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 ? 0 : -errno;
    close(fd);
    if (rc == 0 || rc == -EAGAIN) // its queue is full
        return -EADDRINUSE;
    if (rc != -ECONNREFUSED)
        return rc;
    return unlink(at->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int listen_at(struct control_server *s)
{
    struct stat st;
    int rc = remove_dead(&s->at);
    if (rc != 0)
        return rc;
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return -errno;
    mode_t before = umask(0177);
    rc = bind(s->fd, (const struct sockaddr *)&s->at, sizeof s->at) == 0 ? 0 : -errno;
    umask(before);
    if (rc != 0)
        return rc;
    if (lstat(s->at.sun_path, &st) != 0)
        return -errno;
    s->made_dev = st.st_dev;
    s->made_ino = st.st_ino;
    return listen(s->fd, CONTROL_CLIENTS_MAX) == 0 ? 0 : -errno;
}

int control_server_open(struct loop *l, const char *path, control_fn fn, void *ctx,
                        struct control_server **out)
{
    assert(l && fn);
    struct control_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->loop = l;
    s->fn = fn;
    s->ctx = ctx;
    s->fd = -1;
    s->at.sun_family = AF_UNIX;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        s->client[i].fd = -1;
    int lock = -ENAMETOOLONG;
    if (strlen(path) < sizeof s->at.sun_path) {
        snprintf(s->at.sun_path, sizeof s->at.sun_path, "%s", path);
        lock = lock_folder_of(path);
    }
    int rc = lock < 0 ? lock : listen_at(s);
    if (lock >= 0)
        close(lock);
    if (rc == 0)
        rc = loop_watch(l, s->fd, LOOP_READ, on_accept, s);
    if (rc == 0) {
        s->sweep = loop_every(l, CONTROL_IDLE_MS / 6, sweep, s);
        rc = s->sweep < 0 ? s->sweep : 0;
    }
    if (rc == 0)
        *out = s;
    else
        control_server_close(s);
    return rc;
}

void control_server_close(struct control_server *s)
{
    struct stat st;
    if (!s)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (s->client[i].fd >= 0)
            client_close(&s->client[i]);
    if (s->sweep > 0)
        loop_cancel(s->loop, s->sweep);
    if (s->pause > 0)
        loop_cancel(s->loop, s->pause);
    if (s->fd >= 0) {
        loop_watch(s->loop, s->fd, 0, NULL, NULL);
        // Not what another has put there since.
        if (s->made_ino != 0 && lstat(s->at.sun_path, &st) == 0 && st.st_ino == s->made_ino &&
            st.st_dev == s->made_dev)
            unlink(s->at.sun_path);
        close(s->fd);
    }
    free(s);
}
