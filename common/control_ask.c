// The asking side of control_socket.h: one question, one answer, within one time limit for all of it.
#include "common/control_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"

struct asking {
    int fd, timer;
};

// Waits until `fd` is ready for `events`, or -ETIMEDOUT.
static int await(const struct asking *a, int fd, short events)
{
    for (;;) {
        struct pollfd p[2] = {{.fd = a->timer, .events = POLLIN}, {.fd = fd, .events = events}};
        int n = poll(p, 2, -1);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            return p[0].revents ? -ETIMEDOUT : 0;
    }
}

static int connect_to(struct asking *a, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path)
        return -ENAMETOOLONG;
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        return -errno;
    while (connect(a->fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) // the queue is full: there is no event for its having room
            return -errno;
        struct pollfd p = {.fd = a->timer, .events = POLLIN};
        if (poll(&p, 1, 20) == 1)
            return -ETIMEDOUT;
    }
    return 0;
}

static int send_all(const struct asking *a, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(a->fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (n < 0) {
            int rc = await(a, a->fd, POLLOUT);
            if (rc != 0)
                return rc;
            continue;
        }
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

// Up to the newline, which is not taken. -EPIPE: the other side ended before it; -EMSGSIZE.
static int receive_line(const struct asking *a, struct buf *in)
{
    char data[4096];
    for (;;) {
        int rc = await(a, a->fd, POLLIN);
        if (rc != 0)
            return rc;
        ssize_t n = recv(a->fd, data, sizeof data, 0);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        const char *end = memchr(data, '\n', (size_t)n);
        buf_bytes(in, data, end ? (size_t)(end - data) : (size_t)n);
        if (in->failed)
            return -EMSGSIZE;
        if (end)
            return 0;
    }
}

static int exchange(const char *path, const char *line, int timeout_ms, struct buf *in)
{
    struct asking a = {.fd = -1};
    struct itimerspec limit = {
        .it_value = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L + 1}};
    a.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int rc = a.timer >= 0 && timerfd_settime(a.timer, 0, &limit, NULL) == 0 ? 0 : -errno;
    if (rc == 0)
        rc = connect_to(&a, path);
    if (rc == 0)
        rc = send_all(&a, line, strlen(line));
    // Who refuses a question may have answered and closed before all of it was sent.
    if (rc == 0 || rc == -EPIPE)
        rc = receive_line(&a, in);
    if (a.fd >= 0)
        close(a.fd);
    if (a.timer >= 0)
        close(a.timer);
    return rc;
}

// "/run/postern/postern-sensor@edge.sock" is of "postern-sensor@edge", its unit's name too. False: no socket of ours.
static bool name_unit(const char *path, char out[static 64])
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    size_t len = strlen(base), end = strlen(".sock");
    if (strncmp(base, "postern-", 8) != 0 || len <= end || strcmp(base + len - end, ".sock") != 0)
        return false;
    snprintf(out, 64, "%.*s", (int)(len - end < 63 ? len - end : 63), base);
    return true;
}

// Which program to start is the first thing to know.
static bool explain_absent(const char *path, int rc, char error[static 400])
{
    char unit[64];
    if ((rc != -ENOENT && rc != -ECONNREFUSED) || !name_unit(path, unit))
        return false;
    if (rc == -ENOENT)
        snprintf(error, 400,
                 "%.160s: there is no such socket: %s does not run (systemctl start %s), or with "
                 "another site.run_directory",
                 path, unit, unit);
    else
        snprintf(
            error, 400,
            "%.160s: nobody answers any more: %s has died; start it again (systemctl start %s)",
            path, unit, unit);
    return true;
}

static int explain(const char *path, int rc, char error[static 400])
{
    static const struct {
        int code;
        const char *text;
    } known[] = {
        {-ENOENT, "there is no such socket: the program does not run, or with another "
                  "site.run_directory"},
        {-ECONNREFUSED, "nobody answers any more: the program has died; start it again"},
        {-EACCES, "permission denied: ask as root or as the program's user"},
        {-ETIMEDOUT, "no answer in time: the program is busy or hangs; its log says more"},
        {-EPIPE, "the program closed the connection; ask again"},
        {-ECONNRESET, "the program closed the connection; ask again"},
        {-ENAMETOOLONG, "too long for a Unix socket; use a shorter site.run_directory"},
        {-EMSGSIZE, "the answer is longer than a line may be: another version answers"},
    };
    const char *text = strerror(-rc);
    if (explain_absent(path, rc, error))
        return rc;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].code == rc)
            text = known[i].text;
    snprintf(error, 400, "%.160s: %s", path, text);
    return rc;
}

static int not_an_answer(const char *path, char error[static 400])
{
    snprintf(error, 400, "%.160s: what came is no answer: another version or program is there",
             path);
    return -EPROTO;
}

static int read_answer(const char *path, const struct buf *in, json_t **result,
                       char error[static 400])
{
    json_error_t why;
    json_t *j = json_loadb((const char *)in->data, in->len, JSON_REJECT_DUPLICATES, &why);
    const json_t *ok = json_object_get(j, "ok"), *e = json_object_get(j, "error");
    const char *text = json_string_value(json_object_get(e, "text"));
    const char *fix = json_string_value(json_object_get(e, "fix"));
    int rc = -EPROTO;
    if (json_integer_value(json_object_get(j, "v")) != CONTROL_VERSION || !json_is_boolean(ok)) {
        rc = not_an_answer(path, error);
    } else if (json_is_true(ok)) {
        *result = json_incref(json_object_get(j, "result"));
        rc = *result ? 0 : not_an_answer(path, error);
    } else if (!text) {
        rc = not_an_answer(path, error);
    } else {
        snprintf(error, 400, "%.200s%s%.160s", text, control_joint(text, fix), fix ? fix : "");
    }
    json_decref(j);
    return rc;
}

int control_ask(const char *path, json_t *request, int timeout_ms, json_t **result,
                char error[static 400])
{
    struct buf in;
    if (json_object_set_new(request, "v", json_integer(CONTROL_VERSION)) != 0)
        return explain(path, -ENOMEM, error);
    char *text = json_canonical(request), *line = NULL;
    if (!text || asprintf(&line, "%s\n", text) < 0) {
        free(text);
        return explain(path, -ENOMEM, error);
    }
    free(text);
    buf_init(&in, CONTROL_LINE_MAX);
    int rc = exchange(path, line, timeout_ms, &in);
    free(line);
    rc = rc == 0 ? read_answer(path, &in, result, error) : explain(path, rc, error);
    buf_fini(&in);
    return rc;
}
