// Strangers: so many connections to a port, held for so many seconds, opened again when they are closed (200 a second at
// most). `idle` says nothing, `garbage` says noise. From one address of loopback, or from many (127.1.x.y).
//     transport_crowd PORT COUNT SECONDS idle|garbage one|many
// Prints how many were opened in all.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 1000
#define STEP_MS   50
#define PER_STEP  10

struct crowd {
    int fd[COUNT_MAX]; // -1: closed
    int count;
    uint16_t port;
    bool garbage, many;
    unsigned opened;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct sockaddr_in address(uint32_t host, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(host);
    return a;
}

static long number(const char *text, long most)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < 1 || n > most) {
        fprintf(stderr, "%s: no number from 1 to %ld\n", text, most);
        exit(64);
    }
    return n;
}

static void open_one(struct crowd *c, int i)
{
    char noise[300];
    struct sockaddr_in to = address(INADDR_LOOPBACK, c->port);
    struct sockaddr_in from = address(c->many ? 0x7f010000u + 256u * (c->opened / 200 % 200 + 1) +
                                                    c->opened % 200 + 1
                                              : INADDR_LOOPBACK,
                                      0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) < 0 ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (size_t n = 0; n < sizeof noise; n++)
        noise[n] = (char)(n * 37 + c->opened);
    if (c->garbage && send(fd, noise, sizeof noise, MSG_NOSIGNAL) < 0)
        perror("send");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    c->fd[i] = fd;
    c->opened++;
}

static void look(struct crowd *c, int i)
{
    char octet[64];
    ssize_t n = recv(c->fd[i], octet, sizeof octet, 0);
    struct pollfd p = {.fd = c->fd[i], .events = POLLIN};
    if (n > 0 || (n < 0 && poll(&p, 1, 0) == 0))
        return;
    close(c->fd[i]);
    c->fd[i] = -1;
}

int main(int argc, char **argv)
{
    static struct crowd c;
    struct rlimit files = {COUNT_MAX + 100, COUNT_MAX + 100};
    if (argc != 6)
        return 64;
    c.port = (uint16_t)number(argv[1], 65535);
    c.count = (int)number(argv[2], COUNT_MAX);
    c.garbage = strcmp(argv[4], "garbage") == 0;
    c.many = strcmp(argv[5], "many") == 0;
    setrlimit(RLIMIT_NOFILE, &files);
    int64_t until_ms = now_ms() + 1000 * number(argv[3], 60);
    for (int i = 0; i < c.count; i++) {
        c.fd[i] = -1;
        open_one(&c, i);
    }
    while (now_ms() < until_ms) {
        int again = 0;
        for (int i = 0; i < c.count; i++) {
            if (c.fd[i] >= 0)
                look(&c, i);
            if (c.fd[i] < 0 && again++ < PER_STEP)
                open_one(&c, i);
        }
        poll(NULL, 0, STEP_MS);
    }
    printf("%u\n", c.opened);
    return 0;
}
