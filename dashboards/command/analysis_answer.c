// postern-analysis as a child, its answer as JSON. See analysis_answer.h.
#include "command/analysis_answer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/job.h"

#define ANSWER_MAX ((size_t)256 << 20)

static void read_answer(const char *path, json_t **out)
{
    char error[160];
    FILE *in = fopen(path, "re");
    if (in && json_read_line(in, ANSWER_MAX, out, error) != 1)
        *out = NULL;
    if (in)
        fclose(in);
}

int analysis_answer(const char *name, const char *const *words, json_t **out)
{
    char program[PATH_MAX], path[] = "/tmp/postern-answer.XXXXXX";
    const char *argv[ANALYSIS_WORDS_MAX + 2];
    size_t n = 0;
    *out = NULL;
    if (job_find_program("postern-analysis", program, sizeof program) != 0) {
        fprintf(stderr, "postern %s: postern-analysis is not installed here\n", name);
        return EX_UNAVAILABLE;
    }
    argv[n++] = program;
    while (*words && n <= ANALYSIS_WORDS_MAX)
        argv[n++] = *words++;
    argv[n] = NULL;
    int fd = mkstemp(path);
    if (fd < 0) {
        fprintf(stderr, "postern %s: %s: %m\n", name, path);
        return EX_CANTCREAT;
    }
    close(fd);
    struct job job = {.label = name, .argv = (char *const *)argv, .output = path, .progress = true};
    struct job_result result;
    int rc = job_run(&job, &result);
    int code = rc < 0 || result.signal || result.stopped ? EX_OSERR : result.status;
    if (code == 0 || code == EX_DATAERR)
        read_answer(path, out);
    unlink(path);
    if (code == 0 && !*out) {
        fprintf(stderr, "postern %s: postern-analysis gave no answer\n", name);
        return EX_SOFTWARE;
    }
    return code;
}

int analysis_show(const struct command_args *a, json_t *answer, int code,
                  void (*print)(const json_t *answer))
{
    if (!answer)
        return code;
    if (command_has(a, "json"))
        code = json_write_line(stdout, answer) == 0 ? code : EX_IOERR;
    else
        print(answer);
    json_decref(answer);
    return code;
}
