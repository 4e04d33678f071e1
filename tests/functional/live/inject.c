// postern-inject: puts the frames of a capture on an interface at a given rate, for tests of the live
// sensor; or writes the capture anew with the times that this rate would give, so that a file job can say
// what has to be counted.
//
// usage: postern-inject [-n REPEAT] [-r PACKETS_PER_SECOND | -x SPEED] [-2 OTHER] IFACE CAPTURE
//        postern-inject [-n REPEAT] -r PACKETS_PER_SECOND -w OUT CAPTURE
//        postern-inject -c CAPTURE (says how many frames it has)
//
// With -x 1 frames go at the capture's own pace, with -x 2 twice as fast. With -2 a frame whose source address (MAC) is the greater of its two goes to OTHER: a tap.
//
// Without -r as fast as it goes. Frames are kept in memory: captures of some hundred megabytes. With -n the
// same frames are sent again; the sensor sees new copies of old packets, which is good for load alone.
// Prints how many frames were sent and how fast.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 64

struct frames {
    struct iovec *at;
    int64_t *t_ns; // since the first
    int64_t first_ns;
    size_t count, room;
};

static int fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "postern-inject: %s: %s\n", what, why);
    return status;
}

static bool make_room(struct frames *f)
{
    size_t room = f->room ? f->room * 2 : 4096;
    struct iovec *at = realloc(f->at, room * sizeof *at);
    if (at)
        f->at = at;
    int64_t *t_ns = realloc(f->t_ns, room * sizeof *t_ns);
    if (t_ns)
        f->t_ns = t_ns;
    f->room = at && t_ns ? room : f->room;
    return at && t_ns;
}

static bool keep(struct frames *f, const struct pcap_pkthdr *h, const u_char *data)
{
    int64_t t_ns = (int64_t)h->ts.tv_sec * 1000000000 + (int64_t)h->ts.tv_usec * 1000;
    if (f->count == f->room && !make_room(f))
        return false;
    void *copy = malloc(h->caplen);
    if (!copy)
        return false;
    memcpy(copy, data, h->caplen);
    if (f->count == 0)
        f->first_ns = t_ns;
    f->t_ns[f->count] = t_ns - f->first_ns;
    f->at[f->count++] = (struct iovec){.iov_base = copy, .iov_len = h->caplen};
    return true;
}

static int read_frames(const char *path, struct frames *f)
{
    char error[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *h;
    const u_char *data;
    pcap_t *p = pcap_open_offline(path, error);
    if (!p)
        return fail(EX_NOINPUT, path, error);
    int rc = 0, got = 0;
    while (rc == 0 && (got = pcap_next_ex(p, &h, &data)) == 1)
        if (!keep(f, h, data))
            rc = fail(EX_OSERR, path, "out of memory");
    if (rc == 0 && (got == PCAP_ERROR || f->count == 0))
        rc = fail(EX_DATAERR, path, got == PCAP_ERROR ? pcap_geterr(p) : "has no frame");
    if (rc == 0 && pcap_datalink(p) != DLT_EN10MB)
        rc = fail(EX_DATAERR, path, "is not Ethernet");
    pcap_close(p);
    return rc;
}

static int64_t now_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// ---- A capture with other times.

static int write_capture(const struct frames *f, const char *path, unsigned repeat, double rate)
{
    pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
    pcap_dumper_t *out = p ? pcap_dump_open(p, path) : NULL;
    if (!out)
        return fail(EX_CANTCREAT, path, p ? pcap_geterr(p) : "out of memory");
    double start_us = (double)now_ns(CLOCK_REALTIME) / 1000;
    for (size_t n = 0; n < f->count * repeat; n++) {
        const struct iovec *v = &f->at[n % f->count];
        int64_t t = (int64_t)(start_us + (double)n * 1e6 / rate);
        struct pcap_pkthdr h = {.ts = {t / 1000000, t % 1000000},
                                .caplen = (bpf_u_int32)v->iov_len,
                                .len = (bpf_u_int32)v->iov_len};
        pcap_dump((u_char *)(void *)out, &h, v->iov_base);
    }
    int rc = pcap_dump_flush(out) == 0 ? 0 : fail(EX_IOERR, path, strerror(errno));
    pcap_dump_close(out);
    pcap_close(p);
    return rc;
}

// ---- The wire.

static int open_wire(const char *interface, int *fd)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_ifindex = (int)if_nametoindex(interface)};
    int on = 1;
    if (to.sll_ifindex == 0)
        return fail(EX_NOINPUT, interface, "there is no such interface");
    *fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return fail(EX_NOPERM, interface, strerror(errno));
    // Straight to the driver: what is sent is not looked at here.
    setsockopt(*fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    if (bind(*fd, (struct sockaddr *)&to, sizeof to) != 0)
        return fail(EX_UNAVAILABLE, interface, strerror(errno));
    return 0;
}

