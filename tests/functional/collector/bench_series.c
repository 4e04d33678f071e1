// How long a minute of many subscribers takes to write, and how much of the disk it takes: the writer
// of postern-series fed with rows made here, over files that are really there.
//
//   bench_series --dir DIR --active N [--known N] [--minutes N] [--layout full|reduced] [--cold]
//                [--rrdcached SOCKET --pid PID --pace SECONDS]
//
// Known subscribers beyond the active ones have knocked once and have no file. Octets written are of
// /proc/PID/io: this process, or rrdcached's. After each minute the file system is synced, as the
// kernel does within half a minute; --cold also takes the files out of the page cache. --pace gives
// each minute so many seconds, for rrdcached's times (its -w is then pace times minutes).
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/rrdfile.h"
#include "series/writer.h"

enum { FIRST = 29568960 }; // a day's beginning, in minutes

struct options {
    const char *dir, *rrdcached, *layout;
    long active, known, minutes, pid, quiet_minutes;
    double pace_s;
    bool cold;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static unsigned long long written_octets(long pid)
{
    char path[64], line[128];
    unsigned long long n = 0;
    snprintf(path, sizeof path, "/proc/%ld/io", pid);
    FILE *in = fopen(path, "r");
    if (!in)
        return 0;
    while (fgets(line, sizeof line, in))
        if (strncmp(line, "write_bytes: ", 13) == 0)
            n = strtoull(line + 13, NULL, 10);
    fclose(in);
    return n;
}

static struct subscriber_key key_of(long i)
{
    struct realm realm = {{0}};
    struct ip_prefix p = {.len = 32};
    p.addr.family = IP_V4;
    p.addr.octet[0] = 10;
    p.addr.octet[1] = (uint8_t)(i >> 16);
    p.addr.octet[2] = (uint8_t)(i >> 8);
    p.addr.octet[3] = (uint8_t)i;
    return subscriber_key_of(&realm, &p);
}

static void put(struct series_writer *w, struct minute_row *r, long i, int64_t minute, bool busy)
{
    r->minute = minute;
    r->cut_ms = (minute + 1) * 60000;
    r->key = key_of(i);
    r->party = party_provisional(&r->key);
    uint64_t *c = r->counter[MINUTE_SMARTHOST][MINUTE_OUT];
    c[MINUTE_connections] = 1;
    c[MINUTE_established] = busy ? 1 + (uint64_t)(i + minute) % 3 : 0;
    c[MINUTE_unanswered] = busy ? 0 : 1;
    c[MINUTE_messages_ok] = busy;
    c[MINUTE_rcpt] = busy ? 2 : 0;
    if (series_writer_row(w, r) != 0)
        exit(71);
}

static void forget_pages(const char *dir, long active)
{
    for (long i = 0; i < active; i++) {
        char name[SUBSCRIBER_TEXT_MAX], relative[SERIES_PATH_MAX], path[4096];
        struct subscriber_key k = key_of(i);
        series_path(SERIES_SUBSCRIBER, subscriber_key_format(&k, name), relative);
        snprintf(path, sizeof path, "%s/%s", dir, relative);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
}

static void sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    syncfs(fd);
    close(fd);
}

// The files of the active ones, all at once: making them is no part of what is measured. Those of a run
// before stay, and in memory as they are.
static void make_files(const struct options *o, bool reduced)
{
    struct rrdfile_shape shape = {.reduced = reduced};
    long made = 0;
    for (long i = 0; i < o->active; i++) {
        char name[SUBSCRIBER_TEXT_MAX], relative[SERIES_PATH_MAX], path[4096],
            error[RRDFILE_ERROR_MAX];
        struct subscriber_key k = key_of(i);
        series_path(SERIES_SUBSCRIBER, subscriber_key_format(&k, name), relative);
        snprintf(path, sizeof path, "%s/%s", o->dir, relative);
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            mkdir(path, 0750);
            *slash = '/';
        }
        int rc = rrdfile_create(path, shape, FIRST * 60LL, error);
        made += rc == 0;
        if (rc != 0 && rc != -EEXIST) {
            fprintf(stderr, "bench_series: %s\n", error);
            exit(73);
        }
    }
    if (made == 0)
        return;
    sync_dir(o->dir);
    forget_pages(o->dir, o->active);
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"dir", 1, 0, 'd'},
                                          {"active", 1, 0, 'a'},
                                          {"known", 1, 0, 'k'},
                                          {"minutes", 1, 0, 'm'},
                                          {"layout", 1, 0, 'l'},
                                          {"cold", 0, 0, 'c'},
                                          {"rrdcached", 1, 0, 'r'},
                                          {"pid", 1, 0, 'p'},
                                          {"pace", 1, 0, 't'},
                                          {"quiet", 1, 0, 'q'},
                                          {0}};
    *o = (struct options){.layout = "full", .minutes = 5, .pid = getpid()};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        switch (c) {
        case 'd': o->dir = optarg; break;
        case 'a': o->active = strtol(optarg, NULL, 10); break;
        case 'k': o->known = strtol(optarg, NULL, 10); break;
        case 'm': o->minutes = strtol(optarg, NULL, 10); break;
        case 'l': o->layout = optarg; break;
        case 'c': o->cold = true; break;
        case 'r': o->rrdcached = optarg; break;
        case 'p': o->pid = strtol(optarg, NULL, 10); break;
        case 't': o->pace_s = strtod(optarg, NULL); break;
        case 'q': o->quiet_minutes = strtol(optarg, NULL, 10); break;
        default: return -EINVAL;
        }
    return o->dir && o->active > 0 && o->minutes > 0 ? 0 : -EINVAL;
}

