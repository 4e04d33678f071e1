// A bad link between a sensor and a collector: a proxy on loopback that cuts, stalls, swallows and half-closes the connections
// through it, anywhere in a frame, then lets them be.
//
//   link --listen PORT --to PORT --seed N --faults N     so many connections end badly, each in its own way
//   link --listen PORT --to PORT --seed N --swallow      the first says nothing any more and stays open
//
// Prints each fault, and the sum when it is ended by SIGTERM. One connection at a time is looked after; others wait.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK   700 // less than a record of TLS: faults hit within one
#define LEFT    32  // half-open connections that are kept
#define HASTE_N 4   // of so many connections one ends in its handshake

enum fault {
    FAULT_RESET,          // both sides get a reset
    FAULT_END,            // both sides get an end
    FAULT_STALL_RESET,    // nothing moves for a while, then a reset
    FAULT_STALL,          // nothing moves for a while, then all goes on
    FAULT_SWALLOW_ACKS,   // what the collector says is lost, then a reset
    FAULT_SWALLOW_SENT,   // what the sensor says is lost, then a reset
    FAULT_HALF_COLLECTOR, // the sensor gets a reset, the collector hears nothing of it
    FAULT_HALF_SENSOR,    // the collector gets a reset, the sensor hears an end
    FAULT_CLOSE_UP,       // no more from the sensor, acknowledgements still come
    FAULTS,
};

static const char *const names[FAULTS] = {"reset",
                                          "end",
                                          "stall and reset",
                                          "stall",
                                          "acknowledgements swallowed",
                                          "octets swallowed",
                                          "half at the collector",
                                          "half at the sensor",
                                          "closed upwards"};

static uint64_t seed;
static volatile sig_atomic_t ended;
static int left[LEFT];
static unsigned left_count;
static uint64_t octets[2];

static void on_end(int signo)
{
    (void)signo;
    ended = 1;
}

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct sockaddr_in loopback(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void reset(int fd)
{
    struct linger l = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(fd);
}

// Open, and nobody there any more.
static void leave(int fd)
{
    if (left_count < LEFT)
        left[left_count++] = fd;
    else
        close(fd);
}

// At most a chunk from one side to the other; `drop`: to nowhere. False: the side ended.
static bool move(int from, int to, unsigned direction, bool drop)
{
    uint8_t octet[CHUNK];
    ssize_t n = recv(from, octet, 1 + draw(sizeof octet), 0);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    octets[direction] += (uint64_t)n;
    for (ssize_t at = 0; at < n && !drop;) {
        ssize_t sent = send(to, octet + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
    }
    return true;
}

// Carries both ways until `until_ms`. False: a side ended by itself.
static bool carry(int sensor, int collector, int64_t until_ms, bool drop_up, bool drop_down)
{
    while (!ended && now_ms() < until_ms) {
        struct pollfd p[2] = {{.fd = sensor, .events = POLLIN},
                              {.fd = collector, .events = POLLIN}};
        int64_t wait = until_ms - now_ms();
        if (poll(p, 2, wait < 0 ? 0 : wait > 200 ? 200 : (int)wait) <= 0)
            continue;
        if ((p[0].revents && !move(sensor, collector, 0, drop_up)) ||
            (p[1].revents && !move(collector, sensor, 1, drop_down)))
            return false;
    }
    return true;
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

// True: the connection goes on.
static bool strike(enum fault fault, int sensor, int collector)
{
    int64_t while_ms = 100 + (int64_t)draw(400);
    switch (fault) {
    case FAULT_STALL: pause_ms(while_ms); return true;
    case FAULT_STALL_RESET: pause_ms(while_ms); break;
    case FAULT_SWALLOW_ACKS: carry(sensor, collector, now_ms() + while_ms, false, true); break;
    case FAULT_SWALLOW_SENT: carry(sensor, collector, now_ms() + while_ms, true, false); break;
    case FAULT_HALF_COLLECTOR:
        reset(sensor);
        leave(collector);
        return false;
    case FAULT_HALF_SENSOR:
        reset(collector);
        shutdown(sensor, SHUT_WR);
        leave(sensor);
        return false;
    case FAULT_CLOSE_UP:
        shutdown(collector, SHUT_WR);
        carry(sensor, collector, now_ms() + while_ms, true, false);
        break;
    case FAULT_END:
        close(sensor);
        close(collector);
        return false;
    default: break;
    }
    reset(sensor);
    reset(collector);
    return false;
}

static int connect_to(const char *port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int listen_at(const char *port)
{
    struct sockaddr_in a = loopback(port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0)
        return -1;
    return fd;
}

// One connection: good for a while, then a fault while there are faults left. A stall is one too, and the connection lives.
static void serve(int sensor, int collector, long *faults, long *struck)
{
    bool alive = true;
    while (alive && *struck < *faults) {
        int64_t good_ms = draw(HASTE_N) == 0 ? (int64_t)draw(8) : 300 + (int64_t)draw(500);
        if (!carry(sensor, collector, now_ms() + good_ms, false, false) || ended) {
            close(sensor);
            close(collector);
            return;
        }
        enum fault fault = (enum fault)draw(FAULTS);
        printf("%s after %lld ms\n", names[fault], (long long)good_ms);
        (*struck)++;
        alive = strike(fault, sensor, collector);
    }
    if (alive) {
        carry(sensor, collector, INT64_MAX, false, false);
        close(sensor);
        close(collector);
    }
}

int main(int argc, char **argv)
{
    const char *from = NULL, *to = NULL;
    long faults = 0, struck = 0;
    bool swallow = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--swallow") == 0) {
            swallow = true;
            continue;
        }
        if (strcmp(argv[i], "--listen") == 0)
            from = value;
        else if (strcmp(argv[i], "--to") == 0)
            to = value;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(value, NULL, 10) * 0x9e3779b97f4a7c15u + 1;
        else if (strcmp(argv[i], "--faults") == 0)
            faults = strtol(value, NULL, 10);
        else
            return 64;
        i++;
    }
    struct sigaction end = {.sa_handler = on_end};
    sigaction(SIGTERM, &end, NULL);
    int listening = from && to && seed ? listen_at(from) : -1;
    if (listening < 0)
        return 64;
    setlinebuf(stdout);
    while (!ended) {
        int sensor = accept(listening, NULL, NULL);
        if (sensor < 0)
            continue;
        int collector = connect_to(to);
        if (collector < 0) {
            reset(sensor);
            continue;
        }
        if (swallow) {
            printf("swallowed from %lld ms on\n", 500LL);
            carry(sensor, collector, now_ms() + 500, false, false);
            leave(sensor);
            leave(collector);
            swallow = false;
            continue;
        }
        serve(sensor, collector, &faults, &struck);
    }
    printf("%ld faults, %llu octets up, %llu down\n", struck, (unsigned long long)octets[0],
           (unsigned long long)octets[1]);
    return 0;
}