// How many frames may go now; sleeps until there is at least one.
static size_t allowance(int64_t start_ns, double rate, size_t sent, size_t left)
{
    size_t batch = left < BATCH_MAX ? left : BATCH_MAX;
    if (rate <= 0)
        return batch;
    for (;;) {
        double due = (double)(now_ns(CLOCK_MONOTONIC) - start_ns) * rate / 1e9;
        if (due >= (double)sent + 1) {
            size_t may = (size_t)due - sent;
            return may < batch ? may : batch;
        }
        // Below this a sleep is longer than the pause it is to fill.
        if (rate < 20000)
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

// Does the frame go the other way, as seen by its MAC addresses?
static bool is_back(const struct iovec *v)
{
    const unsigned char *mac = v->iov_base;
    return v->iov_len >= 12 && memcmp(mac + 6, mac, 6) > 0;
}

// Up to `n` frames from number `first` on, to the wire or, where there are two, a frame to its own.
static int send_some(const struct frames *f, const int fd[2], size_t first, size_t n)
{
    struct mmsghdr message[BATCH_MAX] = {0};
    if (fd[1] >= 0)
        n = 1;
    for (size_t i = 0; i < n; i++) {
        message[i].msg_hdr.msg_iov = &f->at[(first + i) % f->count];
        message[i].msg_hdr.msg_iovlen = 1;
    }
    bool back = fd[1] >= 0 && is_back(message[0].msg_hdr.msg_iov);
    return sendmmsg(fd[back ? 1 : 0], message, (unsigned)n, 0);
}

// Until frame `n` is due at the capture's own pace.
static void wait_for(const struct frames *f, int64_t start_ns, size_t n, double speed)
{
    int64_t due_ns = start_ns + (int64_t)((double)f->t_ns[n] / speed);
    for (int64_t left; (left = due_ns - now_ns(CLOCK_MONOTONIC)) > 0;)
        nanosleep(&(struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000},
                  NULL);
}

static int send_frames(const struct frames *f, const int fd[2], unsigned repeat, double rate,
                       double speed)
{
    size_t total = f->count * repeat, sent = 0;
    int64_t start_ns = now_ns(CLOCK_MONOTONIC);
    while (sent < total) {
        size_t n = 1;
        if (speed > 0)
            wait_for(f, start_ns, sent % f->count, speed);
        else
            n = allowance(start_ns, rate, sent, total - sent);
        int rc = send_some(f, fd, sent, n);
        if (rc < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            return fail(EX_IOERR, "send", strerror(errno));
        sent += rc > 0 ? (size_t)rc : 0;
    }
    double seconds = (double)(now_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    printf("%zu frames in %.3f s, %.0f a second\n", sent, seconds, (double)sent / seconds);
    return 0;
}

struct request {
    unsigned repeat;
    double rate, speed;
    const char *out, *other, *interface, *capture;
    bool count;
};

static int work(const struct request *q, const struct frames *f)
{
    int fd[2] = {-1, -1}, rc;
    if (q->count) {
        printf("%zu\n", f->count);
        return 0;
    }
    if (q->out)
        return write_capture(f, q->out, q->repeat, q->rate);
    rc = open_wire(q->interface, &fd[0]);
    if (rc == 0 && q->other)
        rc = open_wire(q->other, &fd[1]);
    if (rc == 0)
        rc = send_frames(f, fd, q->repeat, q->rate, q->speed);
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    return rc;
}

int main(int argc, char **argv)
{
    struct frames f = {0};
    struct request q = {.repeat = 1};
    int option;
    while ((option = getopt(argc, argv, "2:cn:r:w:x:")) != -1) {
        switch (option) {
        case '2': q.other = optarg; break;
        case 'c': q.count = true; break;
        case 'n': q.repeat = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'r': q.rate = strtod(optarg, NULL); break;
        case 'w': q.out = optarg; break;
        case 'x': q.speed = strtod(optarg, NULL); break;
        default: return EX_USAGE;
        }
    }
    if (argc - optind != (q.out || q.count ? 1 : 2) || q.repeat == 0 || (q.out && q.rate <= 0))
        return fail(EX_USAGE, "arguments", "see the head of inject.c");
    q.interface = argv[optind];
    q.capture = argv[argc - 1];
    int rc = read_frames(q.capture, &f);
    if (rc == 0)
        rc = work(&q, &f);
    for (size_t i = 0; i < f.count; i++)
        free(f.at[i].iov_base);
    free(f.at);
    free(f.t_ns);
    return rc;
}
