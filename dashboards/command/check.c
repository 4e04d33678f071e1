// `postern check`: has every program look at its part of one configuration file.
#include <limits.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"
#include "command/job.h"

static const char *const programs[] = {
    "postern-sensor",   "postern-collector", "postern-series",
    "postern-analysis", "postern-feed",      "postern-web",
};

static const struct command_option options[] = {{0}};

// 0: its part is good, EX_UNAVAILABLE: not installed, else what it ended with, after its own lines.
static int check_one(const char *name, const char *config)
{
    char program[PATH_MAX];
    if (job_find_program(name, program, sizeof program) != 0) {
        printf("%-18s not installed here, not checked\n", name);
        return EX_UNAVAILABLE;
    }
    char *argv[] = {program, "--check", "--config", (char *)config, NULL};
    struct job job = {.label = name, .argv = argv, .output = "/dev/null"};
    struct job_result result;
    int rc = job_run(&job, &result);
    if (rc < 0 || result.signal != 0) {
        printf("%-18s could not be asked\n", name);
        return EX_OSERR;
    }
    printf("%-18s %s\n", name, result.status == 0 ? "good" : "has errors, see above");
    return result.status;
}

static int run(const struct command_args *a)
{
    const char *config = a->operands[0];
    int worst = 0;
    size_t asked = 0;
    if (access(config, R_OK) != 0) {
        fprintf(stderr, "postern check: %s: %m\n", config);
        return EX_NOINPUT;
    }
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        int status = check_one(programs[i], config);
        if (status == EX_UNAVAILABLE)
            continue;
        asked++;
        if (status != 0)
            worst = status;
    }
    if (asked == 0) {
        fprintf(stderr, "postern check: no program of Postern is installed here\n");
        return EX_UNAVAILABLE;
    }
    return worst;
}

const struct command command_check = {
    .name = "check",
    .synopsis = "CONFIG",
    .summary = "has every program look at its part of a configuration",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
