// The order of several captures. Looking into them is parsing outside bytes, so a child does it that
// has given up the network first; what comes back is a time a file.
#include "command/capture_order.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command/capture_peek.h"
#include "command/sandbox.h"

struct dated {
    char *path;
    size_t place; // as given
    int64_t t_ms; // INT64_MAX: not known
};

static int by_time(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static void tell_times(const struct dated *item, size_t count, int to)
{
    if (sandbox_enter() != 0)
        _exit(1);
    for (size_t i = 0; i < count; i++) {
        int64_t t_ms = INT64_MAX;
        struct stat st;
        // What can be read only once is left for the sensor.
        bool again = stat(item[i].path, &st) == 0 && S_ISREG(st.st_mode);
        if (!again || capture_peek_file(item[i].path, &t_ms) != CAPTURE_PEEK_FOUND)
            t_ms = INT64_MAX;
        if (write(to, &t_ms, sizeof t_ms) != sizeof t_ms)
            _exit(1);
    }
    _exit(0);
}

static int ask_times(struct dated *item, size_t count)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        tell_times(item, count, pipes[1]);
    close(pipes[1]);
    int rc = pid < 0 ? -errno : 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        // Writes below PIPE_BUF arrive whole. A child that gave up leaves the rest undated.
        if (read(pipes[0], &item[i].t_ms, sizeof item[i].t_ms) != sizeof item[i].t_ms)
            break;
    }
    close(pipes[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}

int capture_order(char **paths, size_t count)
{
    if (count < 2)
        return 0;
    struct dated *item = calloc(count, sizeof *item);
    if (!item)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        item[i] = (struct dated){.path = paths[i], .place = i, .t_ms = INT64_MAX};
    int rc = ask_times(item, count);
    if (rc == 0) {
        qsort(item, count, sizeof *item, by_time);
        for (size_t i = 0; i < count; i++)
            paths[i] = item[i].path;
    }
    free(item);
    return rc;
}
