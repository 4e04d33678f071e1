// The command `postern`: finds the command named by the first word and runs it.
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"

// The options that stand instead of a command.
static const char *command_of(const char *word)
{
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
        return "help";
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
        return "version";
    return word;
}

// `postern COMMAND --help` is `postern help COMMAND`.
static bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        command_help_all(stderr);
        return EX_USAGE;
    }
    const struct command *c = command_find(command_of(argv[1]));
    if (!c) {
        fprintf(stderr, "postern: there is no command '%s'; postern help lists them\n", argv[1]);
        return EX_USAGE;
    }
    if (asks_help(argc - 1, argv + 1)) {
        command_help(c, stdout);
        return 0;
    }
    struct command_args args;
    int status = command_parse(c, argc - 1, argv + 1, &args, stderr);
    if (status != 0)
        return status;
    status = c->run(&args);
    if (fflush(stdout) != 0 && status == 0) {
        perror("postern: standard output");
        status = EX_IOERR;
    }
    return status;
}
