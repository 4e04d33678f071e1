// Each worker has a stream socket to the server. A request is a struct graph_request (both ends are
// the same program); an answer is a header of two 32-bit numbers and then that many octets. A worker
// that dies is reported for its request and started again at the next one.
#include "web/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rrdcached.h"

enum { QUEUE_MAX = 128, WORKERS_MAX = 16 };

struct answer_header {
    int32_t status;
    uint32_t octets;
};

struct worker {
    struct workers *pool;
    pid_t pid; // 0: not running
    int fd;
    bool busy;
    uint32_t id; // of the request at work
    struct buf in;
};

struct workers {
    struct loop *loop;
    char *rrd_dir, *scratch, *rrdcached;
    worker_fn fn;
    void *ctx;
    unsigned count;
    struct worker worker[WORKERS_MAX];
    struct graph_request queue[QUEUE_MAX];
    size_t queue_first, queued;
};

static bool write_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t len)
{
    uint8_t *at = data;
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

// The worker's whole life.
static void work(int fd, const char *rrd_dir, const char *scratch, const char *rrdcached)
{
    enum { CACHED_TIMEOUT_MS = 2000 };
    struct graph_request q;
    struct buf out;
    struct rrdcached *cached = NULL;
    if (rrdcached && rrdcached_open(rrdcached, CACHED_TIMEOUT_MS, &cached) != 0)
        cached = NULL;
    buf_init(&out, GRAPH_IMAGE_MAX);
    while (read_all(fd, &q, sizeof q)) {
        char error[160] = "";
        buf_clear(&out);
        if (cached)
            rrdcached_flush_series(cached, rrd_dir, q.kind, q.name);
        int status = graph_draw(&q, rrd_dir, scratch, &out, error);
        struct answer_header h = {.status = status,
                                  .octets = (uint32_t)(status == 0 ? out.len : strlen(error))};
        if (!write_all(fd, &h, sizeof h) ||
            !write_all(fd, status == 0 ? (const void *)out.data : error, h.octets))
            break;
    }
    rrdcached_close(cached);
    buf_fini(&out);
}

static void forget(struct worker *k)
{
    if (k->pid == 0)
        return;
    loop_watch(k->pool->loop, k->fd, 0, NULL, NULL);
    close(k->fd);
    waitpid(k->pid, NULL, 0);
    k->pid = 0;
    buf_clear(&k->in);
}

static void hand_out(struct workers *w);

static void finish(struct worker *k, int status, struct span image, const char *error)
{
    k->busy = false;
    k->pool->fn(k->id, status, image, error, k->pool->ctx);
}

static void on_answer(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    (void)l;
    (void)events;
    (void)now_ms;
    struct worker *k = ctx;
    uint8_t chunk[65536];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0)
        buf_bytes(&k->in, chunk, (size_t)n);
    if (n <= 0 || k->in.failed) {
        bool was_busy = k->busy;
        kill(k->pid, SIGKILL); // our own child; it is gone or beyond use
        forget(k);
        log_warning("a drawing process ended; another is started when needed");
        if (was_busy)
            finish(k, -EIO, (struct span){0}, "the drawing process ended");
        hand_out(k->pool);
        return;
    }
    struct answer_header h;
    if (k->in.len < sizeof h)
        return;
    memcpy(&h, k->in.data, sizeof h);
    if (k->in.len < sizeof h + h.octets)
        return;
    struct span body = span_of(k->in.data + sizeof h, h.octets);
    char error[160] = "";
    if (h.status != 0)
        memcpy(error, body.data, body.len < sizeof error - 1 ? body.len : sizeof error - 1);
    finish(k, h.status, h.status == 0 ? body : (struct span){0}, error);
    buf_clear(&k->in);
    hand_out(k->pool);
}

static int start(struct worker *k)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        int rc = -errno;
        close(pair[0]);
        close(pair[1]);
        return rc;
    }
    if (pid == 0) {
        // The server's sockets are not the worker's business; it ends with its parent.
        if (dup2(pair[1], 3) < 0 || close_range(4, ~0U, 0) != 0)
            _exit(1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        work(3, k->pool->rrd_dir, k->pool->scratch, k->pool->rrdcached);
        _exit(0);
    }
    close(pair[1]);
    k->pid = pid;
    k->fd = pair[0];
    return loop_watch(k->pool->loop, k->fd, LOOP_READ, on_answer, k);
}

static void hand_out(struct workers *w)
{
    for (unsigned i = 0; i < w->count && w->queued > 0; i++) {
        struct worker *k = &w->worker[i];
        if (k->busy)
            continue;
        const struct graph_request *q = &w->queue[w->queue_first];
        w->queue_first = (w->queue_first + 1) % QUEUE_MAX;
        w->queued--;
        k->id = q->id;
        k->busy = true;
        int rc = k->pid == 0 ? start(k) : 0;
        if (rc == 0 && !write_all(k->fd, q, sizeof *q))
            rc = -errno;
        if (rc != 0)
            finish(k, rc, (struct span){0}, "no drawing process could be started");
    }
}

int workers_open(struct loop *l, unsigned count, const char *rrd_dir, const char *scratch,
                 const char *rrdcached, worker_fn fn, void *ctx, struct workers **out)
{
    struct workers *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    *w = (struct workers){
        .loop = l, .fn = fn, .ctx = ctx, .count = count < WORKERS_MAX ? count : WORKERS_MAX};
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        w->worker[i].pool = w;
        buf_init(&w->worker[i].in, GRAPH_IMAGE_MAX + 65536);
    }
    w->rrd_dir = strdup(rrd_dir);
    w->scratch = strdup(scratch);
    w->rrdcached = rrdcached ? strdup(rrdcached) : NULL;
    if (!w->rrd_dir || !w->scratch || (rrdcached && !w->rrdcached)) {
        workers_close(w);
        return -ENOMEM;
    }
    *out = w;
    return 0;
}

int workers_draw(struct workers *w, const struct graph_request *q)
{
    if (w->queued == QUEUE_MAX)
        return -EBUSY;
    w->queue[(w->queue_first + w->queued++) % QUEUE_MAX] = *q;
    hand_out(w);
    return 0;
}

void workers_close(struct workers *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        if (w->worker[i].pid > 0)
            kill(w->worker[i].pid, SIGTERM); // our own child
        forget(&w->worker[i]);
        buf_fini(&w->worker[i].in);
    }
    free(w->rrd_dir);
    free(w->scratch);
    free(w->rrdcached);
    free(w);
}
