// A light client for measuring postern-web: a process a connection, kept alive, one request at a time, so
// that what is measured is the server and not the client.
//
//   bench_get PORT CONNECTIONS SECONDS RATE < PATHS
//
// Each path is asked for once, in turn, all over again from the first when they end. RATE requests a
// second of all connections together; 0: as fast as they are answered. Prints one line of JSON.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, TIMES_MAX = 100000, HEAD_MAX = 8192, BODY_PIECE = 65536 };

// Shared with the children.
struct result {
    size_t answered, refused;
    float ms[TIMES_MAX];
};

struct task {
    uint16_t port;
    unsigned connections;
    double seconds, rate;
    char **path;
    size_t paths;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(uint16_t port)
{
    struct sockaddr_storage place;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(&place, 0, sizeof place);
    memcpy(&place, &in, sizeof in);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&place, sizeof in) != 0) {
        perror("bench_get: connect");
        exit(69);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

// The status of the answer; its body is read and forgotten. -1: the connection ended.
static int ask(int fd, const char *path)
{
    char text[HEAD_MAX + 1], piece[BODY_PIECE], *end = NULL;
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    if (n >= (int)sizeof text || write(fd, text, (size_t)n) != n)
        return -1;
    size_t have = 0;
    while (!end && have < HEAD_MAX) {
        ssize_t got = read(fd, text + have, HEAD_MAX - have);
        if (got <= 0)
            return -1;
        have += (size_t)got;
        text[have] = '\0';
        end = strstr(text, "\r\n\r\n");
    }
    const char *length = end ? strcasestr(text, "content-length:") : NULL;
    if (!length || length > end)
        return -1;
    size_t left = strtoul(length + 15, NULL, 10) - (have - (size_t)(end + 4 - text));
    while (left > 0) {
        ssize_t got = read(fd, piece, left < sizeof piece ? left : sizeof piece);
        if (got <= 0)
            return -1;
        left -= (size_t)got;
    }
    return (int)strtol(text + 9, NULL, 10);
}

static void work(const struct task *t, unsigned number, double begun, struct result *out)
{
    int fd = dial(t->port);
    double interval = t->rate > 0 ? t->connections / t->rate : 0;
    double due = begun + interval * number / t->connections;
    for (size_t i = number; out->answered < TIMES_MAX; i += t->connections, due += interval) {
        double wait = due - now_s();
        if (interval > 0 && wait > 0)
            usleep((useconds_t)(wait * 1e6));
        double asked = interval > 0 ? due : now_s(); // who waits behind a slow answer waited too
        if (now_s() - begun >= t->seconds)
            break;
        int status = ask(fd, t->path[i % t->paths]);
        out->ms[out->answered++] = (float)((now_s() - asked) * 1e3);
        out->refused += status != 200;
        if (status < 0) {
            close(fd);
            fd = dial(t->port);
        }
    }
    close(fd);
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void report(struct result *r, unsigned connections, double seconds)
{
    size_t n = 0, refused = 0;
    for (unsigned c = 0; c < connections; c++)
        n += r[c].answered;
    float *ms = malloc((n ? n : 1) * sizeof *ms);
    if (!ms)
        exit(71);
    n = 0;
    for (unsigned c = 0; c < connections; c++) {
        memcpy(ms + n, r[c].ms, r[c].answered * sizeof *ms);
        n += r[c].answered;
        refused += r[c].refused;
    }
    qsort(ms, n, sizeof *ms, ascending);
    printf("{\"answered\":%zu,\"a_second\":%.1f,\"not_200\":%zu,\"ms_50\":%.1f,\"ms_99\":%.1f,"
           "\"ms_most\":%.1f}\n",
           n, (double)n / seconds, refused, n ? (double)ms[n / 2] : 0,
           n ? (double)ms[n * 99 / 100] : 0, n ? (double)ms[n - 1] : 0);
    free(ms);
}

static bool read_paths(struct task *t)
{
    char *line = NULL;
    size_t size = 0;
    for (ssize_t n; (n = getline(&line, &size, stdin)) > 0;) {
        line[strcspn(line, "\n")] = '\0';
        char **more = reallocarray(t->path, t->paths + 1, sizeof *more);
        if (!more || !(more[t->paths] = strdup(line)))
            return false;
        t->path = more;
        t->paths++;
    }
    free(line);
    return t->paths > 0;
}

int main(int argc, char **argv)
{
    struct task t = {0};
    if (argc == 5) {
        t.port = (uint16_t)strtoul(argv[1], NULL, 10);
        t.connections = (unsigned)strtoul(argv[2], NULL, 10);
        t.seconds = strtod(argv[3], NULL);
        t.rate = strtod(argv[4], NULL);
    }
    if (t.connections == 0 || t.connections > CONNECTIONS_MAX || !read_paths(&t)) {
        fprintf(stderr, "usage: bench_get PORT CONNECTIONS SECONDS RATE < PATHS\n");
        return 64;
    }
    struct result *r = mmap(NULL, t.connections * sizeof *r, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED)
        return 71;
    double begun = now_s();
    for (unsigned c = 0; c < t.connections; c++)
        if (fork() == 0) {
            work(&t, c, begun, &r[c]);
            _exit(0);
        }
    while (wait(NULL) > 0) {}
    report(r, t.connections, now_s() - begun);
    return 0;
}
