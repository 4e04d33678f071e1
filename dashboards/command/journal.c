// `postern journal`: what is in a journal of minutes, and whether it is sound. postern-collector, which writes
// it, reads it; this file finds the program and passes the words on.
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"
#include "command/job.h"
#include "common/identity.h"
#include "common/timefmt.h"

static const struct command_option options[] = {
    {'c', "config", "FILE", "configuration, for the folder of the journal's keys"},
    {0, "from", "TIME", "only minutes from this time on (dump)"},
    {0, "to", "TIME", "only minutes before this time (dump)"},
    {0, "key", "SUBSCRIBER", "only rows of this subscriber (dump)"},
    {0},
};

static const char *option_of(const char *verb)
{
    static const char *const verbs[][2] = {
        {"dump", "--dump"}, {"verify", "--verify"}, {"stat", "--stat"}};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(verbs[i][0], verb) == 0)
            return verbs[i][1];
    return NULL;
}

// A word that selects nothing would give an empty answer that looks like one.
static int refuse_words(const struct command_args *a)
{
    static const char *const times[] = {"from", "to"}, *const of_dump[] = {"from", "to", "key"};
    struct subscriber_key key;
    int64_t t_ms;
    for (size_t i = 0; i < 3; i++)
        if (command_has(a, of_dump[i]) && strcmp(a->operands[0], "dump") != 0) {
            fprintf(stderr, "postern journal: --%s goes with dump alone\n", of_dump[i]);
            return EX_USAGE;
        }
    for (size_t i = 0; i < 2; i++)
        if (command_has(a, times[i]) && time_parse(command_value(a, times[i]), &t_ms) != 0) {
            fprintf(stderr, "postern journal: --%s %s: write a time such as 2026-03-22T10:00:00Z\n",
                    times[i], command_value(a, times[i]));
            return EX_USAGE;
        }
    if (command_has(a, "key") && subscriber_key_parse(command_value(a, "key"), &key) != 0) {
        fprintf(stderr,
                "postern journal: --key %s: a subscriber is an address (192.0.2.7, "
                "2001:db8:1::/56), with its realm before it where it has one (vlan:101/10.0.0.1)\n",
                command_value(a, "key"));
        return EX_USAGE;
    }
    return 0;
}

static int run(const struct command_args *a)
{
    static const char *const passed[][2] = {{"from", "--from"}, {"to", "--to"}, {"key", "--key"}};
    char program[PATH_MAX];
    const char *words[16], *verb = option_of(a->operands[0]);
    size_t n = 0;
    if (!verb) {
        fprintf(stderr, "postern journal: '%s' is none of dump, verify and stat\n", a->operands[0]);
        return EX_USAGE;
    }
    int code = refuse_words(a);
    if (code != 0)
        return code;
    if (job_find_program("postern-collector", program, sizeof program) != 0) {
        fprintf(stderr, "postern journal: postern-collector is not installed here\n");
        return EX_UNAVAILABLE;
    }
    words[n++] = program;
    words[n++] = "-c";
    words[n++] = command_has(a, "config") ? command_value(a, "config") : "/dev/null";
    words[n++] = verb;
    words[n++] = "-j";
    words[n++] = a->operands[1];
    for (size_t i = 0; i < 3; i++)
        if (command_has(a, passed[i][0])) {
            words[n++] = passed[i][1];
            words[n++] = command_value(a, passed[i][0]);
        }
    words[n] = NULL;
    struct job job = {.label = "journal", .argv = (char *const *)words};
    struct job_result result;
    int rc = job_run(&job, &result);
    return rc < 0 || result.signal ? EX_OSERR : result.status;
}

const struct command command_journal = {
    .name = "journal",
    .synopsis = "dump|verify|stat DIR [--from TIME] [--to TIME] [--key SUBSCRIBER]",
    .summary = "shows what a journal of minutes holds, and whether it is sound",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};
