// The commands that speak of the program itself: `postern version` and `postern help`.
#include <stdio.h>
#include <sysexits.h>

#include "command/command.h"

static const struct command_option none[] = {{0}};

static int run_version(const struct command_args *a)
{
    (void)a;
    puts("postern " POSTERN_VERSION);
    return 0;
}

static int run_help(const struct command_args *a)
{
    if (a->operand_count == 0) {
        command_help_all(stdout);
        return 0;
    }
    const struct command *c = command_find(a->operands[0]);
    if (!c) {
        fprintf(stderr, "postern help: there is no command '%s'; postern help lists them\n",
                a->operands[0]);
        return EX_USAGE;
    }
    command_help(c, stdout);
    return 0;
}

const struct command command_version = {
    .name = "version",
    .synopsis = "",
    .summary = "says which version this is",
    .options = none,
    .run = run_version,
};

const struct command command_help_command = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "lists the commands, or explains one",
    .options = none,
    .operands_max = 1,
    .run = run_help,
};
