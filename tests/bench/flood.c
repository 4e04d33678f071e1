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
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "flood_program.h"

#define FRAMES_MAX 65536
#define RATE_MIN   20000
#define SKIPPED    77

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
static void find_ends(struct flood_frame *f)
{
    const uint8_t *o = f->octet;
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

static int read_frames(const char *path, uint32_t max, struct flood_frame *frame, uint32_t *count)
{
    char error[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *h;
    const u_char *data;
    pcap_t *p = pcap_open_offline(path, error);
    if (!p)
        return fail(EX_NOINPUT, path, error);
    uint32_t n = 0;
    while (n < max && pcap_datalink(p) == DLT_EN10MB && pcap_next_ex(p, &h, &data) == 1) {
        if (h->caplen < 14 || h->caplen > FLOOD_FRAME_MAX)
            continue;
        frame[n] = (struct flood_frame){.len = h->caplen};
        memcpy(frame[n].octet, data, h->caplen);
        find_ends(&frame[n++]);
    }
    pcap_close(p);
    *count = n;
    return n > 0 ? 0 : fail(EX_DATAERR, path, "has no Ethernet frame");
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

// Processor time of this process.
static double spent_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

static int report(const struct flood_program *p, const struct flood_frame *frame, double seconds,
                  double cpu)
{
    struct flood_state s;
    uint64_t octets = 0;
    int rc = flood_program_state(p, &s);
    if (rc != 0)
        return fail(EX_OSERR, "state", strerror(-rc));
    for (uint64_t i = 0; i < p->count; i++)
        octets += frame[i].len * (s.sent / p->count + (i < s.sent % p->count));
    printf("{\"sent\": %llu, \"octets\": %llu, \"seconds\": %.3f, \"rate\": %.0f, \"cpu\": %.3f}\n",
           (unsigned long long)s.sent, (unsigned long long)octets, seconds,
           (double)s.sent / seconds, cpu);
    return 0;
}

static int flood(const struct request *q, struct flood_program *p, const struct flood_frame *frame)
{
    unsigned interface = if_nametoindex(q->interface);
    if (interface == 0)
        return fail(EX_NOINPUT, q->interface, "there is no such interface");
    const struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    alarm(q->seconds);
    double start_s = now_s(), spent_before_s = spent_s();
    int rc = flood_program_begin(p, (uint64_t)(start_s * 1e9),
                                 q->rate > 0 ? (uint64_t)(1024e9 / q->rate) : 0);
    for (unsigned long long left = q->frames; rc == 0 && left > 0;) {
        uint32_t now = left > INT32_MAX ? INT32_MAX : (uint32_t)left;
        rc = flood_program_run(p, interface, now);
        left -= now;
    }
    if (rc != 0 && rc != -EINTR)
        return fail(rc == -EINVAL || rc == -EPERM ? SKIPPED : EX_OSERR, "test run", strerror(-rc));
    return report(p, frame, now_s() - start_s, spent_s() - spent_before_s);
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
    struct flood_program p;
    uint32_t count = 0;
    int rc = take_options(argc, argv, &q);
    if (rc != 0)
        return rc;
    struct flood_frame *frame = calloc(FRAMES_MAX, sizeof *frame);
    rc = frame ? read_frames(q.capture, q.frames_max, frame, &count)
               : fail(EX_OSERR, "frames", "out of memory");
    if (rc == 0) {
        int error = flood_program_load(frame, count, q.first_round, &p);
        if (error == -EPERM || error == -ENOSYS || error == -EINVAL)
            rc = fail(SKIPPED, "bpf", strerror(-error));
        else if (error != 0)
            rc = fail(EX_OSERR, "bpf", strerror(-error));
    }
    if (rc == 0) {
        rc = flood(&q, &p, frame);
        flood_program_close(&p);
    }
    free(frame);
    return rc;
}
