// postern-inject: puts the frames of a capture on an interface at a given rate, for tests of the live
// sensor; or writes the capture anew with the times that this rate would give, so that a file job can say
// what has to be counted.
//
// usage: postern-inject [-n REPEAT] [-r PACKETS_PER_SECOND] IFACE CAPTURE
//        postern-inject [-n REPEAT] [-r PACKETS_PER_SECOND] -w OUT CAPTURE
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
    size_t count, room;
};

static int fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "postern-inject: %s: %s\n", what, why);
    return status;
}

static bool keep(struct frames *f, const u_char *data, size_t len)
{
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 4096;
        struct iovec *more = realloc(f->at, room * sizeof *more);
        if (!more)
            return false;
        f->at = more;
        f->room = room;
    }
    void *copy = malloc(len);
    if (!copy)
        return false;
    memcpy(copy, data, len);
    f->at[f->count++] = (struct iovec){.iov_base = copy, .iov_len = len};
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
        if (!keep(f, data, h->caplen))
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

static int send_frames(const struct frames *f, int fd, unsigned repeat, double rate)
{
    struct mmsghdr message[BATCH_MAX] = {0};
    size_t total = f->count * repeat, sent = 0;
    int64_t start_ns = now_ns(CLOCK_MONOTONIC);
    while (sent < total) {
        size_t n = allowance(start_ns, rate, sent, total - sent);
        for (size_t i = 0; i < n; i++) {
            message[i].msg_hdr.msg_iov = &f->at[(sent + i) % f->count];
            message[i].msg_hdr.msg_iovlen = 1;
        }
        int rc = sendmmsg(fd, message, (unsigned)n, 0);
        if (rc < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            return fail(EX_IOERR, "send", strerror(errno));
        sent += rc > 0 ? (size_t)rc : 0;
    }
    double seconds = (double)(now_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    printf("%zu frames in %.3f s, %.0f a second\n", sent, seconds, (double)sent / seconds);
    return 0;
}

int main(int argc, char **argv)
{
    struct frames f = {0};
    unsigned repeat = 1;
    double rate = 0;
    const char *out = NULL;
    int option, fd = -1;
    while ((option = getopt(argc, argv, "n:r:w:")) != -1) {
        switch (option) {
        case 'n': repeat = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'r': rate = strtod(optarg, NULL); break;
        case 'w': out = optarg; break;
        default: return EX_USAGE;
        }
    }
    if (argc - optind != (out ? 1 : 2) || repeat == 0 || (out && rate <= 0))
        return fail(EX_USAGE, "arguments", "see the head of inject.c");
    int rc = read_frames(argv[argc - 1], &f);
    if (rc == 0 && out)
        rc = write_capture(&f, out, repeat, rate);
    else if (rc == 0 && (rc = open_wire(argv[optind], &fd)) == 0)
        rc = send_frames(&f, fd, repeat, rate);
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < f.count; i++)
        free(f.at[i].iov_base);
    free(f.at);
    return rc;
}
