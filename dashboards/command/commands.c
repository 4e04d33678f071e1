// The commands there are, in the order of the help. A new one is a line here and a file of its own.
#include <string.h>

#include "command/command.h"

#define COMMANDS(X) \
    X(setup)        \
    X(status)       \
    X(replay)       \
    X(tickets)      \
    X(sensor)       \
    X(lookup)       \
    X(why)          \
    X(rules)        \
    X(series)       \
    X(journal)      \
    X(mailbox)      \
    X(check)        \
    X(reload)       \
    X(loglevel)     \
    X(version)      \
    X(help_command)

#define X(name) extern const struct command command_##name;
COMMANDS(X)
#undef X

#define X(name) &command_##name,
const struct command *const command_table[] = {COMMANDS(X) NULL};
#undef X

const struct command *command_find(const char *name)
{
    for (size_t i = 0; command_table[i]; i++) {
        if (strcmp(command_table[i]->name, name) == 0)
            return command_table[i];
    }
    return NULL;
}
