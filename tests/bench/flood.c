// bench_flood: what a busy mirror gives, on an interface of this machine: the frames of a capture, over and
// over, at a rate or as fast as the kernel takes them. They go up the stack from where a driver would
// hand them in, so that one processor does what receiving costs and another is left for who listens;
// through a veth and a packet socket one would measure the sender. A round's connections have other addresses
// than the round's before.
//
// usage: bench_flood -n FRAMES [-r FRAMES_PER_SECOND] [-s SECONDS] [-o ROUND] [-f FRAMES] IFACE CAPTURE
//   -n  how many; -s: ends after so long at the latest (default 60)
//   -r  20,000 or more; without it as fast as it goes
//   -o  number of the first round, for several of these side by side
//   -f  of the capture so many frames at most: few lie in the cache, where a card puts what it receives
// Prints a JSON object: frames sent, octets, seconds, rate, processor time. Keep it on interfaces of a
// name space of its own. Of the capture (Ethernet, frames of up to 2048 octets) the first 65,536 frames are
// taken. Exit status 77: the kernel has no such test runs, or not for us.
#include <errno.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "flood_program.h"

#define FRAMES_MAX 65536
#define RATE_MIN   20000
#define SKIPPED    77
#define GRACE_S    0.001

struct request {
    unsigned long long frames;
    double rate; // 0: as fast as it goes
    unsigned seconds;
    uint16_t first_round;
    uint32_t frames_max; // of the capture
    const char *interface, *capture;
};

static int fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "bench_flood: %s: %s\n", what, why);
    return status;
}

// Where the addresses end that are changed from round to round: behind up to two tags and PPPoE.
static void find_ends(const uint8_t *o, struct flood_frame *f)
{
    uint32_t at = 12, end[2];
    unsigned type = 0;
    for (int layers = 0; layers < 3 && at + 2 <= f->len; layers++, at += 4) {
        type = (unsigned)o[at] << 8 | o[at + 1];
        if (type != 0x8100 && type != 0x88a8)
            break;
    }
    at += 2;
    if (type == 0x8864 && at + 8 <= f->len) {
        type = o[at + 7] == 0x21 ? 0x0800 : o[at + 7] == 0x57 ? 0x86dd : 0;
        at += 8;
    }
    if (type == 0x0800) {
        end[0] = at + 14;
        end[1] = at + 18;
    } else if (type == 0x86dd) {
        end[0] = at + 22;
        end[1] = at + 38;
    } else {
        return;
    }
    if (end[1] + 2 > f->len)
        return;
    for (int i = 0; i < 2; i++) {
        f->end_at[i] = end[i];
        memcpy(&f->end_was[i], o + end[i], 2);
    }
}

