// Runs commands in turn and writes what each cost by the operating system's own account (rusage of the
// finished child), a CSV line a run. Repetitions are interleaved, A B C A B C, so that a machine whose
// speed drifts does so for all of them. Judges nothing. A command that takes longer than LIMIT_S is ended
// (by an alarm, which exec keeps).
//
// bench_runner RUNS PLAN CSV. A line of the plan, fields separated by tabs: capture, program, packets,
// then the command and its arguments, a field each. The commands' output is thrown away.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { LINES_MAX = 256, WORDS_MAX = 64, FIELDS = 3, LIMIT_S = 300, RUNS_MAX = 99 };

struct job {
    char *word[WORDS_MAX + 1]; // capture, program, packets, command ...
};

static char *load(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    if (!f || getdelim(&text, &size, '\0', f) < 0) {
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

static size_t parse(char *text, struct job *jobs)
{
    size_t n = 0;
    char *lines, *fields;
    for (char *line = strtok_r(text, "\n", &lines); line && n < LINES_MAX;
         line = strtok_r(NULL, "\n", &lines)) {
        size_t words = 0;
        for (char *w = strtok_r(line, "\t", &fields); w && words < WORDS_MAX;
             w = strtok_r(NULL, "\t", &fields))
            jobs[n].word[words++] = w;
        jobs[n].word[words] = NULL;
        n += words > FIELDS;
    }
    return n;
}

static void become(char **command)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    alarm(LIMIT_S);
    execvp(command[0], command);
    _exit(127);
}

static long long micros(struct timeval t)
{
    return (long long)t.tv_sec * 1000000 + t.tv_usec;
}

static int run(FILE *out, const struct job *j, int nth)
{
    struct timespec from, to;
    struct rusage used;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pid_t child = fork();
    if (child == 0)
        become((char **)j->word + FIELDS);
    if (child < 0 || wait4(child, &status, 0, &used) != child)
        return -errno;
    clock_gettime(CLOCK_MONOTONIC, &to);
    long long wall = (to.tv_sec - from.tv_sec) * 1000000ll + (to.tv_nsec - from.tv_nsec) / 1000;
    fprintf(out, "%s,%s,%s,%d,%lld,%lld,%lld,%ld,%d\n", j->word[0], j->word[1], j->word[2], nth,
            micros(used.ru_utime), micros(used.ru_stime), wall, used.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fflush(out);
    return 0;
}

int main(int argc, char **argv)
{
    static struct job jobs[LINES_MAX];
    long runs = argc == 4 ? strtol(argv[1], NULL, 10) : 0;
    char *text = argc == 4 ? load(argv[2]) : NULL;
    FILE *out = argc == 4 ? fopen(argv[3], "we") : NULL;
    if (runs < 1 || runs > RUNS_MAX || !text || !out) {
        fprintf(stderr, "usage: bench_runner RUNS PLAN CSV\n");
        return EX_USAGE;
    }
    size_t n = parse(text, jobs);
    fprintf(out, "capture,program,packets,run,user_us,system_us,wall_us,peak_kb,status\n");
    int rc = 0;
    // The first round only warms the page cache and is not written down.
    for (int nth = 0; rc == 0 && nth <= runs; nth++)
        for (size_t i = 0; rc == 0 && i < n; i++) {
            fprintf(stderr, "run %d of %ld, %s: %s\n", nth, runs, jobs[i].word[0], jobs[i].word[1]);
            FILE *to = nth == 0 ? fopen("/dev/null", "we") : out;
            rc = to ? run(to, &jobs[i], nth) : -errno;
            if (nth == 0 && to)
                fclose(to);
        }
    if (rc != 0)
        fprintf(stderr, "bench_runner: %s\n", strerror(-rc));
    free(text);
    return fclose(out) == 0 && rc == 0 ? EX_OK : EX_OSERR;
}
