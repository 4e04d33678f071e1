// Kills a collector and the sensors before it, at random, again and again, and then holds the journal against that of a file job
// over the same records: octet by octet for one sensor, sum by sum for several (their order differs).
//
//   storm --bin DIR --pump FILE --work DIR --records FILE [--records FILE] [--kills N] [--seed N]
//         [--tls DIR --listen ADDRESS] [--rate N] [--freeze]
//
// Everything is started by this program, and ended by it, by process id.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SENSORS_MAX 4

struct storm {
    const char *bin, *pump, *work, *tls, *listen, *rate;
    const char *records[SENSORS_MAX];
    unsigned sensors;
    long kills;
    bool freeze;
    uint64_t seed;
    pid_t collector, sensor[SENSORS_MAX]; // 0: not running
    bool done[SENSORS_MAX];
    unsigned collector_kills, sensor_kills, freezes;
};

static struct storm s = {.kills = 200, .seed = 1, .rate = "2000"};

static uint64_t draw(uint64_t below)
{
    s.seed ^= s.seed << 13;
    s.seed ^= s.seed >> 7;
    s.seed ^= s.seed << 17;
    return s.seed % below;
}

static void fail(const char *text)
{
    fprintf(stderr, "storm: %s\n", text);
    if (s.collector > 0)
        kill(s.collector, SIGKILL);
    for (unsigned i = 0; i < s.sensors; i++)
        if (s.sensor[i] > 0)
            kill(s.sensor[i], SIGKILL);
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_us(uint64_t us)
{
    struct timespec t = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

static pid_t start(char *const argv[], const char *out_path, const char *log_name)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char log[512];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(log, sizeof log, "%s/%s", s.work, log_name);
    int err = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int out = out_path ? open(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0644) : err;
    if (err < 0 || out < 0)
        _exit(126);
    dup2(out, 1);
    dup2(err, 2);
    execv(argv[0], argv);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// In one of a ring of buffers: good until sixty-four more were asked for.
static char *text_of(const char *format, const char *a, const char *b)
{
    static char ring[64][600];
    static unsigned next;
    char *out = ring[next++ % 64];
    snprintf(out, sizeof ring[0], format, a, b);
    return out;
}

// ---- The two sides

static char *program(const char *name)
{
    return text_of("%s/%s", s.bin, name);
}

static char *path(const char *name)
{
    return text_of("%s/%s", s.work, name);
}

static void start_collector(void)
{
    char *argv[] = {
        program("postern-collector"), "-c", path("live.yaml"), "-j", path("journal"), NULL};
    s.collector = start(argv, NULL, "collector.log");
}

static void start_sensor(unsigned i)
{
    char number[8], domain[8];
    snprintf(number, sizeof number, "%u", i);
    snprintf(domain, sizeof domain, "%u", i + 1);
    char *address = s.tls ? text_of("%s%s", s.listen, "")
                          : text_of("unix:%s/%s", s.work, "in.sock");
    char *tls = s.tls ? text_of("%s/sensor%s", s.tls, number) : text_of("%s%s", "-", "");
    char *argv[] = {(char *)s.pump,
                    (char *)s.records[i],
                    text_of("%s/spool%s", s.work, number),
                    address,
                    tls,
                    (char *)s.rate,
                    domain,
                    NULL};
    s.sensor[i] = start(argv, NULL, "sensor.log");
}

static void reap(unsigned i, bool blocking)
{
    int status;
    if (s.sensor[i] <= 0 || waitpid(s.sensor[i], &status, blocking ? 0 : WNOHANG) <= 0)
        return;
    s.sensor[i] = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        s.done[i] = true;
    else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fprintf(stderr, "storm: sensor %u: status %#x\n", i, (unsigned)status);
        fail("a sensor ended by itself; see sensor.log");
    }
}

static bool all_done(void)
{
    for (unsigned i = 0; i < s.sensors; i++)
        if (!s.done[i])
            return false;
    return true;
}

static void check_collector(void)
{
    int status;
    if (waitpid(s.collector, &status, WNOHANG) == s.collector)
        fail("the collector ended by itself; see collector.log");
}

static void strike_collector(void)
{
    check_collector();
    kill(s.collector, SIGKILL);
    wait_for(s.collector);
    s.collector_kills++;
    if (draw(4) == 0)
        pause_us(draw(150000));
    start_collector();
}

static void strike_sensor(unsigned i)
{
    reap(i, false);
    if (s.sensor[i] <= 0)
        return;
    kill(s.sensor[i], SIGKILL);
    reap(i, true);
    s.sensor_kills++;
    start_sensor(i);
}

static void freeze(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGSTOP);
    pause_us(draw(300000));
    kill(pid, SIGCONT);
    s.freezes++;
}