static int read_frames(const char *path, uint32_t max, struct flood_pack *pack)
{
    char error[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *h;
    const u_char *data;
    pcap_t *p = pcap_open_offline(path, error);
    if (!p)
        return fail(EX_NOINPUT, path, error);
    int rc = 0;
    while (rc == 0 && pack->count < max && pcap_datalink(p) == DLT_EN10MB &&
           pcap_next_ex(p, &h, &data) == 1) {
        if (h->caplen < 14 || h->caplen > FLOOD_FRAME_MAX)
            continue;
        struct flood_frame f = {.len = h->caplen};
        find_ends(data, &f);
        rc = flood_pack_add(pack, &f, data);
    }
    pcap_close(p);
    if (rc != 0)
        return fail(EX_OSERR, path, strerror(-rc));
    return pack->count > 0 ? 0 : fail(EX_DATAERR, path, "has no Ethernet frame");
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_alarm(int signo)
{
    (void)signo; // the run ends with EINTR
}

// SIGALRM, then or at once.
static void wake_at(double at_s)
{
    double in_s = at_s - now_s();
    long long in_us = in_s > 0 ? (long long)(in_s * 1e6) + 1 : 1;
    const struct itimerval t = {.it_value = {.tv_sec = (time_t)(in_us / 1000000),
                                             .tv_usec = (suseconds_t)(in_us % 1000000)}};
    setitimer(ITIMER_REAL, &t, NULL);
}

// Processor time of this process.
static double spent_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

static int report(const struct flood_program *p, const struct flood_pack *pack, double start_s,
                  double cpu)
{
    struct flood_state s;
    int rc = flood_program_state(p, &s);
    if (rc != 0)
        return fail(EX_OSERR, "state", strerror(-rc));
    // A test run needs some hundredths of a second to end.
    double seconds = (s.end_ns ? (double)s.end_ns / 1e9 : now_s()) - start_s;
    printf("{\"sent\": %llu, \"octets\": %llu, \"seconds\": %.3f, \"rate\": %.0f, \"cpu\": %.3f}\n",
           (unsigned long long)s.sent, (unsigned long long)flood_pack_octets(pack, s.sent), seconds,
           (double)s.sent / seconds, cpu);
    return 0;
}

static int flood(const struct request *q, struct flood_program *p, const struct flood_pack *pack)
{
    unsigned interface = if_nametoindex(q->interface);
    if (interface == 0)
        return fail(EX_NOINPUT, q->interface, "there is no such interface");
    const struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    double start_s = now_s(), spent_before_s = spent_s(), end_s = start_s + q->seconds;
    int rc = flood_program_begin(p, q->frames, (uint64_t)(start_s * 1e9),
                                 q->rate > 0 ? (uint64_t)(1024e9 / q->rate) : 0);
    // At a rate tries are no frames: a signal ends them when the last one is due. What is late then is not held up.
    double last_s = q->rate > 0 ? start_s + (double)q->frames / q->rate + GRACE_S : end_s;
    uint64_t left = q->frames;
    while (rc == 0 && left > 0 && now_s() < end_s) {
        bool paced = now_s() < last_s && q->rate > 0;
        wake_at(paced && last_s < end_s ? last_s : end_s);
        rc = flood_program_run(p, interface,
                               paced || left > INT32_MAX ? INT32_MAX : (uint32_t)left);
        rc = rc == -EINTR ? 0 : rc;
        struct flood_state s = {0};
        if (rc == 0)
            rc = flood_program_state(p, &s);
        left = q->frames - s.sent;
    }
    if (rc != 0)
        return fail(rc == -EINVAL || rc == -EPERM ? SKIPPED : EX_OSERR, "test run", strerror(-rc));
    return report(p, pack, start_s, spent_s() - spent_before_s);
}

static int take_options(int argc, char **argv, struct request *q)
{
    int option;
    while ((option = getopt(argc, argv, "f:n:o:r:s:")) != -1) {
        switch (option) {
        case 'f': q->frames_max = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'n': q->frames = strtoull(optarg, NULL, 10); break;
        case 'o': q->first_round = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 'r': q->rate = strtod(optarg, NULL); break;
        case 's': q->seconds = (unsigned)strtoul(optarg, NULL, 10); break;
        default: return EX_USAGE;
        }
    }
    if (argc - optind != 2 || q->frames == 0 || q->seconds == 0 || q->frames_max == 0 ||
        q->frames_max > FRAMES_MAX || (q->rate != 0 && q->rate < RATE_MIN))
        return fail(EX_USAGE, "arguments", "see the head of flood.c");
    q->interface = argv[optind];
    q->capture = argv[optind + 1];
    return 0;
}

int main(int argc, char **argv)
{
    struct request q = {.seconds = 60, .frames_max = FRAMES_MAX};
    struct flood_pack pack = {0};
    struct flood_program p;
    int rc = take_options(argc, argv, &q);
    if (rc == 0)
        rc = read_frames(q.capture, q.frames_max, &pack);
    if (rc == 0) {
        int error = flood_program_load(&pack, q.first_round, &p);
        if (error == -EPERM || error == -ENOSYS || error == -EINVAL)
            rc = fail(SKIPPED, "bpf", strerror(-error));
        else if (error != 0)
            rc = fail(EX_OSERR, "bpf", strerror(-error));
    }
    if (rc == 0) {
        rc = flood(&q, &p, &pack);
        flood_program_close(&p);
    }
    flood_pack_fini(&pack);
    return rc;
}
