// `postern check`: has every program look at its part of configuration files.
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/check_domains.h"
#include "command/command.h"
#include "command/job.h"
#include "command/outcome.h"
#include "command/running.h"

static const struct command_option options[] = {{0}};

enum { SAID_MAX = 512, LINE_OCTETS = 1024 };

// What programs have said. All of them look at the section `site`, and each says what is wrong there.
struct said {
    char *line[SAID_MAX]; // owned
    size_t count;
};

// Without the name of the program that says it.
static const char *words_of(const char *line)
{
    static const char *const kinds[] = {": error: ", ": warning: "};
    for (size_t i = 0; strncmp(line, "postern-", 8) == 0 && i < 2; i++) {
        const char *at = strstr(line, kinds[i]);
        if (at)
            return at + strlen(kinds[i]);
    }
    return line;
}

// True when `line` is new; then it is remembered.
static bool is_new(struct said *said, const char *line)
{
    const char *words = words_of(line);
    for (size_t i = 0; i < said->count; i++)
        if (strcmp(said->line[i], words) == 0)
            return false;
    if (said->count < SAID_MAX && (said->line[said->count] = strdup(words)))
        said->count++;
    return true;
}

// Shows what a program wrote to `fd`, but what another has said already.
static void show(struct said *said, int fd)
{
    char line[LINE_OCTETS];
    FILE *in = fdopen(fd, "r");
    if (!in) {
        close(fd);
        return;
    }
    rewind(in);
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (!is_new(said, line))
            continue;
        print_text(line, stderr);
        fputc('\n', stderr);
    }
    fclose(in);
}

// 0: its part is good, EX_UNAVAILABLE: not installed, else what it ended with, after its own lines.
static int check_one(const char *name, const char *config, struct said *said,
                     struct check_domains *domains)
{
    char program[PATH_MAX], log[64], output[64] = "/dev/null";
    if (job_find_program(name, program, sizeof program) != 0)
        return EX_UNAVAILABLE;
    char *argv[] = {program, "--check", "--config", (char *)config, NULL};
    int fd = memfd_create("check", MFD_CLOEXEC);
    snprintf(log, sizeof log, "/proc/self/fd/%d", fd);
    int effective = strcmp(name, "postern-sensor") == 0 ? memfd_create("sensor", MFD_CLOEXEC) : -1;
    if (effective >= 0)
        snprintf(output, sizeof output, "/proc/self/fd/%d", effective);
    struct job job = {.label = name, .argv = argv, .output = output, .log = fd >= 0 ? log : NULL};
    struct job_result result;
    int rc = job_run(&job, &result);
    if (fd >= 0)
        show(said, fd);
    if (effective >= 0) {
        check_domains_note(domains, config, effective);
        close(effective);
    }
    if (rc < 0 || result.signal != 0) {
        printf("%-18s could not be asked\n", name);
        return EX_OSERR;
    }
    printf("%-18s %s\n", name, result.status == 0 ? "good" : "has errors, see above");
    return result.status;
}

// The worst status of all programs; EX_UNAVAILABLE: there is none.
static int check_config(const char *config, struct check_domains *domains)
{
    struct said said = {0};
    int worst = 0;
    size_t asked = 0;
    if (access(config, R_OK) != 0) {
        fprintf(stderr, "postern check: %s: %m\n", config);
        return EX_NOINPUT;
    }
    for (size_t i = 0; running_programs[i]; i++) {
        int status = check_one(running_programs[i], config, &said, domains);
        if (status == EX_UNAVAILABLE)
            continue;
        asked++;
        if (status != 0)
            worst = status;
    }
    for (size_t i = 0; i < said.count; i++)
        free(said.line[i]);
    if (asked == 0) {
        fprintf(stderr, "postern check: no program of Postern is installed here\n");
        return EX_UNAVAILABLE;
    }
    return worst;
}

static int run(const struct command_args *a)
{
    struct check_domains domains = {0};
    int worst = 0;
    for (size_t i = 0; i < a->operand_count; i++) {
        if (a->operand_count > 1)
            printf("%s%s:\n", i > 0 ? "\n" : "", a->operands[i]);
        int status = check_config(a->operands[i], &domains);
        if (status != 0)
            worst = status;
    }
    fflush(stdout);
    check_domains_judge(&domains);
    return worst;
}

const struct command command_check = {
    .name = "check",
    .synopsis = "CONFIG...",
    .summary = "has every program look at its part of each configuration",
    .options = options,
    .operands_min = 1,
    .operands_max = CHECK_SENSORS_MAX,
    .run = run,
};