static void rage(void)
{
    long kills = 0;
    while (kills < s.kills && !all_done()) {
        pause_us(draw(draw(8) == 0 ? 700000 : 200000));
        unsigned i = (unsigned)draw(s.sensors);
        if (s.freeze && draw(10) == 0)
            freeze(draw(2) ? s.collector : s.sensor[i]);
        if (draw(2))
            strike_collector();
        else
            strike_sensor(i);
        kills = (long)s.collector_kills + (long)s.sensor_kills;
        for (unsigned k = 0; k < s.sensors; k++)
            reap(k, false);
    }
    // Whoever is left goes on in peace.
    int64_t until = now_ms() + 120000 + 300 * s.kills;
    while (!all_done()) {
        check_collector();
        for (unsigned k = 0; k < s.sensors; k++)
            reap(k, false);
        if (now_ms() > until)
            fail("the sensors did not come to their end; see collector.log and sensor.log");
        pause_us(20000);
    }
    kill(s.collector, SIGTERM);
    if (wait_for(s.collector) != 0)
        fail("the collector did not end well");
    s.collector = 0;
}

// ---- The judgement

static void run(char *const argv[], const char *out)
{
    if (wait_for(start(argv, out, "judge.log")) != 0)
        fail("a file job failed; see judge.log");
}

static void dump(const char *journal, const char *out)
{
    char *argv[] = {
        program("postern-collector"), "-c", path("file.yaml"), "-j", path(journal), "--dump", NULL};
    run(argv, out);
}

static void compare(void)
{
    char *argv[8 + 2 * SENSORS_MAX] = {program("postern-collector"), "-c", path("file.yaml"), "-j",
                                       path("reference")};
    for (unsigned i = 0, at = 5; i < s.sensors; i++) {
        argv[at++] = "-r";
        argv[at++] = (char *)s.records[i];
    }
    run(argv, NULL);
    dump("reference", path("reference.jsonl"));
    dump("journal", path("journal.jsonl"));
}

static void write_file(const char *name, const char *head, const char *rest)
{
    FILE *f = fopen(path(name), "we");
    if (!f)
        fail("cannot write the configuration");
    fputs(head, f);
    fputs(rest, f);
    fclose(f);
}

static void configure(void)
{
    static const char head[] = "site:\n  subscribers: [10.0.0.0/8]\ncollector:\n"
                               "  subscribers: 20000\n  flows: 20000\n  sketches: 1000\n";
    char live[2048];
    if (s.tls)
        snprintf(live, sizeof live, "  listen: [%s]\n  intake: %s/intake\n  ca: %s/ca\n", s.listen,
                 s.work, s.tls);
    else
        snprintf(live, sizeof live, "  listen: [\"unix:%s/in.sock\"]\n  intake: %s/intake\n",
                 s.work, s.work);
    write_file("live.yaml", head, live);
    write_file("file.yaml", head, "");
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc || (i < argc && strcmp(argv[i], "--freeze") == 0); i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--freeze") == 0) {
            s.freeze = true;
            i--;
        } else if (strcmp(name, "--bin") == 0) {
            s.bin = value;
        } else if (strcmp(name, "--pump") == 0) {
            s.pump = value;
        } else if (strcmp(name, "--work") == 0) {
            s.work = value;
        } else if (strcmp(name, "--records") == 0 && s.sensors < SENSORS_MAX) {
            s.records[s.sensors++] = value;
        } else if (strcmp(name, "--kills") == 0) {
            s.kills = strtol(value, NULL, 10);
        } else if (strcmp(name, "--seed") == 0) {
            s.seed = strtoull(value, NULL, 10) * 0x9e3779b97f4a7c15u + 1;
        } else if (strcmp(name, "--tls") == 0) {
            s.tls = value;
        } else if (strcmp(name, "--listen") == 0) {
            s.listen = value;
        } else if (strcmp(name, "--rate") == 0) {
            s.rate = value;
        }
    }
    if (!s.bin || !s.pump || !s.work || s.sensors == 0 || (s.tls && !s.listen))
        return 64;
    configure();
    int64_t begun = now_ms();
    start_collector();
    for (unsigned i = 0; i < s.sensors; i++)
        start_sensor(i);
    rage();
    compare();
    printf("storm: %u kills of the collector, %u of sensors, %u freezes, %lld ms\n",
           s.collector_kills, s.sensor_kills, s.freezes, (long long)(now_ms() - begun));
    return s.collector_kills + s.sensor_kills >= (unsigned long)s.kills ? 0 : 2;
}