// One minute: its rows, then the round. Seconds of the writer alone.
static double minute(struct series_writer *w, struct minute_row *r, const struct options *o,
                     int64_t m, double *rows_s)
{
    struct coverage_minute c = {.minute = m, .seconds = 60, .sum = {.sensor = "edge"}};
    double t0 = now_s();
    series_writer_coverage(w, &c);
    for (long i = 0; i < o->active; i++)
        put(w, r, i, m, true);
    double t1 = now_s();
    series_writer_begin(w, (m + 1) * 60000);
    while (!series_writer_work(w, 256)) {}
    *rows_s = t1 - t0;
    return now_s() - t1;
}

int main(int argc, char **argv)
{
    struct options o;
    if (parse(argc, argv, &o) != 0) {
        fprintf(stderr,
                "bench_series: --dir and --active are needed; see the head of its source\n");
        return 64;
    }
    bool reduced = strcmp(o.layout, "reduced") == 0;
    struct series_options so = {.rrd_dir = o.dir,
                                .rrdcached = o.rrdcached,
                                .layout = reduced ? SERIES_REDUCED : SERIES_FULL,
                                .creations_a_minute = 10000000,
                                .burst_connections = 3,
                                .waiting_minutes_max = 60,
                                .keys_max = 4000000};
    struct series_writer *w;
    char why[300];
    double made = now_s();
    make_files(&o, reduced);
    printf("# files made and synced: %.0f s\n", now_s() - made);
    if (series_writer_open(&so, &w, why) != 0) {
        fprintf(stderr, "bench_series: %s\n", why);
        return 73;
    }
    struct minute_row *r = calloc(1, sizeof *r);
    if (!r)
        return 71;
    minute_row_add_sensor(r, "edge");
    for (long i = o.active; i < o.known; i++)
        put(w, r, i, FIRST, false);
    // Begin behind what is there, so that the folder can be used again.
    int64_t last_s = 0, first = FIRST;
    if (series_last(o.dir, SERIES_SITE, SERIES_SITE_NAME, &last_s) == 0 && last_s / 60 >= first)
        first = last_s / 60 + 1;
    double rows_s, t0 = now_s(), s = minute(w, r, &o, first, &rows_s);
    struct rusage ru;
    sync_dir(o.dir);
    printf(
        "# %ld active, %ld known, %s, %s%s: first minute %.2f s, synced %.1f s, %llu files made\n",
        o.active, o.known, o.layout, o.rrdcached ? "rrdcached" : "in process",
        o.cold ? ", cold" : "", s, now_s() - t0,
        (unsigned long long)series_writer_stats(w)->files_created);
    double sum = 0, worst = 0, rows = 0, cpu = 0;
    unsigned long long before = 0;
    for (long m = 1; m <= o.quiet_minutes + o.minutes; m++) {
        if (m == o.quiet_minutes + 1)
            before = written_octets(o.pid);
        if (o.cold)
            forget_pages(o.dir, o.active);
        double begun = now_s(), cpu_before = cpu_s();
        s = minute(w, r, &o, first + m, &rows_s);
        if (!o.rrdcached)
            sync_dir(o.dir);
        if (m > o.quiet_minutes) {
            sum += s;
            rows += rows_s;
            cpu += cpu_s() - cpu_before;
            worst = s > worst ? s : worst;
        }
        while (now_s() - begun < o.pace_s)
            usleep(10000);
    }
    double megabytes = (double)(written_octets(o.pid) - before) / 1e6 / (double)o.minutes;
    getrusage(RUSAGE_SELF, &ru);
    const struct series_stats *st = series_writer_stats(w);
    printf("active %ld known %llu minutes %ld: rows %.2f s, writing %.2f s (worst %.2f), %.2f s of "
           "processor, %.1f MB a minute, "
           " %ld MB of memory, %llu errors%s%s\n",
           o.active, (unsigned long long)st->keys, o.minutes, rows / (double)o.minutes,
           sum / (double)o.minutes, worst, cpu / (double)o.minutes, megabytes, ru.ru_maxrss / 1024,
           (unsigned long long)st->errors, st->errors ? ": " : "", st->last_error);
    free(r);
    series_writer_close(w);
    return 0;
}
