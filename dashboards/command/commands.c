// The commands there are, in the order of the help. A new one is a line here and a file of its own.
#include <string.h>

#include "command/command.h"

extern const struct command command_status, command_reload, command_loglevel;
extern const struct command command_lookup, command_journal, command_why, command_rules;
extern const struct command command_replay, command_tickets, command_check, command_version,
    command_help_command;

const struct command *const command_table[] = {
    &command_status,
    &command_replay,
    &command_tickets,
    &command_check,
    &command_lookup,
    &command_why,
    &command_rules,
    &command_journal,
    &command_reload,
    &command_loglevel,
    &command_version,
    &command_help_command,
    NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; command_table[i]; i++) {
        if (strcmp(command_table[i]->name, name) == 0)
            return command_table[i];
    }
    return NULL;
}
